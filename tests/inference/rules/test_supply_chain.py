from __future__ import annotations

from typing import Any

import pytest

from inference.facts.versions import COMPONENTS
from inference.rules.supply_chain import image_digest_agrees, image_registry_allowed, image_tag_immutable
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import container, custom, deployment, findings, leader_worker_set, workload
from tests.inference.rules.gateway_cases import release

DIGEST = "sha256:" + "0123456789abcdef" * 4


def runs(image: object) -> list[Resource]:
    """Return resources of several kinds that run an image."""
    main = container({"image": image})
    pod = {"spec": {"containers": [main]}}
    return [
        deployment(containers=[main]),
        deployment(pod={"initContainers": [{"name": "i", "image": image}]}),
        leader_worker_set(worker={"containers": [main]}),
        workload("kubernetes:batch/v1:Job", "batch/v1", "Job", "j", {"template": pod}, None),
        custom("serving.kserve.io/v1alpha2", "LLMInferenceService", "l", {"template": pod["spec"]}),
        custom(
            "serving.kserve.io/v1alpha2",
            "LLMInferenceService",
            "l",
            {"router": {"scheduler": {"template": pod["spec"]}}},
        ),
        custom("serving.kserve.io/v1alpha1", "ServingRuntime", "r", pod["spec"]),
        release("x", "own-chart", {"server": {"image": image}}),
    ]


@pytest.mark.parametrize(
    "image",
    [
        "vllm/vllm-openai",
        "vllm/vllm-openai:latest",
        "vllm/vllm-openai:nightly",
        "vllm/vllm-openai:nightly-x86_64-latest",
        "registry.example.com:5000/vllm/vllm-openai",
        "ghcr.io/llm-d/llm-d-router-endpoint-picker:main",
        "us-docker.pkg.dev/p/r/server:release-latest",
        "us-docker.pkg.dev/p/r/server:DEV",
    ],
)
def test_a_tag_that_moves_or_none_is_found_in_every_kind(image: str) -> None:
    for resource in runs(image):
        assert len([m for m in findings(image_tag_immutable, resource) if image in m]) == 1


@pytest.mark.parametrize(
    "image",
    [
        "vllm/vllm-openai:v0.32.0",
        f"vllm/vllm-openai:latest@{DIGEST}",
        f"vllm/vllm-openai@{DIGEST}",
        "vllm/vllm-openai:nightly-8a1b2c3d4e5f",
        "registry.example.com:5000/vllm/vllm-openai:v0.32.0",
        "gke.gcr.io/pause:3.9",
        "$(IMAGE)",
        UNKNOWN,
        None,
    ],
)
def test_a_version_or_a_digest_is_silent(image: object) -> None:
    for resource in runs(image):
        assert findings(image_tag_immutable, resource) == []


@pytest.mark.parametrize(
    ("image", "count"),
    [
        ({"repository": "vllm/vllm-openai", "tag": "latest"}, 1),
        ({"repository": "vllm/vllm-openai", "tag": "v0.32.0"}, 0),
        ({"repository": "vllm/vllm-openai", "tag": "latest", "digest": DIGEST}, 0),
        ({"repository": "vllm/vllm-openai"}, 0),
        ({"pullPolicy": "Always"}, 0),
    ],
)
def test_the_image_of_a_chart_is_pinned(image: dict[str, Any], count: int) -> None:
    for values in ({"image": image}, {"router": {"epp": {"image": image}}}):
        assert len(findings(image_tag_immutable, release("x", "own-chart", values))) == count


def test_a_digest_of_another_version_is_found() -> None:
    known = COMPONENTS["gib"]

    assert findings(image_digest_agrees, deployment(containers=[container({"image": known.reference})])) == []
    assert findings(image_digest_agrees, deployment(containers=[container({"image": known.artifact})])) == []
    wrong = deployment(containers=[container({"image": f"{known.artifact}@{DIGEST}"})])
    assert len(findings(image_digest_agrees, wrong)) == 1


def test_registries_are_free_until_a_team_names_some() -> None:
    allowed = {"registries": ["docker.io/vllm/", "europe-docker.pkg.dev/acme/"]}
    own = deployment(containers=[container({"image": "europe-docker.pkg.dev/acme/r/s:v1.0.0"})])
    strange = deployment(containers=[container({"image": "ghcr.io/someone/vllm:v1.0.0"})])

    assert findings(image_registry_allowed, strange) == []
    assert len(findings(image_registry_allowed, strange, configuration=allowed)) == 1
    assert findings(image_registry_allowed, own, configuration=allowed) == []
    assert findings(image_registry_allowed, deployment(), configuration=allowed) == []
