"""Machine types: CPUs, memory, accelerators, NICs, local SSDs, disks, and where they are offered.

TPU machine types are in ``tpus``: they have chips and topologies instead of GPUs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal

from inference.facts._gpu import Family
from inference.facts._gpu_machines import FAMILIES
from inference.facts.fabrics import FABRICS, Fabric
from inference.facts.gke import LOCAL_SSD_GIB
from inference.facts.zones import offered

__all__ = [
    "ATTACHABLE",
    "FABRICS",
    "MACHINES",
    "Attachable",
    "Fabric",
    "Machine",
    "allocatable",
    "boot_disk_fits",
    "machine",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachable:
    """A GPU that is chosen beside an N1 machine type instead of coming with it."""

    accelerator: str
    counts: tuple[int, ...]
    max_vcpus: Mapping[int, int] | None
    """The most vCPUs for each GPU count; None where not verified."""
    regions: frozenset[str] | None
    zones_seen: frozenset[str]
    """Zones that an old list names: good to suggest, never to refuse."""
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine type."""

    name: str
    family: str
    accelerator: str | None
    """GKE accelerator type that comes with the machine; None without one, and for N1, where it is chosen."""
    gpus: int
    """Whole GPUs that come with the machine; 0 for the fractional G4 sizes, which no verified GKE pool offers."""
    vcpus: int
    memory_gb: float
    """As Compute Engine prints it: its GB are GiB."""
    local_ssds: int | None
    """Bundled local SSDs, a fixed count; None where a count is chosen or not verified."""
    local_ssd_max: int | None
    """The most local SSDs where a count is chosen; None where the count is fixed or not verified."""
    local_ssd_gib: int = LOCAL_SSD_GIB
    """Of one of them."""
    nics: int | None
    fabric: Fabric | None
    """The GPU network; None where there is none or it is not verified."""
    arch: Literal["amd64", "arm64"]
    boot_disk_types: tuple[str, ...]
    """Boot disk types known to work, the preferred one first. Others are not thereby refused: see boot_disk_fits."""
    zones: frozenset[str] | None
    regions: frozenset[str] | None
    zones_seen: frozenset[str] = frozenset()
    """Zones that an old list names: good to suggest, never to refuse."""
    on_demand: bool
    """Can be had without a reservation, spot, flex-start or calendar."""
    reservation_only: bool
    """Can be had with a reservation only."""
    reservable: bool = True
    """Can be had with a reservation at all."""
    source: str

    @property
    def attachable(self) -> tuple[Attachable, ...]:
        """The GPUs that can be chosen beside this machine type; empty outside N1."""
        return tuple(ATTACHABLE.values()) if self.family == "n1" else ()

    def offered_in(self, zone: str) -> bool | None:
        """Tell whether the zone offers this machine type; None where unknown. Raises ValueError for no zone."""
        return offered(zone, zones=self.zones, regions=self.regions)


def _of_family(family: Family) -> dict[str, Machine]:
    def build(row: tuple[str, int, int, float, int | None]) -> Machine:
        name, gpus, vcpus, memory, ssds = row
        fabric = FABRICS.get(family.fabrics.get(name, ""))
        return Machine(
            name=name,
            family=family.name,
            accelerator=family.accelerator,
            gpus=gpus,
            vcpus=vcpus,
            memory_gb=memory,
            local_ssds=ssds if family.ssd == "bundled" else None,
            local_ssd_max=ssds if family.ssd == "chosen" else None,
            local_ssd_gib=family.ssd_gib,
            nics=fabric.nics if fabric is not None else _NICS.get(name, family.nics),
            fabric=fabric,
            arch=family.arch,
            boot_disk_types=family.boot_disk_types,
            zones=family.zones,
            regions=family.regions,
            zones_seen=family.zones_seen,
            on_demand=name not in family.not_on_demand,
            reservation_only=family.reservation_only,
            reservable=name not in family.not_reservable,
            source=family.source,
        )

    return {row[0]: build(row) for row in family.rows}


_NICS = {"g4-standard-384": 2}

MACHINES: Mapping[str, Machine] = MappingProxyType(
    {name: row for family in FAMILIES for name, row in _of_family(family).items()}
)
"""Every machine type that brings GPUs. ``machine`` knows these and the general-purpose ones."""

_SIZES_N = "2 4 8 16 32 48 64 80"
_SIZES_C4 = "2 4 8 16 24 32 48 96 144 192 288"
_SIZES_C4A = "1 2 4 8 16 32 48 64 72"
_SIZES_C4D = "2 4 8 16 32 48 64 96 192 384"
_GENERAL: Mapping[str, tuple[float, str]] = {
    "n1-standard": (3.75, "1 2 4 8 16 32 64 96"),
    "n1-highmem": (6.5, "2 4 8 16 32 64 96"),
    "n1-highcpu": (0.9, "2 4 8 16 32 64 96"),
    "e2-standard": (4, "2 4 8 16 32"),
    "e2-highmem": (8, "2 4 8 16"),
    "e2-highcpu": (1, "2 4 8 16 32"),
    "n2-standard": (4, f"{_SIZES_N} 96 128"),
    "n2-highmem": (8, f"{_SIZES_N} 96 128"),
    "n2-highcpu": (1, f"{_SIZES_N} 96"),
    "n2d-standard": (4, f"{_SIZES_N} 96 128 224"),
    "n2d-highmem": (8, f"{_SIZES_N} 96"),
    "n2d-highcpu": (1, f"{_SIZES_N} 96 128 224"),
    "n4-standard": (4, _SIZES_N),
    "n4-highmem": (8, _SIZES_N),
    "n4-highcpu": (2, _SIZES_N),
    "n4a-standard": (4, "1 2 4 8 16 32 48 64"),
    "n4a-highmem": (8, "1 2 4 8 16 32 48 64"),
    "n4a-highcpu": (2, "1 2 4 8 16 32 48 64"),
    "n4d-standard": (4, f"{_SIZES_N} 96"),
    "n4d-highmem": (8, f"{_SIZES_N} 96"),
    "n4d-highcpu": (2, f"{_SIZES_N} 96"),
    "c2-standard": (4, "4 8 16 30 60"),
    "c2d-standard": (4, "2 4 8 16 32 56 112"),
    "c2d-highmem": (8, "2 4 8 16 32 56 112"),
    "c2d-highcpu": (2, "2 4 8 16 32 56 112"),
    "c3-standard": (4, "4 8 22 44 88 176"),
    "c3-highmem": (8, "4 8 22 44 88 176"),
    "c3-highcpu": (2, "4 8 22 44 88 176"),
    "c3d-standard": (4, "4 8 16 30 60 90 180 360"),
    "c3d-highmem": (8, "4 8 16 30 60 90 180 360"),
    "c3d-highcpu": (2, "4 8 16"),
    "c4-standard": (3.75, _SIZES_C4),
    "c4-highmem": (7.75, _SIZES_C4),
    "c4-highcpu": (2, _SIZES_C4),
    "c4a-standard": (4, _SIZES_C4A),
    "c4a-highmem": (8, _SIZES_C4A),
    "c4a-highcpu": (2, _SIZES_C4A),
    "c4d-standard": (3.875, _SIZES_C4D),
    "c4d-highmem": (7.875, _SIZES_C4D),
    "c4d-highcpu": (1.875, _SIZES_C4D),
    "t2a-standard": (4, "1 2 4 8 16 32 48"),
    "t2d-standard": (4, "1 2 4 8 16 32 48 60"),
}
"""GiB for each vCPU, and the vCPU counts there are (source MTYPES). Outside N1 the memory is cut to whole GiB."""

GPU_HOSTS = (
    *MACHINES,
    *(f"{kind}-{size}" for kind, (_, sizes) in _GENERAL.items() if kind.startswith("n1-") for size in sizes.split()),
)
"""Every machine type that brings GPUs or can be given some."""

_ODD: Mapping[str, tuple[int, float]] = {
    "e2-micro": (2, 1),
    "e2-small": (2, 2),
    "e2-medium": (2, 4),
    "n2-highmem-128": (128, 864),
    "c3d-highcpu-30": (30, 59),
    "c3d-highcpu-60": (60, 118),
    "c3d-highcpu-90": (90, 177),
    "c3d-highcpu-180": (180, 354),
    "c3d-highcpu-360": (360, 708),
}
"""vCPUs and GiB of the types that do not follow their family's ratio (source MTYPES)."""

_ARM = frozenset({"c4a", "n4a", "t2a"})
_HYPERDISK_ONLY = frozenset({"a3-ultra", "a4", "a4x", "a4x-max", "c4", "c4a", "c4d", "g4", "n4", "n4a", "n4d"})
_NO_HYPERDISK_BALANCED = frozenset({"e2", "n1", "n2", "n2d"})
_NO_STANDARD_DISK = frozenset({"a3-high", "a3-edge", "a3-mega"})
_PREDEFINED = re.compile(r"(?P<kind>[a-z][0-9][a-z]?-(?:standard|highmem|highcpu))-(?P<vcpus>[0-9]+)")
_CUSTOM = re.compile(r"(?:(?P<family>[a-z][0-9][a-z]?)-)?custom-(?P<vcpus>[0-9]+)-(?P<mib>[0-9]+)(?:-ext)?")


def _general(name: str, vcpus: int, memory: float) -> Machine:
    family = name.partition("-")[0]
    family = "n1" if family == "custom" else family
    hyperdisk = family in _HYPERDISK_ONLY
    return Machine(
        name=name,
        family=family,
        accelerator=None,
        gpus=0,
        vcpus=vcpus,
        memory_gb=memory,
        local_ssds=None,
        local_ssd_max=None,
        nics=None,
        fabric=None,
        arch="arm64" if family in _ARM else "amd64",
        boot_disk_types=("hyperdisk-balanced",) if hyperdisk else ("pd-balanced", "pd-ssd"),
        zones=None,
        regions=None,
        on_demand=True,
        reservation_only=False,
        source="MTYPES; AICRPR2338" if hyperdisk else "MTYPES; PDDOC",
    )


@cache
def machine(name: str) -> Machine | None:
    """Look up a machine type by name; None for one that is not known, which does not mean that there is none."""
    if name in MACHINES:
        return MACHINES[name]
    plain = name.removesuffix("-lssd")
    if plain in _ODD:
        return _general(name, *_ODD[plain])
    custom = _CUSTOM.fullmatch(plain)
    if custom is not None:
        return _general(name, int(custom["vcpus"]), int(custom["mib"]) / 1024)
    predefined = _PREDEFINED.fullmatch(plain)
    if predefined is None or predefined["kind"] not in _GENERAL:
        return None
    ratio, sizes = _GENERAL[predefined["kind"]]
    if predefined["vcpus"] not in sizes.split():
        return None
    vcpus = int(predefined["vcpus"])
    memory = round(ratio * vcpus, 2)
    return _general(name, vcpus, memory if plain.startswith("n1-") else memory // 1)


def boot_disk_fits(kind: Machine, disk_type: str) -> bool | None:
    """Tell whether a machine boots from a disk type: True and False are verified, None is unknown.

    No Persistent Disk boots the families that take Hyperdisk only (source AICRPR2338, GIGL393), no Hyperdisk Balanced
    the older general-purpose ones (source NEXTFLOW6841).
    """
    if disk_type in kind.boot_disk_types:
        return True
    if kind.family in _HYPERDISK_ONLY and disk_type.startswith("pd-"):
        return False
    if kind.family in _NO_HYPERDISK_BALANCED and disk_type == "hyperdisk-balanced":
        return False
    if kind.family in _NO_STANDARD_DISK and disk_type == "pd-standard":
        return False
    return None


_SHARED_CORE = frozenset({"e2-micro", "e2-small", "e2-medium"})
_MEMORY_STEPS = ((4.0, 0.25), (4.0, 0.20), (8.0, 0.10), (112.0, 0.06), (float("inf"), 0.02))
_CPU_STEPS = ((1.0, 0.06), (1.0, 0.01), (2.0, 0.005), (float("inf"), 0.0025))
_EVICTION_GIB = 100 / 1024


def _reserved(total: float, steps: tuple[tuple[float, float], ...]) -> float:
    reserved = 0.0
    for width, share in steps:
        reserved += min(total, width) * share
        total = max(0.0, total - width)
    return reserved


def allocatable(kind: Machine) -> tuple[float, float]:
    """Compute what GKE leaves to pods on a node: CPU cores, and memory in GiB (source NODESIZE).

    GKE reserves 25 % of the first 4 GiB, 20 % of the next 4, 10 % of the next 8, 6 % of the next 112 and 2 % above,
    and 100 MiB for evictions; 6 % of the first core, 1 % of the second, 0.5 % of the next two, 0.25 % above, and
    1060 millicores of a shared-core E2. An upper bound: the kernel, image streaming and system pods take more.
    """
    memory = kind.memory_gb - _reserved(kind.memory_gb, _MEMORY_STEPS) - _EVICTION_GIB
    reserved_cpu = 1.06 if kind.name in _SHARED_CORE else _reserved(kind.vcpus, _CPU_STEPS)
    return kind.vcpus - reserved_cpu, memory


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_T4_ZONES = _names(
    "asia-east1-a asia-east1-c asia-east2-a asia-east2-c asia-northeast1-a asia-northeast1-c asia-northeast3-b"
    " asia-northeast3-c asia-south1-a asia-south1-b asia-southeast1-a asia-southeast1-b asia-southeast1-c"
    " asia-southeast2-a asia-southeast2-b australia-southeast1-a australia-southeast1-c europe-central2-b"
    " europe-central2-c europe-west1-b europe-west1-c europe-west1-d europe-west2-a europe-west2-b"
    " europe-west3-b europe-west4-a europe-west4-b europe-west4-c me-west1-b me-west1-c"
    " northamerica-northeast1-c southamerica-east1-a southamerica-east1-c us-central1-a us-central1-b"
    " us-central1-c us-central1-f us-east1-c us-east1-d us-east4-a us-east4-b us-east4-c us-west1-a us-west1-b"
    " us-west2-b us-west2-c us-west3-b us-west4-a us-west4-b"
)
_T4_REGIONS = _names(
    "asia-east1 asia-east2 asia-northeast1 asia-northeast3 asia-south1 asia-southeast1 asia-southeast2"
    " australia-southeast1 europe-central2 europe-west1 europe-west2 europe-west3 europe-west4 me-west1"
    " northamerica-northeast1 southamerica-east1 us-central1 us-east1 us-east4 us-west1 us-west2 us-west3"
    " us-west4"
)


def _old_gpu(accelerator: str, counts: tuple[int, ...]) -> Attachable:
    return Attachable(
        accelerator=accelerator,
        counts=counts,
        max_vcpus=None,
        regions=None,
        zones_seen=frozenset(),
        source="GPUDOC",
    )


ATTACHABLE: Mapping[str, Attachable] = MappingProxyType(
    {
        "nvidia-tesla-t4": Attachable(
            accelerator="nvidia-tesla-t4",
            counts=(1, 2, 4),
            max_vcpus=MappingProxyType({1: 48, 2: 48, 4: 96}),
            regions=_T4_REGIONS,
            zones_seen=_T4_ZONES,
            source="GPUDOC; COSTCALC:regions; COSTZONE23:zones",
        ),
        "nvidia-tesla-v100": _old_gpu("nvidia-tesla-v100", (1, 2, 4, 8)),
        "nvidia-tesla-p4": _old_gpu("nvidia-tesla-p4", (1, 2, 4)),
        "nvidia-tesla-p100": _old_gpu("nvidia-tesla-p100", (1, 2, 4)),
    }
)
"""The GPUs that an N1 machine can be given, and in what numbers."""
