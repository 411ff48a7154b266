"""What a model's pod takes of its node besides accelerators."""

from __future__ import annotations

import math
from dataclasses import dataclass

from inference.blueprint.pools import GpuPoolPlan, TpuPoolPlan
from inference.facts.machines import allocatable

__all__ = ["PodShare", "pod_share"]

_SHARE_FOR_PODS = 0.8
"""Part of a node's allocatable CPU and memory that its model pods ask for; system DaemonSets take some of the rest."""

_SHM_GIB_PER_ACCELERATOR = 8
"""Size of /dev/shm; NCCL and the workers of one server exchange buffers there."""


@dataclass(frozen=True, slots=True)
class PodShare:
    """Requests of one pod."""

    cpu: int
    """Cores."""
    memory_gib: int
    """Memory; /dev/shm counts against it."""
    shm_gib: int
    """Size of /dev/shm."""


def pod_share(pool: GpuPoolPlan | TpuPoolPlan, accelerators: int) -> PodShare:
    """Return what a pod with some of a node's accelerators takes: as large a part of CPU and memory."""
    if isinstance(pool, GpuPoolPlan):
        cores, memory = allocatable(pool.machine)
    else:
        cores, memory = pool.slice.generation.host_shapes.get(pool.slice.machine_type, (24, 48.0))
    part = _SHARE_FOR_PODS * accelerators / pool.per_node
    memory_gib = max(2, math.floor(memory * part))
    shm_gib = min(_SHM_GIB_PER_ACCELERATOR * accelerators, max(1, memory_gib // 4))
    return PodShare(max(1, math.floor(cores * part)), memory_gib, shm_gib)
