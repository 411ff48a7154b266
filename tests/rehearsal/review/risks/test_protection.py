"""A cluster whose state is protected cannot be deleted, whatever the program says meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.review.risks import protection
from tests.rehearsal.review.changes import State, between, cluster, resource


def fails(before: State, *after: State) -> list[str]:
    return [danger.consequence for danger in protection.dangers(between([before], after)) if danger.fails]


@pytest.mark.parametrize("protected", [{"deletionProtection": True}, {}], ids=["DEL-002-said", "DEL-002-left-out"])
def test_a_cluster_that_the_state_protects_cannot_be_deleted(protected: dict[str, Any]) -> None:
    made = {"name": "main", "location": "us-central1", **protected}
    (told,) = fails(resource("gcp:container/cluster:Cluster", "main", made))
    assert told == "Its deletionProtection is on, so it cannot be deleted: the update fails there."


def test_neither_can_one_be_replaced_by_an_update_that_also_takes_the_protection_off() -> None:
    """DEL-002: the provider reads the value from the state."""
    moved = cluster(location="us-east1", deletionProtection=False)
    assert fails(cluster(deletionProtection=True), moved) == [
        "Its deletionProtection is on, so it cannot be deleted: the update fails there."
    ]


def test_a_cluster_whose_protection_an_earlier_update_took_off_is_deleted() -> None:
    assert fails(cluster()) == []
