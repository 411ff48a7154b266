from __future__ import annotations

import pytest

from inference.rules.probes import (
    liveness_is_last,
    load_may_finish,
    path_answers,
    port_exists,
    readiness_asks_server,
    server_tells_readiness,
    workers_unasked,
)
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

RULES = (
    liveness_is_last,
    load_may_finish,
    path_answers,
    port_exists,
    readiness_asks_server,
    server_tells_readiness,
    workers_unasked,
)
HEALTH = {"httpGet": {"path": "/health", "port": 8000}}
NIM = {"image": "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8.3", "command": None, "args": None}


def vllm(**changes):
    return deployment(containers=[container(changes)])


def pod(changes):
    return workload("kubernetes:core/v1:Pod", "v1", "Pod", "smoke", {"containers": [container(changes)]}, None)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_servers_as_they_should_be_are_silent(rule):
    assert not findings(rule, deployment(), leader_worker_set())
    assert not findings(rule, deployment(containers=[container({"livenessProbe": HEALTH | {"failureThreshold": 6}})]))


# Readiness


@pytest.mark.parametrize(
    "made",
    [
        vllm(readinessProbe=None),
        vllm(readinessProbe=None, ports=None),
        pod({"readinessProbe": None}),
        leader_worker_set(leader={"containers": [group_container({"readinessProbe": None})]}),
        vllm(readinessProbe=None, **NIM),
        vllm(readinessProbe=None, image="registry.example.com/own-server:1", command=["/serve"], args=[]),
    ],
)
def test_a_server_without_readiness_is_found(made):
    assert len(findings(server_tells_readiness, made)) == 1


@pytest.mark.parametrize(
    "made",
    [
        vllm(readinessProbe=UNKNOWN),
        vllm(readinessProbe=None, command=["sleep", "1"], args=[], ports=None, image="busybox"),
        vllm(
            readinessProbe=None,
            image="own:1",
            command=["/serve"],
            args=[],
            ports=[{"containerPort": 9400, "name": "metrics"}],
        ),
        workload(
            "kubernetes:batch/v1:Job",
            "batch/v1",
            "Job",
            "batch",
            {"template": {"spec": {"containers": [container({"readinessProbe": None})]}}},
            None,
        ),
        custom(
            "serving.kserve.io/v1alpha2",
            "LLMInferenceService",
            "x",
            {"model": {"uri": "hf://a/b"}, "template": {"containers": [{"name": "main"}]}},
        ),
    ],
)
def test_what_serves_nobody_or_is_completed_elsewhere_needs_no_readiness(made):
    assert not findings(server_tells_readiness, made)


@pytest.mark.parametrize(
    "changes",
    [
        {"readinessProbe": {"tcpSocket": {"port": 8000}}},
        {"readinessProbe": {"tcpSocket": {"port": "http"}}},
        {"readinessProbe": {"exec": {"command": ["sh", "-c", "nc -z localhost 8000"]}}},
        {"readinessProbe": {"exec": {"command": ["bash", "-c", "</dev/tcp/localhost/8000"]}}},
        {"startupProbe": {"tcpSocket": {"port": 8000}, "failureThreshold": 100}},
        NIM | {"readinessProbe": {"tcpSocket": {"port": 8000}}},
        {
            "image": "lmsysorg/sglang:v0.5.3",
            "command": ["python3", "-m", "sglang.launch_server", "--model-path", "m"],
            "args": ["--port", "8000"],
            "readinessProbe": {"tcpSocket": {"port": 8000}},
        },
    ],
)
def test_readiness_by_an_open_port_is_found(changes):
    for made in (vllm(**changes), leader_worker_set(size=1, leader={"containers": [container(changes)]})):
        (found,) = findings(readiness_asks_server, made)
        assert "httpGet" in found


@pytest.mark.parametrize(
    "command",
    [["/bin/true"], ["sh", "-c", "exit 0"], ["bash", "-c", "pgrep -f vllm"], ["sh", "-c", "ps aux | grep vllm"]],
)
def test_readiness_that_asks_nobody_is_found(command):
    (found,) = findings(readiness_asks_server, vllm(readinessProbe={"httpGet": None, "exec": {"command": command}}))
    assert "asks nobody" in found


@pytest.mark.parametrize(
    "command",
    [["curl", "-sf", "localhost:8000/health"], ["bash", "-c", "pgrep vllm && curl -f localhost:8000/health || exit 1"]],
)
def test_readiness_by_a_command_that_asks_is_silent(command):
    asking = vllm(readinessProbe={"httpGet": None, "exec": {"command": command}})
    assert not findings(readiness_asks_server, asking)


def test_readiness_of_a_database_may_be_an_open_port():
    redis = {"name": "redis", "image": "redis:7", "readinessProbe": {"tcpSocket": {"port": 6379}}}
    assert not findings(readiness_asks_server, deployment(containers=[redis]))


# Paths and ports


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"readinessProbe": {"httpGet": {"path": "/", "port": 8000}}}, "404"),
        ({"readinessProbe": {"httpGet": {"path": None}}}, "404"),
        ({"livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}}}, "404"),
        ({"readinessProbe": {"httpGet": {"path": "/v1/health/ready", "port": 8000}}}, "404"),
        ({"args": ["--api-key=x"], "readinessProbe": {"httpGet": {"path": "/v1/models", "port": 8000}}}, "401"),
        (
            {
                "env": [{"name": "VLLM_API_KEY", "valueFrom": {"secretKeyRef": {"name": "k", "key": "k"}}}],
                "readinessProbe": {"httpGet": {"path": "/v1/models", "port": 8000}},
            },
            "401",
        ),
        (NIM | {"readinessProbe": {"httpGet": {"path": "/", "port": 8000}}}, "/v1/health/ready"),
        ({"args": ["--ssl-certfile", "/tls/tls.crt"], "startupProbe": None}, "HTTPS"),
        (
            {
                "args": ["--ssl-certfile=/tls/tls.crt"],
                "readinessProbe": {"httpGet": {"scheme": "HTTP"}},
                "startupProbe": None,
            },
            "HTTPS",
        ),
        ({"readinessProbe": {"httpGet": {"scheme": "HTTPS"}}}, "no certificate"),
        ({"readinessProbe": {"httpGet": None, "grpc": {"port": 8000}}}, "speaks gRPC"),
        (
            {"image": "nvcr.io/nvidia/tritonserver:25.08-py3", "command": ["tritonserver"], "startupProbe": None},
            "/v2/health/ready",
        ),
    ],
)
def test_a_path_that_never_answers_200_is_found(changes, says):
    (found,) = findings(path_answers, vllm(**changes))
    assert says in found


@pytest.mark.parametrize(
    "changes",
    [
        {"readinessProbe": {"httpGet": {"path": "/ping", "port": 8000}}},
        {"readinessProbe": {"httpGet": {"path": "/v1/models", "port": 8000}}},
        {"readinessProbe": {"httpGet": {"path": UNKNOWN, "port": 8000}}},
        {"readinessProbe": {"httpGet": {"path": "/", "port": 9000}}},
        NIM | {"readinessProbe": {"httpGet": {"path": "/v1/health/ready", "port": 8000}}, "startupProbe": None},
        {
            "args": ["--api-key=x"],
            "readinessProbe": {
                "httpGet": {
                    "path": "/v1/models",
                    "port": 8000,
                    "httpHeaders": [{"name": "Authorization", "value": "Bearer x"}],
                }
            },
        },
    ],
)
def test_a_path_that_answers_is_silent(changes):
    assert not findings(path_answers, vllm(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"readinessProbe": {"httpGet": {"path": "/health", "port": "web"}}},
        {"readinessProbe": {"httpGet": {"path": "/health", "port": 8080}}},
        {"readinessProbe": {"httpGet": {"path": "/health", "port": "8080"}}},
        {"args": ["--port", "9000"], "startupProbe": None},
        {"ports": None, "startupProbe": {"httpGet": None, "tcpSocket": {"port": "http"}}},
    ],
)
def test_a_port_where_nobody_listens_is_found(changes):
    assert len(findings(port_exists, vllm(**changes))) == 1


def test_a_port_of_a_sidecar_or_an_unknown_one_is_silent():
    proxy = {"name": "proxy", "image": "envoy:v1", "ports": [{"containerPort": 8080}]}
    beside = container({"readinessProbe": {"httpGet": {"path": "/health", "port": 8080}}})
    assert not findings(port_exists, deployment(containers=[beside, proxy]))
    assert not findings(port_exists, vllm(ports=UNKNOWN, readinessProbe={"httpGet": {"port": "web"}}))
    assert not findings(port_exists, vllm(args=["--port", "$(PORT)"], readinessProbe={"httpGet": {"port": 1}}))
    assert not findings(port_exists, vllm(readinessProbe={"httpGet": {"path": "/health", "port": UNKNOWN}}))


# Time to load


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"startupProbe": None, "livenessProbe": HEALTH}, "30 s"),
        ({"startupProbe": None, "livenessProbe": HEALTH | {"initialDelaySeconds": 240.0}}, "270 s"),
        ({"startupProbe": None, "livenessProbe": HEALTH | {"initialDelaySeconds": "60", "periodSeconds": 5}}, "75 s"),
        ({"startupProbe": HEALTH | {"failureThreshold": 30, "periodSeconds": 10}}, "300 s"),
        ({"startupProbe": {"failureThreshold": None, "periodSeconds": None}}, "30 s"),
        (NIM | {"startupProbe": None, "livenessProbe": {"httpGet": {"path": "/v1/health/live", "port": 8000}}}, "30 s"),
        ({"command": ["vllm", "serve", "deepseek-ai/DeepSeek-R1"]}, "1800 s"),
    ],
)
def test_a_probe_that_kills_the_load_is_found(changes, says):
    (found,) = findings(load_may_finish, vllm(**changes))
    assert says in found


def test_several_nodes_need_more_time():
    short = group_container({"startupProbe": {"failureThreshold": 90}})
    (found,) = findings(load_may_finish, leader_worker_set(leader={"containers": [short]}))
    assert "2 nodes" in found
    assert "failureThreshold: 180" in found


@pytest.mark.parametrize(
    "changes",
    [
        {"startupProbe": None},
        {"startupProbe": None, "livenessProbe": HEALTH | {"initialDelaySeconds": 900}},
        {"startupProbe": HEALTH | {"failureThreshold": 60}, "livenessProbe": HEALTH},
        {"startupProbe": HEALTH | {"failureThreshold": UNKNOWN}},
        {"startupProbe": UNKNOWN, "livenessProbe": HEALTH},
        {"startupProbe": None, "livenessProbe": UNKNOWN},
        {"startupProbe": None, "livenessProbe": HEALTH, "resources": {"limits": None, "requests": None}},
        {
            "startupProbe": None,
            "livenessProbe": HEALTH,
            "resources": {"limits": {"google.com/tpu": 4, "nvidia.com/gpu": None}, "requests": None},
        },
    ],
)
def test_a_load_that_has_time_is_silent(changes):
    assert not findings(load_may_finish, vllm(**changes))


def test_a_team_may_know_better_how_long_its_models_load():
    fast = vllm(startupProbe=HEALTH | {"failureThreshold": 30})
    assert not findings(load_may_finish, fast, configuration={"seconds": 300})
    assert findings(load_may_finish, vllm(), configuration={"seconds": 3600})


def test_kserve_brings_its_own_startup_probe():
    def service(main):
        spec = {"model": {"uri": "hf://a/b"}, "template": {"containers": [main]}}
        return custom("serving.kserve.io/v1alpha2", "LLMInferenceService", "x", spec)

    gpu = {"name": "main", "resources": {"limits": {"nvidia.com/gpu": "1"}}}
    assert not findings(load_may_finish, service(gpu | {"livenessProbe": HEALTH}))
    assert findings(load_may_finish, service(gpu | {"startupProbe": {"failureThreshold": 10}}))


# Workers


@pytest.mark.parametrize(
    "changes",
    [
        {"readinessProbe": HEALTH},
        {"livenessProbe": {"tcpSocket": {"port": 8000}}},
        {"args": ["--nnodes=2", "--node-rank=$(LWS_WORKER_INDEX)", "--master-addr=x"], "startupProbe": HEALTH},
    ],
)
def test_a_worker_without_an_api_that_is_probed_is_found(changes):
    group = leader_worker_set(worker={"containers": [group_container(changes, worker=True)]})
    (found,) = findings(workers_unasked, group)
    assert "the worker of" in found


def test_a_ray_worker_that_is_probed_is_found():
    script = (
        "bash /vllm-workspace/examples/online_serving/multi-node-serving.sh worker --ray_address=$LWS_LEADER_ADDRESS"
    )
    ray = group_container({"command": ["bash", "-c"], "args": [script], "readinessProbe": HEALTH}, worker=True)
    assert "Ray" in findings(workers_unasked, leader_worker_set(worker={"containers": [ray]}))[0]


def test_a_worker_probed_by_command_or_on_a_sidecar_is_silent():
    alive = group_container({"livenessProbe": {"exec": {"command": ["pgrep", "vllm"]}}}, worker=True)
    assert not findings(workers_unasked, leader_worker_set(worker={"containers": [alive]}))
    beside = group_container({"readinessProbe": {"httpGet": {"path": "/", "port": 8080}}}, worker=True)
    sidecar = {"name": "agent", "image": "a:1", "ports": [{"containerPort": 8080}]}
    assert not findings(workers_unasked, leader_worker_set(worker={"containers": [beside, sidecar]}))


# Liveness


def test_liveness_that_is_faster_than_readiness_is_found():
    fast = HEALTH | {"periodSeconds": 5, "failureThreshold": 2}
    assert "10 s" in findings(liveness_is_last, vllm(livenessProbe=fast))[0]
    assert not findings(liveness_is_last, vllm(livenessProbe=HEALTH))
    assert not findings(liveness_is_last, vllm(livenessProbe=fast | {"periodSeconds": UNKNOWN}))
    assert not findings(liveness_is_last, vllm(livenessProbe=fast, readinessProbe=UNKNOWN))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_probes_that_are_no_probes_are_survived(rule):
    for broken in ("x", 3, ["x"], {"httpGet": "x"}, {"httpGet": {"port": {}}}, {"periodSeconds": 1e308}):
        probes = dict.fromkeys(("readinessProbe", "livenessProbe", "startupProbe"), broken)
        findings(rule, vllm(**probes))
    assert not findings(rule, resource("kubernetes:core/v1:Pod", "x", {"spec": {"containers": [None, "x", {}]}}))
