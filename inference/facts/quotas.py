"""Quotas of Compute Engine by the names that Google Cloud gives them.

A quota has two names. The list in a region or a project (``regions.get``, ``projects.get``) knows older ones by
*metric*, such as ``NVIDIA_L4_GPUS``, and tells how much is in use. The Cloud Quotas API knows all of them by *ID*, such
as ``NVIDIA-L4-GPUS-per-project-region``, and tells limits only. Accelerators and machine families of recent years share
one ID and are told apart by a dimension, and the older list does not know them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

__all__ = [
    "CPUS_ALL_REGIONS",
    "GPUS_ALL_REGIONS",
    "INSTANCES",
    "INSTANCE_GROUP_MANAGERS",
    "INSTANCE_TEMPLATES",
    "IN_USE_ADDRESSES",
    "OF_RESOURCE",
    "REGIONAL_EXTERNAL_FORWARDING_RULES",
    "SERVICE",
    "Quota",
    "cpus",
    "disk",
    "gpus",
    "local_ssd",
    "tpus",
]

SERVICE = "compute.googleapis.com"
"""The service that all these quotas belong to; GKE has its nodes from it (source GCEQUOTAS)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """One quota of a project."""

    id: str
    """Name in the Cloud Quotas API."""
    metric: str | None
    """Name in the list of a region or project; None where that list does not have it."""
    unit: str
    """What it counts."""
    scope: Literal["region", "global"] = "region"
    dimensions: tuple[tuple[str, str], ...] = field(default=())
    """What tells it from others of the same ID, beside the region."""
    assumed: bool = False
    """The spelling follows that of its neighbors; no source was read that has it."""
    source: str

    def __str__(self) -> str:
        if self.metric is not None:
            return self.metric
        return " ".join((self.id.partition("-per-project")[0], *(f"{key}={value}" for key, value in self.dimensions)))


def _plain(
    name: str, unit: str, source: str, *, scope: Literal["region", "global"] = "region", assumed: bool = False
) -> Quota:
    """Return a quota whose ID is its metric with other hyphens and the scope behind it."""
    identity = f"{name.replace('_', '-')}-{'per-project' if scope == 'global' else 'per-project-region'}"
    return Quota(id=identity, metric=name, unit=unit, scope=scope, assumed=assumed, source=source)


# ------------------------------------------------------------------ accelerators

_OLDER_GPUS = {
    "nvidia-tesla-t4": "NVIDIA_T4",
    "nvidia-tesla-p4": "NVIDIA_P4",
    "nvidia-tesla-p100": "NVIDIA_P100",
    "nvidia-tesla-v100": "NVIDIA_V100",
    "nvidia-l4": "NVIDIA_L4",
    "nvidia-tesla-a100": "NVIDIA_A100",
    "nvidia-a100-80gb": "NVIDIA_A100_80GB",
}
"""GPUs with a quota of their own, by GKE accelerator type (source QUOTAENUM)."""

_GPU_FAMILIES = {
    "nvidia-h100-80gb": ("NVIDIA_H100", False),
    "nvidia-h100-mega-80gb": ("NVIDIA_H100_MEGA", False),
    "nvidia-h200-141gb": ("NVIDIA_H200", False),
    "nvidia-b200": ("NVIDIA_B200", False),
    "nvidia-gb200": ("NVIDIA_GB200", True),
    "nvidia-gb300": ("NVIDIA_GB300", True),
    "nvidia-rtx-pro-6000": ("NVIDIA_RTX_PRO_6000", False),
}
"""GPUs that share one quota ID: their ``gpu_family``, and whether that is assumed (sources QUOTAIDS, A3MEGADOC)."""

_SPOT_READ = frozenset({"NVIDIA_H100", "NVIDIA_H100_MEGA", "NVIDIA_H200", "NVIDIA_B200", "NVIDIA_RTX_PRO_6000"})
"""Families whose preemptible quota was seen under this name (source QUOTAIDS)."""

GPUS_ALL_REGIONS = _plain("GPUS_ALL_REGIONS", "GPUs", "QUOTAENUM; GCPDIAG", scope="global")
CPUS_ALL_REGIONS = _plain("CPUS_ALL_REGIONS", "vCPUs", "QUOTAENUM; GCPDIAG", scope="global")
"""Ceilings over all regions, beside the quotas of each region."""


def gpus(accelerator: str, *, preemptible: bool = False) -> Quota | None:
    """Return the quota of a GPU by its GKE accelerator type; None for one that is not known."""
    if accelerator in _OLDER_GPUS:
        name = f"{_OLDER_GPUS[accelerator]}_GPUS"
        return _plain(f"PREEMPTIBLE_{name}" if preemptible else name, "GPUs", "QUOTAENUM; QUOTAIDS")
    if accelerator not in _GPU_FAMILIES:
        return None
    family, assumed = _GPU_FAMILIES[accelerator]
    if not preemptible:
        return Quota(
            id="GPUS-PER-GPU-FAMILY-per-project-region",
            metric=None,
            unit="GPUs",
            dimensions=(("gpu_family", family),),
            assumed=assumed,
            source="QUOTAIDS; A3MEGADOC; GCEQUOTAS",
        )
    name = f"PREEMPTIBLE_{family}_GPUS"
    return Quota(
        id=f"{name.replace('_', '-')}-per-project-region",
        metric=name,
        unit="GPUs",
        assumed=family not in _SPOT_READ,
        source="QUOTAIDS; QUOTAENUM",
    )


_TPUS: Mapping[str, tuple[str, str, bool, bool]] = {
    "v4": ("TPU_PODSLICE_V4", "PREEMPTIBLE_TPU_PODSLICE_V4", False, False),
    "v5e": ("TPU_LITE_PODSLICE_V5", "PREEMPTIBLE_TPU_LITE_PODSLICE_V5", False, False),
    "v5p": ("TPU_V5P", "PREEMPTIBLE_TPU_V5P", False, False),
    "v6e": ("CT6E", "PREEMPTIBLE_TPU_V6E", False, False),
    "tpu7x": ("tpu7x", "PREEMPTIBLE_TPU_TPU7X", False, True),
}
"""TPU generation to its quota or ``tpu_family``, its preemptible quota, and which of the two is assumed."""


def tpus(generation: str, *, preemptible: bool = False) -> Quota | None:
    """Return the quota of the chips of a TPU generation; None for one that is not known.

    On demand, v6e and later share one ID and are told apart by ``tpu_family`` (source TPUQUOTA). Those of the Cloud TPU
    API (``TPUV6EPerProjectPerZoneForTPUAPI`` …) are others, and no node of GKE takes from them.
    """
    if generation not in _TPUS:
        return None
    standard, spot, standard_assumed, spot_assumed = _TPUS[generation]
    source = "QUOTAENUM; TPUQUOTA" if generation in {"v4", "v5e"} else "TPUQUOTA"
    if not preemptible and not standard.startswith("TPU_"):
        return Quota(
            id="TPUS-PER-TPU-FAMILY-per-project-region",
            metric=None,
            unit="chips",
            dimensions=(("tpu_family", standard),),
            assumed=standard_assumed,
            source=source,
        )
    name = spot if preemptible else standard
    return Quota(
        id=f"{name.replace('_', '-')}-per-project-region",
        metric=name,
        unit="chips",
        assumed=spot_assumed if preemptible else standard_assumed,
        source=source,
    )


# ------------------------------------------------------------------ vCPUs

_OWN_CPUS = frozenset({"n2", "n2d", "c2", "c2d", "c3", "t2a", "t2d"})
"""Families with a quota of their own (source QUOTAENUM)."""

_SHARED_CPUS = frozenset({"n1", "e2"})
"""Families that take from the quota ``CPUS``, even where a region also lists ``E2_CPUS`` (source GCEQUOTAS)."""

_CPU_FAMILIES_READ = frozenset({"c3d", "c4", "c4d", "n4", "z3"})
"""Families seen under ``vm_family``; the other recent ones follow them (source QUOTAIDS)."""

_WITHOUT_CPU_QUOTA = frozenset(
    {"a2", "a2-ultra", "a3-high", "a3-edge", "a3-mega", "a3-ultra", "a4", "a4x", "a4x-max", "g2", "g4"}
)
"""Machines for which the quota of their GPUs is enough: no vCPUs are counted (source GCEQUOTAS)."""


def cpus(family: str, *, preemptible: bool = False) -> Quota | None:
    """Return the quota of the vCPUs of a machine family; None where none is counted."""
    if family in _WITHOUT_CPU_QUOTA:
        return None
    if preemptible:
        return _plain("PREEMPTIBLE_CPUS", "vCPUs", "QUOTAENUM; QUOTAIDS")
    if family in _SHARED_CPUS:
        return _plain("CPUS", "vCPUs", "QUOTAENUM; GCEQUOTAS")
    if family in _OWN_CPUS:
        return _plain(f"{family.upper()}_CPUS", "vCPUs", "QUOTAENUM; QUOTAIDS")
    return Quota(
        id="CPUS-PER-VM-FAMILY-per-project-region",
        metric=None,
        unit="vCPUs",
        dimensions=(("vm_family", family.upper()),),
        assumed=family not in _CPU_FAMILIES_READ,
        source="QUOTAIDS",
    )


# ------------------------------------------------------------------ disks

_DISKS = {
    "pd-standard": "DISKS_TOTAL_GB",
    "pd-balanced": "SSD_TOTAL_GB",
    "pd-ssd": "SSD_TOTAL_GB",
    "hyperdisk-balanced": "HDB_TOTAL_GB",
    "hyperdisk-ml": "HDML_TOTAL_GB",
    "hyperdisk-throughput": "HDT_TOTAL_GB",
    "hyperdisk-extreme": "HDX_TOTAL_GB",
}
"""Disk type to quota (source QUOTAENUM as far as Hyperdisk Balanced, QUOTAIDS for the rest)."""

_DISKS_ASSUMED = frozenset({"hyperdisk-throughput", "hyperdisk-extreme"})
"""Of these the beginning of the name was read, ``HDT-`` and ``HDX-``; the rest follows that of their neighbors."""


def disk(kind: str) -> Quota | None:
    """Return the quota of the size of a disk type; None for one that is not known."""
    if kind not in _DISKS:
        return None
    return _plain(_DISKS[kind], "GB", "QUOTAENUM; QUOTAIDS", assumed=kind in _DISKS_ASSUMED)


def local_ssd(family: str, *, preemptible: bool = False) -> Quota:
    """Return the quota of the local SSDs of a machine family.

    Its metric was read, ``local_ssd_total_storage_per_vm_family`` with the dimension ``vm_family`` (``Z3``), and so was
    the name in its errors, ``LOCAL_SSD_TOTAL_GB_PER_VM_FAMILY``; the ID follows from the latter.
    """
    if preemptible:
        return _plain("PREEMPTIBLE_LOCAL_SSD_GB", "GB", "QUOTAENUM")
    return Quota(
        id="LOCAL-SSD-TOTAL-GB-PER-VM-FAMILY-per-project-region",
        metric=None,
        unit="GB",
        dimensions=(("vm_family", family.partition("-")[0].upper()),),
        assumed=True,
        source="QUOTAIDS",
    )


# ------------------------------------------------------------------ pieces

INSTANCES = _plain("INSTANCES", "VMs", "QUOTAENUM; QUOTAIDS")
INSTANCE_GROUP_MANAGERS = _plain("INSTANCE_GROUP_MANAGERS", "groups", "QUOTAENUM")
INSTANCE_TEMPLATES = _plain("INSTANCE_TEMPLATES", "templates", "QUOTAENUM; GCPDIAG", scope="global")
"""What the nodes of a pool are made of: a template and a group for each zone."""

IN_USE_ADDRESSES = _plain("IN_USE_ADDRESSES", "addresses", "QUOTAENUM; QUOTAIDS")
REGIONAL_EXTERNAL_FORWARDING_RULES = _plain("EXTERNAL_MANAGED_FORWARDING_RULES", "rules", "QUOTAENUM")

OF_RESOURCE: Mapping[str, Quota] = MappingProxyType(
    {
        "gcp:compute/network:Network": _plain("NETWORKS", "networks", "QUOTAENUM; GCPDIAG", scope="global"),
        "gcp:compute/subnetwork:Subnetwork": _plain("SUBNETWORKS", "subnets", "QUOTAENUM; GCPDIAG", scope="global"),
        "gcp:compute/firewall:Firewall": _plain("FIREWALLS", "rules", "QUOTAENUM; GCPDIAG", scope="global"),
        "gcp:compute/router:Router": _plain("ROUTERS", "routers", "QUOTAENUM; GCPDIAG", scope="global"),
        "gcp:compute/route:Route": _plain("ROUTES", "routes", "QUOTAENUM; GCPDIAG", scope="global"),
        "gcp:compute/resourcePolicy:ResourcePolicy": _plain("RESOURCE_POLICIES", "policies", "QUOTAENUM"),
        "gcp:compute/reservation:Reservation": _plain("RESERVATIONS", "reservations", "QUOTAENUM"),
        "gcp:compute/address:Address": _plain("STATIC_ADDRESSES", "addresses", "QUOTAENUM; QUOTAIDS"),
        "gcp:compute/securityPolicy:SecurityPolicy": _plain(
            "SECURITY_POLICIES", "policies", "QUOTAENUM; GCPDIAG", scope="global"
        ),
        "gcp:compute/globalAddress:GlobalAddress": Quota(
            id="STATIC-ADDRESSES-per-project",
            metric="STATIC_ADDRESSES",
            unit="addresses",
            scope="global",
            source="QUOTAENUM; GCPDIAG",
        ),
    }
)
"""Resources that count one each, by type token."""
