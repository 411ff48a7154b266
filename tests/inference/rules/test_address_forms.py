from __future__ import annotations

import pytest

from inference.rules import address_forms
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import cluster, findings, resource

BLOCK = address_forms.range_is_a_block
MASTER = address_forms.control_plane_range
AUTOMATIC = address_forms.automatic_subnets_apart


def subnet(block: object, **props: object) -> Resource:
    return resource("gcp:compute/subnetwork:Subnetwork", "nodes", {"network": "vpc", "ipCidrRange": block, **props})


def vpc(**props: object) -> Resource:
    return resource("gcp:compute/network:Network", "vpc", {"name": "vpc", **props})


@pytest.mark.parametrize(
    ("block", "remedy"),
    [
        ("10.30.0.5/20", "Write 10.30.0.0/20"),
        ("10.300.0.0/20", "no IPv4 block"),
        ("10.30.0.0", "has no length"),
        ("10.30.0.0/30", "smallest subnet is a /29"),
        ("10.30.0.0/33", "no IPv4 block"),
    ],
)
def test_a_range_that_is_no_block_is_found(block: str, remedy: str) -> None:
    (message,) = findings(BLOCK, subnet(block))
    assert remedy in message


def test_a_secondary_range_that_is_no_block_is_found() -> None:
    (message,) = findings(
        BLOCK, subnet("10.0.0.0/20", secondaryIpRanges=[{"rangeName": "pods", "ipCidrRange": "10.4.1.0/14"}])
    )
    assert '"pods" 10.4.1.0/14' in message


@pytest.mark.parametrize("block", ["10.0.0.0/20", "10.0.0.0/29", "", None, UNKNOWN, "fd20::/64", 7])
def test_blocks_are_silent(block: object) -> None:
    assert not findings(BLOCK, subnet(block, secondaryIpRanges=[{"rangeName": "p", "ipCidrRange": UNKNOWN}]))


@pytest.mark.parametrize("block", ["172.16.0.0/24", "172.16.0.3/28", "172.16.0/28"])
def test_a_control_plane_in_another_range_than_a_28_is_found(block: str) -> None:
    assert len(findings(MASTER, cluster(props={"privateClusterConfig": {"masterIpv4CidrBlock": block}}))) == 1


@pytest.mark.parametrize("block", ["172.16.0.0/28", "", None, UNKNOWN])
def test_a_28_is_silent(block: object) -> None:
    assert not findings(MASTER, cluster(props={"privateClusterConfig": {"masterIpv4CidrBlock": block}}))


@pytest.mark.parametrize("automatic", [None, True, "true"])
def test_a_subnet_in_the_range_of_automatic_ones_is_found(automatic: object) -> None:
    network = vpc(autoCreateSubnetworks=automatic)
    (message,) = findings(AUTOMATIC, network, subnet("10.128.0.0/20"))
    assert "Set autoCreateSubnetworks: false" in message
    assert findings(AUTOMATIC, network, subnet("10.0.0.0/20", secondaryIpRanges=[{"ipCidrRange": "10.200.0.0/16"}]))


def test_subnets_beside_automatic_ones_and_adopted_ones_are_silent() -> None:
    assert not findings(AUTOMATIC, vpc(), subnet("10.0.0.0/20"))
    assert not findings(AUTOMATIC, vpc(autoCreateSubnetworks=False), subnet("10.128.0.0/20"))
    assert not findings(AUTOMATIC, vpc(autoCreateSubnetworks=UNKNOWN), subnet("10.128.0.0/20"))
    assert not findings(AUTOMATIC, vpc(), subnet("10.128.0.0/20", name="vpc"))
    assert not findings(AUTOMATIC, subnet("10.128.0.0/20"))
