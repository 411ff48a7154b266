from __future__ import annotations

import pytest

from inference.rules.views.values import UNKNOWN
from inference.rules.vllm_memory import (
    dtype_suits_model,
    gpu_computes_fp8,
    gpu_runs_dtype,
    gpu_runs_formats,
    memory_context_fits,
    memory_graphs_fit,
    memory_weights_fit,
    pool_computes_fp8,
    pool_holds_model,
    pool_runs_formats,
)
from tests.inference.rules.cases import cluster, container, deployment, findings, leader_worker_set, node_pool

OWN = (gpu_computes_fp8, gpu_runs_dtype, gpu_runs_formats, memory_context_fits, memory_graphs_fit, memory_weights_fit)
POOLS = (pool_computes_fp8, pool_holds_model, pool_runs_formats)
T4, L4, A100, H100, V100 = (
    "nvidia-tesla-t4",
    "nvidia-l4",
    "nvidia-tesla-a100",
    "nvidia-h100-80gb",
    "nvidia-tesla-v100",
)


def on(gpu, *args, model="google/gemma-2b-it", count=1, pod=None, **changes):
    """Make a server on a GPU that its pod names."""
    amount = {"nvidia.com/gpu": count}
    made = {
        "command": ["vllm", "serve", model],
        "args": list(args),
        "resources": {"requests": amount, "limits": amount},
    }
    selector = {"nodeSelector": {"cloud.google.com/gke-accelerator": gpu}} if gpu else {}
    return deployment(containers=[container(made | changes)], pod=selector | (pod or {}))


def pool(gpu, machine, name="gpus", **labels):
    config = {"machineType": machine, "guestAccelerators": [{"type": gpu, "count": 1}], "labels": labels}
    return node_pool(name, {"nodeConfig": config})


@pytest.mark.parametrize("rule", [*OWN, *POOLS], ids=lambda rule: rule.name)
def test_servers_as_they_should_be_are_silent(rule):
    for made in (
        on(T4, "--gpu-memory-utilization=0.85", "--max-model-len=2048", "--dtype=half"),
        on(L4, "--max-model-len=8192", model="meta-llama/Llama-3.1-8B-Instruct"),
        on(H100, "-tp=8", "--max-model-len=32768", model="meta-llama/Llama-3.3-70B-Instruct", count=8),
        on("nvidia-h200-141gb", "-tp=8", "--max-model-len=65536", model="deepseek-ai/DeepSeek-R1", count=8),
    ):
        assert not findings(rule, made)
    assert not findings(rule, cluster(), node_pool(), deployment(), leader_worker_set())


# Graphs on a small GPU


@pytest.mark.parametrize(
    "args",
    [
        ["--gpu-memory-utilization", "0.90", "--max-model-len", "4096"],
        ["--gpu_memory_utilization=0.95"],
        [],
        ["--max-model-len=8k"],
    ],
)
def test_a_t4_without_room_for_graphs_is_found(args):
    (found,) = findings(memory_graphs_fit, on(T4, *args))
    assert "14.58 GiB" in found
    affinity = {"key": "cloud.google.com/gke-accelerator", "operator": "In", "values": [T4]}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [affinity]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": terms}
    assert findings(memory_graphs_fit, on("", *args, pod={"affinity": {"nodeAffinity": required}}))


@pytest.mark.parametrize(
    ("gpu", "args"),
    [
        (T4, ["--gpu-memory-utilization=0.85", "--max-model-len=4096"]),
        (T4, ["--gpu-memory-utilization=0.90", "--max-model-len=2048"]),
        (T4, ["--enforce-eager"]),
        (T4, ["--gpu-memory-utilization=$(SHARE)"]),
        (T4, ["--config=/c.yaml"]),
        (L4, ["--gpu-memory-utilization=0.95"]),
        (UNKNOWN, []),
        ("", []),
    ],
)
def test_other_gpus_and_settings_are_silent(gpu, args):
    assert not findings(memory_graphs_fit, on(gpu, *args))


# Weights and cache


@pytest.mark.parametrize(
    ("gpu", "args", "model", "count"),
    [
        (H100, ["--max-model-len=4096"], "meta-llama/Llama-3.1-70B-Instruct", 1),
        ("nvidia-a100-80gb", [], "meta-llama/Llama-3.3-70B-Instruct", 1),
        (L4, ["--max-model-len=2048"], "Qwen/Qwen2.5-14B-Instruct", 1),
        (H100, ["-tp=8"], "deepseek-ai/DeepSeek-R1", 8),
        (T4, ["--dtype=half"], "meta-llama/Llama-3.1-8B-Instruct", 1),
        ("nvidia-h200-141gb", ["-tp=8"], "zai-org/GLM-5", 8),
    ],
)
def test_weights_that_do_not_fit_are_found(gpu, args, model, count):
    (found,) = findings(memory_weights_fit, on(gpu, *args, model=model, count=count))
    assert "GiB too much" in found
    assert not findings(memory_context_fits, on(gpu, *args, model=model, count=count))


@pytest.mark.parametrize(
    ("args", "changes"),
    [
        (["-tp=2"], {}),
        (["--quantization=fp8"], {}),
        (["--cpu-offload-gb=100"], {}),
        (["--quantization=bitsandbytes"], {}),
        (["-tp=$(TP)"], {}),
        (["--gpu-memory-utilization=$(SHARE)"], {}),
        ([], {"image": "nvcr.io/nim/meta/llama-3.1-70b-instruct:1.8.3", "command": None}),
    ],
)
def test_a_sum_that_nobody_can_make_is_silent(args, changes):
    made = on(H100, "--max-model-len=1024", *args, model="meta-llama/Llama-3.1-70B-Instruct", **changes)
    found = findings(memory_weights_fit, made)
    assert not found or args == ["--quantization=fp8"]
    assert not findings(memory_weights_fit, on(H100, *args, model="acme/unknown-70B"))


def test_experts_are_shared_by_data_parallel_ranks():
    wide = ["-dp=8", "--enable-expert-parallel", "--max-model-len=8192"]
    assert not findings(memory_weights_fit, on("nvidia-h200-141gb", *wide, model="deepseek-ai/DeepSeek-R1", count=8))
    assert findings(memory_weights_fit, on(H100, "-dp=4", "-ep", model="deepseek-ai/DeepSeek-R1", count=4))


@pytest.mark.parametrize(
    ("gpu", "args", "model"),
    [
        (L4, [], "meta-llama/Llama-3.1-8B-Instruct"),
        (L4, ["--max-model-len=65536"], "meta-llama/Llama-3.1-8B-Instruct"),
        (L4, ["--max-model-len", "64k"], "Qwen/Qwen3-8B"),
        (H100, ["--max-model-len=131072", "-tp=2"], "meta-llama/Llama-3.3-70B-Instruct"),
    ],
)
def test_a_context_that_the_cache_cannot_hold_is_found(gpu, args, model):
    (found,) = findings(memory_context_fits, on(gpu, *args, model=model, count=2 if "-tp=2" in args else 1))
    assert "KV cache" in found
    assert "--max-model-len" in found


@pytest.mark.parametrize(
    ("args", "model"),
    [
        (["--max-model-len=auto"], "meta-llama/Llama-3.1-8B-Instruct"),
        (["--max-model-len=$(LENGTH)"], "meta-llama/Llama-3.1-8B-Instruct"),
        (["--max-model-len=32768", "--kv-cache-dtype=fp8"], "meta-llama/Llama-3.1-8B-Instruct"),
        (["--max-model-len=16384"], "meta-llama/Llama-3.1-8B-Instruct"),
        ([], "Qwen/Qwen2.5-1.5B-Instruct"),
    ],
)
def test_a_context_that_the_cache_holds_is_silent(args, model):
    assert not findings(memory_context_fits, on(L4, *args, model=model))


# Number formats


@pytest.mark.parametrize(
    ("gpu", "args", "model", "says"),
    [
        (T4, ["--dtype=bfloat16"], "acme/m", "no bfloat16"),
        (V100, ["--dtype", "bfloat16"], "acme/m", "7.0"),
        (T4, [], "google/gemma-3-1b-it", "unstable in float16"),
        (T4, ["--dtype=half"], "google/gemma-3-4b-it", "unstable in float16"),
        (T4, ["--dtype=auto"], "Qwen/Qwen2.5-1.5B-Instruct", "--dtype half"),
        (T4, [], "Qwen/Qwen2.5-1.5B-Instruct", "--dtype half"),
    ],
)
def test_bfloat16_where_there_is_none_is_found(gpu, args, model, says):
    (found,) = findings(gpu_runs_dtype, on(gpu, *args, model=model))
    assert says in found


@pytest.mark.parametrize(
    ("gpu", "args", "model"),
    [
        (T4, ["--dtype=half"], "Qwen/Qwen2.5-1.5B-Instruct"),
        (T4, ["--dtype=float16"], "google/gemma-2b-it"),
        (T4, ["--dtype=float32"], "google/gemma-3-1b-it"),
        (T4, ["--dtype=$(DTYPE)"], "Qwen/Qwen2.5-1.5B-Instruct"),
        (T4, [], "acme/unknown"),
        (L4, ["--dtype=bfloat16"], "acme/m"),
    ],
)
def test_a_type_that_the_gpu_has_is_silent(gpu, args, model):
    assert not findings(gpu_runs_dtype, on(gpu, *args, model=model))


@pytest.mark.parametrize(
    ("gpu", "args", "model"),
    [
        (V100, ["--quantization=fp8"], "acme/m"),
        (V100, [], "acme/Llama-8B-FP8"),
        (V100, [], "acme/llama-8b-fp8-dynamic"),
        (T4, ["--kv-cache-dtype=fp8"], "acme/m"),
        (T4, ["--kv-cache-dtype", "fp8_e5m2"], "acme/m"),
        (T4, ["--dtype=half"], "openai/gpt-oss-20b"),
    ],
)
def test_a_format_without_kernels_is_found(gpu, args, model):
    assert len(findings(gpu_runs_formats, on(gpu, *args, model=model))) == 1


def test_fp8_without_hardware_needs_an_acknowledgement():
    slow = on(A100, "--max-model-len=4096", model="acme/Llama-8B-FP8")
    assert "16 bits" in findings(gpu_computes_fp8, slow)[0]
    assert findings(gpu_computes_fp8, on(T4, "--quantization", "fp8", model="acme/m"))
    assert not findings(gpu_computes_fp8, slow, configuration={"models": ["acme/Llama-8B-FP8"]})
    assert not findings(gpu_computes_fp8, on(L4, "-q", "fp8", model="acme/m"))
    assert not findings(gpu_computes_fp8, on(A100, model="acme/Llama-8B-AWQ"))
    assert not findings(gpu_runs_formats, slow)


# By node pool


def test_the_pool_tells_the_gpu_where_the_pod_does_not():
    model = on("", "--max-model-len=2048", model="Qwen/Qwen2.5-14B-Instruct")
    (found,) = findings(pool_holds_model, cluster(), node_pool(), model)
    assert "NVIDIA L4" in found
    t4 = pool(T4, "n1-standard-4")
    assert findings(pool_runs_formats, cluster(), t4, on("", "--dtype=bfloat16"))
    assert findings(pool_holds_model, cluster(), t4, on("", "--dtype=half"))
    a100 = pool(A100, "a2-highgpu-1g")
    assert findings(pool_computes_fp8, cluster(), a100, on("", "-q=fp8", model="acme/m"))


def test_a_pool_is_found_by_its_name_or_label_without_its_cluster():
    t4 = pool(T4, "n1-standard-4", name="small", tier="cheap")
    for selector in ({"cloud.google.com/gke-nodepool": "small"}, {"tier": "cheap"}):
        assert findings(pool_runs_formats, t4, on("", "--dtype=bfloat16", pod={"nodeSelector": selector}))
    assert not findings(pool_runs_formats, t4, on("", "--dtype=bfloat16"))


def test_a_pod_that_may_run_on_a_better_pool_is_silent():
    both = pool(T4, "n1-standard-4"), pool(L4, "g2-standard-12", name="l4")
    assert not findings(pool_runs_formats, cluster(), *both, on("", "--dtype=bfloat16"))
    unknown = node_pool("x", {"nodeConfig": {"machineType": UNKNOWN, "guestAccelerators": UNKNOWN}})
    assert not findings(pool_runs_formats, cluster(), pool(T4, "n1-standard-4"), unknown, on("", "--dtype=bfloat16"))


def test_a_pod_that_names_its_gpu_is_judged_once():
    t4 = pool(T4, "n1-standard-4")
    assert not findings(pool_runs_formats, cluster(), t4, on(T4, "--dtype=bfloat16"))


@pytest.mark.parametrize(
    ("model", "dtype", "count"),
    [
        ("google/gemma-3-4b-it", "float16", 1),
        ("google/gemma-2-9b-it", "half", 1),
        ("google/gemma-3-4b-it", "bfloat16", 0),
        ("google/gemma-3-4b-it", "auto", 0),
        ("Qwen/Qwen2.5-7B-Instruct", "half", 0),
    ],
)
def test_a_model_is_served_in_a_type_in_which_it_is_stable(model, dtype, count):
    assert len(findings(dtype_suits_model, on("nvidia-l4", f"--dtype={dtype}", model=model))) == count
