"""How a model is cut over accelerators: parallel sizes, nodes, data-parallel ranks, experts.

One server uses tensor × pipeline × data accelerators, over as many pods as its group has. Too large a product does not
start ('number of required GPUs exceeds …', or a hang in the rendezvous); too small a one starts, and the rest of the
GPUs idle at full price with nothing to show it.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from inference.facts import gke
from inference.facts.models import find
from inference.rules.framework import Level, Severity, rule
from inference.rules.views.leader_worker_sets import LeaderWorkerSet
from inference.rules.views.pods import Container, PodTemplate
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import own_accelerator, version_of

_SCALING = "https://docs.vllm.ai/en/latest/serving/parallelism_scaling/"
_DATA_PARALLEL = "https://docs.vllm.ai/en/latest/serving/data_parallel_deployment/"
_PARALLEL_CONFIG = "https://github.com/vllm-project/vllm/blob/main/vllm/config/parallel.py"


# ------------------------------------------------------------------ the product


def _factors(server: ModelServer) -> str:
    parts = [("tensor", server.tensor), ("pipeline", server.pipeline), ("data", server.data)]
    return " × ".join(f"{name} {size}" for name, size in parts if name == "tensor" or size != 1)


def _chooses_devices(server: ModelServer) -> bool:
    """Whether it is told which of the accelerators it sees: then several servers may share a container."""
    names = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "TPU_VISIBLE_CHIPS")
    return server.options.has("device-ids") or any(name in server.environment for name in names)


def _worker_container(server: ModelServer) -> Container | None:
    """Return the container of a worker that holds a part of this server's model."""
    pods = server.pod.object.resource.view(PodTemplate.of)
    worker = next((pod for pod in pods if pod.role == "worker"), None)
    return max(worker.containers, key=lambda c: c.accelerators, default=None) if worker is not None else None


def _wanted(server: ModelServer) -> int | None:
    """Return the accelerators that a server uses in its group, or in its pod where it is alone."""
    world, data, local = server.world_size, server.data, server.data_local
    thing = server.pod.object
    if world is None:
        return None
    if thing.kind == "LeaderWorkerSet" and (server.pod.size or 1) > 1:
        # Ranks that are numbered one by one may be spread over several groups.
        return None if server.options.has("data-parallel-rank") else world
    if thing.kind == "LLMInferenceService":
        tensor, inside = server.tensor, local if (data or 1) > 1 else 1
        return tensor * inside if tensor is not None and inside is not None else None
    if server.executor == "ray" or server.options.option("data-parallel-backend") == "ray":
        return None
    if server.nodes is None or server.nodes > 1:
        return world // server.nodes if server.nodes and world % server.nodes == 0 else None
    if server.engine == "sglang" or not data or local is None:
        return world
    return world // data * local


def _had(server: ModelServer) -> int | None:
    """Return the accelerators of its group, or of its container where it is alone; ``None`` where not known."""
    own, pod = server.container.accelerators, server.pod
    if pod.object.kind != "LeaderWorkerSet" or pod.size == 1:
        return own or None
    worker = _worker_container(server)
    if pod.size is None or worker is None or not own or not worker.accelerators:
        return None
    return own + (pod.size - 1) * worker.accelerators


def _alone_in_group(server: ModelServer) -> bool:
    """Whether the pods of a group serve side by side, each for itself."""
    others = server.pod.object.resource.view(ModelServer.of)
    return server.world_size == server.container.accelerators and any(
        other.serves_http for other in others if other.pod.role == "worker" and other.pod is not server.pod
    )


@rule(
    "vllm-sizes-fill-accelerators",
    title="The product of the parallel sizes is the number of accelerators",
    breaks="Too large: 'number of required GPUs exceeds the total number of available GPUs in the placement group', or "
    "a hang. Too small: no error at all, and GPUs at 0 %.",
    fix="On one node set --tensor-parallel-size to its GPUs; over nodes add --pipeline-parallel-size "
    "$(LWS_GROUP_SIZE), or --data-parallel-size for a model with experts.",
    source=_SCALING,
    severity=Severity.HIGH,
    covers=("LWS-004",),
    on=ModelServer,
)
def sizes_fill_accelerators(server: ModelServer) -> Iterator[str]:
    if server.ray_worker or server.pod.role.endswith("worker") or _chooses_devices(server):
        return
    wanted, had = _wanted(server), _had(server)
    if wanted is None or had is None or wanted < 1 or _alone_in_group(server):
        return
    doubled = bool(server.container.requested(gke.TPU_RESOURCE)) and _two_devices_a_chip(server)
    if wanted == had or (doubled and wanted == 2 * had):
        return
    what = "TPU chips" if server.container.requested(gke.TPU_RESOURCE) else "GPUs"
    size = server.pod.size or 1
    where = f"its {size} pods have {had}" if size > 1 else f"its container has {had}"
    if wanted > had:
        yield (
            f"{server} needs {wanted} {what} ({_factors(server)}), and {where}; it does not start, or waits for ranks "
            f"that never come. Make the product of the parallel sizes {had}, or ask for {wanted}."
        )
    else:
        yield (
            f"{server} uses {wanted} {what} ({_factors(server)}), and {where}; the other {had - wanted} idle and are "
            f"paid for. Make the product of the parallel sizes {had}, or ask for {wanted}."
        )


def _two_devices_a_chip(server: ModelServer) -> bool:
    selector = server.pod.node_selector.get(gke.TPU_ACCELERATOR_LABEL)
    return selector is None or selector == "tpu7x"


@rule(
    "vllm-tensor-stays-in-node",
    title="Tensor parallelism stays inside a node where no fast network joins the nodes",
    breaks="Every layer waits for an all-reduce over the pod network: a group of 16 GPUs answers more slowly than 8 "
    "alone, and nothing in the logs says why.",
    fix="Set --tensor-parallel-size to the GPUs of a pod and --pipeline-parallel-size to the pods; or attach the RDMA "
    "networks.",
    source=_SCALING,
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    covers=("LWS-004",),
    on=ModelServer,
)
def tensor_stays_in_node(server: ModelServer) -> Iterator[str]:
    pod, own, tensor = server.pod, server.container.accelerators, server.tensor
    if pod.role != "leader" or (pod.size or 1) < 2 or not own or tensor is None or tensor <= own:
        return
    if server.engine != "vllm":  # Other engines are published with tensor parallelism over several nodes.
        return
    gpu = own_accelerator(pod)
    joined = (
        server.container.requested(gke.TPU_RESOURCE)
        or gke.INTERFACES_ANNOTATION in pod.annotations
        or not pod.spec.absent("resourceClaims")
        or not pod.metadata.known("annotations")
        or pod.spec.flag("hostNetwork")
        or (gpu is not None and gpu.gpu is not None and gpu.gpu.accelerator in ("nvidia-gb200", "nvidia-gb300"))
    )
    if not joined:
        yield (
            f"{server} cuts every layer over {tensor} GPUs, and a pod has {own}, with only the pod network between "
            f"them; each token waits for it at every layer. Set --tensor-parallel-size {own} and "
            f"--pipeline-parallel-size {-(-tensor // own)}."
        )


@rule(
    "vllm-sizes-suit-model",
    title="The model can be cut into that many parts",
    breaks="'Total number of attention heads must be divisible by tensor parallel size', at the start of the server.",
    fix="Use a tensor-parallel size that divides the model's attention heads, and no more stages than layers.",
    source="https://github.com/vllm-project/vllm/blob/main/vllm/config/model.py",
    severity=Severity.HIGH,
    on=ModelServer,
)
def sizes_suit_model(server: ModelServer) -> Iterator[str]:
    known = find(server.model or "")
    if known is None or server.engine != "vllm":
        return
    tensor, pipeline = server.tensor, server.pipeline
    if tensor is not None and tensor > 0 and known.heads and known.heads % tensor:
        fitting = [n for n in (1, 2, 4, 8, 16, 32) if known.heads % n == 0]
        yield (
            f"{server} has --tensor-parallel-size {tensor}, and {known.id} has {known.heads} attention heads, which it "
            f"does not divide; the server ends. Use one of {', '.join(map(str, fitting))}."
        )
    if pipeline is not None and pipeline > known.layers:
        yield (
            f"{server} has --pipeline-parallel-size {pipeline}, and {known.id} has {known.layers} layers; a stage "
            "needs at least one. Use fewer stages."
        )


# ------------------------------------------------------------------ nodes


@rule(
    "vllm-nodes-agree",
    title="Every pod of a server over several nodes gets the same plan and a rank of its own",
    breaks="An assertion at the start ('world_size must be divisible by nnodes'), or a rendezvous that waits for a "
    "rank twice there and a rank that is missing, until it times out with all GPUs held.",
    fix="Give every pod --nnodes $(LWS_GROUP_SIZE) --node-rank $(LWS_WORKER_INDEX) --master-addr $(LWS_LEADER_ADDRESS) "
    "and the workers --headless; leave the executor to mp.",
    source=_PARALLEL_CONFIG,
    severity=Severity.HIGH,
    on=ModelServer,
)
def nodes_agree(server: ModelServer) -> Iterator[str]:
    nodes, options, pod = server.nodes, server.options, server.pod
    if server.engine != "vllm" or server.ray_worker or nodes is None or nodes < 2:
        return
    for name, value in (("distributed-executor-backend", server.executor), ("data-parallel-backend", None)):
        if (value or options.option(name)) == "ray":
            yield (
                f"{server} has --nnodes {nodes} and --{name} ray; nodes are joined either by vLLM itself or by Ray, "
                f"and both together are refused. Take --{name} away."
            )
    if server.world_size is not None and server.world_size % nodes:
        yield (
            f"{server} spreads {server.world_size} ranks ({_factors(server)}) over --nnodes {nodes}, which does not "
            "divide them; it ends at once. Make the product a multiple of the nodes."
        )
    group = pod.size if pod.object.kind == "LeaderWorkerSet" else None
    if group is not None and group != nodes:
        yield (
            f"{server} waits for {nodes} nodes (--nnodes), and its group has {group} pods; the rendezvous never "
            "completes. Write --nnodes $(LWS_GROUP_SIZE)."
        )
    yield from _ranks(server, nodes, group)


def _ranks(server: ModelServer, nodes: int, group: int | None) -> Iterator[str]:
    options, role = server.options, server.pod.role
    rank = options.integer("node-rank")
    if rank is not None and rank >= nodes:
        yield f"{server} has --node-rank {rank} of {nodes} nodes; ranks begin at 0. Write $(LWS_WORKER_INDEX)."
    if role == "worker" and (options.absent("node-rank") or rank == 0):
        yield (
            f"{server} has the rank 0 of the leader (--node-rank {'is missing' if rank is None else '0'}), so two pods "
            "are the leader and none is a worker. Write --node-rank $(LWS_WORKER_INDEX)."
        )
    elif role == "worker" and rank is not None and (group or 0) > 2:
        yield (
            f"{server} has --node-rank {rank}, and the template makes {(group or 0) - 1} workers, which then all have "
            "the same rank. Write --node-rank $(LWS_WORKER_INDEX)."
        )
    if role == "worker" and options.absent("headless"):
        yield (
            f"{server} is a worker of a server over {nodes} nodes and is not told so; it tries to serve the API "
            "itself. Add --headless."
        )
    if role == "leader" and server.headless:
        yield f"{server} leads its group with --headless, so nobody answers requests. Take --headless away."


@rule(
    "vllm-group-agrees",
    title="Leader and workers of a group run the same model with the same sizes",
    breaks="The ranks build different communicators or load different shards: a hang at the first collective, or a "
    "shape mismatch after all weights are read.",
    fix="Build both command lines from the same values; only rank, --headless and the port differ.",
    source=_SCALING,
    severity=Severity.HIGH,
    on=LeaderWorkerSet,
)
def group_agrees(group: LeaderWorkerSet) -> Iterator[str]:
    yield from _of_one_ray(group)
    sides = {
        role: [s for s in group.servers if s.pod.role == role and not s.ray_worker] for role in ("leader", "worker")
    }
    if any(len(servers) != 1 for servers in sides.values()) or not group.spans_pods:
        return
    leader, worker = sides["leader"][0], sides["worker"][0]
    if leader.engine != worker.engine or not (worker.headless or (worker.nodes or 1) > 1):
        return
    for name, mine, theirs in (
        ("model", leader.model, worker.model),
        ("--tensor-parallel-size", leader.tensor, worker.tensor),
        ("--pipeline-parallel-size", leader.pipeline, worker.pipeline),
        ("--data-parallel-size", leader.data, worker.data),
        ("--nnodes", leader.nodes, worker.nodes),
        ("--max-model-len", leader.max_model_len, worker.max_model_len),
        ("image", leader.container.image, worker.container.image),
    ):
        if mine is not None and theirs is not None and mine != theirs:
            yield (
                f"{group} has {name} {mine} in its leader and {theirs} in its workers; they do not make one server. "
                "Give both the same."
            )


def _of_one_ray(group: LeaderWorkerSet) -> Iterator[str]:
    """Judge workers that only join a Ray cluster: it takes one version of Ray, and the server one of itself."""
    leaders = {s.container.image for s in group.servers if s.pod.role == "leader" and not s.ray_worker}
    for joined in (s for s in group.servers if s.pod.role == "worker" and s.ray_worker):
        for image in leaders - {joined.container.image}:
            if image and joined.container.image:
                yield (
                    f"{group} runs {image} in its leader and {joined.container.image} in its workers; Ray refuses "
                    "workers of another version. Give both the same image."
                )


# ------------------------------------------------------------------ data parallelism


@rule(
    "vllm-data-parallel-agrees",
    title="The options of data parallelism go together",
    breaks="vLLM ends with an assertion before it loads anything: 'data_parallel_hybrid_lb is not applicable in "
    "headless mode', 'data_parallel_rank or node_rank must be specified', 'must be <= data_parallel_size'.",
    fix="One way of balancing: internal (leader and headless nodes), hybrid (each node serves: "
    "--data-parallel-hybrid-lb with size-local and start-rank) or external (each rank is a pod: --data-parallel-rank).",
    source=_DATA_PARALLEL,
    severity=Severity.HIGH,
    on=ModelServer,
)
def data_parallel_agrees(server: ModelServer) -> Iterator[str]:
    if server.engine != "vllm" or server.ray_worker:
        return
    options, data = server.options, server.data
    hybrid = options.switch("data-parallel-hybrid-lb") is True
    multi_port = options.switch("data-parallel-multi-port-external-lb") is True
    external = options.switch("data-parallel-external-lb") is True and not multi_port
    local, rank = options.integer("data-parallel-size-local"), options.integer("data-parallel-rank")
    if hybrid and server.headless:
        yield (
            f"{server} has --data-parallel-hybrid-lb and --headless: with hybrid balancing every node serves. Keep one."
        )
    if hybrid and external:
        yield f"{server} balances both hybrid and external, which vLLM refuses. Keep one of the two options."
    if hybrid and options.absent("data-parallel-size-local"):
        yield f"{server} has --data-parallel-hybrid-lb without --data-parallel-size-local. Add the ranks of this pod."
    if external and server.nodes == 1 and options.absent("data-parallel-rank"):
        yield (
            f"{server} has --data-parallel-external-lb and no rank; vLLM ends with an assertion. Add "
            "--data-parallel-rank, or --nnodes with --node-rank."
        )
    if (external or (options.has("data-parallel-rank") and not multi_port)) and local not in (None, 1):
        yield f"{server} has one data-parallel rank of its own and --data-parallel-size-local {local}. Take that away."
    if external and data == 1:
        yield (
            f"{server} has --data-parallel-external-lb with a data-parallel size of 1, which vLLM refuses. Take it "
            "away."
        )
    if data is not None and local is not None and local > data:
        yield f"{server} runs {local} ranks in this pod (--data-parallel-size-local) of {data} in all. Raise the size."
    if data is not None and rank is not None and rank >= data:
        yield f"{server} has --data-parallel-rank {rank} of {data}; ranks begin at 0. Use at most {data - 1}."
    if server.headless and (options.integer("api-server-count") or 0) > 0:
        yield f"{server} has --headless and --api-server-count: a headless node serves no API. Take the count away."
    yield from _dense(server, external or options.has("data-parallel-rank"))


def _dense(server: ModelServer, external: bool) -> Iterator[str]:  # noqa: FBT001 - one of two ways
    known, version = find(server.model or ""), version_of(server)
    if external and known is not None and known.moe is None and version is not None and version >= (0, 32):
        yield (
            f"{server} balances {known.id} externally over data-parallel ranks; vLLM refuses that for models without "
            "experts. Run independent replicas in its place, without --data-parallel options."
        )


@rule(
    "vllm-experts-divide",
    title="The experts divide evenly over the ranks",
    breaks="'AssertionError: n_physical_experts must be divisible by ep_size', after every rank has started: all GPUs "
    "of the group in a crash loop.",
    fix="Choose tensor × data so that it divides the experts (256: 8, 16, 32), or add redundant experts with EPLB.",
    source="https://github.com/vllm-project/vllm/issues/52435",
    severity=Severity.HIGH,
    covers=("VLLM-025",),
    on=ModelServer,
)
def experts_divide(server: ModelServer) -> Iterator[str]:
    if server.engine != "vllm":
        return
    options, known = server.options, find(server.model or "")
    configured = options.json("eplb-config").integer("num_redundant_experts")
    redundant = options.integer("num-redundant-experts") or configured or 0
    if options.switch("enable-eplb") is True and options.absent("enable-expert-parallel"):
        yield f"{server} has --enable-eplb without --enable-expert-parallel, which vLLM refuses. Add the latter."
    if redundant and options.absent("enable-eplb"):
        yield f"{server} has {redundant} redundant experts without --enable-eplb, which vLLM refuses. Add that option."
    sizes = [server.tensor, server.data, options.integer("prefill-context-parallel-size") or 1]
    if (
        not server.expert_parallel
        or known is None
        or not known.experts
        or None in sizes
        or options.unknown("eplb-config")
    ):
        return
    ranks = prod(size for size in sizes if size is not None)
    if ranks > 0 and (known.experts + redundant) % ranks:
        extra = f" and {redundant} redundant ones" if redundant else ""
        yield (
            f"{server} spreads the {known.experts} experts of {known.id}{extra} over {ranks} ranks (tensor "
            f"{server.tensor} × data {server.data}), which does not come out even; it ends at the start. Use a number "
            f"of ranks that divides {known.experts + redundant}."
        )
