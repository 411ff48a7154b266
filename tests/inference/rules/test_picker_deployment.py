from __future__ import annotations

from typing import Any

import pytest

from inference.rules.picker_deployment import (
    fail_close_on_firm_ground,
    kv_metric_current,
    may_read_its_pool,
    prefix_blocks_match,
    watches_its_pool,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import container, custom, deployment, findings, node_pool, resource
from tests.inference.rules.gateway_cases import (
    POOL,
    picker,
    picker_access,
    picker_config,
    picker_service,
    pool,
    release,
)

RBAC = "kubernetes:rbac.authorization.k8s.io/v1"
GAIE = "registry.k8s.io/gateway-api-inference-extension/epp"
ROUTER = "ghcr.io/llm-d/llm-d-router-endpoint-picker"


class TestAccess:
    def test_a_picker_with_its_rights_is_silent(self) -> None:
        assert findings(may_read_its_pool, picker(), *picker_access()) == []

    def test_an_account_without_binding_is_found(self) -> None:
        account, role, _ = picker_access()

        assert "pods and inferencepools" in findings(may_read_its_pool, picker(), account, role)[0]

    @pytest.mark.parametrize(
        ("rules", "missing"),
        [
            ([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}], "inferencepools"),
            ([{"apiGroups": [POOL], "resources": ["*"], "verbs": ["*"]}], "pods"),
            ([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}], "pods and inferencepools"),
        ],
    )
    def test_a_role_that_lacks_something_is_found(self, rules: list[dict[str, Any]], missing: str) -> None:
        account, _, binding = picker_access()
        role = resource(
            f"{RBAC}:Role",
            "vllm-epp",
            {
                "kind": "Role",
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "metadata": {"name": "vllm-epp", "namespace": "serving"},
                "rules": rules,
            },
        )

        assert missing in findings(may_read_its_pool, picker(), account, role, binding)[0]

    def test_a_cluster_role_and_an_undeclared_role_are_enough(self) -> None:
        account, _, binding = picker_access()
        by_cluster = resource(
            f"{RBAC}:ClusterRoleBinding",
            "vllm-epp",
            {
                "kind": "ClusterRoleBinding",
                "metadata": {"name": "vllm-epp"},
                "subjects": [{"kind": "ServiceAccount", "name": "vllm-epp", "namespace": "serving"}],
                "roleRef": {"kind": "ClusterRole", "name": "view"},
            },
        )

        assert findings(may_read_its_pool, picker(), account, binding) == []
        assert findings(may_read_its_pool, picker(), account, by_cluster) == []

    def test_the_default_account_has_no_rights(self) -> None:
        assert len(findings(may_read_its_pool, picker(pod={"serviceAccountName": None}))) == 1

    def test_an_account_that_exists_already_or_is_unknown_is_silent(self) -> None:
        assert findings(may_read_its_pool, picker()) == []
        assert findings(may_read_its_pool, picker(pod={"serviceAccountName": UNKNOWN})) == []
        assert findings(may_read_its_pool, picker(), release("rights", "rbac")) == []


class TestWatched:
    @pytest.mark.parametrize(
        "args",
        [
            ["--pool-name", "other", "--pool-namespace", "serving"],
            ["--poolName=other", "--poolNamespace=serving"],
            ["--pool-name=vllm", "--pool-namespace=web"],
            ["--pool-name=vllm"],
        ],
    )
    def test_a_picker_of_another_pool_is_found(self, args: list[str]) -> None:
        assert len(findings(watches_its_pool, pool(), picker({"args": args}), picker_service())) == 1

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"args": ["--pool-name=$(POOL)", "--pool-namespace=serving"]},
            {"args": ["--pool-name=vllm"], "env": [{"name": "NAMESPACE", "value": "serving"}]},
            {"args": ["--pool-name=vllm"], "env": [{"name": "NAMESPACE", "valueFrom": {"fieldRef": {}}}]},
            {"args": ["--endpoint-selector=app=vllm"]},
        ],
    )
    def test_a_picker_of_its_pool_is_silent(self, changes: dict[str, Any]) -> None:
        assert findings(watches_its_pool, pool(), picker(changes), picker_service()) == []


class TestFailClose:
    CLOSED = pool(spec={"endpointPickerRef": {"failureMode": None}})

    @pytest.mark.parametrize("mode", [None, "FailClose"])
    @pytest.mark.parametrize(
        "selector",
        [
            {"cloud.google.com/gke-spot": "true"},
            {"cloud.google.com/gke-provisioning": "spot"},
            {"cloud.google.com/gke-nodepool": "cheap"},
        ],
    )
    def test_a_picker_on_spot_nodes_is_found(self, mode: str | None, selector: dict[str, str]) -> None:
        cheap = node_pool("cheap", {"nodeConfig": {"spot": True}})
        closed = pool(spec={"endpointPickerRef": {"failureMode": mode}})
        on_spot = picker(pod={"nodeSelector": selector})

        assert len(findings(fail_close_on_firm_ground, closed, picker_service(), on_spot, cheap)) == 1

    def test_a_picker_without_requests_is_found(self) -> None:
        assert len(findings(fail_close_on_firm_ground, self.CLOSED, picker_service(), picker({"resources": None}))) == 1

    def test_a_program_with_only_spot_pools_for_cpus_is_found(self) -> None:
        config = {"spot": True, "machineType": "e2-standard-8", "guestAccelerators": None}
        cheap = node_pool("cheap", {"nodeConfig": config})

        assert (
            len(findings(fail_close_on_firm_ground, self.CLOSED, picker_service(), picker(), cheap, node_pool())) == 1
        )

    def test_failing_open_or_firm_ground_is_silent(self) -> None:
        opened = pool(spec={"endpointPickerRef": {"failureMode": "FailOpen"}})
        on_spot = picker({"resources": None}, pod={"nodeSelector": {"cloud.google.com/gke-spot": "true"}})

        assert findings(fail_close_on_firm_ground, opened, picker_service(), on_spot) == []
        assert findings(fail_close_on_firm_ground, self.CLOSED, picker_service(), picker()) == []
        assert findings(fail_close_on_firm_ground, self.CLOSED, picker_service(), picker({"resources": UNKNOWN})) == []
        unknown = pool(spec={"endpointPickerRef": {"failureMode": UNKNOWN}})
        assert findings(fail_close_on_firm_ground, unknown, picker_service(), on_spot) == []


def vllm(version: str = "v0.32.0", *args: str, **environment: str) -> Resource:
    env = [{"name": name, "value": value} for name, value in environment.items()]
    image = {"image": f"vllm/vllm-openai:{version}", "args": ["--port=8000", *args], "env": env}
    return deployment("vllm", containers=[container(image)])


class TestMetric:
    OLD = "vllm:gpu_cache_usage_perc"
    NEW = "vllm:kv_cache_usage_perc"

    @pytest.mark.parametrize("flag", ["--kv-cache-usage-percentage-metric", "-kvCacheUsagePercentageMetric"])
    def test_the_old_name_given_to_the_picker_is_found(self, flag: str) -> None:
        for args in ([flag, self.OLD], [f"{flag}={self.OLD}"]):
            assert len(findings(kv_metric_current, picker({"args": args}), pool(), vllm())) == 1

    def test_an_old_picker_on_its_defaults_with_a_new_server_is_found(self) -> None:
        old = picker({"image": f"{GAIE}:v1.2.1", "args": ["--pool-name=vllm"]})

        assert len(findings(kv_metric_current, old, pool(), vllm())) == 1

    @pytest.mark.parametrize(
        ("image", "args", "version"),
        [
            (f"{GAIE}:v1.3.1", [], "v0.32.0"),
            (f"{GAIE}:v1.2.1", ["--kv-cache-usage-percentage-metric=vllm:kv_cache_usage_perc"], "v0.32.0"),
            (f"{GAIE}:v1.2.1", [], "v0.9.2"),
            (f"{GAIE}:v1.2.1", ["--kv-cache-usage-percentage-metric=vllm:gpu_cache_usage_perc"], "v0.9.2"),
            (f"{ROUTER}:v0.10.0", [], "v0.32.0"),
        ],
    )
    def test_names_that_agree_are_silent(self, image: str, args: list[str], version: str) -> None:
        reading = picker({"image": image, "args": ["--pool-name=vllm", *args]})

        assert findings(kv_metric_current, reading, pool(), vllm(version)) == []

    def test_the_values_of_a_chart_count(self) -> None:
        labels = {"modelServers": {"matchLabels": {"app": "vllm"}}}
        flags = {
            "inferenceExtension": {"flags": {"kv-cache-usage-percentage-metric": self.OLD}},
            "inferencePool": labels,
        }
        for values, version in ((flags, "v1.5.0"), ({"inferencePool": labels}, "v1.2.0")):
            chart = release("vllm", "inferencepool", values, version=version)
            assert len(findings(kv_metric_current, chart, vllm())) == 1
        assert (
            findings(
                kv_metric_current, release("vllm", "inferencepool", {"inferencePool": labels}, version="v1.5.0"), vllm()
            )
            == []
        )

    def test_the_engines_of_a_configuration_count(self) -> None:
        def text(metric: str) -> str:
            return f"""
            apiVersion: llm-d.ai/v1alpha1
            kind: EndpointPickerConfig
            plugins:
            - type: core-metrics-extractor
              parameters: {{engineConfigs: [{{name: vllm, kvUsageSpec: "{metric}"}}]}}
            schedulingProfiles: []
            """

        assert len(findings(kv_metric_current, picker_config(text(self.OLD)), picker(), pool(), vllm())) == 1
        assert findings(kv_metric_current, picker_config(text(self.NEW)), picker(), pool(), vllm()) == []


class TestPrefixBlocks:
    def config(self, kind: str, parameters: str) -> Resource:
        text = f"""
        apiVersion: llm-d.ai/v1alpha1
        kind: EndpointPickerConfig
        plugins:
        - type: {kind}
          parameters: {parameters}
        schedulingProfiles: []
        """
        return picker_config(text)

    def told(self, config: Resource, server: Resource, tag: str = "v0.9.0") -> list[str]:
        return findings(prefix_blocks_match, config, picker({"image": f"{ROUTER}:{tag}"}), pool(), server)

    EVENTS = '--kv-events-config={"enable_kv_cache_events": true}'
    PRECISE = "precise-prefix-cache-scorer"

    @pytest.mark.parametrize(
        ("kind", "parameters", "args", "count"),
        [
            ("prefix-cache-scorer", "{blockSize: 16}", ["--block-size=64"], 1),
            ("prefix-cache-scorer", "{blockSize: 16}", ["--block_size", "64"], 1),
            ("prefix-cache-scorer", "{blockSize: 64}", ["--block-size=64"], 0),
            ("prefix-cache-scorer", "{blockSize: 64}", [], 0),
            (PRECISE, "{tokenProcessorConfig: {blockSize: 64}}", [EVENTS], 1),
            (PRECISE, "{tokenProcessorConfig: {blockSize: 16}}", [EVENTS], 0),
            (PRECISE, "{tokenProcessorConfig: {blockSize: 64}}", [EVENTS, "--block-size=64"], 0),
        ],
    )
    def test_block_sizes_agree_before_router_v010(
        self, kind: str, parameters: str, args: list[str], count: int
    ) -> None:
        assert len(self.told(self.config(kind, parameters), vllm("v0.32.0", *args))) == count

    def test_router_v010_takes_any_block_size(self) -> None:
        config = self.config("prefix-cache-scorer", "{blockSize: 16}")

        assert self.told(config, vllm("v0.32.0", "--block-size=64"), "v0.10.0") == []

    @pytest.mark.parametrize(("seed", "count"), [({"PYTHONHASHSEED": "42"}, 0), ({"PYTHONHASHSEED": "1"}, 1), ({}, 1)])
    def test_hash_seeds_agree_before_router_v010(self, seed: dict[str, str], count: int) -> None:
        config = self.config(self.PRECISE, '{tokenProcessorConfig: {blockSize: 16, hashSeed: "42"}}')

        assert len(self.told(config, vllm("v0.32.0", self.EVENTS, **seed))) == count

    @pytest.mark.parametrize("tag", ["v0.9.0", "v0.10.0"])
    def test_precise_routing_without_kv_events_is_found_with_every_router(self, tag: str) -> None:
        config = self.config("precise-prefix-cache-producer", "{}")

        assert len(self.told(config, vllm(), tag)) == 1
        assert self.told(config, vllm("v0.32.0", self.EVENTS), tag) == []

    def test_an_inference_service_is_judged_by_its_own_server(self) -> None:
        inline = {
            "apiVersion": "llm-d.ai/v1alpha1",
            "kind": "EndpointPickerConfig",
            "plugins": [{"type": "prefix-cache-scorer", "parameters": {"blockSize": 16}}],
            "schedulingProfiles": [],
        }
        served = {**container({"args": ["--block-size=64"]}), "name": "main"}
        spec = {"router": {"scheduler": {"config": {"inline": inline}}}, "template": {"containers": [served]}}
        llm = custom("serving.kserve.io/v1alpha2", "LLMInferenceService", "llama", spec)
        kserve = release("kserve", "kserve-llmisvc-resources", version="v0.20.0")

        assert len(findings(prefix_blocks_match, llm, kserve)) == 1
        assert findings(prefix_blocks_match, llm) == []
