"""What costs money beside the nodes: clusters, load balancers, NAT, disks; and what is only named."""

from __future__ import annotations

import pytest

from tests.inference.estimates.cost_cases import cluster, costs, counted, gateway, line, nat, pool
from tests.inference.rules.cases import resource


def test_a_cluster_costs_its_fee_and_a_zonal_one_names_the_credit() -> None:
    zonal, regional = costs(cluster()), costs(cluster({"location": "us-central1"}))
    assert line(zonal, "management fee").most_hourly == 0.1
    assert any("74.40" in note for note in line(zonal, "management fee").notes)
    assert not line(regional, "management fee").notes


def test_autopilot_pods_have_no_price() -> None:
    found = costs(cluster({"enableAutopilot": True, "removeDefaultNodePool": None}))
    assert str(found.idle) == "at least $73"
    assert "pods in Autopilot of cluster platform" in found.idle.unknown


def test_a_default_pool_of_an_unknown_machine_is_named() -> None:
    found = costs(cluster({"removeDefaultNodePool": None, "initialNodeCount": 3}))
    assert "nodes of the default pool of cluster platform" in found.most.unknown


def test_forwarding_rules_of_a_region_without_a_price_are_unknown() -> None:
    found = costs(cluster(), gateway("gke-l7-regional-external-managed", 443))
    rules = line(found, "forwarding rules in us-central1")
    assert rules.rate is None
    assert "at least" in str(found.idle)


def test_the_first_five_global_forwarding_rules_cost_one_price_and_each_further_its_own() -> None:
    found = costs(cluster(), gateway("gke-l7-global-external-managed", *range(8001, 8008)))
    assert line(found, "up to five").most_hourly == 0.025
    assert counted(found, "beyond five") == (2, 2)


def test_nat_is_billed_for_each_node_up_to_its_cap() -> None:
    few = costs(cluster(), pool(), nat())
    assert counted(few, "VMs behind it") == (1, 3)
    many = costs(cluster(), pool({"autoscaling": {"totalMinNodeCount": 5, "totalMaxNodeCount": 40}}), nat())
    assert counted(many, "VMs behind it") == (5, 0)
    assert counted(many, "32 VMs or more") == (0, 1)
    assert line(many, "32 VMs or more").most_hourly == 0.044


def test_a_claim_costs_its_disk_by_its_storage_class() -> None:
    claim = resource(
        "kubernetes:core/v1:PersistentVolumeClaim",
        "cache",
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "cache", "namespace": "inference"},
            "spec": {"storageClassName": "premium-rwo", "resources": {"requests": {"storage": "50Gi"}}},
        },
    )
    found = costs(cluster(), pool(), claim)
    assert counted(found, "GiB of pd-ssd") == (50, 50)
    assert line(found, "GiB of pd-ssd").most_hourly == pytest.approx(50 * 0.17 / 730)


def test_what_is_billed_by_use_is_named_and_not_counted() -> None:
    bucket = resource("gcp:storage/bucket:Bucket", "weights", {"location": "US"})
    found = costs(cluster(), bucket)
    assert any("bucket" in what for what in found.uncounted)
    assert any("egress" in what for what in found.uncounted)


def test_a_program_without_anything_billed_by_the_hour_has_no_lines() -> None:
    found = costs(resource("gcp:compute/network:Network", "vpc", {}))
    assert found.lines == ()
    assert found.uncounted == ()
    assert str(found.idle) == "$0"
