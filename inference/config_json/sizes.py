"""How many elements the weights of a model have, counted from its shapes.

Biases, norms, and the parts that see pictures or hear are left out: together less than a hundredth, except in small
multimodal models. Multi-token prediction is left out too, since a server does not load it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference.config_json.layers import Layers
from inference.facts.models import Mla, Model, Moe

__all__ = ["attention_parameters", "parameters_of"]


def parameters_of(model: Model, text: Mapping[str, Any], layers: Layers) -> int:
    """Return the elements of a model that a server loads.

    Args:
        model: its shapes.
        text: the keys of its config.json.
        layers: how many of its layers are of which kind.
    """
    embeddings = model.vocab * model.hidden * (1 if model.tied else 2)
    return embeddings + attention_parameters(model, text) + _linear(model, text) + _mlp(model, text, layers)


def attention_parameters(model: Model, text: Mapping[str, Any]) -> int:
    """Return the elements of all attention layers, those with a linear state left out."""
    hidden, heads = model.hidden, model.heads
    if model.mla is not None:
        return model.full_layers * _latent(model.mla, hidden, heads) + _indexers(model, text)
    head = model.head_dim or 0
    queries = heads * head * (2 if text.get("attn_output_gate") or "Qwen3Next" in model.architecture else 1)
    plain = hidden * (queries + 2 * model.kv_heads * head) + heads * head * hidden
    if not (wide := text.get("global_head_dim")):
        return (model.full_layers + model.window_layers) * plain
    keys = int(text.get("num_global_key_value_heads") or model.kv_heads) * int(wide)
    shared = 1 if text.get("attention_k_eq_v") else 2
    return model.window_layers * plain + model.full_layers * hidden * (2 * heads * int(wide) + shared * keys)


def _latent(mla: Mla, hidden: int, heads: int) -> int:
    nope, value = mla.qk_nope_head_dim or 0, mla.v_head_dim or 0
    width = heads * (nope + mla.qk_rope_head_dim)
    queries = hidden * mla.q_lora_rank + mla.q_lora_rank * width if mla.q_lora_rank else hidden * width
    down = hidden * (mla.kv_lora_rank + mla.qk_rope_head_dim)
    return queries + down + mla.kv_lora_rank * heads * (nope + value) + heads * value * hidden


def _indexers(model: Model, text: Mapping[str, Any]) -> int:
    mla = model.mla
    if mla is None or not mla.index_heads or not mla.index_head_dim:
        return 0
    kinds = text.get("indexer_types")
    count = sum(kind == "full" for kind in kinds) if isinstance(kinds, list | tuple) else model.full_layers
    width = mla.index_heads * mla.index_head_dim
    each = (mla.q_lora_rank or model.hidden) * width + model.hidden * (mla.index_head_dim + mla.index_heads)
    return count * each


def _linear(model: Model, text: Mapping[str, Any]) -> int:
    hidden, layers = model.hidden, model.linear_layers
    if not layers:
        return 0
    if "linear_num_key_heads" in text:
        keys = int(text["linear_num_key_heads"]) * int(text["linear_key_head_dim"])
        values = int(text["linear_num_value_heads"]) * int(text["linear_value_head_dim"])
        return layers * (hidden * (2 * keys + 2 * values + 2 * int(text["linear_num_value_heads"])) + values * hidden)
    if "mamba_num_heads" in text:
        inner = int(text["mamba_num_heads"]) * int(text["mamba_head_dim"])
        groups = int(text.get("n_groups", 1)) * int(text.get("ssm_state_size", 0))
        return layers * (hidden * (2 * inner + 2 * groups + int(text["mamba_num_heads"])) + inner * hidden)
    if isinstance(config := text.get("linear_attn_config"), Mapping):
        inner = int(config.get("num_heads", 0)) * int(config.get("head_dim", 0))
        return layers * 5 * hidden * inner
    return 0


def _mlp(model: Model, text: Mapping[str, Any], layers: Layers) -> int:
    moe, hidden = model.moe, model.hidden
    matrices = 2 if text.get("mlp_hidden_act") == "relu2" else 3
    dense = matrices * hidden * (model.intermediate or 0)
    if moe is None:
        alone = _pattern(text, ("mlp", "-"))
        return (alone if layers.other else model.layers) * dense
    with_experts = moe.layers if moe.layers is not None else model.layers - (moe.first_dense_layers or 0)
    width = moe.expert_hidden or hidden
    experts = moe.experts * moe.matrices * width * moe.intermediate + hidden * moe.experts
    if moe.expert_hidden:
        experts += 2 * hidden * width
    found = with_experts * (experts + _shared(moe, hidden, text))
    if text.get("enable_moe_block"):
        return found + model.layers * dense
    without = model.layers - with_experts if not layers.other else _pattern(text, ("mlp", "-"))
    return found + without * dense


def _shared(moe: Moe, hidden: int, text: Mapping[str, Any]) -> int:
    stated = text.get("shared_expert_intermediate_size") or text.get("moe_shared_expert_intermediate_size")
    width = int(stated) if stated else (moe.shared_experts or 0) * moe.intermediate
    return moe.matrices * hidden * width


def _pattern(text: Mapping[str, Any], kinds: tuple[str, ...]) -> int:
    blocks = text.get("layers_block_type") or text.get("hybrid_override_pattern") or ()
    return sum(kind in kinds for kind in blocks)
