from __future__ import annotations

from typing import Any

import pytest

from inference.rules.backend_policies import policy_target_group, protocol_spoken, timeout_covers_answers
from inference.rules.health_checks import (
    health_check_declared,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import container, custom, deployment, findings
from tests.inference.rules.gateway_cases import (
    OLD_POOL,
    ON_SERVICE,
    POOL,
    TO_SERVICE,
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

ROUTER = "oci://ghcr.io/llm-d/charts/llm-d-router-gateway"


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


class TestTarget:
    @pytest.mark.parametrize("group", [None, "", OLD_POOL, "core"])
    def test_a_pool_is_targeted_in_its_group(self, group: str | None) -> None:
        for make in (health_policy, backend_policy):
            assert len(findings(policy_target_group, make(target={"group": group}))) == 1

    def test_a_service_is_targeted_in_the_core_group(self) -> None:
        assert len(findings(policy_target_group, backend_policy(target={"kind": "Service", "group": POOL}))) == 1
        for group in ("", None, UNKNOWN):
            assert findings(policy_target_group, backend_policy(target={"kind": "Service", "group": group})) == []


class TestProtocol:
    def marked(self, protocol: object) -> Resource:
        return service("vllm", {"ports": [{"port": 80, "targetPort": 8000, "appProtocol": protocol}]})

    @pytest.mark.parametrize("protocol", ["HTTPS", "https", "HTTP2", "kubernetes.io/h2c"])
    def test_tls_or_http2_to_a_plain_server_is_found(self, protocol: str) -> None:
        assert len(findings(protocol_spoken, gateway(), TO_SERVICE, self.marked(protocol), server())) == 1

    @pytest.mark.parametrize("protocol", [None, "HTTP", "http", UNKNOWN])
    def test_plain_http_is_silent(self, protocol: object) -> None:
        assert findings(protocol_spoken, gateway(), TO_SERVICE, self.marked(protocol), server()) == []

    def test_a_server_with_certificate_or_a_proxy_beside_it_is_silent(self) -> None:
        secured = deployment(
            "vllm", containers=[container({"args": ["--ssl-certfile=/tls/c", "--ssl-keyfile=/tls/k"]})]
        )
        behind = deployment("vllm", containers=[container(), {"name": "envoy", "image": "envoyproxy/envoy:v1.33.2"}])

        for served in (secured, behind):
            assert findings(protocol_spoken, gateway(), TO_SERVICE, self.marked("HTTPS"), served) == []

    def test_a_pool_counts(self) -> None:
        h2c = pool(spec={"appProtocol": "kubernetes.io/h2c"})

        assert len(findings(protocol_spoken, gateway(), route(), h2c, server())) == 1
        assert findings(protocol_spoken, gateway(), route(), pool(spec={"appProtocol": "http"}), server()) == []
