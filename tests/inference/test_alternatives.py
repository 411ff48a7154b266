"""What is suggested in place of what does not fit does fit."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.alternatives import Situation, alternatives, highest_utilization
from inference.facts.gpus import GPUS, Gpu
from inference.facts.models import MODELS, Model
from inference.fit import Device, Split, fit
from inference.problems import ProblemsError
from inference.rules.vllm_memory import memory_graphs_fit, memory_weights_fit, pool_holds_model
from inference.stackfile import load
from tests.inference.rules.cases import cluster, container, deployment, findings, node_pool
from tests.support.stacks import edited

KNOWN = [m for m in MODELS.values() if m.weight_bytes and m.kv_bytes_per_token and not m.weights_disputed]
H100_NODE = {"kind": "gpu", "machineType": "a3-highgpu-8g", "nodes": {"min": 0, "max": 1}, "bootDiskGb": 500}
HUB = {"source": "hub", "token": {"secret": "hf-token"}}


def situation(model: Model, gpu: Gpu, split: Split, context: int, **more: Any) -> Situation | None:
    found = fit(model, Device(gpu.name, gpu.memory_gib), split, context=context, utilization=0.9)
    if found is None or found.holds_one_sequence:
        return None
    return Situation(model=model, fit=found, gpu=gpu, per_node=8, **more)


@given(
    st.sampled_from(KNOWN),
    st.sampled_from(sorted(GPUS.values(), key=lambda gpu: gpu.accelerator)),
    st.sampled_from([Split(), Split(2), Split(8), Split(8, 2)]),
    st.integers(1024, 200_000),
)
@settings(deadline=None)
def test_every_suggestion_holds_one_sequence(model: Model, gpu: Gpu, split: Split, context: int) -> None:
    place = situation(model, gpu, split, context)
    for found in alternatives(place) if place is not None else ():
        assert found.fit.holds_one_sequence
        assert model.heads % found.fit.split.tensor == 0 or found.fit.split.tensor == split.tensor
        assert found.setting
        assert found.flags


def said(model: dict[str, Any], pool: dict[str, Any] | None = None) -> str:
    made = edited("dev")
    (name, given_model), *_ = made["models"].items()
    given_model |= model
    if pool is not None:
        made["pools"] = {"h100": pool}
        given_model["pool"] = "h100"
    made["models"] = {name: given_model}
    with pytest.raises(ProblemsError) as caught:
        load(made, "here")
    return str(caught.value)


def test_gemma_on_a_t4_at_ninety_percent_is_refused_and_told_the_share_that_works() -> None:
    text = said({"model": "google/gemma-2b", "contextLength": 4096, "memoryUtilization": 0.9, "weights": HUB})
    assert "1 problem" in text
    assert "models.qwen.memoryUtilization — 0.9" in text
    assert "leaves 1.46 GiB for the capture of CUDA graphs" in text
    assert "Set memoryUtilization to 0.85." in text


def test_70b_in_bf16_on_one_80_gb_gpu_is_refused_and_told_what_would_fit() -> None:
    model = {"model": "meta-llama/Llama-3.1-70B-Instruct", "memoryUtilization": 0.9, "dtype": "auto", "weights": HUB}
    text = said(model, H100_NODE)
    assert "1 problem" in text
    assert "meta-llama/Llama-3.1-70B-Instruct does not fit" in text
    assert "131.4 of weights" in text
    remedy = text.partition("do:")[2]
    assert "tensor 2 × pipeline 1 (2 accelerators)" in remedy
    assert "FP8 weights" in remedy
    assert "a GPU such as NVIDIA B200" in remedy


def test_a_context_that_is_too_long_is_told_the_longest_and_the_fp8_cache_that_holds_it() -> None:
    model = {
        "model": "meta-llama/Llama-3.1-70B-Instruct", "contextLength": 65_536, "dtype": "auto", "weights": HUB,
        "parallelism": {"tensor": 2}, "memoryUtilization": 0.9,
    }  # fmt: skip
    remedy = said(model, H100_NODE).partition("do:")[2]
    (length,) = re.findall(r"contextLength (\d+) or less", remedy)
    assert "tensor 4" in remedy
    model |= {"contextLength": int(length)}
    made = edited("dev")
    made["pools"] = {"h100": H100_NODE}
    made["models"] = {"llama": {**made["models"]["qwen"], **model, "pool": "h100"}}
    load(made, "here")


def test_what_needs_two_changes_is_told_both() -> None:
    # 1.4 TiB in BF16, on nodes of one B200 each: eight stages are too few, and FP8 weights on one GPU too.
    gpu = GPUS["nvidia-b200"]
    found = fit(MODELS["zai-org/GLM-5"], Device(gpu.name, gpu.memory_gib), Split(), context=8192, utilization=0.9)
    assert found is not None
    suggested = alternatives(Situation(model=MODELS["zai-org/GLM-5"], fit=found, gpu=gpu, per_node=1))
    assert [one.setting for one in suggested] == [
        "a version of the model with FP8 weights on tensor 1 × pipeline 5 (5 accelerators)"
    ]
    assert all(one.fit.holds_one_sequence for one in suggested)


@pytest.mark.parametrize("gpu", GPUS.values(), ids=lambda gpu: gpu.name)
def test_the_suggested_share_leaves_room_for_graphs(gpu: Gpu) -> None:
    assert (1 - highest_utilization(gpu.memory_gib)) * gpu.memory_gib >= 1.5 or gpu.memory_gib > 30


def serving(gpu: str, model: str, *args: str, count: int = 1) -> Any:
    amount = {"nvidia.com/gpu": count}
    made = {
        "command": ["vllm", "serve", model],
        "args": list(args),
        "resources": {"requests": amount, "limits": amount},
    }
    selector = {"nodeSelector": {"cloud.google.com/gke-accelerator": gpu}} if gpu else {}
    return deployment(containers=[container(made)], pod=selector)


def test_the_policy_refuses_the_same_of_anybodys_resources_and_says_what_would_fit() -> None:
    (t4,) = findings(
        memory_graphs_fit,
        serving("nvidia-tesla-t4", "google/gemma-2b", "--max-model-len=4096", "--gpu-memory-utilization=0.90"),
    )
    assert "Set --gpu-memory-utilization 0.85" in t4
    (h100,) = findings(
        memory_weights_fit,
        serving("nvidia-h100-80gb", "meta-llama/Llama-3.3-70B-Instruct", "--max-model-len=4096"),
    )
    for part in ("--tensor-parallel-size 2 (2 accelerators)", "--quantization fp8", "a GPU such as NVIDIA B200"):
        assert part in h100


def test_the_policy_judges_a_pod_by_its_pool_too() -> None:
    gpus = [{"type": "nvidia-h100-80gb", "count": 8}]
    config = {"machineType": "a3-highgpu-8g", "labels": {"pool": "x"}, "guestAccelerators": gpus}
    server = container(
        {
            "command": ["vllm", "serve", "meta-llama/Llama-3.3-70B-Instruct", "--max-model-len=4096"],
            "resources": {"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": 1}},
        }
    )
    pods = deployment(containers=[server], pod={"nodeSelector": {"pool": "x"}})
    made = [cluster(), node_pool("h100", {"nodeConfig": config}), pods]
    (found,) = findings(pool_holds_model, *made)
    assert "--tensor-parallel-size 2" in found
