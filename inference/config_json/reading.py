"""A model that the tables lack, described by its ``config.json`` as the Hub publishes it.

The figures are those of the tables: shapes are read, the cache follows from them, and the size of the weights is that
of the index of the safetensors files where it is given, else computed from the shapes, without biases and norms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from inference.config_json.layers import Layers, layers_of
from inference.config_json.quantization import Quantization, quantization_of
from inference.config_json.sizes import attention_parameters, parameters_of
from inference.facts.models import Mla, Model, Moe
from inference.problems import Problem, ProblemsError

__all__ = ["KEYS", "NESTED", "read"]

NESTED = ("text_config", "llm_config", "language_config", "thinker_config")
"""Keys under which multimodal models keep the description of their language model."""

KEYS = frozenset(
    {
        "architectures", "model_type", "dtype", "torch_dtype", "quantization_config", "tie_word_embeddings",
        "num_hidden_layers", "hidden_size", "intermediate_size", "intermediate_size_mlp", "vocab_size",
        "num_attention_heads", "num_key_value_heads", "head_dim", "attention_head_dim", "max_position_embeddings",
        "num_global_key_value_heads", "global_head_dim", "attn_output_gate", "attention_k_eq_v",
        "sliding_window", "use_sliding_window", "max_window_layers", "sliding_window_pattern",
        "_sliding_window_pattern", "layer_types", "layers_block_type", "hybrid_override_pattern",
        "hybrid_layer_pattern", "full_attention_interval", "attention_chunk_size", "no_rope_layers",
        "compress_ratios", "attn_layer_period", "mamba_d_state", "state_size", "linear_attn_config",
        "linear_num_key_heads", "linear_key_head_dim", "linear_num_value_heads", "linear_value_head_dim",
        "linear_conv_kernel_dim", "mamba_num_heads", "mamba_head_dim", "ssm_state_size", "conv_kernel", "n_groups",
        "kv_lora_rank", "q_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim",
        "index_n_heads", "index_head_dim", "index_topk", "indexer_types",
        "n_routed_experts", "num_local_experts", "num_experts", "num_experts_per_tok", "num_experts_per_token",
        "top_k_experts", "experts_per_token", "expert_dtype", "enable_moe_block", "moe_intermediate_size",
        "expert_intermediate_size",
        "n_shared_experts", "num_shared_experts", "shared_expert_intermediate_size",
        "moe_shared_expert_intermediate_size", "first_k_dense_replace", "moe_layer_freq", "mlp_layer_types",
        "interleave_moe_layer_step", "decoder_sparse_step", "mlp_only_layers", "moe_latent_size",
        "routed_expert_hidden_size", "dense_intermediate_size", "mlp_hidden_act",
        "block_configs", "vision_config", "audio_config", *NESTED,
    }
)  # fmt: skip
"""Keys that are read; the others say nothing about memory."""

_REMEDY = "Point to the config.json that the Hub publishes beside the weights, unchanged."

_UNTIED = ("Llama", "Mistral", "Mixtral", "Deepseek", "Glm", "GptOss", "MiniMax", "Kimi", "Phi3", "Nemotron", "Qwen")
"""Families whose ``tie_word_embeddings`` is false where config.json leaves it out (source TF)."""


@dataclass
class _Reader:
    """The language model's part of a config.json, and what is wrong with it."""

    text: Mapping[str, Any]
    whole: Mapping[str, Any]
    where: str
    problems: list[Problem] = field(default_factory=list)

    def get(self, key: str) -> Any:
        return self.text[key] if key in self.text else self.whole.get(key)

    def optional(self, *keys: str) -> int | None:
        """Return the first of some whole numbers that is there."""
        for key in keys:
            value = self.get(key)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or value < 0:
                self._complain(key, f"{value!r}", "a whole number belongs here")
                return None
            return int(value)
        return None

    def required(self, *keys: str, why: str) -> int:
        value = self.optional(*keys)
        if value is None and not any(problem.where.endswith(f": {keys[0]}") for problem in self.problems):
            self._complain(keys[0], "missing" if len(keys) == 1 else f"missing, and so is {', '.join(keys[1:])}", why)
        if value == 0:
            self._complain(keys[0], "0", why)
        return value or 1

    def _complain(self, key: str, what: str, why: str) -> None:
        self.problems.append(Problem(f"{self.where}: {key}", what, why, _REMEDY))


def read(raw: object, name: str, *, where: str = "config.json", weight_bytes: int | None = None) -> Model:
    """Return what a config.json says about a model.

    Args:
        raw: its content.
        name: the model's name on the Hub, or what it shall be called.
        where: where it was read, for messages.
        weight_bytes: ``metadata.total_size`` of the index beside it, where there is one.

    Raises:
        ProblemsError: with every key that is missing or malformed.
    """
    if not isinstance(raw, Mapping):
        what = f"holds {type(raw).__name__}"
        raise ProblemsError(where, [Problem(where, what, "a map of keys belongs here", "Point to a config.json.")])
    try:
        return _read(raw, name, where, weight_bytes)
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        # Families write lists, maps and numbers under so many keys that each cannot be checked for its form.
        problem = Problem(where, f"holds a value of the wrong kind ({error})", "shapes are whole numbers", _REMEDY)
        raise ProblemsError(where, [problem]) from None


def _read(raw: Mapping[str, Any], name: str, where: str, weight_bytes: int | None) -> Model:
    text = next((raw[key] for key in NESTED if isinstance(raw.get(key), Mapping)), raw)
    # A thinker holds its language model once more.
    text = next((text[key] for key in NESTED if isinstance(text.get(key), Mapping)), text)
    reader = _Reader(text, raw, where)
    architecture = _architecture(reader)
    heads = reader.required("num_attention_heads", why="the cache and the tensor-parallel sizes follow from it")
    hidden = reader.required("hidden_size", why="every matrix is as wide")
    blocks = reader.get("layers_block_type")
    count = (
        len(blocks)
        if isinstance(blocks, list)
        else reader.required("num_hidden_layers", why="every layer has weights and a cache")
    )
    vocab = reader.required("vocab_size", why="the embedding has a row for each")
    context = reader.required("max_position_embeddings", why="it is the longest context")
    mla = _mla(reader)
    moe = _moe(reader, count, architecture)
    layers = layers_of(text, count, architecture)
    head = reader.optional("head_dim", "attention_head_dim") or hidden // heads
    kv_heads = reader.optional("num_key_value_heads") or heads
    quantization = quantization_of(reader.get("quantization_config"), reader.get("expert_dtype"))
    if reader.problems:
        raise ProblemsError(where, reader.problems)
    if moe is not None and quantization is not None:
        moe = replace(moe, only_quantized=quantization.spares_attention)
    model = Model(
        id=name,
        architecture=architecture,
        layers=count,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=None if mla else head,
        intermediate=reader.optional("dense_intermediate_size", "intermediate_size_mlp", "intermediate_size"),
        vocab=vocab,
        max_position_embeddings=context,
        dtype=_dtype(reader),
        full_layers=layers.full,
        window_layers=layers.window,
        window=layers.size,
        linear_layers=layers.linear,
        linear_state_bytes_per_sequence=layers.state_bytes,
        chunked=layers.chunked,
        tied=_tied(reader, architecture),
        kv_elements_per_token=None if layers.unknown else _full_elements(reader, mla, kv_heads, head),
        window_elements_per_token=2 * kv_heads * head if layers.window else None,
        mla=mla,
        moe=moe,
        quantization=quantization.format if quantization else None,
        quantization_method=quantization.method if quantization else None,
        parameters=0,
        active_parameters=None,
        weight_bytes=weight_bytes,
        unloaded_parameters=0,
        weights_approximate=weight_bytes is None,
        weights_disputed=False,
        gated=None,
        license="",
        multimodal=any(isinstance(raw.get(key), Mapping) for key in ("vision_config", "audio_config")),
        unverified=(),
        aliases=(),
        source=where,
    )
    return _weighed(model, reader, layers, quantization)


def _weighed(model: Model, reader: _Reader, layers: Layers, quantization: Quantization | None) -> Model:
    doubts = [f"KV cache: {layers.unknown}"] if layers.unknown else []
    doubts += ["state of the linear layers"] if layers.state_bytes is None else []
    counted = parameters_of(model, {**reader.whole, **reader.text}, layers)
    model = replace(model, parameters=counted)
    if model.weight_bytes is None:
        if layers.uneven:
            doubts.append(f"weight bytes: {layers.unknown}")
        elif quantization is not None and quantization.bits is None:
            doubts.append(f"weight bytes: {quantization.method} names no number of bits")
        else:
            doubts.append("weight bytes: computed from the shapes, without biases, norms and what sees pictures")
            attention = attention_parameters(model, {**reader.whole, **reader.text})
            model = replace(model, weight_bytes=_bytes(model, quantization, attention))
    return replace(model, unverified=tuple(doubts))


def _bytes(model: Model, quantization: Quantization | None, attention: int) -> int:
    if quantization is None or quantization.bits is None:
        return 2 * model.parameters
    unchanged = model.matrix_bytes // 2 * (1 if model.tied else 2)
    if quantization.spares_attention:
        unchanged = unchanged + attention if model.moe is None else model.parameters - (model.expert_parameters or 0)
    return round(2 * unchanged + (model.parameters - unchanged) * quantization.bits / 8)


def _architecture(reader: _Reader) -> str:
    found = reader.whole.get("architectures") or reader.text.get("architectures")
    if isinstance(found, list | tuple) and found and isinstance(found[0], str):
        return found[0]
    reader._complain("architectures", "missing", "vLLM chooses the model's code by it")  # noqa: SLF001 - same module
    return ""


def _dtype(reader: _Reader) -> str | None:
    for source in (reader.text, reader.whole):
        for key in ("torch_dtype", "dtype"):
            if isinstance(source.get(key), str):
                return str(source[key]).removeprefix("torch.")
    return None


def _tied(reader: _Reader, architecture: str) -> bool:
    for source in (reader.whole, reader.text):
        if isinstance(source.get("tie_word_embeddings"), bool):
            return bool(source["tie_word_embeddings"])
    return not architecture.startswith(_UNTIED)


def _mla(reader: _Reader) -> Mla | None:
    rank = reader.optional("kv_lora_rank")
    if not rank:
        return None
    return Mla(
        kv_lora_rank=rank,
        qk_rope_head_dim=reader.required("qk_rope_head_dim", why="the latent cache holds it beside kv_lora_rank"),
        q_lora_rank=reader.optional("q_lora_rank"),
        qk_nope_head_dim=reader.optional("qk_nope_head_dim"),
        v_head_dim=reader.optional("v_head_dim"),
        index_heads=reader.optional("index_n_heads"),
        index_head_dim=reader.optional("index_head_dim"),
        index_topk=reader.optional("index_topk"),
    )


def _full_elements(reader: _Reader, mla: Mla | None, kv_heads: int, head: int) -> int:
    if mla is not None:
        return mla.kv_lora_rank + mla.qk_rope_head_dim
    # Gemma 4 has other heads in the layers that see everything.
    return (
        2 * (reader.optional("num_global_key_value_heads") or kv_heads) * (reader.optional("global_head_dim") or head)
    )


def _moe(reader: _Reader, count: int, architecture: str) -> Moe | None:
    experts = reader.optional("n_routed_experts", "num_local_experts", "num_experts")
    if not experts:
        return None
    shared = reader.optional("n_shared_experts", "num_shared_experts")
    if shared is None:
        # Llama 4 has one, and no key for it.
        shared = int(bool(reader.optional("shared_expert_intermediate_size")) or architecture.startswith("Llama4"))
    layers, dense = _expert_layers(reader, count)
    return Moe(
        experts=experts,
        top_k=reader.required(
            "num_experts_per_tok", "num_experts_per_token", "experts_per_token", "top_k_experts",
            why="so many experts answer for a token",
        ),
        intermediate=reader.required(
            "moe_intermediate_size", "expert_intermediate_size", "intermediate_size", why="experts are as wide"
        ),
        shared_experts=shared,
        layers=layers,
        first_dense_layers=dense,
        expert_hidden=reader.optional("moe_latent_size", "routed_expert_hidden_size"),
        matrices=2 if reader.get("mlp_hidden_act") == "relu2" else 3,
    )  # fmt: skip


def _expert_layers(reader: _Reader, count: int) -> tuple[int | None, int | None]:
    """Return how many layers have experts, or how many do not at the beginning."""
    for key in ("mlp_layer_types", "moe_layer_freq"):
        listed = reader.get(key)
        if isinstance(listed, Sequence) and not isinstance(listed, str):
            return sum(kind not in (0, "dense") for kind in listed), None
    blocks: Iterable[Any] = reader.get("layers_block_type") or reader.get("hybrid_override_pattern") or ()
    if found := sum(kind in ("moe", "E") for kind in blocks):
        return found, None
    step = reader.optional("interleave_moe_layer_step", "decoder_sparse_step") or 1
    only_dense = reader.get("mlp_only_layers")
    if step > 1 or only_dense:
        return count // step - len(only_dense or ()), None
    return None, reader.optional("first_k_dense_replace") or 0
