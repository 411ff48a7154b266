from __future__ import annotations

import pytest

from inference.rules import capacity
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import CLUSTER, changed, cluster, findings, node_pool, resource

NONE = {"consumeReservationType": "NO_RESERVATION"}
SPECIFIC = {
    "consumeReservationType": "SPECIFIC_RESERVATION",
    "key": "compute.googleapis.com/reservation-name",
    "values": ["h200"],
}


def pool(config: dict | None = None, **props: object) -> Resource:
    return node_pool("gpus", {**props, "nodeConfig": config or {}})


def flex(config: dict | None = None, **props: object) -> Resource:
    right = {"flexStart": True, "maxRunDuration": "604800s", "reservationAffinity": NONE}
    return pool(changed(right, config or {}), **{"management": {"autoRepair": False}, **props})


def queued(config: dict | None = None, **props: object) -> Resource:
    right = {"queuedProvisioning": {"enabled": True}, **props}
    return pool(changed({"reservationAffinity": NONE}, config or {}), **right)


def bare(machine: str, config: dict | None = None, **props: object) -> Resource:
    return pool({"machineType": machine, "guestAccelerators": None, **(config or {})}, **props)


# ---------------------------------------------------------------- spot


@pytest.mark.parametrize("kind", ["SPECIFIC_RESERVATION", "ANY_RESERVATION", "ANY_RESERVATION_THEN_FAIL"])
@pytest.mark.parametrize("field", [{"spot": True}, {"spot": "true"}, {"preemptible": True}])
def test_spot_with_a_reservation_is_found(field: dict, kind: str) -> None:
    found = findings(
        capacity.spot_excludes_reservation, pool({**field, "reservationAffinity": {"consumeReservationType": kind}})
    )
    assert len(found) == 1
    assert '"gpus"' in found[0]
    assert kind in found[0]


@pytest.mark.parametrize("affinity", [None, NONE, {"consumeReservationType": "UNSPECIFIED"}, UNKNOWN])
def test_spot_without_a_reservation_is_silent(affinity: object) -> None:
    assert not findings(capacity.spot_excludes_reservation, pool({"spot": True, "reservationAffinity": affinity}))


def test_a_reservation_without_spot_is_silent() -> None:
    assert not findings(
        capacity.spot_excludes_reservation,
        pool({"spot": False, "reservationAffinity": SPECIFIC}),
        pool({"spot": UNKNOWN}),
    )


def test_spot_with_a_reservation_is_found_in_a_pool_inside_a_cluster() -> None:
    inline = {"name": "inner", "nodeConfig": {"spot": True, "reservationAffinity": SPECIFIC}}
    found = findings(capacity.spot_excludes_reservation, resource(CLUSTER, "c", {"nodePools": [inline]}))
    assert found
    assert '"inner" inside the cluster "c"' in found[0]


# ---------------------------------------------------------------- flex-start


def test_a_flex_start_pool_that_stands_alone_is_silent() -> None:
    assert not findings(capacity.flex_start_stands_alone, flex())


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (flex(management={"autoRepair": True}), "repair"),
        (flex(management=None), "repair"),
        (flex(nodeCount=2.0), "nodeCount of 2"),
        (flex({"spot": True}), "spot"),
        (flex({"reservationAffinity": SPECIFIC}), "SPECIFIC_RESERVATION"),
        (flex({"reservationAffinity": None}), "no affinity"),
        (flex(autoscaling=None), "without autoscaling"),
        (flex({"machineType": "ct4p-hightpu-4t", "guestAccelerators": None}), "TPU v4"),
    ],
)
def test_what_flex_start_forbids_is_found(broken: Resource, words: str) -> None:
    found = findings(capacity.flex_start_stands_alone, broken)
    assert len(found) == 1, found
    assert words in found[0]


@pytest.mark.parametrize("management", [{"autoRepair": "true"}, {"autoRepair": True}, {"autoRepair": None}, None])
def test_repair_of_a_flex_start_pool_is_found_said_or_left_to_the_default(management: object) -> None:
    found = findings(capacity.flex_start_stands_alone, flex({"flexStart": "true"}, management=management))
    assert len(found) == 1
    assert "autoRepair: false" in found[0]


def test_unknown_parts_of_a_flex_start_pool_are_silent() -> None:
    unknown = flex({"reservationAffinity": UNKNOWN, "spot": UNKNOWN}, management=UNKNOWN, autoscaling=UNKNOWN)
    assert not findings(capacity.flex_start_stands_alone, unknown)


def test_a_pool_without_flex_start_may_be_repaired() -> None:
    assert not findings(capacity.flex_start_stands_alone, pool())


# ---------------------------------------------------------------- queued provisioning


def test_a_queued_pool_from_zero_is_silent() -> None:
    assert not findings(capacity.queued_pool_starts_empty, queued(), queued(initialNodeCount=0))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (queued({"spot": True}), "spot"),
        (queued({"reservationAffinity": SPECIFIC}), "SPECIFIC_RESERVATION"),
        (queued({"reservationAffinity": None}), "no affinity"),
        (queued(autoscaling={"totalMinNodeCount": 1.0}), "totalMinNodeCount 1"),
        (
            queued(autoscaling={"totalMinNodeCount": None, "totalMaxNodeCount": None, "minNodeCount": 2}),
            "minNodeCount 2",
        ),
        (queued(initialNodeCount=1), "initialNodeCount 1"),
        (queued(nodeCount=1), "fixed nodeCount"),
        (queued(queuedProvisioning={"enabled": "true"}, initialNodeCount="3"), "initialNodeCount 3"),
    ],
)
def test_what_queued_provisioning_forbids_is_found(broken: Resource, words: str) -> None:
    found = findings(capacity.queued_pool_starts_empty, broken)
    assert len(found) == 1, found
    assert words in found[0]


def test_a_pool_that_is_not_queued_may_start_with_nodes() -> None:
    off = queued(queuedProvisioning={"enabled": False}, initialNodeCount=2)
    assert not findings(capacity.queued_pool_starts_empty, off, pool(initialNodeCount=2))


# ---------------------------------------------------------------- run duration


@pytest.mark.parametrize("duration", ["604801s", "99999999999s", "7d", "604800", "3600 s"])
def test_a_run_duration_that_gke_refuses_is_found(duration: str) -> None:
    assert findings(capacity.run_duration_is_seconds, flex({"maxRunDuration": duration}))


@pytest.mark.parametrize("duration", ["604800s", "3600s", "1.5s", None, UNKNOWN])
def test_a_run_duration_in_seconds_is_silent(duration: object) -> None:
    assert not findings(capacity.run_duration_is_seconds, flex({"maxRunDuration": duration}))


def test_a_node_that_is_not_flex_start_may_run_longer() -> None:
    assert not findings(capacity.run_duration_is_seconds, pool({"maxRunDuration": "2000000s"}))


# ---------------------------------------------------------------- sources of capacity


@pytest.mark.parametrize(
    "machine", ["a3-ultragpu-8g", "a3-ultragpu-8g-nolssd", "a4-highgpu-8g", "a4x-highgpu-4g", "a3-highgpu-2g"]
)
@pytest.mark.parametrize("affinity", [None, NONE, {"consumeReservationType": "ANY_RESERVATION"}])
def test_a_machine_that_is_not_sold_on_demand_without_source_is_found(machine: str, affinity: object) -> None:
    found = findings(capacity.machine_has_source, bare(machine, {"reservationAffinity": affinity}))
    assert len(found) == 1
    assert machine in found[0]


@pytest.mark.parametrize(
    "config",
    [
        {"reservationAffinity": SPECIFIC},
        {"spot": True},
        {"flexStart": True},
        {"reservationAffinity": {"consumeReservationType": "ANY_RESERVATION_THEN_FAIL"}},
        {"spot": UNKNOWN},
        {"reservationAffinity": UNKNOWN},
    ],
)
def test_a_machine_with_a_source_is_silent(config: dict) -> None:
    assert not findings(capacity.machine_has_source, bare("a3-ultragpu-8g", config))


def test_a_queued_machine_is_silent() -> None:
    assert not findings(capacity.machine_has_source, bare("a4-highgpu-8g", queuedProvisioning={"enabled": True}))


def test_a4x_is_sold_by_reservation_only() -> None:
    assert findings(capacity.machine_has_source, bare("a4x-highgpu-4g", {"spot": True}))
    assert not findings(capacity.machine_has_source, bare("a4x-highgpu-4g", {"reservationAffinity": SPECIFIC}))


def test_machines_that_are_sold_on_demand_are_silent() -> None:
    pools = [bare(machine) for machine in ("g2-standard-12", "a2-ultragpu-8g", "a3-megagpu-8g", "e2-standard-4")]
    assert not findings(capacity.machine_has_source, *pools, bare("a9-future-1g"))


@pytest.mark.parametrize("machine", ["a3-highgpu-8g", "a3-megagpu-8g", "ct6e-standard-4t", "tpu7x-standard-4t"])
@pytest.mark.parametrize(
    "counts",
    [
        {"nodeCount": 1},
        {"initialNodeCount": 1.0},
        {"autoscaling": {"totalMinNodeCount": 2}},
        {"autoscaling": {"totalMinNodeCount": None, "totalMaxNodeCount": None, "minNodeCount": "1", "maxNodeCount": 2}},
    ],
)
def test_scarce_nodes_on_demand_from_the_start_are_found(machine: str, counts: dict) -> None:
    found = findings(capacity.scarce_pool_starts_empty, bare(machine, **counts))
    assert len(found) == 1
    assert machine in found[0]


def test_scarce_nodes_with_a_source_or_from_zero_are_silent() -> None:
    assert not findings(
        capacity.scarce_pool_starts_empty,
        bare("a3-megagpu-8g"),
        bare("a3-megagpu-8g", {"reservationAffinity": SPECIFIC}, initialNodeCount=2),
        bare("ct6e-standard-4t", {"spot": True}, nodeCount=1),
        bare("ct6e-standard-4t", {"flexStart": True}, initialNodeCount=1),
        bare("g2-standard-12", initialNodeCount=2),
        bare("ct6e-standard-4t", {"spot": UNKNOWN}, nodeCount=1),
        bare("ct6e-standard-4t", nodeCount=UNKNOWN),
    )


# ---------------------------------------------------------------- placement

COMPACT = {"type": "COMPACT"}


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (bare("a3-ultragpu-8g", placementPolicy=COMPACT, nodeLocations=["us-central1-a", "us-central1-b"]), "2 zones"),
        (bare("a3-ultragpu-8g", placementPolicy=COMPACT, upgradeSettings={"strategy": "BLUE_GREEN"}), "blue-green"),
        (bare("a3-ultragpu-8g", placementPolicy=COMPACT, queuedProvisioning={"enabled": True}), "queued"),
        (bare("g2-standard-12", {"flexStart": True}, placementPolicy=COMPACT), "flex-start"),
        (bare("a3-megagpu-8g", {"flexStart": True}, placementPolicy=COMPACT), "flex-start"),
    ],
)
def test_what_compact_placement_forbids_is_found(broken: Resource, words: str) -> None:
    found = findings(capacity.compact_placement_fits, broken)
    assert len(found) == 1, found
    assert words in found[0]


def test_compact_placement_that_fits_is_silent() -> None:
    assert not findings(
        capacity.compact_placement_fits,
        bare("a3-ultragpu-8g", placementPolicy=COMPACT),
        bare("a3-ultragpu-8g", {"flexStart": True}, placementPolicy=COMPACT),
        bare("a4-highgpu-8g", {"flexStart": True}, placementPolicy=COMPACT),
        bare(
            "ct6e-standard-4t", placementPolicy={**COMPACT, "tpuTopology": "4x4"}, queuedProvisioning={"enabled": True}
        ),
        bare("ct6e-standard-4t", {"flexStart": True}, placementPolicy={**COMPACT, "tpuTopology": "4x4"}),
        bare("a3-ultragpu-8g", placementPolicy={"type": UNKNOWN}, nodeLocations=["a", "b"]),
        bare("g2-standard-12", {"flexStart": True}),
    )


def test_a_compact_pool_that_inherits_the_zones_of_a_regional_cluster_is_found() -> None:
    inheriting = bare("a3-ultragpu-8g", placementPolicy=COMPACT, nodeLocations=None)
    assert findings(capacity.compact_pool_names_zone, cluster(), inheriting)
    several = cluster(props={"nodeLocations": ["us-central1-a", "us-central1-b"]})
    assert findings(capacity.compact_pool_names_zone, several, inheriting)


def test_a_compact_pool_of_one_zone_is_silent() -> None:
    inheriting = bare("a3-ultragpu-8g", placementPolicy=COMPACT, nodeLocations=None, location=None)
    rule = capacity.compact_pool_names_zone
    assert not findings(rule, cluster(), bare("a3-ultragpu-8g", placementPolicy=COMPACT))
    assert not findings(rule, cluster(props={"location": "us-central1-b"}), inheriting)
    assert not findings(rule, cluster(props={"nodeLocations": ["us-central1-b"]}), inheriting)
    assert not findings(rule, inheriting)
    assert not findings(rule, cluster(props={"nodeLocations": UNKNOWN}), inheriting)


def policy(mode: str | None) -> Resource:
    workload = {"type": "HIGH_THROUGHPUT", "acceleratorTopology": "4x4x4", "acceleratorTopologyMode": mode}
    kind = "gcp:compute/resourcePolicy:ResourcePolicy"
    return resource(kind, "slice", {"name": "slice", "workloadPolicy": workload})


def test_a_dynamic_slice_without_reservation_is_found() -> None:
    placed = {"type": "", "policyName": "slice"}
    rule = capacity.dynamic_slice_is_reserved
    assert findings(rule, policy("PROVISION_ONLY"), bare("tpu7x-standard-4t", placementPolicy=placed))
    reserved = bare("tpu7x-standard-4t", {"reservationAffinity": SPECIFIC}, placementPolicy=placed)
    assert not findings(rule, policy("PROVISION_ONLY"), reserved)
    assert not findings(rule, policy("AUTO_CONNECT"), bare("tpu7x-standard-4t", placementPolicy=placed))
    assert not findings(rule, policy("PROVISION_ONLY"), bare("tpu7x-standard-4t"))


def test_an_nvlink_domain_holds_eighteen_nodes() -> None:
    placed = {"type": "COMPACT", "policyName": "domain"}
    wide = {"totalMaxNodeCount": 36}
    rule = capacity.nvlink_pool_fits_domain
    assert "36" in findings(rule, bare("a4x-highgpu-4g", placementPolicy=placed, autoscaling=wide))[0]
    assert findings(rule, bare("a4x-highgpu-4g", placementPolicy=placed, nodeCount=19))
    assert not findings(rule, bare("a4x-highgpu-4g", placementPolicy=placed, autoscaling={"totalMaxNodeCount": 18}))
    assert not findings(rule, bare("a4-highgpu-8g", placementPolicy=placed, autoscaling=wide))


def test_spot_and_preemptible_at_once_are_found() -> None:
    rule = capacity.spot_excludes_reservation
    assert "Take preemptible away" in findings(rule, pool({"spot": True, "preemptible": "true"}))[0]
    assert not findings(rule, pool({"spot": True, "preemptible": False}), pool({"spot": True, "preemptible": UNKNOWN}))


def test_a_reservation_of_a_machine_that_none_holds_is_found() -> None:
    rule = capacity.machine_has_source
    assert "spot and flex-start only" in findings(rule, bare("a3-highgpu-1g", {"reservationAffinity": SPECIFIC}))[0]
    assert not findings(rule, bare("a3-highgpu-8g", {"reservationAffinity": SPECIFIC}))
    assert not findings(rule, bare("a3-highgpu-1g", {"spot": True}))


def test_the_state_of_a_flex_start_pool_shows_a_count_and_is_silent() -> None:
    rule = capacity.flex_start_stands_alone
    assert not findings(rule, flex(nodeCount=0, instanceGroupUrls=[]))
    assert findings(rule, flex(nodeCount=0))
    assert findings(rule, flex(nodeCount=2, instanceGroupUrls=[], autoscaling=None))


def test_a_resource_policy_of_another_region_is_found() -> None:
    rule, token = capacity.placement_policy_region, "gcp:compute/resourcePolicy:ResourcePolicy"
    policy = resource(token, "slice", {"name": "slice", "region": "us-east1"})
    placed = pool(placementPolicy={"policyName": "slice"})
    assert "Make the policy in us-central1" in findings(rule, policy, placed)[0]
    by_edge = pool(placementPolicy={"policyName": UNKNOWN})
    assert not findings(rule, policy, by_edge)
    near = resource(token, "near", {"name": "slice", "region": "https://x/projects/p/regions/us-central1"})
    assert not findings(rule, near, placed)
    assert not findings(rule, resource(token, "slice", {"name": "slice", "region": UNKNOWN}), placed)
    assert not findings(rule, policy, pool(placementPolicy={"policyName": "another"}), pool())
