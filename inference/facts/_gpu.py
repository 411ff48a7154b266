"""What is known of a GPU model, and of the machine types that carry it; the rows stand in ``_gpu_machines``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from inference.facts.gke import LOCAL_SSD_GIB

__all__ = ["Family", "Gpu", "as_marketed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU model as GKE offers it."""

    accelerator: str
    """GKE accelerator type: ``guestAccelerators.type`` and the label ``cloud.google.com/gke-accelerator``."""
    name: str
    memory_gb: int
    """As marketed, in GB. No number to calculate with: see ``memory_gib``."""
    memory_gib: float
    """What a CUDA process finds in total, in GiB: a little less than nvidia-smi prints."""
    compute_capability: tuple[int, int]
    nvlink_gbps: int | None
    """NVLink bandwidth of one GPU in gigabytes a second; None where there is none or it is not verified."""
    source: str

    @property
    def bf16(self) -> bool:
        """Computes in bfloat16 (compute capability 8.0)."""
        return self.compute_capability >= (8, 0)

    @property
    def fp8(self) -> bool:
        """Computes in FP8 (compute capability 8.9); older ones only store FP8 weights and compute in 16 bits."""
        return self.compute_capability >= (8, 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What the machine types of one accelerator family share, and their rows."""

    name: str
    accelerator: str
    rows: tuple[tuple[str, int, int, float, int | None], ...]
    """(machine type, GPUs, vCPUs, memory in GiB, local SSDs: bundled, or the most where a count is chosen)."""
    ssd: Literal["bundled", "chosen", "unknown"]
    boot_disk_types: tuple[str, ...]
    source: str
    ssd_gib: int = LOCAL_SSD_GIB
    """Of one local SSD."""
    nics: int | None = None
    """NICs of the machine types that have no fabric; None where not verified."""
    fabrics: dict[str, str] = field(default_factory=dict)
    """Machine type to key of its fabric."""
    arch: Literal["amd64", "arm64"] = "amd64"
    zones: frozenset[str] | None = None
    zones_seen: frozenset[str] = frozenset()
    regions: frozenset[str] | None = None
    not_on_demand: frozenset[str] = frozenset()
    not_reservable: frozenset[str] = frozenset()
    """Sold as flex-start and spot only."""
    reservation_only: bool = False


def as_marketed(gigabytes: int) -> float:
    """Return the GiB of so many GB, for a GPU whose memory nobody has published as measured."""
    return round(gigabytes * 10**9 / 2**30, 2)
