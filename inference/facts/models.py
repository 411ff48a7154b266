"""Models: the numbers of their config.json that memory, parallel sizes and policies depend on.

The tables are in ``model_tables``, one file a family and one table a model; what can be computed is not written there.
All bytes of the KV cache are for 16-bit elements: halve them for an FP8 cache.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from inference.facts._data import LazyTable, read, tables

__all__ = ["MODELS", "Mla", "Model", "Moe", "find"]

_CACHE_BYTES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Mla:
    """Latent attention: every tensor-parallel rank holds the whole latent cache (source VLLM:vllm/config/model.py)."""

    kv_lora_rank: int
    qk_rope_head_dim: int
    q_lora_rank: int | None = None
    qk_nope_head_dim: int | None = None
    v_head_dim: int | None = None
    index_heads: int | None = None
    index_head_dim: int | None = None
    index_topk: int | None = None
    """The sparse indexer, where there is one; its own cache is not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moe:
    """Experts: what expert parallelism has to divide."""

    experts: int
    """Routed experts of one layer."""
    top_k: int
    intermediate: int
    shared_experts: int | None = None
    layers: int | None = None
    """Layers with experts, where not all after the first dense ones have them."""
    first_dense_layers: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model as published on the Hub. None means unknown, except where the field says otherwise."""

    id: str
    """Hugging Face id."""
    architecture: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    """KV heads by config.json; for latent attention see ``mla``."""
    head_dim: int | None
    """None for latent attention."""
    intermediate: int | None
    """Width of the dense MLP; None without one."""
    vocab: int
    max_position_embeddings: int
    dtype: str | None
    """``torch_dtype``: what ``--dtype auto`` takes."""
    full_layers: int
    """Layers that keep the whole context in the KV cache."""
    window_layers: int
    """Layers that keep ``window`` tokens only."""
    window: int | None
    """Tokens; None without window layers."""
    linear_layers: int
    """Linear-attention or Mamba layers, with a state of constant size."""
    linear_state_bytes_per_sequence: int | None
    """Of all linear layers; 0 without any."""
    kv_elements_per_token: int | None
    """Elements that one full layer keeps for a token."""
    window_elements_per_token: int | None
    """Elements that one window layer keeps for a token."""
    mla: Mla | None
    """None without latent attention."""
    moe: Moe | None
    """None for a dense model."""
    quantization: str | None
    """Number format of quantized weights: fp8, int4 or mxfp4; None for unquantized ones."""
    quantization_method: str | None
    """The method by its name in config.json."""
    parameters: int
    """Elements in the published safetensors files."""
    active_parameters: int | None
    """Elements touched for one token, embeddings included where it was computed, rounded where a card says it."""
    weight_bytes: int | None
    """Size of the safetensors files."""
    weights_approximate: bool
    """The size is that of a sibling, or of files that hold more than is loaded."""
    gated: bool | None
    """The Hub asks for a token of an account that accepted the license."""
    license: str
    multimodal: bool
    activation_gib: float
    """Peak of activations on one GPU at vLLM's defaults, as llm-d-planner 0.3.3 estimates it (source PLANNER)."""
    unverified: tuple[str, ...]
    """What in this record no source backs."""
    aliases: tuple[str, ...]
    source: str

    @property
    def experts(self) -> int | None:
        """Routed experts of one layer; None for a dense model."""
        return None if self.moe is None else self.moe.experts

    @property
    def expert_share(self) -> float | None:
        """Part of the weights that are routed experts, which expert parallelism divides; three matrices each.

        None for a dense model, and where the experts are not of the plain form: the sum then exceeds the whole.
        """
        if self.moe is None:
            return None
        layers = self.moe.layers or self.layers - (self.moe.first_dense_layers or 0)
        share = layers * self.moe.experts * 3 * self.hidden * self.moe.intermediate / self.parameters
        return share if share < 1 else None

    @property
    def kv_bytes_per_token(self) -> int | None:
        """Cache that grows with every token of a sequence."""
        elements = self.kv_elements_per_token
        return None if elements is None else self.full_layers * elements * _CACHE_BYTES

    @property
    def window_bytes_per_sequence(self) -> int | None:
        """Cache of the window layers for a sequence longer than the window; 0 without such layers."""
        if not self.window_layers:
            return 0 if self.kv_elements_per_token is not None else None
        if self.window is None or self.window_elements_per_token is None:
            return None
        return self.window_layers * self.window * self.window_elements_per_token * _CACHE_BYTES

    @property
    def kv_bytes_per_token_without_window(self) -> int | None:
        """Cache for each token where the engine keeps the whole context in the window layers too.

        It does so without its hybrid cache manager: with some KV connectors, and with chunked attention.
        """
        full = self.kv_bytes_per_token
        if full is None or not self.window_layers:
            return full
        elements = self.window_elements_per_token
        return None if elements is None else full + self.window_layers * elements * _CACHE_BYTES


def _model(model_id: str, row: Mapping[str, Any]) -> Model:
    shape, weights, terms = row["shape"], row["weights"], row["terms"]
    attention = row.get("attention", {})
    mla = Mla(**row["mla"]) if "mla" in row else None
    moe = Moe(**row["moe"]) if "moe" in row else None
    elements: int | None = 2 * shape["kv_heads"] * shape.get("head_dim", 0)
    if mla is not None:
        elements = mla.kv_lora_rank + mla.qk_rope_head_dim
    if attention.get("kv_unknown", False):
        elements = None
    linear_layers = attention.get("linear_layers", 0)
    return Model(
        id=model_id,
        architecture=row["architecture"],
        layers=shape["layers"],
        hidden=shape["hidden"],
        heads=shape["heads"],
        kv_heads=shape["kv_heads"],
        head_dim=shape.get("head_dim"),
        intermediate=shape.get("intermediate"),
        vocab=shape["vocab"],
        max_position_embeddings=shape["context"],
        dtype=weights.get("dtype"),
        full_layers=attention.get("full_layers", shape["layers"]),
        window_layers=attention.get("window_layers", 0),
        window=attention.get("window"),
        linear_layers=linear_layers,
        linear_state_bytes_per_sequence=attention.get("linear_state_bytes", None if linear_layers else 0),
        kv_elements_per_token=attention.get("full_elements", elements),
        window_elements_per_token=elements if attention.get("window_layers") else None,
        mla=mla,
        moe=moe,
        quantization=weights.get("quantization"),
        quantization_method=weights.get("method"),
        parameters=weights["parameters"],
        active_parameters=weights.get("active", None if moe else weights["parameters"]),
        weight_bytes=weights.get("bytes"),
        weights_approximate=weights.get("approximate", False),
        gated=terms.get("gated"),
        license=terms["license"],
        multimodal=row.get("multimodal", False),
        activation_gib=row["activation_gib"],
        unverified=tuple(row.get("unverified", ())),
        aliases=tuple(row.get("aliases", ())),
        source=row["source"],
    )


def _load() -> dict[str, Model]:
    return {
        model_id: _model(model_id, row)
        for name in tables("model_tables")
        for model_id, row in tomllib.loads(read(name)).items()
    }


MODELS: Mapping[str, Model] = LazyTable(_load)
"""Every known model by its Hugging Face id."""


@cache
def _by_alias() -> dict[str, Model]:
    return {alias: model for model in MODELS.values() for alias in model.aliases}


def find(model_id: str) -> Model | None:
    """Look up a model by its Hugging Face id, an older id or NIM's name; None for one that is not known."""
    return MODELS.get(model_id) or _by_alias().get(model_id)
