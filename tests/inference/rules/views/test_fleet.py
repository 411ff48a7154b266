from __future__ import annotations

import pytest

from inference.rules.views.fleet import OPEN, Fleet, Site
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import cluster, node_pool


def fleet(*resources: Resource) -> Fleet:
    return Stack(resources).view(Fleet)


def site(*resources: Resource) -> Site:
    (found,) = fleet(*resources).sites
    return found


@pytest.mark.parametrize(
    ("platform", "pool", "zones", "count"),
    [
        ({}, {}, ("us-central1-a",), 1),
        ({}, {"nodeLocations": None}, None, 3),
        ({"nodeLocations": ["us-central1-b"]}, {"nodeLocations": None}, ("us-central1-b",), 1),
        ({"location": "us-central1-f"}, {"nodeLocations": None, "location": None}, ("us-central1-f",), 1),
        ({"location": "us-central1-f", "nodeLocations": ["us-central1-a"]}, {"nodeLocations": None, "location": None}, ("us-central1-f", "us-central1-a"), 2),
        ({"location": UNKNOWN}, {"nodeLocations": None, "location": None}, None, None),
        ({}, {"nodeLocations": UNKNOWN}, None, None),
    ],
)  # fmt: skip
def test_zones_come_from_the_pool_or_from_its_cluster(platform: dict, pool: dict, zones: object, count: object) -> None:
    found = site(cluster(props=platform), node_pool("x", pool))
    assert found.zones == zones
    assert found.zone_count == count


def test_limits_that_a_state_shows_as_zero_do_not_count() -> None:
    limits = {"totalMinNodeCount": 0, "totalMaxNodeCount": 0, "minNodeCount": 0, "maxNodeCount": 3}
    assert site(cluster(), node_pool("x", {"autoscaling": limits})).most_nodes == 3


def test_a_pool_that_the_state_of_its_cluster_repeats_is_there_once() -> None:
    repeated = [{"name": "l4", "nodeConfig": {"machineType": "g2-standard-12"}}]
    assert len(fleet(cluster(props={"nodePools": repeated}), node_pool()).sites) == 1
    kept = cluster(props={"nodePools": [*repeated, {"name": "default-pool"}], "removeDefaultNodePool": False})
    assert sorted(str(found) for found in fleet(kept, node_pool()).sites) == ['"default-pool"', '"l4"']


def test_labels_are_known_absent_or_open() -> None:
    found = site(cluster(), node_pool("x", {"nodeConfig": {"labels": {"team": "ml"}}}))
    assert found.label("team") == {"ml"}
    assert found.label("other") == frozenset()
    assert found.label("cloud.google.com/gke-gpu-driver-version") is OPEN
    assert found.label("cloud.google.com/gke-accelerator") == {"nvidia-l4"}
    assert found.label("topology.kubernetes.io/region") == {"us-central1"}
    assert found.label("cloud.google.com/gke-tpu-topology") == frozenset()


def test_a_pool_of_an_undeclared_cluster_stands_alone() -> None:
    found = fleet(node_pool())
    assert [scope.cluster for scope in found.scopes] == [None]
