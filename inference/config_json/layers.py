"""What the layers of a config.json keep of a sequence: the whole context, a window of it, or a state of fixed size.

Every family writes it in its own words; what none of these rules knows is unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Layers", "layers_of"]

_STATE_BYTES, _CONVOLUTION_BYTES = 4, 2
"""Linear layers keep their state in 32 bits and the last steps of their convolution in 16 (source VLLM)."""

_GEMMA3_PATTERN = 6
_LLAMA4_GLOBAL_EVERY = 4
"""Defaults of transformers where config.json leaves them out (source TF)."""

_KINDS = {
    "full_attention": "full",
    "attention": "full",
    "deepseek_sparse_attention": "full",
    "*": "full",
    "sliding_attention": "window",
    "chunked_attention": "window",
    "linear_attention": "linear",
    "mamba": "linear",
    "mamba2": "linear",
    "M": "linear",
    "moe": "other",
    "mlp": "other",
    "E": "other",
    "-": "other",
}


@dataclass(frozen=True, slots=True)
class Layers:
    """Layers by what they keep."""

    full: int
    window: int = 0
    linear: int = 0
    other: int = 0
    """Layers without attention, such as those that are experts alone."""
    size: int | None = None
    """Tokens of the window; ``None`` without window layers."""
    state_bytes: int | None = 0
    """Of one sequence in all linear layers; ``None`` where it is not known."""
    chunked: bool = False
    unknown: str = ""
    """Why nothing can be said about the cache; empty where it can."""
    uneven: bool = False
    """Whether the layers differ in more than what they keep, so that their weights are unknown too."""


def layers_of(text: Mapping[str, Any], count: int, architecture: str) -> Layers:
    """Return the layers of a model.

    Args:
        text: the part of config.json about the language model.
        count: ``num_hidden_layers``.
        architecture: class name in ``architectures``.
    """
    if text.get("block_configs"):
        return Layers(count, unknown="block_configs: every layer has a shape of its own", uneven=True)
    if text.get("compress_ratios"):
        return Layers(count, unknown="compress_ratios: the cache of each layer is compressed differently")
    if _list(text, "hybrid_layer_pattern"):
        return Layers(count, unknown="hybrid_layer_pattern: window layers have heads of their own")
    if "linear_attn_config" in text:
        return _kimi_linear(text["linear_attn_config"], count)
    kinds = _list(text, "layer_types") or _list(text, "layers_block_type") or text.get("hybrid_override_pattern")
    if kinds:
        return _listed(text, kinds)
    if interval := text.get("full_attention_interval"):
        full = count // int(interval)
        return Layers(full, linear=count - full, state_bytes=_delta_net(text, count - full))
    if any(key in text for key in ("attn_layer_period", "ssm_state_size", "mamba_d_state", "state_size")):
        return Layers(count, unknown="state-space layers without a list of them")
    return _windows(text, count, architecture)


def _list(text: Mapping[str, Any], key: str) -> Sequence[Any]:
    found = text.get(key)
    return found if isinstance(found, list | tuple) else ()


def _listed(text: Mapping[str, Any], kinds: Sequence[str]) -> Layers:
    strange = {str(kind) for kind in kinds if str(kind) not in _KINDS}
    if strange:
        return Layers(len(kinds), unknown=f"layers of an unknown kind: {', '.join(sorted(strange))}")
    found = Counter(_KINDS[str(kind)] for kind in kinds)
    size = text.get("sliding_window") or text.get("attention_chunk_size")
    if found["window"] and not size:
        return Layers(len(kinds), unknown="sliding layers without sliding_window")
    mamba = "mamba_num_heads" in text
    state = (_mamba(text, found["linear"]) if mamba else _delta_net(text, found["linear"])) if found["linear"] else 0
    return Layers(
        full=found["full"],
        window=found["window"],
        linear=found["linear"],
        other=found["other"],
        size=int(size) if found["window"] and size else None,
        state_bytes=state,
        chunked="chunked_attention" in kinds,
    )


def _kimi_linear(config: Mapping[str, Any], count: int) -> Layers:
    full, linear = len(_list(config, "full_attn_layers")), len(_list(config, "kda_layers"))
    if full + linear != count:
        return Layers(count, unknown="linear_attn_config does not name every layer once")
    heads, size = config.get("num_heads"), config.get("head_dim")
    state = linear * heads * size * size * _STATE_BYTES if heads and size else None
    return Layers(full, linear=linear, state_bytes=state)


def _delta_net(text: Mapping[str, Any], layers: int) -> int | None:
    names = ("linear_num_key_heads", "linear_key_head_dim", "linear_num_value_heads", "linear_value_head_dim")
    if any(not isinstance(text.get(name), int) for name in names):
        return None
    key_heads, key, value_heads, value = (int(text[name]) for name in names)
    steps = int(text.get("linear_conv_kernel_dim", 4)) - 1
    convolution = steps * (2 * key_heads * key + value_heads * value) * _CONVOLUTION_BYTES
    return layers * (value_heads * key * value * _STATE_BYTES + convolution)


def _mamba(text: Mapping[str, Any], layers: int) -> int | None:
    names = ("mamba_num_heads", "mamba_head_dim", "ssm_state_size")
    if any(not isinstance(text.get(name), int) for name in names):
        return None
    heads, size, state = (int(text[name]) for name in names)
    steps = int(text.get("conv_kernel", 4)) - 1
    convolution = steps * (heads * size + 2 * int(text.get("n_groups", 1)) * state) * _CONVOLUTION_BYTES
    return layers * (heads * size * state * _STATE_BYTES + convolution)


def _windows(text: Mapping[str, Any], count: int, architecture: str) -> Layers:
    if architecture.startswith("Llama4"):
        chunk = text.get("attention_chunk_size")
        if not chunk:
            return Layers(count)
        listed = _list(text, "no_rope_layers")
        full = sum(not ropes for ropes in listed) if listed else count // _LLAMA4_GLOBAL_EVERY
        return Layers(full, window=count - full, size=int(chunk), chunked=True)
    size = text.get("sliding_window")
    if not size or text.get("use_sliding_window") is False:
        return Layers(count)
    if architecture.startswith("Gemma3"):
        every = int(text.get("sliding_window_pattern") or text.get("_sliding_window_pattern") or _GEMMA3_PATTERN)
        return Layers(count // every, window=count - count // every, size=int(size))
    if architecture.startswith("Gemma2"):
        return Layers(count // 2, window=count - count // 2, size=int(size))
    if architecture.startswith("Qwen"):
        # Layers from max_window_layers on have the window.
        full = min(int(text.get("max_window_layers", count)), count)
        return Layers(full, window=count - full, size=int(size) if full < count else None)
    if int(size) >= int(text.get("max_position_embeddings", 0) or 0):
        return Layers(count)
    return Layers(0, window=count, size=int(size))
