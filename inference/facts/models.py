"""Models: the numbers of their config.json that memory, parallel sizes and policies depend on.

The tables are in ``model_tables``, one file a family and one table a model; what can be computed is not written there.
All bytes of the KV cache are for 16-bit elements: halve them for an FP8 cache.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from inference.facts._data import LazyTable, read, tables
from inference.facts.activations import activation_gib

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
    expert_hidden: int | None = None
    """Width of what an expert reads and writes, where it is not the model's own."""
    matrices: int = 3
    """Matrices of an expert; 2 without a gate."""
    only_quantized: bool = False
    """Quantization changes the routed experts alone; all else stays at 16 bits."""


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
    chunked: bool
    """Window layers attend in chunks: vLLM keeps the whole context in them (source VLLM:vllm/config/vllm.py)."""
    tied: bool
    """The output matrix is the embedding."""
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
    unloaded_parameters: int
    """Elements in the files that a server does not load: multi-token prediction, a second copy of a tied matrix."""
    weights_approximate: bool
    """The size is that of a sibling, of files that hold more than is loaded, or computed from the shapes."""
    weights_disputed: bool
    """Sources disagree on the number format, so that the size may be half of this."""
    gated: bool | None
    """The Hub asks for a token of an account that accepted the license."""
    license: str
    multimodal: bool
    unverified: tuple[str, ...]
    """What in this record no source backs."""
    aliases: tuple[str, ...]
    source: str

    @property
    def experts(self) -> int | None:
        """Routed experts of one layer; None for a dense model."""
        return None if self.moe is None else self.moe.experts

    @property
    def activation_gib(self) -> float:
        """Peak of activations on one GPU at vLLM's defaults."""
        return activation_gib(self.architecture, experts=self.moe is not None)

    @property
    def loaded_bytes(self) -> int | None:
        """Weights that a server loads."""
        if self.weight_bytes is None or not self.unloaded_parameters:
            return self.weight_bytes
        return round(self.weight_bytes * (1 - self.unloaded_parameters / self.parameters))

    @property
    def matrix_bytes(self) -> int:
        """Size of the embedding, and of an output matrix of its own; quantization leaves both at 16 bits."""
        return self.vocab * self.hidden * _CACHE_BYTES

    @property
    def expert_parameters(self) -> int | None:
        """Elements of all routed experts; None for a dense model.

        Also None where the experts are not of the plain form: the sum then exceeds the whole.
        """
        if self.moe is None:
            return None
        layers = self.moe.layers or self.layers - (self.moe.first_dense_layers or 0)
        width = self.moe.expert_hidden or self.hidden
        found = layers * self.moe.experts * self.moe.matrices * width * self.moe.intermediate
        return found if found < self.parameters else None

    @property
    def expert_share(self) -> float | None:
        """Part of the weights that are routed experts, which expert parallelism divides; None as the sum above."""
        parameters = self.expert_parameters
        if parameters is None or self.moe is None:
            return None
        if not self.moe.only_quantized or self.weight_bytes is None:
            return parameters / self.parameters
        other = 2 * (self.parameters - parameters)
        return 1 - other / self.weight_bytes if other < self.weight_bytes else None

    @property
    def replicated_parameters(self) -> int:
        """Elements that every tensor-parallel rank holds whole: latent projections, the indexer, the routers."""
        found = 0
        if self.mla is not None:
            found += self.full_layers * self.hidden * (self.mla.q_lora_rank or 0)
            found += self.full_layers * self.hidden * (self.mla.kv_lora_rank + self.mla.qk_rope_head_dim)
            found += self.full_layers * self.hidden * (self.mla.index_head_dim or 0)
        if self.moe is not None:
            layers = self.moe.layers or self.layers - (self.moe.first_dense_layers or 0)
            found += layers * self.hidden * self.moe.experts
        return found

    @property
    def kv_projection_parameters(self) -> int:
        """Elements that make keys and values; ranks beyond the number of KV heads hold copies. 0 for a latent cache."""
        if self.mla is not None:
            return 0
        full = self.full_layers * (self.kv_elements_per_token or 0)
        return self.hidden * (full + self.window_layers * (self.window_elements_per_token or 0))

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
    moe = Moe(**row["moe"], only_quantized=weights.get("scope") == "experts") if "moe" in row else None
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
        chunked=attention.get("chunked", False),
        tied=shape.get("tied", False),
        kv_elements_per_token=attention.get("full_elements", elements),
        window_elements_per_token=elements if attention.get("window_layers") else None,
        mla=mla,
        moe=moe,
        quantization=weights.get("quantization"),
        quantization_method=weights.get("method"),
        parameters=weights["parameters"],
        active_parameters=weights.get("active", None if moe else weights["parameters"]),
        weight_bytes=weights.get("bytes"),
        unloaded_parameters=weights.get("unloaded", 0),
        weights_approximate=weights.get("approximate", False),
        weights_disputed=weights.get("disputed", False),
        gated=terms.get("gated"),
        license=terms["license"],
        multimodal=row.get("multimodal", False),
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


_COMPLETE_FAMILIES: Mapping[str, tuple[str, ...]] = {
    r"google/gemma-3-(\d+[bm])\b.*": ("270m", "1b", "4b", "12b", "27b"),
    r"google/gemma-2-(\d+b)\b.*": ("2b", "9b", "27b"),
    r"google/gemma-(\d+b)\b.*": ("2b", "7b"),
    r"meta-llama/(?:meta-)?llama-3-(\d+b)\b.*": ("8b", "70b"),
    r"meta-llama/(?:meta-)?llama-3\.1-(\d+b)\b.*": ("8b", "70b", "405b"),
    r"meta-llama/llama-3\.2-(\d+b)\b.*": ("1b", "3b", "11b", "90b"),
    r"meta-llama/llama-3\.3-(\d+b)\b.*": ("70b",),
    r"qwen/qwen2\.5-(\d+(?:\.\d+)?b)\b.*": ("0.5b", "1.5b", "3b", "7b", "14b", "32b", "72b"),
}
"""Families to which nothing is added any more, and their sizes (the collections of each publisher on the Hub)."""


def sizes_beside(model_id: str) -> tuple[str, ...]:
    """Return the sizes of a complete family where the model claims one that it never had; else nothing."""
    for pattern, sizes in _COMPLETE_FAMILIES.items():
        match = re.fullmatch(pattern, model_id.lower())
        if match is not None:
            return () if match[1] in sizes or find(model_id) is not None else sizes
    return ()


def find(model_id: str) -> Model | None:
    """Look up a model by its Hugging Face id, an older id or NIM's name; None for one that is not known."""
    return MODELS.get(model_id) or _by_alias().get(model_id)
