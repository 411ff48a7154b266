"""GPUs by GKE accelerator type: how much memory a process sees, and what the silicon can compute in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from inference.facts._gpu import Gpu
from inference.facts._gpu_machines import GPU_ROWS

__all__ = ["GPUS", "Gpu"]

GPUS: Mapping[str, Gpu] = MappingProxyType({row.accelerator: row for row in GPU_ROWS})
"""Every GPU by its GKE accelerator type. V100, P100 and P4 are here so that rules can say why they refuse them."""
