from __future__ import annotations

from typing import Any

import pytest

from inference.rules.fabric_pools import (
    cluster_enables_multi_networking,
    cluster_uses_dataplane_v2,
    gpu_networks_have_mtu,
    pool_attaches_whole_fabric,
    pool_networks_are_of_their_kind,
    pool_runs_cos,
    pool_stands_in_zone,
    version_supports_fabric,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import cluster, findings
from tests.inference.rules.fabric_cases import ROCE, gpu_pool, host_cluster, network, platform, subnet, that

RDMA = [("rdma", f"rdma-sub-{i}") for i in range(8)]
GVNIC = ("gvnic", "gvnic-0")
METAL = "a4x-maxgpu-4g-metal"
MEGA = "a3-megagpu-8g", "nvidia-h100-mega-80gb"
VPCS = [(f"gpu-{i}", f"gpu-sub-{i}") for i in range(8)]


def inline(pool: Resource, **props: Any) -> Resource:
    """Put a pool into its cluster."""
    own = {key: value for key, value in pool.props.items() if key not in {"cluster", "location"}}
    return host_cluster({"nodePools": [own], **props})


def mega(mtu: Any = 8244) -> dict[str, Resource]:
    found = {f"gpu-{i}": network(f"gpu-{i}", {"mtu": mtu}) for i in range(8)}
    found |= {f"gpu-sub-{i}": subnet(f"gpu-sub-{i}", f"gpu-{i}", f"192.168.{i + 32}.0/24") for i in range(8)}
    return {**found, "pool": gpu_pool(*MEGA, VPCS)}


# cluster


@pytest.mark.parametrize("provider", ["LEGACY_DATAPATH", "DATAPATH_PROVIDER_UNSPECIFIED", None])
@pytest.mark.parametrize("enabled", [True, "true"])
def test_multi_networking_without_dataplane_v2_is_found(provider: str | None, enabled: Any) -> None:
    wrong = cluster(props={"enableMultiNetworking": enabled, "datapathProvider": provider})

    [message] = findings(cluster_uses_dataplane_v2, wrong)

    assert "ADVANCED_DATAPATH" in message


def test_multi_networking_on_routes_is_found() -> None:
    assert len(findings(cluster_uses_dataplane_v2, host_cluster({"networkingMode": "ROUTES"}))) == 1


def test_multi_networking_on_a_dual_stack_cluster_is_found() -> None:
    assert (
        len(findings(cluster_uses_dataplane_v2, host_cluster({"ipAllocationPolicy": {"stackType": "IPV4_IPV6"}}))) == 1
    )


@pytest.mark.parametrize(
    "props",
    [
        {},
        {"networkingMode": "VPC_NATIVE"},
        {"datapathProvider": UNKNOWN},
        {"enableMultiNetworking": False, "datapathProvider": None},
        {"enableMultiNetworking": UNKNOWN, "datapathProvider": None},
        {"enableAutopilot": True, "datapathProvider": None},
    ],
)
def test_multi_networking_with_dataplane_v2_is_silent(props: dict[str, Any]) -> None:
    assert findings(cluster_uses_dataplane_v2, host_cluster(props)) == []


@pytest.mark.parametrize("enabled", [False, None, "false"])
def test_additional_networks_on_a_cluster_without_multi_networking_are_found(enabled: Any) -> None:
    without = host_cluster({"enableMultiNetworking": enabled})

    said = that(cluster_enables_multi_networking, cluster=without)

    assert "9 additional networks" in said[0]


def test_additional_networks_of_a_pool_inside_such_a_cluster_are_found() -> None:
    whole = inline(gpu_pool(), enableMultiNetworking=False)

    said = that(cluster_enables_multi_networking, cluster=whole, pool=None)

    assert 'inside the cluster "platform"' in said[0]


@pytest.mark.parametrize("enabled", [True, "true", UNKNOWN])
def test_additional_networks_on_a_cluster_with_multi_networking_are_silent(enabled: Any) -> None:
    assert that(cluster_enables_multi_networking, cluster=host_cluster({"enableMultiNetworking": enabled})) == []


@pytest.mark.parametrize(
    "pool",
    [
        gpu_pool(METAL, "nvidia-gb300"),
        gpu_pool(props={"nodeConfig": {"labels": {"cloud.google.com/gke-networking-dra-driver": "true"}}}),
        gpu_pool(attached=[]),
        gpu_pool(props={"networkConfig": {"additionalNodeNetworkConfigs": UNKNOWN}}),
        gpu_pool(props={"cluster": "projects/p/locations/us-central1/clusters/another"}),
    ],
)
def test_a_pool_that_needs_no_multi_networking_is_silent(pool: Resource) -> None:
    without = host_cluster({"enableMultiNetworking": False})

    assert findings(cluster_enables_multi_networking, without, pool) == []


@pytest.mark.parametrize("kept", ["gvnic_network", "gvnic_parameters"])
def test_network_objects_in_a_cluster_without_multi_networking_are_found_once(kept: str) -> None:
    gone = {key.replace("-", "_"): None for key in platform() if "network" in key or "parameters" in key}
    changes = {**gone, "pool": None, kept: platform()[kept.replace("_", "-")]}

    [message] = that(cluster_enables_multi_networking, cluster=host_cluster({"enableMultiNetworking": None}), **changes)

    assert "no matches for kind" in message


# the whole fabric


@pytest.mark.parametrize(
    ("pool", "needed"),
    [
        (gpu_pool(attached=[GVNIC, *RDMA[:4]]), "1 gVNIC network and 8 RDMA subnets"),
        (gpu_pool(attached=RDMA), "1 gVNIC network and 8 RDMA subnets"),
        (gpu_pool("a4-highgpu-8g", "nvidia-b200", [GVNIC, *RDMA[:7]]), "8 RDMA subnets"),
        (gpu_pool("a4x-highgpu-4g", "nvidia-gb200", [GVNIC, *RDMA]), "4 RDMA subnets"),
        (gpu_pool(*MEGA, VPCS[:4]), "8 VPCs for the GPUs"),
        (gpu_pool("a3-highgpu-8g", "nvidia-h100-80gb", VPCS), "4 VPCs for the GPUs"),
    ],
)
def test_a_pool_with_another_number_of_networks_than_its_fabric_is_found(pool: Resource, needed: str) -> None:
    [message] = findings(pool_attaches_whole_fabric, pool)

    assert needed in message


def test_a_pool_inside_its_cluster_with_too_few_networks_is_found() -> None:
    [message] = findings(pool_attaches_whole_fabric, inline(gpu_pool(attached=[GVNIC, *RDMA[:4]])))

    assert message.startswith('The node pool "gpus" inside the cluster')


def test_a_subnet_that_is_attached_twice_is_found() -> None:
    [message] = findings(pool_attaches_whole_fabric, gpu_pool(attached=[GVNIC, *RDMA[:7], ("rdma", "rdma-sub-0")]))

    assert '"rdma-sub-0" 2 times' in message


def test_more_networks_than_a_node_has_are_found() -> None:
    many = [(f"v{i}", f"s{i}") for i in range(10)]

    [message] = findings(pool_attaches_whole_fabric, gpu_pool("n2-standard-32", "nvidia-l4", many))

    assert "at most 10" in message


@pytest.mark.parametrize(
    "pool",
    [
        gpu_pool(),
        gpu_pool(attached=[]),
        gpu_pool(attached=[GVNIC]),
        gpu_pool("a4x-highgpu-4g", "nvidia-gb200", [GVNIC, *RDMA[:4]]),
        gpu_pool(METAL, "nvidia-gb300", [GVNIC, *[("rdma", "default-subnet-1-rdma")] * 8]),
        gpu_pool("a3-highgpu-8g", "nvidia-h100-80gb", VPCS[:4]),
        gpu_pool("g2-standard-48", "nvidia-l4", [GVNIC, ("storage", "storage-0")]),
        gpu_pool(props={"nodeConfig": {"machineType": UNKNOWN}}, attached=RDMA[:2]),
        gpu_pool(props={"networkConfig": {"additionalNodeNetworkConfigs": UNKNOWN}}),
        gpu_pool(props={"networkConfig": UNKNOWN}),
        gpu_pool(attached=[("rdma", UNKNOWN)] * 9),  # type: ignore[list-item]
    ],
)
def test_a_pool_with_its_whole_fabric_or_none_of_it_is_silent(pool: Resource) -> None:
    assert findings(pool_attaches_whole_fabric, pool) == []


# kinds of networks


def test_rdma_nics_on_an_ordinary_network_are_found() -> None:
    [message] = that(pool_networks_are_of_their_kind, rdma=network("rdma"))

    assert "attaches 0 RDMA subnets and 9 ordinary ones" in message


def test_an_rdma_network_on_a_machine_without_rdma_is_found() -> None:
    [message] = that(pool_networks_are_of_their_kind, pool=gpu_pool("g2-standard-48", "nvidia-l4", RDMA[:1]))

    assert "no RDMA NICs" in message


def test_an_rdma_network_of_the_wrong_profile_is_found() -> None:
    metal = network("rdma", {"networkProfile": ROCE + "-metal"})

    [message] = that(pool_networks_are_of_their_kind, rdma=metal)

    assert "<zone>-vpc-roce" in message


def test_gpu_nics_that_share_a_vpc_on_a3_mega_are_found() -> None:
    shared = gpu_pool(*MEGA, [("gpu-0", f"gpu-sub-{i}") for i in range(8)])

    said = that(pool_networks_are_of_their_kind, **{**mega(), "pool": shared})

    assert '"gpu-0" to 8 NICs' in said[0]


def test_the_vpc_of_the_cluster_as_additional_network_is_found() -> None:
    said = that(pool_networks_are_of_their_kind, pool=gpu_pool(attached=[("platform", "platform-nodes"), *RDMA]))

    assert len(said) == 1
    assert "the VPC of the cluster itself" in said[0]


def test_a_subnet_of_another_network_than_the_one_beside_it_is_found() -> None:
    said = that(pool_networks_are_of_their_kind, pool=gpu_pool(attached=[("gvnic", "rdma-sub-0"), *RDMA]))

    assert any("lies in another network" in message for message in said)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"rdma": network("rdma", {"networkProfile": UNKNOWN})},
        {"rdma": None},
        {"pool": gpu_pool(props={"nodeConfig": {"machineType": "a9-giga-16g"}})},
    ],
)
def test_networks_of_their_kind_or_unknown_ones_are_silent(changes: dict[str, Resource | None]) -> None:
    assert that(pool_networks_are_of_their_kind, **changes) == []


def test_a_pool_of_a3_mega_with_a_vpc_for_each_nic_is_silent() -> None:
    assert that(pool_networks_are_of_their_kind, **mega()) == []


# zone


@pytest.mark.parametrize("zones", [["us-central1-a"], ["us-central1-a", "us-central1-b"]])
def test_a_pool_outside_the_zone_of_its_rdma_network_is_found(zones: list[str]) -> None:
    [message] = that(pool_stands_in_zone, pool=gpu_pool(props={"nodeLocations": zones}))

    assert "nodeLocations: [us-central1-b]" in message


def test_a_pool_that_names_no_zone_on_an_rdma_network_is_found() -> None:
    [message] = that(pool_stands_in_zone, pool=gpu_pool(props={"nodeLocations": None}))

    assert "names no zone" in message


def test_a_pool_on_rdma_networks_of_two_zones_is_found() -> None:
    other = network("rdma-c", {"networkProfile": "us-central1-c-vpc-roce"})
    pool = gpu_pool(attached=[GVNIC, *RDMA[:7], ("rdma-c", "rdma-c-0")])

    [message] = that(pool_stands_in_zone, other=other, pool=pool)

    assert "different zones" in message


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pool": gpu_pool(props={"nodeLocations": UNKNOWN})},
        {
            "cluster": host_cluster({"nodeLocations": ["us-central1-b"]}),
            "pool": gpu_pool(props={"nodeLocations": None}),
        },
        {"pool": gpu_pool(attached=[GVNIC], props={"nodeLocations": ["us-central1-a"]})},
    ],
)
def test_a_pool_in_the_zone_of_its_rdma_network_is_silent(changes: dict[str, Resource]) -> None:
    assert that(pool_stands_in_zone, **changes) == []


def test_a_pool_over_zones_on_rdma_networks_that_others_make_is_found() -> None:
    pool = gpu_pool(props={"nodeLocations": ["us-central1-a", "us-central1-b"]})

    [message] = findings(pool_stands_in_zone, pool, host_cluster())

    assert "one zone only" in message


@pytest.mark.parametrize("attached", [[], [GVNIC]])
def test_a_pool_over_zones_without_rdma_networks_is_silent(attached: list[tuple[str, str]]) -> None:
    pool = gpu_pool(attached=attached, props={"nodeLocations": ["us-central1-a", "us-central1-b"]})

    assert findings(pool_stands_in_zone, pool, host_cluster()) == []


def test_in_a_preview_the_edges_of_a_pool_tell_its_networks() -> None:
    vpc, own = network("rdma", {"networkProfile": ROCE}), subnet("s", "rdma", "192.168.1.0/24")
    unknown = {"networkConfig": {"additionalNodeNetworkConfigs": [{"network": UNKNOWN, "subnetwork": UNKNOWN}] * 9}}
    pool = gpu_pool(
        props={**unknown, "nodeLocations": ["us-central1-a"]}, property_dependencies={"networkConfig": [own]}
    )

    assert "profile of the zone us-central1-b" in findings(pool_stands_in_zone, vpc, own, pool, host_cluster())[0]


# image and version


@pytest.mark.parametrize("image", ["UBUNTU_CONTAINERD", "ubuntu_containerd", "WINDOWS_LTSC_CONTAINERD"])
def test_another_image_than_cos_on_a_fabric_is_found(image: str) -> None:
    assert len(findings(pool_runs_cos, gpu_pool(props={"nodeConfig": {"imageType": image}}))) == 1


@pytest.mark.parametrize(
    "pool",
    [
        gpu_pool(),
        gpu_pool(props={"nodeConfig": {"imageType": "cos_containerd"}}),
        gpu_pool(props={"nodeConfig": {"imageType": UNKNOWN}}),
        gpu_pool(attached=[], props={"nodeConfig": {"imageType": "UBUNTU_CONTAINERD"}}),
        gpu_pool("g2-standard-48", "nvidia-l4", [GVNIC], {"nodeConfig": {"imageType": "UBUNTU_CONTAINERD"}}),
    ],
)
def test_cos_on_a_fabric_or_another_image_without_one_is_silent(pool: Resource) -> None:
    assert findings(pool_runs_cos, pool) == []


@pytest.mark.parametrize(
    ("machine", "attached", "version"),
    [
        (("a3-ultragpu-8g", "nvidia-h200-141gb"), None, "1.31.4-gke.1000000"),
        (("a3-ultragpu-8g", "nvidia-h200-141gb"), None, "1.30"),
        (("a4-highgpu-8g", "nvidia-b200"), None, "1.32.1-gke.1729000"),
        (MEGA, VPCS, "1.31.13-gke.1"),
        (("a3-highgpu-8g", "nvidia-h100-80gb"), VPCS[:4], "1.27.16-gke.1"),
    ],
)
def test_a_gke_that_does_not_support_the_fabric_is_found(
    machine: tuple[str, str], attached: list[tuple[str, str]] | None, version: str
) -> None:
    pool = gpu_pool(*machine, attached)

    assert len(that(version_supports_fabric, pool=pool, cluster=host_cluster({"minMasterVersion": version}))) == 1
    newer = host_cluster({"minMasterVersion": "1.36"})
    assert (
        len(that(version_supports_fabric, pool=gpu_pool(*machine, attached, {"version": version}), cluster=newer)) == 1
    )


@pytest.mark.parametrize("version", ["1.35", "1.31.4-gke.1183000", "1.31", "latest", None, UNKNOWN, 1.3])
def test_a_gke_that_supports_the_fabric_or_may_do_so_is_silent(version: Any) -> None:
    assert that(version_supports_fabric, cluster=host_cluster({"minMasterVersion": version})) == []


def test_an_old_gke_without_the_fabric_is_left_to_other_rules() -> None:
    old = host_cluster({"minMasterVersion": "1.30"})

    assert that(version_supports_fabric, cluster=old, pool=gpu_pool(attached=[])) == []


# MTU of A3 Mega and A3 High


@pytest.mark.parametrize("mtu", [None, 1460, 8896.0])
def test_gpu_networks_of_a3_mega_with_another_mtu_are_found(mtu: Any) -> None:
    said = that(gpu_networks_have_mtu, **mega(mtu))

    assert len(said) == 8
    assert "Set mtu: 8244" in said[0]


@pytest.mark.parametrize("mtu", [8244, 8244.0, UNKNOWN])
def test_gpu_networks_of_a3_mega_with_their_mtu_are_silent(mtu: Any) -> None:
    assert that(gpu_networks_have_mtu, **mega(mtu)) == []


def test_the_host_network_of_a3_ultra_may_have_any_mtu() -> None:
    assert that(gpu_networks_have_mtu, gvnic=network("gvnic", {"mtu": 1460})) == []
