"""What is known of a GPU model; the rows stand beside the machines that carry them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Gpu", "as_marketed"]


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

    @property
    def memory_bytes(self) -> int:
        return round(self.memory_gib * 2**30)


def as_marketed(gigabytes: int) -> float:
    """Return the GiB of so many GB, for a GPU whose memory nobody has published as measured."""
    return round(gigabytes * 10**9 / 2**30, 2)
