"""What ``quantization_config`` of a config.json says about the size of the weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Quantization", "quantization_of"]

_SCALE_BITS = {"fp8": 0.0, "mxfp4": 0.25, "nvfp4": 0.5, "int8": 0.0, "int4": 0.125}
"""Bits of block scales for each weight: 8 for 32 weights of MXFP4 and for 16 of NVFP4; 16 for 128 of INT4."""

_BITS = {"fp8": 8, "mxfp4": 4, "nvfp4": 4, "int8": 8, "int4": 4}

_WIDTHS = {"8 float": "fp8", "8 int": "int8", "4 int": "int4", "4 float": "nvfp4"}

_WHOLE_ATTENTION = re.compile(r"(?:self_attn|attn)(?:[.*$]*|\.\*\$?)$")
"""The attention of a layer as a whole, not one of its matrices: ``model.layers.1.self_attn``, ``re:.*self_attn.*``."""

_METHODS = {
    "fp8": "fp8",
    "fbgemm_fp8": "fp8",
    "modelopt_fp8": "fp8",
    "mxfp4": "mxfp4",
    "nvfp4": "nvfp4",
    "modelopt_fp4": "nvfp4",
    "awq": "int4",
    "gptq": "int4",
}


@dataclass(frozen=True, slots=True)
class Quantization:
    """The number format of quantized weights."""

    method: str
    """``quant_method``, with the format of compressed tensors."""
    format: str
    """fp8, int8, int4, mxfp4 or nvfp4; ``unknown`` where it cannot be told."""
    bits: float | None
    """Of one weight, its share of the scales included; ``None`` where it is not known."""
    spares_attention: bool = False
    """Whether attention stays at 16 bits; in a mixture of experts, then, all but the routed experts does."""


def quantization_of(config: object, expert_dtype: object = None) -> Quantization | None:
    """Return the number format of a model's weights; ``None`` for unquantized ones.

    Args:
        config: ``quantization_config``, or the content of ``hf_quant_config.json``, where ModelOpt writes it.
        expert_dtype: the key beside it with which DeepSeek says that experts have another format.
    """
    if not isinstance(config, Mapping) or not config:
        return None
    if isinstance(inner := config.get("quantization"), Mapping):
        config = inner
    method = str(config.get("quant_method") or config.get("quant_algo") or "unnamed").lower()
    layout = str(config.get("format") or "")
    found = _format(config, method, layout)
    if expert_dtype == "fp4" and found == "fp8":
        found = "unknown"
    bits = None if found not in _BITS else _BITS[found] + _scales(config, found)
    return Quantization(f"{method} {layout}".strip(), found, bits, found == "mxfp4" or _spares_attention(config))


def _format(config: Mapping[str, Any], method: str, layout: str) -> str:
    algorithm = str(config.get("quant_algo") or "").lower()
    for text in (algorithm, layout, method):
        for name in ("mxfp4", "nvfp4"):
            if name in text:
                return name
    if algorithm in ("fp8", "fp8_pb_wo"):
        return "fp8"
    groups = list(_groups(config))
    widths = {group.get("num_bits") for group in groups}
    if len(widths) == 1 and groups:
        width, kind = widths.pop(), groups[0].get("type")
        return _WIDTHS.get(f"{width} {kind}", "unknown")
    bits = config.get("bits") or config.get("w_bit")
    if method in ("awq", "gptq", "gptq_marlin", "awq_marlin", "auto-round") and bits in (4, 8):
        return f"int{bits}"
    if method == "bitsandbytes":
        return "int4" if config.get("load_in_4bit") else "int8" if config.get("load_in_8bit") else "unknown"
    return _METHODS.get(method, "unknown")


def _groups(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    groups = config.get("config_groups")
    for group in groups.values() if isinstance(groups, Mapping) else ():
        weights = group.get("weights") if isinstance(group, Mapping) else None
        if isinstance(weights, Mapping):
            yield weights


def _scales(config: Mapping[str, Any], name: str) -> float:
    sizes = [group.get("group_size") for group in _groups(config)] or [config.get("group_size")]
    size = sizes[0]
    if name == "int4" and isinstance(size, int) and size > 0:
        return 16 / size
    return _SCALE_BITS[name]


def _spares_attention(config: Mapping[str, Any]) -> bool:
    """Whether attention is left out, as it is where the routed experts alone are quantized."""
    spared = config.get("ignore") or config.get("modules_to_not_convert") or config.get("exclude_modules") or ()
    return isinstance(spared, list | tuple) and any(_WHOLE_ATTENTION.search(str(name)) for name in spared)
