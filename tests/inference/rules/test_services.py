from __future__ import annotations

import pytest

from inference.rules.services import name_spares_vllm, port_is_served, select_leaders, selector_matches_pods
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import (
    container,
    custom,
    deployment,
    findings,
    group_container,
    leader_worker_set,
    resource,
    workload,
)

NAME = "leaderworkerset.sigs.k8s.io/name"
INDEX = "leaderworkerset.sigs.k8s.io/worker-index"


def service(selector, *, name="front", port=None, props=None, **spec):
    ports = [port or {"port": 80, "targetPort": 8000}]
    base = {"selector": selector, "ports": ports} | spec
    return workload("kubernetes:core/v1:Service", "v1", "Service", name, base, props)


# Selectors


def test_a_service_with_another_key_for_the_same_value_is_found():
    (found,) = findings(selector_matches_pods, service({"app.kubernetes.io/name": "vllm"}), deployment("vllm"))
    assert "app.kubernetes.io/name: absent" in found


def test_a_service_in_another_namespace_is_found():
    elsewhere = service({"app": "vllm"}, props={"metadata": {"namespace": "web"}})
    (found,) = findings(selector_matches_pods, elsewhere, deployment("vllm"))
    assert "in its own namespace only" in found
    other_port = service({"app": "vllm"}, port={"port": 9000}, props={"metadata": {"namespace": "web"}})
    assert not findings(selector_matches_pods, other_port, deployment("vllm"))
    assert not findings(selector_matches_pods, elsewhere, deployment("vllm"), service({"app": "vllm"}))


@pytest.mark.parametrize(
    "selector",
    [{NAME: "vllm"}, {NAME: "vllm", "role": "leader"}, {NAME: "llama-1a2b3c4d", INDEX: "0"}],
)
def test_a_service_for_a_set_of_another_name_is_found(selector):
    (found,) = findings(selector_matches_pods, service(selector), leader_worker_set("llama"))
    assert '"llama"' in found


def test_a_label_that_only_the_selector_has_is_found():
    (found,) = findings(selector_matches_pods, service({NAME: "llama", "role": "leader"}), leader_worker_set("llama"))
    assert "role: leader" in found


def test_a_set_in_another_namespace_is_found():
    elsewhere = service({NAME: "llama"}, props={"metadata": {"namespace": "web"}})
    (found,) = findings(selector_matches_pods, elsewhere, leader_worker_set("llama"))
    assert "web" in found
    assert "serving" in found


def test_a_service_beside_a_workload_that_nobody_selects_is_found():
    (found,) = findings(selector_matches_pods, service({"app": "vllm-server"}), deployment("vllm"))
    assert "app: vllm-server" in found
    named = service({"app": "vllm-server"}, port={"port": 80, "targetPort": "http"})
    assert findings(selector_matches_pods, named, deployment("vllm"))


@pytest.mark.parametrize(
    "selector",
    [
        {NAME: "llama"},
        {NAME: "llama", INDEX: "0"},
        {NAME: "llama", INDEX: "1"},
        {"app": "llama"},
        {"app": "llama", "leaderworkerset.sigs.k8s.io/group-index": "0"},
        {"app": UNKNOWN},
        {NAME: "llama", "role": UNKNOWN},
        UNKNOWN,
        None,
        {},
    ],
)
def test_a_selector_that_matches_is_silent(selector):
    assert not findings(selector_matches_pods, service(selector), leader_worker_set("llama"))


def test_a_selector_is_silent_where_pods_may_come_from_elsewhere():
    lost = service({"app": "vllm-server"})
    chart = resource("kubernetes:helm.sh/v3:Release", "vllm", {"chart": "vllm", "namespace": "serving", "name": "vllm"})
    kserve = custom(
        "serving.kserve.io/v1alpha2", "LLMInferenceService", "x", {"template": {"containers": [container()]}}
    )
    served = service({"app": "vllm"}, name="other")
    unknown = deployment("vllm", spec={"template": {"metadata": {"labels": {"app": UNKNOWN}}}})
    silent = container({"ports": [{"containerPort": 9000}]})
    assert not findings(selector_matches_pods, lost)
    assert not findings(selector_matches_pods, lost, deployment("vllm"), chart)
    assert not findings(selector_matches_pods, lost, deployment("vllm"), kserve)
    assert not findings(selector_matches_pods, lost, deployment("vllm"), served)
    assert not findings(selector_matches_pods, lost, unknown)
    assert not findings(selector_matches_pods, lost, deployment("vllm", containers=[silent]))
    assert not findings(selector_matches_pods, service({"tier": "x"}), deployment("vllm"))
    assert not findings(selector_matches_pods, service({NAME: "old"}), deployment("vllm"))


def test_a_set_whose_name_is_not_known_silences_the_comparison():
    unnamed = leader_worker_set("llama", props={"metadata": {"name": UNKNOWN}})
    assert not findings(selector_matches_pods, service({NAME: "vllm"}), unnamed)


# Leaders


@pytest.mark.parametrize("selector", [{NAME: "llama"}, {"app": "llama"}])
def test_a_service_that_also_selects_headless_workers_is_found(selector):
    (found,) = findings(select_leaders, service(selector), leader_worker_set("llama"))
    assert "the worker of" in found


def test_a_service_for_leaders_or_for_names_is_silent():
    assert not findings(select_leaders, service({NAME: "llama", INDEX: "0"}), leader_worker_set("llama"))
    assert not findings(select_leaders, service({NAME: "llama"}, clusterIP="None"), leader_worker_set("llama"))
    every = leader_worker_set("llama", containers=[group_container({"args": ["--port=8000"]})])
    assert not findings(select_leaders, service({NAME: "llama"}), every)


# Ports


@pytest.mark.parametrize(
    "port",
    [
        {"port": 80},
        {"port": 80, "targetPort": 8080},
        {"port": 80, "targetPort": "8080"},
        {"port": 8000, "targetPort": "web"},
    ],
)
def test_a_port_that_nobody_serves_is_found(port):
    (found,) = findings(port_is_served, service({"app": "vllm"}, port=port), deployment())
    assert "8000" in found


@pytest.mark.parametrize(
    ("port", "changes"),
    [
        ({"port": 8000}, {}),
        ({"port": 80, "targetPort": "http"}, {}),
        ({"port": 80, "targetPort": 8000.0}, {"ports": None}),
        ({"port": 80, "targetPort": 9000}, {"args": ["--port", "$(PORT)"], "ports": None}),
        ({"port": 80, "targetPort": 9000}, {"ports": UNKNOWN}),
        ({"port": 80, "targetPort": UNKNOWN}, {}),
        ({"port": 80, "targetPort": "${PORT:-9002}"}, {}),
        ({"port": 80, "targetPort": 9000}, {"ports": [{"containerPort": 9000}]}),
    ],
)
def test_a_port_that_may_be_served_is_silent(port, changes):
    assert not findings(
        port_is_served, service({"app": "vllm"}, port=port), deployment(containers=[container(changes)])
    )


def test_a_sidecar_that_tells_no_port_may_listen():
    proxy = {"name": "proxy", "image": "envoy:v1"}
    made = deployment(containers=[container(), proxy])
    assert not findings(port_is_served, service({"app": "vllm"}, port={"port": 80}), made)


# Names


@pytest.mark.parametrize("name", ["vllm", "vllm-nixl-side-channel", "vllm-dp-master"])
def test_a_service_whose_variable_vllm_reads_is_found(name):
    (found,) = findings(name_spares_vllm, service({"app": "vllm"}, name=name), deployment())
    assert "enableServiceLinks" in found
    assert findings(name_spares_vllm, service({"app": "vllm"}, name=name), leader_worker_set())
    assert findings(name_spares_vllm, service({}, name=name), deployment(pod={"enableServiceLinks": True}))


@pytest.mark.parametrize(
    ("made", "beside"),
    [
        (service({}, name="vllm-server"), deployment()),
        (service({}, name="vllm"), deployment(pod={"enableServiceLinks": False})),
        (service({}, name="vllm"), deployment(pod={"enableServiceLinks": "false"})),
        (service({}, name="vllm"), deployment(pod={"enableServiceLinks": UNKNOWN})),
        (service({}, name="vllm", clusterIP="None"), deployment()),
        (service({}, name="vllm", props={"metadata": {"namespace": "web"}}), deployment()),
        (service({}, name="vllm"), deployment(containers=[container({"env": [{"name": "VLLM_PORT", "value": "1"}]})])),
        (service({}, name="vllm"), deployment(containers=[{"name": "web", "image": "nginx:1"}])),
    ],
)
def test_a_service_that_vllm_does_not_notice_is_silent(made, beside):
    assert not findings(name_spares_vllm, made, beside)


def test_services_that_are_no_services_are_survived():
    for spec in ("x", [1], {"selector": "x", "ports": "y"}, {"selector": {"a": {}}, "ports": [None, {"port": {}}]}):
        broken = workload("kubernetes:core/v1:Service", "v1", "Service", "vllm", {}, {"spec": spec})
        for rule in (name_spares_vllm, port_is_served, select_leaders, selector_matches_pods):
            findings(rule, broken, deployment())
