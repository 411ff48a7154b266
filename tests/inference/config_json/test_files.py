"""A model that the tables lack is judged by the config.json that the stack file points to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.blueprint import design
from inference.config_json.annotation import ANNOTATION, read_annotation
from inference.config_json.files import known_of
from inference.config_json.reading import KEYS, read
from inference.facts.models import MODELS
from inference.manifests import servers
from inference.problems import ProblemsError
from inference.stackfile import load
from tests.support.stacks import edited

LLAMA_1B: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "rope_theta": 500000.0,
}


def stack(**model: Any) -> dict[str, Any]:
    made = edited("dev")
    (name, given), *_ = made["models"].items()
    given.update({"model": "our/own-1b", "configuration": "models/config.json", "contextLength": 4096, **model})
    made["models"] = {name: given}
    return made


def folder(tmp_path: Path, config: object = LLAMA_1B, **files: object) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    for name, content in files.items():
        (tmp_path / "models" / f"{name}.json").write_text(json.dumps(content))
    return tmp_path


def said(tmp_path: Path, config: object) -> str:
    with pytest.raises(ProblemsError) as caught:
        load(stack(), "here", folder=folder(tmp_path, config))
    return str(caught.value)


def test_a_described_model_is_the_one_of_the_tables_where_both_are_known(tmp_path: Path) -> None:
    (model,) = load(stack(), "here", folder=folder(tmp_path)).models.values()
    assert model.engine == "vllm"
    found, table = known_of(model), MODELS["meta-llama/Llama-3.2-1B-Instruct"]
    assert found is not None
    assert found.id == "our/own-1b"
    assert found.kv_bytes_per_token == table.kv_bytes_per_token
    assert found.weight_bytes == pytest.approx(table.weight_bytes, rel=0.001)
    assert found.weights_approximate


def test_a_described_model_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    large = {**LLAMA_1B, "num_hidden_layers": 160}
    assert "our/own-1b does not fit" in said(tmp_path, large)


def test_a_context_beyond_that_of_the_description_is_refused(tmp_path: Path) -> None:
    assert "was trained for 2048 tokens" in said(tmp_path, {**LLAMA_1B, "max_position_embeddings": 2048})


def test_the_index_beside_it_tells_the_size_of_the_weights(tmp_path: Path) -> None:
    place = folder(tmp_path, **{"model.safetensors.index": {"metadata": {"total_size": 2_000_000_000}}})
    (model,) = load(stack(), "here", folder=place).models.values()
    found = known_of(model)  # type: ignore[arg-type]
    assert found is not None
    assert (found.weight_bytes, found.weights_approximate) == (2_000_000_000, False)


def test_the_number_format_that_modelopt_writes_beside_it_counts(tmp_path: Path) -> None:
    place = folder(tmp_path, hf_quant_config={"quantization": {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8"}})
    (model,) = load(stack(), "here", folder=place).models.values()
    found = known_of(model)  # type: ignore[arg-type]
    assert found is not None
    assert found.quantization == "nvfp4"
    assert found.weight_bytes == pytest.approx(2 * 128256 * 2048 + (1.2358e9 - 128256 * 2048) * 4.5 / 8, rel=0.01)


def test_every_missing_and_malformed_key_is_named_at_once(tmp_path: Path) -> None:
    broken = {key: value for key, value in LLAMA_1B.items() if key not in ("hidden_size", "architectures")}
    text = said(tmp_path, {**broken, "vocab_size": "many"})
    for key in ("hidden_size — missing", "architectures — missing", "vocab_size — 'many'"):
        assert f"configuration: {key}" in text


@pytest.mark.parametrize("content", ["[1, 2]", "{not json", ""], ids=["list", "broken", "empty"])
def test_what_is_no_configuration_is_refused_with_its_name(tmp_path: Path, content: str) -> None:
    assert '"models/config.json"' in said(tmp_path, content)


def test_a_file_that_is_not_there_is_refused_and_says_where_paths_start(tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match="starts at the project's folder"):
        load(stack(), "here", folder=tmp_path)


def test_a_path_that_is_absolute_or_no_json_is_refused(tmp_path: Path) -> None:
    for path in ("/etc/passwd.json", "models/config.yaml"):
        with pytest.raises(ProblemsError, match="configuration"):
            load(stack(configuration=path), "here", folder=tmp_path)


def test_a_plan_says_what_the_file_said(tmp_path: Path) -> None:
    loaded = load(stack(), "here", folder=folder(tmp_path, {**LLAMA_1B, "text": "x" * 1000}))
    (plan,) = design(loaded, "dev").models.values()
    written = servers.deployment(plan)["metadata"]["annotations"][ANNOTATION]
    assert "xxx" not in written
    assert read_annotation(written, "our/own-1b") == read(LLAMA_1B, "our/own-1b", where=ANNOTATION)


def test_a_model_of_the_tables_leaves_no_annotation() -> None:
    for plan in design(load(edited("dev"), "dev"), "dev").models.values():
        assert plan.annotations == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**6) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(KEYS)), JSON, max_size=6))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_configuration_holds_it_is_read_or_refused_in_words(changes: dict[str, Any]) -> None:
    said, layers = "", 0
    try:
        layers = read({**LLAMA_1B, **changes}, "some/model").layers
    except ProblemsError as error:
        said = str(error)
    assert layers >= 1 or "do:" in said


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"architectures": 3}', "x" * 200_000])
def test_an_annotation_that_describes_nothing_is_no_model(text: str) -> None:
    assert read_annotation(text, "any/model") is None


def test_the_language_model_of_a_multimodal_one_is_read_from_its_part() -> None:
    whole = {"architectures": ["SomeForConditionalGeneration"], "text_config": LLAMA_1B, "vision_config": {"depth": 3}}
    found = read(whole, "some/vision")
    assert found.multimodal
    assert found.kv_bytes_per_token == 32_768
    thinker = read({"architectures": ["A"], "thinker_config": {"text_config": LLAMA_1B}}, "some/omni")
    assert thinker.layers == 16


@pytest.mark.parametrize(
    ("config", "bits"),
    [
        ({"quant_method": "fp8"}, 8),
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, 4.125),
        ({"quant_method": "gptq", "bits": 8, "group_size": 128}, 8),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, 4.125),
        ({"quant_method": "modelopt", "quant_algo": "FP8"}, 8),
        (
            {"quant_method": "compressed-tensors", "format": "pack-quantized",
             "config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "int", "group_size": 32}}}},
            4.5,
        ),
        ({"quant_method": "fancy"}, None),
        ({"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"}, None),
    ],
)  # fmt: skip
def test_quantized_weights_have_the_size_of_their_format(config: dict[str, Any], bits: float | None) -> None:
    found = read({**LLAMA_1B, "quantization_config": config}, "some/quantized")
    matrices = 128256 * 2048
    if bits is None:
        assert found.weight_bytes is None
        assert any("names no number of bits" in doubt for doubt in found.unverified)
    else:
        assert found.weight_bytes == pytest.approx(2 * matrices + (found.parameters - matrices) * bits / 8, rel=1e-6)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"block_configs": [{}]}, "block_configs"),
        ({"compress_ratios": [0, 4]}, "compress_ratios"),
        ({"layer_types": ["full_attention", "telepathy"]}, "telepathy"),
        ({"attn_layer_period": 8, "mamba_d_state": 16}, "state-space"),
    ],
)
def test_a_cache_that_nobody_can_compute_is_unknown_with_the_reason(keys: dict[str, Any], why: str) -> None:
    found = read({**LLAMA_1B, **keys}, "some/strange")
    assert found.kv_bytes_per_token is None
    assert any(why in doubt for doubt in found.unverified)
