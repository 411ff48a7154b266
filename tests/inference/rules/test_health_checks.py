from __future__ import annotations

from typing import Any

import pytest

from inference.rules.health_checks import (
    from_readiness_valid,
    health_check_asks_server,
    health_check_config_valid,
    health_check_declared,
    health_check_path_served,
    health_check_port_served,
    port_specified,
    timeout_within_interval,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import container, custom, deployment, findings, leader_worker_set, resource
from tests.inference.rules.gateway_cases import (
    ON_SERVICE,
    TO_SERVICE,
    gateway,
    health_policy,
    pool,
    route,
    server,
    service,
)


def nim() -> Resource:
    image = {"image": "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.15.0", "command": None, "args": None}
    probes = {key: {"httpGet": {"path": "/v1/health/ready"}} for key in ("readinessProbe", "startupProbe")}
    return deployment("vllm", containers=[container({**image, **probes})])


class TestHealthCheck:
    @pytest.mark.parametrize("way", [(route(), pool()), (TO_SERVICE, service())])
    def test_a_model_without_health_check_is_found(self, way: tuple[Resource, ...]) -> None:
        found = findings(health_check_declared, gateway(), *way, server())

        assert len(found) == 1
        assert "/health" in found[0]

    def test_a_server_that_answers_on_the_root_is_silent(self) -> None:
        tgi = deployment(
            "vllm",
            containers=[
                container(
                    {
                        "image": "ghcr.io/huggingface/text-generation-inference:3.3.4",
                        "command": None,
                        "args": ["--model-id", "a/b"],
                    }
                )
            ],
        )
        on_root = deployment("vllm", containers=[container({"readinessProbe": {"httpGet": {"path": "/"}}})])

        for answering in (tgi, on_root):
            assert findings(health_check_declared, gateway(), TO_SERVICE, service(), answering) == []

    @pytest.mark.parametrize(
        ("path", "count"),
        [(None, 1), ("/", 1), ("/healthz", 1), ("/v1/health/ready", 1), ("/health", 0), ("/health/", 0), (UNKNOWN, 0)],
    )
    def test_the_path_is_one_that_vllm_serves(self, path: object, count: int) -> None:
        policy = health_policy(default={"config": {"httpHealthCheck": {"requestPath": path}}})

        assert len(findings(health_check_path_served, policy, pool(), server())) == count

    @pytest.mark.parametrize(
        ("path", "count"), [("/health", 1), ("/", 1), ("/v1/health/ready", 0), ("/v1/health/live", 0)]
    )
    def test_the_path_is_one_that_nim_serves(self, path: str, count: int) -> None:
        policy = health_policy(default={"config": {"httpHealthCheck": {"requestPath": path}}}, target=ON_SERVICE)

        assert len(findings(health_check_path_served, policy, service(), nim())) == count

    def test_a_path_of_another_server_or_another_protocol_is_silent(self) -> None:
        web = deployment("vllm", containers=[{"name": "web", "image": "nginx:1.29.0"}])
        root = health_policy(default={"config": {"httpHealthCheck": {"requestPath": "/"}}})
        grpc = health_policy(default={"config": {"type": "GRPC", "httpHealthCheck": None, "grpcHealthCheck": {}}})

        assert findings(health_check_path_served, root, pool(), web) == []
        assert findings(health_check_path_served, grpc, pool(), server()) == []

    @pytest.mark.parametrize(("port", "count"), [(8000, 0), (8000.0, 0), (80, 1), (9002, 1), (UNKNOWN, 0), (None, 0)])
    def test_the_port_is_one_on_which_the_server_listens(self, port: object, count: int) -> None:
        policy = health_policy(default={"config": {"httpHealthCheck": {"port": port}}})

        assert len(findings(health_check_port_served, policy, pool(), server())) == count

    def test_only_the_leader_of_a_group_is_asked(self) -> None:
        group = leader_worker_set(
            "vllm", spec={"leaderWorkerTemplate": {"leaderTemplate": {"metadata": {"labels": {"app": "vllm"}}}}}
        )
        path = health_policy(default={"config": {"httpHealthCheck": {"requestPath": "/", "port": 81}}})

        assert len(findings(health_check_path_served, path, pool(), group)) == 1
        assert len(findings(health_check_port_served, path, pool(), group)) == 1
        assert findings(health_check_path_served, health_policy(), pool(), group) == []


class TestInterval:
    @pytest.mark.parametrize(
        ("default", "count"),
        [
            ({"checkIntervalSec": 5, "timeoutSec": 10}, 1),
            ({"checkIntervalSec": None, "timeoutSec": 6}, 1),
            ({"checkIntervalSec": 4, "timeoutSec": None}, 1),
            ({"checkIntervalSec": "5", "timeoutSec": 5.0}, 0),
            ({"checkIntervalSec": None, "timeoutSec": None}, 0),
            ({"checkIntervalSec": UNKNOWN, "timeoutSec": 60}, 0),
        ],
    )
    def test_the_timeout_is_within_the_interval(self, default: dict[str, Any], count: int) -> None:
        assert len(findings(timeout_within_interval, health_policy(default=default))) == count

    def test_health_checks_of_ingresses_and_of_compute_engine_count(self) -> None:
        times = {"checkIntervalSec": 5, "timeoutSec": 10}
        config = custom("cloud.google.com/v1", "BackendConfig", "vllm", {"healthCheck": times})
        compute = resource("gcp:compute/healthCheck:HealthCheck", "vllm", {"timeoutSec": 10, "httpHealthCheck": {}})

        assert len(findings(timeout_within_interval, config)) == 1
        assert len(findings(timeout_within_interval, compute)) == 1


class TestDefinition:
    @pytest.mark.parametrize(
        "config",
        [
            {"httpHealthCheck": {"port": None}},
            {"httpHealthCheck": {"portSpecification": "USE_SERVING_PORT"}},
            {"httpHealthCheck": {"portSpecification": "USE_NAMED_PORT"}},
            {"type": "HTTPS"},
            {"type": None},
            {"tcpHealthCheck": {"portSpecification": "USE_SERVING_PORT"}},
        ],
    )
    def test_what_the_definition_refuses_is_found(self, config: dict[str, Any]) -> None:
        assert len(findings(health_check_config_valid, health_policy(default={"config": config}))) == 1

    @pytest.mark.parametrize(
        "config",
        [
            {},
            None,
            UNKNOWN,
            {"httpHealthCheck": {"portSpecification": "USE_SERVING_PORT", "port": None}},
            {"httpHealthCheck": {"portSpecification": UNKNOWN}},
            {"httpHealthCheck": {"portSpecification": "USE_NAMED_PORT", "port": None, "portName": "http"}},
        ],
    )
    def test_what_it_takes_or_nobody_knows_is_silent(self, config: Any) -> None:
        assert findings(health_check_config_valid, health_policy(default={"config": config})) == []

    @pytest.mark.parametrize("port", [{}, {"port": None}, {"port": "8080"}])
    def test_a_port_without_specification_is_advised_against(self, port: dict[str, Any]) -> None:
        check = {"config": {"httpHealthCheck": {"portSpecification": None, **port}}}
        (found,) = findings(port_specified, health_policy(default=check))
        assert "USE_FIXED_PORT" in found
        assert findings(health_check_config_valid, health_policy(default=check)) == []

    def test_a_port_with_a_specification_or_an_unknown_one_is_silent(self) -> None:
        for given in ("USE_SERVING_PORT", UNKNOWN):
            check = {"config": {"httpHealthCheck": {"portSpecification": given, "port": None}}}
            assert findings(port_specified, health_policy(default=check)) == []


class TestAsksServer:
    def policy(self, kind: str) -> Resource:
        config = {"type": kind, "httpHealthCheck": None, f"{kind.lower()}HealthCheck": {"port": 8000}}
        return health_policy(default={"config": config})

    def test_an_open_port_is_not_enough(self) -> None:
        assert len(findings(health_check_asks_server, pool(), server(), self.policy("TCP"))) == 1

    def test_http_or_another_workload_is_silent(self) -> None:
        assert findings(health_check_asks_server, pool(), server(), health_policy()) == []
        assert findings(health_check_asks_server, pool(), self.policy("TCP")) == []


class TestReadiness:
    def stack(self, probe: dict[str, Any], **annotations: str) -> tuple[Resource, ...]:
        backend = {"backend": {"service": {"name": "vllm", "port": {"number": 80}}}}
        spec = {"rules": [{"http": {"paths": [backend]}}]}
        ingress = custom("networking.k8s.io/v1", "Ingress", "llm", spec, {"metadata": {"annotations": annotations}})
        readiness = {"readinessProbe": {"httpGet": {"path": "/health", "port": 8000}, **probe}}
        return ingress, service(), deployment("vllm", containers=[container(readiness)])

    @pytest.mark.parametrize("probe", [{"timeoutSeconds": 15}, {"periodSeconds": 5, "timeoutSeconds": "6"}])
    def test_a_probe_that_waits_longer_than_its_period_is_found(self, probe: dict[str, Any]) -> None:
        assert len(findings(from_readiness_valid, *self.stack(probe))) == 1

    @pytest.mark.parametrize("probe", [{}, {"timeoutSeconds": 10}, {"timeoutSeconds": UNKNOWN}])
    def test_a_probe_within_its_period_is_silent(self, probe: dict[str, Any]) -> None:
        assert findings(from_readiness_valid, *self.stack(probe)) == []

    def test_an_ingress_of_another_controller_makes_no_health_check(self) -> None:
        nginx = {"kubernetes.io/ingress.class": "nginx"}

        assert findings(from_readiness_valid, *self.stack({"timeoutSeconds": 15}, **nginx)) == []
