from __future__ import annotations

import pytest

from inference.rules.gateway import (
    address_scope_fits,
    certificate_source_supported,
    class_takes_pools,
    cluster_api_enabled,
    listener_has_certificate,
    prerequisites_first,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import cluster, custom, findings, judge, resource
from tests.inference.rules.gateway_cases import (
    GLOBAL,
    INTERNAL,
    REGIONAL,
    gateway,
    gateway_stack,
    pool,
    release,
    route,
    server,
)

NETWORK = "gcp:compute/network:Network"
SUBNET = "gcp:compute/subnetwork:Subnetwork"
SERVICE = "gcp:projects/service:Service"


def test_a_whole_gateway_stack_draws_no_finding_of_the_gateway_rules() -> None:
    ours = {"gateway", "route", "backend", "pool", "picker", "health"}

    assert {k: v for k, v in judge(cluster(), *gateway_stack()).items() if k.split("-")[0] in ours} == {}


class TestClusterApi:
    @pytest.mark.parametrize(
        "props",
        [
            {"gatewayApiConfig": None},
            {"gatewayApiConfig": {"channel": "CHANNEL_DISABLED"}},
            {"addonsConfig": {"httpLoadBalancing": {"disabled": True}}},
            {"addonsConfig": {"httpLoadBalancing": {"disabled": "true"}}},
            {"networkingMode": "ROUTES"},
        ],
    )
    def test_a_cluster_that_cannot_serve_gateways_is_found(self, props: dict[str, object]) -> None:
        assert len(findings(cluster_api_enabled, gateway(), cluster(props=props))) == 1

    @pytest.mark.parametrize(
        "props",
        [
            {},
            {"gatewayApiConfig": None, "enableAutopilot": True},
            {"gatewayApiConfig": None, "enableAutopilot": UNKNOWN},
            {"gatewayApiConfig": {"channel": UNKNOWN}},
            {"gatewayApiConfig": UNKNOWN},
        ],
    )
    def test_a_cluster_that_can_or_may_is_silent(self, props: dict[str, object]) -> None:
        assert findings(cluster_api_enabled, gateway(), cluster(props=props)) == []

    def test_a_gateway_of_another_controller_needs_nothing(self) -> None:
        bare = cluster(props={"gatewayApiConfig": None})

        assert findings(cluster_api_enabled, gateway(spec={"gatewayClassName": "istio"}), bare) == []

    def test_the_cluster_is_the_one_that_the_gateway_depends_on(self) -> None:
        bare, ready = cluster("bare", {"gatewayApiConfig": None}), cluster("ready")

        assert findings(cluster_api_enabled, gateway(dependencies=[ready]), bare, ready) == []
        assert len(findings(cluster_api_enabled, gateway(dependencies=[bare]), bare, ready)) == 1


class TestClassTakesPools:
    @pytest.mark.parametrize("name", [GLOBAL, "gke-l7-gxlb"])
    def test_a_pool_behind_a_global_class_is_found(self, name: str) -> None:
        found = findings(class_takes_pools, gateway(spec={"gatewayClassName": name}), route())

        assert len(found) == 1
        assert name in found[0]

    @pytest.mark.parametrize("name", [REGIONAL, INTERNAL, "gke-l7-global-external-managed-mc", "istio", UNKNOWN])
    def test_other_classes_are_silent(self, name: object) -> None:
        assert findings(class_takes_pools, gateway(spec={"gatewayClassName": name}), route()) == []

    def test_a_service_behind_a_global_class_is_silent(self) -> None:
        to_service = route(backend={"group": None, "kind": None, "name": "web", "port": 80})

        assert findings(class_takes_pools, gateway(spec={"gatewayClassName": GLOBAL}), to_service) == []

    def test_a_pool_that_kserve_makes_counts(self) -> None:
        router = {"route": {}, "scheduler": {}, "gateway": {"refs": [{"name": "inference", "namespace": "serving"}]}}
        llm = custom("serving.kserve.io/v1alpha2", "LLMInferenceService", "llama", {"router": router})

        assert len(findings(class_takes_pools, gateway(spec={"gatewayClassName": GLOBAL}), llm)) == 1

    def test_a_pool_that_a_chart_makes_counts(self) -> None:
        chart = release(
            "llama",
            "oci://ghcr.io/llm-d/charts/llm-d-router-gateway",
            {"httpRoute": {"create": True, "inferenceGatewayName": "inference"}, "provider": {"name": "gke"}},
        )

        assert len(findings(class_takes_pools, gateway(spec={"gatewayClassName": GLOBAL}), chart)) == 1


def prerequisites(**props: object) -> tuple[Resource, Resource, Resource]:
    network = resource(NETWORK, "platform", {"name": "platform"})
    base = {"purpose": "REGIONAL_MANAGED_PROXY", "role": "ACTIVE", "network": "platform", "region": "us-central1"}
    subnet = resource(SUBNET, "proxies", {**base, **props})
    return network, subnet, resource(SERVICE, "networkservices", {"service": "networkservices.googleapis.com"})


class TestPrerequisites:
    def test_a_gateway_without_edges_to_them_is_found_for_each(self) -> None:
        found = findings(prerequisites_first, gateway(), route(), cluster(), *prerequisites())

        assert len(found) == 2
        assert "proxies" in found[0]

    def test_edges_of_its_own_or_through_another_resource_are_enough(self) -> None:
        network, subnet, api = prerequisites()
        namespace = resource(
            "kubernetes:core/v1:Namespace", "serving", {"metadata": {"name": "serving"}}, dependencies=[api]
        )
        waiting = gateway(dependencies=[subnet, namespace])

        assert findings(prerequisites_first, waiting, route(), cluster(), network, subnet, api, namespace) == []

    def test_a_subnet_of_another_network_or_region_is_no_prerequisite(self) -> None:
        other = resource(NETWORK, "other", {"name": "other"})
        for props in ({"network": "other"}, {"region": "europe-west4"}):
            network, subnet, _ = prerequisites(**props)
            assert findings(prerequisites_first, gateway(), cluster(), network, other, subnet) == []

    def test_global_classes_and_other_controllers_need_no_subnet(self) -> None:
        network, subnet, _ = prerequisites()
        for name in (GLOBAL, "istio"):
            assert findings(prerequisites_first, gateway(spec={"gatewayClassName": name}), network, subnet) == []

    def test_a_gateway_for_services_only_does_not_wait_for_the_api(self) -> None:
        to_service = route(backend={"group": None, "kind": "Service", "name": "web", "port": 80})

        assert findings(prerequisites_first, gateway(), to_service, prerequisites()[2]) == []


class TestListenerCertificate:
    @pytest.mark.parametrize("tls", [None, {"options": None}, {"options": {}, "certificateRefs": []}])
    def test_an_https_listener_without_certificate_is_found(self, tls: dict[str, object] | None) -> None:
        listener = {"name": "https", "protocol": "HTTPS", "port": 443}
        if tls is not None:
            listener["tls"] = {"mode": "Terminate", **tls}

        assert len(findings(listener_has_certificate, gateway(spec={"listeners": [listener]}))) == 1

    @pytest.mark.parametrize(
        "tls", [{"certificateRefs": [{"name": "cert"}]}, {"certificateRefs": UNKNOWN}, UNKNOWN, {"mode": "Passthrough"}]
    )
    def test_a_listener_with_or_perhaps_with_one_is_silent(self, tls: object) -> None:
        listeners = [{"name": "https", "protocol": "HTTPS", "port": 443, "tls": tls}, {"name": "h", "protocol": "HTTP"}]

        assert findings(listener_has_certificate, gateway(spec={"listeners": listeners})) == []

    def test_a_global_gateway_may_name_a_certificate_map_instead(self) -> None:
        annotated = gateway(
            spec={"gatewayClassName": GLOBAL, "listeners": [{"name": "https", "protocol": "HTTPS", "port": 443}]},
            props={"metadata": {"annotations": {"networking.gke.io/certmap": "map"}}},
        )

        assert findings(listener_has_certificate, annotated) == []
        assert findings(certificate_source_supported, annotated) == []

    @pytest.mark.parametrize("key", ["networking.gke.io/certmap", "networking.gke.io/managed-certificates"])
    def test_a_source_that_a_regional_class_lacks_is_found(self, key: str) -> None:
        annotated = gateway(props={"metadata": {"annotations": {key: "name"}}})

        assert len(findings(certificate_source_supported, annotated)) == 1


class TestAddressScope:
    def named(self, class_name: str) -> Resource:
        return gateway(spec={"gatewayClassName": class_name, "addresses": [{"type": "NamedAddress", "value": "ip"}]})

    def test_a_global_address_on_a_regional_class_is_found(self) -> None:
        address = resource("gcp:compute/globalAddress:GlobalAddress", "ip", {"name": "ip"})

        assert len(findings(address_scope_fits, self.named(REGIONAL), address)) == 1
        assert findings(address_scope_fits, self.named(GLOBAL), address) == []

    @pytest.mark.parametrize(
        ("class_name", "props", "count"),
        [
            (REGIONAL, {}, 0),
            (GLOBAL, {}, 1),
            (REGIONAL, {"region": "europe-west4"}, 1),
            (REGIONAL, {"addressType": "INTERNAL"}, 1),
            (INTERNAL, {"addressType": "INTERNAL"}, 0),
            (INTERNAL, {}, 1),
            (REGIONAL, {"region": UNKNOWN, "addressType": UNKNOWN}, 0),
        ],
    )
    def test_a_regional_address_fits_its_class(self, class_name: str, props: dict[str, object], count: int) -> None:
        address = resource("gcp:compute/address:Address", "ip", {"name": "ip", "region": "us-central1", **props})

        assert len(findings(address_scope_fits, self.named(class_name), address, cluster())) == count

    def test_an_address_that_exists_already_is_silent(self) -> None:
        assert findings(address_scope_fits, self.named(REGIONAL), cluster(), pool(), server()) == []
