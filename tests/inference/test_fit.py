"""The memory sum agrees with what was seen on real devices, and grows and shrinks as it must."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.facts.gpus import GPUS
from inference.facts.models import MODELS, Model
from inference.fit import GIB, OUTSIDE_RESERVE_GIB, Device, Split, fit, longest_context

H100 = Device("H100", GPUS["nvidia-h100-80gb"].memory_gib)
H200 = Device("H200", GPUS["nvidia-h200-141gb"].memory_gib)
T4 = Device("T4", GPUS["nvidia-tesla-t4"].memory_gib)


def test_a_trillion_parameters_with_a_long_context_need_two_nodes_of_h200() -> None:
    model = MODELS["moonshotai/Kimi-K2-Instruct-0905"]
    one = fit(model, H200, Split(8, 1), context=131072, utilization=0.9)
    two = fit(model, H200, Split(8, 2), context=131072, utilization=0.9)
    assert one is not None
    assert two is not None
    assert not one.holds_one_sequence
    assert two.holds_one_sequence


def test_405b_in_bf16_fits_one_node_of_h200() -> None:
    found = fit(MODELS["meta-llama/Llama-3.1-405B-Instruct"], H200, Split(8, 1), context=8192, utilization=0.9)
    assert found is not None
    assert found.holds_one_sequence


def test_70b_in_bf16_does_not_fit_one_h100() -> None:
    found = fit(MODELS["meta-llama/Llama-3.1-70B-Instruct"], H100, Split(), context=4096, utilization=0.9)
    assert found is not None
    assert found.cache < 0


def test_a_t4_at_ninety_percent_leaves_too_little_to_capture_graphs() -> None:
    model = MODELS["google/gemma-2b-it"]
    seen_to_fail = fit(model, T4, Split(), context=4096, utilization=0.90)
    seen_to_work = fit(model, T4, Split(), context=2048, utilization=0.85)
    assert seen_to_fail is not None
    assert seen_to_work is not None
    assert seen_to_fail.outside < OUTSIDE_RESERVE_GIB < seen_to_work.outside


KNOWN = [m for m in MODELS.values() if m.weight_bytes and m.kv_bytes_per_token]


@pytest.mark.parametrize("model", KNOWN, ids=lambda m: m.id)
def test_a_tensor_rank_holds_its_even_part_and_a_copy_of_what_is_not_divided(model: Model) -> None:
    whole, split = (fit(model, H200, Split(t), context=1024, utilization=0.9) for t in (1, 8))
    assert whole is not None
    assert split is not None
    copies = split.weights - whole.weights / 8
    divided = model.mla is None and model.moe is None and model.kv_heads >= 8
    assert copies == pytest.approx(0) if divided else 0 < copies < 2.5


@pytest.mark.parametrize("model", [m for m in KNOWN if m.mla], ids=lambda m: m.id)
def test_a_latent_cache_is_held_whole_by_every_rank_and_a_state_in_parts(model: Model) -> None:
    whole, split = (fit(model, H200, Split(t), context=1024, utilization=0.9) for t in (1, 8))
    assert whole is not None
    assert whole.keeps is not None
    assert split is not None
    assert split.keeps is not None
    assert split.keeps.per_token == whole.keeps.per_token == model.kv_bytes_per_token
    assert split.keeps.state == whole.keeps.state / 8


def test_projections_of_a_latent_cache_are_on_every_rank() -> None:
    # (q_lora_rank 1536 + kv_lora_rank 512 + rope 64) x 7168 x 61 layers of FP8, and routers of 58 layers.
    latents, routers = (1536 + 512 + 64) * 7168 * 61, 58 * 7168 * 256
    model = MODELS["deepseek-ai/DeepSeek-V3"]
    one, eight = (fit(model, H200, Split(t), context=1024, utilization=0.9) for t in (1, 8))
    assert one is not None
    assert eight is not None
    assert eight.weights - one.weights / 8 == pytest.approx((latents + routers) * 7 / 8 / GIB)


def test_more_ranks_than_kv_heads_hold_copies_of_their_projections_and_of_their_cache() -> None:
    model = MODELS["meta-llama/Llama-3.1-70B-Instruct"]
    eight, sixteen = (fit(model, H200, Split(t), context=8192, utilization=0.9) for t in (8, 16))
    assert eight is not None
    assert sixteen is not None
    assert sixteen.sequence == eight.sequence == pytest.approx(8192 * 327_680 / 8 / GIB)
    keys_and_values = 2 * 8192 * 8 * 128 * 80 * 2
    assert sixteen.weights == pytest.approx((141_107_412_992 / 16 + keys_and_values * (1 / 8 - 1 / 16)) / GIB)


def test_the_last_stage_of_a_pipeline_has_the_output_matrix() -> None:
    # 405B: 126 layers on 4 stages are 31, 32, 32 and 31; matrices of 128256 x 16384.
    model = MODELS["meta-llama/Llama-3.1-405B-Instruct"]
    found = fit(model, H200, Split(8, 4), context=131072, utilization=0.9)
    assert found is not None
    matrix = 128_256 * 16_384 * 2
    layer = (811_706_777_600 - 2 * matrix) / 126
    middle, last = 32 * layer / 8 / GIB, (31 * layer + matrix) / 8 / GIB
    cache = 131072 * 516_096 / 126 / 8 / GIB
    assert middle + 32 * cache > last + 31 * cache
    assert found.weights == pytest.approx(middle)
    assert found.sequence == pytest.approx(32 * cache)
    even = fit(model, H200, Split(8, 2), context=131072, utilization=0.9)
    assert even is not None
    assert even.weights == pytest.approx((63 * layer + matrix) / 8 / GIB)


@given(st.sampled_from(KNOWN), st.sampled_from([1, 2, 4, 8]), st.integers(1, 12))
def test_the_stages_of_a_pipeline_hold_at_least_the_whole_model(model: Model, tensor: int, pipeline: int) -> None:
    found = fit(model, H200, Split(tensor, pipeline), context=1024, utilization=0.9)
    assert found is not None
    assert model.loaded_bytes is not None
    assert found.weights * GIB * tensor * pipeline >= model.loaded_bytes * 0.98


def test_what_is_stored_and_not_loaded_takes_no_memory() -> None:
    stored_twice = MODELS["Qwen/Qwen3-0.6B"]
    found = fit(stored_twice, T4, Split(), context=1024, utilization=0.85)
    assert found is not None
    assert found.weights == pytest.approx(2 * 596_049_920 / GIB)


def test_attention_in_chunks_keeps_the_whole_context_and_windows_do_not() -> None:
    chunked = fit(MODELS["meta-llama/Llama-4-Scout-17B-16E-Instruct"], H200, Split(8), context=10**6, utilization=0.9)
    gemma = MODELS["google/gemma-3-27b-it"]
    windows, whole = (
        fit(gemma, H200, Split(1), context=100_000, utilization=0.9, whole_windows=w) for w in (False, True)
    )
    assert chunked is not None
    assert windows is not None
    assert whole is not None
    assert chunked.sequence == pytest.approx(196_608 * 10**6 / 8 / GIB)
    assert windows.sequence == pytest.approx((81_920 * 100_000 + 436_207_616) / GIB)
    assert whole.sequence == pytest.approx(507_904 * 100_000 / GIB)


def test_a_window_is_not_filled_by_a_shorter_sequence() -> None:
    found = fit(MODELS["google/gemma-3-27b-it"], H200, Split(1), context=512, utilization=0.9)
    assert found is not None
    assert found.sequence == pytest.approx(507_904 * 512 / GIB)


def test_a_state_does_not_grow_with_the_context_nor_shrink_with_an_fp8_cache() -> None:
    model = MODELS["Qwen/Qwen3.6-27B"]
    found = fit(model, H200, Split(), context=262_144, utilization=0.9, cache_bytes_per_element=1)
    assert found is not None
    assert found.sequence == pytest.approx((65_536 / 2 * 262_144 + 153_944_064) / GIB)


def test_experts_are_divided_by_all_ranks_and_what_quantization_spares_is_not_small() -> None:
    # gpt-oss-120b: 60.9 GB of MXFP4 experts, and 4.3 GB of all else at 16 bits.
    model = MODELS["openai/gpt-oss-120b"]
    found = fit(model, H200, Split(1, 1, 4), context=1024, utilization=0.9)
    assert found is not None
    assert found.weights * GIB == pytest.approx(60_914_073_600 / 4 + 2 * 2_167_371_072, rel=0.001)


@pytest.mark.parametrize("model", [m for m in KNOWN if not m.mla and m.kv_heads == 1], ids=lambda m: m.id)
def test_a_single_kv_head_is_replicated(model: Model) -> None:
    whole, split = (fit(model, H200, Split(t), context=1024, utilization=0.9) for t in (1, 8))
    assert whole is not None
    assert split is not None
    assert split.sequence == pytest.approx(whole.sequence)


@given(st.sampled_from(KNOWN), st.integers(256, 100_000), st.integers(1, 100_000))
def test_a_longer_context_never_takes_less(model: Model, context: int, more: int) -> None:
    short, long = (fit(model, H200, Split(8), context=c, utilization=0.9) for c in (context, context + more))
    assert short is not None
    assert long is not None
    assert short.sequence is not None
    assert long.sequence is not None
    assert long.sequence >= short.sequence


@given(st.sampled_from(KNOWN), st.integers(1024, 100_000))
def test_the_longest_context_holds(model: Model, context: int) -> None:
    found = fit(model, H200, Split(8), context=context, utilization=0.9)
    assert found is not None
    most = longest_context(found)
    if most >= 256:
        longest, longer = (fit(model, H200, Split(8), context=c, utilization=0.9) for c in (most, most + 300))
        assert longest is not None
        assert longest.holds_one_sequence
        assert longer is not None
        assert not longer.holds_one_sequence or most >= 2**39


def test_an_fp8_cache_is_half_as_large() -> None:
    model = MODELS["meta-llama/Llama-3.1-8B-Instruct"]
    full = fit(model, H100, Split(), context=8192, utilization=0.9)
    half = fit(model, H100, Split(), context=8192, utilization=0.9, cache_bytes_per_element=1)
    assert full is not None
    assert half is not None
    assert full.sequence == pytest.approx(1.0)
    assert half.sequence == pytest.approx(0.5)
