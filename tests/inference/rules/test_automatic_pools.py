from __future__ import annotations

from typing import Any

import pytest

from inference.rules import automatic_pools
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import cluster, findings, node_pool

LIMITS = [{"resourceType": "cpu", "maximum": 500}, {"resourceType": "memory", "maximum": 2000}]


def autopilot(props: dict[str, Any] | None = None) -> Resource:
    bare = {"enableAutopilot": True, "removeDefaultNodePool": None, "initialNodeCount": None}
    return cluster(props={**bare, **(props or {})})


def test_an_autopilot_cluster_in_a_zone_is_found() -> None:
    rule = automatic_pools.cluster_is_regional
    assert "Set location: us-central1." in findings(rule, autopilot({"location": "us-central1-a"}))[0]
    assert not findings(rule, autopilot(), autopilot({"location": UNKNOWN}), cluster(props={"location": "us-east1-b"}))


def test_a_pool_of_an_autopilot_cluster_is_found() -> None:
    rule = automatic_pools.pools_are_gke_own
    assert len(findings(rule, autopilot(), node_pool())) == 1
    by_edge = node_pool(
        props={"cluster": UNKNOWN}, property_dependencies={"cluster": [autopilot({"enableAutopilot": "true"})]}
    )
    assert len(findings(rule, autopilot({"enableAutopilot": "true"}), by_edge)) == 1
    assert not findings(rule, cluster(), node_pool())
    assert not findings(rule, autopilot(), node_pool(props={"cluster": "another"}))
    assert not findings(rule, autopilot({"enableAutopilot": UNKNOWN}), node_pool())


def test_the_pools_that_the_state_of_an_autopilot_cluster_shows_are_silent() -> None:
    shown = {"nodePools": [{"name": "nap-1", "nodeCount": 1, "instanceGroupUrls": []}], "masterVersion": "1.35.1"}
    state = autopilot(shown)
    assert not findings(automatic_pools.pools_are_gke_own, state)


@pytest.mark.parametrize(
    ("limits", "missing"), [(None, "cpu and memory"), ([], "cpu and memory"), (LIMITS[:1], "memory")]
)
def test_auto_provisioning_without_limits_is_found(limits: Any, missing: str) -> None:
    scaling = {"enabled": True, "resourceLimits": limits}
    (message,) = findings(automatic_pools.limits_are_stated, cluster(props={"clusterAutoscaling": scaling}))
    assert f"no limit for {missing}" in message


@pytest.mark.parametrize(
    "scaling",
    [
        {"enabled": True, "resourceLimits": [*LIMITS, {"resourceType": "nvidia-l4", "maximum": 8}]},
        {"enabled": False},
        {"autoscalingProfile": "OPTIMIZE_UTILIZATION"},
        {"enabled": True, "resourceLimits": UNKNOWN},
        {"enabled": True, "resourceLimits": [UNKNOWN]},
        {"enabled": True, "resourceLimits": [{"resourceType": UNKNOWN}]},
        UNKNOWN,
    ],
)
def test_limits_that_are_stated_or_not_known_are_silent(scaling: Any) -> None:
    assert not findings(automatic_pools.limits_are_stated, cluster(props={"clusterAutoscaling": scaling}))


def test_autopilot_needs_no_limits() -> None:
    assert not findings(automatic_pools.limits_are_stated, autopilot({"clusterAutoscaling": {"enabled": True}}))
