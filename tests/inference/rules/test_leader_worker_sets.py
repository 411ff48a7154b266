from __future__ import annotations

import pytest

from inference.rules.leader_worker_sets import (
    group_restarts_together,
    name_fits,
    rollout_moves,
    service_name_free,
    startup_makes_workers,
    subgroups_divide_group,
    version_knows_variables,
)
from inference.rules.views.resources import Provider
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import container, custom, deployment, findings, leader_worker_set, resource, workload

CONTROLLER = "oci://registry.k8s.io/lws/charts/lws"


def release(version: str, name: str = "lws", **props):
    values = {"chart": CONTROLLER, "version": version, "name": name, "namespace": "lws-system"} | props
    provider = props.pop("provider", None)
    values.pop("provider", None)
    return resource("kubernetes:helm.sh/v3:Release", name, values, provider=provider)


def service(name: str, **spec):
    return workload("kubernetes:core/v1:Service", "v1", "Service", name, spec, None)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a" * 50, None),
        ("a" * 51, "51 characters"),
        ("Llama", "lower case"),
        ("4llama", "beginning with a letter"),
        ("llama.v1", "headless Service"),
    ],
)
def test_a_name_that_makes_no_pods_is_found(name, says):
    found = findings(name_fits, leader_worker_set(name))
    assert (len(found) == 1 and says in found[0]) if says else not found


def test_a_name_that_is_not_known_is_left_alone():
    assert not findings(name_fits, leader_worker_set(props={"metadata": {"name": UNKNOWN}}))


@pytest.mark.parametrize("policy", ["None", "Default"])
def test_a_group_whose_pods_restart_alone_is_found(policy):
    (found,) = findings(
        group_restarts_together, leader_worker_set(spec={"leaderWorkerTemplate": {"restartPolicy": policy}})
    )
    assert policy in found
    assert "RecreateGroupOnPodRestart" in found


def test_a_restart_policy_that_does_not_exist_is_found():
    spec = {"leaderWorkerTemplate": {"restartPolicy": "Always"}}
    assert "does not exist" in findings(group_restarts_together, leader_worker_set(spec=spec))[0]


@pytest.mark.parametrize(
    "group",
    [
        {},
        {"restartPolicy": None},
        {"restartPolicy": "RecreateGroupAfterStart"},
        {"restartPolicy": UNKNOWN},
        {"restartPolicy": "None", "size": 1},
        {"restartPolicy": "None", "size": None},
        {"restartPolicy": "None", "size": UNKNOWN},
    ],
)
def test_a_group_that_restarts_together_or_is_one_pod_is_silent(group):
    assert not findings(group_restarts_together, leader_worker_set(spec={"leaderWorkerTemplate": group}))


def test_a_group_without_accelerators_may_restart_pod_by_pod():
    plain = {"name": "batch", "image": "busybox", "command": ["sleep", "1"]}
    spec = {"leaderWorkerTemplate": {"restartPolicy": "None"}}
    assert not findings(group_restarts_together, leader_worker_set(containers=[plain], spec=spec))


SCRIPT = "/vllm-workspace/examples/online_serving/multi-node-serving.sh"
RAY = {
    "command": ["bash", "-c"],
    "args": [f"bash {SCRIPT} leader --ray_cluster_size=2\nvllm serve m --distributed-executor-backend ray"],
}


@pytest.mark.parametrize(
    "changes",
    [
        {"args": ["--nnodes=2", "--node-rank=0"]},
        {"args": ["--nnodes", 2.0]},
        {"args": ["--tensor-parallel-size=1", "-pp", "2"]},
        {"args": ["--data-parallel-size=$(LWS_GROUP_SIZE)"]},
        RAY,
        RAY | {"readinessProbe": None},
    ],
)
def test_workers_that_wait_for_a_leader_that_waits_for_them_are_found(changes):
    group = leader_worker_set(containers=[container(changes)], spec={"startupPolicy": "LeaderReady"})
    (found,) = findings(startup_makes_workers, group)
    assert "the leader of" in found
    assert "LeaderCreated" in found


@pytest.mark.parametrize(
    ("changes", "spec"),
    [
        ({"args": ["--nnodes=2"]}, {}),
        ({"args": ["--nnodes=2"]}, {"startupPolicy": UNKNOWN}),
        ({"args": ["--nnodes=2"], "readinessProbe": None, "startupProbe": None}, {"startupPolicy": "LeaderReady"}),
        ({"args": ["--port=8000"]}, {"startupPolicy": "LeaderReady"}),
        ({"args": ["--nnodes=2"]}, {"startupPolicy": "LeaderReady", "leaderWorkerTemplate": {"size": 1}}),
    ],
)
def test_a_leader_that_is_ready_by_itself_may_come_first(changes, spec):
    assert not findings(startup_makes_workers, leader_worker_set(containers=[container(changes)], spec=spec))


def rolling(**values):
    return {"rolloutStrategy": {"type": "RollingUpdate", "rollingUpdateConfiguration": values}}


@pytest.mark.parametrize(
    "values",
    [
        {"maxUnavailable": 0, "maxSurge": 0},
        {"maxUnavailable": 0.0},
        {"maxUnavailable": "10%", "maxSurge": 0},
        {"maxUnavailable": "0%", "maxSurge": "0%"},
        {"maxUnavailable": "0", "maxSurge": "0"},
    ],
)
def test_a_rollout_that_may_neither_take_nor_add_a_group_is_found(values):
    (found,) = findings(rollout_moves, leader_worker_set(spec=rolling(**values)))
    assert "maxUnavailable: 1" in found


@pytest.mark.parametrize(
    ("values", "replicas"),
    [
        ({"maxUnavailable": 1, "maxSurge": 0}, 1),
        ({"maxUnavailable": 0, "maxSurge": 1}, 1),
        ({"maxSurge": 0}, 1),
        ({"maxUnavailable": 0, "maxSurge": "10%"}, 1),
        ({"maxUnavailable": "10%", "maxSurge": 0}, 10),
        ({"maxUnavailable": 0, "maxSurge": UNKNOWN}, 1),
        ({"maxUnavailable": "10%"}, UNKNOWN),
        ({"maxUnavailable": 0}, 0),
        ({"maxUnavailable": ["x"]}, 1),
        ({}, 1),
    ],
)
def test_a_rollout_that_moves_is_silent(values, replicas):
    assert not findings(rollout_moves, leader_worker_set(spec=rolling(**values) | {"replicas": replicas}))


@pytest.mark.parametrize("values", [{"maxUnavailable": -1}, {"maxUnavailable": 1, "maxSurge": "150%"}])
def test_an_amount_that_the_webhook_refuses_is_found(values):
    assert any("refuses" in found for found in findings(rollout_moves, leader_worker_set(spec=rolling(**values))))


@pytest.mark.parametrize(
    ("size", "policy", "says"),
    [
        (4, {"subGroupSize": 3}, None),
        (4, {"subGroupSize": 2.0}, None),
        (5, {"subGroupSize": 2}, None),
        (5, {"subGroupSize": 2, "subGroupPolicyType": "LeaderExcluded"}, None),
        (4, {"subGroupSize": UNKNOWN}, None),
        (UNKNOWN, {"subGroupSize": 3}, None),
        (8, {"subGroupSize": 3}, "neither its 8 pods nor its 7"),
        (2, {"subGroupSize": "4"}, "subgroups of 4 pods in groups of 2"),
        (4, {"subGroupSize": 0}, "refuses"),
        (4, {"subGroupSize": 2, "subGroupPolicyType": "LeaderExcluded"}, "does not divide the 3 workers"),
    ],
)
def test_subgroups_are_judged_as_the_webhook_does(size, policy, says):
    found = findings(
        subgroups_divide_group,
        leader_worker_set(spec={"leaderWorkerTemplate": {"size": size, "subGroupPolicy": policy}}),
    )
    assert (len(found) == 1 and says in found[0]) if says else not found


def test_a_subgroup_topology_without_subgroups_is_found():
    topology = {"leaderworkerset.sigs.k8s.io/subgroup-exclusive-topology": "cloud.google.com/gke-nodepool"}
    assert findings(subgroups_divide_group, leader_worker_set(props={"metadata": {"annotations": topology}}))
    other = {"leaderworkerset.sigs.k8s.io/exclusive-topology": "cloud.google.com/gke-nodepool"}
    assert not findings(subgroups_divide_group, leader_worker_set(props={"metadata": {"annotations": other}}))


@pytest.mark.parametrize("version", ["0.3.0", "v0.3.0", "~0.3"])
def test_a_controller_older_than_the_variables_in_use_is_found(version):
    found = findings(version_knows_variables, release(version), leader_worker_set())
    assert [name for name in ("LWS_GROUP_SIZE", "LWS_WORKER_INDEX") if any(name in text for text in found)]
    assert all("0.3" in text for text in found)


def test_the_rank_needs_a_newer_controller_than_the_size():
    (found,) = findings(version_knows_variables, release("0.5.1"), leader_worker_set())
    assert "LWS_WORKER_INDEX" in found


@pytest.mark.parametrize(
    "installed",
    [
        resource(
            "kubernetes:yaml:ConfigFile",
            "lws",
            {"file": "https://github.com/kubernetes-sigs/lws/releases/download/v0.3.0/manifests.yaml"},
        ),
        resource(
            "kubernetes:kustomize:Directory",
            "lws",
            {"directory": "https://github.com/kubernetes-sigs/lws/config/default?ref=v0.3.0"},
        ),
        resource(
            "command:local:Command",
            "lws",
            {
                "create": "kubectl apply --server-side -f https://github.com/kubernetes-sigs/lws/releases/download/v0.3.0/manifests.yaml"
            },
        ),
        deployment("lws", containers=[{"name": "manager", "image": "registry.k8s.io/lws/lws:v0.3.0"}]),
        release("", chart="https://github.com/kubernetes-sigs/lws/releases/download/v0.3.0/lws-chart-v0.3.0.tgz"),
    ],
)
def test_the_version_is_read_off_every_way_to_install(installed):
    assert findings(version_knows_variables, installed, leader_worker_set())


def test_a_new_controller_or_none_is_silent():
    assert not findings(version_knows_variables, release("0.10.0"), leader_worker_set())
    assert not findings(version_knows_variables, release("0.7.0"), leader_worker_set())
    assert not findings(version_knows_variables, leader_worker_set())
    assert not findings(version_knows_variables, release("0.3.0"), leader_worker_set(containers=[container()]))
    assert not findings(version_knows_variables, release("0.3.0", chart="kueue"), leader_worker_set())


def test_two_versions_in_one_cluster_are_found():
    found = findings(version_knows_variables, release("0.7.0"), release("0.10.0", "lws-again"))
    assert len(found) == 2
    assert "the one that comes last wins" in found[0]


def test_two_clusters_may_have_two_versions():
    providers = [Provider("pulumi:providers:kubernetes", name, f"urn:{name}") for name in ("a", "b")]
    first = release("0.7.0", provider=providers[0])
    second = release("0.10.0", "lws-b", provider=providers[1])
    assert not findings(version_knows_variables, first, second)


def test_a_service_with_the_name_of_the_set_is_found():
    assert "headless Service" in findings(service_name_free, service("llama"), leader_worker_set("llama"))[0]


def test_a_service_with_the_name_of_a_replica_is_found_where_each_has_its_own():
    unique = leader_worker_set("llama", spec={"networkConfig": {"subdomainPolicy": "UniquePerReplica"}, "replicas": 2})
    assert findings(service_name_free, service("llama-1"), unique)
    assert not findings(service_name_free, service("llama"), unique)


def test_a_service_with_another_name_or_elsewhere_is_silent():
    assert not findings(service_name_free, service("llama-leader"), leader_worker_set("llama"))
    elsewhere = workload("kubernetes:core/v1:Service", "v1", "Service", "llama", {}, {"metadata": {"namespace": "web"}})
    assert not findings(service_name_free, elsewhere, leader_worker_set("llama"))


def test_a_set_that_is_no_map_is_survived():
    for spec in ([], "x", None, {"leaderWorkerTemplate": ["x"]}, {"leaderWorkerTemplate": {"size": "many"}}):
        broken = custom("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "x", {}, {"spec": spec})
        for rule in (name_fits, group_restarts_together, startup_makes_workers, rollout_moves, subgroups_divide_group):
            assert not findings(rule, broken)
