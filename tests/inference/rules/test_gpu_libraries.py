from __future__ import annotations

from typing import Any

import pytest

from inference.rules.gpu_libraries import (
    driver_libraries_are_reachable,
    library_path_fits_pool,
    library_path_is_spelled,
)
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import changed, container, findings
from tests.inference.rules.fabric_cases import env, gpu_pool, host_cluster, kinds, shell

SERVE = "vllm serve meta-llama/Llama-3.1-405B"
GB200 = {"nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-gb200"}}
H200 = {"nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-h200-141gb"}}


@pytest.mark.parametrize(
    "changes",
    [
        env(LD_LIBRARY_PATH="/usr/lib/x88_64-linux-gnu:/usr/local/nvidia/lib64"),
        env(LD_LIBRARY_PATH="/usr/local/nvidia/lib64:/lib/x86_46-linux-gnu"),
        env(LD_LIBRARY_PATH="/usr/lib/aarch46-linux-gnu:/usr/local/nvidia/lib64"),
        env(LD_PRELOAD="/usr/lib/x86-64-linux-gnu/libnccl.so.2"),
        shell(f"export LD_LIBRARY_PATH=/usr/lib/x68_64-linux-gnu:/usr/local/nvidia/lib64\n{SERVE}"),
    ],
)
def test_an_architecture_that_does_not_exist_is_found(changes: dict[str, Any]) -> None:
    for made in kinds(container(changes)):
        assert "no such architecture" in findings(library_path_is_spelled, made)[0]


@pytest.mark.parametrize("pod", [GB200, {"nodeSelector": {"kubernetes.io/arch": "arm64"}}])
def test_libraries_of_another_architecture_than_the_node_are_found(pod: dict[str, Any]) -> None:
    one = container(env(LD_LIBRARY_PATH="/usr/lib/x86_64-linux-gnu:/usr/local/nvidia/lib64"))

    for made in kinds(one, pod):
        assert "aarch64-linux-gnu" in findings(library_path_is_spelled, made)[0]


@pytest.mark.parametrize(
    ("changes", "pod"),
    [
        (env(LD_LIBRARY_PATH="/usr/lib/x86_64-linux-gnu:/usr/local/nvidia/lib64"), H200),
        (env(LD_LIBRARY_PATH="/usr/lib/x86_64-linux-gnu:/usr/local/nvidia/lib64"), None),
        (env(LD_LIBRARY_PATH="/usr/lib/aarch64-linux-gnu:/usr/local/nvidia/lib64"), GB200),
        (env(LD_LIBRARY_PATH="/usr/lib/x86_64-linux-gnu:/usr/lib/aarch64-linux-gnu"), GB200),
        (env(LD_LIBRARY_PATH="/usr/lib/arm-linux-gnueabihf:/usr/local/cuda/targets/x86_64-linux/lib"), None),
        (env(LD_LIBRARY_PATH="/opt/cross-x86_64-linux-gnu/lib:/usr/local/nvidia/lib64"), H200),
        (env(LD_LIBRARY_PATH=UNKNOWN), GB200),
        ({"env": UNKNOWN}, GB200),
        ({}, None),
    ],
)
def test_libraries_of_the_node_s_architecture_are_silent(changes: dict[str, Any], pod: dict[str, Any] | None) -> None:
    for made in kinds(container(changes), pod):
        assert findings(library_path_is_spelled, made) == []


@pytest.mark.parametrize(
    "changes",
    [
        env(LD_LIBRARY_PATH="/usr/local/cuda/lib64"),
        env(LD_LIBRARY_PATH="/usr/local/nvidia/lib:/usr/lib/x86_64-linux-gnu"),
        env(LD_LIBRARY_PATH="/usr/local/gib/lib64"),
        env(LD_LIBRARY_PATH=""),
        env(BASE="/usr/local/cuda", LD_LIBRARY_PATH="$(BASE)/lib64"),
        shell(f"export LD_LIBRARY_PATH=/usr/local/cuda/lib64 && {SERVE}"),
        shell(f"LD_LIBRARY_PATH=/opt/lib; export LD_LIBRARY_PATH; {SERVE}"),
    ],
)
def test_a_library_path_without_the_driver_is_found(changes: dict[str, Any]) -> None:
    for made in kinds(container(changes)):
        assert "without the directory of the GPU driver" in findings(driver_libraries_are_reachable, made)[0]


@pytest.mark.parametrize(
    ("changes", "pod"),
    [
        (env(LD_LIBRARY_PATH="/usr/local/nvidia/lib64"), None),
        (env(LD_LIBRARY_PATH="/usr/local/gib/lib64:/usr/local/nvidia/lib64/"), None),
        (env(NV="/usr/local/nvidia", LD_LIBRARY_PATH="$(NV)/lib64"), None),
        (env(LD_LIBRARY_PATH="/x:$(SOMETHING)"), None),
        ({"env": [{"name": "LD_LIBRARY_PATH", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}]}, None),
        ({"env": None}, None),
        ({"env": UNKNOWN}, None),
        (shell(f"export LD_LIBRARY_PATH=/opt/lib:$LD_LIBRARY_PATH; {SERVE}", env=[]), None),
        (
            shell(
                f"export LD_LIBRARY_PATH=/usr/local/nvidia/lib64:$LD_LIBRARY_PATH; {SERVE}", **env(LD_LIBRARY_PATH="/x")
            ),
            None,
        ),
        (shell(f"ldconfig /usr/local/nvidia/lib64; {SERVE}", **env(LD_LIBRARY_PATH="/x")), None),
        ({**env(LD_LIBRARY_PATH="/x"), "resources": None}, None),
        (env(LD_LIBRARY_PATH="/x"), {"nodeSelector": {"eks.amazonaws.com/nodegroup": "gpus"}}),
        (
            {**env(LD_LIBRARY_PATH="/driver/lib64"), "volumeMounts": [{"name": "nvidia", "mountPath": "/driver"}]},
            {"volumes": [{"name": "nvidia", "hostPath": {"path": "/home/kubernetes/bin/nvidia"}}]},
        ),
        (
            {**env(LD_LIBRARY_PATH="/libs"), "volumeMounts": [{"name": "nvidia", "mountPath": "/libs/"}]},
            {"volumes": [{"name": "nvidia", "hostPath": {"path": "/home/kubernetes/bin/nvidia/lib64"}}]},
        ),
    ],
)
def test_a_library_path_with_the_driver_or_none_at_all_is_silent(
    changes: dict[str, Any], pod: dict[str, Any] | None
) -> None:
    for made in kinds(container(changes), pod):
        assert findings(driver_libraries_are_reachable, made) == []


@pytest.mark.parametrize("pod", [None, {"nodeSelector": {"cloud.google.com/gke-nodepool": "gpus"}}])
def test_libraries_of_another_architecture_than_the_pool_are_found(pod: dict[str, Any] | None) -> None:
    arm = gpu_pool("a4x-highgpu-4g", "nvidia-gb200", [])
    one = container(env(LD_LIBRARY_PATH="/usr/lib/x86_64-linux-gnu:/usr/local/nvidia/lib64"))

    for made in kinds(one, pod):
        assert "aarch64-linux-gnu" in findings(library_path_fits_pool, host_cluster(), arm, made)[0]
        assert findings(library_path_fits_pool, host_cluster(), gpu_pool(), made) == []
        assert findings(library_path_fits_pool, host_cluster(), arm, gpu_pool(props={"name": "x86"}), made) == [] or pod


@pytest.mark.parametrize("image", ["python:3.12-slim", "ubuntu:24.04", "docker.io/library/debian:12"])
def test_a_plain_image_that_is_not_told_where_the_driver_is_is_found(image: str) -> None:
    for made in kinds(container({"image": image, "env": None})):
        assert "does not know where GKE mounts" in findings(driver_libraries_are_reachable, made)[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"image": "python:3.12-slim", **env(LD_LIBRARY_PATH="/usr/local/nvidia/lib64")},
        {"image": "ubuntu:24.04", "env": UNKNOWN},
        {"image": "ubuntu:24.04", "env": None, "envFrom": [{"configMapRef": {"name": "gpu"}}]},
        {"image": "ubuntu:24.04", "env": None, "command": ["/usr/local/nvidia/bin/nvidia-smi"], "args": None},
        {"image": "ubuntu:24.04", "env": None, "resources": None},
        {"image": "nvidia/cuda:13.0.0-base-ubuntu24.04", "env": None},
        {"image": "europe-docker.pkg.dev/team/images/ubuntu:24.04", "env": None},
        {"image": UNKNOWN, "env": None},
    ],
)
def test_an_image_that_knows_the_driver_or_is_told_of_it_is_silent(changes: dict[str, Any]) -> None:
    for made in kinds(container(changes)):
        assert findings(driver_libraries_are_reachable, made) == []


def test_malformed_containers_never_crash() -> None:
    for changes in ({"env": "x"}, {"env": [None, 5, {"name": 7}]}, {"volumeMounts": {"a": 1}}, {"command": {"x": [1]}}):
        for rule in (library_path_is_spelled, driver_libraries_are_reachable, library_path_fits_pool):
            findings(rule, host_cluster(), *kinds(changed(container(), changes)))
