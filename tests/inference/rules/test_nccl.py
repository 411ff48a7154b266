from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from inference.rules.nccl import (
    env_is_not_hard_coded,
    env_keeps_fabric,
    plugin_is_mounted,
    script_is_sourced,
    server_has_shared_memory,
    socket_interface_exists,
    tuner_file_fits,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import changed, container, deployment, findings
from tests.inference.rules.fabric_cases import env, group, kinds, marked, rdma_container, shell

SCRIPT = "/usr/local/gib/scripts/set_nccl_env.sh"
SERVE = "vllm serve meta-llama/Llama-3.1-405B"
GB200 = {"nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-gb200"}}
H200 = {"nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-h200-141gb"}}
SHM = "/dev/shm"  # noqa: S108 - of a container


# the script


@pytest.mark.parametrize(
    "changes",
    [
        shell(f"set -e\ncat {SCRIPT}\npython3 -m vllm.entrypoints.openai.api_server --model x"),
        shell(f"bash {SCRIPT} && {SERVE}"),
        shell(f"{SCRIPT}; {SERVE}"),
        shell(f"cat \\\n  {SCRIPT} \\\n && exec {SERVE}"),
        {"command": ["/bin/sh", "-c"], "args": [f"cat {SCRIPT}; {SERVE}"]},
        {"command": ["cat", SCRIPT], "args": None},
        shell(f"cat $NCCL_INIT; {SERVE}", env=[{"name": "NCCL_INIT", "value": SCRIPT}]),
        shell(f"sh /usr/local/nvidia/lib64/nccl-env-profile.sh && {SERVE}"),
    ],
)
def test_a_script_that_is_not_sourced_is_found_in_every_kind(changes: dict[str, Any]) -> None:
    for made in kinds(container(changes)):
        said = findings(script_is_sourced, made)
        assert said
        assert all("does not source it" in message for message in said)


@pytest.mark.parametrize(
    "text", [f"bash -c 'source {SCRIPT}' && {SERVE}", f"(source {SCRIPT}); {SERVE}", f"{SERVE}\nsource {SCRIPT}"]
)
def test_a_script_that_is_sourced_in_another_shell_or_too_late_is_found(text: str) -> None:
    [message] = findings(script_is_sourced, deployment(containers=[container(shell(text))]))

    assert "in another shell than its server" in message


@pytest.mark.parametrize(
    "changes",
    [
        shell(f"source {SCRIPT} && exec {SERVE}"),
        shell(f". {SCRIPT}\n{SERVE}"),
        shell(f"if [ -f {SCRIPT} ]; then\n  source {SCRIPT}\nfi\nexec {SERVE}"),
        shell(f"[[ -n $NCCL_INIT ]] && source $NCCL_INIT; {SERVE}", env=[{"name": "NCCL_INIT", "value": SCRIPT}]),
        shell(f"echo loading {SCRIPT}; source {SCRIPT}; {SERVE}"),
        shell(f"# cat {SCRIPT}\n{SERVE}"),
        shell(f"cat > /run.sh <<'EOF'\nsource {SCRIPT}\n{SERVE}\nEOF\nbash /run.sh"),
        shell(f"NCCL_LIB_DIR=/usr/local/nvidia/lib64 . /usr/local/nvidia/lib64/nccl-env-profile.sh; {SERVE}"),
        {},
        {"command": UNKNOWN, "args": UNKNOWN},
    ],
)
def test_a_script_that_is_sourced_or_not_used_is_silent(changes: dict[str, Any]) -> None:
    for made in kinds(container(changes)):
        assert findings(script_is_sourced, made) == []


def test_an_init_container_that_copies_or_prints_the_script_is_silent() -> None:
    copier = {"name": "gib", "image": "gib", "command": ["sh", "-c", f"cp -r /var/lib/gib/. /x && cat {SCRIPT}"]}

    assert findings(script_is_sourced, deployment(pod={"initContainers": [copier]})) == []


def test_a_script_under_a_mount_that_is_missing_is_found() -> None:
    without = rdma_container({"volumeMounts": [{"name": "shm", "mountPath": SHM}]})

    for made in kinds(without):
        assert "nothing mounts" in findings(plugin_is_mounted, made)[0]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"volumeMounts": [{"name": "gib", "mountPath": "/usr/local/gib/"}]},
        {"volumeMounts": [{"name": "gib", "mountPath": "/usr/local"}]},
        {"volumeMounts": UNKNOWN},
        {"volumeMounts": [{"name": "gib", "mountPath": UNKNOWN}]},
        {
            "volumeMounts": None,
            "image": "us-docker.pkg.dev/gce-ai-infra/gpudirect-gib/nccl-plugin-gib-diagnostic:v1.1.1",
        },
        {"volumeMounts": None, "image": "europe-docker.pkg.dev/team/images/vllm-gib:1"},
        {"volumeMounts": None, "image": UNKNOWN},
    ],
)
def test_a_plugin_that_is_mounted_or_may_be_in_the_image_is_silent(changes: dict[str, Any]) -> None:
    for made in kinds(rdma_container(changes)):
        assert findings(plugin_is_mounted, made) == []


# variables


@pytest.mark.parametrize("variables", [{"NCCL_IB_DISABLE": "1"}, {"NCCL_NET": "Socket"}, {"NCCL_NET": "FasTrak"}])
def test_a_group_that_switches_its_fabric_off_is_found(variables: dict[str, str]) -> None:
    said = findings(env_keeps_fabric, group(env(**variables)))

    assert len(said) == 2
    assert "RDMA NICs idle" in said[0]


@pytest.mark.parametrize("line", ["export NCCL_IB_DISABLE=1\n", "NCCL_NET=Socket "])
def test_a_script_that_switches_the_fabric_off_is_found(line: str) -> None:
    assert findings(env_keeps_fabric, group(shell(f"source {SCRIPT}\n{line}{SERVE}")))


@pytest.mark.parametrize(
    "made",
    [
        group(env(NCCL_IB_DISABLE="0", NCCL_NET="gIB")),
        group(env(NCCL_NET_PLUGIN="none", NCCL_TUNER_PLUGIN="none")),
        group(env(NCCL_IB_DISABLE=UNKNOWN)),
        group(env(NCCL_NET="Socket"), annotated={}),
        group(env(NCCL_NET="Socket"), size=1),
        deployment(containers=[rdma_container(env(NCCL_IB_DISABLE="1"))], annotations=marked()),
    ],
)
def test_a_group_that_keeps_its_fabric_is_silent(made: Resource) -> None:
    assert findings(env_keeps_fabric, made) == []


def test_copied_settings_that_differ_from_the_script_s_are_found() -> None:
    said = findings(env_is_not_hard_coded, group(env(NCCL_NET_GDR_LEVEL="5", NCCL_CROSS_NIC="1")))

    assert "NCCL_CROSS_NIC=0, NCCL_NET_GDR_LEVEL=PIX" in said[0]


@pytest.mark.parametrize(
    "made", [group(), group(env(NCCL_CROSS_NIC="0", NCCL_DEBUG="WARN")), group(env(NCCL_CROSS_NIC="1"), annotated={})]
)
def test_settings_of_the_script_or_others_are_silent(made: Resource) -> None:
    assert findings(env_is_not_hard_coded, made) == []


@pytest.mark.parametrize(
    ("gpu", "file", "found"),
    [
        ("nvidia-b200", "tuner_config_a3u.txtpb", 1),
        ("nvidia-h200-141gb", "tuner_config_a4.txtpb", 1),
        ("nvidia-h200-141gb", "tuner_config_a3u.txtpb", 0),
        ("nvidia-b200", "my_own.txtpb", 0),
        (None, "tuner_config_a4.txtpb", 0),
    ],
)
def test_a_tuner_file_is_the_one_of_the_gpu(gpu: str | None, file: str, found: int) -> None:
    one = container(env(NCCL_TUNER_CONFIG_PATH=f"/usr/local/gib/configs/{file}"))
    pod = {"nodeSelector": {"cloud.google.com/gke-accelerator": gpu}} if gpu else None

    assert len(findings(tuner_file_fits, deployment(containers=[one], pod=pod))) == found


@pytest.mark.parametrize(
    "variables", [{"NCCL_SOCKET_IFNAME": "ens"}, {"GLOO_SOCKET_IFNAME": "eth"}, {"NCCL_SOCKET_IFNAME": "=eth1"}]
)
def test_an_interface_that_the_pod_does_not_have_is_found(variables: dict[str, str]) -> None:
    assert len(findings(socket_interface_exists, group(env(**variables)))) == 2


@pytest.mark.parametrize(
    "made",
    [
        group(env(NCCL_SOCKET_IFNAME="eth0,eth1", GLOO_SOCKET_IFNAME="eth0")),
        group(env(NCCL_SOCKET_IFNAME="eth")),
        group(env(NCCL_SOCKET_IFNAME="^docker,lo")),
        group(env(NCCL_SOCKET_IFNAME="=eth9")),
        group(env(NCCL_SOCKET_IFNAME="ens"), pod={"hostNetwork": True}),
        group(env(NCCL_SOCKET_IFNAME="gpu0rdma0"), pod={"resourceClaims": [{"name": "x"}]}),
        group(env(NCCL_SOCKET_IFNAME="net1"), annotated={"k8s.v1.cni.cncf.io/networks": "roce"}),
    ],
)
def test_an_interface_that_the_pod_has_or_may_have_is_silent(made: Resource) -> None:
    assert findings(socket_interface_exists, made) == []


# shared memory

MEMORY = {"name": "shm", "emptyDir": {"medium": "Memory"}}
TWO = {"requests": {"nvidia.com/gpu": 2}, "limits": {"nvidia.com/gpu": 2}}


def on_two_gpus(
    volume: Any = MEMORY, path: Any = SHM, pod: dict[str, Any] | None = None, **rest: Any
) -> list[Resource]:
    mounts = [{"name": "shm", "mountPath": path}] if path is not None else None
    one = container({"resources": TWO, "args": ["--tensor-parallel-size=2"], "volumeMounts": mounts, **rest})
    return kinds(one, {"volumes": [volume] if volume else [], **(pod or {})})


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: on_two_gpus(path=None), "64 MiB"),
        (lambda: on_two_gpus(path="/cache"), "64 MiB"),
        (lambda: on_two_gpus({"name": "shm", "emptyDir": {}}), "on disk"),
        (
            lambda: on_two_gpus({"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}),
            "64Mi of /dev/shm",
        ),
    ],
)
def test_a_server_on_several_gpus_without_shared_memory_is_found(made: Callable[[], list[Resource]], said: str) -> None:
    for one in made():
        assert said in findings(server_has_shared_memory, one)[0]


@pytest.mark.parametrize(
    "made",
    [
        lambda: on_two_gpus(),
        lambda: on_two_gpus(path="/dev/shm/"),  # noqa: S108
        lambda: on_two_gpus({"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "16Gi"}}),
        lambda: on_two_gpus({"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": UNKNOWN}}),
        lambda: on_two_gpus({"name": "shm", "hostPath": {"path": SHM}}),
        lambda: on_two_gpus(path=None, pod={"hostIPC": True}),
        lambda: on_two_gpus(path=UNKNOWN),
        lambda: on_two_gpus(volume=None, path=None, volumeMounts=UNKNOWN),
        lambda: kinds(container()),
        lambda: kinds({"name": "train", "image": "nvidia/cuda:13.0.0-base-ubuntu22.04", "resources": TWO}),
    ],
)
def test_a_server_with_shared_memory_or_on_one_gpu_is_silent(made: Callable[[], list[Resource]]) -> None:
    for one in made():
        assert findings(server_has_shared_memory, one) == []


def test_malformed_containers_never_crash() -> None:
    rules = (script_is_sourced, plugin_is_mounted)
    odd = ({"env": "x"}, {"env": [None, 5, {"name": 7}]}, {"volumeMounts": {"a": 1}}, {"command": {"x": [1]}})
    for changes in odd:
        for rule in (*rules, server_has_shared_memory):
            findings(rule, *kinds(changed(container(), changes)))
