from __future__ import annotations

from typing import Any

import pytest

from inference.rules.network_policies import data_plane_enforces, downloads_possible, load_balancer_admitted
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import cluster, container, custom, deployment, findings, resource, workload
from tests.inference.rules.gateway_cases import INTERNAL, gateway, picker, picker_service, pool, route, server, service

PROBES = [{"ipBlock": {"cidr": "130.211.0.0/22"}}, {"ipBlock": {"cidr": "35.191.0.0/16"}}]
PROXIES = [{"ipBlock": {"cidr": "10.9.0.0/23"}}]
PICKER = [{"podSelector": {"matchLabels": {"app": "vllm-epp"}}}]
ALL = [*PROBES, *PROXIES, *PICKER]
SUBNET = resource(
    "gcp:compute/subnetwork:Subnetwork",
    "proxies",
    {"purpose": "REGIONAL_MANAGED_PROXY", "ipCidrRange": "10.9.0.0/23", "region": "us-central1"},
)
BEHIND = (gateway(), route(), pool(), picker(), picker_service(), server(), SUBNET)


def policy(spec: dict[str, Any], name: str = "vllm") -> Resource:
    base = {"podSelector": {"matchLabels": {"app": "vllm"}}}
    token = "kubernetes:networking.k8s.io/v1:NetworkPolicy"  # noqa: S105 - a type token
    return workload(token, "networking.k8s.io/v1", "NetworkPolicy", name, {**base, **spec}, None)


def admits(peers: Any, ports: Any = None, **spec: Any) -> Resource:
    rule = {"from": peers} | ({"ports": ports} if ports is not None else {})
    return policy({"policyTypes": ["Ingress"], "ingress": [rule], **spec})


class TestLoadBalancer:
    @pytest.mark.parametrize(
        ("peers", "missing"),
        [
            ([*PROBES[1:], *PROXIES, *PICKER], "130.211.0.0/22"),
            ([*PROBES[:1], *PROXIES, *PICKER], "35.191.0.0/16"),
            ([*PROBES, *PICKER], "10.9.0.0/23"),
            ([*PROBES, *PROXIES], "vllm-epp"),
            ([{"namespaceSelector": {}}], "130.211.0.0/22"),
            ([{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["35.191.0.0/16"]}}, *PICKER], "35.191.0.0/16"),
        ],
    )
    def test_a_source_that_nothing_admits_is_found(self, peers: list[Any], missing: str) -> None:
        found = findings(load_balancer_admitted, *BEHIND, admits(peers))

        assert len(found) == 1
        assert missing in found[0]

    def test_another_port_does_not_help(self) -> None:
        assert len(findings(load_balancer_admitted, *BEHIND, admits(ALL, [{"port": 9090}]))) == 1
        assert len(findings(load_balancer_admitted, *BEHIND, admits(ALL, [{"port": 8000, "protocol": "UDP"}]))) == 1

    def test_a_policy_that_denies_all_is_found(self) -> None:
        for spec in ({"policyTypes": ["Ingress"]}, {"ingress": []}, {"podSelector": {}, "policyTypes": ["Ingress"]}):
            assert findings(load_balancer_admitted, *BEHIND, policy(spec))

    @pytest.mark.parametrize(
        "made",
        [
            admits(ALL),
            admits(ALL, [{"port": 8000}]),
            admits(ALL, [{"port": "http"}]),
            admits(ALL, [{"port": 7000, "endPort": 9000}]),
            admits([{"ipBlock": {"cidr": "0.0.0.0/0"}}]),
            admits(None),
            admits(UNKNOWN),
            admits([{"ipBlock": UNKNOWN}]),
            admits(
                [*PROBES, *PROXIES, {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "serving"}}}]
            ),
            policy({"policyTypes": ["Egress"]}),
            policy({"policyTypes": ["Ingress"], "ingress": UNKNOWN}),
            policy({"podSelector": {"matchLabels": {"app": "other"}}}),
            policy({"podSelector": UNKNOWN}),
        ],
    )
    def test_a_policy_that_admits_or_may_admit_them_is_silent(self, made: Resource) -> None:
        assert findings(load_balancer_admitted, *BEHIND, made) == []

    def test_policies_add_up(self) -> None:
        deny = policy({"podSelector": {}, "policyTypes": ["Ingress"]}, "deny")
        allow = policy({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": ALL}]}, "allow")

        assert findings(load_balancer_admitted, *BEHIND, deny, allow) == []

    def test_pods_that_no_gateway_reaches_are_silent(self) -> None:
        deny = policy({"podSelector": {}, "policyTypes": ["Ingress"]})

        assert findings(load_balancer_admitted, server(), deny) == []
        assert findings(load_balancer_admitted, gateway(spec={"gatewayClassName": "istio"}), *BEHIND[1:], deny) == []

    def test_services_and_the_picker_itself_count(self) -> None:
        to_service = route(backend={"group": None, "kind": "Service", "port": 80})
        on_picker = admits(PROBES, podSelector={"matchLabels": {"app": "vllm-epp"}})

        inside = gateway(spec={"gatewayClassName": INTERNAL})
        assert len(findings(load_balancer_admitted, inside, to_service, service(), server(), admits(PICKER))) == 1
        assert len(findings(load_balancer_admitted, *BEHIND, on_picker)) == 1


class TestDownloads:
    DNS = {"to": [{"namespaceSelector": {}}], "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}]}
    WEB = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}], "ports": [{"port": 443}]}

    def leaving(self, *rules: Any) -> Resource:
        return policy({"policyTypes": ["Egress"], "egress": list(rules)})

    def test_no_dns_and_no_way_out_are_found(self) -> None:
        inside = {"to": [{"namespaceSelector": {}}], "ports": [{"port": 443}]}
        private = {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 443}]}

        assert len(findings(downloads_possible, deployment(), self.leaving(self.WEB))) == 1
        assert len(findings(downloads_possible, deployment(), self.leaving(self.DNS))) == 1
        for closed in (inside, private):
            assert len(findings(downloads_possible, deployment(), self.leaving(self.DNS, closed))) == 1
        assert len(findings(downloads_possible, deployment(), self.leaving())) == 2

    @pytest.mark.parametrize("rules", [(DNS, WEB), ({},), (DNS, {"ports": [{"port": 443}]}), (DNS, UNKNOWN)])
    def test_a_policy_with_both_is_silent(self, rules: tuple[Any, ...]) -> None:
        assert findings(downloads_possible, deployment(), self.leaving(*rules)) == []

    def test_policies_that_go_by_name_are_silent(self) -> None:
        fqdn = custom("networking.gke.io/v1alpha1", "FQDNNetworkPolicy", "hub", {})

        assert findings(downloads_possible, deployment(), self.leaving(self.DNS), fqdn) == []

    @pytest.mark.parametrize(
        "changes",
        [
            {"command": ["vllm", "serve", "/models/llama"]},
            {"command": ["vllm", "serve", "gs://bucket/llama"]},
            {"env": [{"name": "HF_HUB_OFFLINE", "value": "1"}]},
            {"env": [{"name": "HF_ENDPOINT", "value": "http://mirror.infra"}]},
            {"image": "nginx:1.29.0", "command": None, "args": None},
        ],
    )
    def test_a_server_that_downloads_nothing_is_silent(self, changes: dict[str, Any]) -> None:
        assert findings(downloads_possible, deployment(containers=[container(changes)]), self.leaving()) == []

    def test_a_policy_for_other_pods_or_another_direction_is_silent(self) -> None:
        other = policy({"podSelector": {"matchLabels": {"app": "x"}}, "policyTypes": ["Egress"]})

        assert findings(downloads_possible, deployment(), other) == []
        assert findings(downloads_possible, deployment(), policy({"policyTypes": ["Ingress"]})) == []


class TestDataPlane:
    @pytest.mark.parametrize(
        ("props", "count"),
        [
            ({}, 0),
            ({"datapathProvider": None}, 1),
            ({"datapathProvider": "LEGACY_DATAPATH"}, 1),
            ({"datapathProvider": None, "networkPolicy": {"enabled": True}}, 0),
            ({"networkPolicy": {"enabled": True}}, 1),
            ({"datapathProvider": None, "enableAutopilot": True}, 0),
            ({"datapathProvider": UNKNOWN}, 0),
            ({"datapathProvider": None, "networkPolicy": UNKNOWN}, 0),
        ],
    )
    def test_policies_are_enforced_in_one_way(self, props: dict[str, Any], count: int) -> None:
        assert len(findings(data_plane_enforces, cluster(props=props), policy({}))) == count

    def test_a_cluster_without_policies_needs_no_enforcement(self) -> None:
        assert findings(data_plane_enforces, cluster(props={"datapathProvider": None})) == []
        both = cluster(props={"networkPolicy": {"enabled": True}})
        assert len(findings(data_plane_enforces, both)) == 1
