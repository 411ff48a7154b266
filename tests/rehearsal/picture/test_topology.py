"""The picture of a stack names what is in it, whoever wrote the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN
from rehearsal import resources
from rehearsal.picture.graph import Kind, Node, Topology, Way
from rehearsal.picture.topology import topology
from rehearsal.plan import Plan
from tests.inference.rules.cases import custom, deployment, leader_worker_set, node_pool, resource, workload
from tests.support.rehearsed import rehearsed, standing
from tests.support.stacks import ROOT

FILES = [standing("dev"), standing("prod"), *sorted((ROOT / "examples").glob("*.yaml"))]

DRAWN = {
    "gcp:compute/network:Network": Kind.VPC,
    "gcp:compute/subnetwork:Subnetwork": Kind.SUBNET,
    "gcp:container/cluster:Cluster": Kind.CLUSTER,
    "gcp:container/nodePool:NodePool": Kind.POOL,
    "kubernetes:gateway.networking.k8s.io/v1:Gateway": Kind.GATEWAY,
    "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute": Kind.ROUTE,
    "kubernetes:inference.networking.k8s.io/v1:InferencePool": Kind.BACKEND,
    "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet": Kind.MODEL,
    "kubernetes:serving.kserve.io/v1alpha2:LLMInferenceService": Kind.MODEL,
}


def picture(plan: Plan) -> Topology:
    return topology(resources.stack(plan))


def only(drawn: Topology, kind: Kind, title: str = "") -> Node:
    (found,) = [node for node in drawn.nodes if node.kind is kind and title in ("", node.title)]
    return found


def texts(node: Node) -> dict[str, str]:
    return {line.key: line.text for line in node.lines}


def holders(drawn: Topology, node: Node) -> list[str]:
    found = []
    while node.inside is not None:
        node = drawn.by_key[node.inside]
        found.append(node.title)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_network_cluster_pool_route_and_group_of_a_stack_has_one_box(path: Path) -> None:
    plan = rehearsed(path)
    drawn = picture(plan)
    for token, kind in DRAWN.items():
        expected = sorted(state.urn for state in plan.of_type(token))
        assert (
            sorted(urn for node in drawn.nodes if node.kind is kind for urn in node.urns if urn in expected) == expected
        )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_model_of_a_stack_is_named_and_stands_on_a_pool_of_its_cluster(path: Path) -> None:
    plan = rehearsed(path)
    drawn = picture(plan)
    models = {str(s.inputs["model"]) for s in plan if {"model", "replicas"} <= s.inputs.keys() and not s.custom}
    boxes = [node for node in drawn.nodes if node.kind is Kind.MODEL]
    assert models <= {node.title for node in boxes}
    for node in boxes:
        holder = drawn.by_key[node.inside] if node.inside else None
        assert holder is not None
        assert holder.kind is Kind.POOL
        assert holder.inside is not None
        assert drawn.by_key[holder.inside].kind is Kind.CLUSTER


def test_an_rdma_pool_shows_ten_nics_over_three_networks() -> None:
    drawn = picture(rehearsed(standing("prod")))
    pool = only(drawn, Kind.POOL, "h200-nodes")
    ways = [edge for edge in drawn.edges if edge.source == pool.key and edge.way is Way.NICS]
    assert {drawn.by_key[edge.target].title: edge.count for edge in ways} == {
        "platform-vpc": 1,
        "rdma-host": 1,
        "rdma-roce": 8,
    }
    assert texts(pool)["nics"] == "10 NICs a node"


def test_a_pool_says_machine_accelerators_nodes_zone_and_how_it_is_bought() -> None:
    drawn = picture(rehearsed(standing("prod")))
    told = texts(only(drawn, Kind.POOL, "h200-nodes"))
    assert told["machine"] == "a3-ultragpu-8g"
    assert told["accelerators"] == "8 × nvidia-h200-141gb"
    assert told["nodes"] == "2–4 nodes in us-central1-b"
    assert told["capacity"] == "reservation h200-inference"


def test_a_group_says_its_size_and_how_the_model_is_split() -> None:
    drawn = picture(rehearsed(standing("prod")))
    model = only(drawn, Kind.MODEL)
    told = texts(model)
    assert told["object"] == "LeaderWorkerSet kimi"
    assert told["copies"] == "1 group of 2 pods"
    assert told["accelerators"] == "8 GPUs a pod"
    assert told["parallel"] == "parallel: tensor 8 × pipeline 2"
    assert holders(drawn, model) == ["h200-nodes", "inference-prod"]


@pytest.mark.parametrize("path", [standing("dev"), standing("prod")], ids=["dev", "prod"])
def test_requests_go_from_the_gateway_over_route_and_pool_to_the_model(path: Path) -> None:
    drawn = picture(rehearsed(path))
    place = only(drawn, Kind.GATEWAY)
    assert "open to the Internet" in texts(place).values()
    for kind in (Kind.ROUTE, Kind.BACKEND, Kind.MODEL):
        following = [drawn.by_key[edge.target] for edge in drawn.edges if edge.source == place.key]
        (place,) = following
        assert place.kind is kind


def test_prefill_and_decode_are_two_boxes_behind_one_pool() -> None:
    drawn = picture(rehearsed(ROOT / "examples" / "llm-d-pattern-5.yaml"))
    pool = next(n for n in drawn.nodes if n.kind is Kind.BACKEND and "InferencePool" in texts(n).values())
    behind = [drawn.by_key[edge.target] for edge in drawn.edges if edge.source == pool.key]
    assert sorted(texts(node)["object"].rpartition(", ")[2] for node in behind) == ["decode", "prefill"]


def test_the_kinds_of_subnets_are_told_apart() -> None:
    drawn = picture(rehearsed(standing("prod")))
    kinds = {node.title: texts(node)["kind"] for node in drawn.nodes if node.kind is Kind.SUBNET}
    assert kinds["platform-nodes"] == "nodes"
    assert kinds["platform-proxies"].startswith("proxy-only")
    assert kinds["rdma-host"] == "further NICs"
    assert {kinds[f"rdma-roce-{n}"] for n in range(8)} == {"RDMA"}


def test_a_model_on_several_pools_names_the_others() -> None:
    drawn = picture(rehearsed(ROOT / "examples" / "capacity-fallback.yaml"))
    model = only(drawn, Kind.MODEL)
    assert holders(drawn, model)[0] == "h100-nodes"
    assert texts(model)["pools"] == "or on h100-flex-start, h100-spot"


def test_with_an_accelerator_network_profile_the_nics_of_the_machine_are_told() -> None:
    drawn = picture(rehearsed(ROOT / "examples" / "vllm-multi-node.yaml"))
    assert "10 NICs a node" in texts(only(drawn, Kind.POOL, "h200-nodes"))["nics"]


# Programs of others


CLUSTER = "gcp:container/cluster:Cluster"


def drawn_of(*things) -> Topology:
    return topology(Stack(things))


def test_a_pool_inside_a_cluster_in_the_default_network_is_drawn() -> None:
    cluster = resource(
        CLUSTER,
        "main",
        {
            "name": "main",
            "location": "us-central1-a",
            "nodePools": [{"name": "gpus", "nodeCount": 2, "nodeConfig": {"machineType": "g2-standard-4"}}],
        },
    )
    drawn = drawn_of(cluster, deployment())
    pool = only(drawn, Kind.POOL, "gpus")
    assert texts(pool)["nodes"] == "2 nodes in us-central1-a"
    assert only(drawn, Kind.VPC).title == "default"
    assert only(drawn, Kind.VPC).outside
    assert holders(drawn, only(drawn, Kind.MODEL)) == ["gpus", "main"]


def test_without_any_cluster_the_workload_stands_in_one_that_is_not_told() -> None:
    drawn = drawn_of(deployment())
    assert only(drawn, Kind.CLUSTER).outside
    assert only(drawn, Kind.MODEL).title == "google/gemma-3-4b-it"


def test_what_is_not_known_yet_is_called_unknown() -> None:
    cluster = resource(CLUSTER, "main", {"location": UNKNOWN, "network": UNKNOWN})
    pool = node_pool(
        "gpus",
        {
            "autoscaling": UNKNOWN,
            "nodeConfig": {"machineType": UNKNOWN, "spot": UNKNOWN, "guestAccelerators": UNKNOWN},
            "networkConfig": UNKNOWN,
        },
    )
    group = leader_worker_set(spec={"replicas": UNKNOWN, "leaderWorkerTemplate": {"size": UNKNOWN}})
    subnet = resource("gcp:compute/subnetwork:Subnetwork", "s", {"ipCidrRange": UNKNOWN, "network": UNKNOWN})
    drawn = drawn_of(cluster, pool, group, subnet)
    told = texts(only(drawn, Kind.POOL))
    assert told["machine"] == "machine type unknown"
    assert told["nodes"].startswith("nodes unknown")
    assert told["capacity"] == "consumption mode unknown"
    assert told["nics"] == "further NICs unknown"
    assert texts(only(drawn, Kind.MODEL))["copies"] == "replicas unknown"
    assert "range unknown" in texts(only(drawn, Kind.SUBNET)).values()


def test_a_service_in_front_of_a_model_is_drawn_and_one_in_front_of_something_else_is_not() -> None:
    def service(name: str, app: str):
        spec = {"type": "LoadBalancer", "selector": {"app": app}, "ports": [{"port": 80}]}
        return workload("kubernetes:core/v1:Service", "v1", "Service", name, spec, None)

    web = deployment("web", containers=[{"name": "web", "image": "nginx:1.29"}])
    drawn = drawn_of(deployment("vllm"), web, service("models", "vllm"), service("site", "web"))
    assert only(drawn, Kind.BACKEND).title == "models"
    assert texts(only(drawn, Kind.BACKEND))["kind"] == "Service of type LoadBalancer"
    assert only(drawn, Kind.MODEL).urns == (deployment("vllm").urn,)


def test_a_route_to_a_gateway_and_a_pool_of_somebody_else_shows_both_as_not_declared() -> None:
    spec = {
        "parentRefs": [{"name": "shared", "namespace": "infra"}],
        "rules": [
            {"backendRefs": [{"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "theirs"}]}
        ],
    }
    drawn = drawn_of(custom("gateway.networking.k8s.io/v1", "HTTPRoute", "ours", spec))
    assert only(drawn, Kind.GATEWAY).outside
    assert only(drawn, Kind.BACKEND).outside
    assert len(drawn.edges) == 2


def test_weights_of_a_route_with_several_backends_are_written_beside_the_ways() -> None:
    backends = [{"name": "old", "port": 80, "weight": 90}, {"name": "new", "port": 80, "weight": 10}]
    spec = {"parentRefs": [{"name": "g"}], "rules": [{"backendRefs": backends}]}
    drawn = drawn_of(custom("gateway.networking.k8s.io/v1", "HTTPRoute", "r", spec))
    assert sorted(edge.text for edge in drawn.edges) == ["", "weight 10", "weight 90"]


def test_a_program_without_anything_to_draw_gives_an_empty_picture() -> None:
    assert drawn_of(resource("gcp:storage/bucket:Bucket", "b", {})) == Topology()


def test_the_order_of_registration_does_not_matter() -> None:
    stack = resources.stack(rehearsed(standing("prod")))
    assert topology(Stack(reversed(stack.resources))) == topology(stack)
