from __future__ import annotations

from typing import Any

import pytest

from inference.rules.backend_policies import (
    health_check_config_valid,
    health_check_declared,
    health_check_path_served,
    health_check_port_served,
    policy_target_group,
    timeout_covers_answers,
    timeout_within_interval,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import container, custom, deployment, findings, leader_worker_set, resource
from tests.inference.rules.gateway_cases import (
    OLD_POOL,
    POOL,
    backend_policy,
    gateway,
    gateway_stack,
    health_policy,
    pool,
    release,
    route,
    server,
    service,
)

TO_SERVICE = route(backend={"group": None, "kind": "Service", "port": 80})
ON_SERVICE = {"group": "", "kind": "Service"}
ROUTER = "oci://ghcr.io/llm-d/charts/llm-d-router-gateway"


def nim() -> Resource:
    image = {"image": "nvcr.io/nim/meta/llama-3.1-8b-instruct:1.15.0", "command": None, "args": None}
    probes = {key: {"httpGet": {"path": "/v1/health/ready"}} for key in ("readinessProbe", "startupProbe")}
    return deployment("vllm", containers=[container({**image, **probes})])


class TestTimeout:
    @pytest.mark.parametrize("way", [(route(), pool()), (TO_SERVICE, service())])
    def test_a_model_without_policy_is_found(self, way: tuple[Resource, ...]) -> None:
        assert len(findings(timeout_covers_answers, gateway(), *way, server())) == 1

    @pytest.mark.parametrize("seconds", [None, 30, 30.0, "60", 299])
    def test_a_policy_with_too_short_a_timeout_is_found(self, seconds: object) -> None:
        short = backend_policy(default={"timeoutSec": seconds})

        assert len(findings(timeout_covers_answers, gateway(), route(), pool(), server(), short)) == 1

    @pytest.mark.parametrize("seconds", [300, 3600.0, "900", UNKNOWN])
    def test_a_policy_that_is_long_enough_or_unknown_is_silent(self, seconds: object) -> None:
        policy = backend_policy(default={"timeoutSec": seconds})

        assert findings(timeout_covers_answers, gateway(), route(), pool(), server(), policy) == []

    def test_a_team_sets_its_own_limit(self) -> None:
        stack = (gateway(), route(), pool(), server(), backend_policy(default={"timeoutSec": 100}))

        assert findings(timeout_covers_answers, *stack, configuration={"seconds": 60}) == []
        assert len(findings(timeout_covers_answers, *gateway_stack(), configuration={"seconds": 3600})) == 1

    def test_a_policy_on_the_service_beside_the_pool_does_not_count(self) -> None:
        beside = backend_policy(target=ON_SERVICE)

        assert len(findings(timeout_covers_answers, gateway(), route(), pool(), server(), beside)) == 1

    def test_what_serves_no_model_or_hangs_on_another_gateway_is_silent(self) -> None:
        web = deployment("vllm", containers=[{"name": "web", "image": "nginx:1.29.0"}])

        assert findings(timeout_covers_answers, gateway(), TO_SERVICE, service(), web) == []
        istio = gateway(spec={"gatewayClassName": "istio"})
        assert findings(timeout_covers_answers, istio, route(), pool(), server()) == []

    def test_a_pool_that_exists_already_is_silent(self) -> None:
        assert findings(timeout_covers_answers, gateway(), route()) == []

    @pytest.mark.parametrize(("values", "count"), [({"provider": {"name": "gke"}}, 0), ({}, 1)])
    def test_a_router_chart_for_gke_brings_both_policies(self, values: dict[str, Any], count: int) -> None:
        chart = release("vllm", ROUTER, values)

        assert len(findings(timeout_covers_answers, gateway(), route(), chart)) == count
        assert len(findings(health_check_declared, gateway(), route(), chart)) == count

    def test_a_pool_that_kserve_makes_needs_policies_under_its_name(self) -> None:
        router = {"route": {}, "scheduler": {}, "gateway": {"refs": [{"name": "inference", "namespace": "serving"}]}}
        llm = custom("serving.kserve.io/v1alpha2", "LLMInferenceService", "llama", {"router": router})
        target = {"name": "llama-inference-pool"}

        assert len(findings(timeout_covers_answers, gateway(), llm)) == 1
        assert findings(timeout_covers_answers, gateway(), llm, backend_policy(target=target)) == []
        assert findings(health_check_declared, gateway(), llm, health_policy(target=target)) == []


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
            {"httpHealthCheck": {"portSpecification": None}},
            {"httpHealthCheck": {"portSpecification": None, "port": None}},
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

    @pytest.mark.parametrize("group", [None, "", OLD_POOL, "core"])
    def test_a_pool_is_targeted_in_its_group(self, group: str | None) -> None:
        for make in (health_policy, backend_policy):
            assert len(findings(policy_target_group, make(target={"group": group}))) == 1

    def test_a_service_is_targeted_in_the_core_group(self) -> None:
        assert len(findings(policy_target_group, backend_policy(target={"kind": "Service", "group": POOL}))) == 1
        for group in ("", None, UNKNOWN):
            assert findings(policy_target_group, backend_policy(target={"kind": "Service", "group": group})) == []
