"""Accelerator pools: which machine, how many nodes, how the capacity is bought."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from inference.settings.vocabulary import DnsLabel, Section, Zone

__all__ = [
    "AcceleratorPool",
    "AcceptanceSettings",
    "Capacity",
    "FlexStart",
    "GpuPoolSettings",
    "NodeRange",
    "OnDemand",
    "QueuedProvisioning",
    "Reservation",
    "Spot",
    "TpuPoolSettings",
]


class NodeRange(Section):
    """How many nodes the autoscaler may run."""

    min: Annotated[int, Field(ge=0, le=1000)] = 0
    """Fewest nodes; 0 scales to zero."""
    max: Annotated[int, Field(ge=1, le=1000)]
    """Most nodes."""


class OnDemand(Section):
    """Pay per use, if the zone has capacity at that moment."""

    type: Literal["on-demand"] = "on-demand"
    """Tag of this mode."""


class Spot(Section):
    """Spare capacity, cheap, taken back with 30 seconds' notice."""

    type: Literal["spot"]
    """Tag of this mode."""


class Reservation(Section):
    """A specific reservation, also one that a calendar booking (DWS Calendar) made for a fixed window."""

    type: Literal["reservation", "calendar"]
    """``reservation`` lasts until deleted; ``calendar`` begins and ends with the booking."""
    name: DnsLabel
    """Name of the reservation."""
    project: str | None = None
    """Project that owns the reservation, where it is shared with this one."""
    block: DnsLabel | None = None
    """Reservation block, to keep the nodes under one part of the fabric."""
    sub_block: DnsLabel | None = None
    """Sub-block of the block; what an NVLink domain of A4X takes whole."""


class FlexStart(Section):
    """Capacity that arrives when there is some and runs for at most seven days (DWS flex-start)."""

    type: Literal["flex-start"]
    """Tag of this mode."""
    max_run_hours: Annotated[int, Field(ge=1, le=168)] = 168
    """Hours after which a node is given back."""


class QueuedProvisioning(Section):
    """Flex-start whose nodes come for one workload that waited in a queue (DWS, Kueue); for replicas of one node."""

    type: Literal["queued-provisioning"]
    """Tag of this mode."""
    max_run_hours: Annotated[int, Field(ge=1, le=168)] = 168
    """Hours after which a node is given back."""


Capacity = Annotated[OnDemand | Spot | Reservation | FlexStart | QueuedProvisioning, Field(discriminator="type")]


class AcceptanceSettings(Section):
    """A test that the pool must pass before a model starts on it: NCCL all-gather between whole nodes."""

    nodes: Annotated[int, Field(ge=2, le=64)] = 2
    """Nodes that take part, with all their GPUs."""
    minimum_bus_bandwidth: Annotated[float, Field(gt=0, le=2000, strict=False, examples=[300])]
    """Bus bandwidth that messages of 1 to 8 GB must reach on average, GB/s; two A3 Ultra nodes reach about 320."""


class GpuPoolSettings(Section):
    """Nodes with GPUs. GPU type, NICs, local SSDs, driver, disks, labels and taints follow from the machine."""

    kind: Literal["gpu"]
    """Tag of this kind of pool."""
    machine_type: Annotated[str, Field(examples=["a3-ultragpu-8g", "g2-standard-12", "n1-standard-4"])]
    """Compute Engine machine type."""
    nodes: NodeRange
    """How many nodes."""
    capacity: Capacity = OnDemand()
    """How the capacity is bought."""
    fallback: Annotated[tuple[Capacity, ...], Field(max_length=4, strict=False)] = ()
    """Other ways to buy the same nodes, tried in this order where ``capacity`` has none; each up to ``nodes.max``."""
    zone: Zone | None = None
    """Zone of the nodes; left out, the cluster's own where it is zonal."""
    accelerator: Annotated[str | None, Field(examples=["nvidia-tesla-t4"])] = None
    """GPU type. Only N1 machines leave a choice; elsewhere it is checked against the machine."""
    gpus_per_node: Annotated[int | None, Field(ge=1, le=16)] = None
    """GPUs per node. Only N1 machines leave a choice; elsewhere it is checked against the machine."""
    network: Literal["multi-network", "dranet", "default"] | None = None
    """How pods reach the accelerator fabric: one ``Network`` object per NIC, managed DRANET, or not at all.

    Left out, a machine with a fabric gets ``multi-network`` and any other ``default``.
    """
    acceptance: AcceptanceSettings | None = None
    """Test of the fabric between the nodes, before any model; run again when it changes."""
    driver: Literal["LATEST", "DEFAULT"] = "LATEST"
    """GPU driver that GKE installs; current vLLM images need LATEST."""
    boot_disk_gb: Annotated[int, Field(ge=50, le=2000)] = 100
    """Boot disk per node, GB; image layers and downloaded weights live here unless the machine has local SSDs."""


class TpuPoolSettings(Section):
    """One TPU slice type. Machine, node count and placement follow from generation and topology."""

    kind: Literal["tpu"]
    """Tag of this kind of pool."""
    generation: Annotated[str, Field(examples=["v5e", "v6e", "tpu7x"])]
    """TPU generation: v4, v5e, v5p, v6e or tpu7x."""
    topology: Annotated[str, Field(pattern=r"^\d+x\d+(x\d+)?$", examples=["2x2", "4x4", "2x2x2"])]
    """Chips along each axis of the slice."""
    slices: NodeRange = NodeRange(max=1)
    """How many slices of this topology. A slice of several hosts is a pool of its own in GKE: at most 1."""
    capacity: Capacity = OnDemand()
    """How the capacity is bought."""
    zone: Zone | None = None
    """Zone of the nodes; left out, the cluster's own where it is zonal."""
    machine_type: Annotated[str | None, Field(examples=["ct6e-standard-4t"])] = None
    """Only where a topology can be built of more than one machine type."""
    boot_disk_gb: Annotated[int, Field(ge=50, le=2000)] = 100
    """Boot disk per node, GB; image layers and downloaded weights live here."""


AcceleratorPool = Annotated[GpuPoolSettings | TpuPoolSettings, Field(discriminator="kind")]
