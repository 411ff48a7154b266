from __future__ import annotations

import json

import pytest

from inference.rules.disaggregation import (
    connector_has_role,
    nixl_tells_address,
    role_is_definite,
    sidecar_reaches_server,
    stages_agree,
)
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import container, deployment, findings, leader_worker_set

RULES = (connector_has_role, nixl_tells_address, role_is_definite, sidecar_reaches_server, stages_agree)
POD_IP = {"name": "VLLM_NIXL_SIDE_CHANNEL_HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


def transfer(**config):
    return ["--kv-transfer-config", json.dumps(config)]


def nixl(role):
    return transfer(kv_connector="NixlConnector", kv_role=role)


def stage(name, role, *args, **changes):
    changes = {"args": [*nixl(role), *args], "env": [POD_IP]} | changes
    return deployment(name, containers=[container(changes)])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_stages_as_they_should_be_are_silent(rule):
    sidecar = {
        "name": "routing-proxy",
        "image": "ghcr.io/llm-d/llm-d-router-disagg-sidecar:v0.10.0",
        "args": ["--port=8000", "--kv-connector=nixlv2"],
        "restartPolicy": "Always",
    }
    decode = container({"args": [*nixl("kv_consumer"), "--port=8200"], "env": [POD_IP]})
    made = deployment("decode", containers=[decode], pod={"initContainers": [sidecar]})
    assert not findings(rule, stage("prefill", "kv_producer"), made, deployment(), leader_worker_set())


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (transfer(kv_connector="NixlConnector"), "no kv_role"),
        (transfer(kv_role="kv_producer"), "without kv_connector"),
        (transfer(kv_connector="NixlConnector", kv_role="producer"), "does not exist"),
        (["--kv-transfer-config.kv_connector=NixlConnector"], "no kv_role"),
        (
            transfer(
                kv_connector="MultiConnector",
                kv_role="kv_both",
                kv_connector_extra_config={"connectors": [{"kv_connector": "NixlConnector"}]},
            ),
            "no kv_role",
        ),
    ],
)
def test_a_connector_without_its_role_is_found(args, says):
    (found,) = findings(connector_has_role, deployment(containers=[container({"args": args})]))
    assert says in found


@pytest.mark.parametrize(
    "args",
    [
        nixl("kv_both"),
        transfer(kv_connector="OffloadingConnector", kv_role="kv_both"),
        transfer(kv_connector="NixlConnector", kv_role="$(ROLE)"),
        ["--kv-transfer-config", "$(CONFIG)"],
        [],
    ],
)
def test_a_connector_with_its_role_is_silent(args):
    assert not findings(connector_has_role, deployment(containers=[container({"args": args})]))


def test_both_roles_at_once_are_deprecated_for_nixl():
    both = container({"args": nixl("kv_both"), "env": [POD_IP]})
    assert "deprecated" in findings(role_is_definite, deployment(containers=[both]))[0]
    older = both | {"image": "vllm/vllm-openai:v0.20.0"}
    assert not findings(role_is_definite, deployment(containers=[older]))
    offload = container({"args": transfer(kv_connector="OffloadingConnector", kv_role="kv_both")})
    assert not findings(role_is_definite, deployment(containers=[offload]))


@pytest.mark.parametrize(
    "env", [None, [{"name": "VLLM_NIXL_SIDE_CHANNEL_HOST", "value": "localhost"}], [{"name": "OTHER", "value": "x"}]]
)
def test_a_nixl_server_that_hides_its_address_is_found(env):
    assert "status.podIP" in findings(nixl_tells_address, stage("decode", "kv_consumer", env=env))[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"env": [POD_IP]},
        {"env": [{"name": "VLLM_NIXL_SIDE_CHANNEL_HOST", "value": "10.0.0.7"}]},
        {"env": UNKNOWN},
        {"env": None, "envFrom": [{"configMapRef": {"name": "nixl"}}]},
        {"args": transfer(kv_connector="LMCacheConnectorV1", kv_role="kv_both"), "env": None},
        {
            "command": ["bash", "-c"],
            "args": [
                "export VLLM_NIXL_SIDE_CHANNEL_HOST=$(hostname -i); vllm serve m " + " ".join(nixl("kv_consumer"))
            ],
        },
    ],
)
def test_a_server_that_tells_its_address_is_silent(changes):
    assert not findings(nixl_tells_address, stage("decode", "kv_consumer", **changes))


def decode(server_port, *sidecar_args, image="ghcr.io/llm-d/llm-d-router-disagg-sidecar:v0.10.0"):
    server = container({"args": [f"--port={server_port}"]})
    sidecar = {"name": "proxy", "image": image, "args": list(sidecar_args)}
    return deployment(containers=[server, sidecar])


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (decode(8000), "listens on port 8000"),
        (decode(8200, "--port=8200"), "listens on port 8200"),
        (decode(8001), "sends to port 8200"),
        (decode(8200, "--model-server-port", "8001"), "sends to port 8001"),
        (decode(8200, "--vllm-port=8001", image="ghcr.io/llm-d/llm-d-routing-sidecar:v0.3.0"), "sends to port 8001"),
    ],
)
def test_a_sidecar_that_misses_its_server_is_found(made, says):
    (found,) = findings(sidecar_reaches_server, made)
    assert says in found


@pytest.mark.parametrize(
    "made",
    [
        decode(8200),
        decode(8001, "--model-server-port=8001"),
        decode("$(PORT)"),
        decode(8001, "--model-server-port=$(PORT)"),
        decode(8001, "--configuration-file=/etc/sidecar.yaml"),
        decode(8001, image="ghcr.io/llm-d/llm-d-routing-sidecar:v0.3.0"),
        decode(8001, image="envoyproxy/envoy:v1.30.0"),
    ],
)
def test_a_sidecar_that_reaches_its_server_is_silent(made):
    assert not findings(sidecar_reaches_server, made)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"image": "vllm/vllm-openai:v0.31.0"}, "image"),
        ({"args": [*nixl("kv_consumer"), "--kv-cache-dtype=fp8"]}, "--kv-cache-dtype fp8"),
        ({"args": [*nixl("kv_consumer"), "--block-size", "128"]}, "--block-size 128"),
    ],
)
def test_stages_that_differ_are_found(changes, says):
    (found,) = findings(stages_agree, stage("prefill", "kv_producer"), stage("decode", "kv_consumer", **changes))
    assert says in found


def test_stages_of_other_models_or_namespaces_are_not_compared():
    other = stage("decode", "kv_consumer", image="vllm/vllm-openai:v0.31.0", command=["vllm", "serve", "acme/other"])
    assert not findings(stages_agree, stage("prefill", "kv_producer"), other)
    away = deployment(
        "decode",
        containers=[container({"args": nixl("kv_consumer"), "image": "vllm/vllm-openai:v0.31.0"})],
        props={"metadata": {"namespace": "other"}},
    )
    assert not findings(stages_agree, stage("prefill", "kv_producer"), away)
    mirrored = stage("decode", "kv_consumer", image="us-docker.pkg.dev/p/mirror/vllm-openai:v0.32.0")
    assert not findings(stages_agree, stage("prefill", "kv_producer"), mirrored)
    assert not findings(stages_agree, stage("prefill", "kv_producer"), stage("decode", "kv_consumer", "-tp=1"))
