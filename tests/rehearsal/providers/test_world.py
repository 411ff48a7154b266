"""What the stand-in cloud remembers, what it refuses, and what goes along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from rehearsal.providers.served import CHARTS
from rehearsal.values import Secret
from tests.rehearsal.providers.conftest import CLUSTER, NETWORK, POOL, SUBNETWORK, Cloud, Plugin, urn

ACCOUNT = "kubernetes:core/v1:ServiceAccount"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway"
GROUP = "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet"
NAMESPACE = "kubernetes:core/v1:Namespace"
RELEASE = "kubernetes:helm.sh/v3:Release"
SERVICE = "kubernetes:core/v1:Service"


def named(name: str, namespace: str = "default", **more: object) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": namespace}, **more}


def test_another_process_sees_the_same_cloud(cloud: Cloud, serve: Callable[..., Plugin]) -> None:
    identity = cloud.gcp.make(NETWORK, "vpc", {"name": "vpc"})
    other = serve("gcp")
    assert other.read(urn(NETWORK, "vpc"), identity, {"name": "vpc"}).id == identity


def test_what_was_deleted_is_gone(cloud: Cloud) -> None:
    identity = cloud.gcp.make(NETWORK, "vpc", {"name": "vpc"})
    cloud.gcp.delete(NETWORK, "vpc")
    assert cloud.gcp.read(urn(NETWORK, "vpc"), identity, {"name": "vpc"}).id == ""
    cloud.gcp.delete(NETWORK, "vpc")


def test_what_stood_before_the_stack_can_be_read(cloud: Cloud) -> None:
    found = cloud.gcp.read(urn(NETWORK, "shared"), "projects/p/global/networks/shared")
    assert found.id == "projects/p/global/networks/shared"
    assert found.properties["selfLink"]


def test_a_resource_can_be_adopted_by_its_id(cloud: Cloud) -> None:
    identity = cloud.gcp.make(NETWORK, "vpc", {"name": "vpc", "mtu": 1460})
    assert cloud.gcp.read(urn(NETWORK, "vpc"), identity).inputs["mtu"] == 1460


@pytest.mark.parametrize(
    ("package", "token", "inputs"),
    [
        ("gcp", CLUSTER, {"name": "c", "location": "us-central1"}),
        ("kubernetes", ACCOUNT, {"metadata": {"name": "a"}}),
    ],
)
def test_a_name_is_taken_once(cloud: Cloud, package: str, token: str, inputs: dict[str, object]) -> None:
    plugin: Plugin = getattr(cloud, package)
    plugin.create(urn(token, "one"), inputs)
    with pytest.raises(grpc.RpcError, match="Already Exists"):
        plugin.create(urn(token, "two"), inputs)


def test_what_many_may_grant_or_enable_may_be_there_already(cloud: Cloud) -> None:
    for name in ("one", "two"):
        cloud.gcp.make("gcp:projects/service:Service", name, {"service": "compute.googleapis.com"})
        cloud.gcp.make("gcp:projects/iAMMember:IAMMember", name, {"role": "r", "member": "m", "project": "p"})


def test_an_update_of_what_is_gone_fails(cloud: Cloud) -> None:
    cloud.gcp.make(NETWORK, "vpc", {"name": "vpc"})
    cloud.gcp.delete(NETWORK, "vpc")
    with pytest.raises(grpc.RpcError, match="was not found"):
        cloud.gcp.update(urn(NETWORK, "vpc"), {"name": "vpc", "mtu": 1460})


@pytest.mark.parametrize("preview", [True, False])
@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("resource.k8s.io/v1:ResourceClaimTemplate", "spec"),
        ("resource.nvidia.com/v1beta1:ComputeDomain", "spec"),
        ("storage.k8s.io/v1:StorageClass", "reclaimPolicy"),
    ],
)
def test_a_field_that_no_update_changes_is_refused_in_preview_and_update(
    cloud: Cloud, kind: str, path: str, preview: bool
) -> None:
    token = urn(f"kubernetes:{kind}")
    made = {"metadata": {"name": "a"}, path: "one"}
    cloud.kubernetes.create(token, made)
    cloud.kubernetes.update(token, {**made, "metadata": {"name": "a", "labels": {"a": "b"}}}, preview=preview)
    with pytest.raises(grpc.RpcError, match=f"{path}: Invalid value: field is immutable"):
        cloud.kubernetes.update(token, {**made, path: "two"}, preview=preview)


@pytest.mark.parametrize("taken", ["10.0.8.0/24", "10.0.0.0/16"])
def test_two_subnetworks_of_a_network_have_no_address_in_common(cloud: Cloud, taken: str) -> None:
    secondary = [{"rangeName": "pods", "ipCidrRange": "10.4.0.0/16"}]
    inside = {"network": "vpc", "ipCidrRange": "10.0.0.0/20", "secondaryIpRanges": secondary}
    cloud.gcp.make(SUBNETWORK, "nodes", inside)
    for block in (taken, "10.4.1.0/24"):
        with pytest.raises(grpc.RpcError, match="conflicts with existing subnetwork"):
            cloud.gcp.make(SUBNETWORK, "more", {"network": "vpc", "ipCidrRange": block})
    cloud.gcp.make(SUBNETWORK, "elsewhere", {"network": "other", "ipCidrRange": taken})
    cloud.gcp.make(SUBNETWORK, "beside", {"network": "vpc", "ipCidrRange": "10.0.16.0/20"})


def test_the_ranges_of_pods_stay_as_long_as_a_cluster_is_in_them(cloud: Cloud) -> None:
    pods = {"rangeName": "pods", "ipCidrRange": "10.4.0.0/16"}
    nodes = {"name": "nodes", "network": "vpc", "ipCidrRange": "10.0.0.0/20"}
    cloud.gcp.make(SUBNETWORK, "nodes", {**nodes, "secondaryIpRanges": [pods]})
    moved = {**nodes, "secondaryIpRanges": [{**pods, "ipCidrRange": "10.5.0.0/16"}]}
    more = {**nodes, "secondaryIpRanges": [pods, {"rangeName": "more", "ipCidrRange": "10.6.0.0/16"}]}
    home = {"name": "c", "location": "us-central1", "subnetwork": "nodes", "deletionProtection": False}
    cloud.gcp.make(CLUSTER, "c", home)
    with pytest.raises(grpc.RpcError, match="already being used by"):
        cloud.gcp.update(urn(SUBNETWORK, "nodes"), moved)
    cloud.gcp.update(urn(SUBNETWORK, "nodes"), more)
    cloud.gcp.delete(CLUSTER, "c")
    cloud.gcp.update(urn(SUBNETWORK, "nodes"), moved)


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        (SUBNETWORK, {"ipCidrRange": "10.0.0.0/20"}),
        ("gcp:compute/firewall:Firewall", {}),
        ("gcp:compute/router:Router", {}),
        (CLUSTER, {"location": "us-central1", "deletionProtection": False}),
    ],
)
@pytest.mark.parametrize("way", ["id", "link", "name"])
def test_a_network_outlives_what_is_in_it(cloud: Cloud, token: str, inputs: dict[str, object], way: str) -> None:
    identity = cloud.gcp.make(NETWORK, "vpc", {"name": "vpc"})
    link = f"https://www.googleapis.com/compute/v1/{identity}"
    reference = {"id": identity, "link": link, "name": "vpc"}[way]
    cloud.gcp.make(token, "inside", {"name": "inside", "network": reference, **inputs})
    with pytest.raises(grpc.RpcError, match="already being used by"):
        cloud.gcp.delete(NETWORK, "vpc")
    cloud.gcp.delete(token, "inside")
    cloud.gcp.delete(NETWORK, "vpc")


def test_a_subnetwork_outlives_the_cluster_and_the_pools_on_it(cluster: Cloud) -> None:
    network = cluster.gcp.known[urn(NETWORK, "vpc")][0]
    rail = cluster.gcp.make(SUBNETWORK, "rail", {"name": "rail", "network": network, "ipCidrRange": "10.9.0.0/24"})
    attached = {"additionalNodeNetworkConfigs": [{"network": "vpc", "subnetwork": rail}]}
    home = cluster.gcp.known[urn(CLUSTER, "cluster")][0]
    cluster.gcp.make(POOL, "fast", {"cluster": home, "location": "us-central1-a", "networkConfig": attached})
    for subnetwork in ("nodes", "rail"):
        with pytest.raises(grpc.RpcError, match="already being used by"):
            cluster.gcp.delete(SUBNETWORK, subnetwork)
    cluster.gcp.delete(POOL, "fast")
    cluster.gcp.delete(SUBNETWORK, "rail")


def test_a_placement_outlives_its_pool(cluster: Cloud) -> None:
    policy = "gcp:compute/resourcePolicy:ResourcePolicy"
    cluster.gcp.make(policy, "slice", {"name": "slice"})
    home = cluster.gcp.known[urn(CLUSTER, "cluster")][0]
    cluster.gcp.make(POOL, "tpu", {"cluster": home, "placementPolicy": {"policyName": "slice"}})
    with pytest.raises(grpc.RpcError, match="resource policy"):
        cluster.gcp.delete(policy, "slice")


@pytest.mark.parametrize("given", [{}, {"deletionProtection": True}])
def test_a_cluster_is_protected_unless_it_is_told_not_to_be(cloud: Cloud, given: dict[str, object]) -> None:
    cloud.gcp.make(CLUSTER, "c", {"name": "c", "location": "us-central1", **given})
    with pytest.raises(grpc.RpcError, match="deletion_protection is set to true"):
        cloud.gcp.delete(CLUSTER, "c")


def test_a_pool_needs_its_cluster(cloud: Cloud) -> None:
    with pytest.raises(grpc.RpcError, match="Not found"):
        cloud.gcp.make(POOL, "pool", {"cluster": "projects/p/locations/l/clusters/none"})


def test_pools_and_objects_go_with_their_cluster(cluster: Cloud) -> None:
    cluster.kubernetes.make(NAMESPACE, "n", {"metadata": {"name": "n"}})
    cluster.gcp.delete(CLUSTER, "cluster")
    assert {record.type for record in cluster.world} == {NETWORK, SUBNETWORK}


def test_an_object_cannot_be_reached_after_its_cluster(cluster: Cloud) -> None:
    cluster.kubernetes.make(NAMESPACE, "n", {"metadata": {"name": "n"}})
    cluster.gcp.delete(CLUSTER, "cluster")
    with pytest.raises(grpc.RpcError, match="unreachable"):
        cluster.kubernetes.delete(NAMESPACE, "n")


@pytest.mark.parametrize(
    ("token", "inputs"),
    [(GATEWAY, named("g")), (SERVICE, named("s", spec={"type": "LoadBalancer"}))],
)
def test_a_load_balancer_that_nobody_told_to_go_holds_the_network(
    cluster: Cloud, token: str, inputs: dict[str, object]
) -> None:
    cluster.kubernetes.make(token, "front", inputs)
    for kind, name in ((CLUSTER, "cluster"), (SUBNETWORK, "nodes")):
        cluster.gcp.delete(kind, name)
    with pytest.raises(grpc.RpcError, match="leftovers"):
        cluster.gcp.delete(NETWORK, "vpc")


def test_the_proxy_only_subnetwork_outlives_the_gateways(cluster: Cloud) -> None:
    network = cluster.gcp.known[urn(NETWORK, "vpc")][0]
    inputs = {"name": "proxies", "network": network, "ipCidrRange": "10.1.0.0/23", "purpose": "REGIONAL_MANAGED_PROXY"}
    cluster.gcp.make(SUBNETWORK, "proxies", inputs)
    cluster.kubernetes.make(GATEWAY, "g", named("g"))
    with pytest.raises(grpc.RpcError, match="already being used by"):
        cluster.gcp.delete(SUBNETWORK, "proxies")
    cluster.kubernetes.delete(GATEWAY, "g")
    cluster.gcp.delete(SUBNETWORK, "proxies")


def test_an_object_needs_its_namespace(cluster: Cloud) -> None:
    with pytest.raises(grpc.RpcError, match='namespaces "inference" not found'):
        cluster.kubernetes.make(ACCOUNT, "a", named("a", "inference"))
    cluster.kubernetes.make(NAMESPACE, "n", {"metadata": {"name": "inference"}})
    cluster.kubernetes.make(ACCOUNT, "a", named("a", "inference"))


@pytest.mark.parametrize("namespace", ["default", "kube-system", "gke-managed-system"])
def test_the_namespaces_of_the_cluster_are_there(cluster: Cloud, namespace: str) -> None:
    cluster.kubernetes.make(ACCOUNT, "a", named("a", namespace))


def test_objects_go_with_their_namespace(cluster: Cloud) -> None:
    cluster.kubernetes.make(NAMESPACE, "n", {"metadata": {"name": "inference"}})
    cluster.kubernetes.make(ACCOUNT, "a", named("a", "inference"))
    cluster.kubernetes.make(ACCOUNT, "b", named("b"))
    cluster.kubernetes.delete(NAMESPACE, "n")
    assert [record.name for record in cluster.world.of_type(ACCOUNT)] == ["b"]


def test_a_custom_resource_needs_the_release_that_brings_its_kind(cluster: Cloud) -> None:
    with pytest.raises(grpc.RpcError, match='no matches for kind "LeaderWorkerSet"'):
        cluster.kubernetes.make(GROUP, "g", named("g"))
    cluster.kubernetes.make(RELEASE, "lws", {"chart": "oci://registry.k8s.io/lws/charts/lws"})
    cluster.kubernetes.make(GROUP, "g", named("g"))


@pytest.mark.parametrize("group", ["gateway.networking.k8s.io", "monitoring.googleapis.com"])
def test_what_the_cluster_does_not_switch_on_it_does_not_serve(cloud: Cloud, group: str) -> None:
    home = cloud.gcp.make(CLUSTER, "bare", {"name": "bare", "location": "us-central1"})
    cloud.kubernetes.configure(clusterIdentifier=home)
    with pytest.raises(grpc.RpcError, match="no matches for kind"):
        cloud.kubernetes.make(f"kubernetes:{group}/v1:Thing", "t", named("t"))
    cloud.kubernetes.make("kubernetes:example.com/v1:Thing", "t", named("t"))


def test_a_workload_needs_nodes(cluster: Cloud) -> None:
    cluster.gcp.delete(POOL, "pool")
    with pytest.raises(grpc.RpcError, match="no node pool"):
        cluster.kubernetes.make(DEPLOYMENT, "d", named("d"))
    cluster.kubernetes.make("kubernetes:apps/v1:DaemonSet", "d", named("d"))


def test_parameters_outlive_the_network_that_refers_to_them(cluster: Cloud) -> None:
    params, network = (f"kubernetes:networking.gke.io/v1:{kind}" for kind in ("GKENetworkParamSet", "Network"))
    cluster.kubernetes.make(params, "p", {"metadata": {"name": "rail"}})
    cluster.kubernetes.make(network, "n", {"metadata": {"name": "rail"}, "spec": {"parametersRef": {"name": "rail"}}})
    with pytest.raises(grpc.RpcError, match="already being used by"):
        cluster.kubernetes.delete(params, "p")
    cluster.kubernetes.delete(network, "n")
    cluster.kubernetes.delete(params, "p")


def test_a_cluster_is_found_by_its_kubeconfig_too(cloud: Cloud) -> None:
    cloud.gcp.make(CLUSTER, "c", {"name": "c", "location": "us-central1", "deletionProtection": False})
    kubeconfig = '{"current-context":"x","contexts":[{"name":"x","context":{"cluster":"c"}}],"clusters":[{"name":"c"}]}'
    cloud.kubernetes.configure(kubeconfig=Secret(kubeconfig).value)
    cloud.kubernetes.make(NAMESPACE, "n", {"metadata": {"name": "n"}})
    assert [record.cluster for record in cloud.world.of_type(NAMESPACE)] != [""]


def test_the_model_of_each_look_up_answers(cloud: Cloud) -> None:
    from pulumi.runtime.proto import provider_pb2

    from rehearsal import wire

    request = provider_pb2.InvokeRequest(
        tok="gcp:organizations/getProject:getProject", args=wire.encode({"projectId": "p"})
    )
    answer: Any = cloud.gcp.stub.Invoke(request)
    assert getattr(answer, "return")["projectId"] == "p"
    with pytest.raises(grpc.RpcError, match="no answer"):
        cloud.gcp.stub.Invoke(provider_pb2.InvokeRequest(tok="gcp:nowhere:getNothing"))


def test_the_charts_of_the_table_are_those_that_the_project_installs() -> None:
    from inference.facts.versions import COMPONENTS

    charts = {row.artifact.rpartition("/")[2] for row in COMPONENTS.values() if row.kind == "chart"}
    assert set(CHARTS) - {"kserve-crd"} <= charts
