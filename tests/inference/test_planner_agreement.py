"""The memory sums agree with the llm-d planner where both count the same, and differ where the reason is known.

The planner (https://pypi.org/project/llm-d-planner) asks the Hub for sizes; here it is told them. Its figures are for
all accelerators of a replica, those of ``inference.fit`` for one.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from inference.facts.activations import runtime_gib
from inference.facts.gpus import GPUS, Gpu
from inference.facts.models import MODELS, Model
from inference.fit import GIB, Device, Fit, Split, fit

planner = pytest.importorskip("planner.capacity_planner", reason="llm-d-planner is not installed")

PLAIN = (
    "meta-llama/Llama-3.2-1B-Instruct",
    "meta-llama/Llama-3.2-3B-Instruct",
    "meta-llama/Llama-3.1-8B-Instruct",
    "meta-llama/Llama-3.3-70B-Instruct",
    "meta-llama/Llama-3.1-405B-Instruct",
    "Qwen/Qwen2.5-7B-Instruct",
    "Qwen/Qwen2.5-72B-Instruct",
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3-32B",
    "Qwen/Qwen3-30B-A3B",
    "google/gemma-2b-it",
    "mistralai/Mistral-7B-Instruct-v0.3",
    "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "microsoft/phi-4",
    "ibm-granite/granite-4.1-8b",
)
ACCELERATORS = tuple(
    GPUS[name] for name in ("nvidia-l4", "nvidia-tesla-a100", "nvidia-h100-80gb", "nvidia-h200-141gb", "nvidia-b200")
)
UTILIZATION = 0.9


def as_config(model: Model) -> SimpleNamespace:
    """Describe a model as transformers would; what is absent must be left out for the planner."""
    given = SimpleNamespace(
        architectures=[model.architecture],
        torch_dtype="bfloat16",
        num_hidden_layers=model.layers,
        hidden_size=model.hidden,
        num_attention_heads=model.heads,
        num_key_value_heads=model.kv_heads,
        head_dim=model.head_dim,
        intermediate_size=model.intermediate,
        vocab_size=model.vocab,
        max_position_embeddings=model.max_position_embeddings,
    )
    if model.moe is not None:
        given.num_experts = model.moe.experts
    return given


@pytest.fixture(autouse=True)
def told_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(name: str, *_: object, **__: object) -> dict[str, int]:
        return {"BF16": MODELS[name].parameters}

    monkeypatch.setattr(planner, "model_params_by_dtype", told)


def ours(model: Model, gpu: Gpu, split: Split, context: int) -> Fit:
    found = fit(model, Device(gpu.name, gpu.memory_gib), split, context=context, utilization=UTILIZATION)
    assert found is not None
    return found


def cases() -> Iterator[tuple[str, Gpu]]:
    return ((name, gpu) for name in PLAIN for gpu in ACCELERATORS)


each = pytest.mark.parametrize(("model_id", "gpu"), list(cases()), ids=lambda v: v if isinstance(v, str) else v.name)
each_model = pytest.mark.parametrize("model_id", PLAIN)


@each
def test_on_one_gpu_the_room_for_the_cache_is_the_planners(model_id: str, gpu: Gpu) -> None:
    model, context = MODELS[model_id], 8192
    found = ours(model, gpu, Split(), context)
    theirs = planner.allocatable_kv_cache_memory(model_id, as_config(model), gpu.memory_gib, UTILIZATION)
    # It says 0 where nothing is left; here the shortage is a negative number.
    assert max(found.cache, 0.0) == pytest.approx(theirs, abs=0.01)
    if found.cache > 0 and found.sequences is not None:
        requests = planner.max_concurrent_requests(model_id, as_config(model), context, gpu.memory_gib, UTILIZATION)
        assert int(found.sequences + 1e-6) == requests
        assert found.holds_one_sequence == (requests >= 1)


SPLIT = [(name, gpu, tensor) for name, gpu in cases() for tensor in (2, 4, 8) if not MODELS[name].heads % tensor]


@pytest.mark.parametrize(("model_id", "gpu", "tensor"), SPLIT, ids=lambda v: v.name if isinstance(v, Gpu) else str(v))
def test_over_tensor_ranks_it_differs_by_what_it_counts_once_and_each_rank_has(
    model_id: str, gpu: Gpu, tensor: int
) -> None:
    """It subtracts the activations once for a replica, although they are those of one GPU by its own documentation.

    And it divides all weights evenly, where routers, and KV heads beyond their number, are copied.
    """
    model = MODELS[model_id]
    found = ours(model, gpu, Split(tensor), 8192)
    theirs = planner.allocatable_kv_cache_memory(model_id, as_config(model), gpu.memory_gib, UTILIZATION, tp=tensor)
    promised = model.activation_gib * (tensor - 1)
    routers = model.layers * model.hidden * (model.experts or 0) * (tensor - 1)
    heads = model.layers * 2 * model.hidden * (model.head_dim or 0) * max(tensor - model.kv_heads, 0)
    copies = 2 * (routers + heads) / GIB
    assert found.weights * tensor == pytest.approx((model.weight_bytes or 0) / GIB + copies, rel=1e-6)
    if theirs > 0:
        assert found.cache * tensor == pytest.approx(theirs - promised - copies, abs=0.05)
        assert found.cache * tensor < theirs


@each_model
@pytest.mark.parametrize("context", [2048, 8192, 32768])
def test_the_cache_of_a_sequence_is_the_planners(model_id: str, context: int) -> None:
    model = MODELS[model_id]
    found = ours(model, ACCELERATORS[0], Split(), context)
    assert found.sequence == pytest.approx(planner.kv_cache_req(model_id, as_config(model), context), rel=1e-6)


@each_model
def test_activations_and_the_runtime_are_the_planners(model_id: str) -> None:
    model = MODELS[model_id]
    assert model.activation_gib == planner.estimate_vllm_activation_memory(as_config(model))
    for tensor, pipeline in ((1, 1), (1, 2), (2, 1), (8, 2)):
        assert runtime_gib(tensor, pipeline, 1) == planner.estimate_vllm_non_torch_memory(tensor, pipeline)


@pytest.mark.parametrize("model_id", ["meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.3-70B-Instruct"])
def test_the_longest_context_is_the_planners_on_one_gpu_and_a_part_of_it_on_several(model_id: str) -> None:
    """Over several GPUs it divides the cache of a token once more, although it has the memory of all of them."""
    model, gpu = MODELS[model_id], GPUS["nvidia-h200-141gb"]
    for tensor in (1, 2):
        found = ours(model, gpu, Split(tensor), 8192)
        if found.cache <= 0:
            continue
        theirs = planner.auto_max_model_len(model_id, as_config(model), gpu.memory_gib, UTILIZATION, tp=tensor)
        assert found.keeps is not None
        tokens = min(found.keeps.tokens(found.cache * GIB), model.max_position_embeddings)
        if tensor == 1:
            assert tokens == pytest.approx(min(theirs, model.max_position_embeddings), abs=64)
        else:
            assert theirs >= tokens


@pytest.mark.parametrize(
    ("model_id", "at_least", "why"),
    [
        ("google/gemma-3-27b-it", 5, "it counts every layer in full, and 52 of 62 keep a window of 1024 tokens"),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", 3, "it counts linear layers as attention, and they keep a state"),
        ("zai-org/GLM-5", 10, "it knows latent attention by two class names, and this has another"),
    ],
)
def test_other_attention_is_counted_less_here_and_the_reason_is_known(model_id: str, at_least: float, why: str) -> None:
    model = MODELS[model_id]
    config = as_config(model)
    if model.head_dim is None:
        config.head_dim = model.hidden // model.heads
    found = ours(model, GPUS["nvidia-h200-141gb"], Split(), 131_072)
    theirs = planner.kv_cache_req(model_id, config, 131_072)
    assert found.sequence is not None
    assert theirs > at_least * found.sequence, why
