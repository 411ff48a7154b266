from __future__ import annotations

from typing import Any

import pytest

from inference.rules.definitions import (
    definition_before_object,
    definition_has_controller,
    definition_of_pools_has_one_owner,
    definition_outlives_program,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import cluster, custom, deployment, findings, leader_worker_set, resource
from tests.inference.rules.gateway_cases import pool, release

LWS = "oci://registry.k8s.io/lws/charts/lws"
LWS_RELEASE = release("lws", LWS)


def definition(group: str, kind: str, **kw: Any) -> Resource:
    plural = kind.lower() + "s"
    props = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "names": {"kind": kind, "plural": plural}},
    }
    return resource("kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition", plural, props, **kw)


LWS_DEFINITION = definition("leaderworkerset.x-k8s.io", "LeaderWorkerSet")


class TestOrder:
    @pytest.mark.parametrize(
        "bringer",
        [
            LWS_RELEASE,
            release("lws", "./charts/lws-chart-v0.10.0.tgz"),
            LWS_DEFINITION,
            resource(
                "kubernetes:yaml/v2:ConfigFile",
                "lws",
                {"file": "https://github.com/kubernetes-sigs/lws/releases/download/v0.10.0/manifests.yaml"},
            ),
        ],
    )
    def test_an_object_that_does_not_wait_for_its_definition_is_found(self, bringer: Resource) -> None:
        assert len(findings(definition_before_object, bringer, leader_worker_set())) == 1
        assert findings(definition_before_object, bringer, leader_worker_set(dependencies=[bringer])) == []

    def test_waiting_through_another_resource_is_enough(self) -> None:
        namespace = resource(
            "kubernetes:core/v1:Namespace", "n", {"metadata": {"name": "n"}}, dependencies=[LWS_RELEASE]
        )

        assert (
            findings(definition_before_object, LWS_RELEASE, namespace, leader_worker_set(dependencies=[namespace]))
            == []
        )

    def test_waiting_for_a_component_waits_for_its_children(self) -> None:
        file = resource("kubernetes:yaml:ConfigFile", "lws", {})
        child = definition("leaderworkerset.x-k8s.io", "LeaderWorkerSet", parent=file)

        assert findings(definition_before_object, file, child, leader_worker_set(dependencies=[file])) == []
        assert len(findings(definition_before_object, file, child, leader_worker_set())) == 1

    def test_a_chart_or_manifest_orders_its_own_children(self) -> None:
        file = resource("kubernetes:yaml:ConfigFile", "all", {})
        child = definition("leaderworkerset.x-k8s.io", "LeaderWorkerSet", parent=file)

        assert findings(definition_before_object, file, child, leader_worker_set(parent=file)) == []

    def test_kinds_that_the_cluster_has_and_built_in_kinds_are_silent(self) -> None:
        assert findings(definition_before_object, leader_worker_set(), pool(), deployment()) == []
        assert findings(definition_before_object, LWS_RELEASE, pool(), deployment()) == []


class TestController:
    def test_a_definition_without_controller_is_found(self) -> None:
        assert len(findings(definition_has_controller, LWS_DEFINITION, leader_worker_set())) == 1

    @pytest.mark.parametrize(
        "controller",
        [
            LWS_RELEASE,
            deployment("lws-controller-manager", containers=[{"name": "m", "image": "example.com/mirror/x:v1"}]),
            deployment("lws", containers=[{"name": "m", "image": "registry.k8s.io/lws/lws:v0.10.0"}]),
            custom("argoproj.io/v1alpha1", "Application", "platform", {}),
        ],
    )
    def test_a_definition_with_controller_is_silent(self, controller: Resource) -> None:
        assert findings(definition_has_controller, LWS_DEFINITION, leader_worker_set(), controller) == []

    def test_a_definition_that_nothing_uses_or_that_exists_already_is_silent(self) -> None:
        assert findings(definition_has_controller, LWS_DEFINITION, deployment()) == []
        assert findings(definition_has_controller, leader_worker_set()) == []

    def test_a_chart_of_definitions_only_counts(self) -> None:
        crds = release("prometheus", "prometheus-operator-crds")
        monitor = custom("monitoring.coreos.com/v1", "ServiceMonitor", "vllm", {})

        assert len(findings(definition_has_controller, crds, monitor)) == 1


class TestPools:
    POOLS = definition("inference.networking.k8s.io", "InferencePool")

    def at(self, version: object) -> Resource:
        return cluster(props={"minMasterVersion": version})

    @pytest.mark.parametrize("version", ["1.34.0-gke.1626000", "1.34.1-gke.100", "1.35", "1.36.2-gke.2154000"])
    @pytest.mark.parametrize(
        "bringer",
        [
            POOLS,
            release("kserve", "kserve-llmisvc-resources"),
            resource(
                "kubernetes:yaml/v2:ConfigFile",
                "gie",
                {
                    "file": "https://github.com/kubernetes-sigs/gateway-api-"
                    "inference-extension/releases/download/v1.5.0/manifests.yaml"
                },
            ),
        ],
    )
    def test_a_second_owner_of_the_definition_is_found(self, version: str, bringer: Resource) -> None:
        assert len(findings(definition_of_pools_has_one_owner, self.at(version), bringer)) == 1

    @pytest.mark.parametrize("version", ["1.33.4-gke.1134000", "1.34", "1.34.0-gke.1", None, UNKNOWN, "latest"])
    def test_older_clusters_or_unknown_versions_are_silent(self, version: object) -> None:
        assert findings(definition_of_pools_has_one_owner, self.at(version), self.POOLS) == []

    def test_other_definitions_of_the_extension_are_silent(self) -> None:
        objective = definition("inference.networking.x-k8s.io", "InferenceObjective")
        chart = release("kserve", "kserve-llmisvc-resources", {"kserve": {"llmisvc": {"createGIECRDs": False}}})

        assert findings(definition_of_pools_has_one_owner, self.at("1.35"), objective, chart) == []

    @pytest.mark.parametrize(("version", "count"), [("1.33.4-gke.1134000", 1), ("1.35", 0), ("1.34", 0), (UNKNOWN, 0)])
    def test_a_pool_on_an_older_cluster_needs_a_definition(self, version: object, count: int) -> None:
        assert len(findings(definition_of_pools_has_one_owner, self.at(version), pool())) == count
        assert findings(definition_of_pools_has_one_owner, self.at("1.33.4"), pool(), self.POOLS) == []


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"protect": False}, 1),
        ({"protect": False, "retainOnDelete": False}, 1),
        ({"protect": True}, 0),
        ({"protect": False, "retainOnDelete": True}, 0),
        ({"protect": False, "retainOnDelete": UNKNOWN}, 0),
        ({}, 0),
    ],
)
def test_a_definition_outlives_the_program(options: dict[str, Any], count: int) -> None:
    guarded = definition("leaderworkerset.x-k8s.io", "LeaderWorkerSet", options=options)

    assert len(findings(definition_outlives_program, guarded)) == count
    assert findings(definition_outlives_program, deployment()) == []
