"""Clusters and networks that move to another place."""

from __future__ import annotations

from collections.abc import Iterator

from inference.rules.views.cloud import Cluster
from rehearsal.review.change import StackChange
from rehearsal.review.risks.danger import Danger, Moved, forcing, moves

__all__ = ["dangers"]

_CLUSTER = "gcp:container/cluster:Cluster"


def dangers(change: StackChange) -> Iterator[Danger]:
    """Yield clusters that are made anew, in the same place or in another, and those that go."""
    for moved in moves(change, _CLUSTER):
        if moved.lost and moved.before is not None:
            yield _gone(moved)


def _gone(moved: Moved) -> Danger:
    assert moved.before is not None  # noqa: S101 - the caller has looked
    (before,) = moved.before.view(Cluster.of)
    after = moved.after.view(Cluster.of)[0] if moved.after is not None else None
    name = moved.before.physical_name or moved.before.name
    everything = "every node, workload, claim and address in it goes with it"
    if moved.op == "delete" or after is None:
        told, remedy = f"The cluster is deleted: {everything}.", "Take the callers away first."
    elif before.location != after.location:
        told = f"The cluster moves from {before.location} to {after.location}: {everything}, and is made anew there."
        remedy = (
            "Bring up a second stack in the new place, move the callers, then destroy the old one. Check quota, "
            "reservations, prices and where the weights are for the new place."
        )
    else:
        told = f"The cluster is replaced ({forcing(moved.entry)}): {everything}, and is made anew."
        remedy = "Keep what forces it, or bring up a second stack and move the callers."
    return Danger(kind="place", urn=moved.entry.urn, resource=name, consequence=told, remedy=remedy)
