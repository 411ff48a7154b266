"""The memory sum agrees with what was seen on real devices, and grows and shrinks as it must."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.facts.gpus import GPUS
from inference.facts.models import MODELS, Model
from inference.fit import OUTSIDE_RESERVE_GIB, Device, Split, fit, longest_context

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
def test_weights_are_split_evenly_over_tensor_ranks(model: Model) -> None:
    whole, split = (fit(model, H200, Split(t), context=1024, utilization=0.9) for t in (1, 8))
    assert whole is not None
    assert split is not None
    assert split.weights == pytest.approx(whole.weights / 8)


@pytest.mark.parametrize("model", [m for m in KNOWN if m.mla], ids=lambda m: m.id)
def test_a_latent_cache_is_held_whole_by_every_rank(model: Model) -> None:
    whole, split = (fit(model, H200, Split(t), context=1024, utilization=0.9) for t in (1, 8))
    assert whole is not None
    assert split is not None
    assert split.sequence == pytest.approx(whole.sequence)


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
    if not found.holds_one_sequence and (most := longest_context(found)) >= 1024 and not model.window_layers:
        shorter = fit(model, H200, Split(8), context=most, utilization=0.9)
        assert shorter is not None
        if not model.linear_layers:
            assert shorter.holds_one_sequence


def test_an_fp8_cache_is_half_as_large() -> None:
    model = MODELS["meta-llama/Llama-3.1-8B-Instruct"]
    full = fit(model, H100, Split(), context=8192, utilization=0.9)
    half = fit(model, H100, Split(), context=8192, utilization=0.9, cache_bytes_per_element=1)
    assert full is not None
    assert half is not None
    assert full.sequence == pytest.approx(1.0)
    assert half.sequence == pytest.approx(0.5)
