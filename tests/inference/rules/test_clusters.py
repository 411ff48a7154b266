from __future__ import annotations

import pytest

from inference.rules import clusters
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import cluster, findings, node_pool

SEPARATE = clusters.pools_stay_separate
TAINTED = clusters.gpu_pool_is_tainted
UPGRADES = clusters.pool_upgrades_automatically
VERSION = clusters.version_is_offered


def cpu_pool(name: str = "system", **kw: object) -> Resource:
    return node_pool(name, {"nodeConfig": {"machineType": "e2-standard-4", "guestAccelerators": None}}, **kw)


# ---------------------------------------------------------------- pools


def test_pools_inside_a_cluster_are_found() -> None:
    assert "2 node pools" in findings(SEPARATE, cluster(props={"nodePools": [{"name": "a"}, {"name": "b"}]}))[0]


def test_a_described_default_pool_that_is_removed_is_found() -> None:
    assert "nodeConfig" in findings(SEPARATE, cluster(props={"nodeConfig": {"machineType": "e2-medium"}}))[0]


@pytest.mark.parametrize("ignored", ["nodeConfig", "node_config", "*"])
def test_a_described_default_pool_whose_changes_are_ignored_is_silent(ignored: str) -> None:
    described = cluster(props={"nodeConfig": {"machineType": "e2-medium"}}, options={"ignoreChanges": [ignored]})
    assert not findings(SEPARATE, described)


def test_separate_pools_are_silent() -> None:
    assert not findings(SEPARATE, cluster(), node_pool())
    assert not findings(SEPARATE, cluster(props={"nodePools": UNKNOWN, "nodeConfig": UNKNOWN}))
    assert not findings(SEPARATE, cluster(props={"nodePools": []}))
    assert not findings(SEPARATE, cluster(props={"removeDefaultNodePool": None, "nodeConfig": {"machineType": "e2"}}))


def test_a_standard_cluster_without_nodes_is_found() -> None:
    rule = clusters.first_pool_has_nodes
    assert findings(rule, cluster(props={"initialNodeCount": None}))
    assert findings(rule, cluster(props={"initialNodeCount": 0.0}))
    for props in ({}, {"enableAutopilot": True}, {"enableAutopilot": UNKNOWN}, {"nodePools": [{"name": "a"}]}):
        changes = {"initialNodeCount": None, **props} if props else {}
        assert not findings(rule, cluster(props=changes)), props
    assert not findings(rule, cluster(props={"initialNodeCount": UNKNOWN}))


# ---------------------------------------------------------------- the GPU taint


def test_a_cluster_of_gpu_pools_only_is_found() -> None:
    found = findings(TAINTED, cluster(), node_pool())
    assert len(found) == 1
    assert "nvidia.com/gpu=present" in found[0]


def test_a_gpu_pool_that_may_come_before_the_cpu_pool_is_found() -> None:
    assert '"system"' in findings(TAINTED, cluster(), cpu_pool(), node_pool())[0]


@pytest.mark.parametrize(
    "taints",
    [
        [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}],
        [{"key": "workload", "value": "llm", "effect": "NO_SCHEDULE"}],
        UNKNOWN,
    ],
)
def test_a_gpu_pool_with_a_taint_is_silent(taints: object) -> None:
    assert not findings(TAINTED, cluster(), node_pool("l4", {"nodeConfig": {"taints": taints}}))


def test_a_soft_taint_keeps_nothing_away() -> None:
    soft = [{"key": "workload", "value": "llm", "effect": "PREFER_NO_SCHEDULE"}]
    assert findings(TAINTED, cluster(), node_pool("l4", {"nodeConfig": {"taints": soft}}))


def test_a_gpu_pool_after_the_cpu_pool_is_silent() -> None:
    system = cpu_pool()
    assert not findings(TAINTED, cluster(), system, node_pool(dependencies=[system]))


def test_clusters_that_keep_other_nodes_are_silent() -> None:
    assert not findings(TAINTED, cluster(props={"removeDefaultNodePool": False}), node_pool())
    assert not findings(TAINTED, cluster(props={"enableAutopilot": True, "removeDefaultNodePool": None}), node_pool())
    assert not findings(TAINTED, node_pool())
    assert not findings(TAINTED, cluster(), cpu_pool())


# ---------------------------------------------------------------- channel and version


@pytest.mark.parametrize("channel", ["RAPID", "REGULAR", "STABLE", "EXTENDED", None])
@pytest.mark.parametrize("value", [False, "false"])
def test_upgrades_switched_off_in_a_channel_are_found(channel: object, value: object) -> None:
    platform = cluster(props={"releaseChannel": {"channel": channel}})
    found = findings(UPGRADES, platform, node_pool("x", {"management": {"autoUpgrade": value}}))
    assert len(found) == 1
    assert str(channel or "REGULAR") in found[0]


def test_upgrades_without_a_channel_may_be_off() -> None:
    off = node_pool("x", {"management": {"autoUpgrade": False}})
    assert not findings(UPGRADES, cluster(props={"releaseChannel": {"channel": "UNSPECIFIED"}}), off)
    assert not findings(UPGRADES, cluster(props={"releaseChannel": UNKNOWN}), off)
    assert not findings(UPGRADES, off)
    assert not findings(UPGRADES, cluster(), node_pool("x", {"management": {"autoRepair": False}}))


def test_pools_inside_a_cluster_are_upgraded_too() -> None:
    inline = {"name": "inner", "management": {"autoUpgrade": False}, "nodeConfig": {"machineType": "e2-medium"}}
    assert findings(UPGRADES, cluster(props={"nodePools": [inline], "removeDefaultNodePool": None}))


@pytest.mark.parametrize(
    ("channel", "version"),
    [("STABLE", "1.33.4-gke.1134000"), ("REGULAR", "1.30.1-gke.1"), ("EXTENDED", "1.29.15-gke.2")],
)
def test_a_retired_patch_is_found(channel: str, version: str) -> None:
    found = findings(VERSION, cluster(props={"releaseChannel": {"channel": channel}, "minMasterVersion": version}))
    assert len(found) == 1
    assert version in found[0]


@pytest.mark.parametrize(
    "version", ["1.35", "1.35.2-gke.1842000", "1.36.2-gke.2154000", None, "latest", UNKNOWN, "1.33"]
)
def test_a_version_that_may_be_offered_is_silent(version: object) -> None:
    assert not findings(VERSION, cluster(props={"minMasterVersion": version}))


def test_a_patch_is_compared_with_what_the_channel_offers_where_that_is_said() -> None:
    platform = cluster(props={"minMasterVersion": "1.35.2-gke.1842000"})
    assert findings(VERSION, platform, configuration={"versions": ["1.35.6-gke.1127000"]})
    assert not findings(VERSION, platform, configuration={"versions": ["1.35.2-gke.1842000"]})
    static = cluster(props={"releaseChannel": {"channel": "UNSPECIFIED"}, "minMasterVersion": "1.30.1-gke.1"})
    assert not findings(VERSION, static)


@pytest.mark.parametrize(
    ("own", "control", "found"),
    [
        ("1.36", "1.35", True),
        ("1.35.4-gke.1", "1.35.2-gke.9", True),
        ("1.34", "1.35", False),
        ("1.35.2-gke.1", "1.35", False),
        ("1.35.2-gke.1", UNKNOWN, False),
        (UNKNOWN, "1.35", False),
        ("words", "1.35", False),
    ],
)
def test_nodes_are_not_newer_than_their_control_plane(own: object, control: object, found: bool) -> None:
    platform = cluster(props={"minMasterVersion": control})
    assert bool(findings(clusters.nodes_are_not_newer, platform, node_pool("x", {"version": own}))) is found


@pytest.mark.parametrize(
    ("version", "config", "found"),
    [
        ("1.31", {"machineType": "a4-highgpu-8g"}, True),
        ("1.33.1-gke.1", {"machineType": "a4x-highgpu-4g"}, True),
        ("1.33", {"machineType": "tpu7x-standard-4t"}, True),
        ("1.31.5-gke.1", {"machineType": "g2-standard-12", "flexStart": True}, True),
        ("1.32.9-gke.1", {"machineType": "ct6e-standard-4t", "flexStart": True}, True),
        ("1.35", {"machineType": "a4x-highgpu-4g"}, False),
        ("1.32", {"machineType": "a4-highgpu-8g"}, False),
        ("1.31", {"machineType": "g2-standard-12"}, False),
        (UNKNOWN, {"machineType": "a4-highgpu-8g"}, False),
        (None, {"machineType": "a4-highgpu-8g"}, False),
    ],
)
def test_a_control_plane_knows_the_machines_of_its_pools(version: object, config: dict, found: bool) -> None:
    pool = node_pool("x", {"nodeConfig": {"guestAccelerators": None, **config}})
    platform = cluster(props={"minMasterVersion": version})
    assert bool(findings(clusters.version_knows_machine, platform, pool)) is found
    assert not findings(clusters.version_knows_machine, pool)


def test_the_version_that_a_control_plane_has_counts_more_than_the_one_asked_for() -> None:
    upgraded = cluster(props={"minMasterVersion": "1.31", "masterVersion": "1.36.2-gke.2154000"})
    newer = node_pool("x", {"version": "1.36.1-gke.1", "nodeConfig": {"machineType": "a4-highgpu-8g"}})
    assert not findings(clusters.nodes_are_not_newer, upgraded, newer)
    assert not findings(clusters.version_knows_machine, upgraded, newer)


def test_a_pool_of_a_version_that_its_channel_retired_is_found() -> None:
    rule = clusters.pool_version_is_offered
    old = {"version": "1.31.4-gke.1183000"}
    assert "Take version away" in findings(rule, cluster(), node_pool(props=old))[0]
    inline = cluster(props={"nodePools": [{"name": "a", **old}], "removeDefaultNodePool": None})
    assert len(findings(rule, inline)) == 1


@pytest.mark.parametrize("version", ["1.35.1-gke.1000", "1.31", None, UNKNOWN, "", "latest"])
def test_versions_of_pools_that_may_be_offered_are_silent(version: object) -> None:
    assert not findings(clusters.pool_version_is_offered, cluster(), node_pool(props={"version": version}))


def test_old_versions_of_pools_that_are_there_or_outside_of_channels_are_silent() -> None:
    rule, old = clusters.pool_version_is_offered, {"version": "1.31.4-gke.1183000"}
    assert not findings(rule, node_pool(props=old))
    assert not findings(rule, cluster(props={"releaseChannel": {"channel": "UNSPECIFIED"}}), node_pool(props=old))
    assert not findings(rule, cluster(), node_pool(props={**old, "instanceGroupUrls": []}))
    assert not findings(rule, cluster(), node_pool(props=old, options={"ignoreChanges": ["version"]}))


def test_an_empty_list_of_pools_is_none() -> None:
    rule = clusters.first_pool_has_nodes
    assert findings(rule, cluster(props={"initialNodeCount": None, "nodePools": []}))
    state = {"initialNodeCount": 0, "nodePools": [], "masterVersion": "1.35.1-gke.1"}
    assert not findings(rule, cluster(props=state))


def test_the_state_of_a_cluster_repeats_its_pools_and_draws_no_finding() -> None:
    state = {"nodePools": [{"name": "gpus"}], "nodeConfig": {"machineType": "e2-medium"}, "masterVersion": "1.35.1"}
    assert not findings(SEPARATE, cluster(props=state))
