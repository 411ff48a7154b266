from __future__ import annotations

from typing import Any

import pytest

from inference.rules.observability import (
    by_serving_metric,
    collection_enabled,
    metric_exported,
    monitoring_finds_pods,
    monitoring_well_formed,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import (
    changed,
    cluster,
    container,
    custom,
    deployment,
    findings,
    leader_worker_set,
    resource,
    workload,
)
from tests.inference.rules.gateway_cases import release

GAUGE = "prometheus.googleapis.com|vllm:num_requests_waiting|gauge"


def monitoring(spec: dict[str, Any] | None = None, endpoint: dict[str, Any] | None = None, **kw: Any) -> Resource:
    only = changed({"port": "http", "path": "/metrics", "interval": "15s"}, endpoint or {})
    base = {"selector": {"matchLabels": {"app": "vllm"}}, "endpoints": [only]}
    return custom("monitoring.googleapis.com/v1", "PodMonitoring", "vllm", changed(base, spec or {}), **kw)


class TestWellFormed:
    @pytest.mark.parametrize(
        "endpoint",
        [
            {"interval": 15},
            {"interval": "15"},
            {"interval": "15 s"},
            {"interval": "15s", "timeout": "30s"},
            {"port": None},
            {"metricRelabeling": [{"action": "replace", "targetLabel": "instance"}]},
            {"metricRelabeling": [{"targetLabel": "top_level_controller"}]},
        ],
    )
    def test_what_the_admission_refuses_is_found(self, endpoint: dict[str, Any]) -> None:
        assert len(findings(monitoring_well_formed, monitoring(endpoint=endpoint))) == 1

    @pytest.mark.parametrize(
        "label", ["project_id", "location", "cluster", "namespace", "job", "instance", "__address__"]
    )
    def test_a_protected_label_from_a_pod_is_found(self, label: str) -> None:
        labels = {"targetLabels": {"fromPod": [{"from": "app", "to": label}]}}

        assert len(findings(monitoring_well_formed, monitoring(labels))) == 1

    @pytest.mark.parametrize(
        "endpoint",
        [
            {},
            {"interval": "1m30s"},
            {"interval": "500ms"},
            {"interval": UNKNOWN},
            {"interval": "30s", "timeout": "10s"},
            {"port": 8000},
            {"metricRelabeling": [{"action": "drop", "sourceLabels": ["__name__"], "regex": "go_.*"}]},
            {"metricRelabeling": [{"targetLabel": "model"}]},
        ],
    )
    def test_what_it_takes_is_silent(self, endpoint: dict[str, Any]) -> None:
        labels = {"targetLabels": {"fromPod": [{"from": "app", "to": "app"}], "metadata": ["pod", "node"]}}

        assert findings(monitoring_well_formed, monitoring(labels, endpoint)) == []


class TestFindsPods:
    @pytest.mark.parametrize("labels", [{"app": "vlllm"}, {"app": "vllm", "tier": "gpu"}])
    def test_a_selector_that_matches_nothing_is_found(self, labels: dict[str, str]) -> None:
        assert (
            len(findings(monitoring_finds_pods, monitoring({"selector": {"matchLabels": labels}}), deployment())) == 1
        )

    def test_a_port_that_no_container_has_is_found(self) -> None:
        for port in ("metrics", 9090):
            assert len(findings(monitoring_finds_pods, monitoring(endpoint={"port": port}), deployment())) == 1

    def test_ports_without_names_are_found(self) -> None:
        nameless = deployment(containers=[container({"ports": [{"containerPort": 8000}]})])

        assert len(findings(monitoring_finds_pods, monitoring(), nameless)) == 1

    def test_a_monitoring_in_another_namespace_is_found(self) -> None:
        apart = deployment(props={"metadata": {"namespace": "other"}})

        assert len(findings(monitoring_finds_pods, monitoring(), apart)) == 1
        assert findings(monitoring_finds_pods, monitoring(), apart, release("x", "own-chart")) == []

    def test_a_path_without_metrics_is_found(self) -> None:
        assert len(findings(monitoring_finds_pods, monitoring(endpoint={"path": "/prometheus"}), deployment())) == 1
        for path in ("/metrics", UNKNOWN, None):
            assert findings(monitoring_finds_pods, monitoring(endpoint={"path": path}), deployment()) == []

    def test_sglang_is_told_to_export_metrics(self) -> None:
        def sglang(*more: str) -> Resource:
            command = ["python3", "-m", "sglang.launch_server", "--model-path", "m", "--port", "8000", *more]
            return deployment(
                containers=[container({"image": "lmsysorg/sglang:v0.5.3", "command": command, "args": None})]
            )

        assert len(findings(monitoring_finds_pods, monitoring(), sglang())) == 1
        assert findings(monitoring_finds_pods, monitoring(), sglang("--enable-metrics")) == []

    @pytest.mark.parametrize("port", ["http", 8000, 8000.0, "8000", UNKNOWN])
    def test_a_port_by_name_or_number_is_silent(self, port: object) -> None:
        assert findings(monitoring_finds_pods, monitoring(endpoint={"port": port}), deployment()) == []

    def test_leaders_of_a_group_are_enough(self) -> None:
        group = monitoring({"selector": {"matchLabels": {"app": "llama"}}})

        assert findings(monitoring_finds_pods, group, leader_worker_set()) == []

    def test_expressions_select_too(self) -> None:
        expression = {"key": "app", "operator": "In", "values": ["vllm", "sglang"]}
        wrong = {"key": "app", "operator": "NotIn", "values": ["vllm"]}

        for found, count in ((expression, 0), (wrong, 1)):
            selector = {"selector": {"matchLabels": None, "matchExpressions": [found]}}
            assert len(findings(monitoring_finds_pods, monitoring(selector), deployment())) == count

    @pytest.mark.parametrize(
        "stack",
        [
            (monitoring(),),
            (monitoring({"selector": UNKNOWN}), deployment()),
            (monitoring({"selector": {"matchLabels": {"app": UNKNOWN}}}), deployment()),
            (monitoring({"selector": {"matchLabels": {"app": "x"}}}), deployment(), release("x", "own-chart")),
            (
                monitoring({"selector": {"matchLabels": {"app": "x"}}}),
                deployment(props={"metadata": {"namespace": "other"}}),
            ),
            (
                monitoring({"selector": {"matchLabels": {"app": "x"}}}),
                deployment(spec={"template": {"metadata": UNKNOWN}}),
            ),
            (monitoring(), deployment(containers=[container({"ports": UNKNOWN})])),
        ],
    )
    def test_pods_that_may_exist_or_are_unknown_are_silent(self, stack: tuple[Resource, ...]) -> None:
        assert findings(monitoring_finds_pods, *stack) == []


@pytest.mark.parametrize(("enabled", "count"), [(False, 1), ("false", 1), (True, 0), (None, 0), (UNKNOWN, 0)])
def test_a_cluster_that_collects_nothing_is_found_once(enabled: object, count: int) -> None:
    made = cluster(props={"monitoringConfig": {"managedPrometheus": {"enabled": enabled}}})
    other = custom("monitoring.googleapis.com/v1", "ClusterPodMonitoring", "all", {"selector": {}})

    assert len(findings(collection_enabled, made, monitoring(), other)) == count
    assert findings(collection_enabled, made, deployment()) == []


def scaler(*metrics: dict[str, Any], kind: str = "Deployment", name: str = "vllm", **spec: Any) -> Resource:
    target = {"kind": kind, "name": name}
    token = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"  # noqa: S105 - a type token
    listed = {"metrics": list(metrics)} if metrics else {}
    body = {"scaleTargetRef": target, "maxReplicas": 4, **listed, **spec}
    return workload(token, "autoscaling/v2", "HorizontalPodAutoscaler", "h", body, None)


def scaled_object(*triggers: dict[str, Any]) -> Resource:
    return custom(
        "keda.sh/v1alpha1", "ScaledObject", "k", {"scaleTargetRef": {"name": "vllm"}, "triggers": list(triggers)}
    )


CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 60}}}
MEMORY = {"type": "ContainerResource", "containerResource": {"name": "memory", "container": "vllm"}}
QUEUE = {"type": "Pods", "pods": {"metric": {"name": GAUGE}, "target": {"averageValue": "5"}}}


class TestServingMetric:
    @pytest.mark.parametrize(
        "made",
        [
            scaler(CPU),
            scaler(MEMORY),
            scaler(CPU, MEMORY),
            scaler(),
            scaler(targetCPUUtilizationPercentage=60),
            scaled_object({"type": "cpu", "metadata": {"value": "60"}}),
        ],
    )
    def test_an_accelerator_workload_scaled_by_its_processor_is_found(self, made: Resource) -> None:
        assert len(findings(by_serving_metric, made, deployment())) == 1

    def test_a_group_counts(self) -> None:
        assert (
            len(findings(by_serving_metric, scaler(CPU, kind="LeaderWorkerSet", name="llama"), leader_worker_set()))
            == 1
        )

    @pytest.mark.parametrize(
        "made", [scaler(QUEUE), scaler(CPU, QUEUE), scaler(metrics=UNKNOWN), scaled_object({"type": "prometheus"})]
    )
    def test_a_serving_metric_or_an_unknown_one_is_silent(self, made: Resource) -> None:
        assert findings(by_serving_metric, made, deployment()) == []

    def test_a_web_server_may_scale_by_cpu(self) -> None:
        web = deployment(containers=[{"name": "web", "image": "nginx:1.29.0"}])

        assert findings(by_serving_metric, scaler(CPU), web) == []
        assert findings(by_serving_metric, scaler(CPU)) == []


ADAPTER = deployment(
    "custom-metrics",
    containers=[{"name": "a", "image": "gcr.io/gke-release/custom-metrics-stackdriver-adapter:v0.16.1-gke.0"}],
    props={"metadata": {"namespace": "custom-metrics"}},
)


class TestExported:
    def test_a_whole_chain_is_silent(self) -> None:
        assert findings(metric_exported, scaler(QUEUE), deployment(), monitoring(), ADAPTER, cluster()) == []

    def test_a_metric_that_nobody_scrapes_is_found(self) -> None:
        for more in ((), (monitoring({"selector": {"matchLabels": {"app": "x"}}}),)):
            assert len(findings(metric_exported, scaler(QUEUE), deployment(), ADAPTER, cluster(), *more)) == 1

    def test_a_metric_that_no_adapter_serves_is_found(self) -> None:
        assert len(findings(metric_exported, scaler(QUEUE), deployment(), monitoring(), cluster())) == 1

    def test_keda_asks_prometheus_itself(self) -> None:
        trigger = {"type": "prometheus", "metadata": {"query": "sum(vllm:num_requests_waiting)"}}

        assert findings(metric_exported, scaled_object(trigger), deployment(), monitoring(), cluster()) == []
        assert len(findings(metric_exported, scaled_object(trigger), deployment(), cluster())) == 1

    def test_a_metric_that_is_gone_is_found(self) -> None:
        old = {"type": "Pods", "pods": {"metric": {"name": "vllm:gpu_cache_usage_perc"}}}
        early = deployment(containers=[container({"image": "vllm/vllm-openai:v0.9.2"})])

        assert len(findings(metric_exported, scaler(old), deployment())) == 1
        assert findings(metric_exported, scaler(old), early) == []

    def test_a_metric_with_a_slip_of_the_pen_is_found(self) -> None:
        for name in ("vllm:num_request_waiting", "prometheus.googleapis.com|vllm:kv_cache_usage_percent|gauge"):
            (found,) = findings(metric_exported, scaler({"type": "Pods", "pods": {"metric": {"name": name}}}))
            assert "vllm:num_requests_waiting" in found or "vllm:kv_cache_usage_perc." in found

    @pytest.mark.parametrize(
        "name", ["vllm:generation_tokens_total", "vllm:num_requests_swapped", "vllm:time_per_output_token_seconds_sum"]
    )
    def test_other_metrics_of_the_engine_are_silent(self, name: str) -> None:
        assert findings(metric_exported, scaler({"type": "Pods", "pods": {"metric": {"name": name}}})) == []

    def test_an_adapter_of_a_cluster_that_others_made_is_silent(self) -> None:
        assert findings(metric_exported, scaler(QUEUE), deployment(), monitoring()) == []

    def test_what_others_install_is_silent(self) -> None:
        manifest = resource(
            "kubernetes:yaml/v2:ConfigFile",
            "adapter",
            {
                "file": "https://raw.githubusercontent.com/GoogleCloudPlatform/k8s-stackdriver/v1/custom-metrics-stackdriver-adapter/a.yaml"
            },
        )

        assert findings(metric_exported, scaler(QUEUE), deployment()) == []
        assert findings(metric_exported, scaler(QUEUE), deployment(), cluster(), manifest) == []
        assert findings(metric_exported, scaler(QUEUE), deployment(), cluster(), release("x", "own-chart")) == []
        assert findings(metric_exported, scaler(QUEUE), cluster()) == []
