"""Pods and pools: whether the nodes that a pod asks for exist, let it in, and have room for it.

A pod that fits no node is no error to anybody. It stays Pending with an event ("didn't match node selector",
"untolerated taint", "Insufficient nvidia.com/gpu"), the autoscaler writes that it would not help, and accelerators run
beside it and serve nobody. Each rule compares a workload with the pools of its own cluster, and is silent where other
pools may exist (``views.placed``).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from inference.facts.gke import (
    ACCELERATOR_LABEL,
    GPU_RESOURCE,
    GPU_TAINT,
    NODE_POOL_LABEL,
    TPU_RESOURCE,
)
from inference.facts.machines import ATTACHABLE, MACHINES
from inference.rules.framework import About, Severity, rule
from inference.rules.views.cloud import Taint
from inference.rules.views.fleet import Scope, Site
from inference.rules.views.placed import placed
from inference.rules.views.placement import Demand, Placement, built_in
from inference.rules.views.pods import Container
from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN, quantity

_GPUS = "https://cloud.google.com/kubernetes-engine/docs/how-to/gpus"
_TAINTS = "https://cloud.google.com/kubernetes-engine/docs/how-to/node-taints"
_AUTOSCALER = "https://cloud.google.com/kubernetes-engine/docs/concepts/cluster-autoscaler"

_GIB = 2**30


def _demanded(placement: Placement, *, of_gke: bool) -> tuple[tuple[Demand, ...], ...]:
    return tuple(tuple(d for d in demands if built_in(d.key) or not of_gke) for demands in placement.alternatives)


def _first_unmet(scope: Scope, placement: Placement, *, of_gke: bool) -> Demand | None:
    """Return the first demand with which no pool remains; ``None`` where some alternative leaves a pool."""
    unmet: Demand | None = None
    for demands in _demanded(placement, of_gke=of_gke):
        remaining = scope.kin(placement)
        failing = None
        for demand in sorted(demands, key=lambda d: not built_in(d.key)):
            remaining &= scope.meeting(demand)
            if not remaining:
                failing = demand
                break
        if failing is None:
            return None
        unmet = unmet or failing
    return unmet


# ---------------------------------------------------------------- selectors


@rule(
    "scheduling-selector-finds-pool",
    title="A pod selects nodes that some declared pool has",
    breaks="The pod stays Pending: 'node(s) didn't match Pod's node affinity/selector', and the autoscaler adds "
    "nothing because no pool that it knows would help. GPU nodes idle beside it.",
    fix="Take the pool's name from its name output, and accelerator and topology from one description.",
    source="https://github.com/GoogleCloudPlatform/cluster-toolkit/pull/3916",
    severity=Severity.HIGH,
    covers=("NP-026", "TPU-002"),
)
def selector_finds_pool(stack: Stack) -> Iterator[About]:
    for placement, scope in placed(stack):
        resource = placement.pod.object.resource
        if not scope.kin(placement):
            what = GPU_RESOURCE if placement.gpus else TPU_RESOURCE
            yield About(
                resource,
                f"{placement} asks for {what}, and no node pool of its cluster has any; it stays Pending. "
                "Add a pool with the accelerator.",
            )
            continue
        demand = _first_unmet(scope, placement, of_gke=True)
        if demand is not None:
            yield About(resource, _unmatched(placement, scope, demand))
        elif (name := placement.asks(NODE_POOL_LABEL)) and _automatic(scope, placement, name):
            yield About(
                resource,
                f'{placement} selects the node pool "{name}" by its logical name; Pulumi names the pool '
                f'"{name}-" and seven more characters, so no node matches. Use the name output of the pool.',
            )


def _unmatched(placement: Placement, scope: Scope, demand: Demand) -> str:
    there = sorted({value for site in scope.sites for value in site.label(demand.key)} - {"?"})
    offered = f"the declared pools have {', '.join(there[:5])}" if there else "no declared pool has that label"
    if scope.meeting(demand) & scope.kin(placement):
        offered = "the pools that have it do not match the rest of its selector"
    return (
        f"{placement} selects nodes with {demand}, and {offered}; it stays Pending. "
        "Select what a declared pool has, by the pool's outputs."
    )


def _automatic(scope: Scope, placement: Placement, name: str) -> bool:
    """Whether the only pools in question have automatic names that this cannot be."""
    sites = scope.candidates(placement)
    named = placement.pod.object.resource.property_dependencies
    edges = {urn for urns in named.values() for urn in urns}
    return bool(sites) and all(
        site.pool.props.absent("name") and site.pool.resource.name == name and site.pool.resource.urn not in edges
        for site in sites
    )


@rule(
    "scheduling-label-is-declared",
    title="A label that a pod selects is declared on the pool",
    breaks="The autoscaler builds an imaginary node from the pool's own labels. A label that was added by hand is not "
    "among them: the pod starts while a labeled node lives, and never again after the pool was at zero.",
    fix="Put the label into nodeConfig.labels of the pool.",
    source=_AUTOSCALER,
    severity=Severity.HIGH,
    covers=("NP-027",),
)
def label_is_declared(stack: Stack) -> Iterator[About]:
    for placement, scope in placed(stack):
        if not scope.kin(placement) or _first_unmet(scope, placement, of_gke=True) is not None:
            continue
        demand = _first_unmet(scope, placement, of_gke=False)
        if demand is not None:
            pools = ", ".join(str(scope.sites[i]) for i in sorted(scope.kin(placement))[:3])
            yield About(
                placement.pod.object.resource,
                f"{placement} selects nodes with {demand}, a label that no pool for it declares ({pools}); the pod "
                f"stays Pending, and no scale-up helps. Add {demand.key} to nodeConfig.labels of the pool.",
            )


# ---------------------------------------------------------------- taints


@rule(
    "scheduling-taints-are-tolerated",
    title="A pod tolerates the taints of the pool that it selects",
    breaks="The pod stays Pending: 'node(s) had untolerated taint'. GKE adds tolerations for nvidia.com/gpu and "
    "google.com/tpu to pods that ask for those, for no other taint and for no other pod.",
    fix="Add a toleration for every taint that the program puts on the pool, and for the GPU taint where the pod asks "
    "for no GPU.",
    source=_TAINTS,
    severity=Severity.HIGH,
    covers=("NP-025",),
)
def taints_are_tolerated(stack: Stack) -> Iterator[About]:
    for placement, scope in placed(stack):
        closed = None
        for site in () if placement.queued else scope.candidates(placement).distinct(_taints):
            taints = _refused(placement, scope, site)
            if not taints:
                break
            closed = closed or (site, taints)
        else:
            if closed is not None:
                yield About(placement.pod.object.resource, _intolerant(placement, *closed))


def _taints(site: Site) -> Hashable:
    return site.taints, site.pool.config.known("taints")


def _intolerant(placement: Placement, site: Site, taints: list[Taint]) -> str:
    named = ", ".join(f"{t.key}={t.value}:{t.effect}" if t.value else f"{t.key}:{t.effect}" for t in taints)
    return (
        f"{placement} selects nodes such as those of the pool {site} and does not tolerate their taint {named}; it "
        f"stays Pending. Add the toleration: {_toleration(taints[0])}."
    )


def _refused(placement: Placement, scope: Scope, site: Site) -> list[Taint]:
    if not site.pool.config.known("taints"):
        return []
    declared = {taint.key for taint in site.pool.taints}
    return [
        taint
        for taint in site.taints
        if not placement.tolerates(taint)
        and not (scope.only_gpus and taint.key == GPU_TAINT.key and taint.key not in declared)
    ]


def _toleration(taint: Taint) -> str:
    operator = f"value: {taint.value}" if taint.value else "operator: Exists"
    return f"key: {taint.key}, {operator}, effect: {taint.effect}"


# ---------------------------------------------------------------- room


@rule(
    "scheduling-extended-resources-are-whole",
    title="GPUs, TPUs and other devices are asked for in whole numbers, with requests equal to limits",
    breaks="The API server refuses the pod. In a LeaderWorkerSet or another custom resource that happens later and is "
    "an event only: the object is there and its pods never come.",
    fix="Write the number under limits; leave requests out, or write the same there.",
    source="https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/",
    severity=Severity.HIGH,
    covers=("VLLM-009", "TPU-003"),
    on=Container,
)
def extended_resources_are_whole(container: Container) -> Iterator[str]:
    requests, limits = container.props.section("resources", "requests"), container.props.section("resources", "limits")
    if not container.props.known("resources", "requests") or not container.props.known("resources", "limits"):
        return
    for name in dict.fromkeys((*requests, *limits)):
        if "/" not in name or name.partition("/")[0].endswith("kubernetes.io"):
            continue
        asked, most = requests.raw(name), limits.raw(name)
        if asked is UNKNOWN or most is UNKNOWN:
            continue
        if most is None:
            yield (
                f"{container} requests {name} without a limit, which Kubernetes refuses for devices. "
                f"Set limits: {name}: {asked}."
            )
        elif asked is not None and quantity(asked) != quantity(most):
            yield (
                f"{container} requests {asked} of {name} and limits it to {most}; for devices both must be the same. "
                f"Set both to {most}, or leave the request out."
            )
        amount = quantity(most)
        if amount is not None and amount != int(min(amount, 1e15)):
            yield f"{container} asks for {most} of {name}; devices come whole. Write a whole number."


@rule(
    "scheduling-pod-fits-machine",
    title="Some pool for a pod has machines with the GPUs, CPUs and memory that it requests",
    breaks="The pod stays Pending: 'Insufficient nvidia.com/gpu', 'Insufficient cpu', 'Insufficient memory'; the "
    "autoscaler says that a new node would not help. A node keeps some of its CPU and memory for itself: 16 GiB do not "
    "fit on a machine with 16 GiB.",
    fix="Request less than what GKE leaves of the machine, or take a larger machine.",
    source=_GPUS,
    severity=Severity.HIGH,
    covers=("VLLM-009",),
)
def pod_fits_machine(stack: Stack) -> Iterator[About]:
    for placement, scope in placed(stack):
        reason = None
        for site in scope.candidates(placement).distinct(_size):
            reason = _too_large(placement, site)
            if reason is None:
                break
        if reason is not None:
            yield About(
                placement.pod.object.resource,
                f"{placement} {reason}; it stays Pending. Request less, or use a larger machine.",
            )


@rule(
    "scheduling-gpus-fit-any-machine",
    title="A pod asks for no more GPUs than some machine with that GPU has",
    breaks="No node of any pool can ever hold the pod: it stays Pending.",
    fix="Spread the model over several pods (a LeaderWorkerSet), or choose a machine with more GPUs.",
    source=_GPUS,
    severity=Severity.HIGH,
    covers=("VLLM-009",),
    on=Placement,
)
def gpus_fit_any_machine(placement: Placement) -> Iterator[str]:
    gpu = placement.asks(ACCELERATOR_LABEL)
    most = max((machine.gpus for machine in MACHINES.values() if gpu and machine.accelerator == gpu), default=0)
    if gpu and (chosen := ATTACHABLE.get(gpu)):
        most = max(chosen.counts)
    if most and placement.gpus > most:
        yield (
            f"{placement} asks for {placement.gpus} GPUs of {gpu}, and no machine has more than {most} of them. "
            f"Ask for at most {most} a pod, and for more pods."
        )


def _size(site: Site) -> Hashable:
    return site.pool.machine_type, site.units


def _too_large(placement: Placement, site: Site) -> str | None:
    """Say what does not fit on a node of the pool; ``None`` where all fits, or where that is not known."""
    pod, where = placement.pod, f"{site.pool.machine_type} of the pool {site}"
    if placement.gpus and site.units is not None and placement.gpus > site.units:
        return f"asks for {placement.gpus} GPUs, and {where} has {site.units}"
    if site.room is None:
        return None
    cpus, memory = pod.requested("cpu"), pod.requested("memory") / _GIB
    if cpus > site.room[0]:
        return f"requests {cpus:g} CPUs, and {where} leaves {site.room[0]:.2f} to pods"
    if memory > site.room[1]:
        return f"requests {memory:.1f} GiB of memory, and {where} leaves {site.room[1]:.1f} GiB to pods"
    return None


@rule(
    "scheduling-shared-gpu-is-one",
    title="A container on a shared GPU asks for one",
    breaks="Time-shared and MPS GPUs are slices of one device: GKE refuses a container that asks for two.",
    fix="Set nvidia.com/gpu: 1, or use a pool without gpuSharingConfig for models on several GPUs.",
    source="https://cloud.google.com/kubernetes-engine/docs/how-to/timesharing-gpus",
    severity=Severity.HIGH,
)
def shared_gpu_is_one(stack: Stack) -> Iterator[About]:
    for placement, scope in placed(stack):
        most = max((c.accelerators for c in placement.pod.all_containers), default=0)
        sites = scope.candidates(placement) if placement.gpus and most > 1 else ()
        if sites and all(_time_shared(site) for site in sites):
            yield About(
                placement.pod.object.resource,
                f"{placement} has a container with {most} GPUs, and the pool {sites[0]} shares each GPU among several; "
                f"a container gets one. Set {GPU_RESOURCE}: 1, or use a pool that does not share.",
            )


def _time_shared(site: Site) -> bool:
    return any(a.section("gpuSharingConfig") for a in site.pool.config.sections("guestAccelerators"))


@rule(
    "scheduling-threads-leave-cpus",
    title="A pool with one thread a core has the CPUs that its pods request",
    breaks="threadsPerCore 1 halves the vCPUs of the node. A pod that was sized for the machine stays Pending, and the "
    "field can be changed by making the pool again only.",
    fix="Leave advancedMachineFeatures out.",
    source="https://github.com/maci0/gke-inference-from-scratch",
    severity=Severity.HIGH,
    covers=("NP-030",),
)
def threads_leave_cpus(stack: Stack) -> Iterator[About]:
    for placement, scope in placed(stack):
        cpus = placement.pod.requested("cpu")
        sites = scope.candidates(placement) if cpus else ()
        if sites and all((half := _half(site)) is not None and cpus > half for site in sites):
            site = sites[0]
            yield About(
                site.pool.resource,
                f"{site.pool} sets threadsPerCore 1, which leaves {_half(site):g} vCPUs of {site.pool.machine_type}, "
                f"and {placement} requests {cpus:g}; it stays Pending. Take advancedMachineFeatures away.",
            )


def _half(site: Site) -> float | None:
    """Return half of the vCPUs of an accelerator node that runs one thread a core."""
    if not site.accelerator or site.pool.config.integer("advancedMachineFeatures", "threadsPerCore") != 1:
        return None
    if site.pool.machine is not None:
        return site.pool.machine.vcpus / 2
    shapes = site.generation.host_shapes if site.generation else {}
    shape = shapes.get(site.pool.machine_type or "")
    return shape[0] / 2 if shape else None
