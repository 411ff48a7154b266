"""How the nodes of a pool are bought, and how many it starts with."""

from __future__ import annotations

import re

from inference.rules.views.cloud import NodePool

__all__ = [
    "RESERVATION_VALUE",
    "first_nodes",
    "first_nodes_of_zone",
    "mode_of",
    "plainly_on_demand",
    "reserving",
    "scarce",
]

_RESERVING = frozenset({"ANY_RESERVATION", "SPECIFIC_RESERVATION", "ANY_RESERVATION_THEN_FAIL"})
"""Reservation affinities that look for reserved capacity."""

RESERVATION_VALUE = re.compile(
    r"(?:projects/(?P<project>[^/]+)/reservations/)?(?P<name>[a-z][-a-z0-9]*)"
    r"(?P<block>/reservationBlocks/[^/]+(?:/reservationSubBlocks/[^/]+)?)?"
)
"""How a reservation affinity names a reservation, and perhaps a block or sub-block of it."""


_SCARCE = frozenset({"a3-high", "a3-edge", "a3-mega", "a3-ultra", "a4", "a4x", "a4x-max"})
"""Machine families that are seldom there when they are asked for: H100 and newer."""


def scarce(pool: NodePool) -> bool:
    """Whether the nodes are TPUs or carry an H100 or newer."""
    return pool.tpu or (pool.machine is not None and pool.machine.family in _SCARCE)


def reserving(pool: NodePool) -> bool:
    """Whether the pool looks for reserved capacity."""
    return pool.reservation_type in _RESERVING


def mode_of(pool: NodePool) -> str | None:
    """Return how the nodes are billed: ``spot``, ``flex-start``, ``reservation`` or ``on-demand``.

    ``None`` where that is not known. ANY_RESERVATION is on demand: nobody knows whether a reservation matches.
    """
    if pool.spot:
        return "spot"
    if pool.flex_start or pool.queued:
        return "flex-start"
    if pool.reservation_type in {"SPECIFIC_RESERVATION", "ANY_RESERVATION_THEN_FAIL"}:
        return "reservation"
    settled = all(pool.config.known(key) for key in ("spot", "preemptible", "flexStart", "reservationAffinity"))
    return "on-demand" if settled and pool.props.known("queuedProvisioning", "enabled") else None


def plainly_on_demand(pool: NodePool) -> bool:
    """Whether the nodes are certainly bought at the moment they are needed, from what is left over then.

    ANY_RESERVATION counts: it falls back to on-demand capacity.
    """
    settled = all(pool.config.known(key) for key in ("spot", "preemptible", "flexStart"))
    affinity = pool.config.known("reservationAffinity", "consumeReservationType")
    if not settled or not affinity or not pool.props.known("queuedProvisioning", "enabled"):
        return False
    if pool.spot or pool.flex_start or pool.queued:
        return False
    return pool.reservation_type not in {"SPECIFIC_RESERVATION", "ANY_RESERVATION_THEN_FAIL"}


def first_nodes_of_zone(pool: NodePool) -> int:
    """Return how many nodes each zone starts with at least, as far as is known."""
    counts = [pool.props.integer(key) for key in ("nodeCount", "initialNodeCount")]
    counts.append(pool.props.integer("autoscaling", "minNodeCount"))
    return max((count for count in counts if count is not None), default=0)


def first_nodes(pool: NodePool) -> int:
    """Return how many nodes the pool starts with at least, as far as is known."""
    return max(first_nodes_of_zone(pool), pool.props.integer("autoscaling", "totalMinNodeCount") or 0)
