"""What a model costs: its pods' share of their nodes, at its replicas."""

from __future__ import annotations

from typing import Any

import pytest

from inference.estimates.model_costs import ModelCost, model_costs
from inference.estimates.pricing import Agreement
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from tests.inference.rules.cases import NODE_POOL, Changes, cluster, container, deployment, leader_worker_set, resource

POOL = "cloud.google.com/gke-nodepool"


def pool(name: str, machine: str, gpu: str, count: int, **config: Any) -> Resource:
    props = {
        "name": name,
        "cluster": "platform",
        "location": "us-central1-b",
        "nodeLocations": ["us-central1-b"],
        "autoscaling": {"totalMinNodeCount": 0, "totalMaxNodeCount": 4},
        "nodeConfig": {"machineType": machine, "guestAccelerators": [{"type": gpu, "count": count}], **config},
    }
    return resource(NODE_POOL, name, props)


def server(
    gpus: int = 1, replicas: int = 1, pools: str = "l4", name: str = "server", pod: Changes | None = None
) -> Resource:
    amounts = {"cpu": "1", "memory": "2Gi", "nvidia.com/gpu": str(gpus)}
    one_container = container({"resources": {"requests": amounts, "limits": amounts}})
    where = {"nodeSelector": {POOL: pools}} if pod is None else pod
    return deployment(name, containers=[one_container], pod=where, spec={"replicas": replicas})


def one(*resources: Resource, agreed: Any = None) -> ModelCost:
    (found,) = model_costs(Stack((cluster(), *resources)), Agreement.of(agreed))
    return found


L4 = pool("l4", "g2-standard-4", "nvidia-l4", 1)
L4_HOUR = 0.706832


@pytest.mark.parametrize("replicas", [0, 1, 3])
def test_a_model_costs_its_nodes_times_its_replicas(replicas: int) -> None:
    found = one(L4, server(replicas=replicas))
    assert found.declared.complete
    assert found.declared.hourly == pytest.approx(replicas * L4_HOUR)
    assert [share.pool for share in found.shares] == ["l4"]


def test_a_pod_that_takes_a_part_of_a_node_costs_that_part() -> None:
    found = one(pool("a100", "a2-highgpu-4g", "nvidia-tesla-a100", 4), server(gpus=2, pools="a100"))
    assert found.declared.hourly == pytest.approx(14.69354 / 2)


def test_a_pod_that_several_pools_may_run_costs_between_the_cheapest_and_the_dearest() -> None:
    spot = pool("l4-spot", "g2-standard-4", "nvidia-l4", 1, spot=True)
    expression = {"key": POOL, "operator": "In", "values": ["l4", "l4-spot"]}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    found = one(L4, spot, server(pod={"affinity": affinity}))
    assert found.cheapest.hourly == pytest.approx(0.424056)
    assert found.declared.hourly == pytest.approx(L4_HOUR)


def test_a_group_costs_its_leader_and_all_its_workers() -> None:
    found = one(pool("h200", "a3-ultragpu-8g", "nvidia-h200-141gb", 8), leader_worker_set())
    (workload,) = found.workloads
    pods = sum(share.pods for share in found.shares)
    assert workload.replicas is not None
    assert pods == 2
    assert found.declared.hourly == pytest.approx(pods * workload.replicas * 84.806908)


def test_an_unknown_price_makes_the_model_unknown() -> None:
    found = one(pool("gb200", "a4x-highgpu-4g", "nvidia-gb200", 4), server(gpus=4, pools="gb200"))
    assert str(found.declared) == "unknown"
    assert found.declared.unknown


def test_an_autoscaler_spans_the_replicas() -> None:
    scaler = resource(
        "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
        "scaler",
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "scaler", "namespace": "serving"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "server"},
                "minReplicas": 2,
                "maxReplicas": 5,
            },
        },
    )
    found = one(L4, server(replicas=3), scaler)
    assert found.idle.hourly == pytest.approx(2 * L4_HOUR)
    assert found.most.hourly == pytest.approx(5 * L4_HOUR)
    assert found.declared.hourly == pytest.approx(3 * L4_HOUR)


def test_two_workloads_of_one_model_are_one_model() -> None:
    found = one(L4, server(), server(name="more", replicas=2))
    assert len(found.workloads) == 2
    assert found.declared.hourly == pytest.approx(3 * L4_HOUR)


def test_a_million_tokens_cost_only_what_was_measured() -> None:
    assert one(L4, server()).per_million_tokens is None
    measured = {"measuredTokensPerSecond": {"server": 1000}}
    assert one(L4, server(), agreed=measured).per_million_tokens == pytest.approx(L4_HOUR / 3.6)
    assert one(L4, server(replicas=4), agreed=measured).per_million_tokens == pytest.approx(L4_HOUR / 3.6)
    assert one(L4, server(replicas=0), agreed=measured).per_million_tokens is None


def test_agreed_prices_count_for_models_too() -> None:
    found = one(L4, server(), agreed={"prices": {"g2-standard-4": {"onDemand": 0.5}}})
    assert found.declared.hourly == 0.5
