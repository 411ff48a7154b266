from __future__ import annotations

from typing import Any

import pytest

from inference.rules.routes import (
    backend_resolves,
    features_supported_by_gke,
    parent_admits,
    pool_without_port,
    timeouts_not_on_gke,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import custom, findings, resource
from tests.inference.rules.gateway_cases import POOL, gateway, gateway_stack, pool, release, route, service

GATEWAY_API = "gateway.networking.k8s.io/v1"
ISTIO = {"gatewayClassName": "istio"}


def kserve(spec: dict[str, Any]) -> Resource:
    """Make an LLMInferenceService with a route spelled out."""
    gateways = {"refs": [{"name": "inference", "namespace": "serving"}]}
    router = {"gateway": gateways, "scheduler": {}, "route": {"http": {"spec": spec}}}
    return custom("serving.kserve.io/v1alpha2", "LLMInferenceService", "llama", {"router": router})


def namespace(name: str, labels: dict[str, str] | None = None) -> Resource:
    return resource("kubernetes:core/v1:Namespace", name, {"metadata": {"name": name, "labels": labels or {}}})


def grant(origin: str = "web", to: dict[str, Any] | None = None, source: str = "HTTPRoute") -> Resource:
    spec = {
        "from": [{"group": "gateway.networking.k8s.io", "kind": source, "namespace": origin}],
        "to": [to or {"group": POOL, "kind": "InferencePool"}],
    }
    return custom("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "grant", spec)


class TestTimeouts:
    @pytest.mark.parametrize("timeouts", [{"request": "300s"}, {"backendRequest": "0s"}, {"request": UNKNOWN}])
    def test_a_route_of_a_gke_gateway_with_timeouts_is_found(self, timeouts: dict[str, object]) -> None:
        assert len(findings(timeouts_not_on_gke, gateway(), route(rule={"timeouts": timeouts}))) == 1

    @pytest.mark.parametrize("timeouts", [None, {}, UNKNOWN])
    def test_a_route_without_timeouts_is_silent(self, timeouts: object) -> None:
        assert findings(timeouts_not_on_gke, gateway(), route(rule={"timeouts": timeouts})) == []

    def test_other_controllers_take_timeouts(self) -> None:
        timed = route(rule={"timeouts": {"request": "300s"}})

        assert findings(timeouts_not_on_gke, gateway(spec=ISTIO), timed) == []
        assert findings(timeouts_not_on_gke, timed) == []

    def test_the_route_of_an_inference_service_counts(self) -> None:
        assert len(findings(timeouts_not_on_gke, gateway(), kserve({"rules": [{"timeouts": {"request": "0s"}}]}))) == 1
        assert findings(timeouts_not_on_gke, gateway(), kserve({"rules": [{"matches": []}]})) == []

    @pytest.mark.parametrize(
        ("values", "count"),
        [({}, 1), ({"provider": {"name": "gke"}}, 0), ({"httpRoute": {"requestTimeout": ""}}, 0)],
    )
    def test_a_chart_renders_timeouts_unless_its_provider_is_gke(self, values: dict[str, Any], count: int) -> None:
        made = {"create": True, "inferenceGatewayName": "inference", **values.pop("httpRoute", {})}
        chart = release("llama", "oci://ghcr.io/llm-d/charts/llm-d-router-gateway", {"httpRoute": made, **values})

        assert len(findings(timeouts_not_on_gke, gateway(), chart)) == count


class TestFeatures:
    @pytest.mark.parametrize(
        "rule",
        [
            {"matches": [{"method": "POST"}]},
            {"retry": {"attempts": 2}},
            {"filters": [{"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplaceFullPath"}}}]},
        ],
    )
    def test_what_gke_does_not_support_is_found(self, rule: dict[str, object]) -> None:
        assert len(findings(features_supported_by_gke, gateway(), route(rule=rule))) == 1
        assert findings(features_supported_by_gke, gateway(spec=ISTIO), route(rule=rule)) == []

    @pytest.mark.parametrize(
        "rule",
        [
            {"matches": [{"headers": [{"name": "x-model", "value": "a"}]}]},
            {"filters": [{"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch"}}}]},
            {"filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}]},
        ],
    )
    def test_what_gke_supports_is_silent(self, rule: dict[str, object]) -> None:
        assert findings(features_supported_by_gke, gateway(), route(rule=rule)) == []


class TestPoolPort:
    @pytest.mark.parametrize("port", [8000, 8000.0, "8000", 80])
    def test_a_port_beside_a_pool_is_found(self, port: object) -> None:
        assert len(findings(pool_without_port, gateway(), route(backend={"port": port}))) == 1

    @pytest.mark.parametrize("port", [None, 54321, UNKNOWN])
    def test_no_port_or_that_of_older_releases_is_silent(self, port: object) -> None:
        assert findings(pool_without_port, gateway(), route(backend={"port": port})) == []

    def test_a_gateway_that_is_not_declared_is_taken_for_gkes(self) -> None:
        assert len(findings(pool_without_port, route(backend={"port": 8000}))) == 1

    def test_other_controllers_ignore_the_port(self) -> None:
        assert findings(pool_without_port, gateway(spec=ISTIO), route(backend={"port": 8000})) == []

    def test_a_service_needs_its_port(self) -> None:
        to_service = route(backend={"group": None, "kind": "Service", "port": 8000})

        assert findings(pool_without_port, gateway(), to_service) == []


class TestParent:
    def other_namespace(self, listener: dict[str, Any], **route_spec: Any) -> list[str]:
        base = {"name": "https", "protocol": "HTTPS", "port": 443}
        away = route(
            spec={"parentRefs": [{"name": "inference", "namespace": "serving"}], **route_spec},
            props={"metadata": {"namespace": "web"}},
        )
        labeled = namespace("web", {"gateway": "yes"})
        return findings(parent_admits, gateway(spec={"listeners": [{**base, **listener}]}), away, labeled)

    @pytest.mark.parametrize(
        "namespaces",
        [
            None,
            {"from": "Same"},
            {"from": "None"},
            {"from": "Selector", "selector": {"matchLabels": {"gateway": "no"}}},
        ],
    )
    def test_a_listener_that_does_not_admit_the_namespace_is_found(self, namespaces: dict[str, Any] | None) -> None:
        listener = {} if namespaces is None else {"allowedRoutes": {"namespaces": namespaces}}

        assert len(self.other_namespace(listener)) == 1

    @pytest.mark.parametrize(
        "allowed",
        [
            {"namespaces": {"from": "All"}},
            {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"gateway": "yes"}}}},
            {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"kubernetes.io/metadata.name": "web"}}}},
            {"namespaces": {"from": UNKNOWN}},
            UNKNOWN,
        ],
    )
    def test_a_listener_that_admits_it_is_silent(self, allowed: object) -> None:
        assert self.other_namespace({"allowedRoutes": allowed}) == []

    def test_a_listener_for_other_kinds_of_routes_is_found(self) -> None:
        assert (
            len(
                findings(
                    parent_admits,
                    route(),
                    gateway(
                        spec={
                            "listeners": [
                                {"name": "g", "protocol": "HTTP", "allowedRoutes": {"kinds": [{"kind": "GRPCRoute"}]}}
                            ]
                        }
                    ),
                )
            )
            == 1
        )

    def test_a_listener_that_does_not_exist_is_found(self) -> None:
        section = {"parentRefs": [{"name": "inference", "sectionName": "http"}]}

        assert "no listener" in findings(parent_admits, gateway(), route(spec=section))[0]

    @pytest.mark.parametrize(
        ("served", "asked", "count"),
        [
            ("llm.example.com", ["llm.example.com"], 0),
            ("*.example.com", ["llm.example.com"], 0),
            ("llm.example.com", ["*.example.com"], 0),
            ("llm.example.com", ["llm.example.org"], 1),
            ("llm.example.com", None, 0),
            ("llm.example.com", [UNKNOWN], 0),
        ],
    )
    def test_the_hostnames_of_route_and_listener_meet(self, served: str, asked: object, count: int) -> None:
        listening = gateway(spec={"listeners": [{"name": "https", "protocol": "HTTPS", "hostname": served}]})

        assert len(findings(parent_admits, listening, route(spec={"hostnames": asked}))) == count

    @pytest.mark.parametrize(("port", "count"), [(443, 0), (443.0, 0), (80, 1), ("80", 1), (UNKNOWN, 0), (None, 0)])
    def test_the_port_that_a_route_names_is_one_of_a_listener(self, port: object, count: int) -> None:
        hanging = route(spec={"parentRefs": [{"name": "inference", "port": port}]})

        assert len(findings(parent_admits, gateway(), hanging)) == count

    def test_a_gateway_of_another_namespace_or_name_is_found(self) -> None:
        elsewhere = gateway(props={"metadata": {"namespace": "gateways"}})
        misspelt = route(spec={"parentRefs": [{"name": "inferense"}]})

        assert "namespace gateways" in findings(parent_admits, elsewhere, route())[0]
        assert "inference" in findings(parent_admits, gateway(), misspelt)[0]

    def test_a_gateway_that_exists_already_is_silent(self) -> None:
        shared = route(spec={"parentRefs": [{"name": "shared", "namespace": "infra"}]})

        assert findings(parent_admits, gateway(), shared) == []
        assert findings(parent_admits, route()) == []

    def test_an_unknown_name_or_namespace_is_silent(self) -> None:
        assert findings(parent_admits, gateway(props={"metadata": {"name": UNKNOWN}}), route()) == []
        assert findings(parent_admits, gateway(props={"metadata": {"namespace": UNKNOWN}}), route()) == []
        assert findings(parent_admits, gateway(), route(props={"metadata": {"namespace": UNKNOWN}})) == []

    def test_a_mesh_route_has_no_gateway(self) -> None:
        mesh = route(spec={"parentRefs": [{"group": "", "kind": "Service", "name": "vllm"}]})

        assert findings(parent_admits, gateway(), mesh) == []


class TestBackend:
    def away(self, *more: Resource) -> list[str]:
        crossing = route(backend={"namespace": "serving"}, props={"metadata": {"namespace": "web"}})
        return findings(backend_resolves, crossing, pool(), *more)

    def test_a_backend_in_another_namespace_needs_a_grant(self) -> None:
        assert "ReferenceGrant" in self.away()[0]
        assert self.away(grant()) == []
        assert self.away(grant(to={"group": POOL, "kind": "InferencePool", "name": "vllm"})) == []

    @pytest.mark.parametrize(
        "wrong",
        [
            grant(origin="other"),
            grant(to={"group": "", "kind": "Service"}),
            grant(to={"group": POOL, "kind": "InferencePool", "name": "other"}),
            grant(source="GRPCRoute"),
        ],
    )
    def test_a_grant_for_something_else_does_not_help(self, wrong: Resource) -> None:
        assert len(self.away(wrong)) == 1

    def test_a_backend_in_a_namespace_that_the_stack_does_not_own_is_silent(self) -> None:
        crossing = route(backend={"namespace": "shared"})

        assert findings(backend_resolves, crossing, pool()) == []

    @pytest.mark.parametrize(("port", "count"), [(80, 0), (80.0, 0), (8000, 1), (None, 1), (UNKNOWN, 0)])
    def test_the_port_of_a_service_is_one_of_its_own(self, port: object, count: int) -> None:
        to_service = route(backend={"group": None, "kind": None, "port": port})

        assert len(findings(backend_resolves, to_service, service())) == count

    def test_a_service_that_is_not_among_those_of_its_namespace_is_found(self) -> None:
        to_service = route(backend={"group": None, "kind": "Service", "name": "vlllm", "port": 80})

        assert len(findings(backend_resolves, to_service, service())) == 1

    def test_a_pool_that_is_not_among_those_of_its_namespace_is_found(self) -> None:
        wrong = route(backend={"name": "vlllm"})

        assert len(findings(backend_resolves, gateway(), wrong, pool())) == 1
        assert findings(backend_resolves, gateway(), route(), pool()) == []
        for silent in ((), (pool(), release("x", "own-chart")), (pool(props={"metadata": {"name": UNKNOWN}}),)):
            assert findings(backend_resolves, gateway(), wrong, *silent) == []
        served = custom("serving.kserve.io/v1alpha1", "LLMInferenceService", "qwen", {})
        assert (
            findings(backend_resolves, gateway(), route(backend={"name": "qwen-inference-pool"}), pool(), served) == []
        )

    def test_a_service_that_something_else_may_bring_is_silent(self) -> None:
        to_service = route(backend={"group": None, "kind": "Service", "name": "llama-head-svc", "port": 80})
        ray = custom("ray.io/v1", "RayService", "llama", {})

        assert findings(backend_resolves, to_service, service(), ray) == []
        assert findings(backend_resolves, to_service, service(), release("web", "nginx")) == []
        assert findings(backend_resolves, to_service) == []


def test_a_whole_stack_is_silent() -> None:
    for rule in (timeouts_not_on_gke, features_supported_by_gke, pool_without_port, parent_admits, backend_resolves):
        assert findings(rule, *gateway_stack()) == []
