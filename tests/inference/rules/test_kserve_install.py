from __future__ import annotations

from typing import Any

import pytest

from inference.rules.kserve_install import controllers_first, llmisvc_installed
from inference.rules.views.resources import Resource
from tests.inference.rules.cases import cluster, custom, deployment, findings, resource
from tests.inference.rules.gateway_cases import release

POD = {"containers": [{"name": "main"}]}
CONFIGS = {"kserve": {"llmisvcConfigs": {"enabled": True}}}


def llm(*dependencies: Resource, **spec: Any) -> Resource:
    return custom("serving.kserve.io/v1alpha2", "LLMInferenceService", "llama", spec, dependencies=dependencies)


def chart(name: str, *dependencies: Resource, values: dict[str, Any] | None = None, **props: Any) -> Resource:
    base = {"name": name, "namespace": "kserve", "chart": f"oci://ghcr.io/kserve/charts/{name}", "values": values or {}}
    return resource("kubernetes:helm.sh/v3:Release", name, {**base, **props}, dependencies=dependencies)


CERT_MANAGER = release("cert-manager", "oci://quay.io/jetstack/charts/cert-manager")


class TestOrder:
    def test_a_chain_of_dependencies_is_silent(self) -> None:
        crds = chart("kserve-llmisvc-crd")
        controller = chart("kserve-llmisvc-resources", crds, CERT_MANAGER)
        configs = chart("kserve-runtime-configs", controller)

        assert findings(controllers_first, CERT_MANAGER, crds, controller, configs, llm(configs)) == []

    def test_a_service_that_does_not_wait_is_found(self) -> None:
        controller = chart("kserve-llmisvc-resources", CERT_MANAGER)

        assert "llama" in findings(controllers_first, CERT_MANAGER, controller, llm())[0]
        assert len(findings(controllers_first, CERT_MANAGER, controller, llm(CERT_MANAGER))) == 1

    def test_an_issuer_that_does_not_wait_for_cert_manager_is_found(self) -> None:
        issuer = custom("cert-manager.io/v1", "ClusterIssuer", "self", {"selfSigned": {}})

        assert len(findings(controllers_first, CERT_MANAGER, issuer)) == 1

    def test_a_controller_that_does_not_wait_for_cert_manager_is_found(self) -> None:
        controller = chart("kserve-llmisvc-resources")
        without = chart("kserve-llmisvc-resources", values={"kserve": {"certManager": {"enabled": False}}})

        assert len(findings(controllers_first, CERT_MANAGER, controller)) == 1
        assert findings(controllers_first, CERT_MANAGER, without) == []

    def test_a_controller_that_is_not_awaited_is_found(self) -> None:
        controller = chart("kserve-llmisvc-resources", skipAwait=True)
        pod = deployment(
            "llmisvc-controller-manager",
            containers=[{"name": "m", "image": "kserve/llmisvc-controller:v0.20.0"}],
            props={"metadata": {"annotations": {"pulumi.com/skipAwait": "true"}}},
        )

        assert len(findings(controllers_first, controller, llm(controller))) == 1
        assert len(findings(controllers_first, pod, llm(pod))) == 1

    def test_what_is_installed_already_is_silent(self) -> None:
        assert findings(controllers_first, llm()) == []


class TestInstalled:
    PARTS = (
        chart("kserve-llmisvc-crd"),
        chart("kserve-llmisvc-resources"),
        chart("kserve-runtime-configs", values=CONFIGS),
    )

    def test_a_new_cluster_without_kserve_is_found(self) -> None:
        assert len(findings(llmisvc_installed, cluster(), llm())) == 2

    def test_the_classic_charts_alone_are_found(self) -> None:
        assert len(findings(llmisvc_installed, llm(), chart("kserve-crd"), chart("kserve-resources"))) == 2

    @pytest.mark.parametrize("part", [0, 1])
    def test_one_missing_part_is_found(self, part: int) -> None:
        others = [piece for at, piece in enumerate(self.PARTS) if at != part]

        assert len(findings(llmisvc_installed, llm(), *others)) == 1

    def test_configurations_that_the_chart_leaves_out_are_found(self) -> None:
        bare = chart("kserve-runtime-configs")

        assert len(findings(llmisvc_installed, llm(), *self.PARTS[:2], bare)) == 1

    def test_workers_need_leader_worker_sets(self) -> None:
        lws = release("lws", "oci://registry.k8s.io/lws/charts/lws")

        assert len(findings(llmisvc_installed, cluster(), *self.PARTS, llm(worker=POD))) == 1
        assert findings(llmisvc_installed, cluster(), *self.PARTS, lws, llm(worker=POD)) == []

    def test_a_whole_installation_is_silent(self) -> None:
        assert findings(llmisvc_installed, cluster(), *self.PARTS, llm()) == []

    def test_an_installation_by_manifest_or_gitops_is_silent(self) -> None:
        manifest = resource(
            "kubernetes:yaml/v2:ConfigFile",
            "kserve",
            {"file": "https://github.com/kserve/kserve/releases/download/v0.20.0/kserve-llmisvc.yaml"},
        )
        overlay = resource("kubernetes:kustomize/v2:Directory", "odh", {"directory": "./overlays/serving"})
        argo = custom("argoproj.io/v1alpha1", "Application", "platform", {})

        for bringer in (manifest, overlay, argo):
            assert findings(llmisvc_installed, cluster(), llm(), bringer) == []

    def test_a_cluster_that_exists_already_is_silent(self) -> None:
        assert findings(llmisvc_installed, llm()) == []
