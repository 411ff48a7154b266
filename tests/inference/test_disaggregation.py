"""Separate prefill servers: the two roles find each other, and each pod is what its role says."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from inference.blueprint import Blueprint, ModelPlan, design
from inference.manifests import disaggregation, endpoint_picker, gateway, servers
from inference.stackfile import load
from tests.support.definitions import problems
from tests.support.stacks import ROOT, edited, sections

ROLE = "llm-d.ai/role"


def blueprint(**changes: Any) -> Blueprint:
    config = sections(ROOT / "examples" / "llm-d-pattern-5.yaml")
    config["models"]["deepseek"] |= changes
    return design(load(config, "example"), "example")


def pair(**changes: Any) -> tuple[ModelPlan, ModelPlan]:
    decode = blueprint(**changes).models["deepseek"]
    assert decode.prefill is not None
    return decode, decode.prefill


def pod(model: ModelPlan) -> dict[str, Any]:
    spec: dict[str, Any] = servers.deployment(model)["spec"]["template"]
    return spec


def environment(model: ModelPlan) -> dict[str, Any]:
    (container,) = pod(model)["spec"]["containers"]
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}


def option(model: ModelPlan, flag: str) -> str:
    (container,) = pod(model)["spec"]["containers"]
    words: list[str] = container["args"]
    return words[words.index(flag) + 1]


def test_prefill_produces_caches_and_decode_consumes_them() -> None:
    decode, prefill = pair()
    roles = [json.loads(option(model, "--kv-transfer-config"))["kv_role"] for model in (prefill, decode)]
    assert roles == ["kv_producer", "kv_consumer"]
    for model in (prefill, decode):
        assert environment(model)["VLLM_NIXL_SIDE_CHANNEL_HOST"] == {"fieldRef": {"fieldPath": "status.podIP"}}


def test_the_two_workloads_differ_in_name_and_select_their_own_pods_only() -> None:
    decode, prefill = (servers.deployment(model) for model in pair())
    assert (decode["metadata"]["name"], prefill["metadata"]["name"]) == ("deepseek", "deepseek-prefill")
    for one, other in ((decode, prefill), (prefill, decode)):
        selector = one["spec"]["selector"]["matchLabels"].items()
        assert selector <= one["spec"]["template"]["metadata"]["labels"].items()
        assert not selector <= other["spec"]["template"]["metadata"]["labels"].items()


def test_the_picker_chooses_among_both_roles_and_the_service_reaches_decode_alone() -> None:
    decode, prefill = pair()
    pool = gateway.inference_pool(decode)["spec"]["selector"]["matchLabels"].items()
    service = servers.service(decode)["spec"]["selector"].items()
    labels = [pod(model)["metadata"]["labels"].items() for model in (decode, prefill)]
    assert all(pool <= found for found in labels)
    assert [service <= found for found in labels] == [True, False]


def test_only_decode_pods_have_a_sidecar_and_it_stands_before_the_engine() -> None:
    decode, prefill = (pod(model)["spec"] for model in pair())
    assert "initContainers" not in prefill
    (sidecar,) = decode["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    assert "--secure-proxy=false" in sidecar["args"]
    ports = {p["name"]: p["containerPort"] for c in (sidecar, *decode["containers"]) for p in c["ports"]}
    assert ports["http"] == 8000
    assert f"--model-server-port={ports['engine']}" in sidecar["args"]
    (engine,) = decode["containers"]
    probes = ("startupProbe", "readinessProbe", "livenessProbe")
    assert {engine[probe]["httpGet"]["port"] for probe in probes} == {"engine"}


def test_the_load_balancer_asks_for_what_the_sidecar_passes_on_to_the_engine() -> None:
    decode, _ = pair()
    check = gateway.health_check_policy(decode)["spec"]["default"]["config"]["httpHealthCheck"]
    assert check["requestPath"] == "/ping", "the sidecar answers /health itself, before the engine is there"


def test_the_sidecar_may_follow_a_request_only_to_pods_of_its_own_pool() -> None:
    decode, _ = pair()
    sidecar = disaggregation.sidecar(decode)
    pool = gateway.inference_pool(decode)["metadata"]
    assert "--enable-ssrf-protection" in sidecar["args"]
    assert f"--inference-pool={pool['namespace']}/{pool['name']}" in sidecar["args"]
    (subject,) = disaggregation.sidecar_role_binding(decode)["subjects"]
    assert subject["name"] == pod(decode)["spec"]["serviceAccountName"]
    readable = {resource for rule in disaggregation.sidecar_role(decode)["rules"] for resource in rule["resources"]}
    assert readable == {"pods", "inferencepools"}


def test_pods_of_whole_nodes_take_the_rdma_nics_and_leave_nccl_to_nvlink() -> None:
    for model in pair():
        template = pod(model)
        interfaces = json.loads(template["metadata"]["annotations"]["networking.gke.io/interfaces"])
        assert len(interfaces) == 9
        assert not [volume for volume in template["spec"]["volumes"] if volume["name"] == "gib"]
        assert environment(model)["UCX_IB_ROCE_REACHABILITY_MODE"] == "all"
        assert environment(model)["NCCL_NET_PLUGIN"] == environment(model)["NCCL_TUNER_PLUGIN"] == "none"


def test_pods_of_a_part_of_a_node_leave_the_nics_alone() -> None:
    config = edited("dev", models__qwen__prefill={})
    decode = design(load(config, "dev"), "dev").models["qwen"]
    assert decode.prefill is not None
    for model in (decode, decode.prefill):
        assert "networking.gke.io/interfaces" not in pod(model)["metadata"]["annotations"]
        assert "UCX_IB_ROCE_REACHABILITY_MODE" not in environment(model)


def test_the_picker_has_a_profile_for_each_role_and_a_handler_between() -> None:
    plan = blueprint()
    assert plan.settings.gateway is not None
    text = endpoint_picker.config_map(plan.models["deepseek"], plan.settings.gateway.picker)["data"]["plugins.yaml"]
    document = yaml.safe_load(text)
    assert "&id" not in text, "an anchor is no configuration that a person reads"
    kinds = {plugin["type"]: plugin.get("parameters") for plugin in document["plugins"]}
    assert kinds["disagg-profile-handler"] == {"deciders": {"prefill": "prefix-based-pd-decider"}}
    assert kinds["prefix-based-pd-decider"] == {"nonCachedTokens": 256}
    profiles = {p["name"]: [ref["pluginRef"] for ref in p["plugins"]] for p in document["schedulingProfiles"]}
    assert set(profiles) == {"prefill", "decode"}
    for name, plugins in profiles.items():
        assert (plugins[0], plugins[-1]) == (f"{name}-filter", "max-score-picker")


def test_prefill_servers_have_their_own_pool_size_and_number() -> None:
    config = sections(ROOT / "examples" / "llm-d-pattern-5.yaml")
    config["pools"]["readers"] = {**config["pools"]["h200"], "nodes": {"min": 0, "max": 3}}
    config["models"]["deepseek"]["prefill"] = {"replicas": 3, "pool": "readers"}
    decode = design(load(config, "example"), "example").models["deepseek"]
    assert decode.prefill is not None
    made = servers.deployment(decode.prefill)["spec"]
    assert made["replicas"] == 3
    assert made["template"]["spec"]["nodeSelector"]["gke-inference/pool"] == "readers"
    assert decode.settings.replicas == 1


def test_both_roles_may_span_nodes_with_data_parallel_ranks() -> None:
    decode, prefill = pair(parallelism={"data": 16}, contextLength=8192)
    for model in (decode, prefill):
        manifest = servers.leader_worker_set(model)
        assert not list(problems(manifest))
        template = manifest["spec"]["leaderWorkerTemplate"]["workerTemplate"]
        assert template["metadata"]["labels"][ROLE] == model.role
        assert ("initContainers" in template["spec"]) == (model.role == "decode")
    pool = gateway.inference_pool(decode)["spec"]["selector"]["matchLabels"]
    assert not [key for key in pool if key.startswith("leaderworkerset")]


@pytest.mark.parametrize("role", ["prefill", "decode"])
def test_every_object_of_a_role_passes_strict_validation(role: str) -> None:
    model = next(model for model in pair() if model.role == role)
    made = [servers.deployment(model), servers.service(model), servers.pod_monitoring(model)]
    made += [disaggregation.sidecar_role(model), disaggregation.sidecar_role_binding(model)]
    assert not [problem for manifest in made for problem in problems(manifest)]
