import re

import pytest

from inference.facts.models import MODELS, Model, find

GIB = 2**30
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.id)


def known(model_id: str) -> Model:
    found = find(model_id)
    assert found is not None, model_id
    return found


def test_every_model_of_the_table_is_there() -> None:
    assert len(MODELS) == 87
    assert all(key == model.id for key, model in MODELS.items())


@each_model
def test_unquantized_weights_are_two_bytes_a_parameter(model: Model) -> None:
    if model.quantization is None and model.weight_bytes is not None:
        assert model.weight_bytes == pytest.approx(2 * model.parameters, rel=0.05)


@each_model
def test_quantized_weights_are_smaller_than_unquantized_ones(model: Model) -> None:
    if model.quantization is not None and model.weight_bytes is not None:
        assert 0.4 * model.parameters < model.weight_bytes < 1.7 * model.parameters
        assert model.quantization_method


@each_model
def test_plain_attention_caches_keys_and_values_of_every_layer(model: Model) -> None:
    if model.mla is None and model.head_dim and model.full_layers == model.layers and model.kv_elements_per_token:
        assert model.kv_bytes_per_token == 2 * model.layers * model.kv_heads * model.head_dim * 2


@each_model
def test_layers_of_all_kinds_are_layers_of_the_model(model: Model) -> None:
    assert 0 < model.full_layers + model.window_layers + model.linear_layers <= model.layers
    assert (model.window_layers > 0) <= (model.window is not None)
    if not model.linear_layers:
        assert model.linear_state_bytes_per_sequence == 0


@each_model
def test_queries_share_kv_heads_evenly(model: Model) -> None:
    assert model.heads % model.kv_heads == 0


@each_model
def test_experts_and_active_parameters_go_together(model: Model) -> None:
    if model.moe is None:
        assert model.experts is None
        assert model.active_parameters == model.parameters
    else:
        assert model.moe.top_k < model.moe.experts == model.experts
        if model.active_parameters is not None:
            assert model.active_parameters < 0.5 * model.parameters


@each_model
def test_a_name_that_states_a_size_states_that_of_the_model(model: Model) -> None:
    stated = re.search(r"(?<![\w.])(\d+(?:\.\d+)?)[Bb](?![a-z0-9])", model.id.partition("/")[2])
    # Llama 4 names its active parameters, Mixtral the experts.
    if stated and not model.id.startswith(("meta-llama/Llama-4", "mistralai/Mixtral")):
        assert model.parameters == pytest.approx(float(stated[1]) * 1e9, rel=0.3)


@each_model
def test_figures_are_in_their_units(model: Model) -> None:
    assert 10**8 < model.parameters < 3 * 10**12
    assert 0.5 <= model.activation_gib < 10
    assert model.max_position_embeddings >= 2048


# KV cache in bytes for each token, 16 bits, by hand from the published config.json files.
@pytest.mark.parametrize(
    ("model_id", "bytes_per_token"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", 131_072),  # 2 x 32 layers x 8 heads x 128 x 2 bytes
        ("meta-llama/Llama-3.3-70B-Instruct", 327_680),  # 80 layers
        ("Qwen/Qwen2.5-0.5B-Instruct", 12_288),  # 24 layers, 2 heads of 64
        ("deepseek-ai/DeepSeek-V3", 70_272),  # latent: (512 + 64) x 61 layers x 2
        ("google/gemma-3-27b-it", 81_920),  # 10 of 62 layers keep the whole context
        ("openai/gpt-oss-120b", 36_864),  # 18 of 36 layers
        ("google/gemma-4-31B-it", 81_920),  # 10 full layers with 4 heads of 512, keys reused as values
    ],
)
def test_the_cache_of_a_token_is_as_computed_by_hand(model_id: str, bytes_per_token: int) -> None:
    assert known(model_id).kv_bytes_per_token == bytes_per_token


def test_window_layers_cost_a_constant_and_without_a_manager_their_whole_context() -> None:
    gemma = known("google/gemma-3-27b-it")
    assert gemma.window_bytes_per_sequence == 52 * 1024 * 4096 * 2
    assert gemma.kv_bytes_per_token_without_window == 62 * 4096 * 2
    llama = known("meta-llama/Llama-3.1-8B-Instruct")
    assert llama.window_bytes_per_sequence == 0
    assert llama.kv_bytes_per_token_without_window == llama.kv_bytes_per_token


def test_a_cache_that_nobody_can_compute_is_unknown() -> None:
    unknown = {model.id for model in MODELS.values() if model.kv_bytes_per_token is None}
    assert unknown == {
        "deepseek-ai/DeepSeek-V4-Flash",
        "deepseek-ai/DeepSeek-V4-Flash-0731",
        "deepseek-ai/DeepSeek-V4-Pro",
    }
    flash = known("deepseek-ai/DeepSeek-V4-Flash")
    assert flash.window_bytes_per_sequence is None
    assert flash.kv_bytes_per_token_without_window is None


def test_weights_of_unclear_format_are_marked_as_such() -> None:
    assert [model.id for model in MODELS.values() if model.weights_disputed] == ["zai-org/GLM-5.3"]


def test_published_sizes_are_met() -> None:
    # safetensors totals: Llama-3.1-8B 14.96 GiB, gemma-3-27b-it 51.1 GiB, 405B-FP8 453.8 GiB, gpt-oss-120b 60.77 GiB
    sizes = {
        "meta-llama/Llama-3.1-8B-Instruct": 14.96,
        "google/gemma-3-27b-it": 51.1,
        "meta-llama/Llama-3.1-405B-Instruct-FP8": 453.8,
        "openai/gpt-oss-120b": 60.77,
    }
    for model_id, gib in sizes.items():
        assert (known(model_id).weight_bytes or 0) / GIB == pytest.approx(gib, rel=0.001), model_id


def test_gated_models_are_told_from_open_and_from_unknown_ones() -> None:
    assert known("meta-llama/Llama-3.1-8B-Instruct").gated is True
    assert known("openai/gpt-oss-20b").gated is False
    assert known("mistralai/Mistral-Large-3-675B-Instruct-2512").gated is None


def test_a_model_answers_to_older_and_other_names() -> None:
    assert known("meta/llama-3.1-8b-instruct").id == "meta-llama/Llama-3.1-8B-Instruct"
    assert known("meta-llama/Meta-Llama-3.1-8B-Instruct").id == "meta-llama/Llama-3.1-8B-Instruct"
    assert find("google/gemma-3-2b-it") is None


def test_no_alias_is_a_name_of_another_model() -> None:
    aliases = [alias for model in MODELS.values() for alias in model.aliases]
    assert len(aliases) == len(set(aliases)) == 8
    assert not set(aliases) & set(MODELS)
