"""Disks of accelerator nodes: what the machine boots from, which volumes it attaches, how many local SSDs it has.

The newer machine families take Hyperdisk only. A boot disk of the wrong type is refused with the pool; a volume of the
wrong type is found out when a pod already holds a running GPU node and waits for its disk. Local SSDs are fixed in
number on most accelerator machines, and are either scratch space of pods or raw devices, not both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from inference.facts.gke import ACCELERATOR_LABEL
from inference.facts.machines import MACHINES, Machine, boot_disk_fits
from inference.facts.tpus import generation_of_machine
from inference.rules.framework import About, Severity, rule
from inference.rules.views.cloud import NodePool
from inference.rules.views.fleet import Fleet
from inference.rules.views.nodes import ssds_known
from inference.rules.views.placement import Placement
from inference.rules.views.stack import Stack
from inference.rules.views.storage_classes import disk_type
from inference.rules.views.values import Props

_AICR = "https://github.com/NVIDIA/aicr/pull/2338"
_LOCAL_SSD = "https://cloud.google.com/compute/docs/disks/local-ssd"


# ---------------------------------------------------------------- persistent disks


@rule(
    "disk-boot-type-fits-machine",
    title="A node boots from a disk type that its machine takes",
    breaks="GKE refuses the pool: '[pd-balanced] disk type cannot be used by a4x-highgpu-4g machine type'.",
    fix="hyperdisk-balanced on A3 Ultra, A4, A4X, G4, TPU v6e and tpu7x; pd-balanced or pd-ssd on A3 High and A3 Mega.",
    source=_AICR,
    severity=Severity.HIGH,
    covers=("NP-028",),
    on=NodePool,
)
def boot_type_fits_machine(pool: NodePool) -> Iterator[str]:
    for disk in dict.fromkeys(filter(None, (pool.config.text("diskType"), pool.config.text("bootDisk", "diskType")))):
        wanted = _other_disk(pool, disk)
        if wanted:
            yield (
                f"{pool} boots {pool.machine_type} from {disk}, which this machine does not take; GKE refuses the "
                f"pool. Set diskType: {wanted}."
            )


def _other_disk(pool: NodePool, disk: str) -> str | None:
    """Return the disk type to use instead, where this one certainly does not fit."""
    if pool.machine is not None:
        return pool.machine.boot_disk_types[0] if boot_disk_fits(pool.machine, disk) is False else None
    generation = generation_of_machine(pool.machine_type or "")
    needed = generation.boot_disk_type if generation else None
    return needed if needed and disk.startswith("pd-") else None


@rule(
    "disk-volume-type-fits-node",
    title="A pod's volumes are of a disk type that its nodes attach",
    breaks="The pod is scheduled, the GPU node runs, and the volume never attaches: 'disk type cannot be used by … "
    "machine type'. The default class of GKE makes pd-balanced disks, which A3 Ultra, A4 and A4X do not take.",
    fix="Name a StorageClass with type hyperdisk-balanced or hyperdisk-ml in the claim.",
    source="https://github.com/NVIDIA/nim-deploy/issues/87",
    severity=Severity.HIGH,
    covers=("NP-028",),
)
def volume_type_fits_node(stack: Stack) -> Iterator[About]:
    fleet = stack.view(Fleet)
    for placement in stack.each(Placement):
        claims = tuple(_claims(stack, placement))
        if not claims:
            continue
        machine = _hyperdisk_only(fleet, placement)
        if machine is None:
            continue
        for claim in claims:
            disk = disk_type(stack, claim.storage_class)
            if disk is not None and disk.startswith("pd-"):
                how = f"the class {claim.storage_class}" if claim.storage_class else "the default storage class"
                yield About(
                    placement.pod.object.resource,
                    f'{placement} runs on {machine} and mounts the claim "{claim.name}" of {how}, which makes {disk} '
                    "disks; they do not attach to this machine, and the pod waits on a running node. "
                    "Name a StorageClass with type hyperdisk-balanced or hyperdisk-ml.",
                )


@dataclass(frozen=True, slots=True)
class _Claim:
    name: str
    storage_class: str | None
    """``None`` for the default class."""


def _claims(stack: Stack, placement: Placement) -> Iterator[_Claim]:
    """Yield the claims that make a new disk by a storage class that is known."""
    pod = placement.pod
    if pod.object.kind == "StatefulSet":
        for template in pod.object.spec.sections("volumeClaimTemplates"):
            yield from _claim(template.text("metadata", "name") or "", template.section("spec"))
    for volume in pod.spec.sections("volumes"):
        if spec := volume.section("ephemeral", "volumeClaimTemplate", "spec"):
            yield from _claim(volume.text("name") or "", spec)
        name = volume.text("persistentVolumeClaim", "claimName")
        thing = stack.object("PersistentVolumeClaim", "", name, pod.namespace) if name else None
        if thing is not None:
            yield from _claim(thing.name or "", thing.spec)


def _claim(name: str, spec: Props) -> Iterator[_Claim]:
    bound = not spec.absent("volumeName") or not spec.absent("selector")
    if bound or not spec or not spec.known("storageClassName") or spec.text("storageClassName") == "":
        return
    yield _Claim(name, spec.text("storageClassName"))


def _hyperdisk_only(fleet: Fleet, placement: Placement) -> str | None:
    """Return the machine, or GPU, of the pod's nodes where all of them take Hyperdisk only."""
    scope = fleet.around(placement)
    sites = scope.candidates(placement) if scope is not None and placement.settled else ()
    if sites:
        machines = [site.pool.machine for site in sites]
        return sites[0].pool.machine_type if all(m is not None and _no_pd(m) for m in machines) else None
    gpu = placement.asks(ACCELERATOR_LABEL)
    carrying = [machine for machine in MACHINES.values() if gpu and machine.accelerator == gpu]
    return gpu if carrying and all(map(_no_pd, carrying)) else None


def _no_pd(machine: Machine) -> bool:
    return boot_disk_fits(machine, "pd-balanced") is False


# ---------------------------------------------------------------- local SSDs


@rule(
    "disk-local-ssds-fit-machine",
    title="A pool takes as many local SSDs as its machine has",
    breaks="GKE refuses the pool; or scratch space is missing where caches and weights were to go.",
    fix="Name the count that comes with the machine, or leave it out.",
    source=_LOCAL_SSD,
    severity=Severity.HIGH,
    on=NodePool,
)
def local_ssds_fit_machine(pool: NodePool) -> Iterator[str]:
    count = _ephemeral(pool.config) + _raw(pool.config)
    cached = pool.config.integer("ephemeralStorageLocalSsdConfig", "dataCacheCount") or 0
    if pool.machine is None or not count or not ssds_known(pool):
        return
    fixed, most = pool.machine.local_ssds, pool.machine.local_ssd_max
    if fixed is not None and (count > fixed or (count != fixed and not cached)):
        has = f"comes with {fixed}" if fixed else "has none"
        yield (
            f"{pool} takes {count} local SSDs on {pool.machine_type}, which {has}; the number is fixed and GKE refuses "
            f"another. {f'Set localSsdCount: {fixed}.' if fixed else 'Take the local SSDs away.'}"
        )
    elif most is not None and count > most:
        yield (
            f"{pool} takes {count} local SSDs on {pool.machine_type}, which takes {most}. "
            f"Set localSsdCount to at most {most}."
        )


@rule(
    "disk-local-ssds-have-one-use",
    title="Local SSDs are scratch space of pods or raw devices, not both",
    breaks="GKE refuses the pool.",
    fix="Keep ephemeralStorageLocalSsdConfig for emptyDir and image layers, or localNvmeSsdBlockConfig for devices.",
    source="https://cloud.google.com/kubernetes-engine/docs/concepts/local-ssd",
    severity=Severity.HIGH,
    on=NodePool,
)
def local_ssds_have_one_use(pool: NodePool) -> Iterator[str]:
    scratch, raw = _ephemeral(pool.config), _raw(pool.config)
    if scratch and raw:
        yield (
            f"{pool} takes {scratch} local SSDs as ephemeral storage and {raw} as raw devices; GKE takes one of the "
            "two. Take localNvmeSsdBlockConfig away to keep scratch space for pods."
        )


def _ephemeral(config: Props) -> int:
    places = ("ephemeralStorageLocalSsdConfig", "ephemeralStorageConfig")
    return max(config.integer(place, "localSsdCount") or 0 for place in places)


def _raw(config: Props) -> int:
    return (config.integer("localNvmeSsdBlockConfig", "localSsdCount") or 0) + (config.integer("localSsdCount") or 0)
