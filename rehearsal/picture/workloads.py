"""What runs on the nodes: model servers, and other pods that hold accelerators."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from inference.facts.endpoint_picker import ROLE_LABEL
from inference.facts.gke import COMPUTE_CLASS_LABEL, TPU_RESOURCE
from inference.rules.views.autoscalers import Autoscaler
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.hosting import cluster_of
from inference.rules.views.placement import Placement
from inference.rules.views.pods import PodTemplate
from inference.rules.views.rdma import over_several_nodes
from inference.rules.views.routing import servers_in
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import sites_of
from inference.rules.views.stack import Stack
from rehearsal.naming import called, called_pool
from rehearsal.picture.graph import Key, Kind, Line, Node
from rehearsal.picture.machines import cluster_key, pool_keys
from rehearsal.texts import plural

__all__ = ["key_of", "shown", "workloads"]

_ENGINES = {
    "vllm": "vLLM",
    "nim": "NIM",
    "sglang": "SGLang",
    "tgi": "Text Generation Inference",
    "trtllm": "TensorRT-LLM",
    "triton": "Triton",
    "huggingface": "Hugging Face server",
}
_FEW = 3
"""Other pools that a box names before it counts."""
_WITHOUT_COPIES = frozenset({"Pod", "CronJob", "RayJob", "RayCluster", "RayService", "JobSet", "InferenceService"})
"""Kinds whose ``spec.replicas`` does not tell how many pods there are."""


def key_of(pod: PodTemplate) -> Key:
    """Return what stands for the workload of a pod: the object, prefill apart from decode."""
    return pod.object.resource.urn, "prefill" if pod.role.startswith("prefill") else ""


def shown(pod: PodTemplate) -> bool:
    """Whether a picture shows these pods: they serve a model, or hold accelerators."""
    return bool(pod.accelerators or servers_in((pod,)))


def workloads(stack: Stack) -> Iterator[Node]:
    """Yield every workload that serves a model or holds accelerators, on its node pool."""
    members: dict[Key, list[PodTemplate]] = defaultdict(list)
    for pod in stack.pods():
        if shown(pod):
            members[key_of(pod)].append(pod)
    keys = pool_keys(stack)
    for key, pods in members.items():
        resource = pods[0].object.resource
        servers = servers_in(pods)
        sites = _sites(stack, pods[0])
        yield Node(
            key=key,
            kind=Kind.MODEL,
            title=_title(pods[0], servers),
            lines=tuple(_lines(stack, pods, servers, sites)),
            urns=(resource.urn,),
            inside=keys[sites[0]] if sites else cluster_key(cluster_of(stack, resource)),
            rank=0 if servers else 1,
        )


def _title(pod: PodTemplate, servers: tuple[ModelServer, ...]) -> str:
    for server in servers:
        if server.served_names:
            return server.served_names[0]
        if server.model:
            return server.model
    return pod.object.name or pod.object.resource.name


def _sites(stack: Stack, pod: PodTemplate) -> tuple[Site, ...]:
    """Return the pools that give the pod its nodes."""
    if sites := sites_of(stack, pod):
        return sites
    placement = next((p for p in pod.object.resource.view(Placement.of) if p.pod is pod), None)
    if placement is None or not placement.compute_class:
        return ()
    scope = stack.view(Fleet).around(placement)
    wanted = placement.asks(COMPUTE_CLASS_LABEL)
    candidates = scope.candidates(placement) if scope is not None and wanted else ()
    return tuple(site for site in candidates if site.pool.labels.get(COMPUTE_CLASS_LABEL) == wanted)


def _lines(
    stack: Stack, pods: list[PodTemplate], servers: tuple[ModelServer, ...], sites: tuple[Site, ...]
) -> Iterator[Line]:
    first = pods[0]
    role = _role(first)
    yield Line("object", f"{first.object.kind} {first.object.name or called(first.object.resource)}{role}")
    yield Line("copies", _copies(stack, first))
    if held := first.accelerators:
        tpu = first.requested(TPU_RESOURCE) > 0
        yield Line("accelerators", f"{plural(held, 'TPU chip' if tpu else 'GPU')} a pod")
    if servers:
        if split := _split(servers[0]):
            yield Line("parallel", split)
        yield Line("engine", _engine(servers[0]))
    if others := [called_pool(site) for site in sites[1:]]:
        more = f" and {len(others) - _FEW} more" if len(others) > _FEW else ""
        yield Line("pools", f"or on {', '.join(others[:_FEW])}{more}")
    elif not sites and (asked := _class(first)):
        yield Line("pools", f"on nodes of the ComputeClass {asked}")


def _class(pod: PodTemplate) -> str | None:
    placement = next((p for p in pod.object.resource.view(Placement.of) if p.pod is pod), None)
    return placement.asks(COMPUTE_CLASS_LABEL) if placement is not None else None


def _role(pod: PodTemplate) -> str:
    role = pod.labels.get(ROLE_LABEL)
    if role is None and pod.object.kind == "LLMInferenceService":
        if pod.role.startswith("prefill"):
            role = "prefill"
        elif pod.object.spec.section("prefill"):
            role = "decode"
    return f", {role}" if role else ""


def _copies(stack: Stack, pod: PodTemplate) -> str:
    thing = pod.object
    if thing.kind == "DaemonSet":
        return "one on each node"
    if thing.kind == "Job":
        pods = 1 if thing.spec.absent("parallelism") else thing.spec.integer("parallelism")
        return plural(pods, "pod") if pods is not None else "number of pods unknown"
    if thing.kind in _WITHOUT_COPIES:
        return "1 pod" if thing.kind == "Pod" else "number of pods not told by the object alone"
    spec = thing.spec.section("prefill") if pod.role.startswith("prefill") else thing.spec
    replicas = 1 if spec.absent("replicas") else spec.integer("replicas")
    scaled = stack.view(_autoscaled).get(thing.resource.urn)
    if scaled is not None:
        return f"{scaled} replicas, by load"
    if replicas is None:
        return "replicas unknown"
    if not over_several_nodes(pod):
        return plural(replicas, "replica")
    size = pod.size if thing.kind == "LeaderWorkerSet" else None
    return f"{plural(replicas, 'group')} of {size} pods" if size else f"{plural(replicas, 'group')} of several pods"


def _autoscaled(stack: Stack) -> Mapping[str, str]:
    """Return the range of replicas of each workload that an autoscaler sets, by URN."""
    found = {}
    for scaler in stack.each(Autoscaler):
        target = scaler.target(stack)
        if target is not None:
            found[target.resource.urn] = f"{_told(scaler.least)}–{_told(scaler.most)}"
    return found


def _told(bound: int | None) -> str:
    return "?" if bound is None else str(bound)


def _split(server: ModelServer) -> str:
    sizes = (("tensor", server.tensor), ("pipeline", server.pipeline), ("data", server.data))
    parts = [f"{word} {size}" for word, size in sizes if size is not None and size > 1]
    if server.expert_parallel:
        parts.append("experts spread")
    return f"parallel: {' × '.join(parts)}" if parts else ""


def _engine(server: ModelServer) -> str:
    image = (server.container.image or "").partition("@")[0].rpartition("/")[2]
    tag = image.partition(":")[2]
    return f"{_ENGINES.get(server.engine, server.engine)} {tag}".rstrip()
