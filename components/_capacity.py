"""What each way to buy capacity demands of a node pool, and what it forbids."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi_gcp as gcp

from inference.blueprint import PoolPlan
from inference.facts import gke
from inference.settings.pools import FlexStart, OnDemand, QueuedProvisioning, Reservation, Spot

__all__ = ["CapacityArguments", "capacity_arguments"]


@dataclass(frozen=True, kw_only=True)
class CapacityArguments:
    """The parts of a node pool that depend on how it is bought."""

    autoscaling: gcp.container.NodePoolAutoscalingArgs
    management: gcp.container.NodePoolManagementArgs
    queued_provisioning: gcp.container.NodePoolQueuedProvisioningArgs | None
    node: dict[str, object]
    """Arguments of the node configuration."""


def capacity_arguments(plan: PoolPlan, project: str) -> CapacityArguments:
    """Return the arguments for a pool.

    Flex-start nodes are not repaired: a node that fails goes back (GKE refuses the combination). In a release channel
    automatic upgrades stay on; maintenance windows decide when.
    """
    transient = isinstance(plan.capacity, FlexStart | QueuedProvisioning)
    return CapacityArguments(
        autoscaling=gcp.container.NodePoolAutoscalingArgs(
            total_min_node_count=plan.min_nodes, total_max_node_count=plan.max_nodes, location_policy="ANY"
        ),
        management=gcp.container.NodePoolManagementArgs(auto_repair=not transient, auto_upgrade=True),
        queued_provisioning=(
            gcp.container.NodePoolQueuedProvisioningArgs(enabled=True)
            if isinstance(plan.capacity, QueuedProvisioning)
            else None
        ),
        node=_node(plan, project),
    )


def _node(plan: PoolPlan, project: str) -> dict[str, object]:
    match plan.capacity:
        case OnDemand():
            return {"reservation_affinity": _affinity("NO_RESERVATION")}
        case Spot():
            return {"spot": True, "reservation_affinity": _affinity("NO_RESERVATION")}
        case Reservation() as reservation:
            return {"reservation_affinity": _affinity("SPECIFIC_RESERVATION", _path(reservation, project))}
        case FlexStart() as flex:
            seconds = f"{flex.max_run_hours * 3600}s"
            affinity = _affinity("NO_RESERVATION")
            return {"flex_start": True, "max_run_duration": seconds, "reservation_affinity": affinity}
        case QueuedProvisioning() as queued:
            seconds = f"{queued.max_run_hours * 3600}s"
            affinity = _affinity("NO_RESERVATION")
            return {"flex_start": True, "max_run_duration": seconds, "reservation_affinity": affinity}


def _affinity(kind: str, value: str | None = None) -> gcp.container.NodePoolNodeConfigReservationAffinityArgs:
    return gcp.container.NodePoolNodeConfigReservationAffinityArgs(
        consume_reservation_type=kind,
        key=gke.RESERVATION_KEY if value else None,
        values=[value] if value else None,
    )


def _path(reservation: Reservation, project: str) -> str:
    path = f"projects/{reservation.project or project}/reservations/{reservation.name}"
    if reservation.block:
        path += f"/reservationBlocks/{reservation.block}"
    if reservation.sub_block:
        path += f"/reservationSubBlocks/{reservation.sub_block}"
    return path
