from __future__ import annotations

from typing import Any

import pytest

from inference.rules.gpudirect_tcp import (
    daemon_fits_machine,
    daemon_has_rights,
    daemon_pod_lists_networks,
    devices_go_to_container,
    pod_runs_daemon,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import changed, container, deployment, findings, leader_worker_set
from tests.inference.rules.fabric_cases import EIGHT_GPUS, marked, verdicts

REGISTRY = "us-docker.pkg.dev/gce-ai-infra"
ACCELERATOR = "cloud.google.com/gke-accelerator"
DEVICES = "devices.gke.io/container.tcpxo-daemon"


def names(count: int) -> list[str]:
    return [f"vpc{i}" for i in range(1, count + 1)]


def daemon(kind: str = "tcpxo", changes: dict[str, Any] | None = None) -> dict[str, Any]:
    base = {
        "name": f"{kind}-daemon",
        "image": f"{REGISTRY}/gpudirect-{kind}/tcpgpudmarxd-dev:v1.0.21",
        "securityContext": {"capabilities": {"add": ["NET_ADMIN", "NET_BIND_SERVICE"]}},
    }
    return changed(base, changes or {})


def server(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    base = container(
        {
            "resources": EIGHT_GPUS,
            "env": [{"name": "NCCL_FASTRAK_LLCM_DEVICE_DIRECTORY", "value": "/dev/aperture_devices"}],
            "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],  # noqa: S108 - of the container
        }
    )
    return changed(base, changes or {})


def pods(
    containers: list[dict[str, Any]], marks: dict[str, Any] | None = None, pod: dict[str, Any] | None = None
) -> list[Resource]:
    marks = marks if marks is not None else {**marked(names(8), first=1), DEVICES: "- path: /dev/nvidia0"}
    spec = {"volumes": [{"name": "shm", "emptyDir": {"medium": "Memory"}}], **(pod or {})}
    return [
        deployment(containers=containers, annotations=marks, pod=spec),
        leader_worker_set(containers=containers, annotations=marks, leader=spec, worker=spec),
    ]


def test_a_whole_pod_of_either_fabric_draws_no_finding() -> None:
    sidecar = daemon(changes={"restartPolicy": "Always"})
    high = {**marked(names(4), first=1), "devices.gke.io/container.tcpx-daemon": "x"}

    for made in (
        *pods([daemon(), server()]),
        *pods([server()], pod={"initContainers": [sidecar]}),
        *pods([daemon("tcpx"), server()], high),
    ):
        assert verdicts(made) == {}


@pytest.mark.parametrize("name", ["NCCL_FASTRAK_IFNAME", "NCCL_GPUDIRECTTCPX_CTRL_DEV"])
def test_a_pod_with_the_plugin_and_no_daemon_is_found(name: str) -> None:
    for made in pods([server({"env": [{"name": name, "value": "eth0"}]})], {}):
        assert name in findings(pod_runs_daemon, made)[0]


def test_a_daemon_that_is_a_plain_init_container_is_found() -> None:
    for made in pods([server()], {}, {"initContainers": [daemon()]}):
        assert findings(pod_runs_daemon, made)


@pytest.mark.parametrize("extra", [daemon(changes={"image": "mirror/rxdm:1"}), daemon(changes={"image": UNKNOWN})])
def test_a_daemon_from_another_registry_is_silent(extra: dict[str, Any]) -> None:
    for made in pods([extra, server()]):
        assert findings(pod_runs_daemon, made) == []


def test_a_server_without_the_plugin_is_silent() -> None:
    for made in pods([server({"env": None})], {}):
        assert findings(pod_runs_daemon, made) == []


@pytest.mark.parametrize(
    ("kind", "count", "wanted"), [("tcpxo", 4, 8), ("tcpxo", 7, 8), ("tcpx", 8, 4), ("tcpx", 3, 4)]
)
def test_a_daemon_with_another_number_of_networks_is_found(kind: str, count: int, wanted: int) -> None:
    for made in pods([daemon(kind), server()], marked(names(count), first=1)):
        assert f"List {wanted} networks" in findings(daemon_pod_lists_networks, made)[0]


def test_a_daemon_without_networks_is_found() -> None:
    for made in pods([daemon(), server()], {}):
        assert "lists no networks" in findings(daemon_pod_lists_networks, made)[0]


def test_a_daemon_beside_a_part_of_the_gpus_is_found() -> None:
    four = server({"resources": {"requests": {"nvidia.com/gpu": 4}, "limits": {"nvidia.com/gpu": 4}}})

    for made in pods([daemon(), four]):
        assert "4 of its 8 GPUs" in findings(daemon_pod_lists_networks, made)[0]


@pytest.mark.parametrize(
    ("marks", "pod"),
    [
        ({}, {"hostNetwork": True}),
        ({}, {"hostNetwork": UNKNOWN}),
        ({}, {"resourceClaims": [{"name": "nics"}]}),
        ({"networking.gke.io/interfaces": UNKNOWN}, {}),
        ({"networking.gke.io/interfaces": "not a list"}, {}),
    ],
)
def test_a_daemon_that_has_the_nics_by_another_way_is_silent(marks: dict[str, Any], pod: dict[str, Any]) -> None:
    for made in pods([daemon(), server()], marks, pod):
        assert findings(daemon_pod_lists_networks, made) == []


@pytest.mark.parametrize(
    ("kind", "gpu", "found"),
    [
        ("tcpxo", "nvidia-h100-80gb", True),
        ("tcpx", "nvidia-h100-mega-80gb", True),
        ("tcpxo", "nvidia-h100-mega-80gb", False),
        ("tcpx", "nvidia-h100-80gb", False),
        ("tcpx", None, False),
    ],
)
def test_a_daemon_is_the_one_of_its_machine(kind: str, gpu: str | None, found: bool) -> None:
    for made in pods([daemon(kind), server()], {}, {"nodeSelector": {ACCELERATOR: gpu} if gpu else {}}):
        assert bool(findings(daemon_fits_machine, made)) is found


@pytest.mark.parametrize(
    ("context", "found"),
    [
        (None, True),
        ({"capabilities": {"add": ["IPC_LOCK"]}}, True),
        ({"capabilities": None, "privileged": "true"}, False),
        ({"capabilities": {"add": ["CAP_NET_ADMIN"]}}, False),
        ({"capabilities": UNKNOWN}, False),
    ],
)
def test_a_daemon_may_administer_nics(context: dict[str, Any] | None, found: bool) -> None:
    for made in pods([daemon(changes={"securityContext": context}), server()]):
        assert bool(findings(daemon_has_rights, made)) is found


def test_devices_for_a_container_that_is_not_there_are_found() -> None:
    for made in pods([daemon(changes={"name": "rxdm"}), server()]):
        assert 'the container "tcpxo-daemon"' in findings(devices_go_to_container, made)[0]


@pytest.mark.parametrize("name", ["tcpxo-daemon", UNKNOWN])
def test_devices_for_a_container_that_is_there_or_may_be_are_silent(name: Any) -> None:
    for made in pods([daemon(changes={"name": name}), server()]):
        assert findings(devices_go_to_container, made) == []
