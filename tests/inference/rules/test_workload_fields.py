from __future__ import annotations

from typing import Any

import pytest

from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from inference.rules.workload_fields import image_reference_valid, requests_within_limits, selector_matches_template
from tests.inference.rules.cases import container, deployment, findings, leader_worker_set, workload


def stateful(selector: Any) -> Resource:
    template = {"metadata": {"labels": {"app": "vllm"}}, "spec": {"containers": [container()]}}
    spec = {"selector": selector, "template": template}
    return workload("kubernetes:apps/v1:StatefulSet", "apps/v1", "StatefulSet", "s", spec, None)


@pytest.mark.parametrize(
    "selector",
    [
        {"matchLabels": {"app": "llama"}},
        {"matchLabels": {"app": "vllm", "tier": "gpu"}},
        {"matchLabels": {"app": "vllm"}, "matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["vllm"]}]},
    ],
)
def test_a_workload_that_selects_other_pods_is_found(selector: dict[str, Any]) -> None:
    assert len(findings(selector_matches_template, stateful(selector))) == 1
    assert len(findings(selector_matches_template, deployment(spec={"selector": selector}))) == 1


@pytest.mark.parametrize(
    "selector",
    [
        {"matchLabels": {"app": "vllm"}},
        {"matchExpressions": [{"key": "app", "operator": "In", "values": ["vllm"]}]},
        {"matchLabels": {"app": UNKNOWN}},
        {"matchLabels": UNKNOWN},
        UNKNOWN,
        None,
    ],
)
def test_a_workload_that_selects_its_pods_or_may_is_silent(selector: Any) -> None:
    assert not findings(selector_matches_template, stateful(selector), leader_worker_set())


def asking(requests: dict[str, Any], limits: dict[str, Any]) -> list[Resource]:
    made = container({"resources": {"requests": requests, "limits": limits}})
    return [deployment(containers=[made]), leader_worker_set(size=1, containers=[made])]


@pytest.mark.parametrize(
    ("requests", "limits"),
    [
        ({"memory": "32Gi"}, {"memory": "16Gi"}),
        ({"cpu": "4"}, {"cpu": "3500m"}),
        ({"ephemeral-storage": "1Ti"}, {"ephemeral-storage": "100Gi"}),
        ({"memory": None}, {"memory": 16}),
        ({"memory": None}, {"memory": "512m"}),
    ],
)
def test_more_than_the_limit_or_bytes_of_memory_are_found(requests: dict[str, Any], limits: dict[str, Any]) -> None:
    for made in asking(requests, limits):
        assert len(findings(requests_within_limits, made)) == 1


@pytest.mark.parametrize(
    ("requests", "limits"),
    [
        ({"memory": "16Gi"}, {"memory": "16384Mi"}),
        ({"memory": "16Gi"}, {"memory": None}),
        ({"memory": UNKNOWN}, {"memory": "1Gi"}),
        ({"cpu": 4}, {"cpu": 4.0}),
        ({"memory": "much"}, {"memory": "1Gi"}),
    ],
)
def test_requests_within_their_limits_are_silent(requests: dict[str, Any], limits: dict[str, Any]) -> None:
    for made in asking(requests, limits):
        assert not findings(requests_within_limits, made)


@pytest.mark.parametrize("image", ["vllm/vllm-openai@sha256:1234", "vllm/vLLM-openai:v0.32.0", "ghcr.io/Acme/x:v1"])
def test_an_image_that_no_kubelet_can_read_is_found(image: str) -> None:
    assert len(findings(image_reference_valid, deployment(containers=[container({"image": image})]))) == 1


@pytest.mark.parametrize(
    "image",
    [
        "vllm/vllm-openai:v0.32.0",
        f"vllm/vllm-openai:V1@sha256:{'0' * 64}",
        "localhost:5000/vllm:v1",
        "${REGISTRY}/VLLM:v1",
        "us-docker.pkg.dev/PROJECT_ID/llm/vllm:v1",
        "Registry.Example.com/vllm:v1",
    ],
)
def test_an_image_that_can_be_read_is_silent(image: str) -> None:
    assert not findings(image_reference_valid, deployment(containers=[container({"image": image})]))
