from __future__ import annotations

import pytest

from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from inference.rules.vllm_values import memory_share_is_possible, offline_model_is_there, options_go_together
from tests.inference.rules.cases import container, deployment, findings, group_container, leader_worker_set


def serving(*args: object) -> list[Resource]:
    changes = {"command": ["vllm", "serve", "acme/model"], "args": list(args)}
    shell = {"command": ["bash", "-c", "exec vllm serve acme/model " + " ".join(map(str, args))], "args": None}
    return [
        deployment(containers=[container(changes)]),
        deployment(containers=[container(shell)]),
        leader_worker_set(size=1, containers=[group_container(changes)]),
    ]


@pytest.mark.parametrize("share", ["90", "1.2", "0", "-0.5"])
def test_a_share_of_memory_out_of_range_is_found(share: str) -> None:
    for made in serving(f"--gpu_memory_utilization={share}"):
        assert len(findings(memory_share_is_possible, made)) == 1


def test_a_percentage_is_shown_as_the_share_that_was_meant() -> None:
    (found,) = findings(memory_share_is_possible, serving("--gpu-memory-utilization", "90")[0])
    assert "Set --gpu-memory-utilization 0.9." in found


@pytest.mark.parametrize("args", [(), ("--gpu-memory-utilization=1",), ("--gpu-memory-utilization=$(SHARE)",)])
def test_a_share_in_range_or_an_unknown_one_is_silent(args: tuple[str, ...]) -> None:
    for made in serving(*args):
        assert not findings(memory_share_is_possible, made)


@pytest.mark.parametrize(
    "args",
    [
        ("--enable-auto-tool-choice",),
        ("--lora-modules", "sql=/adapters/sql"),
        ("--enable-lora", "--max-lora-rank=24"),
        ("--max-num-batched-tokens=2048", "--max-model-len=8192", "--no-enable-chunked-prefill"),
    ],
)
def test_options_that_need_another_are_found(args: tuple[str, ...]) -> None:
    for made in serving(*args):
        assert len(findings(options_go_together, made)) == 1


@pytest.mark.parametrize(
    "args",
    [
        ("--enable-auto-tool-choice", "--tool-call-parser=hermes"),
        ("--lora-modules", "sql=/adapters/sql", "--enable-lora"),
        ("--enable-lora", "--max-lora-rank=16"),
        ("--max-num-batched-tokens=2048", "--max-model-len=8192"),
        ("--max-num-batched-tokens=8192", "--max-model-len=8192", "--no-enable-chunked-prefill"),
    ],
)
def test_options_with_what_they_need_are_silent(args: tuple[str, ...]) -> None:
    for made in serving(*args):
        assert not findings(options_go_together, made)


def test_options_that_are_not_all_known_are_silent() -> None:
    for hidden in (
        serving("--enable-auto-tool-choice", "$(MORE)")[1],
        serving("--enable-auto-tool-choice", UNKNOWN)[0],
    ):
        assert not findings(options_go_together, hidden)


def offline(value: object = "1", model: str = "Qwen/Qwen3-8B", volume: dict[str, object] | None = None) -> Resource:
    changes = {
        "command": ["vllm", "serve", model],
        "env": [{"name": "HF_HUB_OFFLINE", "value": value}],
        "volumeMounts": [{"name": "w", "mountPath": "/root/.cache/huggingface"}],
    }
    return deployment(containers=[container(changes)], pod={"volumes": [{"name": "w", **(volume or {"emptyDir": {}})}]})


def test_a_server_that_may_not_fetch_its_model_is_found() -> None:
    assert len(findings(offline_model_is_there, offline())) == 1
    assert len(findings(offline_model_is_there, offline("true"))) == 1


def test_a_server_that_may_fetch_or_has_its_model_is_silent() -> None:
    claim: dict[str, object] = {"persistentVolumeClaim": {"claimName": "w"}}
    for silent in (offline("0"), offline(UNKNOWN), offline(model="/models/qwen"), offline(volume=claim)):
        assert not findings(offline_model_is_there, silent)
    fetching = {
        "initContainers": [{"name": "fetch", "image": "python:3.11-slim"}],
        "volumes": [{"name": "w", "emptyDir": {}}],
    }
    copied = container({"command": ["vllm", "serve", "a/b"], "env": [{"name": "HF_HUB_OFFLINE", "value": "1"}]})
    assert not findings(offline_model_is_there, deployment(containers=[copied], pod=fetching))
