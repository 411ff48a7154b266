from __future__ import annotations

import json
from typing import Any

import pytest

from inference.rules.pulumi_usage import (
    names_referred_to_are_given,
    provider_explicit,
    provider_keeps_identity,
    provider_names_cluster,
    replicas_have_one_owner,
    service_awaits_slow_pods,
)
from inference.rules.views.resources import Provider, Resource
from inference.rules.views.values import UNKNOWN, Props, Secret
from tests.inference.rules.cases import (
    changed,
    cluster,
    custom,
    deployment,
    findings,
    leader_worker_set,
    resource,
    workload,
)
from tests.inference.rules.gateway_cases import gateway, pool, release, route, service

PROVIDER = "pulumi:providers:kubernetes"


def by(name: str) -> Provider:
    return Provider(PROVIDER, name, f"urn:pulumi:case::rules::{PROVIDER}::{name}", Props({}))


class TestProvider:
    @pytest.mark.parametrize("name", ["default", "default_4_34_2"])
    def test_a_resource_of_the_default_provider_is_found(self, name: str) -> None:
        for managed in (deployment(provider=by(name)), leader_worker_set(provider=by(name))):
            assert len(findings(provider_explicit, managed)) == 1

    def test_an_explicit_or_unknown_provider_is_silent(self) -> None:
        assert findings(provider_explicit, deployment(provider=by("gke")), deployment("plain")) == []

    def test_a_release_counts_and_a_component_does_not(self) -> None:
        props = {"chart": "lws", "version": "0.10.0"}
        chart = resource("kubernetes:helm.sh/v3:Release", "lws", props, provider=by("default"))
        group = resource("kubernetes:yaml:ConfigGroup", "g", {}, provider=by("default"))

        assert len(findings(provider_explicit, chart)) == 1
        assert findings(provider_explicit, group) == []

    @pytest.mark.parametrize(
        ("props", "count"),
        [
            ({}, 1),
            ({"enableServerSideApply": "true"}, 1),
            ({"kubeconfig": "~/.kube/config"}, 0),
            ({"kubeconfig": UNKNOWN}, 0),
            ({"context": "gke"}, 0),
            ({"renderYamlToDirectory": "out"}, 0),
        ],
    )
    def test_an_explicit_provider_names_its_cluster(self, props: dict[str, Any], count: int) -> None:
        assert len(findings(provider_names_cluster, resource(PROVIDER, "gke", props))) == count

    def test_the_engines_own_providers_are_not_judged_as_explicit(self) -> None:
        assert findings(provider_names_cluster, resource(PROVIDER, "default_4_34_2", {})) == []


class TestIdentity:
    def config(self, user: dict[str, Any]) -> str:
        return json.dumps({"apiVersion": "v1", "kind": "Config", "users": [{"name": "gke", "user": user}]})

    @pytest.mark.parametrize("kubeconfig", [UNKNOWN, Secret(UNKNOWN), "apiVersion: v1"])
    def test_a_derived_kubeconfig_without_identifier_is_found(self, kubeconfig: object) -> None:
        edges = {"kubeconfig": [cluster()]}
        made = resource(PROVIDER, "gke", {"kubeconfig": kubeconfig}, property_dependencies=edges)
        named = resource(
            PROVIDER, "gke", {"kubeconfig": kubeconfig, "clusterIdentifier": UNKNOWN}, property_dependencies=edges
        )

        assert len(findings(provider_keeps_identity, made)) == 1
        assert findings(provider_keeps_identity, named) == []

    def test_a_kubeconfig_that_does_not_change_is_silent(self) -> None:
        plugin = {"exec": {"command": "gke-gcloud-auth-plugin"}}
        for props in ({"kubeconfig": "~/.kube/config"}, {"context": "gke"}, {"kubeconfig": self.config(plugin)}):
            assert findings(provider_keeps_identity, resource(PROVIDER, "gke", props)) == []

    def test_a_token_in_the_kubeconfig_is_found_in_json_and_yaml(self) -> None:
        text = "apiVersion: v1\nusers:\n- name: gke\n  user:\n    token: ya29.abc\n"
        for kubeconfig in (self.config({"token": "ya29.abc"}), text, Secret(text)):
            props = {"kubeconfig": kubeconfig, "clusterIdentifier": "gke"}
            assert len(findings(provider_keeps_identity, resource(PROVIDER, "gke", props))) == 1


class TestService:
    def workloads(self) -> list[tuple[Resource, str]]:
        return [(deployment(), "vllm"), (leader_worker_set(), "llama")]

    def fronting(self, app: str, spec: dict[str, Any] | None = None, **kw: Any) -> Resource:
        return service("front", changed({"selector": {"app": app}}, spec or {}), provider=by("gke"), **kw)

    def test_a_service_that_waits_in_parallel_is_found(self) -> None:
        for served, app in self.workloads():
            assert len(findings(service_awaits_slow_pods, served, self.fronting(app))) == 1

    def test_waiting_for_the_workload_or_for_nothing_is_silent(self) -> None:
        for served, app in self.workloads():
            skipped = {"metadata": {"annotations": {"pulumi.com/skipAwait": "true"}}}
            assert findings(service_awaits_slow_pods, served, self.fronting(app, dependencies=[served])) == []
            assert findings(service_awaits_slow_pods, served, self.fronting(app, props=skipped)) == []

    @pytest.mark.parametrize(
        "kw",
        [
            {"props": {"metadata": {"annotations": {"pulumi.com/timeoutSeconds": "3600"}}}},
            {"props": {"metadata": {"annotations": UNKNOWN}}},
            {"options": {"customTimeouts": {"create": 3600.0}}},
        ],
    )
    def test_more_time_or_unknown_annotations_are_silent(self, kw: dict[str, Any]) -> None:
        assert findings(service_awaits_slow_pods, deployment(), self.fronting("vllm", **kw)) == []

    def test_a_headless_service_is_told_to_skip(self) -> None:
        found = findings(service_awaits_slow_pods, leader_worker_set(), self.fronting("llama", {"clusterIP": "None"}))

        assert found
        assert "depends_on" not in found[0]

    def test_quick_pods_and_plain_manifests_are_silent(self) -> None:
        web = deployment("web", containers=[{"name": "web", "image": "nginx:1.29.0"}])

        assert findings(service_awaits_slow_pods, web, self.fronting("web")) == []
        assert findings(service_awaits_slow_pods, deployment(), service("front", {"selector": {"app": "vllm"}})) == []


class TestReplicas:
    def scalers(self, kind: str, name: str, api: str | None = None) -> list[Resource]:
        target = {"kind": kind, "name": name} | ({"apiVersion": api} if api else {})
        spec = {"scaleTargetRef": target, "maxReplicas": 4}
        return [
            workload(
                "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
                "autoscaling/v2",
                "HorizontalPodAutoscaler",
                "h",
                spec,
                None,
            ),
            custom("keda.sh/v1alpha1", "ScaledObject", "k", spec),
        ]

    def test_declared_replicas_under_an_autoscaler_are_found(self) -> None:
        for scaler in self.scalers("Deployment", "vllm", "apps/v1"):
            assert len(findings(replicas_have_one_owner, deployment(), scaler)) == 1
        for scaler in self.scalers("LeaderWorkerSet", "llama", "leaderworkerset.x-k8s.io/v1"):
            assert len(findings(replicas_have_one_owner, leader_worker_set(), scaler)) == 1

    def test_the_default_kind_of_a_scaled_object_is_a_deployment(self) -> None:
        scaler = custom("keda.sh/v1alpha1", "ScaledObject", "k", {"scaleTargetRef": {"name": "vllm"}})

        assert len(findings(replicas_have_one_owner, deployment(), scaler)) == 1

    @pytest.mark.parametrize(
        "scaled",
        [
            deployment(spec={"replicas": None}),
            deployment(spec={"replicas": UNKNOWN}),
            deployment(options={"protect": False, "ignoreChanges": ["spec.replicas"]}),
            deployment(options={"protect": False, "ignoreChanges": ["spec"]}),
            deployment("other"),
            deployment(props={"metadata": {"namespace": "other"}}),
            deployment(props={"metadata": {"uid": "0b5c", "resourceVersion": "7"}}),
        ],
    )
    def test_replicas_with_one_owner_are_silent(self, scaled: Resource) -> None:
        for scaler in self.scalers("Deployment", "vllm", "apps/v1"):
            assert findings(replicas_have_one_owner, scaled, scaler) == []


class TestNames:
    def autonamed(self, make: Any, **kw: Any) -> Resource:
        annotations = {"pulumi.com/autonamed": "true"}
        return make("vllm", props={"metadata": {"name": "vllm-1a2b3c4d", "annotations": annotations}}, **kw)

    def secret(self, name: str, autonamed: bool) -> Resource:
        metadata = {"name": name, "namespace": "serving"} | (
            {"annotations": {"pulumi.com/autonamed": "true"}} if autonamed else {}
        )
        return resource(
            "kubernetes:core/v1:Secret", "hf-token", {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
        )

    def test_a_literal_reference_to_an_autonamed_object_is_found(self) -> None:
        assert len(findings(names_referred_to_are_given, self.secret("hf-token-1a2b", True), deployment())) == 1
        assert len(findings(names_referred_to_are_given, self.autonamed(pool), route())) == 1
        to_service = route(backend={"group": None, "kind": "Service", "port": 80})
        assert len(findings(names_referred_to_are_given, self.autonamed(service), to_service)) == 1

    def test_a_gateway_and_a_service_account_count(self) -> None:
        metadata = {"metadata": {"name": "inference-77", "annotations": {"pulumi.com/autonamed": "true"}}}
        account = resource(
            "kubernetes:core/v1:ServiceAccount",
            "reader",
            {"metadata": {"name": "reader-9", "namespace": "serving", "annotations": {"pulumi.com/autonamed": "true"}}},
        )

        assert len(findings(names_referred_to_are_given, gateway(props=metadata), route())) == 1
        assert (
            len(findings(names_referred_to_are_given, account, deployment(pod={"serviceAccountName": "reader"}))) == 1
        )

    def test_a_given_name_or_a_reference_to_the_made_up_one_is_silent(self) -> None:
        assert findings(names_referred_to_are_given, self.secret("hf-token", False), deployment()) == []
        assert (
            findings(names_referred_to_are_given, self.autonamed(pool), route(backend={"name": "vllm-1a2b3c4d"})) == []
        )
        both = (self.secret("hf-token-1a2b", True), self.secret("hf-token", False), deployment())
        assert findings(names_referred_to_are_given, *both) == []
        assert findings(names_referred_to_are_given, release("x", "y"), deployment()) == []
