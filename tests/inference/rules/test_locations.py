from __future__ import annotations

import pytest

from inference.rules import locations
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import CLUSTER, cluster, findings, node_pool, resource

OFFER = locations.zone_offers_machine
INHERITED = locations.cluster_zone_offers_machine
ZONES = locations.accelerator_pool_names_zones
QUOTA = locations.pools_fit_quota
REGION = locations.nodes_stay_in_region
HOME = locations.pool_lies_with_cluster


def bare(machine: str, **props: object) -> Resource:
    return node_pool("gpus", {**props, "nodeConfig": {"machineType": machine, "guestAccelerators": None}})


T4 = {"machineType": "n1-standard-8", "guestAccelerators": [{"type": "nvidia-tesla-t4", "count": 1}]}


@pytest.mark.parametrize(
    ("machine", "zone"),
    [
        ("a3-ultragpu-8g", "us-central1-a"),
        ("a4-highgpu-8g", "us-central1-a"),
        ("ct6e-standard-4t", "us-east1-b"),
        ("ct5lp-hightpu-4t", "us-central1-b"),
        ("a2-ultragpu-1g", "europe-west1-b"),
    ],
)
def test_a_zone_without_the_machine_is_found(machine: str, zone: str) -> None:
    found = findings(OFFER, bare(machine, nodeLocations=[zone]))
    assert len(found) == 1
    assert zone in found[0]
    assert machine in found[0]


def test_only_the_zone_that_lacks_the_machine_is_named() -> None:
    found = findings(OFFER, bare("a3-ultragpu-8g", nodeLocations=["us-central1-b", "us-central1-f"]))
    assert len(found) == 1
    assert "in us-central1-f" in found[0]


def test_a_zone_of_a_zonal_pool_is_judged() -> None:
    assert findings(OFFER, bare("a3-ultragpu-8g", nodeLocations=None, location="us-central1-f"))


def test_an_attached_gpu_is_judged_by_its_regions() -> None:
    assert findings(OFFER, node_pool("t4", {"nodeConfig": T4, "nodeLocations": ["us-south1-a"]}))
    assert not findings(OFFER, node_pool("t4", {"nodeConfig": T4, "nodeLocations": ["us-central1-a"]}))


@pytest.mark.parametrize(
    ("machine", "zones"),
    [
        ("a3-ultragpu-8g", ["us-central1-b"]),
        ("ct6e-standard-4t", ["us-east5-a", "us-east5-b"]),
        ("ct6e-standard-4t", ["us-central1-ai2x"]),
        ("ct5lp-hightpu-4t", ["us-east5-b"]),
        ("ct5p-hightpu-4t", ["us-east5-c"]),
        ("a4x-highgpu-4g", ["us-central1-a"]),
        ("e2-standard-4", ["mars-west1-a"]),
        ("a9-future", ["us-central1-a"]),
        ("a3-ultragpu-8g", ["not a zone", "us-central1"]),
        ("a3-ultragpu-8g", UNKNOWN),
        ("a3-ultragpu-8g", ["us-central1-f", UNKNOWN]),
    ],
)
def test_a_zone_that_may_have_the_machine_is_silent(machine: str, zones: object) -> None:
    assert not findings(OFFER, bare(machine, nodeLocations=zones))


def test_inherited_zones_are_judged() -> None:
    inheriting = bare("a3-ultragpu-8g", nodeLocations=None, location=None)
    zonal = cluster(props={"location": "us-central1-a"})
    assert "us-central1-a" in findings(INHERITED, zonal, inheriting)[0]
    assert findings(INHERITED, cluster(props={"nodeLocations": ["us-central1-a", "us-central1-b"]}), inheriting)
    assert "europe-west9" in findings(INHERITED, cluster(props={"location": "europe-west9"}), inheriting)[0]


def test_inherited_zones_that_have_the_machine_are_silent() -> None:
    inheriting = bare("a3-ultragpu-8g", nodeLocations=None, location=None)
    assert not findings(INHERITED, cluster(), inheriting)
    assert not findings(INHERITED, cluster(props={"location": "us-central1-b"}), inheriting)
    assert not findings(INHERITED, inheriting)
    assert not findings(INHERITED, cluster(props={"location": UNKNOWN}), inheriting)


# ---------------------------------------------------------------- zones are named


@pytest.mark.parametrize(
    "counts",
    [
        {"nodeCount": 1},
        {"initialNodeCount": "1"},
        {"autoscaling": {"minNodeCount": 1.0, "maxNodeCount": 3, "totalMinNodeCount": None, "totalMaxNodeCount": None}},
    ],
)
@pytest.mark.parametrize("machine", ["g2-standard-12", "a3-megagpu-8g", "ct5lp-hightpu-4t"])
def test_nodes_from_the_start_without_zones_are_found(machine: str, counts: dict) -> None:
    found = findings(ZONES, cluster(), bare(machine, nodeLocations=None, **counts))
    assert len(found) == 1
    assert "3 in all" in found[0]


def test_a_regional_pool_of_another_programs_cluster_is_found() -> None:
    assert findings(ZONES, bare("g2-standard-12", nodeLocations=None, nodeCount=1))


def test_pools_that_cannot_multiply_are_silent() -> None:
    starting = bare("g2-standard-12", nodeLocations=None, location=None, nodeCount=1)
    assert not findings(ZONES, cluster(), bare("g2-standard-12", nodeLocations=None))
    assert not findings(ZONES, cluster(), bare("g2-standard-12", nodeCount=1))
    assert not findings(ZONES, cluster(), bare("g2-standard-12", nodeCount=1, nodeLocations=["a", "b"]))
    assert not findings(ZONES, cluster(), bare("e2-standard-4", nodeLocations=None, nodeCount=1))
    assert not findings(ZONES, cluster(props={"location": "us-central1-a"}), starting)
    assert not findings(ZONES, cluster(props={"nodeLocations": ["us-central1-a"]}), starting)
    assert not findings(ZONES, cluster(), bare("g2-standard-12", nodeLocations=UNKNOWN, nodeCount=1))
    total = {"totalMinNodeCount": 1, "totalMaxNodeCount": 3}
    assert not findings(ZONES, cluster(), bare("g2-standard-12", nodeLocations=None, autoscaling=total))


def test_the_default_pool_inside_a_regional_cluster_is_judged() -> None:
    props = {
        "name": "c",
        "location": "us-central1",
        "initialNodeCount": 1,
        "nodeConfig": {"machineType": "g2-standard-4"},
    }
    assert findings(ZONES, resource(CLUSTER, "c", props))


# ---------------------------------------------------------------- quotas


@pytest.mark.parametrize(
    "limit",
    [
        "us-central1 l4 1",
        "us-central1/nvidia-l4=1",
        "us-central1: NVIDIA_L4_GPUS: 1",
        "us-central1 pd-balanced 150",
        "us-central1 SSD_TOTAL_GB 150",
        "global GPUS_ALL_REGIONS 1",
    ],
)
def test_pools_beyond_a_quota_are_found(limit: str) -> None:
    found = findings(QUOTA, node_pool(), configuration={"quotas": [limit]})
    assert len(found) == 1
    assert "quota is" in found[0]


def test_pools_are_summed_over_zones_and_pools() -> None:
    two = node_pool("a", {"autoscaling": {"totalMinNodeCount": None, "totalMaxNodeCount": None, "maxNodeCount": 2}})
    wide = node_pool("b", {"nodeLocations": ["us-central1-a", "us-central1-c"], "autoscaling": None, "nodeCount": 1})
    assert not findings(QUOTA, two, wide, configuration={"quotas": ["us-central1 l4 4"]})
    assert "4 of l4" in findings(QUOTA, two, wide, configuration={"quotas": ["us-central1 l4 3"]})[0]


def test_tpu_chips_are_counted() -> None:
    slices = bare("ct6e-standard-4t", nodeLocations=["us-east5-b"], autoscaling={"totalMaxNodeCount": 4})
    assert findings(QUOTA, slices, configuration={"quotas": ["us-east5 v6e 15"]})
    assert not findings(QUOTA, slices, configuration={"quotas": ["us-east5 v6e 16"]})


def test_quotas_that_nobody_gave_are_silent() -> None:
    assert not findings(QUOTA, node_pool())
    other = {"quotas": ["us-central1 l4 2", "europe-west4 l4 0", "us-central1 h200 0", "nonsense", "a b c"]}
    assert not findings(QUOTA, node_pool(), configuration=other)
    unknown = node_pool("x", {"autoscaling": UNKNOWN})
    assert not findings(QUOTA, unknown, configuration={"quotas": ["us-central1 l4 1"]})


def test_nodes_in_another_region_than_their_cluster_are_found() -> None:
    (message,) = findings(REGION, node_pool(props={"nodeLocations": ["us-central1-a", "us-east1-b"]}))
    assert "us-east1-b, which is in another region" in message
    assert findings(REGION, node_pool(props={"location": "us-central1-a", "nodeLocations": ["us-east4-a"]}))
    assert findings(REGION, cluster(props={"nodeLocations": ["europe-west4-a"]}))
    assert "such as us-central1-b" in findings(REGION, node_pool(props={"nodeLocations": ["us-central1"]}))[0]


def test_zones_of_the_region_and_what_is_not_known_are_silent() -> None:
    assert not findings(
        REGION, node_pool(), cluster(), cluster("z", {"location": "us-central1-a", "nodeLocations": ["us-central1-b"]})
    )
    assert not findings(REGION, node_pool(props={"location": UNKNOWN, "nodeLocations": ["us-east1-b"]}))
    assert not findings(
        REGION, node_pool(props={"nodeLocations": UNKNOWN}), node_pool("y", {"nodeLocations": [UNKNOWN]})
    )
    assert not findings(REGION, node_pool(props={"location": "us-central1", "nodeLocations": ["us-central1-ai1a"]}))


@pytest.mark.parametrize("location", ["us-central1-a", "us-east1"])
def test_a_pool_with_another_location_than_its_cluster_is_found(location: str) -> None:
    (message,) = findings(HOME, cluster(), node_pool(props={"location": location}))
    assert "Set location: us-central1" in message


def test_pools_of_their_cluster_s_location_are_silent_also_where_two_clusters_share_a_name() -> None:
    east = resource(CLUSTER, "east", {"name": "platform", "location": "us-east1"})
    there = {"location": "us-east1", "nodeLocations": ["us-east1-b"]}
    assert not findings(HOME, cluster(), node_pool())
    assert not findings(HOME, cluster(), east, node_pool(), node_pool("there", there))
    assert not findings(HOME, cluster(props={"location": UNKNOWN}), node_pool(), node_pool("x", {"location": UNKNOWN}))
    assert not findings(HOME, node_pool(props={"cluster": "of-another-program", "location": "us-east1"}))
    inline = resource(CLUSTER, "c", {"location": "us-central1", "nodePools": [{"name": "a"}]})
    assert not findings(HOME, inline)
