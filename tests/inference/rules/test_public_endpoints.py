from __future__ import annotations

from typing import Any

import pytest

from inference.rules.public_endpoints import (
    gateway_authenticated,
    gateway_encrypted,
    ingress_authenticated,
    service_authenticated,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import changed, container, custom, deployment, findings, workload
from tests.inference.rules.gateway_cases import (
    GLOBAL,
    INTERNAL,
    backend_policy,
    gateway,
    gateway_stack,
    pool,
    route,
    server,
    service,
)

KEY = {"name": "VLLM_API_KEY", "valueFrom": {"secretKeyRef": {"name": "api-key", "key": "key"}}}
PLAIN = {"listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]}


def served(changes: dict[str, Any] | None = None, **kw: Any) -> Resource:
    return deployment("vllm", containers=[container(changes)], **kw)


GUARDED = [
    {"env": [KEY]},
    {"args": ["--port=8000", "--api-key=$(KEY)"]},
    {"args": ["--port=8000", "--middleware=own.auth"]},
    {"command": ["/bin/bash", "-c", "vllm serve m --api-key $KEY"], "args": None},
    {"envFrom": [{"secretRef": {"name": "keys"}}]},
    {"env": UNKNOWN},
]


class TestGateway:
    def test_an_open_server_behind_an_external_gateway_is_found(self) -> None:
        for spec in ({}, PLAIN, {"gatewayClassName": GLOBAL}):
            assert len(findings(gateway_authenticated, gateway(spec=spec), route(), pool(), served())) == 1

    @pytest.mark.parametrize("changes", GUARDED)
    def test_a_server_that_asks_for_a_key_or_may_is_silent(self, changes: dict[str, Any]) -> None:
        assert findings(gateway_authenticated, gateway(), route(), pool(), served(changes)) == []

    def test_an_internal_gateway_and_another_controllers_are_silent(self) -> None:
        for name in (INTERNAL, "istio", UNKNOWN):
            inside = gateway(spec={"gatewayClassName": name})
            assert findings(gateway_authenticated, inside, route(), pool(), served()) == []

    @pytest.mark.parametrize(
        "guard",
        [
            backend_policy(default={"iap": {"enabled": True}}),
            backend_policy(default={"securityPolicy": "only-us"}),
            custom(
                "networking.gke.io/v1",
                "GCPAuthzPolicy",
                "a",
                {"targetRefs": [{"kind": "Gateway", "name": "inference"}]},
            ),
            custom(
                "networking.gke.io/v1",
                "GCPTrafficExtension",
                "a",
                {"targetRefs": [{"kind": "Gateway", "name": "inference"}]},
            ),
        ],
    )
    def test_something_on_the_way_that_asks_is_silent(self, guard: Resource) -> None:
        assert findings(gateway_authenticated, gateway(), route(), pool(), served(), guard) == []

    def test_a_policy_that_asks_nothing_does_not_help(self) -> None:
        ssl = custom(
            "networking.gke.io/v1", "GCPGatewayPolicy", "p", {"targetRef": {"kind": "Gateway", "name": "inference"}}
        )

        assert len(findings(gateway_authenticated, gateway(), route(), pool(), served(), ssl, backend_policy())) == 1

    def test_client_certificates_and_filters_are_silent(self) -> None:
        certificates = gateway(spec={"tls": {"frontend": {"default": {"validation": {"caCertificateRefs": []}}}}})
        filtered = route(rule={"filters": [{"type": "ExternalAuth"}]})

        assert findings(gateway_authenticated, certificates, route(), pool(), served()) == []
        assert findings(gateway_authenticated, gateway(), filtered, pool(), served()) == []

    def test_a_proxy_in_the_pod_may_ask(self) -> None:
        proxy = {"name": "proxy", "image": "envoyproxy/envoy:v1.33.2", "ports": [{"containerPort": 8443}]}
        behind = deployment("vllm", containers=[container(), proxy])

        assert findings(gateway_authenticated, gateway(), route(), pool(), behind) == []

    def test_an_open_web_page_is_nobodys_business(self) -> None:
        web = deployment("vllm", containers=[{"name": "web", "image": "nginx:1.29.0"}])
        to_service = route(backend={"group": None, "kind": "Service", "port": 80})

        assert findings(gateway_authenticated, gateway(), to_service, service(), web) == []


class TestEncryption:
    BOTH = {"listeners": [{"name": "http", "protocol": "HTTP"}, {"name": "https", "protocol": "HTTPS", "tls": {}}]}

    def test_a_route_on_a_plain_listener_is_found(self) -> None:
        for spec in (PLAIN, self.BOTH):
            assert len(findings(gateway_encrypted, gateway(spec=spec), route(), pool(), server())) == 1

    def test_a_route_on_the_tls_listener_and_a_redirect_are_silent(self) -> None:
        on_tls = route(spec={"parentRefs": [{"name": "inference", "sectionName": "https"}]})
        redirect = route("redirect", rule={"backendRefs": None, "filters": [{"type": "RequestRedirect"}]})

        assert findings(gateway_encrypted, gateway(spec=self.BOTH), on_tls, redirect, pool(), server()) == []
        unknown = route(spec={"parentRefs": [{"name": "inference", "sectionName": UNKNOWN}]})
        assert findings(gateway_encrypted, gateway(spec=self.BOTH), unknown, pool(), server()) == []

    def test_inside_the_vpc_plain_http_is_silent(self) -> None:
        inside = gateway(spec={**PLAIN, "gatewayClassName": INTERNAL})

        assert findings(gateway_encrypted, inside, route(), pool(), server()) == []


class TestService:
    def balanced(self, spec: dict[str, Any] | None = None, annotations: Any = None) -> Resource:
        return service(
            "vllm", changed({"type": "LoadBalancer"}, spec or {}), {"metadata": {"annotations": annotations}}
        )

    def test_an_open_server_with_a_public_address_is_found(self) -> None:
        for spec in ({}, {"loadBalancerSourceRanges": ["0.0.0.0/0"]}):
            assert len(findings(service_authenticated, self.balanced(spec), served())) == 1

    @pytest.mark.parametrize(
        ("spec", "annotations"),
        [
            ({"type": "ClusterIP"}, None),
            ({"type": None}, None),
            ({}, {"networking.gke.io/load-balancer-type": "Internal"}),
            ({}, {"cloud.google.com/load-balancer-type": "internal"}),
            ({}, {"service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"}),
            ({}, UNKNOWN),
            ({"loadBalancerSourceRanges": ["203.0.113.0/24"]}, None),
            ({"loadBalancerSourceRanges": UNKNOWN}, None),
            ({"loadBalancerClass": "networking.gke.io/l4-regional-internal"}, None),
        ],
    )
    def test_an_address_inside_or_limited_is_silent(self, spec: dict[str, Any], annotations: Any) -> None:
        assert findings(service_authenticated, self.balanced(spec, annotations), served()) == []

    @pytest.mark.parametrize("changes", GUARDED)
    def test_a_server_that_asks_for_a_key_or_may_is_silent(self, changes: dict[str, Any]) -> None:
        assert findings(service_authenticated, self.balanced(), served(changes)) == []


class TestIngress:
    def ingress(self, spec: dict[str, Any] | None = None, annotations: dict[str, str] | None = None) -> Resource:
        path = {"path": "/", "backend": {"service": {"name": "vllm", "port": {"number": 80}}}}
        base = {"rules": [{"http": {"paths": [path]}}]}
        token = "kubernetes:networking.k8s.io/v1:Ingress"  # noqa: S105 - a type token
        return workload(
            token,
            "networking.k8s.io/v1",
            "Ingress",
            "llm",
            changed(base, spec or {}),
            {"metadata": {"annotations": annotations or {}}},
        )

    def test_an_open_server_behind_an_ingress_is_found(self) -> None:
        default = {"rules": None, "defaultBackend": {"service": {"name": "vllm", "port": {"number": 80}}}}

        for spec in ({}, {"ingressClassName": "nginx"}, default):
            assert len(findings(ingress_authenticated, self.ingress(spec), service(), served())) == 1

    def test_an_internal_or_guarded_ingress_is_silent(self) -> None:
        iap = custom("cloud.google.com/v1", "BackendConfig", "iap", {"iap": {"enabled": True}})
        named = service(props={"metadata": {"annotations": {"cloud.google.com/backend-config": '{"default": "iap"}'}}})
        inside = self.ingress(annotations={"kubernetes.io/ingress.class": "gce-internal"})
        basic = self.ingress(annotations={"nginx.ingress.kubernetes.io/auth-type": "basic"})

        assert findings(ingress_authenticated, inside, service(), served()) == []
        assert findings(ingress_authenticated, basic, service(), served()) == []
        assert findings(ingress_authenticated, self.ingress(), named, iap, served()) == []
        assert findings(ingress_authenticated, self.ingress(), service(), served({"env": [KEY]})) == []


def test_a_whole_stack_is_silent() -> None:
    for rule in (gateway_authenticated, gateway_encrypted, service_authenticated, ingress_authenticated):
        assert findings(rule, *gateway_stack()) == []
