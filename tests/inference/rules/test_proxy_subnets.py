from __future__ import annotations

from typing import Any

import pytest

from inference.rules.proxy_subnets import (
    gateway_has_proxy_subnet,
    proxy_subnet_has_role,
    proxy_subnet_is_large_enough,
    proxy_subnet_is_single,
    proxy_subnet_lies_with_cluster,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import cluster, custom, findings, resource, workload
from tests.inference.rules.fabric_cases import host_cluster, network, proxy_subnet, subnet, that

REGIONAL = "gke-l7-regional-external-managed"
CROSS = "gke-l7-cross-regional-internal-managed-mc"
FORWARDING = "gcp:compute/forwardingRule:ForwardingRule"


def gateway(class_name: Any = REGIONAL, **kw: Any) -> Resource:
    return custom("gateway.networking.k8s.io/v1", "Gateway", "inference", {"gatewayClassName": class_name}, **kw)


def ingress(**metadata: Any) -> Resource:
    return workload(
        "kubernetes:networking.k8s.io/v1:Ingress", "networking.k8s.io/v1", "Ingress", "web", {}, {"metadata": metadata}
    )


INTERNAL_INGRESS = ingress(annotations={"kubernetes.io/ingress.class": "gce-internal"})


# a gateway and its proxies


@pytest.mark.parametrize("door", [gateway(), gateway("gke-l7-rilb"), gateway("gke-l7-rilb-mc"), INTERNAL_INGRESS])
@pytest.mark.parametrize(
    "proxies",
    [
        None,
        proxy_subnet(props={"role": "BACKUP"}),
        proxy_subnet(props={"purpose": "PRIVATE"}),
        proxy_subnet(props={"purpose": "GLOBAL_MANAGED_PROXY"}),
        proxy_subnet(props={"region": "us-east4"}),
        proxy_subnet(vpc="gvnic"),
        proxy_subnet(vpc="elsewhere"),
    ],
)
def test_a_regional_gateway_without_proxies_in_its_vpc_and_region_is_found(
    door: Resource, proxies: Resource | None
) -> None:
    [message] = that(gateway_has_proxy_subnet, door=door, proxies=proxies)

    assert 'in the network "platform" and the region us-central1' in message


def test_a_cross_regional_gateway_needs_proxies_of_its_own_kind() -> None:
    [message] = that(gateway_has_proxy_subnet, door=gateway(CROSS))

    assert "GLOBAL_MANAGED_PROXY" in message
    fitting = proxy_subnet(props={"purpose": "GLOBAL_MANAGED_PROXY"})
    assert that(gateway_has_proxy_subnet, door=gateway(CROSS), proxies=fitting) == []


def test_a_cross_regional_gateway_of_one_cluster_is_not_served_by_regional_proxies() -> None:
    door = gateway("gke-l7-cross-regional-internal-managed")
    assert len(that(gateway_has_proxy_subnet, door=door, proxies=proxy_subnet())) == 1
    fitting = proxy_subnet(props={"purpose": "GLOBAL_MANAGED_PROXY"})
    assert that(gateway_has_proxy_subnet, door=door, proxies=fitting) == []


def test_a_cluster_in_the_default_network_has_no_proxies() -> None:
    said = findings(gateway_has_proxy_subnet, cluster(props={"network": None, "subnetwork": None}), gateway())

    assert '"default"' in said[0]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"proxies": proxy_subnet(props={"role": None})},
        {"proxies": proxy_subnet(props={"region": UNKNOWN})},
        {"proxies": proxy_subnet(props={"purpose": UNKNOWN})},
        {"proxies": proxy_subnet(props={"network": UNKNOWN})},
        {"proxies": proxy_subnet(props={"purpose": "INTERNAL_HTTPS_LOAD_BALANCER"})},
        {"proxies": None, "cluster": host_cluster({"network": "projects/host/global/networks/shared"})},
        {"proxies": None, "cluster": host_cluster({"network": UNKNOWN})},
        {"proxies": None, "cluster": None},
        {"proxies": None, "door": gateway("gke-l7-global-external-managed")},
        {"proxies": None, "door": gateway("istio")},
        {"proxies": None, "door": gateway(UNKNOWN)},
        {"proxies": None, "door": ingress(annotations={"kubernetes.io/ingress.class": "gce"})},
    ],
)
def test_a_gateway_with_proxies_or_that_needs_none_is_silent(changes: dict[str, Resource | None]) -> None:
    assert that(gateway_has_proxy_subnet, **{"door": gateway(), **changes}) == []


def test_a_proxy_subnet_that_an_edge_ties_to_the_network_is_taken() -> None:
    vpc = network("platform")
    tied = proxy_subnet(props={"network": UNKNOWN}, property_dependencies={"network": [vpc]})
    made = cluster(props={"network": UNKNOWN}, property_dependencies={"network": [vpc]})

    assert findings(gateway_has_proxy_subnet, vpc, tied, made, gateway()) == []
    assert len(findings(gateway_has_proxy_subnet, vpc, made, gateway())) == 1


def test_a_team_can_name_networks_that_have_proxies_already() -> None:
    stack = [network("platform"), cluster(), gateway()]

    assert len(findings(gateway_has_proxy_subnet, *stack)) == 1
    assert findings(gateway_has_proxy_subnet, *stack, configuration={"networks": ["platform"]}) == []


# the VPC


def test_a_proxy_subnet_in_a_network_of_the_accelerators_is_found() -> None:
    [message] = that(proxy_subnet_lies_with_cluster, proxies=proxy_subnet(vpc="gvnic"))

    assert "beside the cluster's own" in message


def test_a_proxy_subnet_in_an_rdma_network_is_found() -> None:
    [message] = that(proxy_subnet_lies_with_cluster, extra=proxy_subnet("again", "rdma"))

    assert "the RDMA network" in message


@pytest.mark.parametrize(
    "of_cluster", [{"network": None, "subnetwork": None}, {"network": "default"}, {"network": "nodes"}]
)
def test_the_only_proxy_subnet_in_another_network_than_the_cluster_s_is_found(of_cluster: dict[str, Any]) -> None:
    said = findings(
        proxy_subnet_lies_with_cluster,
        network("nodes"),
        network("edge"),
        cluster(props=of_cluster),
        proxy_subnet(vpc="edge"),
    )

    assert "where no cluster is" in said[0]


@pytest.mark.parametrize(
    "others",
    [
        [proxy_subnet("own", "nodes", {"ipCidrRange": "172.18.0.0/23"})],
        [resource(FORWARDING, "lb", {"loadBalancingScheme": "INTERNAL_MANAGED", "network": "edge"})],
        [cluster("edge", {"network": "edge"})],
        [subnet("own", "nodes", "172.18.0.0/23", {"purpose": "REGIONAL_MANAGED_PROXY", "network": UNKNOWN})],
    ],
)
def test_a_second_proxy_subnet_for_something_else_is_silent(others: list[Resource]) -> None:
    base = [network("nodes"), network("edge"), cluster(props={"network": "nodes"}), proxy_subnet(vpc="edge")]

    assert findings(proxy_subnet_lies_with_cluster, *base, *others) == []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"cluster": None},
        {"cluster": host_cluster({"network": UNKNOWN})},
        {"cluster": host_cluster({"network": "shared"}), "proxies": proxy_subnet(vpc="shared"), "pool": None},
    ],
)
def test_a_proxy_subnet_with_its_cluster_is_silent(changes: dict[str, Resource | None]) -> None:
    assert that(proxy_subnet_lies_with_cluster, **changes) == []


# one of them


@pytest.mark.parametrize("props", [{}, {"role": None}, {"purpose": "INTERNAL_HTTPS_LOAD_BALANCER"}])
def test_a_second_active_proxy_subnet_is_found(props: dict[str, Any]) -> None:
    second = proxy_subnet("again", props={"ipCidrRange": "172.18.0.0/23", **props})

    [message] = that(proxy_subnet_is_single, second=second)

    assert 'The subnet "again"' in message
    assert '"proxies"' in message


@pytest.mark.parametrize(
    "props",
    [
        {"role": "BACKUP"},
        {"role": UNKNOWN},
        {"region": "us-east4"},
        {"region": UNKNOWN},
        {"network": "gvnic"},
        {"network": UNKNOWN},
        {"purpose": "GLOBAL_MANAGED_PROXY"},
        {"purpose": "PRIVATE"},
    ],
)
def test_a_second_proxy_subnet_elsewhere_or_as_backup_is_silent(props: dict[str, Any]) -> None:
    assert that(proxy_subnet_is_single, second=proxy_subnet("again", props=props)) == []


# role and size


@pytest.mark.parametrize("purpose", ["REGIONAL_MANAGED_PROXY", "GLOBAL_MANAGED_PROXY"])
def test_a_proxy_subnet_without_a_role_is_found(purpose: str) -> None:
    assert len(findings(proxy_subnet_has_role, proxy_subnet(props={"role": None, "purpose": purpose}))) == 1


def test_the_old_purpose_is_found() -> None:
    old = proxy_subnet(props={"purpose": "INTERNAL_HTTPS_LOAD_BALANCER"})

    assert "old purpose" in findings(proxy_subnet_has_role, old)[0]


@pytest.mark.parametrize(
    "made", [proxy_subnet(), proxy_subnet(props={"role": UNKNOWN}), subnet("x", "y", "10.0.0.0/24")]
)
def test_a_proxy_subnet_with_a_role_is_silent(made: Resource) -> None:
    assert findings(proxy_subnet_has_role, made) == []


@pytest.mark.parametrize("block", ["172.16.0.0/27", "172.16.0.0/29"])
def test_a_proxy_subnet_that_is_too_small_is_found(block: str) -> None:
    [message] = findings(proxy_subnet_is_large_enough, proxy_subnet(props={"ipCidrRange": block}))

    assert "/26" in message


@pytest.mark.parametrize(
    "made",
    [
        proxy_subnet(props={"ipCidrRange": "172.16.0.0/26"}),
        proxy_subnet(props={"ipCidrRange": UNKNOWN}),
        subnet("x", "y", "10.0.0.0/29"),
    ],
)
def test_a_proxy_subnet_that_is_large_enough_is_silent(made: Resource) -> None:
    assert findings(proxy_subnet_is_large_enough, made) == []
