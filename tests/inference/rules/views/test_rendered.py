"""Model servers inside the values of charts and in the custom resources of operators."""

from __future__ import annotations

from typing import Any

import pytest

from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import changed, custom, judge, resource

DRIVER = {"name": "LD_LIBRARY_PATH", "value": "/usr/local/nvidia/lib64:/usr/local/cuda/lib64"}


def release(chart: str, values: dict[str, Any]) -> Resource:
    props = {"chart": chart, "version": "1.2.3", "name": "m", "atomic": True, "timeout": 1800, "values": values}
    return resource("kubernetes:helm.sh/v3:Release", "m", props)


def of_rules(*made: Resource) -> set[str]:
    return {name for name in judge(*made) if not name.startswith(("pulumi-", "chart-"))}


def vllm_stack(model: dict[str, Any] | None = None, config: dict[str, Any] | None = None) -> Resource:
    settings = changed(
        {"maxModelLen": 8192, "tensorParallelSize": 2, "extraArgs": ["--enable-log-requests"]}, config or {}
    )
    base = {
        "name": "qwen",
        "repository": "vllm/vllm-openai",
        "tag": "v0.32.0",
        "modelURL": "Qwen/Qwen2.5-7B-Instruct",
        "requestGPU": 2,
        "env": [DRIVER],
        "vllmConfig": settings,
    }
    return release(
        "oci://example.com/charts/vllm-stack", {"servingEngineSpec": {"modelSpec": [changed(base, model or {})]}}
    )


@pytest.mark.parametrize(
    ("model", "config", "rule"),
    [
        ({"requestGPU": 4}, None, "vllm-sizes-fill-accelerators"),
        ({"requestGPU": "4"}, None, "vllm-sizes-fill-accelerators"),
        ({"tag": "latest"}, None, "supply-image-tag-immutable"),
        ({"modelURL": "meta-llama/Llama-3.1-8B-Instruct"}, None, "vllm-gated-model-has-token"),
        (None, {"extraArgs": ["--disable-log-requests"]}, "vllm-options-exist"),
        (None, {"maxModelLen": 10_000_000}, "vllm-context-within-model"),
    ],
)
def test_a_fault_in_the_values_of_a_vllm_stack_is_found(
    model: dict[str, Any] | None, config: dict[str, Any] | None, rule: str
) -> None:
    assert rule in of_rules(vllm_stack(model, config))


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"modelURL": "meta-llama/Llama-3.1-8B-Instruct", "hf_token": {"secretName": "hf", "secretKey": "token"}},
        {"requestGPU": UNKNOWN},
        {"vllmConfig": UNKNOWN},
        {"modelURL": None},
        {"raySpec": {"enabled": True}, "requestGPU": 16},
    ],
)
def test_a_vllm_stack_as_it_should_be_is_silent(model: dict[str, Any]) -> None:
    assert of_rules(vllm_stack(model)) == set()


def model_service(changes: dict[str, Any], uri: str = "hf://Qwen/Qwen2.5-7B-Instruct") -> Resource:
    container = {
        "name": "vllm",
        "image": "vllm/vllm-openai:v0.32.0",
        "modelCommand": "vllmServe",
        "args": ["--max-model-len=8192"],
        "env": [DRIVER],
        "resources": {"limits": {"nvidia.com/gpu": 1}},
        "volumeMounts": [{"name": "model-storage", "mountPath": "/model-cache"}],
    }
    stage = {"create": True, "replicas": 1, "containers": [changed(container, changes)]}
    return release(
        "llm-d-modelservice", {"modelArtifacts": {"uri": uri}, "decode": stage, "prefill": {"create": False}}
    )


def test_a_fault_in_the_values_of_a_model_service_is_found() -> None:
    assert "supply-image-tag-immutable" in of_rules(model_service({"image": "vllm/vllm-openai:latest"}))
    assert "vllm-options-exist" in of_rules(model_service({"args": ["--disable-log-requests"]}))
    assert "vllm-sizes-fill-accelerators" in of_rules(model_service({"resources": {"limits": {"nvidia.com/gpu": 4}}}))
    assert "vllm-gated-model-has-token" in of_rules(model_service({}, "hf://meta-llama/Llama-3.1-8B-Instruct"))


@pytest.mark.parametrize("uri", ["hf://Qwen/Qwen2.5-7B-Instruct", "pvc://weights/llama", "oci://example.com/llama:v1"])
def test_a_model_service_as_it_should_be_is_silent(uri: str) -> None:
    assert of_rules(model_service({}, uri)) == set()


def test_the_image_of_a_nim_is_named_by_a_version() -> None:
    def service(tag: str) -> Resource:
        image = {"repository": "nvcr.io/nim/meta/llama-3.1-8b-instruct", "tag": tag, "pullSecrets": ["ngc"]}
        spec = {"image": image, "authSecret": "ngc-api", "resources": {"limits": {"nvidia.com/gpu": 1}}}
        return custom("apps.nvidia.com/v1alpha1", "NIMService", "llama", spec)

    assert of_rules(service("1.8.4")) == set()
    assert "supply-image-tag-immutable" in of_rules(service("latest"))


def test_a_runtime_of_the_production_stack_is_judged() -> None:
    def runtime(gpus: str) -> Resource:
        spec = {
            "model": {"modelURL": "Qwen/Qwen2.5-7B-Instruct", "maxModelLen": 8192},
            "vllmConfig": {"tensorParallelSize": 2, "env": [DRIVER]},
            "deploymentConfig": {"resources": {"gpu": gpus}, "image": {"name": "vllm/vllm-openai:v0.32.0"}},
        }
        return custom("production-stack.vllm.ai/v1alpha1", "VLLMRuntime", "qwen", spec)

    assert of_rules(runtime("2")) == set()
    assert "vllm-sizes-fill-accelerators" in of_rules(runtime("4"))


def test_the_images_of_a_dynamo_graph_are_named_by_a_version() -> None:
    def graph(tag: str) -> Resource:
        pod = {"mainContainer": {"image": f"nvcr.io/nvidia/ai-dynamo/vllm-runtime:{tag}", "command": ["python3"]}}
        return custom(
            "nvidia.com/v1alpha1", "DynamoGraphDeployment", "g", {"services": {"Decode": {"extraPodSpec": pod}}}
        )

    assert of_rules(graph("0.6.1")) == set()
    assert "supply-image-tag-immutable" in of_rules(graph("latest"))


@pytest.mark.parametrize("values", [UNKNOWN, [], {"servingEngineSpec": []}, {"decode": [1], "image": "x"}, None])
def test_values_of_another_shape_are_silent(values: Any) -> None:
    for chart in ("vllm-stack", "llm-d-modelservice", "nim-llm"):
        assert of_rules(release(chart, values)) == set()
