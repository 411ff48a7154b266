from __future__ import annotations

from typing import Any

import pytest

from inference.rules.networking import (
    group_on_host_resolves_names,
    network_services_is_enabled,
    pod_with_interfaces_is_not_on_host,
    pods_on_host_stay_apart,
    private_nodes_reach_registries,
    sources_are_own_subnets,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import (
    cluster,
    container,
    custom,
    deployment,
    findings,
    leader_worker_set,
    node_pool,
    resource,
)
from tests.inference.rules.fabric_cases import (
    ROCE,
    firewall,
    group,
    host_cluster,
    installer,
    marked,
    network,
    subnet,
    that,
)

SERVICE = "gcp:projects/service:Service"
NAT = "gcp:compute/routerNat:RouterNat"


# firewall


@pytest.mark.parametrize(
    "allows",
    [
        [{"protocol": "tcp", "ports": ["0-65535"]}],
        [{"protocol": "all"}],
        [{"protocol": "UDP"}],
        [{"protocol": "icmp"}, {"protocol": "tcp", "ports": ["1-65535"]}],
    ],
)
@pytest.mark.parametrize("source", ["192.168.0.0/16", "192.168.0.0/23", "0.0.0.0/0"])
def test_a_rule_that_allows_everything_from_more_than_its_subnets_is_found(
    source: str, allows: list[dict[str, Any]]
) -> None:
    wide = firewall("gvnic-internal", "gvnic", [source], {"allows": allows})

    [message] = that(sources_are_own_subnets, gvnic_firewall=wide)

    assert f"allows every port from {source}" in message
    assert "sourceRanges: [192.168.0.0/24]" in message


def test_a_range_that_covers_a_part_of_the_network_and_more_is_found() -> None:
    wide = firewall("x", "platform", ["10.0.0.0/16"])

    assert len(that(sources_are_own_subnets, wide=wide)) == 1


@pytest.mark.parametrize(
    "made",
    [
        firewall("x", "gvnic", ["192.168.0.0/24"]),
        firewall("x", "gvnic", ["192.168.0.0/25"]),
        firewall("x", "platform", ["10.0.0.0/20", "10.4.0.0/14", "10.0.32.0/20"]),
        firewall("x", "platform", ["35.191.0.0/16", "130.211.0.0/22"]),
        firewall("x", "gvnic", ["192.168.0.0/16"], {"allows": [{"protocol": "tcp", "ports": ["22"]}]}),
        firewall("x", "gvnic", ["192.168.0.0/16"], {"allows": None, "denies": [{"protocol": "all"}]}),
        firewall("x", "gvnic", ["192.168.0.0/16"], {"direction": "EGRESS"}),
        firewall("x", "gvnic", ["192.168.0.0/16"], {"disabled": True}),
        firewall("x", "gvnic", [UNKNOWN]),
        firewall("x", "gvnic", ["192.168.0.0/16"], {"network": UNKNOWN}),
        firewall("x", "elsewhere", ["0.0.0.0/0"]),
        firewall("x", "gvnic", ["::/0", "nonsense"]),
    ],
)
def test_a_rule_that_names_its_own_subnets_or_some_ports_is_silent(made: Resource) -> None:
    assert that(sources_are_own_subnets, made=made) == []


def test_subnets_that_fill_the_range_together_are_silent() -> None:
    halves = {
        "gvnic_0": subnet("gvnic-0", "gvnic", "192.168.0.0/25"),
        "gvnic_1": subnet("g1", "gvnic", "192.168.0.128/25"),
    }

    assert that(sources_are_own_subnets, **halves) == []


def test_a_subnet_whose_range_is_not_known_silences_the_comparison() -> None:
    wide = firewall("x", "gvnic", ["192.168.0.0/16"])

    assert that(sources_are_own_subnets, wide=wide, more=subnet("more", "gvnic", UNKNOWN)) == []  # type: ignore[arg-type]


# the API of the gateway


def services(*names: Any) -> dict[str, Resource]:
    return {f"api-{i}": resource(SERVICE, f"api-{i}", {"service": name}) for i, name in enumerate(names)}


def gateway(class_name: str = "gke-l7-regional-external-managed") -> Resource:
    return custom("gateway.networking.k8s.io/v1", "Gateway", "inference", {"gatewayClassName": class_name})


def route(kind: str = "InferencePool", group_name: str = "inference.networking.k8s.io") -> Resource:
    rules = [{"backendRefs": [{"group": group_name, "kind": kind, "name": "llama"}]}]
    return custom(
        "gateway.networking.k8s.io/v1", "HTTPRoute", "llama", {"parentRefs": [{"name": "inference"}], "rules": rules}
    )


BASE = ("container.googleapis.com", "compute.googleapis.com")


def test_a_pool_behind_a_gateway_without_network_services_is_found() -> None:
    [message] = findings(network_services_is_enabled, *services(*BASE).values(), gateway(), route())

    assert "networkservices.googleapis.com" in message


def test_an_extension_of_requests_without_network_services_is_found() -> None:
    extension = custom("networking.gke.io/v1", "GCPTrafficExtension", "auth", {})

    assert len(findings(network_services_is_enabled, *services(*BASE).values(), gateway(), extension)) == 1


@pytest.mark.parametrize(
    "stack",
    [
        [*services(*BASE, "networkservices.googleapis.com").values(), gateway(), route()],
        [*services(*BASE, UNKNOWN).values(), gateway(), route()],
        [*services("aiplatform.googleapis.com").values(), gateway(), route()],
        [gateway(), route()],
        [*services(*BASE).values(), gateway("istio"), route()],
        [*services(*BASE).values(), gateway(), route("Service", "")],
        [*services(*BASE).values(), route()],
    ],
)
def test_a_program_with_the_api_or_that_leaves_apis_to_others_is_silent(stack: list[Resource]) -> None:
    assert findings(network_services_is_enabled, *stack) == []


# private nodes


@pytest.mark.parametrize(
    "image", ["vllm/vllm-openai:v0.32.0", "nvcr.io/nim/meta/llama:1", "ghcr.io/llm-d/llm-d-cuda:v1"]
)
def test_private_nodes_without_nat_that_pull_from_the_internet_are_found(image: str) -> None:
    server = deployment(containers=[container({"image": image})])

    [message] = that(private_nodes_reach_registries, nat=None, group=server)

    assert image in message


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"cluster": host_cluster({"privateClusterConfig": None})},
        {"cluster": host_cluster({"privateClusterConfig": {"enablePrivateNodes": UNKNOWN}})},
        {"cluster": host_cluster({"network": "projects/host/global/networks/shared"})},
        {"group": deployment(containers=[container({"image": "europe-docker.pkg.dev/p/r/vllm:1"})])},
        {"group": deployment(containers=[container({"image": "registry.corp.internal:5000/vllm:1"})])},
        {"group": deployment(containers=[container({"image": UNKNOWN})])},
        {"extra": resource("gcp:compute/vPNTunnel:VPNTunnel", "t", {})},
        {"extra": resource("gcp:compute/route:Route", "r", {"destRange": "0.0.0.0/0", "nextHopIlb": "proxy"})},
        {"pool": node_pool(props={"networkConfig": {"enablePrivateNodes": False}}), "group": deployment()},
    ],
)
def test_nodes_with_a_way_out_or_that_need_none_are_silent(changes: dict[str, Resource]) -> None:
    nat = {} if not changes else {"nat": None}

    assert that(private_nodes_reach_registries, **nat, **changes) == []


ROUTER = "gcp:compute/router:Router"


@pytest.mark.parametrize(
    ("router", "nat", "found"),
    [
        ({"network": "platform", "region": "us-central1"}, {}, False),
        ({"network": "platform", "region": "us-east1"}, {"region": "us-east1"}, True),
        ({"network": "gvnic", "region": "us-central1"}, {}, True),
        ({"network": UNKNOWN, "region": "us-central1"}, {}, False),
        ({"network": "platform", "region": UNKNOWN}, {"region": UNKNOWN}, False),
    ],
)
def test_a_nat_serves_its_own_network_and_region_only(router: dict[str, Any], nat: dict[str, Any], found: bool) -> None:
    made = resource(NAT, "nat", {"router": "exit", **nat})
    exit_ = resource(ROUTER, "exit", {"name": "exit", **router})
    said = that(private_nodes_reach_registries, nat=made, router=exit_, group=deployment())

    assert bool(said) is found


# pods on the host's network


@pytest.mark.parametrize("on_host", [True, "true"])
def test_a_pod_with_interfaces_on_the_host_s_network_is_found(on_host: Any) -> None:
    assert len(findings(pod_with_interfaces_is_not_on_host, group(pod={"hostNetwork": on_host}))) == 2


@pytest.mark.parametrize(
    "made",
    [
        group(),
        group(pod={"hostNetwork": False}),
        group(pod={"hostNetwork": UNKNOWN}),
        group(pod={"hostNetwork": True}, annotated={}),
        installer(),
    ],
)
def test_a_pod_with_interfaces_or_on_the_host_s_network_is_silent(made: Resource) -> None:
    assert findings(pod_with_interfaces_is_not_on_host, made) == []


@pytest.mark.parametrize("policy", [None, "ClusterFirst", "Default"])
def test_a_group_on_the_host_s_network_without_cluster_dns_is_found(policy: str | None) -> None:
    made = group(pod={"hostNetwork": True, "dnsPolicy": policy}, annotated={})

    assert "LWS_LEADER_ADDRESS" in findings(group_on_host_resolves_names, made)[0]


@pytest.mark.parametrize(
    "made",
    [
        group(pod={"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}),
        group(pod={"hostNetwork": True, "dnsPolicy": UNKNOWN}),
        group(),
        group(pod={"hostNetwork": True}, size=1),
        installer(),
        deployment(pod={"hostNetwork": True}),
    ],
)
def test_a_group_that_resolves_names_is_silent(made: Resource) -> None:
    assert findings(group_on_host_resolves_names, made) == []


ON_HOST = {"hostNetwork": True}
FOUR_L4 = node_pool(
    props={"nodeConfig": {"machineType": "g2-standard-48", "guestAccelerators": [{"type": "nvidia-l4", "count": 4}]}}
)
APART = {
    "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname"}]}
}
HOST_PORT = [container({"ports": [{"containerPort": 8000, "hostPort": 8000.0}]})]


@pytest.mark.parametrize(
    "made",
    [
        deployment(pod=ON_HOST, spec={"replicas": 2}),
        deployment(containers=HOST_PORT, spec={"replicas": 3.0}),
        leader_worker_set(containers=[container()], leader=ON_HOST, worker=ON_HOST),
    ],
)
def test_model_pods_that_may_meet_on_a_node_are_found(made: Resource) -> None:
    assert findings(pods_on_host_stay_apart, cluster(), FOUR_L4, made)
    assert findings(pods_on_host_stay_apart, made)


@pytest.mark.parametrize(
    "made",
    [
        deployment(pod=ON_HOST, spec={"replicas": 1}),
        deployment(pod=ON_HOST, spec={"replicas": UNKNOWN}),
        deployment(spec={"replicas": 4}),
        deployment(pod={**ON_HOST, "affinity": APART}, spec={"replicas": 2}),
        deployment(pod={**ON_HOST, "affinity": UNKNOWN}, spec={"replicas": 2}),
        deployment(containers=[container({"resources": None})], pod=ON_HOST, spec={"replicas": 2}),
        leader_worker_set(leader=ON_HOST, worker=ON_HOST),
        installer(),
    ],
)
def test_pods_that_cannot_meet_or_do_not_mind_are_silent(made: Resource) -> None:
    assert findings(pods_on_host_stay_apart, cluster(), FOUR_L4, made) == []


def test_pods_on_nodes_with_one_gpu_cannot_meet() -> None:
    assert (
        findings(pods_on_host_stay_apart, cluster(), node_pool(), deployment(pod=ON_HOST, spec={"replicas": 2})) == []
    )


def test_malformed_firewalls_never_crash() -> None:
    for odd in ({"allows": "all"}, {"allows": [{"protocol": 6}]}, {"sourceRanges": {"a": 1}}, {"network": [1]}):
        that(sources_are_own_subnets, odd=firewall("odd", "gvnic", ["0.0.0.0/0"], odd))


def test_an_rdma_network_is_left_to_the_rule_that_forbids_firewalls() -> None:
    vpc = network("rdma", {"networkProfile": ROCE})

    assert that(sources_are_own_subnets, rdma=vpc, wide=firewall("x", "rdma", ["192.168.0.0/16"])) == []


def test_a_pod_with_interfaces_in_a_deployment_is_judged_alike() -> None:
    made = deployment(pod=ON_HOST, annotations=marked(["gvnic-1"], first=1))

    assert len(findings(pod_with_interfaces_is_not_on_host, made)) == 1


@pytest.mark.parametrize(
    ("sources", "found"),
    [
        ({}, True),
        ({"sourceRanges": []}, True),
        ({"sourceTags": ["gpu"]}, False),
        ({"sourceServiceAccounts": ["a@b.c"]}, False),
        ({"sourceRanges": UNKNOWN}, False),
        ({"sourceTags": UNKNOWN}, False),
    ],
)
def test_a_rule_without_any_source_admits_everybody(sources: dict[str, Any], found: bool) -> None:
    vpc = resource("gcp:compute/network:Network", "vpc", {"name": "vpc"})
    nodes = resource("gcp:compute/subnetwork:Subnetwork", "s", {"network": "vpc", "ipCidrRange": "10.0.0.0/20"})
    props = {"network": "vpc", "allows": [{"protocol": "all"}], **sources}
    said = findings(sources_are_own_subnets, vpc, nodes, resource("gcp:compute/firewall:Firewall", "all", props))

    assert bool(said) is found
