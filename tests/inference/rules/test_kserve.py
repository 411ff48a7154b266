from __future__ import annotations

from typing import Any, ClassVar

import pytest

from inference.rules.kserve import (
    group_size_is_kept,
    parallelism_consistent,
    predictor_bounds_in_order,
    route_spelled_out_on_gke,
    router_consistent,
    scaling_consistent,
    scheduler_config_single,
    tpu_startup_budget,
    worker_has_parallelism,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import changed, container, custom, deployment, findings, resource, workload
from tests.inference.rules.gateway_cases import gateway

POD = {"containers": [{"name": "main"}]}
REFS = {"refs": [{"name": "inference", "namespace": "serving"}]}


def llm(spec: dict[str, Any] | None = None, version: str = "v1alpha2", **kw: Any) -> Resource:
    base = {"model": {"uri": "hf://Qwen/Qwen2.5-3B-Instruct"}, "template": POD}
    return custom(f"serving.kserve.io/{version}", "LLMInferenceService", "llama", changed(base, spec or {}), **kw)


def both(part: dict[str, Any]) -> list[Resource]:
    """Return a service whose only, and one whose prefill workload is so."""
    return [llm(part), llm({"prefill": {"template": POD, **part}})]


@pytest.mark.parametrize("version", ["v1alpha1", "v1alpha2"])
@pytest.mark.parametrize("parallelism", [None, {}, {"tensor": 8}, {"pipeline": 0}])
def test_a_worker_without_data_or_pipeline_is_found(version: str, parallelism: dict[str, Any] | None) -> None:
    assert len(findings(worker_has_parallelism, llm({"worker": POD, "parallelism": parallelism}, version))) == 1


def test_a_worker_of_the_prefill_workload_counts() -> None:
    found = findings(worker_has_parallelism, both({"worker": POD})[1])

    assert len(found) == 1
    assert "prefill" in found[0]


@pytest.mark.parametrize(
    "parallelism",
    [
        {"pipeline": 2},
        {"pipeline": 2.0},
        {"data": 16, "dataLocal": 8},
        {"pipeline": UNKNOWN},
        {"data": UNKNOWN},
        UNKNOWN,
    ],
)
def test_a_worker_with_parallelism_is_silent(parallelism: object) -> None:
    assert findings(worker_has_parallelism, llm({"worker": POD, "parallelism": parallelism})) == []


def test_a_service_without_worker_is_silent() -> None:
    assert findings(worker_has_parallelism, llm({"parallelism": {"tensor": 4}})) == []
    assert findings(worker_has_parallelism, llm({"worker": UNKNOWN})) == []


@pytest.mark.parametrize(
    "parallelism",
    [
        {"pipeline": 2, "data": 2, "dataLocal": 1},
        {"data": 8},
        {"dataLocal": 8},
        {"pipeline": 0},
        {"data": 10, "dataLocal": 4},
    ],
)
def test_parallel_sizes_that_do_not_go_together_are_found(parallelism: dict[str, int]) -> None:
    for service in both({"parallelism": parallelism}):
        assert len(findings(parallelism_consistent, service)) == 1


@pytest.mark.parametrize("parallelism", [{"data": 8, "dataLocal": UNKNOWN}, {"tensor": 8, "pipeline": 2}, UNKNOWN])
def test_parallel_sizes_that_may_go_together_are_silent(parallelism: object) -> None:
    assert findings(parallelism_consistent, llm({"parallelism": parallelism})) == []


class TestRouter:
    @pytest.mark.parametrize(
        "router",
        [
            {"gateway": REFS, "route": {"http": {"refs": [{"name": "r"}], "spec": {"rules": []}}}},
            {"gateway": {}, "route": {"http": {"refs": [{"name": "r"}]}}},
            {"gateway": REFS, "route": {"http": {"spec": {"parentRefs": [{"name": "other", "namespace": "serving"}]}}}},
        ],
    )
    def test_routes_given_in_two_ways_are_found(self, router: dict[str, Any]) -> None:
        assert len(findings(router_consistent, llm({"router": router}))) == 1

    def test_repeating_the_gateways_is_refused_by_the_older_version_only(self) -> None:
        router = {"gateway": REFS, "route": {"http": {"spec": {"parentRefs": REFS["refs"]}}}}

        assert findings(router_consistent, llm({"router": router})) == []
        assert len(findings(router_consistent, llm({"router": router}, "v1alpha1"))) == 1

    @pytest.mark.parametrize(
        "router",
        [
            {"gateway": REFS, "route": {"http": {"spec": {"rules": []}}}, "scheduler": {}},
            {"gateway": REFS, "route": {"http": {"refs": [{"name": "r"}]}}},
            {"route": {"http": {"refs": [{"name": "r"}]}}},
            {"gateway": {"refs": UNKNOWN}, "route": {"http": {"refs": [{"name": "r"}]}}},
            {"gateway": REFS, "route": {"http": {"spec": {"parentRefs": [{"name": UNKNOWN}]}}}},
            {"gateway": {}, "route": {}, "scheduler": {}},
            UNKNOWN,
        ],
    )
    def test_one_way_is_silent(self, router: object) -> None:
        assert findings(router_consistent, llm({"router": router})) == []


class TestScaling:
    KEDA = {"wva": {"keda": {"pollingInterval": 10}}}

    @pytest.mark.parametrize(
        "part",
        [
            {"replicas": 2, "scaling": {"maxReplicas": 3, **KEDA}},
            {"scaling": {"minReplicas": 4, "maxReplicas": 3, **KEDA}},
            {"scaling": {"minReplicas": "4", "maxReplicas": 3.0, **KEDA}},
            {"scaling": {"maxReplicas": 3}},
            {"scaling": {"maxReplicas": 3, "wva": {"hpa": {}, "keda": {}, "variantCost": "1"}}},
            {"scaling": {"maxReplicas": 3, "wva": {"variantCost": "1"}}},
            {"scaling": {"maxReplicas": 3, "keda": {"triggers": []}, "wva": {"hpa": {}}}},
            {"scaling": {"minReplicas": 1, "maxReplicas": 3, "wva": {"keda": {"idleReplicaCount": 1}}}},
            {"scaling": dict(KEDA)},
        ],
    )
    def test_what_excludes_or_lacks_each_other_is_found(self, part: dict[str, Any]) -> None:
        for service in both(part):
            assert len(findings(scaling_consistent, service)) == 1

    @pytest.mark.parametrize(
        "part",
        [
            {"replicas": 2},
            {"scaling": {"minReplicas": 1, "maxReplicas": 3, **KEDA}},
            {"scaling": {"minReplicas": UNKNOWN, "maxReplicas": 3, "wva": {"hpa": {}}}},
            {"scaling": {"maxReplicas": 3, "keda": {"triggers": [{}]}}},
            {"replicas": 2, "scaling": UNKNOWN},
        ],
    )
    def test_one_way_to_count_replicas_is_silent(self, part: dict[str, Any]) -> None:
        assert findings(scaling_consistent, llm(part)) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"router": {"scheduler": {"config": {"inline": {"a": 1}, "ref": {"name": "c", "key": "k"}}}}},
        {"router": {"scheduler": {"config": {}}}},
        {"router": {"scheduler": {"config": {"ref": {"key": "k"}}}}},
        {"model": {"name": "base", "lora": {"adapters": [{"name": "sql"}, {"name": "sql"}]}}},
        {"model": {"name": "base", "lora": {"adapters": [{"name": "base"}]}}},
        {"model": {"lora": {"adapters": [{"name": "llama"}]}}},
    ],
)
def test_a_configuration_or_a_name_given_twice_is_found(spec: dict[str, Any]) -> None:
    assert len(findings(scheduler_config_single, llm(spec))) == 1


@pytest.mark.parametrize(
    "spec",
    [
        {"router": {"scheduler": {}}},
        {"router": {"scheduler": {"config": {"ref": {"name": "c", "key": "k"}}}}},
        {"router": {"scheduler": {"config": UNKNOWN}}},
        {"model": {"name": "base", "lora": {"adapters": [{"name": "a"}, {"name": UNKNOWN}, {"name": UNKNOWN}]}}},
    ],
)
def test_a_configuration_given_once_is_silent(spec: dict[str, Any]) -> None:
    assert findings(scheduler_config_single, llm(spec)) == []


@pytest.mark.parametrize(("low", "high", "count"), [(3, 2, 1), ("3", 2.0, 1), (2, 2, 0), (3, 0, 0), (UNKNOWN, 1, 0)])
def test_the_bounds_of_a_predictor_are_in_order(low: object, high: object, count: int) -> None:
    predictor = {"minReplicas": low, "maxReplicas": high, "model": {"modelFormat": {"name": "huggingface"}}}
    service = custom("serving.kserve.io/v1beta1", "InferenceService", "llama", {"predictor": predictor})
    assert len(findings(predictor_bounds_in_order, service)) == count


class TestRouteOnGke:
    MANAGED = {"router": {"gateway": REFS, "route": {}, "scheduler": {}}}

    def test_the_route_that_kserve_makes_is_found_behind_a_gke_gateway_only(self) -> None:
        assert len(findings(route_spelled_out_on_gke, llm(self.MANAGED), gateway())) == 1
        assert findings(route_spelled_out_on_gke, llm(self.MANAGED), gateway(spec={"gatewayClassName": "istio"})) == []
        assert findings(route_spelled_out_on_gke, llm(self.MANAGED)) == []

    def test_a_route_spelled_out_or_templates_without_timeouts_are_silent(self) -> None:
        inline = llm({"router": {**self.MANAGED["router"], "route": {"http": {"spec": {"rules": [{"matches": []}]}}}}})
        template = custom(
            "serving.kserve.io/v1alpha2",
            "LLMInferenceServiceConfig",
            "kserve-config-llm-router-route",
            {"router": {"route": {"http": {"spec": {"rules": []}}}}},
        )
        named = {"metadata": {"name": "inferenceservice-config", "namespace": "kserve"}}
        switched = resource(
            "kubernetes:core/v1:ConfigMap", "c", {**named, "data": {"ingress": '{"disableHTTPRouteTimeout": true}'}}
        )

        assert findings(route_spelled_out_on_gke, inline, gateway()) == []
        assert findings(route_spelled_out_on_gke, llm(self.MANAGED), gateway(), template) == []
        assert findings(route_spelled_out_on_gke, llm(self.MANAGED), gateway(), switched) == []


class TestTpuStartup:
    def served(self, **probes: Any) -> list[Resource]:
        """Return workloads of several kinds with a TPU container that has these probes."""
        tpu = {"requests": {"google.com/tpu": 4}, "limits": {"google.com/tpu": 4}}
        none = dict.fromkeys(("startupProbe", "livenessProbe", "readinessProbe"))
        main = container({"name": "main", "image": "vllm/vllm-tpu:v0.11.1", "resources": tpu, **none, **probes})
        pod = {"metadata": {"labels": {"app": "t"}}, "spec": {"containers": [main]}}
        group = {"replicas": 1, "leaderWorkerTemplate": {"size": 2, "workerTemplate": pod}}
        return [
            deployment("tpu", containers=[main]),
            llm({"template": {"containers": [main]}}),
            custom("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "tpu", group),
        ]

    @pytest.mark.parametrize(
        "probes",
        [
            {"livenessProbe": {"httpGet": {"path": "/health"}}},
            {"livenessProbe": {"httpGet": {"path": "/health"}, "initialDelaySeconds": 60, "periodSeconds": "30"}},
            {"startupProbe": {"httpGet": {"path": "/health"}, "failureThreshold": 30.0}},
        ],
    )
    def test_a_budget_below_the_compilation_is_found(self, probes: dict[str, Any]) -> None:
        for program in self.served(**probes):
            assert findings(tpu_startup_budget, program)

    @pytest.mark.parametrize(
        "probes",
        [
            {},
            {"readinessProbe": {"httpGet": {"path": "/health"}}},
            {"startupProbe": {"httpGet": {"path": "/health"}, "periodSeconds": 10, "failureThreshold": 120}},
            {"livenessProbe": {"httpGet": {}}, "startupProbe": {"httpGet": {}, "failureThreshold": 90}},
            {"livenessProbe": {"httpGet": {"path": "/health"}, "initialDelaySeconds": 240}},
            {"livenessProbe": {"httpGet": {}, "periodSeconds": UNKNOWN}},
            {"livenessProbe": {"httpGet": {}}, "startupProbe": UNKNOWN},
        ],
    )
    def test_time_enough_or_no_probe_that_kills_is_silent(self, probes: dict[str, Any]) -> None:
        for program in self.served(**probes):
            assert findings(tpu_startup_budget, program) == []

    def test_gpu_servers_and_jobs_are_silent(self) -> None:
        quick = {"livenessProbe": {"httpGet": {"path": "/"}}, "startupProbe": None}
        tpu = {"limits": {"google.com/tpu": 4}}
        job = workload(
            "kubernetes:batch/v1:Job",
            "batch/v1",
            "Job",
            "train",
            {"template": {"spec": {"containers": [{"name": "t", "resources": tpu, **quick}]}}},
            None,
        )

        assert findings(tpu_startup_budget, deployment(containers=[container(quick)])) == []
        assert findings(tpu_startup_budget, job) == []


class TestGroupSize:
    STANDING: ClassVar = {"groups": ["serving/llama 4", "serving/llama/prefill 2"]}

    def found(self, spec: dict[str, Any], **kw: Any) -> list[str]:
        return findings(group_size_is_kept, llm(spec, **kw), configuration=self.STANDING)

    @pytest.mark.parametrize("parallelism", [{"pipeline": 8}, {"data": 16, "dataLocal": 8}, {"tensor": 8}, None])
    def test_another_size_than_the_one_that_stands_is_found(self, parallelism: dict[str, int] | None) -> None:
        (found,) = self.found({"parallelism": parallelism})
        assert "where groups of 4 stand" in found

    @pytest.mark.parametrize("parallelism", [{"pipeline": 4}, {"data": 32, "dataLocal": 8}, {"pipeline": UNKNOWN}])
    def test_the_same_size_is_silent_and_so_is_an_unknown_one(self, parallelism: dict[str, Any]) -> None:
        assert not self.found({"parallelism": parallelism})

    def test_the_prefill_workload_has_a_size_of_its_own(self) -> None:
        (found,) = self.found({"parallelism": {"pipeline": 4}, "prefill": {"parallelism": {"pipeline": 4}}})
        assert found.startswith("the prefill workload")
        assert "where groups of 2 stand" in found

    def test_a_service_that_is_replaced_or_of_which_nobody_told_is_silent(self) -> None:
        assert not self.found({"parallelism": {"pipeline": 8}}, options={"deleteBeforeReplace": True})
        assert not findings(group_size_is_kept, llm({"parallelism": {"pipeline": 8}}))

    @pytest.mark.parametrize("wrong", ["qwen 4", "default/qwen", "default/qwen four", "a/b/c 4"])
    def test_a_group_that_cannot_be_read_is_an_error_of_the_configuration(self, wrong: str) -> None:
        with pytest.raises(ValueError, match="is not <namespace>/<name> <size>"):
            findings(group_size_is_kept, llm({}), configuration={"groups": [wrong]})
