from __future__ import annotations

import pytest

from inference.rules.architectures import image_fits_architecture
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import cluster, container, deployment, findings, leader_worker_set, node_pool

GB200 = {"nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-gb200"}}
ARM = {"nodeSelector": {"kubernetes.io/arch": "arm64"}}
GIB = "us-docker.pkg.dev/gce-ai-infra/gpudirect-gib/nccl-plugin-gib"


def running(image: object, pod: dict) -> Resource:
    return deployment(containers=[container({"image": image})], pod=pod)


@pytest.mark.parametrize("pod", [GB200, ARM])
@pytest.mark.parametrize(
    "image", ["vllm/vllm-openai:v0.32.0-x86_64", "registry/server-amd64:1", f"{GIB}:v1.1.2", f"{GIB}@sha256:0"]
)
def test_an_image_for_x86_on_arm_nodes_is_found(image: str, pod: dict) -> None:
    found = findings(image_fits_architecture, running(image, pod))
    assert len(found) == 1
    assert image in found[0]


def test_an_image_for_arm_on_x86_nodes_is_found() -> None:
    h200 = {"nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-h200-141gb"}}
    assert findings(image_fits_architecture, running(f"{GIB}-arm64:v1.1.2", h200))
    assert findings(image_fits_architecture, running("vllm/vllm-openai:v0.32.0-aarch64", h200))


def test_init_containers_and_workers_are_judged() -> None:
    prepare = {"initContainers": [{"name": "gib", "image": f"{GIB}:v1"}], **GB200}
    assert len(findings(image_fits_architecture, leader_worker_set(leader=prepare, worker=prepare))) == 2


def test_the_pool_tells_the_architecture() -> None:
    config = {"machineType": "a4x-highgpu-4g", "guestAccelerators": [{"type": "nvidia-gb200", "count": 4}]}
    pool = node_pool("a4x", {"nodeConfig": config})
    chosen = {"nodeSelector": {"cloud.google.com/gke-nodepool": "a4x"}}
    assert findings(image_fits_architecture, cluster(), pool, running("server:1-amd64", chosen))
    assert not findings(image_fits_architecture, cluster(), pool, node_pool(), running("server:1-amd64", {}))


@pytest.mark.parametrize(
    ("image", "pod"),
    [
        ("vllm/vllm-openai:v0.32.0", GB200),
        (f"{GIB}-arm64:v1.1.2", GB200),
        ("vllm/vllm-openai:v0.32.0-x86_64", {}),
        ("vllm/vllm-openai:v0.32.0-x86_64", {"nodeSelector": {"kubernetes.io/arch": "amd64"}}),
        (UNKNOWN, GB200),
        (None, GB200),
    ],
)
def test_images_that_run_or_may_run_are_silent(image: object, pod: dict) -> None:
    assert not findings(image_fits_architecture, running(image, pod))
