"""TPUs: chips are wired into slices, and pool, topology and pods name the same slice.

A topology is a shape of chips; divided by the chips of one VM it gives the nodes of the pool, which come and go
together. GKE refuses a pool whose numbers do not agree, and its warden refuses pods that do not name the slice. A pod
that takes some of the chips of a VM is never scheduled.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from inference.facts.gke import (
    COMPUTE_CLASS_LABEL,
    RESERVED_LABEL_PREFIXES,
    TPU_ACCELERATOR_LABEL,
    TPU_RESOURCE,
    TPU_TOPOLOGY_LABEL,
)
from inference.facts.tpus import (
    GENERATIONS,
    Slice,
    TpuGeneration,
    generation_of_accelerator,
    generation_of_machine,
    slice_of,
)
from inference.rules.framework import About, Severity, rule
from inference.rules.views.cloud import NodePool
from inference.rules.views.fleet import Fleet
from inference.rules.views.placement import Placement
from inference.rules.views.resources import Resource
from inference.rules.views.servers import ModelServer
from inference.rules.views.stack import Stack

_TOPOLOGY = "https://cloud.google.com/kubernetes-engine/docs/concepts/plan-tpus"
_TPUS = "https://cloud.google.com/kubernetes-engine/docs/concepts/tpus"

_OLD_V5E = "tpu-v5-lite-device"
"""Label of single-host v5e in older pages: https://cloud.google.com/kubernetes-engine/docs/concepts/plan-tpus"""


def _named_slice(pool: NodePool) -> Slice | None:
    """Return the slice that a pool describes, where machine and topology agree."""
    generation, topology = generation_of_machine(pool.machine_type or ""), _topology(pool)
    if generation is None or topology is None:
        return None
    try:
        return slice_of(generation, topology, pool.machine_type)
    except ValueError:
        return None


def _topology(pool: NodePool) -> str | None:
    return pool.props.text("placementPolicy", "tpuTopology") or None


# ---------------------------------------------------------------- pools


@rule(
    "tpu-pool-topology-exists",
    title="A TPU pool names a topology of its generation that its machine can make",
    breaks="GKE refuses the pool: invalid topology.",
    fix="v5e and v6e: 1x1, 2x2, 2x4, 4x4 … 16x16; v4, v5p and tpu7x: 2x2x1, 2x2x2 … ; slices of several hosts on the "
    "machine with four chips.",
    source=_TOPOLOGY,
    severity=Severity.HIGH,
    covers=("TPU-002",),
    on=NodePool,
)
def pool_topology_exists(pool: NodePool) -> Iterator[str]:
    generation, topology = generation_of_machine(pool.machine_type or ""), _topology(pool)
    if topology is None:
        return
    if generation is None:
        if pool.machine is not None:
            yield f"{pool} names the TPU topology {topology} on {pool.machine_type}, which has no TPU. Take it away."
        return
    try:
        slice_of(generation, topology, pool.machine_type)
    except ValueError as error:
        yield f"{pool} cannot be made, because {_inside(str(error))}."


def _inside(sentence: str) -> str:
    return sentence.rstrip(".")


@rule(
    "tpu-pool-size-fits-topology",
    title="A pool for a slice of several hosts has exactly the nodes of the slice, counted per zone",
    breaks="GKE refuses the pool: 'Maximum node count … is not a valid size of TPU pod slice with topology …'. A slice "
    "has all of its nodes or none.",
    fix="nodeCount, or minNodeCount 0 and maxNodeCount, equal to the chips of the topology divided by the chips of the "
    "VM: 4x4 on ct6e-standard-4t are 4 nodes. No total limits.",
    source="https://github.com/GoogleCloudPlatform/cluster-toolkit/pull/3817",
    severity=Severity.HIGH,
    covers=("TPU-001",),
    on=NodePool,
)
def pool_size_fits_topology(pool: NodePool) -> Iterator[str]:
    found = _named_slice(pool)
    if found is None or not found.multi_host:
        return
    nodes, limits = found.nodes, pool.props.section("autoscaling")
    what = f"the topology {found.topology} on {found.machine_type} takes {nodes} nodes"
    for place, count in (
        ("nodeCount", pool.props.integer("nodeCount")),
        ("initialNodeCount", pool.props.integer("initialNodeCount")),
        ("autoscaling.minNodeCount", limits.integer("minNodeCount")),
    ):
        if count not in {None, 0, nodes}:
            yield f"{pool} has {place} {count}, and {what}, all at once. Set {place}: {nodes}, or 0."
    most = limits.integer("maxNodeCount")
    if most is not None and most != nodes:
        yield f"{pool} has autoscaling.maxNodeCount {most}, and {what}. Set maxNodeCount: {nodes}."
    if total := [key for key in ("totalMinNodeCount", "totalMaxNodeCount") if limits.integer(key)]:
        yield (
            f"{pool} limits a slice of {nodes} hosts by {' and '.join(total)}; GKE counts such a slice per zone. "
            f"Set minNodeCount: 0 and maxNodeCount: {nodes} instead."
        )
    if pool.zones is not None and len(set(pool.zones)) > 1:
        yield f"{pool} spreads one slice over the zones {', '.join(pool.zones)}. Name one zone in nodeLocations."


@rule(
    "tpu-single-host-has-no-placement",
    title="A pool of single TPU hosts sets no topology and no compact placement",
    breaks="GKE takes the pool for a slice of several hosts and refuses it.",
    fix="Take placementPolicy away; the machine type says the topology.",
    source="https://github.com/AI-Hypercomputer/xpk/pull/822",
    severity=Severity.MEDIUM,
    on=NodePool,
)
def single_host_has_no_placement(pool: NodePool) -> Iterator[str]:
    found = _named_slice(pool)
    if found is not None and not found.multi_host:
        yield (
            f"{pool} names the topology {found.topology}, which is one host of {found.machine_type}; only slices of "
            "several hosts are placed. Take placementPolicy away."
        )


@rule(
    "tpu-pool-labels-are-gke-own",
    title="A pool does not set the labels that GKE sets for accelerators and pools",
    breaks="GKE refuses or overwrites the label; what was written hides the true topology and shows as a difference in "
    "every preview, which replaces the pool.",
    fix="Take the labels away. GKE derives them from the machine and the placement.",
    source=_TPUS,
    severity=Severity.MEDIUM,
    covers=("TPU-005",),
    on=NodePool,
)
def pool_labels_are_gke_own(pool: NodePool) -> Iterator[str]:
    reserved = [key for key in pool.config.section("labels") if key.startswith(RESERVED_LABEL_PREFIXES)]
    if reserved:
        yield (
            f"{pool} sets {', '.join(sorted(reserved))}, which GKE sets itself; a value that differs is a change in "
            "every preview. Take the labels away."
        )


# ---------------------------------------------------------------- placement of tpu7x


@rule(
    "tpu-slice-follows-workload-policy",
    title="A slice of several tpu7x hosts is placed by a workload policy",
    breaks="The pool goes to ERROR: 'Creation of a managed instance group with tpu7x-standard-4t machine type with "
    "placement policy is not supported. Use workload policy instead'.",
    fix="Set placementPolicy.policyName to a ResourcePolicy with workloadPolicy type HIGH_THROUGHPUT and the topology "
    "as acceleratorTopology, and type to an empty string.",
    source="https://github.com/vllm-project/ci-infra/pull/547",
    severity=Severity.HIGH,
    covers=("TPU-007",),
    on=NodePool,
)
def slice_follows_workload_policy(pool: NodePool) -> Iterator[str]:
    generation = generation_of_machine(pool.machine_type or "")
    placement = pool.props.section("placementPolicy")
    if generation is None or generation.placement != "workload-policy" or not placement.known("policyName"):
        return
    if not placement.absent("policyName") and placement.text("policyName") != "":
        return
    found = _named_slice(pool)
    if placement.text("type") == "COMPACT" or (found is not None and found.multi_host):
        yield (
            f"{pool} places {pool.machine_type} by {placement.text('type') or 'no policy'}; slices of this machine are "
            "placed by a workload policy only. Set placementPolicy.policyName to a ResourcePolicy with workloadPolicy "
            "type HIGH_THROUGHPUT and the topology."
        )


@rule(
    "tpu-workload-policy-fits-pool",
    title="The workload policy of a TPU pool is HIGH_THROUGHPUT and has the pool's topology",
    breaks="GKE refuses the pool, or the slice is wired in another shape than its nodes expect.",
    fix="workloadPolicy: type HIGH_THROUGHPUT, acceleratorTopology equal to the pool's tpuTopology.",
    source="https://docs.cloud.google.com/kubernetes-engine/docs/how-to/tpu-ironwood",
    severity=Severity.HIGH,
    covers=("TPU-007",),
)
def workload_policy_fits_pool(stack: Stack) -> Iterator[About]:
    policies = stack.of_type("gcp:compute/resourcePolicy:ResourcePolicy")
    if not policies:
        return
    for site in stack.view(Fleet).sites:
        generation = site.generation
        if site.pool.inline or generation is None or generation.placement != "workload-policy":
            continue
        policy = stack.reference(site.pool.resource, "placementPolicy", "policyName", among=policies)
        if policy is not None:
            yield from (About(site.pool.resource, said) for said in _misfit(site.pool, generation, policy))


def _misfit(pool: NodePool, generation: TpuGeneration, policy: Resource) -> Iterator[str]:
    workload = policy.props.section("workloadPolicy")
    name, kind = policy.physical_name or policy.name, workload.text("type")
    if policy.props.absent("workloadPolicy") or (kind is not None and kind != "HIGH_THROUGHPUT"):
        found = kind or "no workload policy"
        yield f'{pool} follows the resource policy "{name}" with {found}. Give it workloadPolicy type HIGH_THROUGHPUT.'
    shape, own = workload.text("acceleratorTopology"), _topology(pool)
    if shape and own and shape != own:
        yield (
            f'{pool} has the topology {own} and follows the resource policy "{name}" with {shape}. '
            "Write the same topology in both."
        )
    most = pool.props.integer("autoscaling", "maxNodeCount") or pool.props.integer("nodeCount")
    chips = generation.machine_types.get(pool.machine_type or "")
    wanted = _chips_of(shape) if shape else None
    if own is None and most and chips and wanted and most * chips != wanted:
        yield (
            f"{pool} has {most} nodes of {chips} chips, and its workload policy {shape} takes {wanted} chips. "
            f"Set the count to {max(wanted // chips, 1)}."
        )


def _chips_of(topology: str) -> int | None:
    sides = topology.split("x")
    return prod(int(side) for side in sides) if all(s.isascii() and s.isdigit() and len(s) < 5 for s in sides) else None


# ---------------------------------------------------------------- pods


@rule(
    "tpu-pod-names-slice",
    title="A pod that uses TPUs selects accelerator and topology",
    breaks="GKE's warden refuses the pod, or it stays Pending beside an idle slice.",
    fix="nodeSelector with cloud.google.com/gke-tpu-accelerator and cloud.google.com/gke-tpu-topology.",
    source="https://github.com/AI-Hypercomputer/xpk/pull/1173",
    severity=Severity.HIGH,
    covers=("TPU-004",),
    on=Placement,
)
def pod_names_slice(placement: Placement) -> Iterator[str]:
    if not placement.tpus or placement.queued or not placement.settled or COMPUTE_CLASS_LABEL in placement.keys:
        return
    missing = [key for key in (TPU_ACCELERATOR_LABEL, TPU_TOPOLOGY_LABEL) if key not in placement.keys]
    if missing:
        yield (
            f"{placement} asks for {placement.tpus} TPU chips without selecting {' and '.join(missing)}; GKE "
            "refuses it at admission. Add the label of the pool's slice to nodeSelector, for example "
            f"{TPU_ACCELERATOR_LABEL}: tpu-v6e-slice and {TPU_TOPOLOGY_LABEL}: 2x2."
        )


@rule(
    "tpu-pod-topology-exists",
    title="A pod selects a topology that its TPU generation has",
    breaks="No pool can ever have such nodes: the pod stays Pending.",
    fix="v5e and v6e have two sides (2x2, 2x4, 4x4 …), v4, v5p and tpu7x three (2x2x1, 2x2x2 …).",
    source=_TOPOLOGY,
    severity=Severity.HIGH,
    covers=("TPU-002",),
    on=Placement,
)
def pod_topology_exists(placement: Placement) -> Iterator[str]:
    generation, topology = _selected(placement)
    label = placement.asks(TPU_ACCELERATOR_LABEL)
    if generation is None and label is not None and (meant := _meant(label)) is not None:
        yield f"{placement} selects {TPU_ACCELERATOR_LABEL}: {label}, which no node has. Write {meant}."
    if generation is None or topology is None:
        return
    try:
        slice_of(generation, topology)
    except ValueError as error:
        yield f"{placement} selects a slice that does not exist: {_inside(str(error))}."


@rule(
    "tpu-server-fills-slice",
    title="A server on a slice of several hosts has a pod on each of them",
    breaks="The chips of a slice start together: with fewer pods than hosts the runtime waits for the others until a "
    "timeout, and the whole slice is paid for.",
    fix="Serve from a LeaderWorkerSet whose size is the number of hosts, or select a topology of one host.",
    source=_TPUS,
    severity=Severity.HIGH,
    covers=("TPU-003",),
    on=Placement,
)
def server_fills_slice(placement: Placement) -> Iterator[str]:
    pod = placement.pod
    generation, topology = _selected(placement)
    if generation is None or topology is None or not placement.tpus or not pod.object.resource.view(ModelServer.of):
        return
    try:
        hosts = slice_of(generation, topology).nodes
    except ValueError:
        return
    group = pod.object.kind == "LeaderWorkerSet"
    pods = pod.size if group else pod.replicas
    if hosts < 2 or pods is None or pod.role == "worker" or pod.object.kind not in _COUNTED:
        return
    if pods != hosts if group else pods < hosts:
        yield (
            f"{placement} selects a slice of {hosts} hosts ({topology}) and makes {pods} pods for it; the chips wait "
            f"for each other and nothing is served. Use a LeaderWorkerSet with leaderWorkerTemplate.size: {hosts}."
        )


_COUNTED = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "LeaderWorkerSet"})


@rule(
    "tpu-pod-takes-whole-host",
    title="A pod takes all TPU chips of a host, as limit and as request",
    breaks="A TPU host goes to one pod as a whole: a pod with another number stays Pending, or is refused.",
    fix="Set limits (and requests, if any) of google.com/tpu to the chips of the VM: 4 on ct6e-standard-4t.",
    source=_TPUS,
    severity=Severity.HIGH,
    covers=("TPU-003",),
)
def pod_takes_whole_host(stack: Stack) -> Iterator[About]:
    fleet = stack.view(Fleet)
    for placement in stack.each(Placement):
        if not placement.tpus:
            continue
        scope = fleet.around(placement)
        sites = scope.candidates(placement) if scope is not None and placement.settled else ()
        hosts = {site.chips for site in sites}
        if not hosts or None in hosts:
            hosts = _possible(placement) if not sites else set()
        if hosts and placement.tpus not in hosts:
            counts = " or ".join(str(count) for count in sorted(filter(None, hosts)))
            where = f" of the pool {sites[0]}" if sites else ""
            yield About(
                placement.pod.object.resource,
                f"{placement} asks for {placement.tpus} TPU chips, and a host{where} has {counts}, which go "
                f"to one pod as a whole. Set {TPU_RESOURCE}: {counts}.",
            )


def _meant(label: str) -> str | None:
    """Return the accelerator label of the one generation whose name a label contains."""
    found = [row.accelerator for row in GENERATIONS.values() if row.name in label.lower()]
    return found[0] if len(found) == 1 and label != _OLD_V5E else None


def _selected(placement: Placement) -> tuple[TpuGeneration | None, str | None]:
    label = placement.asks(TPU_ACCELERATOR_LABEL) or ""
    generation = generation_of_accelerator("tpu-v5-lite-podslice" if label == _OLD_V5E else label)
    return generation, placement.asks(TPU_TOPOLOGY_LABEL)


def _possible(placement: Placement) -> set[int | None]:
    """Return the chips of the hosts that can make the slice that a pod selects."""
    generation, topology = _selected(placement)
    if generation is None or topology is None:
        return set()
    found: set[int | None] = set()
    for machine, chips in generation.machine_types.items():
        try:
            slice_of(generation, topology, machine)
        except ValueError:
            continue
        found.add(chips)
    return found
