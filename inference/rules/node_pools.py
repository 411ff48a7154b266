"""Node pools: what a pool must say so that its nodes come up with their accelerators, and survive the next upgrade.

Machine, accelerator, driver and upgrade strategy are chosen in different fields and have to fit each other. Some
misfits are refused by the API; the costly ones are not: a node without driver is Ready, is billed and offers no GPU,
and an upgrade that wants a spare node waits for one that no reservation holds.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.facts.gke import GPU_DRIVER_VERSIONS
from inference.facts.machines import ATTACHABLE, MACHINES, Machine
from inference.facts.tpus import GENERATIONS
from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.buying import scarce
from inference.rules.views.cloud import Cluster, NodePool
from inference.rules.views.drivers import installs_driver
from inference.rules.views.fleet import Fleet
from inference.rules.views.guards import ignores, observed
from inference.rules.views.installers import installed
from inference.rules.views.stack import Stack

_GPUS = "https://cloud.google.com/kubernetes-engine/docs/how-to/gpus"
_TOOLKIT = "https://github.com/GoogleCloudPlatform/cluster-toolkit/tree/develop/modules/compute/gke-node-pool"
_PROVIDER = "https://www.pulumi.com/registry/packages/gcp/api-docs/container/nodepool/"

_SET_DRIVER = "Set gpuDriverInstallationConfig.gpuDriverVersion: LATEST."


def _series() -> dict[str, frozenset[str]]:
    names = (*MACHINES, *(name for generation in GENERATIONS.values() for name in generation.machine_types))
    return {s: frozenset(n for n in names if n.startswith(f"{s}-")) for s in {n.partition("-")[0] for n in names}}


_SERIES = _series()
"""Machine types of the series that carry nothing but accelerators."""

_PODS_PER_NODE = range(8, 257)
"""https://cloud.google.com/kubernetes-engine/docs/how-to/flexible-pod-cidr"""


# ---------------------------------------------------------------- machine, accelerator, driver


@rule(
    "nodepool-accelerator-fits-machine",
    title="Accelerator type and count are those of the machine type",
    breaks="GKE refuses the pool: 'accelerator not compatible with machine type', or 'invalid count'.",
    fix="A2, A3, A4, G2 and G4 machines come with their GPUs: name exactly those. T4, V100, P100 and P4 go with N1.",
    source="https://github.com/hashicorp/terraform-provider-google/issues/8765",
    severity=Severity.HIGH,
    covers=("NP-010",),
    on=NodePool,
)
def accelerator_fits_machine(pool: NodePool) -> Iterator[str]:
    declared = [(kind, count) for kind, count in pool.accelerators if kind]
    for kind, count in declared:
        if kind is None:
            continue
        if pool.tpu:
            yield f"{pool} declares the GPU {kind} on the TPU machine {pool.machine_type}. Take guestAccelerators away."
        elif pool.config.absent("machineType"):
            yield (
                f"{pool} declares the GPU {kind} and no machine type; GKE's default, e2-medium, takes no GPU. "
                "Set machineType."
            )
        elif pool.machine is not None:
            yield from _misfits(pool, pool.machine, kind, count)


def _misfits(pool: NodePool, machine: Machine, kind: str, count: int | None) -> Iterator[str]:
    if machine.accelerator is not None:
        if kind != machine.accelerator:
            yield (
                f"{pool} declares the GPU {kind} on {machine.name}, which comes with {machine.accelerator}; GKE "
                f"refuses the pool. Set type: {machine.accelerator}."
            )
        elif machine.gpus and count is not None and count != machine.gpus:
            yield (
                f"{pool} declares {count} x {kind} on {machine.name}, which has {machine.gpus}; GKE refuses the pool. "
                f"Set count: {machine.gpus}, or choose the machine that has {count}."
            )
        return
    offer = ATTACHABLE.get(kind) if machine.family == "n1" else None
    if offer is None:
        where = "N1 takes " + ", ".join(ATTACHABLE) if machine.family == "n1" else f"{machine.name} takes no GPU"
        yield f"{pool} declares the GPU {kind} on {machine.name}, and {where}. Choose a machine that comes with {kind}."
    elif count is not None and count not in offer.counts:
        counts = " or ".join(map(str, offer.counts))
        yield f"{pool} declares {count} x {kind}; a machine takes {counts} of them. Set count to one of these."
    elif offer.max_vcpus and machine.vcpus > (most := offer.max_vcpus.get(count or 0, machine.vcpus)):
        yield (
            f"{pool} declares {count} x {kind} on {machine.name} with {machine.vcpus} vCPUs; so many GPUs go with at "
            f"most {most}. Take a smaller machine or more GPUs."
        )


@rule(
    "nodepool-machine-type-exists",
    title="A machine type of an accelerator family is one that there is",
    breaks="GKE refuses the pool: the machine type does not exist. Accelerator machines come in a few sizes: A3 Ultra, "
    "A3 Mega, A4 and A4X in one each.",
    fix="Choose from the list of the family. The lists known here age: overrule this rule for a size that is new.",
    source="https://cloud.google.com/compute/docs/accelerator-optimized-machines",
    severity=Severity.HIGH,
    level=Level.ADVISORY,
    covers=("NP-010",),
    on=NodePool,
)
def machine_type_exists(pool: NodePool) -> Iterator[str]:
    name = pool.machine_type or ""
    series = name.partition("-")[0]
    if series in _SERIES and name not in _SERIES[series]:
        listed = ", ".join(sorted(_SERIES[series]))
        yield f"{pool} asks for {name}, and the machine types of {series} are {listed}. Set machineType to one of them."


@rule(
    "nodepool-driver-is-installed",
    title="Every GPU pool says which driver GKE installs, unless the program installs one itself",
    breaks="The node is Ready and billed, and its allocatable nvidia.com/gpu is 0: pods stay Pending with "
    "'Insufficient nvidia.com/gpu'. Before GKE 1.30.1 nothing is installed when nothing is said; since then the "
    "DEFAULT driver, which is older than what current CUDA 13 images need.",
    fix="Set gpuDriverInstallationConfig.gpuDriverVersion to LATEST or DEFAULT, or deploy the driver DaemonSet or the "
    "GPU Operator in the same program.",
    source=_GPUS,
    severity=Severity.HIGH,
    covers=("NP-022",),
)
def driver_is_installed(stack: Stack) -> Iterator[About]:
    pools = [site.pool for site in stack.view(Fleet).sites if site.pool.gpu]
    if not pools or stack.view(installs_driver):
        return
    for pool in pools:
        yield from (About(pool.resource, said) for said in _unsaid(pool))
        if not installed(stack).hidden:
            yield from (About(pool.resource, said) for said in _disabled(pool))


def _drivers(pool: NodePool) -> Iterator[tuple[str, str | None]]:
    """Yield GPU type and driver version of every accelerator block that tells."""
    place = ("gpuDriverInstallationConfig", "gpuDriverVersion")
    for accelerator in pool.config.sections("guestAccelerators"):
        if accelerator.integer("count") != 0 and accelerator.known(*place):
            yield accelerator.text("type") or "its GPUs", accelerator.text(*place) or None


def _unsaid(pool: NodePool) -> Iterator[str]:
    if pool.config.absent("guestAccelerators") or pool.config.size("guestAccelerators") == 0:
        yield (
            f"{pool} is of {pool.machine_type} with {pool.gpus_per_node} GPUs and has no guestAccelerators, so nothing "
            f"says which driver GKE installs. Declare {pool.gpus_per_node} x {pool.gpu_type} with a gpuDriverVersion."
        )
    for kind, version in _drivers(pool):
        if version in {None, "GPU_DRIVER_VERSION_UNSPECIFIED"}:
            yield (
                f"{pool} does not say which driver GKE installs for {kind}; by its version GKE installs none, or one "
                f"that current CUDA images find too old. {_SET_DRIVER}"
            )
        elif version == "LATEST" and (pool.config.text("imageType") or "").upper().startswith("UBUNTU"):
            yield (
                f"{pool} boots Ubuntu and asks for the LATEST driver for {kind}, which GKE has for Container-Optimized "
                "OS only. Set gpuDriverVersion: DEFAULT, or imageType: COS_CONTAINERD."
            )
        elif version not in GPU_DRIVER_VERSIONS:
            known = ", ".join(GPU_DRIVER_VERSIONS)
            yield f'{pool} has the gpuDriverVersion "{version}", which GKE does not know. Write one of {known}.'


def _disabled(pool: NodePool) -> Iterator[str]:
    for kind, version in _drivers(pool):
        if version == "INSTALLATION_DISABLED":
            yield (
                f"{pool} disables the driver installation for {kind}, and nothing in the program installs a driver; "
                f"its nodes offer no nvidia.com/gpu. {_SET_DRIVER}"
            )


@rule(
    "nodepool-secure-boot-allows-driver",
    title="Nodes whose driver is not GKE's own boot without secure boot",
    breaks="The kernel refuses the unsigned driver modules: nodes come up, advertise no nvidia.com/gpu and are billed.",
    fix="Set enableSecureBoot: false, or let GKE install the driver (LATEST or DEFAULT).",
    source=f"{_TOOLKIT}/README.md",
    severity=Severity.HIGH,
    covers=("NP-021",),
    on=NodePool,
)
def secure_boot_allows_driver(pool: NodePool) -> Iterator[str]:
    accelerators = pool.config.sections("guestAccelerators")
    disabled = any(
        a.text("gpuDriverInstallationConfig", "gpuDriverVersion") == "INSTALLATION_DISABLED" for a in accelerators
    )
    if disabled and pool.config.flag("shieldedInstanceConfig", "enableSecureBoot") is True:
        yield (
            f"{pool} has secure boot on and leaves the GPU driver to somebody else (INSTALLATION_DISABLED), whose "
            "kernel modules are not signed and will not load. Set enableSecureBoot: false, or gpuDriverVersion: LATEST."
        )


# ---------------------------------------------------------------- size


@rule(
    "nodepool-limits-agree",
    title="The limits of the autoscaler agree with each other",
    breaks="GKE refuses the pool.",
    fix="Either minNodeCount and maxNodeCount (each zone) or totalMinNodeCount and totalMaxNodeCount (all zones), "
    "minimum not above maximum, initialNodeCount not above it either.",
    source=_PROVIDER,
    severity=Severity.HIGH,
    on=NodePool,
)
def limits_agree(pool: NodePool) -> Iterator[str]:
    limits = pool.props.section("autoscaling")
    initial = pool.props.integer("initialNodeCount")
    for least, most in (("minNodeCount", "maxNodeCount"), ("totalMinNodeCount", "totalMaxNodeCount")):
        low, high = limits.integer(least), limits.integer(most)
        if low is not None and high is not None and low > high:
            yield f"{pool} scales from {least} {low} to {most} {high}; GKE refuses that. Make {most} at least {low}."
        if initial is not None and high and initial > high:
            yield (
                f"{pool} starts with initialNodeCount {initial} and may have {most} {high}. "
                f"Set initialNodeCount to at most {high}."
            )
    if limits and all(limits.known(key) and not limits.integer(key) for key in ("maxNodeCount", "totalMaxNodeCount")):
        yield f"{pool} scales and has no maximum of nodes, which GKE refuses. Set maxNodeCount or totalMaxNodeCount."
    mixed = [key for key in ("minNodeCount", "maxNodeCount") if limits.integer(key)]
    total = [key for key in ("totalMinNodeCount", "totalMaxNodeCount") if limits.integer(key)]
    if mixed and total:
        yield (
            f"{pool} sets {' and '.join(mixed)} for each zone together with {' and '.join(total)} for all; GKE takes "
            "one kind. Take either kind away."
        )


@rule(
    "nodepool-size-has-one-owner",
    title="The size of a pool is set by nodeCount, or by the autoscaler from initialNodeCount, not by both",
    breaks="Every update puts the pool back to nodeCount and takes nodes from under running pods; nodeCount together "
    "with initialNodeCount is refused by the provider.",
    fix="With autoscaling, leave nodeCount out and use initialNodeCount.",
    source=_PROVIDER,
    severity=Severity.HIGH,
    on=NodePool,
)
def size_has_one_owner(pool: NodePool) -> Iterator[str]:
    count = pool.props.integer("nodeCount")
    if count is None or pool.flex_start or pool.queued or observed(pool.props):
        return
    if pool.props.section("autoscaling") and not ignores(pool.resource, "nodeCount"):
        yield (
            f"{pool} has nodeCount {count} and autoscaling; each update resizes it to {count} under running pods. "
            f"Write initialNodeCount: {count} in place of nodeCount."
        )
    if pool.props.integer("initialNodeCount") is not None:
        yield f"{pool} has both nodeCount and initialNodeCount, which the provider refuses. Keep one of them."


@rule(
    "nodepool-max-pods-is-possible",
    title="A node is planned for 8 to 256 pods",
    breaks="GKE refuses the pool.",
    fix="Set maxPodsPerNode between 8 and 256, or leave it out for 110.",
    source="https://cloud.google.com/kubernetes-engine/docs/how-to/flexible-pod-cidr",
    severity=Severity.MEDIUM,
    on=NodePool,
)
def max_pods_is_possible(pool: NodePool) -> Iterator[str]:
    count = pool.props.integer("maxPodsPerNode")
    if count and count not in _PODS_PER_NODE:
        yield f"{pool} plans for {count} pods a node; GKE allows 8 to 256. Set maxPodsPerNode, for example 110."


@rule(
    "nodepool-cluster-max-pods-is-possible",
    title="The default of a cluster is 8 to 256 pods a node",
    breaks="GKE refuses the cluster.",
    fix="Set defaultMaxPodsPerNode between 8 and 256, or leave it out for 110.",
    source="https://cloud.google.com/kubernetes-engine/docs/how-to/flexible-pod-cidr",
    severity=Severity.MEDIUM,
    on=Cluster,
)
def cluster_max_pods_is_possible(cluster: Cluster) -> Iterator[str]:
    count = cluster.props.integer("defaultMaxPodsPerNode")
    if count and count not in _PODS_PER_NODE:
        yield f"{cluster} plans for {count} pods a node; GKE allows 8 to 256. Set defaultMaxPodsPerNode."


# ---------------------------------------------------------------- upgrades


@rule(
    "nodepool-upgrade-is-possible",
    title="An upgrade may take a node away or add one",
    breaks="GKE refuses the pool: with maxSurge 0 and maxUnavailable 0 no node could ever be upgraded.",
    fix="maxSurge: 0 and maxUnavailable: 1 for accelerators; maxSurge: 1 and maxUnavailable: 0 for CPU nodes.",
    source=_TOOLKIT,
    severity=Severity.HIGH,
    covers=("NP-019",),
    on=NodePool,
)
def upgrade_is_possible(pool: NodePool) -> Iterator[str]:
    settings = pool.props.section("upgradeSettings")
    if settings.text("strategy") == "BLUE_GREEN" or settings.integer("maxSurge") != 0:
        return
    if settings.integer("maxUnavailable") == 0 or settings.absent("maxUnavailable"):
        yield f"{pool} has maxSurge 0 and maxUnavailable 0, so no node could be upgraded. Set maxUnavailable: 1."


@rule(
    "nodepool-upgrade-needs-no-spare",
    title="Accelerator nodes of a fixed reservation are upgraded in place",
    breaks="The upgrade waits for a surge node that no reservation holds and no zone sells: the cluster is stuck in "
    "the middle of an upgrade; or an accelerator node more is billed.",
    fix="upgradeSettings: strategy SURGE, maxSurge 0, maxUnavailable 1.",
    source=_TOOLKIT,
    severity=Severity.HIGH,
    level=Level.ADVISORY,
    covers=("NP-019",),
    on=NodePool,
)
def upgrade_needs_no_spare(pool: NodePool) -> Iterator[str]:
    if not (pool.gpu or pool.tpu) or not pool.props.known("upgradeSettings"):
        return
    fixed = pool.reservation_type in {"SPECIFIC_RESERVATION", "ANY_RESERVATION_THEN_FAIL"}
    settings = pool.props.section("upgradeSettings")
    surge = settings.integer("maxSurge")
    remedy = "Set upgradeSettings to strategy SURGE with maxSurge: 0 and maxUnavailable: 1."
    if settings.text("strategy") == "BLUE_GREEN":
        if fixed or (scarce(pool) and not pool.flex_start and not pool.queued):
            held = "come from a reservation" if fixed else f"are {pool.machine_type}"
            yield f"{pool} is upgraded blue-green and needs a second set of nodes, which {held}. {remedy}"
    elif fixed and surge:
        yield f"{pool} is upgraded with {surge} spare node{'s' if surge > 1 else ''} beyond its reservation. {remedy}"
    elif fixed and settings.absent("maxSurge") and settings.absent("maxUnavailable"):
        yield f"{pool} leaves its upgrades to GKE's default of one spare node, which its reservation lacks. {remedy}"
