"""The tables say of every model what its publisher's files say.

``figures.json`` holds the published figures (elements and bytes of the safetensors files, bytes of the cache, as read
from model repositories in 2026) and the memory-related keys of each config.json; the tables hold shapes. What is
computed from the shapes has to agree with the figures, and so has what is read from the config.json.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from inference.config_json.reading import read
from inference.facts.models import MODELS, Model

FIGURES: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "figures.json").read_text(encoding="utf-8"))
BYTES = {"BF16": 2, "F16": 2, "F32": 4, "F8_E4M3": 1, "U8": 1}

every_model = pytest.mark.parametrize("model_id", FIGURES)


@cache
def described(model_id: str) -> Model:
    return read(FIGURES[model_id]["config"], model_id)


def test_there_are_figures_for_every_model_of_the_tables() -> None:
    assert FIGURES.keys() == MODELS.keys()


@every_model
def test_parameters_and_bytes_are_those_of_the_published_files(model_id: str) -> None:
    model, figures = MODELS[model_id], FIGURES[model_id]
    assert model.parameters == figures["parameters"]
    assert model.weight_bytes == figures["bytes"]
    if figures["stored"] is not None:
        assert model.weight_bytes == sum(count * BYTES[kind] for kind, count in figures["stored"].items())
    assert model.unloaded_parameters == figures["unloaded"]


@every_model
def test_the_cache_splits_into_full_window_and_state_as_published(model_id: str) -> None:
    model, figures = MODELS[model_id], FIGURES[model_id]
    assert model.kv_bytes_per_token == figures["token"]
    assert model.window_bytes_per_sequence == figures["window"]
    assert model.kv_bytes_per_token_without_window == figures["whole"]
    assert model.linear_state_bytes_per_sequence == figures["state"]


@every_model
def test_activations_are_those_of_the_planner(model_id: str) -> None:
    assert MODELS[model_id].activation_gib == FIGURES[model_id]["planner_activation"]


@every_model
def test_a_config_json_tells_the_same_cache_as_the_table(model_id: str) -> None:
    model, found = MODELS[model_id], described(model_id)
    assert (found.architecture, found.layers, found.hidden, found.heads, found.kv_heads, found.vocab) == (
        model.architecture, model.layers, model.hidden, model.heads, model.kv_heads, model.vocab
    )  # fmt: skip
    assert found.kv_bytes_per_token == model.kv_bytes_per_token
    assert found.window_bytes_per_sequence == model.window_bytes_per_sequence
    assert found.linear_state_bytes_per_sequence == model.linear_state_bytes_per_sequence
    assert (found.chunked, found.tied, found.mla is None) == (model.chunked, model.tied, model.mla is None)
    if model.kv_bytes_per_token is None:
        assert any(doubt.startswith("KV cache: compress_ratios") for doubt in found.unverified)


# What the counting leaves out: biases and norms; of these also what sees pictures, or latent experts' own parts.
LEFT_OUT = {
    "google/gemma-4-31B-it": 0.02,
    "google/gemma-4-26B-A4B-it": 0.025,
    "mistralai/Mistral-Small-3.1-24B-Instruct-2503": 0.02,
    "mistralai/Mistral-Small-3.2-24B-Instruct-2506": 0.02,
    "mistralai/Mistral-Large-3-675B-Instruct-2512": 0.03,
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16": 0.025,
    "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16": 0.025,
    "deepseek-ai/DeepSeek-V4-Flash-0731": 0.05,
    "deepseek-ai/DeepSeek-V4-Pro": 0.01,
    "MiniMaxAI/MiniMax-M3": 0.005,
}


@every_model
def test_elements_counted_from_a_config_json_are_the_published_ones(model_id: str) -> None:
    figures = FIGURES[model_id]
    loaded = figures["text"] or figures["parameters"] - figures["unloaded"]
    assert described(model_id).parameters == pytest.approx(loaded, rel=LEFT_OUT.get(model_id, 0.002))


ROUGH = {
    "moonshotai/Kimi-K3": 0.06,  # the table has a lower bound
    "mistralai/Mistral-Medium-3.5-128B": 0.05,  # what sees pictures stays at 16 bits
}


@every_model
def test_bytes_computed_from_a_config_json_are_near_those_that_are_loaded(model_id: str) -> None:
    model, found = MODELS[model_id], described(model_id)
    assert found.weights_approximate
    if found.weight_bytes is None:
        assert model_id.startswith("deepseek-ai/DeepSeek-V4")
        assert any(doubt.startswith("weight bytes: ") for doubt in found.unverified)
        return
    assert model.loaded_bytes is not None
    pictures = 2 * FIGURES[model_id]["pictures"]
    off = ROUGH.get(model_id, 0.03)
    assert found.weight_bytes + pictures == pytest.approx(model.loaded_bytes, rel=off)
