"""How pools are bought: which machines are sold in which way, and what each way asks of the pool."""

from __future__ import annotations

from collections.abc import Iterator

from inference.facts.machines import Machine
from inference.facts.tpus import TpuGeneration
from inference.problems import Problem
from inference.settings.pools import (
    Capacity,
    FlexStart,
    GpuPoolSettings,
    NodeRange,
    OnDemand,
    QueuedProvisioning,
    Reservation,
    TpuPoolSettings,
)

__all__ = ["check_gpu", "check_tpu"]


def check_gpu(pool: GpuPoolSettings, found: Machine, where: str) -> Iterator[Problem]:
    """Yield what is wrong with how a GPU pool is bought."""
    yield from _sold(pool.capacity, found, f"{where}.capacity.type")
    yield from _blocks(pool.capacity, f"{where}.capacity")
    yield from _scales_from_zero(pool.capacity, pool.nodes, f"{where}.nodes")
    taken = [pool.capacity.type]
    for index, capacity in enumerate(pool.fallback):
        place = f"{where}.fallback[{index}].type"
        yield from _sold(capacity, found, place)
        yield from _blocks(capacity, f"{where}.fallback[{index}]")
        if capacity.type == "queued-provisioning" or pool.capacity.type == "queued-provisioning":
            yield Problem(
                place,
                f'"{capacity.type}" beside "{pool.capacity.type}"',
                "nodes of queued provisioning come for a queued workload only, never as one of several choices",
                "Use flex-start instead.",
            )
        elif capacity.type in taken:
            yield Problem(
                place,
                f'"{capacity.type}" a second time',
                "what has no capacity is not tried again by another name",
                "Name every type once.",
            )
        taken.append(capacity.type)


def _sold(capacity: Capacity, found: Machine, where: str) -> Iterator[Problem]:
    shown = f'"{capacity.type}"'
    if found.reservation_only and capacity.type not in {"reservation", "calendar"}:
        yield Problem(where, shown, f"{found.name} is sold by reservation only", "Set type: reservation and its name.")
    elif isinstance(capacity, Reservation) and not found.reservable:
        yield Problem(
            where, shown, f"{found.name} is sold as flex-start and spot only", "Set type: flex-start or spot."
        )
    elif isinstance(capacity, OnDemand) and not found.on_demand:
        ways = "reservation, calendar, flex-start or spot" if found.reservable else "flex-start or spot"
        yield Problem(
            where,
            shown,
            f"{found.name} cannot be had on demand; the pool would end in an error state",
            f"Use {ways}.",
        )


def _blocks(capacity: Capacity, where: str) -> Iterator[Problem]:
    if isinstance(capacity, Reservation) and capacity.sub_block and not capacity.block:
        yield Problem(
            f"{where}.subBlock",
            f'"{capacity.sub_block}" without block',
            "a sub-block is named by the block that holds it, and Compute Engine refuses its path without",
            "Name the block too: gcloud compute reservations blocks list RESERVATION shows them.",
        )


def check_tpu(pool: TpuPoolSettings, generation: TpuGeneration, where: str) -> Iterator[Problem]:
    """Yield what is wrong with how a TPU pool is bought."""
    if isinstance(pool.capacity, FlexStart | QueuedProvisioning) and generation.flex_start_zones == frozenset():
        yield Problem(
            f"{where}.capacity.type",
            f'"{pool.capacity.type}"',
            f"TPU {generation.name} is not sold as flex-start, in no zone",
            "Use on-demand, reservation, calendar or spot, or another generation.",
        )
    yield from _blocks(pool.capacity, f"{where}.capacity")
    yield from _scales_from_zero(pool.capacity, pool.slices, f"{where}.slices")


def _scales_from_zero(capacity: object, nodes: NodeRange, where: str) -> Iterator[Problem]:
    if isinstance(capacity, FlexStart | QueuedProvisioning) and nodes.min != 0:
        yield Problem(
            f"{where}.min",
            str(nodes.min),
            f"nodes bought by {capacity.type} come when there are some and leave after at most seven days, "
            "so GKE refuses a lower limit",
            "Set min: 0.",
        )
