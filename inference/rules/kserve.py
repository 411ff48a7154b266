"""KServe's LLMInferenceService: what its webhook refuses, and what must stand before it can be written at all.

One object stands for a deployment, a leader-worker set, an endpoint picker and a route, so many of its fields exclude
or need each other. The webhook says so at apply, when the accelerator pools already cost money. The webhook itself is
part of an installation in several charts, on top of cert-manager: what comes before they answer fails with 'failed
calling webhook'.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from inference.facts.controllers import KSERVE_GROUP
from inference.facts.gke import TPU_RESOURCE
from inference.rules.framework import About, Severity, rule
from inference.rules.views.kserve import LlmService, Workload
from inference.rules.views.pods import Container, PodTemplate
from inference.rules.views.routing import links
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

_WEBHOOK = "https://github.com/kserve/kserve/blob/master/pkg/apis/serving/v1alpha1/llm_inference_service_validation.go"
_TYPES = "https://github.com/kserve/kserve/blob/master/pkg/apis/serving/v1alpha1/llm_inference_service_types.go"


@rule(
    "kserve-worker-has-parallelism",
    title="A service with worker pods says how the model is split over them",
    breaks="Webhook: 'when worker is specified, parallelism must be configured for either data parallelism or pipeline "
    "parallelism'.",
    fix="Set parallelism.pipeline to the number of nodes, or parallelism.data and dataLocal; or remove worker.",
    source=_WEBHOOK,
    severity=Severity.HIGH,
    covers=("KS-003",),
    on=Workload,
)
def worker_has_parallelism(workload: Workload) -> Iterator[str]:
    sizes = [workload.parallelism.integer(key) for key in ("pipeline", "data", "dataLocal")]
    settled = all(workload.parallelism.known(key) for key in ("pipeline", "data", "dataLocal"))
    if workload.has_worker and settled and not any((size or 0) > 0 for size in sizes):
        yield (
            f"{workload} sets worker and neither parallelism.pipeline nor parallelism.data; the webhook refuses it. "
            "Set parallelism.pipeline to the number of nodes, or parallelism.data with dataLocal."
        )


@rule(
    "kserve-parallelism-consistent",
    title="The parallel sizes of a service go together",
    breaks="Webhook: 'cannot set both pipeline parallelism and data parallelism', 'dataLocal must be set when data is "
    "set'; a remainder of data by dataLocal is dropped without a word, with the replicas in it.",
    fix="Use pipeline, or data together with a dataLocal that divides it.",
    source=_WEBHOOK,
    severity=Severity.HIGH,
    covers=("KS-003",),
    on=Workload,
)
def parallelism_consistent(workload: Workload) -> Iterator[str]:
    sizes = workload.parallelism
    pipeline, data, local = (sizes.integer(key) for key in ("pipeline", "data", "dataLocal"))
    if (pipeline or 0) > 0 and ((data or 0) > 0 or (local or 0) > 0):
        yield (
            f"{workload} sets parallelism.pipeline: {pipeline} and data parallelism; the webhook refuses both at once. "
            "Keep one of them."
        )
    if data is not None and sizes.absent("dataLocal"):
        yield f"{workload} sets parallelism.data: {data} without dataLocal; the webhook refuses it. Set dataLocal too."
    if local is not None and sizes.absent("data"):
        yield f"{workload} sets parallelism.dataLocal: {local} without data; the webhook refuses it. Set data too."
    for key, size in (("pipeline", pipeline), ("data", data), ("dataLocal", local)):
        if size is not None and size < 1:
            yield f"{workload} sets parallelism.{key}: {size}; the webhook asks for at least 1. Set {key}: 1 or more."
    if data and local and data > 0 and local > 0 and data % local:
        yield (
            f"{workload} spreads parallelism.data: {data} in shares of dataLocal: {local}; the remainder is dropped. "
            "Set a dataLocal that divides data."
        )


@dataclass(frozen=True)
class Standing:
    """What stands in the cluster."""

    groups: tuple[str, ...] = ()
    """Groups with their pods as ``<namespace>/<name> <size>``, for example ``inference/llama 4``; those of a prefill
    workload as ``inference/llama/prefill 2``."""

    def __post_init__(self) -> None:
        for group in self.groups:
            if not _STANDING.fullmatch(group):
                raise ValueError(
                    f'groups: "{group}" is not <namespace>/<name> <size> or <namespace>/<name>/prefill <size>'
                )

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """Pods of each group by its place."""
        return {place: int(size) for place, size in (group.split() for group in self.groups)}


_STANDING = re.compile(r"[^/\s]+/[^/\s]+(?:/prefill)? [0-9]{1,6}")


@rule(
    "kserve-group-size-is-kept",
    title="A service that stands keeps the size of its groups, or is replaced",
    breaks="Webhook: 'total parallelism size is immutable'. The update fails there, and what comes after it is not "
    "applied.",
    fix="Give the service another name, or have it replaced: replaceOnChanges spec.parallelism with "
    "deleteBeforeReplace. Give the groups that stand in the policy configuration.",
    source=_WEBHOOK,
    severity=Severity.MEDIUM,
    covers=("KS-005",),
    on=Workload,
    parameters=Standing,
)
def group_size_is_kept(workload: Workload, standing: Standing) -> Iterator[str]:
    service = workload.service.object
    place = f"{service.namespace}/{service.name}" + ("/prefill" if workload.prefill else "")
    stood, size = standing.sizes.get(place), workload.group_size
    replaced = service.resource.options.flag("deleteBeforeReplace")
    if stood is not None and size is not None and size != stood and not replaced:
        yield (
            f"{workload} asks for groups of {size} pods where groups of {stood} stand, and the webhook refuses another "
            "total size. Give the service another name, or set replaceOnChanges spec.parallelism with "
            "deleteBeforeReplace."
        )


@rule(
    "kserve-router-consistent",
    title="The route and the gateway of a service are each given in one way",
    breaks="Webhook: 'cannot use both custom HTTPRoute refs and an inline route spec', 'custom HTTP routes cannot be "
    "used with a managed gateway', 'has parentRefs that conflict with custom gateway refs'.",
    fix="Give route.http.spec without parentRefs beside gateway.refs, or route.http.refs; name the gateway in "
    "gateway.refs.",
    source=_WEBHOOK,
    severity=Severity.HIGH,
    covers=("KS-006",),
    on=LlmService,
)
def router_consistent(service: LlmService) -> Iterator[str]:
    router = service.spec.section("router")
    http = router.section("route", "http")
    refs, spec, gateways = http.sections("refs"), http.section("spec"), router.sections("gateway", "refs")
    if refs and spec:
        yield f"{service} gives router.route.http both refs and spec; the webhook refuses it. Keep one of them."
    if refs and not router.absent("gateway") and router.known("gateway", "refs") and not gateways:
        yield (
            f"{service} names its own HTTPRoutes and asks for a managed gateway (router.gateway without refs); the "
            "webhook refuses it. Set router.gateway.refs, or remove router.gateway."
        )
    parents = spec.sections("parentRefs")
    older = service.object.api_version.endswith("/v1alpha1")
    if parents and gateways and (older or not _same(parents, gateways)):
        yield (
            f"{service} names gateways in router.gateway.refs and {'' if older else 'others '}in the route's "
            "parentRefs; the webhook refuses it. Remove router.route.http.spec.parentRefs."
        )


def _same(parents: tuple[Props, ...], gateways: tuple[Props, ...]) -> bool:
    def places(references: tuple[Props, ...]) -> Counter[tuple[str | None, ...]]:
        return Counter(tuple(ref.text(key) for key in ("name", "namespace", "sectionName")) for ref in references)

    known = all(ref.known(key) for ref in (*parents, *gateways) for key in ("name", "namespace", "sectionName"))
    return not known or places(parents) == places(gateways)


@rule(
    "kserve-scaling-consistent",
    title="A service has a number of replicas or one autoscaler, with bounds in order",
    breaks="'replicas and scaling are mutually exclusive', 'minReplicas cannot exceed maxReplicas', 'either wva or "
    "keda "
    "must be specified': the object is refused.",
    fix="Use replicas or scaling; in scaling set minReplicas at most maxReplicas and exactly one of wva and keda, in "
    "wva exactly one of hpa and keda.",
    source=_TYPES,
    severity=Severity.HIGH,
    covers=("KS-010",),
    on=Workload,
)
def scaling_consistent(workload: Workload) -> Iterator[str]:
    if workload.props.absent("scaling") or not workload.props.known("scaling"):
        return
    scaling = workload.props.section("scaling")
    if workload.props.known("replicas") and not workload.props.absent("replicas"):
        yield f"{workload} sets replicas and scaling, which exclude each other. Remove replicas."
    low, high = scaling.integer("minReplicas"), scaling.integer("maxReplicas")
    if low is not None and high is not None and low > high:
        yield f"{workload} scales from {low} to {high} replicas; the definition refuses it. Set minReplicas: {high}."
    if scaling.absent("maxReplicas"):
        yield f"{workload} scales without maxReplicas, which is required. Set scaling.maxReplicas."
    idle = scaling.integer("wva", "keda", "idleReplicaCount") or scaling.integer("keda", "idleReplicaCount")
    if idle is not None and low is not None and idle >= low:
        yield f"{workload} idles at {idle} replicas and keeps at least {low}. Set idleReplicaCount below minReplicas."
    yield from _one_of(workload, scaling, "scaling", "wva", "keda")
    if scaling.section("wva"):
        yield from _one_of(workload, scaling.section("wva"), "scaling.wva", "hpa", "keda")


def _one_of(workload: Workload, props: Props, place: str, first: str, second: str) -> Iterator[str]:
    given = _given(props, first, second)
    if given is None:
        return
    if len(given) == 2:
        yield f"{workload} sets {place}.{first} and {place}.{second}, which exclude each other. Remove one."
    elif not given:
        yield f"{workload} sets {place} with neither {first} nor {second}; nothing would scale it. Set one of them."


def _given(props: Props, *keys: str) -> list[str] | None:
    """Return those of the keys that are set, ``None`` where that is not known."""
    if not all(props.known(key) for key in keys):
        return None
    return [key for key in keys if not props.absent(key)]


@rule(
    "kserve-predictor-bounds-in-order",
    title="An InferenceService keeps no more replicas at the least than at the most",
    breaks="Webhook: 'MinReplicas cannot be greater than MaxReplicas': the object is refused.",
    fix="Set minReplicas to at most maxReplicas, or leave maxReplicas out.",
    source="https://github.com/kserve/kserve/blob/master/pkg/apis/serving/v1beta1/component.go",
    severity=Severity.HIGH,
    covers=("KS-010",),
    on=PodTemplate,
)
def predictor_bounds_in_order(pod: PodTemplate) -> Iterator[str]:
    low, high = pod.spec.integer("minReplicas"), pod.spec.integer("maxReplicas")
    if pod.object.is_a("InferenceService", KSERVE_GROUP) and low is not None and high and low > high:
        yield f"{pod} keeps at least {low} and at most {high} replicas, so it is refused. Set minReplicas: {high}."


@rule(
    "kserve-scheduler-config-single",
    title="The configuration of a service's scheduler is given once, and its adapters have names of their own",
    breaks="Webhook: 'both inline and ref are set', 'either inline or ref is required', 'duplicate name', 'adapter "
    "name "
    "must differ from base model name'.",
    fix="Give scheduler.config either inline or ref with a name; name every LoRA adapter differently, and not as the "
    "model.",
    source=_WEBHOOK,
    severity=Severity.HIGH,
    on=LlmService,
)
def scheduler_config_single(service: LlmService) -> Iterator[str]:
    scheduler = service.spec.section("router", "scheduler")
    config = scheduler.section("config")
    given = _given(config, "inline", "ref")
    if given and len(given) == 2:
        yield f"{service} gives the scheduler's config inline and by ref; the webhook refuses it. Keep one of them."
    if given == [] and not scheduler.absent("config"):
        yield f"{service} gives the scheduler a config with neither inline nor ref. Set one of them."
    if given and config.section("ref") and config.absent("ref", "name"):
        yield f"{service} refers to a scheduler configuration without a name. Set scheduler.config.ref.name."
    model = service.spec.text("model", "name") or service.name
    names = [adapter.text("name") for adapter in service.spec.sections("model", "lora", "adapters")]
    for name, count in Counter(name for name in names if name).items():
        if count > 1:
            yield (
                f'{service} names {count} LoRA adapters "{name}"; the webhook refuses it. Give each a name of its own.'
            )
        if name == model:
            yield f'{service} names a LoRA adapter as its model, "{name}"; the webhook refuses it. Rename the adapter.'


@rule(
    "kserve-route-spelled-out-on-gke",
    title="A service behind a GKE gateway spells out its route",
    breaks="KServe's own route sets timeouts, which GKE refuses (GWCER104): the whole route is rejected and the model "
    "is "
    "not reachable, though the service says Ready.",
    fix="Give router.route.http.spec without timeouts, and without a port in the reference to the InferencePool; or "
    "override the template in an LLMInferenceServiceConfig.",
    source="https://github.com/kserve/kserve/pull/5768",
    severity=Severity.HIGH,
    covers=("GW-002", "KS-006"),
)
def route_spelled_out_on_gke(stack: Stack) -> Iterator[About]:
    for link in links(stack):
        if link.route is not None or not link.gateway.gke or stack.view(_templates_changed):
            continue
        for service in link.source.view(LlmService.of):
            left_to_kserve = service.spec.known("router", "route") and not service.spec.absent("router", "route")
            if left_to_kserve and service.spec.absent("baseRefs"):
                yield About(
                    link.source,
                    f"{service} lets KServe make its route behind {link.gateway} of class {link.gateway.class_name}; "
                    "KServe's template sets timeouts, for which GKE refuses the route. Give router.route.http.spec "
                    "without timeouts.",
                )


def _templates_changed(stack: Stack) -> bool:
    """Whether the program changes KServe's route template or switches its timeouts off."""
    for config in stack.objects("LLMInferenceServiceConfig", KSERVE_GROUP):
        if config.spec.section("router", "route"):
            return True
    texts = (text for thing in stack.objects("ConfigMap", "") for text in thing.props.strings("data").values())
    return any("disableHTTPRouteTimeout" in text for text in texts)


@rule(
    "kserve-tpu-startup-budget",
    title="A TPU model server has time to compile before it is probed to death",
    breaks="XLA compiles for 12 to 15 minutes at the first start; the liveness probe kills the container before, and "
    "the TPU node restarts it for ever.",
    fix="Add a startupProbe on /health with periodSeconds: 10 and failureThreshold: 120.",
    source="https://docs.vllm.ai/projects/tpu/en/latest/",
    severity=Severity.HIGH,
    covers=("KS-011",),
    on=Container,
)
def tpu_startup_budget(container: Container) -> Iterator[str]:
    batch = container.pod.object.kind in {"Job", "CronJob", "JobSet"}
    if container.init or batch or not (container.requested(TPU_RESOURCE) or container.limit(TPU_RESOURCE)):
        return
    startup, liveness = container.props.section("startupProbe"), container.props.section("livenessProbe")
    if startup:
        budget = _budget(startup)
        if budget is not None and budget < 900:
            yield (
                f"{container} compiles for its TPUs and has {budget} s to start; 15 minutes are usual. "
                "Set startupProbe.failureThreshold × periodSeconds to 900 or more."
            )
    elif liveness and container.props.absent("startupProbe"):
        budget, delay = _budget(liveness), liveness.integer("initialDelaySeconds") or 0
        if budget is not None and budget < 600 and delay < 240 and liveness.known("initialDelaySeconds"):
            yield (
                f"{container} compiles for its TPUs and is killed by its liveness probe after {budget} s, before it "
                "can answer. Add a startupProbe with periodSeconds: 10 and failureThreshold: 120."
            )


def _budget(probe: Props) -> int | None:
    """Return the seconds after which a probe has failed for good, ``None`` where that is not known."""
    found = []
    for key, default in (("initialDelaySeconds", 0), ("periodSeconds", 10), ("failureThreshold", 3)):
        value = default if probe.absent(key) else probe.integer(key)
        if value is None:
            return None
        found.append(value)
    return found[0] + found[1] * found[2]
