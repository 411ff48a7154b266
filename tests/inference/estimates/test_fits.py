"""Every model server of a program has its memory summed up, or the reason why not."""

from __future__ import annotations

from typing import Any

import pytest

from inference.config_json.annotation import ANNOTATION, written
from inference.estimates.fits import Outcome, ServerFit, fits
from inference.facts.gpus import GPUS
from inference.facts.models import MODELS
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import cluster, container, deployment, leader_worker_set, node_pool

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


def serving(*args: Any, gpu: str | None = "nvidia-l4", count: int = 1, **changes: Any) -> Resource:
    amount = {"nvidia.com/gpu": count}
    made = {"command": ["vllm", "serve"], "args": list(args), "resources": {"requests": amount, "limits": amount}}
    selector = {"nodeSelector": {"cloud.google.com/gke-accelerator": gpu}} if gpu else {}
    return deployment(containers=[container(made | changes)], pod=selector)


def only(*resources: Resource) -> ServerFit:
    (found,) = fits(Stack(resources))
    return found


def test_a_server_has_the_sum_of_its_options_on_the_gpu_of_its_pod() -> None:
    found = only(serving(LLAMA, "--max-model-len=8192", "--gpu-memory-utilization=0.9"))
    assert found.fit is not None
    assert (found.model, found.outcome, found.reason) == (LLAMA, Outcome.FITS, "")
    assert found.fit.device.memory_gib == GPUS["nvidia-l4"].memory_gib
    assert found.fit.cache == pytest.approx(0.9 * 22.03 - 14.957 - 1.89 - 0.27, abs=0.01)
    assert found.fit.sequence == pytest.approx(1.0)
    assert found.longest == int(found.fit.cache * 8192) // 256 * 256
    assert found.concurrent == pytest.approx(found.fit.cache)


def test_fewer_sequences_may_be_allowed_than_would_fit_and_each_rank_holds_its_own() -> None:
    few = only(serving("Qwen/Qwen3-0.6B", "--max-model-len=1024", "--max-num-seqs=4"))
    assert few.concurrent == 4
    args = ("Qwen/Qwen3-30B-A3B", "--max-model-len=1024", "--max-num-seqs=8", "-dp=4")
    assert only(serving(*args, gpu="nvidia-h200-141gb", count=4)).concurrent == 32


@pytest.mark.parametrize(
    ("args", "gpu", "outcome"),
    [
        ((LLAMA, "--max-model-len=8192"), "nvidia-l4", Outcome.FITS),
        ((LLAMA, "--max-model-len=32768"), "nvidia-l4", Outcome.CLOSE),
        ((LLAMA, "--max-model-len=131072"), "nvidia-l4", Outcome.TOO_LARGE),
        (("meta-llama/Llama-3.3-70B-Instruct", "--max-model-len=4096"), "nvidia-h100-80gb", Outcome.TOO_LARGE),
        (("google/gemma-2b", "--max-model-len=4096", "--gpu-memory-utilization=0.9"), "nvidia-tesla-t4", Outcome.CLOSE),
        (("google/gemma-2b", "--max-model-len=2048", "--gpu-memory-utilization=0.85"), "nvidia-tesla-t4", Outcome.FITS),
    ],
)
def test_a_server_fits_or_is_close_or_is_too_large(args: tuple[str, ...], gpu: str, outcome: Outcome) -> None:
    assert only(serving(*args, gpu=gpu)).outcome is outcome


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (serving("some/unheard-of", "--max-model-len=4096"), "some/unheard-of is not among the known models"),
        (serving(UNKNOWN, "--max-model-len=4096"), "the model is not known yet"),
        (serving(LLAMA, "--cpu-offload-gb=10"), "--cpu-offload-gb changes"),
        (serving(LLAMA, "--quantization=awq"), "--quantization awq changes"),
        (serving(LLAMA, "--tensor-parallel-size", UNKNOWN), "parallel sizes"),
        (serving(LLAMA, gpu=None), "not known on which accelerator"),
        (serving("zai-org/GLM-5.3", "--max-model-len=4096"), "sources disagree"),
    ],
)
def test_what_is_not_known_has_no_figure_and_a_reason(made: Resource, reason: str) -> None:
    found = only(made)
    assert found.fit is None
    assert found.outcome is Outcome.UNKNOWN
    assert reason in found.reason
    assert (found.longest, found.concurrent) == (None, None)


def test_an_engine_whose_memory_is_not_modeled_is_named() -> None:
    made = serving(image="lmsysorg/sglang:v0.5.3", command=["python", "-m", "sglang.launch_server"])
    assert "sglang" in only(made).reason


def test_a_cache_that_nobody_can_compute_leaves_the_rest_known() -> None:
    model = "deepseek-ai/DeepSeek-V4-Flash"
    found = only(serving(model, "--max-model-len=4096", "-tp=8", gpu="nvidia-h200-141gb", count=8))
    assert found.fit is not None
    assert found.fit.weights > 15
    assert found.longest is None
    assert "KV cache" in found.reason


def test_an_unknown_name_that_the_workload_describes_is_judged() -> None:
    config = {
        "architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336,
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256,
        "max_position_embeddings": 131072, "tie_word_embeddings": False,
    }  # fmt: skip
    found = only(annotated({ANNOTATION: written(config)}))
    assert found.fit is not None
    assert found.fit.weights == pytest.approx(14.957, rel=0.001)
    assert found.known is not None
    assert found.known.weights_approximate


def annotated(annotations: dict[str, str]) -> Resource:
    amount = {"nvidia.com/gpu": 1}
    server = container(
        {
            "command": ["vllm", "serve"],
            "args": ["our/own", "--max-model-len=8192"],
            "resources": {"requests": amount, "limits": amount},
        }
    )
    pod = {"nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-l4"}}
    return deployment(containers=[server], pod=pod, annotations=annotations)


@pytest.mark.parametrize("path", ["/weights/" + LLAMA, "gs://bucket/some/folder/" + LLAMA])
def test_weights_in_a_folder_named_like_the_model_are_those_of_the_model(path: str) -> None:
    found = only(serving(path, "--max-model-len=4096"))
    assert found.model == LLAMA
    assert found.fit is not None


def test_weights_in_any_other_folder_are_those_of_the_name_that_the_server_answers_to() -> None:
    assert only(serving("/models/a", f"--served-model-name={LLAMA}", "--max-model-len=4096")).model == LLAMA


def test_a_context_that_is_chosen_at_the_start_is_the_longest_that_fits() -> None:
    found = only(serving(LLAMA, "--max-model-len=auto"))
    assert found.chosen
    assert found.fit is not None
    assert found.fit.context == found.longest
    assert found.outcome is Outcome.FITS


def test_a_context_that_is_left_out_is_the_models_own() -> None:
    found = only(serving(LLAMA))
    assert found.fit is not None
    assert found.fit.context == MODELS[LLAMA].max_position_embeddings
    assert found.outcome is Outcome.TOO_LARGE


def test_a_group_is_one_server() -> None:
    assert len(fits(Stack([cluster(), node_pool(), leader_worker_set()]))) == 1


def test_window_layers_without_the_manager_keep_the_whole_context() -> None:
    args = ("google/gemma-3-27b-it", "--max-model-len=65536")
    with_manager = only(serving(*args, gpu="nvidia-h200-141gb"))
    without = only(serving(*args, "--disable-hybrid-kv-cache-manager", gpu="nvidia-h200-141gb"))
    assert with_manager.fit is not None
    assert without.fit is not None
    assert (without.fit.sequence or 0) > 5 * (with_manager.fit.sequence or 0)
