from __future__ import annotations

import pytest

from inference.rules.model_names import (
    client_asks_served_name,
    rewrite_names_served_model,
    route_names_served_model,
)
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import container, custom, deployment, findings, leader_worker_set, workload

MODEL = "google/gemma-3-4b-it"


def server(*args, **changes):
    return deployment(containers=[container({"args": ["--port=8000", *args]} | changes)])


def service(name="gemma", namespace="serving"):
    spec = {"selector": {"app": "vllm"}, "ports": [{"port": 8000}]}
    meta = {"metadata": {"namespace": namespace}}
    return workload("kubernetes:core/v1:Service", "v1", "Service", name, spec, meta)


def pool():
    spec = {"selector": {"matchLabels": {"app": "vllm"}}, "targetPorts": [{"number": 8000}]}
    return custom("inference.networking.k8s.io/v1", "InferencePool", "gemma", spec)


def client(command=None, *, env=None, kind="Job", namespace="serving"):
    body = {"name": "client", "image": "curlimages/curl:8", "command": command or [], "env": env or []}
    spec = {"template": {"spec": {"restartPolicy": "Never", "containers": [body]}}}
    meta = {"metadata": {"namespace": namespace}}
    return workload(f"kubernetes:batch/v1:{kind}", "batch/v1", kind, "smoke", spec, meta)


def curl(model, host="gemma:8000"):
    return ["sh", "-c", f"""curl http://{host}/v1/completions -d '{{"model": "{model}", "prompt": "hi"}}'"""]


# Clients


@pytest.mark.parametrize(
    "made",
    [
        client(curl("meta-llama/Llama-3-405b")),
        client(curl("gemma", "gemma.serving:8000")),
        client(curl("gemma", "gemma.serving.svc.cluster.local"), namespace="default"),
        client(["curl", "http://gemma/v1/chat/completions", "-d", '{"model":"gemma"}']),
        client(["vllm", "bench", "serve", "--model", "acme/m", "--base-url", "http://gemma:8000"]),
        client(["guidellm", "benchmark", "--target=http://gemma:8000", "--model=acme/m"]),
        client(env=[{"name": "OPENAI_BASE_URL", "value": "http://gemma/v1"}, {"name": "MODEL", "value": "gpt-4"}]),
    ],
)
def test_a_client_that_asks_for_another_model_is_found(made):
    (found,) = findings(client_asks_served_name, made, service(), server())
    assert MODEL in found


@pytest.mark.parametrize(
    ("made", "served"),
    [
        (client(curl(MODEL)), server()),
        (client(curl("gemma")), server("--served-model-name", "gemma", "gemma-3")),
        (client(curl("sql")), server("--enable-lora", "--lora-modules", "sql=/adapters/sql")),
        (client(curl("sql")), server("--lora-modules", '{"name": "sql", "path": "/adapters/sql"}')),
        (client(curl("x")), server("--served-model-name=$(NAME)")),
        (client(curl("x")), server(env=[{"name": "VLLM_ALLOW_RUNTIME_LORA_UPDATING", "value": "true"}])),
        (client(curl("x", "elsewhere.example.com")), server()),
        (client(curl("x", "unknown-service")), server()),
        (client(curl("$MODEL")), server()),
        (client(curl("x", "$HOST")), server()),
        (client(["python3", "train.py", "--model", "acme/m"]), server()),
        (client(env=[{"name": "MODEL", "value": "acme/m"}]), server()),
        (client(curl("x")), server(args=UNKNOWN)),
    ],
)
def test_a_client_that_asks_for_what_is_served_is_silent(made, served):
    assert not findings(client_asks_served_name, made, service(), served)


def test_a_client_of_a_group_is_judged_by_its_leader():
    leader = workload(
        "kubernetes:core/v1:Service",
        "v1",
        "Service",
        "llama-leader",
        {"selector": {"leaderworkerset.sigs.k8s.io/worker-index": "0"}, "ports": [{"port": 8000}]},
        None,
    )
    found = findings(client_asks_served_name, client(curl("llama", "llama-leader")), leader, leader_worker_set())
    assert "Llama-3.1-405B-Instruct-FP8" in found[0]


def test_a_probe_that_asks_for_another_model_is_found():
    asks = ["sh", "-c", """curl -f localhost:8000/v1/completions -d '{"model": "gemma"}'"""]
    probed = server(livenessProbe={"exec": {"command": asks}})
    assert "livenessProbe" in findings(client_asks_served_name, probed)[0]
    assert not findings(
        client_asks_served_name, server("--served-model-name=gemma", livenessProbe={"exec": {"command": asks}})
    )


# Routes


def route(model, *backends, header="X-Gateway-Model-Name", **match):
    match = {"name": header, "value": model} | match
    rules = [{"matches": [{"headers": [match]}], "backendRefs": list(backends)}]
    return custom("gateway.networking.k8s.io/v1", "HTTPRoute", "llm", {"rules": rules})


TO_POOL = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "gemma"}


def test_a_route_to_servers_of_another_model_is_found():
    assert MODEL in findings(route_names_served_model, route("llama", TO_POOL), pool(), server())[0]
    by_service = route("llama", {"name": "gemma", "port": 8000}, header="x-gateway-base-model-name")
    assert findings(route_names_served_model, by_service, service(), server())


def test_a_route_to_servers_of_the_model_is_silent():
    assert not findings(route_names_served_model, route(MODEL, TO_POOL), pool(), server())
    assert not findings(route_names_served_model, route("llama", TO_POOL), pool(), server("--served-model-name=llama"))
    assert not findings(route_names_served_model, route("llama", TO_POOL), server())
    assert not findings(route_names_served_model, route("llama.*", TO_POOL, type="RegularExpression"), pool(), server())
    assert not findings(route_names_served_model, route("llama", TO_POOL, header="x-user"), pool(), server())
    assert not findings(route_names_served_model, route(UNKNOWN, TO_POOL), pool(), server())
    spec = {"poolRef": {"name": "gemma"}, "rules": [{"targets": [{"modelRewrite": MODEL}]}]}
    rewrite = custom("llm-d.ai/v1alpha2", "InferenceModelRewrite", "all", spec)
    assert not findings(route_names_served_model, route("llama", TO_POOL), pool(), server(), rewrite)


# Rewrites


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("InferenceModelRewrite", {"rules": [{"targets": [{"modelRewrite": "gemma", "weight": 1}]}]}),
        ("InferenceModel", {"modelName": "gemma"}),
        ("InferenceModel", {"modelName": MODEL, "targetModels": [{"name": "gemma-v2", "weight": 100}]}),
    ],
)
def test_a_rewrite_to_what_nobody_serves_is_found(kind, spec):
    made = custom("inference.networking.x-k8s.io/v1alpha2", kind, "x", spec | {"poolRef": {"name": "gemma"}})
    assert MODEL in findings(rewrite_names_served_model, made, pool(), server())[0]
    assert not findings(rewrite_names_served_model, made, pool(), server("--served-model-name", "gemma", "gemma-v2"))
    assert not findings(rewrite_names_served_model, made, server())
