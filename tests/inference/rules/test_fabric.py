from __future__ import annotations

from typing import Any

import pytest

from inference.rules.fabric import (
    network_has_custom_subnets,
    network_has_no_firewall,
    network_is_bare,
    network_keeps_mtu,
    profile_names_zone,
    subnet_for_each_nic,
    subnet_lies_in_region,
)
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import findings, resource
from tests.inference.rules.fabric_cases import ROCE, firewall, network, subnet, that, verdicts, with_changes

SUBNET = "gcp:compute/subnetwork:Subnetwork"
POLICY = "gcp:compute/regionNetworkFirewallPolicy:RegionNetworkFirewallPolicy"
ASSOCIATION = "gcp:compute/regionNetworkFirewallPolicyAssociation:RegionNetworkFirewallPolicyAssociation"
GLOBAL_ASSOCIATION = "gcp:compute/networkFirewallPolicyAssociation:NetworkFirewallPolicyAssociation"


def rdma(props: dict[str, Any]) -> Any:
    return network("rdma", {"networkProfile": ROCE, **props})


def metal() -> Any:
    return network("rdma", {"networkProfile": ROCE + "-metal"})


def test_a_whole_platform_with_a_fabric_draws_no_finding() -> None:
    assert verdicts(*with_changes()) == {}


# profile


@pytest.mark.parametrize("profile", ["us-central1-vpc-roce", "projects/p/global/networkProfiles/vpc-vpc-roce"])
def test_a_profile_without_a_zone_is_found(profile: str) -> None:
    [message] = findings(profile_names_zone, network("rdma", {"networkProfile": profile}))

    assert "names no zone" in message
    assert "us-central1-b-vpc-roce" in message


def test_a_profile_of_a_zone_without_such_machines_is_found() -> None:
    [message] = findings(profile_names_zone, network("rdma", {"networkProfile": "europe-north1-a-vpc-roce"}))

    assert "europe-north1-a" in message


@pytest.mark.parametrize(
    "profile",
    [ROCE, "us-central1-b-vpc-roce", "us-central1-b-vpc-roce-metal", "europe-west4-b-vpc-falcon", UNKNOWN, None, 7],
)
def test_a_profile_of_a_zone_is_silent(profile: Any) -> None:
    assert findings(profile_names_zone, network("rdma", {"networkProfile": profile})) == []


# MTU


@pytest.mark.parametrize("mtu", [1460, 8244.0, "1500"])
def test_an_rdma_network_with_a_smaller_mtu_is_found(mtu: Any) -> None:
    [message] = findings(network_keeps_mtu, rdma({"mtu": mtu}))

    assert "8896" in message


@pytest.mark.parametrize("mtu", [8896, 8896.0, "8896", None, UNKNOWN])
def test_an_rdma_network_with_the_right_mtu_is_silent(mtu: Any) -> None:
    assert findings(network_keeps_mtu, rdma({"mtu": mtu})) == []


def test_an_ordinary_network_with_the_default_mtu_is_silent() -> None:
    assert findings(network_keeps_mtu, network("gvnic", {"mtu": 1460})) == []


# automatic subnets


@pytest.mark.parametrize("value", [True, "true", None])
def test_an_rdma_network_with_automatic_subnets_is_found(value: Any) -> None:
    assert len(findings(network_has_custom_subnets, rdma({"autoCreateSubnetworks": value}))) == 1


@pytest.mark.parametrize("value", [False, "false", UNKNOWN])
def test_an_rdma_network_without_automatic_subnets_is_silent(value: Any) -> None:
    assert findings(network_has_custom_subnets, rdma({"autoCreateSubnetworks": value})) == []


def test_an_ordinary_network_with_automatic_subnets_is_silent() -> None:
    assert findings(network_has_custom_subnets, network("default", {"autoCreateSubnetworks": True})) == []


# region of the subnets


@pytest.mark.parametrize("region", ["us-east4", "https://www.googleapis.com/compute/v1/projects/p/regions/us-east4"])
def test_an_rdma_subnet_in_another_region_than_its_zone_is_found(region: str) -> None:
    wrong = subnet("rdma-sub-0", "rdma", "192.168.1.0/24", {"region": region})

    [message] = that(subnet_lies_in_region, rdma_sub_0=wrong)

    assert 'The subnet "rdma-sub-0" lies in us-east4' in message
    assert "region: us-central1" in message


def test_an_rdma_subnet_that_an_edge_alone_ties_to_its_network_is_found() -> None:
    vpc = rdma({})
    wrong = subnet(
        "rdma-sub-0",
        "rdma",
        "192.168.1.0/24",
        {"network": UNKNOWN, "region": "us-east4"},
        property_dependencies={"network": [vpc]},
    )

    assert len(findings(subnet_lies_in_region, vpc, wrong)) == 1


@pytest.mark.parametrize(
    "props", [{"region": UNKNOWN}, {"region": None}, {"network": UNKNOWN, "region": "us-east4"}, {"region": ["x"]}]
)
def test_a_subnet_whose_region_or_network_is_not_known_is_silent(props: dict[str, Any]) -> None:
    assert that(subnet_lies_in_region, rdma_sub_0=subnet("rdma-sub-0", "rdma", "192.168.1.0/24", props)) == []


def test_an_ordinary_subnet_in_another_region_is_silent() -> None:
    other = subnet("gvnic-east", "gvnic", "192.168.64.0/24", {"region": "us-east4"})

    assert that(subnet_lies_in_region, other=other) == []


# one subnet for each NIC


@pytest.mark.parametrize("count", [1, 5, 7])
def test_an_rdma_network_with_too_few_subnets_is_found(count: int) -> None:
    few = {f"rdma_sub_{i}": None for i in range(count, 8)}

    [message] = that(subnet_for_each_nic, **few)

    assert f"has {count} of the 8 subnets" in message


@pytest.mark.parametrize("count", [0, 4, 8])
def test_an_rdma_network_with_a_subnet_for_each_nic_or_with_none_declared_is_silent(count: int) -> None:
    assert that(subnet_for_each_nic, **{f"rdma_sub_{i}": None for i in range(count, 8)}) == []


@pytest.mark.parametrize("stack_type", ["IPV4_IPV6", "IPV6_ONLY"])
def test_a_dual_stack_rdma_subnet_is_found(stack_type: str) -> None:
    wrong = subnet("rdma-sub-0", "rdma", "192.168.1.0/24", {"stackType": stack_type})

    [message] = that(subnet_for_each_nic, rdma_sub_0=wrong)

    assert stack_type in message


def test_subnets_in_a_network_for_bare_metal_are_found() -> None:
    said = that(subnet_for_each_nic, rdma=metal())

    assert len(said) == 8
    assert "makes its one IPv6 subnet itself" in said[0]


def test_a_network_for_bare_metal_without_subnets_is_silent() -> None:
    assert that(subnet_for_each_nic, rdma=metal(), **{f"rdma_sub_{i}": None for i in range(8)}) == []


# firewall


@pytest.mark.parametrize("profile", [ROCE, "europe-west4-b-vpc-falcon"])
def test_a_firewall_rule_on_an_rdma_network_is_found(profile: str) -> None:
    vpc = network("rdma", {"networkProfile": profile})

    [message] = that(network_has_no_firewall, rdma=vpc, wrong=firewall("rdma-internal", "rdma", ["192.168.0.0/16"]))

    assert message.startswith('The firewall rule "rdma-internal" applies to the network "rdma"')


def test_a_firewall_rule_that_an_edge_ties_to_an_rdma_network_is_found() -> None:
    vpc = rdma({})
    wrong = firewall("x", "rdma", [], {"network": UNKNOWN}, property_dependencies={"network": [vpc]})

    assert len(findings(network_has_no_firewall, vpc, wrong)) == 1


def test_a_global_firewall_policy_on_an_rdma_network_is_found() -> None:
    wrong = resource(GLOBAL_ASSOCIATION, "x", {"attachmentTarget": "projects/p/global/networks/rdma"})

    assert len(that(network_has_no_firewall, wrong=wrong)) == 1


@pytest.mark.parametrize(
    ("policy", "target", "found"),
    [
        ({"policyType": "RDMA_ROCE_POLICY", "region": "us-central1"}, "rdma", 0),
        ({"policyType": "RDMA_ROCE_POLICY", "region": "us-east4"}, "rdma", 1),
        ({"policyType": "VPC_POLICY", "region": "us-central1"}, "rdma", 1),
        ({"region": "us-central1"}, "rdma", 1),
        ({"policyType": UNKNOWN, "region": "us-central1"}, "rdma", 0),
        ({"policyType": "VPC_POLICY", "region": "us-central1"}, "platform", 0),
        ({"policyType": "RDMA_ROCE_POLICY", "region": "us-central1"}, "platform", 1),
    ],
)
def test_a_regional_firewall_policy_must_be_of_the_kind_of_its_network(
    policy: dict[str, Any], target: str, found: int
) -> None:
    made = resource(POLICY, "roce", {"name": "roce", **policy})
    tied = resource(ASSOCIATION, "tie", {"attachmentTarget": f"global/networks/{target}", "firewallPolicy": "roce"})

    assert len(that(network_has_no_firewall, made=made, tied=tied)) == found


def test_a_firewall_rule_on_an_ordinary_or_unknown_network_is_silent() -> None:
    unknown = firewall("y", "rdma", [], {"network": UNKNOWN})

    assert that(network_has_no_firewall, one=firewall("x", "platform", ["10.0.0.0/20"]), other=unknown) == []


def test_malformed_networks_are_silent_or_found_and_never_crash() -> None:
    for props in ({"name": ["x"]}, {"networkProfile": {"a": 1}, "mtu": [1]}, {"autoCreateSubnetworks": "yes"}):
        odd = network("odd", props)
        bad = subnet("bad", "odd", "not a range", {"secondaryIpRanges": "x", "network": 5})
        verdicts(odd, bad, firewall("f", "odd", [7, None], {"allows": {"protocol": "tcp"}}))


# nothing else


@pytest.mark.parametrize(
    ("token", "key"),
    [
        ("gcp:compute/router:Router", "network"),
        ("gcp:compute/networkPeering:NetworkPeering", "peerNetwork"),
        ("gcp:compute/route:Route", "network"),
        ("gcp:servicenetworking/connection:Connection", "network"),
        ("gcp:container/cluster:Cluster", "network"),
    ],
)
def test_what_an_rdma_network_does_not_take_is_found_by_name_link_and_edge(token: str, key: str) -> None:
    fabric = rdma({})
    links = [
        "rdma",
        "projects/p/global/networks/rdma",
        "https://www.googleapis.com/compute/v1/projects/p/global/networks/rdma",
    ]
    for link in links:
        [message] = findings(network_is_bare, fabric, resource(token, "x", {key: link}))
        assert "takes RDMA NICs only" in message
    edge = resource(token, "x", {key: UNKNOWN}, property_dependencies={key: [fabric]})
    assert len(findings(network_is_bare, fabric, edge)) == 1


def test_secondary_ranges_in_an_rdma_network_are_found() -> None:
    ranges = {"secondaryIpRanges": [{"rangeName": "pods", "ipCidrRange": "10.9.0.0/20"}]}
    assert len(findings(network_is_bare, rdma({}), resource(SUBNET, "s", {"network": "rdma", **ranges}))) == 1
    assert (
        findings(network_is_bare, rdma({}), resource(SUBNET, "s", {"network": "rdma", "secondaryIpRanges": []})) == []
    )


def test_routers_and_clusters_of_ordinary_networks_are_silent() -> None:
    others = [network("vpc", {}), resource("gcp:compute/router:Router", "r", {"network": "vpc"})]
    cluster = resource("gcp:container/cluster:Cluster", "c", {"network": "vpc"})
    assert findings(network_is_bare, rdma({}), *others, cluster) == []
    assert findings(network_is_bare, *others, resource("gcp:compute/router:Router", "x", {"network": UNKNOWN})) == []
    assert findings(network_is_bare, rdma({}), resource("gcp:compute/route:Route", "x", {"network": ["rdma"]})) == []
