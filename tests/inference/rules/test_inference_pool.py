from __future__ import annotations

from typing import Any

import pytest

from inference.rules.inference_pool import (
    api_current,
    definition_respected,
    picker_resolves,
    reference_group,
    selects_model_servers,
    target_port_served,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import container, custom, deployment, findings, leader_worker_set
from tests.inference.rules.gateway_cases import (
    OLD_POOL,
    picker,
    picker_service,
    pool,
    release,
    route,
    server,
    service,
)


def old_pool() -> Resource:
    spec = {"selector": {"app": "vllm"}, "targetPortNumber": 8000, "extensionRef": {"name": "vllm-epp"}}
    return custom(f"{OLD_POOL}/v1alpha2", "InferencePool", "vllm", spec)


def labeled_group(*labels: dict[str, str]) -> Resource:
    """Make a LeaderWorkerSet with labels on the leader's and on the workers' template."""
    templates = zip(("leaderTemplate", "workerTemplate"), labels, strict=False)
    metadata = {place: {"metadata": {"labels": found}} for place, found in templates}
    return leader_worker_set("llama", spec={"leaderWorkerTemplate": metadata})


class TestApi:
    def test_a_pool_of_the_old_group_and_an_inference_model_are_found(self) -> None:
        model = custom(f"{OLD_POOL}/v1alpha2", "InferenceModel", "llama", {"modelName": "llama"})

        assert len(findings(api_current, old_pool())) == 1
        assert len(findings(api_current, model)) == 1

    def test_a_pool_of_v1_and_an_objective_of_the_old_group_are_silent(self) -> None:
        objective = custom(f"{OLD_POOL}/v1alpha2", "InferenceObjective", "high", {"priority": 10})

        assert findings(api_current, pool()) == []
        assert findings(api_current, objective) == []

    @pytest.mark.parametrize("group", [None, "", OLD_POOL, "gateway.networking.k8s.io"])
    def test_a_route_that_names_a_pool_of_another_group_is_found(self, group: str | None) -> None:
        assert len(findings(reference_group, route(backend={"group": group}))) == 1

    @pytest.mark.parametrize("backend", [{}, {"group": UNKNOWN}, {"group": None, "kind": "Service"}])
    def test_the_right_group_or_another_kind_is_silent(self, backend: dict[str, Any]) -> None:
        assert findings(reference_group, route(backend=backend)) == []

    def test_the_pool_of_an_objective_counts(self) -> None:
        def objective(**reference: object) -> Resource:
            return custom("llm-d.ai/v1alpha2", "InferenceObjective", "high", {"poolRef": {"name": "vllm", **reference}})

        assert len(findings(reference_group, objective(group=OLD_POOL))) == 1
        assert findings(reference_group, objective()) == []


class TestSelector:
    @pytest.mark.parametrize("labels", [{"app": "llama"}, {"app": "vllm", "role": "decode"}])
    def test_labels_that_no_pod_carries_are_found(self, labels: dict[str, str]) -> None:
        found = findings(selects_model_servers, pool(spec={"selector": {"matchLabels": labels}}), server())

        assert len(found) == 1
        assert "app=vllm" in found[0]

    def test_a_model_server_in_another_namespace_is_found(self) -> None:
        away = server(props={"metadata": {"namespace": "models"}})

        assert "models" in findings(selects_model_servers, pool(), away)[0]

    @pytest.mark.parametrize(
        "stack",
        [
            (pool(), server()),
            (pool(),),
            (pool(spec={"selector": {"matchLabels": {"app": UNKNOWN}}}), server()),
            (pool(spec={"selector": UNKNOWN}), server()),
            (
                pool(spec={"selector": {"matchLabels": {"app": "x"}}}),
                server(spec={"template": {"metadata": {"labels": UNKNOWN}}}),
            ),
            (pool(spec={"selector": {"matchLabels": {"app": "x"}}}), server(), release("models", "llm-d-modelservice")),
            (pool(spec={"selector": {"matchLabels": {"app": "x"}}}), deployment("web", containers=[{"name": "web"}])),
            (old_pool(), server()),
        ],
    )
    def test_pods_that_match_or_may_exist_elsewhere_are_silent(self, stack: tuple[Resource, ...]) -> None:
        assert findings(selects_model_servers, *stack) == []

    def test_a_pool_of_the_picker_s_own_pods_is_found(self) -> None:
        selecting = pool(spec={"selector": {"matchLabels": {"app": "vllm-epp"}}})

        assert len(findings(selects_model_servers, selecting, picker(), deployment())) == 1
        assert findings(selects_model_servers, selecting, picker()) == []
        on_8000 = picker({"ports": [{"containerPort": 8000}]})
        assert findings(selects_model_servers, selecting, on_8000, deployment()) == []

    def test_headless_workers_among_the_endpoints_are_found(self) -> None:
        both = pool(spec={"selector": {"matchLabels": {"app": "llama"}}})

        assert "worker-index" in findings(selects_model_servers, both, labeled_group())[0]

    def test_leaders_alone_are_silent(self) -> None:
        labels = {"app": "llama", "leaderworkerset.sigs.k8s.io/worker-index": "0"}

        assert findings(selects_model_servers, pool(spec={"selector": {"matchLabels": labels}}), labeled_group()) == []


class TestTargetPort:
    @pytest.mark.parametrize(
        ("ports", "count"), [([8000], 0), ([8000.0], 0), (["8000"], 0), ([80], 1), ([8080, 8081], 1), ([UNKNOWN], 0)]
    )
    def test_the_port_is_one_on_which_the_server_listens(self, ports: list[object], count: int) -> None:
        aimed = pool(spec={"targetPorts": [{"number": port} for port in ports]})

        assert len(findings(target_port_served, aimed, server())) == count

    @pytest.mark.parametrize(
        "command",
        [
            ["vllm", "serve", "m", "--port", "9000"],
            ["/bin/sh", "-c", "vllm serve m \\\n --port=9000"],
            ["python3", "-m", "vllm.entrypoints.openai.api_server", "--port", "9000"],
        ],
    )
    def test_the_command_line_decides_over_the_declared_port(self, command: list[str]) -> None:
        moved = deployment("vllm", containers=[container({"command": command, "args": None})])

        assert len(findings(target_port_served, pool(), moved)) == 1
        assert findings(target_port_served, pool(spec={"targetPorts": [{"number": 9000}]}), moved) == []

    def test_a_proxy_in_front_of_the_server_is_silent(self) -> None:
        proxy = {
            "name": "proxy",
            "image": "ghcr.io/llm-d/llm-d-router-disagg-sidecar:v0.10.0",
            "restartPolicy": "Always",
        }
        behind = container({"args": ["--port=8200"], "ports": [{"containerPort": 8200}]})
        decode = deployment("vllm", containers=[behind], pod={"initContainers": [proxy]})

        assert findings(target_port_served, pool(), decode) == []


class TestDefinition:
    @pytest.mark.parametrize(
        "spec",
        [
            {"endpointPickerRef": None},
            {"endpointPickerRef": {"port": None}},
            {"endpointPickerRef": {"port": {"number": None}}},
            {"endpointPickerRef": {"failureMode": "FailClosed"}},
            {"endpointPickerRef": {"group": "apps"}},
            {"targetPorts": [{"number": 8000}, {"number": 8000}]},
            {"targetPorts": [{"number": 8000 + rank} for rank in range(9)]},
        ],
    )
    def test_what_is_refused_or_missing_is_found(self, spec: dict[str, Any]) -> None:
        assert len(findings(definition_respected, pool(spec=spec))) == 1

    @pytest.mark.parametrize(
        "spec",
        [
            {},
            {"endpointPickerRef": UNKNOWN},
            {"endpointPickerRef": {"port": UNKNOWN}},
            {"endpointPickerRef": {"kind": "Deployment", "group": "apps", "port": None}},
            {"targetPorts": [{"number": 8000 + rank} for rank in range(8)]},
        ],
    )
    def test_what_the_definition_takes_is_silent(self, spec: dict[str, Any]) -> None:
        assert findings(definition_respected, pool(spec=spec)) == []


class TestPicker:
    def test_a_service_with_the_grpc_port_is_silent(self) -> None:
        for ports in ([{"port": 9002}], [{"port": 80, "targetPort": 9002}], [{"port": 80, "targetPort": "grpc"}]):
            number = ports[0]["port"]
            named = pool(spec={"endpointPickerRef": {"port": {"number": number}}})
            assert findings(picker_resolves, named, picker(), picker_service({"ports": ports})) == []

    @pytest.mark.parametrize(
        ("number", "ports", "words"),
        [
            (9002, [{"port": 80, "targetPort": 9002}], "target port"),
            (9003, [{"port": 9002}], "names port 9003"),
            (9090, [{"port": 9002}, {"port": 9090}], "takes calls on 9002"),
            (80, [{"port": 80, "targetPort": "metrics"}], "takes calls on 9002"),
        ],
    )
    def test_a_port_that_leads_elsewhere_is_found(self, number: int, ports: list[dict[str, Any]], words: str) -> None:
        named = pool(spec={"endpointPickerRef": {"port": {"number": number}}})
        found = findings(picker_resolves, named, picker(), picker_service({"ports": ports}))

        assert len(found) == 1
        assert words in found[0]

    def test_a_picker_may_listen_on_another_port(self) -> None:
        moved = picker({"args": ["--grpc-port=9012", "--pool-name=vllm"]})
        to = picker_service({"ports": [{"port": 9002, "targetPort": 9012}]})

        assert findings(picker_resolves, pool(), moved, to) == []
        assert len(findings(picker_resolves, pool(), moved, picker_service({"ports": [{"port": 9002}]}))) == 1

    def test_a_service_that_is_missing_beside_its_picker_is_found(self) -> None:
        assert len(findings(picker_resolves, pool(), picker())) == 1
        assert len(findings(picker_resolves, pool(), picker(), service("other"))) == 1

    def test_a_service_of_another_namespace_is_found(self) -> None:
        away = picker_service(props={"metadata": {"namespace": "infra"}})

        assert "infra" in findings(picker_resolves, pool(), away)[0]

    def test_an_external_name_is_found(self) -> None:
        assert len(findings(picker_resolves, pool(), picker_service({"type": "ExternalName"}))) == 1

    def test_a_picker_that_a_chart_brings_or_that_exists_already_is_silent(self) -> None:
        assert findings(picker_resolves, pool()) == []
        assert findings(picker_resolves, pool(), server(), service("other")) == []
        assert findings(picker_resolves, pool(), picker(), release("vllm", "llm-d-router-gateway")) == []
        assert findings(picker_resolves, pool(spec={"endpointPickerRef": {"name": UNKNOWN}}), picker()) == []
