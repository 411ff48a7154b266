from __future__ import annotations

from typing import Any

import pytest

from inference.rules.address_plan import cluster_fits_subnet, ranges_are_disjoint, ranges_hold_pools
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import changed, cluster, findings, node_pool, resource
from tests.inference.rules.fabric_cases import gpu_pool, host_cluster, network, platform, proxy_subnet, subnet, that

SECONDARY = [
    {"rangeName": "pods", "ipCidrRange": "10.4.0.0/14"},
    {"rangeName": "services", "ipCidrRange": "10.0.32.0/20"},
]


def nodes(**props: Any) -> Resource:
    return subnet("platform-nodes", "platform", "10.0.0.0/20", {"secondaryIpRanges": SECONDARY, **props})


# overlaps


@pytest.mark.parametrize("block", ["192.168.0.0/23", "192.168.0.0/16", "192.168.1.128/26", "192.168.8.0/24"])
def test_a_proxy_range_that_meets_the_fabric_s_is_found(block: str) -> None:
    said = that(ranges_are_disjoint, proxies=proxy_subnet(props={"ipCidrRange": block}))

    assert said
    assert all(block in message and "in another VPC" in message for message in said)


def test_two_subnets_of_one_vpc_that_meet_are_found() -> None:
    [message] = that(ranges_are_disjoint, extra=subnet("extra", "platform", "10.0.8.0/24"))

    assert 'The subnet "extra" uses 10.0.8.0/24' in message
    assert "in the same VPC" in message


@pytest.mark.parametrize("block", ["10.5.0.0/16", "10.0.40.0/24"])
def test_a_subnet_that_meets_a_secondary_range_is_found(block: str) -> None:
    [message] = that(ranges_are_disjoint, extra=subnet("extra", "platform", block))

    assert "secondary range" in message


def test_secondary_ranges_of_one_subnet_that_meet_are_found() -> None:
    wrong = [SECONDARY[0], {"rangeName": "services", "ipCidrRange": "10.7.255.0/24"}]

    assert len(that(ranges_are_disjoint, nodes=nodes(secondaryIpRanges=wrong))) == 1


@pytest.mark.parametrize(
    "props",
    [
        {"privateClusterConfig": {"masterIpv4CidrBlock": "10.0.15.240/28"}},
        {"ipAllocationPolicy": {"clusterIpv4CidrBlock": "192.168.0.0/27"}},
        {"ipAllocationPolicy": {"servicesIpv4CidrBlock": "172.16.1.0/24"}},
    ],
)
def test_a_range_of_the_cluster_that_meets_a_subnet_is_found(props: dict[str, Any]) -> None:
    assert len(that(ranges_are_disjoint, cluster=host_cluster(props))) == 1


def test_a_reserved_range_that_meets_a_subnet_is_found() -> None:
    reserved = resource(
        "gcp:compute/globalAddress:GlobalAddress",
        "psa",
        {"purpose": "VPC_PEERING", "address": "10.0.0.0", "prefixLength": 16.0, "network": "platform"},
    )

    assert that(ranges_are_disjoint, reserved=reserved)


def test_networks_of_two_clusters_that_peering_joins_are_compared() -> None:
    peering = resource("gcp:compute/networkPeering:NetworkPeering", "p", {"network": "one", "peerNetwork": "two"})
    both = [
        *(network(name) for name in ("one", "two")),
        *(subnet(name, name, "10.0.0.0/20") for name in ("one", "two")),
        *(cluster(name, {"network": name, "subnetwork": name}) for name in ("one", "two")),
    ]

    assert findings(ranges_are_disjoint, *both) == []
    assert len(findings(ranges_are_disjoint, *both, peering)) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"proxies": proxy_subnet(props={"ipCidrRange": UNKNOWN})},
        {"proxies": proxy_subnet(props={"ipCidrRange": "fd20::/20"})},
        {"proxies": proxy_subnet(props={"ipCidrRange": None, "reservedInternalRange": "x"})},
        {"cluster": host_cluster({"privateClusterConfig": {"masterIpv4CidrBlock": "172.20.0.0/28"}})},
        {"cluster": host_cluster({"ipAllocationPolicy": {"clusterIpv4CidrBlock": "10.4.0.0/14"}})},
        {"cluster": host_cluster({"ipAllocationPolicy": {"clusterIpv4CidrBlock": "/14"}})},
        {
            "cluster": host_cluster(
                {
                    "privateClusterConfig": {
                        "masterIpv4CidrBlock": "10.0.0.0/28",
                        "privateEndpointSubnetwork": "projects/p/regions/r/subnetworks/platform-nodes",
                    }
                }
            )
        },
    ],
)
def test_ranges_that_do_not_meet_or_are_not_known_are_silent(changes: dict[str, Resource]) -> None:
    assert that(ranges_are_disjoint, **changes) == []


def test_clusters_that_share_the_range_of_services_of_gke_are_silent() -> None:
    shared = {"ipAllocationPolicy": {"servicesIpv4CidrBlock": "34.118.224.0/20"}}

    assert findings(ranges_are_disjoint, cluster("one", shared), cluster("two", shared)) == []


def test_the_state_of_a_cluster_that_repeats_the_ranges_of_its_subnet_is_silent() -> None:
    repeated = {"clusterIpv4CidrBlock": "10.4.0.0/14", "servicesIpv4CidrBlock": "10.0.32.0/20"}

    assert that(ranges_are_disjoint, cluster=host_cluster({"ipAllocationPolicy": repeated})) == []


def test_a_thousand_equal_ranges_are_judged_in_time() -> None:
    many = [subnet(f"s{i}", "one", "10.0.0.0/24") for i in range(1000)]

    assert len(findings(ranges_are_disjoint, network("one"), *many)) == 999


# the subnet of the cluster


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cluster": host_cluster({"subnetwork": "gvnic-0"})}, "of another one"),
        ({"nodes": nodes(region="us-east4")}, "lies in us-central1 and its subnet"),
        ({"nodes": nodes(purpose="REGIONAL_MANAGED_PROXY")}, "reserved for the proxies"),
        ({"cluster": host_cluster({"ipAllocationPolicy": {"clusterSecondaryRangeName": "pod"}})}, '"pod" in clusterS'),
        (
            {"cluster": host_cluster({"ipAllocationPolicy": {"servicesSecondaryRangeName": "svc"}})},
            '"svc" in servicesS',
        ),
        ({"nodes": nodes(secondaryIpRanges=None)}, "has: none"),
    ],
)
def test_a_cluster_that_does_not_fit_its_subnet_is_found(changes: dict[str, Resource], said: str) -> None:
    assert any(said in message for message in that(cluster_fits_subnet, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"nodes": None},
        {"cluster": host_cluster({"network": UNKNOWN, "subnetwork": UNKNOWN})},
        {"cluster": host_cluster({"network": None})},
        {"cluster": host_cluster({"location": "us-central1-b"})},
        {"nodes": nodes(secondaryIpRanges=UNKNOWN)},
        {"nodes": nodes(secondaryIpRanges=[{"rangeName": UNKNOWN, "ipCidrRange": "10.4.0.0/14"}])},
        {"cluster": host_cluster({"ipAllocationPolicy": {"clusterSecondaryRangeName": UNKNOWN}})},
    ],
)
def test_a_cluster_that_fits_its_subnet_is_silent(changes: dict[str, Resource | None]) -> None:
    assert that(cluster_fits_subnet, **changes) == []


# room


def test_an_rdma_subnet_that_is_too_small_for_its_pool_is_found() -> None:
    small = subnet("rdma-sub-3", "rdma", "192.168.4.0/29")
    pool = gpu_pool(props={"autoscaling": {"totalMaxNodeCount": 8}})

    [message] = that(ranges_hold_pools, rdma_sub_3=small, pool=pool)

    assert "can have 8 nodes" in message
    assert "has 4 addresses" in message


@pytest.mark.parametrize(("pods", "fits"), [(None, 4), (110, 4), (64, 8), (32, 16)])
def test_a_range_for_pods_that_is_too_small_for_a_pool_is_found(pods: int | None, fits: int) -> None:
    tight = nodes(secondaryIpRanges=[{"rangeName": "pods", "ipCidrRange": "10.4.0.0/22"}, SECONDARY[1]])
    pool = node_pool("cpu", {"autoscaling": {"totalMaxNodeCount": 20}, "maxPodsPerNode": pods})

    [message] = that(ranges_hold_pools, nodes=tight, extra=pool)

    assert f"holds {fits} of them" in message


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pool": gpu_pool(props={"autoscaling": UNKNOWN})},
        {"extra": node_pool("cpu", {"autoscaling": {"totalMaxNodeCount": 500}, "maxPodsPerNode": UNKNOWN})},
        {"extra": node_pool("cpu", {"autoscaling": {"totalMaxNodeCount": 1000}, "networkConfig": {"podRange": "x"}})},
        {"nodes": nodes(ipCidrRange=UNKNOWN, secondaryIpRanges=UNKNOWN)},
    ],
)
def test_ranges_with_room_for_all_nodes_are_silent(changes: dict[str, Resource]) -> None:
    assert that(ranges_hold_pools, **changes) == []


def test_malformed_ranges_never_crash() -> None:
    for odd in ({"ipCidrRange": 5}, {"ipCidrRange": "10.0.0.0/99"}, {"secondaryIpRanges": {"a": 1}}, {"network": [1]}):
        made = [subnet("odd", "platform", "10.0.0.0/20", odd), cluster(props={"ipAllocationPolicy": 7, "network": {}})]
        for rule in (ranges_are_disjoint, cluster_fits_subnet, ranges_hold_pools):
            findings(rule, *made, *platform().values())


def test_a_change_of_a_pool_keeps_its_room() -> None:
    base = dict(gpu_pool().props.items())

    assert that(ranges_hold_pools, pool=resource("gcp:container/nodePool:NodePool", "gpus", changed(base, {}))) == []
