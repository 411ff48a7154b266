from __future__ import annotations

from typing import Any

import pytest

from inference.rules.pod_networks import (
    mode_fits_network,
    network_has_parameters,
    network_names_parameters,
    parameters_are_complete,
    parameters_have_subnet,
)
from inference.rules.views.resources import Provider, Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import changed, cluster, custom, findings, resource
from tests.inference.rules.fabric_cases import gpu_pool, network, parameters, pod_network, subnet, that

L3 = {"type": "L3"}
RANGES = {"podIPv4Ranges": {"rangeNames": ["tenant"]}, "deviceMode": None}
DISTRIBUTED_CLOUD = {"type": "L2", "parametersRef": None, "nodeInterfaceMatcher": {"interfaceName": "vxlan0"}}


def on_provider(made: Resource, name: str) -> Resource:
    provider = Provider("pulumi:providers:kubernetes", name, f"urn:{name}")
    props = changed(dict(made.props.items()), {})
    return resource(made.type, f"{made.name}-{name}", props, provider=provider)


# Network


@pytest.mark.parametrize("kind", ["device", "Dev", None])
def test_a_network_without_a_right_type_is_found(kind: str | None) -> None:
    assert len(findings(network_names_parameters, pod_network("rdma-0", {"type": kind}))) == 1


@pytest.mark.parametrize(
    "reference", [{"kind": "NetworkAttachmentDefinition"}, {"group": "k8s.cni.cncf.io"}, {"name": None}]
)
def test_a_network_with_a_wrong_reference_is_found(reference: dict[str, Any]) -> None:
    assert len(findings(network_names_parameters, pod_network("rdma-0", {"parametersRef": reference}))) == 1


def test_a_device_network_with_a_long_name_is_found() -> None:
    assert len(findings(network_names_parameters, pod_network("rdma-" + "x" * 40))) == 1


@pytest.mark.parametrize(
    "made",
    [
        pod_network("rdma-0"),
        pod_network("tenant", L3),
        pod_network("default", {"parametersRef": None}),
        pod_network("rdma-0", {"type": UNKNOWN, "parametersRef": UNKNOWN}),
        pod_network("vlan", DISTRIBUTED_CLOUD),
        custom("networking.k8s.io/v1", "Network", "other", {}),
    ],
)
def test_a_whole_network_or_one_of_another_product_is_silent(made: Resource) -> None:
    assert findings(network_names_parameters, made) == []


# GKENetworkParamSet


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"deviceMode": "rdma"}, "case matters"),
        ({"deviceMode": "netdevice"}, "case matters"),
        ({"deviceMode": None}, "neither a deviceMode nor secondary ranges"),
        ({"vpc": None}, "has no vpc"),
        ({"vpcSubnet": None}, "has no vpcSubnet"),
        ({"podIPv4Ranges": {"rangeNames": ["pods"]}}, "and secondary ranges"),
        ({"networkAttachment": "projects/p/regions/r/networkAttachments/a"}, "exclude each other"),
        ({"vpc": "projects/p/global/networks/rdma"}, "Set vpc: rdma"),
        ({"vpcSubnet": "projects/p/regions/r/subnetworks/rdma-sub-0"}, "Set vpcSubnet: rdma-sub-0"),
    ],
)
def test_a_parameter_set_that_is_not_complete_is_found(spec: dict[str, Any], said: str) -> None:
    [message] = findings(parameters_are_complete, parameters("rdma-0", "rdma", "rdma-sub-0", spec=spec))

    assert said in message


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"deviceMode": "NetDevice"},
        {"deviceMode": "DPDK-VFIO"},
        RANGES,
        {"vpc": UNKNOWN, "vpcSubnet": UNKNOWN},
        {"deviceMode": UNKNOWN},
        {"podIPv4Ranges": UNKNOWN, "deviceMode": None},
        {
            "networkAttachment": "projects/p/regions/r/networkAttachments/a",
            "vpc": None,
            "vpcSubnet": None,
            "deviceMode": None,
        },
        {"networkAttachment": UNKNOWN, "vpc": None, "vpcSubnet": None},
    ],
)
def test_a_complete_parameter_set_is_silent(spec: dict[str, Any]) -> None:
    assert findings(parameters_are_complete, parameters("rdma-0", "rdma", "rdma-sub-0", spec=spec)) == []


def test_the_parameters_of_the_default_network_are_silent() -> None:
    assert findings(parameters_are_complete, parameters("default", "platform", "x", spec={"deviceMode": None})) == []


# device mode


@pytest.mark.parametrize("mode", ["NetDevice", "DPDK-VFIO"])
def test_another_mode_than_rdma_on_an_rdma_network_is_found(mode: str) -> None:
    [message] = that(mode_fits_network, parameters_0=parameters("rdma-0", "rdma", "rdma-sub-0", mode))

    assert "Set deviceMode: RDMA" in message


def test_the_mode_rdma_on_an_ordinary_network_is_found() -> None:
    [message] = that(mode_fits_network, gvnic_parameters=parameters("gvnic-1", "gvnic", "gvnic-0", "RDMA"))

    assert "an ordinary VPC" in message


def test_a_mode_on_a_network_that_an_edge_names_is_judged() -> None:
    vpc = network("gvnic")
    wrong = parameters("gvnic-1", "gvnic", "x", "RDMA", {"vpc": UNKNOWN}, property_dependencies={"spec": [vpc]})

    assert len(findings(mode_fits_network, vpc, wrong)) == 1


def test_an_undeclared_network_that_says_rdma_by_name_with_the_mode_netdevice_is_found() -> None:
    assert len(findings(mode_fits_network, parameters("rdma-0", "prod-rdma-net", "x", "NetDevice"))) == 1


@pytest.mark.parametrize(
    "made",
    [
        parameters("gvnic-1", "somewhere", "x", "NetDevice"),
        parameters("gvnic-1", "prod-rdma-net", "x", "NetDevice"),
        parameters("rdma-0", "rdma", "x", "NetDevice", {"vpc": UNKNOWN}),
        parameters("rdma-0", "rdma", "x", "RDMA", {"deviceMode": UNKNOWN}),
        parameters("tenant", "platform", "x", spec=RANGES),
        parameters("rdma-0", "elsewhere", "x", "RDMA"),
    ],
)
def test_a_mode_that_fits_or_cannot_be_judged_is_silent(made: Resource) -> None:
    assert that(mode_fits_network, extra=made) == []


def test_a_network_whose_profile_is_not_known_is_silent() -> None:
    assert that(mode_fits_network, rdma=network("rdma", {"networkProfile": UNKNOWN})) == []


# Network and its parameters


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"network_0": pod_network("rdma-0", {"parametersRef": {"name": "rdma-00"}})},
            "no GKENetworkParamSet has that",
        ),
        ({"parameters_0": None}, 'the parameters "rdma-0", and no'),
        ({"network_1": pod_network("rdma-1", {"parametersRef": {"name": "rdma-0"}})}, "like Network"),
        ({"network_0": pod_network("rdma-0", L3)}, "has the type L3"),
        ({"parameters_0": parameters("rdma-0", "rdma", "rdma-sub-0", spec=RANGES)}, "has no deviceMode"),
    ],
)
def test_a_network_without_parameters_of_its_own_is_found(changes: dict[str, Resource | None], said: str) -> None:
    [message] = that(network_has_parameters, **changes)

    assert said in message


def test_networks_whose_parameters_are_made_elsewhere_are_silent() -> None:
    assert findings(network_has_parameters, *(pod_network(f"rdma-{i}") for i in range(8))) == []


def test_a_parameter_set_with_a_name_not_known_yet_silences_a_miss() -> None:
    unnamed = custom("networking.gke.io/v1", "GKENetworkParamSet", "x", {}, {"metadata": {"name": UNKNOWN}})

    assert that(network_has_parameters, parameters_0=None, unnamed=unnamed) == []


def test_equal_objects_of_two_clusters_are_silent() -> None:
    made = [pod_network("rdma-0"), parameters("rdma-0", "rdma", "rdma-sub-0")]
    both = [on_provider(thing, name) for thing in made for name in ("one", "two")]

    assert findings(network_has_parameters, *both) == []
    assert findings(parameters_have_subnet, *both) == []


# subnets


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"parameters_0": parameters("rdma-0", "rdma", "rdma-sub-00")}, "SubnetNotFound"),
        ({"parameters_0": parameters("rdma-0", "rdma", "rdma-sub-1")}, "DeviceModeSubnetAlreadyInUse"),
        ({"parameters_0": parameters("rdma-0", "gvnic", "rdma-sub-0")}, "does not lie in its VPC"),
        (
            {"gvnic_parameters": parameters("x", "platform", "platform-nodes", "NetDevice")},
            "DeviceModeCantUseDefaultVPC",
        ),
        ({"pool": gpu_pool(attached=[("gvnic", "gvnic-0")])}, "which no node pool attaches"),
        (
            {"extra": parameters("t", "platform", "platform-nodes", spec=RANGES)},
            'names the secondary range "tenant"',
        ),
    ],
)
def test_parameters_without_a_subnet_of_their_own_that_a_pool_attaches_are_found(
    changes: dict[str, Resource], said: str
) -> None:
    assert any(said in message for message in that(parameters_have_subnet, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pool": gpu_pool(props={"networkConfig": {"additionalNodeNetworkConfigs": UNKNOWN}})},
        {"pool": gpu_pool(attached=[("rdma", UNKNOWN)] * 9)},  # type: ignore[list-item]
        {"cluster": cluster(props={"clusterAutoscaling": {"enabled": True}}), "pool": gpu_pool(attached=[("a", "b")])},
        {"parameters_0": parameters("rdma-0", "rdma", "rdma-sub-0", spec={"vpcSubnet": UNKNOWN})},
        {
            "tenant": parameters(
                "t", "platform", "platform-nodes", spec={**RANGES, "podIPv4Ranges": {"rangeNames": ["pods"]}}
            )
        },
    ],
)
def test_parameters_with_a_subnet_that_is_right_or_not_known_are_silent(changes: dict[str, Resource]) -> None:
    assert that(parameters_have_subnet, **changes) == []


def test_a_subnet_of_a_network_that_others_make_is_silent() -> None:
    assert (
        findings(parameters_have_subnet, parameters("rdma-0", "elsewhere", "sub-0"), subnet("a", "b", "10.0.0.0/8"))
        == []
    )
