"""Several models behind one gateway, and pickers that follow the servers' caches."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from inference.blueprint import Blueprint, design
from inference.facts.endpoint_picker import MODEL_HEADER
from inference.manifests import body_based_router, endpoint_picker, gateway, servers
from inference.stackfile import load
from tests.support.definitions import problems
from tests.support.stacks import ROOT, sections

ROUTER = [
    body_based_router.service_account(),
    body_based_router.service(),
    body_based_router.deployment(),
    body_based_router.health_check_policy(),
    body_based_router.extension(),
]


def blueprint(example: str, **changes: Any) -> Blueprint:
    config = sections(ROOT / "examples" / f"{example}.yaml")
    for model in config["models"].values():
        model |= changes
    return design(load(config, example), example)


def test_each_model_has_a_route_that_only_its_name_takes() -> None:
    plan = blueprint("llm-d-pattern-2")
    assert plan.settings.gateway is not None
    taken = {}
    for name, model in plan.models.items():
        (rule,) = gateway.route(model, plan.settings.gateway, by_name=True)["spec"]["rules"]
        (match,) = rule["matches"]
        (header,) = match["headers"]
        assert header == {"type": "Exact", "name": MODEL_HEADER, "value": model.settings.model}
        (backend,) = rule["backendRefs"]
        taken[header["value"]] = backend["name"]
        assert backend["name"] == name
    assert len(taken) == len(plan.models)


def test_one_model_takes_every_request_whatever_it_names() -> None:
    plan = blueprint("llm-d-pattern-1")
    assert plan.settings.gateway is not None
    (rule,) = gateway.route(plan.models["gemma"], plan.settings.gateway, by_name=False)["spec"]["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]


def test_the_router_writes_the_header_that_the_routes_match() -> None:
    (container,) = body_based_router.deployment()["spec"]["template"]["spec"]["containers"]
    words = container["args"]
    kind, _, parameters = words[words.index("--plugin") + 1].split(":", 2)
    assert kind == "body-field-to-header"
    assert json.loads(parameters) == {"fieldName": "model", "headerName": MODEL_HEADER}
    assert "--streaming" in words, "the extension streams the body"


def test_the_routing_extension_calls_the_router_with_the_whole_body() -> None:
    (chain,) = body_based_router.extension()["spec"]["extensionChains"]
    (callout,) = chain["extensions"]
    assert {"RequestBody", "RequestTrailers"} <= set(callout["supportedEvents"])
    assert callout["requestBodySendMode"] == "FullDuplexStreamed"
    service = body_based_router.service()
    assert callout["backendRef"]["name"] == service["metadata"]["name"]
    assert callout["backendRef"]["port"] == service["spec"]["ports"][0]["port"]
    labels = body_based_router.deployment()["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    (target,) = body_based_router.extension()["spec"]["targetRefs"]
    assert target["name"] == gateway.GATEWAY_NAME


@pytest.mark.parametrize("manifest", ROUTER, ids=lambda manifest: manifest["kind"])
def test_every_object_of_the_router_passes_strict_validation(manifest: dict[str, Any]) -> None:
    assert not list(problems(manifest))


def test_an_extension_that_listens_to_an_unknown_event_is_refused_by_the_validation_itself() -> None:
    manifest = body_based_router.extension()
    manifest["spec"]["extensionChains"][0]["extensions"][0]["supportedEvents"] = ["REQUEST_BODY"]
    assert list(problems(manifest))


def picker(plan: Blueprint, name: str) -> dict[str, Any]:
    assert plan.settings.gateway is not None
    text = endpoint_picker.config_map(plan.models[name], plan.settings.gateway.picker)["data"]["plugins.yaml"]
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def picker_containers(plan: Blueprint) -> list[dict[str, Any]]:
    assert plan.settings.gateway is not None
    made = endpoint_picker.deployment(plan.models["qwen"], "qwen", plan.settings.gateway.picker)
    containers: list[dict[str, Any]] = made["spec"]["template"]["spec"]["containers"]
    return containers


def test_servers_publish_what_a_precise_picker_subscribes_to() -> None:
    plan = blueprint("llm-d-pattern-3-precise")
    (container,) = servers.deployment(plan.models["qwen"])["spec"]["template"]["spec"]["containers"]
    events = json.loads(container["args"][container["args"].index("--kv-events-config") + 1])
    plugins = {plugin["type"]: plugin.get("parameters", {}) for plugin in picker(plan, "qwen")["plugins"]}
    discovery = plugins["precise-prefix-cache-producer"]["kvEventsConfig"]
    assert events["endpoint"] == f"tcp://*:{discovery['podDiscoveryConfig']['socketPort']}"
    _, address, model = events["topic"].split("@")
    assert model == plugins["token-producer"]["modelName"] == "Qwen/Qwen3-8B"
    assert address == "$(POD_IP):8000"
    assert "POD_IP" in {entry["name"] for entry in container["env"]}


def test_a_precise_picker_scores_by_the_events_and_keeps_its_metrics() -> None:
    document = picker(blueprint("llm-d-pattern-3-precise"), "qwen")
    plugins = {plugin["type"]: plugin.get("parameters", {}) for plugin in document["plugins"]}
    assert plugins["prefix-cache-scorer"] == {"prefixMatchInfoProducerName": "precise-prefix-cache-producer"}
    sources = {source["pluginRef"]: source["extractors"] for source in document["dataLayer"]["sources"]}
    assert sources["endpoint-notification-source"] == [{"pluginRef": "precise-prefix-cache-producer"}]
    assert sources["metrics-data-source"] == [{"pluginRef": "core-metrics-extractor"}]


def test_the_tokenizer_stands_beside_a_precise_picker_where_it_is_called() -> None:
    plan = blueprint("llm-d-pattern-3-precise")
    (tokenizer,) = [container for container in picker_containers(plan) if container["name"] == "tokenizer"]
    plugins = {plugin["type"]: plugin.get("parameters", {}) for plugin in picker(plan, "qwen")["plugins"]}
    assert plugins["token-producer"]["vllm"]["url"] == f"http://localhost:{tokenizer['ports'][0]['containerPort']}"
    assert tokenizer["args"][0] == "Qwen/Qwen3-8B"


def test_the_tokenizer_takes_the_token_of_a_gated_model_from_its_secret_and_the_options_of_its_tokenizer() -> None:
    gated = {"source": "hub", "token": {"secret": "hub-token"}}
    extra = {"--trust-remote-code": True, "--tokenizer-mode": "mistral", "--max-num-batched-tokens": 4096}
    plan = blueprint("llm-d-pattern-3-precise", weights=gated, extraArgs=extra)
    (tokenizer,) = [container for container in picker_containers(plan) if container["name"] == "tokenizer"]
    assert [set(entry) for entry in tokenizer["env"]] == [{"name", "valueFrom"}]
    assert tokenizer["args"][3:] == ["--trust-remote-code", "--tokenizer-mode", "mistral"]


def test_an_approximate_picker_has_no_tokenizer_and_its_servers_publish_nothing() -> None:
    plan = blueprint("llm-d-pattern-3")
    assert [container["name"] for container in picker_containers(plan)] == ["epp"]
    (container,) = servers.deployment(plan.models["qwen"])["spec"]["template"]["spec"]["containers"]
    assert "--kv-events-config" not in container["args"]
    assert "dataLayer" not in picker(plan, "qwen")


def test_a_picker_restarts_when_its_configuration_changes() -> None:
    seen = set()
    for example in ("llm-d-pattern-3", "llm-d-pattern-3-precise"):
        plan = blueprint(example)
        assert plan.settings.gateway is not None
        made = endpoint_picker.deployment(plan.models["qwen"], "qwen", plan.settings.gateway.picker)
        seen.add(made["spec"]["template"]["metadata"]["annotations"]["gke-inference/config"])
    assert len(seen) == 2
