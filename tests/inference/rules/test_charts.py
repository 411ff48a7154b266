from __future__ import annotations

from typing import Any

import pytest

from inference.rules.charts import manifests_pinned, release_recovers, router_values_render, version_exact
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN, Secret
from tests.inference.rules.cases import findings, resource
from tests.inference.rules.gateway_cases import release

ROUTER = "oci://ghcr.io/llm-d/charts/llm-d-router-gateway"
LABELS = {"router": {"modelServers": {"matchLabels": {"app": "vllm"}}}}


@pytest.mark.parametrize(
    "version", [None, "", "latest", "*", ">=0.10.0", "^0.10.0", "0.10", "v0", "0.10.x", "0.0.0-main"]
)
@pytest.mark.parametrize("type_", ["helm.sh/v3:Release", "helm.sh/v4:Chart"])
def test_a_chart_without_exact_version_is_found(type_: str, version: str | None) -> None:
    props = {"chart": "oci://registry.k8s.io/lws/charts/lws"} | ({"version": version} if version is not None else {})

    assert len(findings(version_exact, resource(f"kubernetes:{type_}", "lws", props))) == 1


@pytest.mark.parametrize(
    "props",
    [
        {"version": "0.10.0"},
        {"version": "v1.2.3-rc.1"},
        {"version": UNKNOWN},
        {"chart": "./charts/lws", "version": None},
        {
            "chart": "https://github.com/kubernetes-sigs/lws/releases/download/v0.10.0/lws-chart-v0.10.0.tgz",
            "version": None,
        },
        {"chart": "oci://registry.k8s.io/lws/charts/lws@sha256:abc", "version": None},
    ],
)
def test_a_pinned_chart_is_silent(props: dict[str, Any]) -> None:
    props = dict(props)
    chart = props.pop("chart", "lws")

    assert findings(version_exact, release("lws", chart, **props)) == []


def test_a_chart_whose_inputs_are_not_shown_is_silent() -> None:
    assert findings(version_exact, resource("kubernetes:helm.sh/v3:Chart", "lws", {})) == []


class TestManifests:
    def file(self, address: str) -> Resource:
        return resource("kubernetes:yaml/v2:ConfigFile", "crds", {"file": address})

    @pytest.mark.parametrize(
        "address",
        [
            "https://raw.githubusercontent.com/kubernetes-sigs/lws/main/config/crd.yaml",
            "https://raw.githubusercontent.com/kubernetes-sigs/lws/refs/heads/master/crd.yaml",
            "https://github.com/kubernetes-sigs/lws/releases/latest/download/manifests.yaml",
        ],
    )
    def test_a_branch_or_the_latest_release_is_found(self, address: str) -> None:
        group = resource("kubernetes:yaml/v2:ConfigGroup", "crds", {"files": [address]})

        assert len(findings(manifests_pinned, self.file(address))) == 1
        assert len(findings(manifests_pinned, group)) == 1

    @pytest.mark.parametrize(
        "address",
        [
            "https://github.com/kubernetes-sigs/lws/releases/download/v0.10.0/manifests.yaml",
            "https://raw.githubusercontent.com/kubernetes-sigs/lws/v0.10.0/config/main.yaml",
            "./manifests/main/crds.yaml",
            "manifests/master/*.yaml",
        ],
    )
    def test_a_release_or_a_file_on_disk_is_silent(self, address: str) -> None:
        assert findings(manifests_pinned, self.file(address)) == []

    @pytest.mark.parametrize(
        ("suffix", "count"), [("", 1), ("?ref=main", 1), ("?ref=v1.5.0", 0), ("?version=8a1b2c3", 0)]
    )
    def test_a_kustomization_is_pinned_by_its_reference(self, suffix: str, count: int) -> None:
        address = f"https://github.com/kubernetes-sigs/gateway-api-inference-extension/config/crd{suffix}"
        overlay = resource("kubernetes:kustomize/v2:Directory", "crds", {"directory": address})

        assert len(findings(manifests_pinned, overlay)) == count


class TestRecovery:
    @pytest.mark.parametrize(
        "chart", ["lws", "oci://ghcr.io/kserve/charts/kserve-llmisvc-crd", "kube-prometheus-stack"]
    )
    def test_an_operator_without_atomic_is_found(self, chart: str) -> None:
        for atomic in (None, False, "false"):
            assert len(findings(release_recovers, release("x", chart, atomic=atomic))) == 1

    @pytest.mark.parametrize("timeout", [None, 300, "120"])
    def test_a_model_server_in_a_hurry_is_found(self, timeout: object) -> None:
        gpus = {"resources": {"limits": {"nvidia.com/gpu": 1}}}

        assert len(findings(release_recovers, release("x", "nim-llm", timeout=timeout))) == 1
        assert len(findings(release_recovers, release("x", "own-chart", gpus, timeout=timeout))) == 1

    @pytest.mark.parametrize(
        ("chart", "props"),
        [
            ("lws", {"atomic": True}),
            ("lws", {"atomic": UNKNOWN}),
            ("lws", {"skipAwait": True}),
            ("nim-llm", {"timeout": 1800}),
            ("nim-llm", {"timeout": UNKNOWN}),
            ("nginx", {}),
        ],
    )
    def test_a_release_with_time_or_a_way_back_is_silent(self, chart: str, props: dict[str, Any]) -> None:
        assert findings(release_recovers, release("x", chart, **props)) == []


class TestRouterValues:
    @pytest.mark.parametrize(
        "values",
        [
            {},
            {**LABELS, "inferenceExtension": {"replicas": 1}},
            {**LABELS, "inferencePool": {"targetPorts": [{"number": 8000}]}},
            {"router": {**LABELS["router"], "inferencePool": {"failureMode": "FailClosed"}}},
        ],
    )
    def test_values_that_do_not_render_are_found(self, values: dict[str, Any]) -> None:
        assert len(findings(router_values_render, release("vllm", ROUTER, values))) == 1

    @pytest.mark.parametrize("values", [LABELS, UNKNOWN, Secret(LABELS), {"router": {"modelServers": UNKNOWN}}])
    def test_values_that_render_or_are_unknown_are_silent(self, values: Any) -> None:
        assert findings(router_values_render, release("vllm", ROUTER, values)) == []

    def test_the_older_chart_has_the_older_keys(self) -> None:
        values = {"inferenceExtension": {"failureMode": "FailOpen"}, "inferencePool": {"targetPorts": []}}

        assert findings(router_values_render, release("vllm", "inferencepool", values)) == []
        values["inferenceExtension"]["failureMode"] = "Open"
        assert len(findings(router_values_render, release("vllm", "inferencepool", values))) == 1

    def test_values_in_a_file_may_complete_them(self) -> None:
        assert findings(router_values_render, release("vllm", ROUTER, valueYamlFiles=[{"path": "values.yaml"}])) == []
