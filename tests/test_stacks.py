"""The whole program, for each standing stack: what it registers, how it is held together, what it must never do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from rehearsal import digests
from rehearsal.plan import Plan, ResourceState
from tests.support.definitions import problems
from tests.support.judged import findings
from tests.support.rehearsed import inputs, rehearsed, standing
from tests.support.stacks import ROOT, STANDING

POOL = "gcp:container/nodePool:NodePool"
NETWORK = "gcp:compute/network:Network"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
GROUP = "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet"


@pytest.fixture(params=STANDING)
def plan(request: pytest.FixtureRequest) -> Plan:
    return rehearsed(standing(request.param))


@pytest.fixture
def prod() -> Plan:
    return rehearsed(standing("prod"))


@pytest.mark.parametrize("stack", STANDING)
def test_a_standing_stack_draws_no_finding(stack: str) -> None:
    assert not findings(rehearsed(standing(stack)), stack)


def only(plan: Plan, token: str) -> Any:
    (found,) = inputs(plan, token)
    return found


def kubernetes(plan: Plan) -> list[ResourceState]:
    return [s for s in plan if s.type.startswith("kubernetes:") and not s.type.startswith("kubernetes:helm.sh")]


@pytest.mark.parametrize("stack", STANDING)
def test_preview_and_update_register_the_same_resources(stack: str) -> None:
    before, during = (rehearsed(standing(stack), preview=preview) for preview in (True, False))
    assert {state.urn for state in before} == {state.urn for state in during}


def test_every_resource_has_its_component_as_parent(plan: Plan) -> None:
    loose = [
        state.urn for state in plan if state.custom and not state.type.startswith("pulumi:") and "$" not in state.urn
    ]
    assert not loose


def test_every_resource_has_an_explicit_provider(plan: Plan) -> None:
    ambient = [s.urn for s in plan if s.custom and not s.type.startswith("pulumi:") and "::default" in s.provider]
    assert not ambient
    assert all(s.provider for s in plan if s.custom and not s.type.startswith("pulumi:"))


def test_every_kubernetes_object_passes_strict_validation(plan: Plan) -> None:
    found = []
    for state in kubernetes(plan):
        manifest = json.loads(json.dumps(_revealed(state.inputs)))
        found += list(problems({k: v for k, v in manifest.items() if not k.startswith("__")}))
    assert not found, "\n".join(found)


def _revealed(value: Any) -> Any:
    if hasattr(value, "value") and type(value).__name__ == "Secret":
        return _revealed(value.value)
    if isinstance(value, Mapping):
        return {key: _revealed(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_revealed(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def test_the_secret_stays_a_secret(plan: Plan) -> None:
    (secret,) = (s for s in plan.of_type("kubernetes:core/v1:Secret"))
    text = json.dumps(_revealed(secret.inputs))
    value = json.loads(text)["stringData"]["api-key"]
    assert value
    assert value not in digests.dumps(plan)


def test_production_fabric_is_one_roce_network_with_eight_subnets(prod: Plan) -> None:
    (fabric,) = [n for n in prod.of_type(NETWORK) if n.inputs.get("networkProfile")]
    assert str(fabric.inputs["networkProfile"]).endswith("us-central1-b-vpc-roce")
    assert fabric.inputs["mtu"] == 8896
    name = fabric.inputs["name"]
    subnets = [s for s in inputs(prod, SUBNETWORK) if str(s["network"]).endswith(f"/{name}")]
    assert len(subnets) == 8
    assert len({s["ipCidrRange"] for s in subnets}) == 8
    assert not [f for f in inputs(prod, "gcp:compute/firewall:Firewall") if str(f["network"]).endswith(f"/{name}")]


def test_a_production_node_attaches_nine_networks_in_nic_order(prod: Plan) -> None:
    (pool,) = [p for p in inputs(prod, POOL) if p["nodeConfig"]["machineType"] == "a3-ultragpu-8g"]  # type: ignore[index]
    attached = pool["networkConfig"]["additionalNodeNetworkConfigs"]  # type: ignore[index]
    assert len(attached) == 9
    assert len({entry["subnetwork"] for entry in attached}) == 9
    assert "host" in attached[0]["network"]
    assert all("roce" in entry["network"] for entry in attached[1:])


def test_a_production_pool_suits_a_collective_workload(prod: Plan) -> None:
    (pool,) = [p for p in prod.of_type(POOL) if p.inputs["nodeConfig"]["machineType"] == "a3-ultragpu-8g"]  # type: ignore[index]
    config: Any = pool.inputs["nodeConfig"]
    assert config["ephemeralStorageLocalSsdConfig"] == {"localSsdCount": 32}
    assert config["reservationAffinity"]["consumeReservationType"] == "SPECIFIC_RESERVATION"
    assert pool.inputs["upgradeSettings"] == {"strategy": "SURGE", "maxSurge": 0, "maxUnavailable": 1}
    assert pool.protect
    assert "initialNodeCount" in pool.options.ignore_changes


def test_production_declares_nine_networks_and_their_parameters(prod: Plan) -> None:
    networks = inputs(prod, "kubernetes:networking.gke.io/v1:Network")
    params = inputs(prod, "kubernetes:networking.gke.io/v1:GKENetworkParamSet")
    assert len(networks) == len(params) == 9
    modes = {p["metadata"]["name"]: p["spec"]["deviceMode"] for p in params}  # type: ignore[index]
    assert modes == {"gvnic-1": "NetDevice", **{f"rdma-{n}": "RDMA" for n in range(8)}}


def test_the_production_group_is_two_pods_of_eight_gpus(prod: Plan) -> None:
    group = only(prod, GROUP)["spec"]["leaderWorkerTemplate"]
    assert group["size"] == 2
    assert group["restartPolicy"] == "RecreateGroupOnPodRestart"


def test_under_dranet_no_network_is_made_for_the_fabric(tmp_path: Any) -> None:
    text = standing("prod").read_text(encoding="utf-8").replace("network: multi-network", "network: dranet")
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_text(text, encoding="utf-8")
    plan = rehearsed(path)
    assert not inputs(plan, "kubernetes:networking.gke.io/v1:Network")
    assert len(inputs(plan, NETWORK)) == 1
    (pool,) = [p for p in inputs(plan, POOL) if p["nodeConfig"]["machineType"] == "a3-ultragpu-8g"]  # type: ignore[index]
    assert pool["networkConfig"]["acceleratorNetworkProfile"] == "auto"  # type: ignore[index]
    assert "additionalNodeNetworkConfigs" not in pool["networkConfig"]  # type: ignore[operator]
    assert len(inputs(plan, "kubernetes:resource.k8s.io/v1:ResourceClaimTemplate")) == 1


def test_development_scales_from_zero(plan: Plan) -> None:
    dev = rehearsed(standing("dev"))
    (pool,) = [p for p in inputs(dev, POOL) if p["nodeConfig"].get("guestAccelerators")]  # type: ignore[attr-defined]
    assert pool["autoscaling"] == {"totalMinNodeCount": 0, "totalMaxNodeCount": 3, "locationPolicy": "ANY"}
    assert pool["initialNodeCount"] == 0


def reached(plan: Plan, state: ResourceState) -> set[str]:
    """Return what a resource waits for: its own edges, its parent's, its provider's, and the children of components."""
    children: dict[str, list[str]] = {}
    for other in plan:
        children.setdefault(other.parent, []).append(other.urn)
    seen: set[str] = set()
    todo = [state.urn]
    while todo:
        current = plan.by_urn.get(todo.pop())
        if current is None:
            continue
        edges = [*current.dependencies, current.parent, current.provider.rpartition("::")[0]]
        for urns in current.property_dependencies.values():
            edges += urns
        for urn in list(edges):
            if urn in plan.by_urn and not plan.by_urn[urn].custom and urn != current.parent:
                edges += children.get(urn, [])
        for urn in edges:
            if urn and urn not in seen:
                seen.add(urn)
                todo.append(urn)
    return seen


def test_deletion_goes_from_the_gateway_to_the_networks(plan: Plan) -> None:
    order = [
        ("kubernetes:gateway.networking.k8s.io/v1:HTTPRoute",),
        ("kubernetes:apps/v1:Deployment", GROUP),
        ("kubernetes:helm.sh/v3:Release",),
        (POOL,),
        ("gcp:container/cluster:Cluster",),
        (NETWORK,),
    ]
    levels = [
        [s for s in plan.of_type(*tokens) if "epp" not in s.name and not s.name.startswith("rdma")] for tokens in order
    ]
    levels = [level for level in levels if level]
    for earlier, later in pairwise(levels):
        for first in earlier:
            assert {s.urn for s in later} <= reached(plan, first), f"{first.urn} outlives {later[0].type}"


def test_nodes_have_their_rights_before_they_come_and_until_they_are_gone(plan: Plan) -> None:
    rights = {state.urn for state in plan.of_type("gcp:projects/iAMMember:IAMMember")}
    assert rights
    for pool in plan.of_type(POOL):
        assert rights <= reached(plan, pool)


def test_another_machine_type_is_a_replacement_of_the_accelerator_pool(plan: Plan) -> None:
    pools = [pool for pool in plan.of_type(POOL) if "NodePool$" in pool.urn]
    assert pools
    assert all("nodeConfig.machineType" in pool.options.replace_on_changes for pool in pools)


def test_a_custom_resource_waits_for_the_controller_that_serves_it(prod: Plan) -> None:
    (group,) = prod.of_type(GROUP)
    (release,) = prod.of_type("kubernetes:helm.sh/v3:Release")
    assert release.urn in reached(prod, group)


def test_the_gateway_itself_names_the_proxy_only_subnet_and_the_apis(plan: Plan) -> None:
    (gateway,) = plan.of_type("kubernetes:gateway.networking.k8s.io/v1:Gateway")
    named = {plan.by_urn[urn].name for urn in gateway.dependencies if urn in plan.by_urn}
    assert {"platform-proxies", "services-networkservices"} <= named


def test_the_plan_of_a_stack_holds_no_path_of_the_machine(plan: Plan) -> None:
    assert str(ROOT) not in digests.dumps(plan)
