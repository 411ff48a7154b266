"""Accelerator pools, with all that follows from the machine."""

from __future__ import annotations

from dataclasses import dataclass

from inference import derivation
from inference.blueprint.names import POOL_LABEL
from inference.facts import gke
from inference.facts.fabrics import Fabric
from inference.facts.gpus import Gpu
from inference.facts.machines import Machine
from inference.facts.tpus import Slice
from inference.settings import StackSettings
from inference.settings.pools import Capacity, GpuPoolSettings, QueuedProvisioning, TpuPoolSettings

__all__ = ["GpuPoolPlan", "PoolPlan", "TpuPoolPlan", "plan_pool"]


@dataclass(frozen=True, kw_only=True)
class PoolPlan:
    """What all accelerator pools have in common."""

    name: str
    zone: str
    capacity: Capacity
    min_nodes: int
    max_nodes: int
    per_node: int
    """Accelerators of a node."""
    fallback: tuple[Capacity, ...] = ()
    """Other ways to buy the nodes, in order."""

    @property
    def compute_class(self) -> str | None:
        """Name of the ComputeClass that chooses among several ways to buy the nodes."""
        return self.name if self.fallback else None

    @property
    def capacities(self) -> tuple[Capacity, ...]:
        """Every way in which the nodes may be bought."""
        return (self.capacity, *self.fallback)

    @property
    def queue(self) -> str | None:
        """Name of the queue in which workloads wait for nodes of their own."""
        return self.name if isinstance(self.capacity, QueuedProvisioning) else None

    @property
    def spot(self) -> bool:
        """Whether a node may be taken back with little notice."""
        return any(capacity.type == "spot" for capacity in self.capacities)

    @property
    def labels(self) -> dict[str, str]:
        """Labels that the pool declares for its nodes."""
        return {POOL_LABEL: self.name, **({gke.COMPUTE_CLASS_LABEL: self.name} if self.fallback else {})}


@dataclass(frozen=True, kw_only=True)
class GpuPoolPlan(PoolPlan):
    """A pool of GPU nodes."""

    settings: GpuPoolSettings
    machine: Machine
    gpu: Gpu
    fabric: Fabric | None
    attachment: str
    """``multi-network``, ``dranet`` or ``default``."""

    @property
    def resource(self) -> str:
        """Extended resource of the accelerators."""
        return gke.GPU_RESOURCE

    @property
    def gib(self) -> bool:
        """Whether the nodes need the NCCL plugin for RDMA (gIB) installed; A4X Max carries it in the image."""
        return self.attachment != "default" and self.fabric is not None and self.fabric.name == "roce"

    @property
    def tcpxo(self) -> bool:
        """Whether the nodes need the NCCL plugin for TCPXO, and each server the receive daemon."""
        return self.attachment != "default" and self.fabric is not None and self.fabric.name == "tcpxo"

    @property
    def nvlink_domain(self) -> bool:
        """Whether NVLink joins the nodes of the pool, which NCCL uses through a compute domain."""
        return self.machine.family in gke.NVLINK_DOMAIN_FAMILIES

    @property
    def domain_claim(self) -> str:
        """Name of the claim template of the pool's compute domain."""
        return f"{self.name}-domain-channel"

    @property
    def boot_disk_type(self) -> str:
        """Disk type that the machine takes."""
        return self.machine.boot_disk_types[0]


@dataclass(frozen=True, kw_only=True)
class TpuPoolPlan(PoolPlan):
    """A pool of TPU slices."""

    settings: TpuPoolSettings
    slice: Slice

    @property
    def resource(self) -> str:
        """Extended resource of the accelerators."""
        return gke.TPU_RESOURCE


def plan_pool(settings: StackSettings, name: str) -> GpuPoolPlan | TpuPoolPlan:
    pool = settings.pools[name]
    zone = derivation.zone_of(settings.cluster, pool)
    per_node = derivation.accelerators_per_node(pool)
    if zone is None or per_node is None:
        raise ValueError(f"pools.{name}: zone or accelerators are not settled; the checks should have refused it")
    match pool:
        case GpuPoolSettings():
            machine, gpu = derivation.machine_of(pool), derivation.gpu_of(pool)
            if machine is None or gpu is None:
                raise ValueError(f"pools.{name}: {pool.machine_type} is not known; the checks should have refused it")
            return GpuPoolPlan(
                name=name,
                zone=zone,
                capacity=pool.capacity,
                min_nodes=pool.nodes.min,
                max_nodes=pool.nodes.max,
                per_node=per_node,
                settings=pool,
                fallback=pool.fallback,
                machine=machine,
                gpu=gpu,
                fabric=machine.fabric,
                attachment=derivation.attachment_of(pool),
            )
        case TpuPoolSettings():
            found = derivation.slice_of_pool(pool)
            if found is None:
                raise ValueError(f"pools.{name}: topology {pool.topology}; the checks should have refused it")
            return TpuPoolPlan(
                name=name,
                zone=zone,
                capacity=pool.capacity,
                min_nodes=pool.slices.min * found.nodes,
                max_nodes=pool.slices.max * found.nodes,
                per_node=per_node,
                settings=pool,
                slice=found,
            )
