"""GPUs by GKE accelerator type: how much memory a process sees, and what the silicon can compute in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["GPUS", "Gpu"]


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


def _as_marketed(gigabytes: int) -> float:
    return round(gigabytes * 10**9 / 2**30, 2)


def _table(*rows: Gpu) -> Mapping[str, Gpu]:
    return MappingProxyType({row.accelerator: row for row in rows})


GPUS: Mapping[str, Gpu] = _table(
    Gpu(
        accelerator="nvidia-tesla-t4",
        name="NVIDIA T4",
        memory_gb=16,
        memory_gib=14.58,
        compute_capability=(7, 5),
        nvlink_gbps=None,
        source="GPUDOC; T4OOM; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-l4",
        name="NVIDIA L4",
        memory_gb=24,
        memory_gib=22.03,
        compute_capability=(8, 9),
        nvlink_gbps=None,
        source="GPUDOC; TORCHOOM:22.03 GiB on g2-standard-96; MODAL2797; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-rtx-pro-6000",
        name="NVIDIA RTX PRO 6000 Blackwell Server Edition",
        memory_gb=96,
        memory_gib=94.97,
        compute_capability=(12, 0),
        nvlink_gbps=None,
        source="GPUDOC; DS4431; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-tesla-a100",
        name="NVIDIA A100 40GB",
        memory_gb=40,
        memory_gib=39.39,
        compute_capability=(8, 0),
        nvlink_gbps=600,
        source="GPUDOC; BOTTLEROCKET3873; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-a100-80gb",
        name="NVIDIA A100 80GB",
        memory_gb=80,
        memory_gib=79.25,
        compute_capability=(8, 0),
        nvlink_gbps=600,
        source="GPUDOC; OOTD235; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-h100-80gb",
        name="NVIDIA H100 80GB",
        memory_gb=80,
        memory_gib=79.11,
        compute_capability=(9, 0),
        nvlink_gbps=900,
        source="GPUDOC; VLLM27508; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-h100-mega-80gb",
        name="NVIDIA H100 Mega 80GB",
        memory_gb=80,
        memory_gib=79.11,
        compute_capability=(9, 0),
        nvlink_gbps=900,
        source="GPUDOC; VLLM27508:the same GPU behind other NICs; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-h200-141gb",
        name="NVIDIA H200 141GB",
        memory_gb=141,
        memory_gib=139.80,
        compute_capability=(9, 0),
        nvlink_gbps=900,
        source="GPUDOC; TORCHOOM:139.80 GiB, six repositories; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-b200",
        name="NVIDIA B200",
        memory_gb=180,
        memory_gib=178.35,
        compute_capability=(10, 0),
        nvlink_gbps=1800,
        source="GPUDOC; TORCHAO4002; TORCHOOM:178.35 GiB; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-gb200",
        name="NVIDIA GB200",
        memory_gb=186,
        memory_gib=184.31,
        compute_capability=(10, 0),
        nvlink_gbps=1800,
        source="GPUDOC; TORCHOOM:184.31 GiB, five repositories; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-gb300",
        name="NVIDIA GB300",
        memory_gb=279,
        memory_gib=276.50,
        compute_capability=(10, 3),
        nvlink_gbps=1800,
        source="GPUDOC; TORCHOOM:276.50 GiB, two repositories; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-tesla-v100",
        name="NVIDIA V100",
        memory_gb=16,
        memory_gib=_as_marketed(16),
        compute_capability=(7, 0),
        nvlink_gbps=None,
        source="GPUDOC:marketed GB read as 10^9 bytes, no measurement read; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-tesla-p100",
        name="NVIDIA P100",
        memory_gb=16,
        memory_gib=_as_marketed(16),
        compute_capability=(6, 0),
        nvlink_gbps=None,
        source="GPUDOC:marketed GB read as 10^9 bytes, no measurement read; CUDAGPUS",
    ),
    Gpu(
        accelerator="nvidia-tesla-p4",
        name="NVIDIA P4",
        memory_gb=8,
        memory_gib=_as_marketed(8),
        compute_capability=(6, 1),
        nvlink_gbps=None,
        source="GPUDOC:marketed GB read as 10^9 bytes, no measurement read; CUDAGPUS",
    ),
)
"""Every GPU by its GKE accelerator type. V100, P100 and P4 are here so that rules can say why they refuse them."""
