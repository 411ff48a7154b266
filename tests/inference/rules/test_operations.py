from __future__ import annotations

import pytest

from inference.rules.operations import (
    budget_allows_drain,
    production_is_quiet,
    rollout_has_room,
    rollout_is_accepted,
    server_drains,
)
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import (
    changed,
    cluster,
    container,
    custom,
    deployment,
    findings,
    group_container,
    leader_worker_set,
    node_pool,
    workload,
)


def preststop(command):
    return {"lifecycle": {"preStop": {"exec": {"command": command}}}}


@pytest.mark.parametrize(
    ("changes", "pod", "says"),
    [
        ({"lifecycle": None}, {}, "no preStop hook"),
        ({"lifecycle": {"preStop": None}}, {}, "no preStop hook"),
        (preststop(["sleep", "5"]), {}, "waits 5 s"),
        (preststop(["/bin/sh", "-c", "sleep 5"]), {}, "waits 5 s"),
        ({"lifecycle": {"preStop": {"exec": None, "sleep": {"seconds": 5.0}}}}, {}, "waits 5 s"),
        ({}, {"terminationGracePeriodSeconds": None}, "default of 30"),
        ({}, {"terminationGracePeriodSeconds": 40.0}, "(40 s)"),
        (preststop(["sleep", "1m"]), {}, None),
        (preststop(["sleep", "2m"]), {}, "take 120 s"),
        ({"args": ["--shutdown-timeout", "90"]}, {}, "take 105 s"),
        ({"args": ["--shutdown-timeout=90"]}, {"terminationGracePeriodSeconds": 120}, None),
        ({}, {"terminationGracePeriodSeconds": UNKNOWN}, None),
        ({"lifecycle": UNKNOWN}, {}, None),
        ({"lifecycle": {"preStop": UNKNOWN}}, {}, None),
        ({"args": ["--shutdown-timeout", "$(T)"]}, {}, None),
        ({"lifecycle": {"preStop": {"exec": None, "httpGet": {"path": "/drain", "port": 8000}}}}, {}, None),
        (preststop(["python3", "/drain.py"]), {}, None),
        (preststop(["sleep", "5"]), {"terminationGracePeriodSeconds": 25}, None),
        (preststop(["sh", "-c", "sleep 60"]), {"terminationGracePeriodSeconds": 60}, "60 s"),
        (preststop(["sh", "-c", "sleep 1m"]), {"terminationGracePeriodSeconds": 61}, None),
        ({"resources": None}, {"terminationGracePeriodSeconds": None}, None),
    ],
)
def test_a_server_stops_in_order(changes, pod, says):
    for made in (
        deployment(containers=[container(changes)], pod=pod),
        workload(
            "kubernetes:apps/v1:StatefulSet",
            "apps/v1",
            "StatefulSet",
            "s",
            {
                "template": {
                    "spec": changed({"containers": [container(changes)], "terminationGracePeriodSeconds": 75}, pod)
                }
            },
            None,
        ),
    ):
        found = findings(server_drains, made)
        assert (len(found) == 1 and says in found[0]) if says else not found


def test_only_the_leader_of_a_group_drains():
    assert not findings(server_drains, leader_worker_set())
    rough = leader_worker_set(leader={"containers": [group_container({"lifecycle": None})]})
    assert len(findings(server_drains, rough)) == 1


def test_jobs_and_controllers_that_fill_templates_in_are_left_alone():
    bare = container({"lifecycle": None, "name": "main"})
    kserve = custom("serving.kserve.io/v1alpha2", "LLMInferenceService", "x", {"template": {"containers": [bare]}})
    job = workload(
        "kubernetes:batch/v1:Job", "batch/v1", "Job", "j", {"template": {"spec": {"containers": [bare]}}}, None
    )
    assert not findings(server_drains, kserve, job)


# Budgets


def budget(**spec):
    base = {"selector": {"matchLabels": {"app": "vllm"}}} | spec
    return workload("kubernetes:policy/v1:PodDisruptionBudget", "policy/v1", "PodDisruptionBudget", "vllm", base, None)


@pytest.mark.parametrize(
    ("spec", "replicas"),
    [
        ({"maxUnavailable": 0}, 3),
        ({"maxUnavailable": 0.0}, UNKNOWN),
        ({"maxUnavailable": "0%"}, 3),
        ({"minAvailable": 1}, 1),
        ({"minAvailable": 3.0}, 3),
        ({"minAvailable": "100%"}, UNKNOWN),
        ({"minAvailable": "50%"}, 1),
        ({"minAvailable": "90%"}, 3),
        (
            {
                "minAvailable": 1,
                "selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["vllm"]}]},
            },
            1,
        ),
        ({"minAvailable": 1, "selector": {}}, 1),
    ],
)
def test_a_budget_that_allows_nothing_is_found(spec, replicas):
    (found,) = findings(budget_allows_drain, budget(**spec), deployment(spec={"replicas": replicas}))
    assert 'Deployment "vllm"' in found


@pytest.mark.parametrize(
    ("spec", "replicas"),
    [
        ({"maxUnavailable": 1}, 1),
        ({"maxUnavailable": "10%"}, 1),
        ({"minAvailable": 1}, 2),
        ({"minAvailable": "50%"}, 2),
        ({"minAvailable": 1}, UNKNOWN),
        ({"minAvailable": UNKNOWN}, 1),
        ({"minAvailable": 1}, 0),
        ({"maxUnavailable": 0, "selector": {"matchLabels": {"app": "other"}}}, 1),
        ({"maxUnavailable": 0, "selector": {"matchLabels": {"app": UNKNOWN}}}, 1),
        ({"maxUnavailable": 0, "selector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}}, 1),
        ({"maxUnavailable": 0, "selector": None}, 1),
    ],
)
def test_a_budget_that_lets_a_pod_go_is_silent(spec, replicas):
    made = budget(**spec) if spec.get("selector", {}) is not None else budget(selector=None, maxUnavailable=0)
    assert not findings(budget_allows_drain, made, deployment(spec={"replicas": replicas}))


def test_a_budget_on_pods_without_accelerators_is_not_judged():
    plain = deployment(containers=[{"name": "web", "image": "nginx:1"}])
    assert not findings(budget_allows_drain, budget(maxUnavailable=0), plain)


def test_an_autoscaler_decides_how_many_pods_there_are():
    scaler = workload(
        "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "vllm",
        {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "vllm"}, "minReplicas": 2},
        None,
    )
    unstated = deployment(spec={"replicas": None})
    assert not findings(budget_allows_drain, budget(minAvailable=1), unstated, scaler)
    assert findings(budget_allows_drain, budget(minAvailable=1), unstated)
    assert findings(budget_allows_drain, budget(minAvailable=2), unstated, scaler)


def test_a_budget_counts_the_pods_of_a_group():
    everywhere = budget(minAvailable=2, selector={"matchLabels": {"app": "llama"}})
    assert findings(budget_allows_drain, everywhere, leader_worker_set("llama"))
    assert not findings(budget_allows_drain, everywhere, leader_worker_set("llama", spec={"replicas": 2}))


# Rollouts


def h200(most):
    config = {"machineType": "a3-ultragpu-8g", "guestAccelerators": [{"type": "nvidia-h200-141gb", "count": 8}]}
    return node_pool("h200", {"nodeConfig": config, "autoscaling": {"totalMaxNodeCount": most}})


def test_a_rollout_that_waits_for_a_gpu_that_is_not_to_be_had_is_found():
    (found,) = findings(
        rollout_has_room, cluster(), node_pool(props={"autoscaling": {"totalMaxNodeCount": 1}}), deployment()
    )
    assert "its node pools hold 1" in found
    on_h200 = h200(2), leader_worker_set(spec=surge(1))
    assert "adds 2 before" in findings(rollout_has_room, cluster(), *on_h200)[0]


def surge(amount):
    return {"rolloutStrategy": {"rollingUpdateConfiguration": {"maxUnavailable": 1, "maxSurge": amount}}}


@pytest.mark.parametrize(
    "strategy",
    [
        {"type": "Recreate"},
        {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
        {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}},
        {"rollingUpdate": {"maxSurge": UNKNOWN}},
        UNKNOWN,
    ],
)
def test_a_rollout_that_frees_a_gpu_first_is_silent(strategy):
    small = node_pool(props={"autoscaling": {"totalMaxNodeCount": 1}})
    assert not findings(rollout_has_room, cluster(), small, deployment(spec={"strategy": strategy}))


def test_a_rollout_with_room_or_on_unknown_pools_is_silent():
    assert not findings(rollout_has_room, cluster(), node_pool(), deployment())
    assert not findings(rollout_has_room, cluster(), deployment())
    assert not findings(rollout_has_room, deployment())
    assert not findings(rollout_has_room, cluster(), h200(2), leader_worker_set(spec=surge(0)))
    assert not findings(rollout_has_room, cluster(), h200(4), leader_worker_set(spec=surge("100%")))
    unknown = node_pool(props={"autoscaling": {"totalMaxNodeCount": UNKNOWN}})
    assert not findings(rollout_has_room, cluster(), unknown, deployment())


# Logs


@pytest.mark.parametrize(
    "changes",
    [
        {"env": [{"name": "NCCL_DEBUG", "value": "TRACE"}]},
        {"env": [{"name": "NCCL_DEBUG", "value": "info"}]},
        {"env": [{"name": "VLLM_LOGGING_LEVEL", "value": "DEBUG"}]},
        {"env": [{"name": "CUDA_LAUNCH_BLOCKING", "value": "1"}]},
        {"command": ["bash", "-c", "export NCCL_DEBUG=INFO; exec vllm serve m"], "args": None},
        {"command": ["bash", "-c", "NCCL_DEBUG=INFO vllm serve m"], "args": None},
        {"args": ["--uvicorn-log-level", "debug"]},
    ],
)
def test_debug_settings_in_production_are_found(changes):
    assert len(findings(production_is_quiet, deployment(containers=[container(changes)]))) == 1
    group = leader_worker_set(worker={"containers": [container(changes)]})
    assert "the worker of" in findings(production_is_quiet, group)[0]


@pytest.mark.parametrize(
    "env",
    [
        [],
        [{"name": "NCCL_DEBUG", "value": "WARN"}],
        [{"name": "NCCL_DEBUG", "value": "VERSION"}],
        [{"name": "VLLM_LOGGING_LEVEL", "value": "INFO"}],
        [{"name": "NCCL_DEBUG", "value": UNKNOWN}],
        [{"name": "NCCL_DEBUG", "valueFrom": {"configMapKeyRef": {"name": "n", "key": "k"}}}],
    ],
)
def test_quiet_settings_are_silent(env):
    assert not findings(production_is_quiet, deployment(containers=[container({"env": env})]))


def test_other_environments_may_be_loud():
    loud = [container({"env": [{"name": "NCCL_DEBUG", "value": "INFO"}]})]
    assert not findings(production_is_quiet, deployment(containers=loud), configuration={"environment": "development"})
    assert not findings(production_is_quiet, deployment(containers=loud, stack="llm-dev"))
    assert findings(production_is_quiet, deployment(containers=loud, stack="prod"))


def test_a_test_of_the_fabric_may_be_loud():
    test = {
        "name": "nccl",
        "image": "nccl-tests:1",
        "env": [{"name": "NCCL_DEBUG", "value": "INFO"}],
        "resources": {"limits": {"nvidia.com/gpu": 8}},
    }
    job = workload(
        "kubernetes:batch/v1:Job", "batch/v1", "Job", "j", {"template": {"spec": {"containers": [test]}}}, None
    )
    assert not findings(production_is_quiet, job)


# Rollouts


@pytest.mark.parametrize(
    "strategy",
    [
        {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}},
        {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "0%", "maxUnavailable": 0.0}},
        {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}},
    ],
)
def test_a_rollout_that_is_refused_is_found(strategy):
    assert len(findings(rollout_is_accepted, deployment(spec={"strategy": strategy}))) == 1


@pytest.mark.parametrize(
    "strategy",
    [
        {},
        {"type": "Recreate"},
        {"rollingUpdate": {"maxSurge": 0}},
        {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": UNKNOWN}},
        {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "10%"}},
    ],
)
def test_a_rollout_that_is_accepted_is_silent(strategy):
    assert not findings(rollout_is_accepted, deployment(spec={"strategy": strategy}), leader_worker_set())
