from __future__ import annotations

import pytest

from inference.rules.views.values import UNKNOWN
from inference.rules.workloads import (
    accelerators_are_whole,
    kind_is_known,
    list_keys_are_unique,
    probe_is_valid,
    restart_policy_fits,
    server_has_controller,
    service_account_exists,
    template_is_valid,
)
from tests.inference.rules.cases import container, custom, deployment, findings, leader_worker_set, resource, workload

RULES = (
    accelerators_are_whole,
    kind_is_known,
    list_keys_are_unique,
    probe_is_valid,
    restart_policy_fits,
    server_has_controller,
    template_is_valid,
)


def pod(changes=None, *, spec=None, props=None):
    base = {"containers": [container(changes)]} | (spec or {})
    return workload("kubernetes:core/v1:Pod", "v1", "Pod", "smoke", base, props)


def job(spec, kind="Job"):
    template = {"template": {"spec": {"containers": [container()]} | spec}}
    spec = {"jobTemplate": {"spec": template}} if kind == "CronJob" else template
    return workload(f"kubernetes:batch/v1:{kind}", "batch/v1", kind, "batch", spec, None)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_workloads_as_they_should_be_are_silent(rule):
    assert not findings(rule, deployment(), leader_worker_set(), job({"restartPolicy": "Never"}))


# Kinds


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("CloneSet", {"template": {"spec": {"containers": [container()]}}}),
        ("PodSpecThing", {"podSpec": {"containers": [{"name": "web", "image": "nginx:1"}]}}),
        ("PyTorchJob", {"replicas": [{"template": {"spec": {"containers": [{"name": "a", "image": "b:1"}]}}}]}),
        ("Server", {"containers": [{"name": "s", "image": "vllm/vllm-openai:v0.32.0"}]}),
        ("Server", {"containers": [{"name": "s", "image": "own:1", "resources": {"limits": {"nvidia.com/gpu": 1}}}]}),
    ],
)
def test_a_pod_template_in_an_unknown_kind_is_reported(kind, spec):
    (found,) = findings(kind_is_known, custom("example.com/v1", kind, "x", spec))
    assert f"{kind} " in found
    assert "carries a pod template at spec" in found


TEMPLATE = {"spec": {"containers": [container({"resources": {"requests": {"nvidia.com/gpu": "500m"}}})]}}
GROUP = {"size": 2, "workerTemplate": TEMPLATE}


@pytest.mark.parametrize(
    ("api_version", "kind", "spec"),
    [
        ("kubeflow.org/v2beta1", "MPIJob", {"mpiReplicaSpecs": {"Worker": {"replicas": 2, "template": TEMPLATE}}}),
        ("kubeflow.org/v1", "PyTorchJob", {"pytorchReplicaSpecs": {"Master": {"template": TEMPLATE}}}),
        ("batch.volcano.sh/v1alpha1", "Job", {"tasks": [{"name": "worker", "template": TEMPLATE}]}),
        ("apps.kruise.io/v1alpha1", "CloneSet", {"template": TEMPLATE}),
        (
            "disaggregatedset.x-k8s.io/v1",
            "DisaggregatedSet",
            {"roles": [{"name": "prefill", "spec": {"leaderWorkerTemplate": GROUP}}]},
        ),
    ],
)
def test_pods_of_kinds_beside_those_of_kubernetes_are_judged(api_version, kind, spec):
    thing = custom(api_version, kind, "x", spec)
    assert not findings(kind_is_known, thing)
    assert findings(accelerators_are_whole, thing)


def test_a_kind_without_pods_or_with_a_sidecar_list_is_silent():
    prometheus = {"containers": [{"name": "sidecar", "image": "reloader:1"}]}
    assert not findings(kind_is_known, custom("monitoring.coreos.com/v1", "Prometheus", "p", prometheus))
    assert not findings(kind_is_known, custom("example.com/v1", "Thing", "x", {"a": {"b": [1, 2]}}))
    assert not findings(kind_is_known, custom("example.com/v1", "Thing", "x", {"template": UNKNOWN}))


# Probes


@pytest.mark.parametrize(
    "probe",
    [
        {"readinessProbe": {"httpGet": None}},
        {"readinessProbe": {"tcpSocket": {"port": 8000}}},
        {"startupProbe": {"successThreshold": 2}},
        {"livenessProbe": {"grpc": {"port": 1}, "successThreshold": "3"}},
        {"readinessProbe": {"terminationGracePeriodSeconds": 60}},
    ],
)
def test_a_probe_that_is_refused_is_found(probe):
    for made in (deployment(containers=[container(probe)]), leader_worker_set(size=1, containers=[container(probe)])):
        assert len(findings(probe_is_valid, made)) == 1


@pytest.mark.parametrize(
    "probe",
    [
        {"readinessProbe": None},
        {"readinessProbe": UNKNOWN},
        {"readinessProbe": {"httpGet": UNKNOWN}},
        {"readinessProbe": {"successThreshold": 2}},
        {"livenessProbe": {"exec": {"command": ["true"]}, "terminationGracePeriodSeconds": 60}},
    ],
)
def test_a_probe_that_is_taken_is_silent(probe):
    assert not findings(probe_is_valid, deployment(containers=[container(probe)]))


# Bare pods


@pytest.mark.parametrize("spec", [{}, {"restartPolicy": "Never"}])
def test_a_server_without_a_controller_is_found(spec):
    assert "Deployment" in findings(server_has_controller, pod(spec=spec))[0]
    assert findings(server_has_controller, pod({"image": "own:1", "command": ["/serve"]}, spec=spec))


def test_a_pod_that_serves_nobody_or_has_an_owner_is_silent():
    check = {"command": ["nvidia-smi"], "args": None, "ports": None, "image": "nvidia/cuda:12.8.0-base-ubuntu24.04"}
    assert not findings(server_has_controller, pod(check))
    owned = {"metadata": {"ownerReferences": [{"kind": "ReplicaSet", "name": "r"}]}}
    assert not findings(server_has_controller, pod(props=owned))
    assert not findings(server_has_controller, pod({"resources": None}))


@pytest.mark.parametrize(
    "made",
    [
        deployment(pod={"restartPolicy": "Never"}),
        leader_worker_set(worker={"restartPolicy": "OnFailure"}),
        job({"restartPolicy": "Always"}),
        job({}),
        job({}, "CronJob"),
    ],
)
def test_a_restart_policy_that_is_refused_is_found(made):
    assert len(findings(restart_policy_fits, made)) == 1


def job_set(spec):
    replicated = [{"name": "slice", "template": {"spec": {"template": {"spec": {"containers": [container()]} | spec}}}}]
    return custom("jobset.x-k8s.io/v1alpha2", "JobSet", "slices", {"replicatedJobs": replicated})


def test_a_job_set_is_given_the_restart_policy_that_it_leaves_out():
    assert not findings(restart_policy_fits, job_set({}))
    assert findings(restart_policy_fits, job_set({"restartPolicy": "Always"}))


def test_a_restart_policy_that_is_taken_is_silent():
    assert not findings(restart_policy_fits, deployment(pod={"restartPolicy": "Always"}))
    assert not findings(restart_policy_fits, deployment(pod={"restartPolicy": UNKNOWN}))
    assert not findings(restart_policy_fits, job({"restartPolicy": UNKNOWN}), pod(spec={"restartPolicy": "Never"}))


# Accelerators


@pytest.mark.parametrize(
    ("resources", "says"),
    [
        ({"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": None}}, "without a limit"),
        ({"requests": {"nvidia.com/gpu": 4}, "limits": {"nvidia.com/gpu": "8"}}, "must be equal"),
        ({"requests": {"nvidia.com/gpu": None}, "limits": {"nvidia.com/gpu": "0.5"}}, "whole number"),
        ({"requests": {"nvidia.com/gpu": None}, "limits": {"nvidia.com/gpu": "500m"}}, "whole number"),
        (
            {"requests": {"nvidia.com/gpu": None, "google.com/tpu": 4}, "limits": {"google.com/tpu": 8}},
            "google.com/tpu",
        ),
    ],
)
def test_an_accelerator_in_parts_is_found(resources, says):
    changes = {"resources": resources}
    (found,) = findings(accelerators_are_whole, deployment(containers=[container(changes)]))
    assert says in found
    first = container(changes | {"name": "first"})
    assert "first" in findings(accelerators_are_whole, deployment(pod={"initContainers": [first]}))[0]
    assert findings(accelerators_are_whole, leader_worker_set(worker={"containers": [container(changes)]}))


@pytest.mark.parametrize(
    "resources",
    [
        {"requests": {"nvidia.com/gpu": None}},
        {"requests": {"nvidia.com/gpu": 1.0}, "limits": {"nvidia.com/gpu": "1"}},
        {"requests": {"nvidia.com/gpu": "1000m"}},
        {"requests": {"nvidia.com/gpu": UNKNOWN}},
        {"limits": UNKNOWN},
        {"requests": {"cpu": "500m", "nvidia.com/gpu": "1"}},
    ],
)
def test_whole_accelerators_are_silent(resources):
    assert not findings(accelerators_are_whole, deployment(containers=[container({"resources": resources})]))


# Lists


@pytest.mark.parametrize(
    ("containers", "says"),
    [
        ([container(), container()], "two containers"),
        ([container({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]})], "variable A twice"),
        ([container({"ports": [{"containerPort": 8000}, {"containerPort": 8000.0, "protocol": "TCP"}]})], "port 8000"),
        ([container({"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]})], "two ports"),
        ([container({"volumeMounts": [{"name": "a", "mountPath": "/x"}, {"name": "b", "mountPath": "/x"}]})], "/x"),
    ],
)
def test_what_is_there_twice_is_found(containers, says):
    assert says in findings(list_keys_are_unique, deployment(containers=containers))[0]
    assert findings(list_keys_are_unique, leader_worker_set(leader={"containers": containers}))


def test_an_init_container_and_volumes_count_too():
    assert findings(list_keys_are_unique, deployment(pod={"initContainers": [container()]}))
    assert findings(list_keys_are_unique, deployment(pod={"volumes": [{"name": "a"}, {"name": "a"}]}))


def test_one_port_in_two_protocols_is_silent():
    ports = [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}]
    assert not findings(list_keys_are_unique, deployment(containers=[container({"ports": ports})]))


@pytest.mark.parametrize(
    "changes",
    [
        {"ports": [{"containerPort": 1, "name": "kv-cache-transfer-port"}]},
        {"ports": [{"containerPort": 1, "name": "Http"}]},
        {"ports": [{"containerPort": 1, "name": "8000"}]},
        {"env": [{"name": "", "value": "x"}]},
        {"volumeMounts": [{"name": "weights", "mountPath": "/w"}]},
        {"name": "vLLM_server"},
    ],
)
def test_a_template_that_is_refused_is_found(changes):
    assert len(findings(template_is_valid, leader_worker_set(worker={"containers": [container(changes)]}))) == 1
    assert len(findings(template_is_valid, deployment(containers=[container(changes)]))) == 1


def test_mounts_of_claims_and_of_unknown_volumes_are_silent():
    mounted = container({"volumeMounts": [{"name": "data", "mountPath": "/d"}]})
    claims = [{"metadata": {"name": "data"}}]
    assert not findings(template_is_valid, deployment(containers=[mounted], pod={"volumes": [{"name": "data"}]}))
    assert not findings(template_is_valid, deployment(containers=[mounted], pod={"volumes": UNKNOWN}))
    assert not findings(template_is_valid, deployment(containers=[mounted], pod={"volumes": [{"name": UNKNOWN}]}))
    assert not findings(template_is_valid, deployment(containers=[mounted], spec={"volumeClaimTemplates": claims}))
    group = leader_worker_set(containers=[mounted], spec={"leaderWorkerTemplate": {"volumeClaimTemplates": claims}})
    assert not findings(template_is_valid, group)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_templates_that_are_no_templates_are_survived(rule):
    for spec in (
        "x",
        [1],
        {"template": "x"},
        {"template": {"spec": {"containers": ["x", {"env": "y", "ports": [3]}]}}},
    ):
        findings(rule, workload("kubernetes:apps/v1:Deployment", "apps/v1", "Deployment", "x", {}, {"spec": spec}))
    odd = {"resources": {"limits": {"nvidia.com/gpu": 1e308}, "requests": {"nvidia.com/gpu": "nan"}}, "ports": {}}
    findings(rule, deployment(containers=[container(odd)]))


# Service accounts


def account(name="vllm", namespace="serving"):
    metadata = {"metadata": {"name": name, "namespace": namespace}}
    token = "kubernetes:core/v1:ServiceAccount"  # noqa: S105
    return resource(token, str(name), {"apiVersion": "v1", "kind": "ServiceAccount"} | metadata)


@pytest.mark.parametrize("declared", [account("vllm-server"), account("vlm-serve"), account("llm", "other")])
def test_a_service_account_that_is_not_there_is_found(declared):
    name = "llm" if declared.name == "llm" else "vllm-serve"
    for made in (deployment(pod={"serviceAccountName": name}), job({"serviceAccountName": name})):
        assert len(findings(service_account_exists, made, declared)) == 1


@pytest.mark.parametrize("name", ["vllm", "default", "made-by-others", UNKNOWN])
def test_a_service_account_that_is_there_or_may_be_is_silent(name):
    assert not findings(service_account_exists, deployment(pod={"serviceAccountName": name}), account())
    assert not findings(service_account_exists, deployment(pod={"serviceAccountName": name}))
    assert not findings(service_account_exists, deployment(pod={"serviceAccountName": "vlm"}), account(UNKNOWN))
