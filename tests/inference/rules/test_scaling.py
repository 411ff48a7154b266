from __future__ import annotations

import pytest

from inference.rules import scaling
from inference.rules.framework import Rule
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
    workload,
)

FIT, TOGETHER, ROLLOUT = scaling.replicas_fit_pool, scaling.workloads_fit_pool, scaling.rollout_needs_no_spare
REPAIR = scaling.repair_restarts_group

PER_ZONE = {"totalMinNodeCount": None, "totalMaxNodeCount": None}


def hpa(target: str = "vllm", kind: str = "Deployment", **spec: object) -> Resource:
    ref = {"apiVersion": "apps/v1", "kind": kind, "name": target}
    token = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"  # noqa: S105
    return workload(token, "autoscaling/v2", "HorizontalPodAutoscaler", "grow", {"scaleTargetRef": ref, **spec}, None)


def keda(target: str = "vllm", **spec: object) -> Resource:
    return custom("keda.sh/v1alpha1", "ScaledObject", "grow", {"scaleTargetRef": {"name": target}, **spec})


def eights(most: int = 4, **props: object) -> Resource:
    config = {"machineType": "a3-ultragpu-8g", "guestAccelerators": None, "diskType": "hyperdisk-balanced"}
    return node_pool("h200", {"autoscaling": {"totalMaxNodeCount": most}, "nodeConfig": config, **props})


# ---------------------------------------------------------------- replicas


@pytest.mark.parametrize(
    "asking",
    [
        (deployment(spec={"replicas": 3}),),
        (deployment(spec={"replicas": "3"}),),
        (deployment(), hpa(maxReplicas=3.0)),
        (deployment(), keda(maxReplicaCount=3)),
        (deployment(), keda()),
    ],
)
def test_replicas_beyond_the_pool_are_found(asking: tuple[Resource, ...]) -> None:
    found = findings(FIT, cluster(), node_pool(), *asking)
    assert len(found) == 1
    assert "room for 2 such pods" in found[0]


def test_groups_beyond_the_pool_are_found() -> None:
    found = findings(FIT, cluster(), eights(), leader_worker_set(spec={"replicas": 3}))
    assert len(found) == 1
    assert "3 replicas of 2 pods" in found[0]
    assert "no further than 2" in found[0]
    assert findings(FIT, cluster(), eights(), leader_worker_set(), hpa("llama", "LeaderWorkerSet", maxReplicas=3))


def test_replicas_within_the_pool_are_silent() -> None:
    assert not findings(FIT, cluster(), node_pool(), deployment(spec={"replicas": 2}))
    assert not findings(FIT, cluster(), eights(), leader_worker_set(spec={"replicas": 2}))
    assert not findings(FIT, cluster(), node_pool(), deployment(), hpa(maxReplicas=2), hpa("other", maxReplicas=9))
    assert not findings(FIT, cluster(), node_pool(), node_pool("more"), deployment(spec={"replicas": 4}))


def test_the_pool_is_counted_over_its_zones() -> None:
    limits = {**PER_ZONE, "maxNodeCount": 2}
    wide = node_pool("l4", {"nodeLocations": ["us-central1-a", "us-central1-c"], "autoscaling": limits})
    assert not findings(FIT, cluster(), wide, deployment(spec={"replicas": 4}))
    assert findings(FIT, cluster(), wide, deployment(spec={"replicas": 5}))
    static = node_pool("l4", {"autoscaling": None, "nodeCount": 1})
    assert findings(FIT, cluster(), static, deployment(spec={"replicas": 2}))


def test_pods_are_packed_whole_onto_nodes() -> None:
    resources = {"limits": {"nvidia.com/gpu": "5"}, "requests": {"nvidia.com/gpu": "5"}}
    fives = deployment(containers=[container({"resources": resources})], spec={"replicas": 2})
    assert findings(FIT, cluster(), eights(1), fives)
    assert not findings(FIT, cluster(), eights(2), fives)


def test_sizes_that_are_not_known_are_silent() -> None:
    many = deployment(spec={"replicas": 99})
    assert not findings(FIT, cluster(), node_pool("l4", {"autoscaling": UNKNOWN}), many)
    assert not findings(FIT, cluster(), node_pool(), deployment(spec={"replicas": UNKNOWN}))
    assert not findings(FIT, cluster(), node_pool(), deployment(), hpa(maxReplicas=UNKNOWN))
    assert not findings(FIT, many)
    assert not findings(FIT, cluster(props={"enableAutopilot": True}), node_pool(), many)
    assert not findings(FIT, cluster(), eights(), leader_worker_set(spec={"leaderWorkerTemplate": {"size": UNKNOWN}}))


def test_batch_work_may_wait_for_its_turn() -> None:
    spec = {"parallelism": 50, "template": {"spec": {"containers": [container()]}}}
    assert not findings(
        FIT, cluster(), node_pool(), workload("kubernetes:batch/v1:Job", "batch/v1", "Job", "j", spec, None)
    )


def kserve(**spec: object) -> Resource:
    base = {"template": {"containers": [container()]}, **spec}
    return custom("serving.kserve.io/v1alpha1", "LLMInferenceService", "llm", base)


def test_kserve_replicas_are_counted() -> None:
    scaling = {"minReplicas": 1, "maxReplicas": 3}
    assert "room for 2" in findings(FIT, cluster(), node_pool(), kserve(replicas=3))[0]
    assert "may grow to 3" in findings(FIT, cluster(), node_pool(), kserve(scaling=scaling))[0]
    split = {"replicas": 3, "template": {"containers": [container()]}}
    assert len(findings(FIT, cluster(), node_pool(), kserve(prefill=split))) == 1
    predictor = {"predictor": {"containers": [container()], "minReplicas": 1, "maxReplicas": 5}}
    assert findings(
        FIT, cluster(), node_pool(), custom("serving.kserve.io/v1beta1", "InferenceService", "i", predictor)
    )
    assert not findings(FIT, cluster(), node_pool(), kserve(replicas=2), kserve(replicas=UNKNOWN))
    several = {"containers": [container()]}
    assert not findings(FIT, cluster(), node_pool(), kserve(replicas=9, worker=several))


# ---------------------------------------------------------------- several workloads


def test_workloads_that_do_not_fit_together_are_found() -> None:
    three = [deployment(name) for name in ("a", "b", "c")]
    found = findings(TOGETHER, cluster(), node_pool(), *three)
    assert len(found) == 1
    assert "3 nvidia.com/gpu" in found[0]


def test_workloads_that_fit_together_are_silent() -> None:
    assert not findings(TOGETHER, cluster(), node_pool(), deployment("a"), deployment("b"))
    assert not findings(
        TOGETHER, cluster(), node_pool(), deployment("a"), deployment("b"), deployment("c", spec={"replicas": 0})
    )
    idle = (deployment("c"), keda("c", maxReplicaCount=1))
    assert not findings(TOGETHER, cluster(), node_pool(), deployment("a"), deployment("b"), *idle)
    assert not findings(TOGETHER, cluster(), node_pool(), deployment("a", spec={"replicas": 5}))


def test_placeholders_make_way() -> None:
    low = workload(
        "kubernetes:scheduling.k8s.io/v1:PriorityClass",
        "scheduling.k8s.io/v1",
        "PriorityClass",
        "low",
        {},
        {"value": -10},
    )
    balloon = deployment("c", pod={"priorityClassName": "low"})
    assert not findings(TOGETHER, cluster(), node_pool(), low, deployment("a"), deployment("b"), balloon)


# ---------------------------------------------------------------- rollouts


@pytest.mark.parametrize(
    "strategy",
    [
        None,
        {"type": "RollingUpdate"},
        {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        {"rollingUpdate": {"maxSurge": 1.0, "maxUnavailable": 0}},
    ],
)
def test_a_rollout_that_needs_a_spare_gpu_is_found(strategy: object) -> None:
    full = deployment(spec={"replicas": 2, "strategy": strategy})
    assert len(findings(ROLLOUT, cluster(), node_pool(), full)) == 1


@pytest.mark.parametrize(
    "spec",
    [
        {"replicas": 1},
        {"replicas": 2, "strategy": {"type": "Recreate"}},
        {"replicas": 2, "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}},
        {"replicas": 2, "strategy": {"rollingUpdate": {"maxUnavailable": "50%"}}},
        {"replicas": 2, "strategy": UNKNOWN},
        {"replicas": 0},
        {"replicas": 7},
    ],
)
def test_a_rollout_that_can_move_is_silent(spec: dict) -> None:
    assert not findings(ROLLOUT, cluster(), node_pool(), deployment(spec=spec))


def test_four_replicas_roll_by_default() -> None:
    pool = node_pool("l4", {"autoscaling": {"totalMaxNodeCount": 4}})
    assert not findings(ROLLOUT, cluster(), pool, deployment(spec={"replicas": 4}))


# ---------------------------------------------------------------- repairs


@pytest.mark.parametrize("policy", ["None", "Default"])
@pytest.mark.parametrize("management", [{"autoRepair": True}, {"autoRepair": "true"}, None])
def test_a_repair_under_a_group_that_does_not_restart_is_found(policy: str, management: object) -> None:
    group = leader_worker_set(spec={"leaderWorkerTemplate": {"restartPolicy": policy}})
    found = findings(REPAIR, cluster(), eights(management=management), group)
    assert len(found) == 1
    assert policy in found[0]


def test_groups_that_restart_whole_or_are_not_repaired_are_silent() -> None:
    loose = {"leaderWorkerTemplate": {"restartPolicy": "None"}}
    for policy in ("RecreateGroupOnPodRestart", "RecreateGroupAfterStart", None, UNKNOWN):
        group = leader_worker_set(spec={"leaderWorkerTemplate": {"restartPolicy": policy}})
        assert not findings(REPAIR, cluster(), eights(), group), policy
    assert not findings(REPAIR, cluster(), eights(management={"autoRepair": False}), leader_worker_set(spec=loose))
    assert not findings(REPAIR, cluster(), eights(management=UNKNOWN), leader_worker_set(spec=loose))
    assert not findings(REPAIR, cluster(), eights(), leader_worker_set(size=1, spec=loose))
    assert not findings(REPAIR, leader_worker_set(spec=loose))


@pytest.mark.parametrize("rule", [FIT, TOGETHER, ROLLOUT, REPAIR])
def test_an_empty_program_is_silent(rule: Rule) -> None:
    assert not findings(rule)
