"""Whether a model fits: the memory of one accelerator, summed from weights, cache, activations and runtime.

All sizes are GiB of one device. vLLM takes ``utilization`` of the device, puts weights, activations and its own
runtime into it and gives the rest to the KV cache; a server whose cache cannot hold one sequence of the longest
context refuses to start. Kernels captured as CUDA graphs and the libraries of the driver live in what is left.

What tensor parallelism does not divide is counted on every rank: latent caches and their projections, routers, and KV
heads where there are more ranks than heads. Of the stages of a pipeline the fullest counts: the first has the
embedding, the last the output matrix, those between have the layers that do not divide evenly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from inference.facts.activations import runtime_gib
from inference.facts.models import Model

__all__ = [
    "GIB",
    "OUTSIDE_RESERVE_GIB",
    "Device",
    "Fit",
    "Sequence",
    "Split",
    "fit",
    "longest_context",
]

GIB = 2**30

OUTSIDE_RESERVE_GIB = 1.5
"""What has to stay free beside vLLM's share for graph capture, GiB.

A T4 (14.58 GiB) at 0.90 leaves 1.46 GiB and failed 28 MiB short while capturing graphs for a 2B model; at 0.85 it
worked. https://github.com/maci0/gke-inference-from-scratch and llm-d pattern 1 on T4.
"""

_UNBOUNDED = 2**40
"""Longest context, tokens, of a model whose cache does not grow."""

_STEP = 256
"""Contexts are recommended in multiples of this."""


@dataclass(frozen=True, slots=True)
class Device:
    """The memory of one accelerator, as a process sees it."""

    name: str
    memory_gib: float


@dataclass(frozen=True, slots=True)
class Split:
    """How one replica lies on accelerators."""

    tensor: int = 1
    pipeline: int = 1
    data: int = 1

    @property
    def devices(self) -> int:
        """Accelerators of one replica."""
        return self.tensor * self.pipeline * self.data

    def __str__(self) -> str:
        sizes = f"tensor {self.tensor} × pipeline {self.pipeline}"
        return f"{sizes} × data {self.data}" if self.data > 1 else sizes


@dataclass(frozen=True, slots=True)
class Sequence:
    """What one sequence takes of the cache of one device, bytes."""

    per_token: float
    """Of layers that keep the whole context."""
    window_per_token: float = 0.0
    """Of layers that keep a window."""
    window: int = 0
    """Tokens of the window."""
    state: float = 0.0
    """Of layers with a state of fixed size."""

    def bytes(self, context: int) -> float:
        """Return the cache of a sequence of so many tokens."""
        return self.state + self.per_token * context + self.window_per_token * min(context, self.window)

    def tokens(self, size: float) -> int:
        """Return the longest sequence, tokens, that so many bytes hold."""
        rest = size - self.state
        if rest <= 0:
            return 0
        if rest <= self.bytes(self.window) - self.state:
            return int(rest / (self.per_token + self.window_per_token))
        beyond = rest - self.window_per_token * self.window
        return int(beyond / self.per_token) if self.per_token else _UNBOUNDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The memory of the fullest device of a replica, GiB."""

    device: Device
    split: Split
    context: int
    utilization: float
    weights: float
    activation: float
    runtime: float
    keeps: Sequence | None
    """What a sequence takes; ``None`` where the model's cache is not known."""

    @property
    def sequence(self) -> float | None:
        """KV cache of one sequence of the longest context; ``None`` where the model's cache is not known."""
        return None if self.keeps is None else self.keeps.bytes(self.context) / GIB

    @property
    def budget(self) -> float:
        """What vLLM may take."""
        return self.utilization * self.device.memory_gib

    @property
    def cache(self) -> float:
        """What remains for the KV cache; negative where the weights alone do not fit."""
        return self.budget - self.weights - self.activation - self.runtime

    @property
    def headroom(self) -> float | None:
        """What the cache has beyond one sequence of the longest context; negative where the server cannot start."""
        if self.cache <= 0:
            return self.cache
        return None if self.sequence is None else self.cache - self.sequence

    @property
    def outside(self) -> float:
        """What remains beside vLLM's share."""
        return self.device.memory_gib - self.budget

    @property
    def sequences(self) -> float | None:
        """How many sequences of the longest context the cache of one data-parallel rank holds."""
        return None if self.sequence is None else max(self.cache, 0.0) / max(self.sequence, 1 / GIB)

    @property
    def holds_one_sequence(self) -> bool:
        """Whether the server would start, as far as is known."""
        return self.cache > 0 and (self.sequence is None or self.sequence <= self.cache)


def fit(
    model: Model,
    device: Device,
    split: Split,
    *,
    context: int,
    utilization: float,
    cache_bytes_per_element: float = 2.0,
    whole_windows: bool = False,
) -> Fit | None:
    """Return the memory sum, or ``None`` where it is not known how many bytes of weights each device holds.

    Args:
        model: what is known of the model.
        device: one accelerator.
        split: how a replica lies on accelerators.
        context: longest sequence, tokens.
        utilization: vLLM's share of the device memory, 0 to 1.
        cache_bytes_per_element: 2 for a 16-bit KV cache, 1 for FP8.
        whole_windows: whether window layers keep the whole context too, as they do without the hybrid cache manager.
    """
    if model.loaded_bytes is None:
        return None
    if split.data > 1 and model.moe is not None and model.expert_share is None:
        return None
    keeps = _keeps(model, split.tensor, cache_bytes_per_element, whole=whole_windows or model.chunked)
    found = [
        Fit(
            device=device,
            split=split,
            context=context,
            utilization=utilization,
            weights=weights / GIB,
            activation=model.activation_gib,
            runtime=runtime_gib(split.tensor, split.pipeline, split.data),
            keeps=keeps and _scaled(keeps, part),
        )
        for part, weights in _stages(model, split)
    ]
    return min(found, key=lambda stage: stage.cache - (stage.sequence or 0.0))


def _stages(model: Model, split: Split) -> Iterator[tuple[float, float]]:
    """Yield the kinds of pipeline stages: which part of the layers each has, and bytes of weights on a device.

    vLLM gives the layers that are left over to stages from the last but one backwards.
    """
    size = model.loaded_bytes or 0
    if split.pipeline == 1:
        yield 1.0, _on_device(model, split, size, 1.0)
        return
    each, over = divmod(model.layers, split.pipeline)
    matrix = model.matrix_bytes
    body = size - matrix * (1 if model.tied else 2)
    first = each + (1 if over >= split.pipeline - 1 else 0)
    middle = each + (1 if over else 0)
    yield first / model.layers, _on_device(model, split, body * first / model.layers + matrix, first / model.layers)
    if split.pipeline > 2 or over:
        part = middle / model.layers
        yield part, _on_device(model, split, body * part, part)
    part = each / model.layers
    yield part, _on_device(model, split, body * part + matrix, part)


def _on_device(model: Model, split: Split, size: float, part: float) -> float:
    """Return the bytes on each device of a stage that has a part of the layers."""
    experts = 0.0
    if model.expert_share is not None:
        experts = (model.loaded_bytes or 0) * model.expert_share * part
    rest = max(size - experts, 0.0)
    copies = part * _copied(model, split.tensor)
    ranks = split.tensor * split.data
    return experts / ranks + rest / split.tensor + copies


def _copied(model: Model, tensor: int) -> float:
    """Return what each rank holds beyond its even part of the weights, bytes."""
    plain = model.quantization is None or (model.moe is not None and model.moe.only_quantized)
    width = 2 if plain else 1
    whole = model.replicated_parameters * (1 - 1 / tensor)
    heads = model.kv_projection_parameters * max(1 / model.kv_heads - 1 / tensor, 0.0)
    return width * (whole + heads)


def _keeps(model: Model, tensor: int, element: float, *, whole: bool) -> Sequence | None:
    if model.kv_bytes_per_token is None or model.linear_state_bytes_per_sequence is None:
        return None
    share = _share(model, tensor) * element / 2.0
    window = 0.0
    if model.window_layers and model.window:
        window = (model.window_bytes_per_sequence or 0) / model.window * share
    state = model.linear_state_bytes_per_sequence / tensor
    full = model.kv_bytes_per_token * share
    return Sequence(full + window, state=state) if whole else Sequence(full, window, model.window or 0, state)


def _share(model: Model, tensor: int) -> float:
    """Return the part of the KV cache that one tensor-parallel rank holds: latent caches are held whole by each."""
    if model.mla:
        return 1.0
    return max(1.0 / tensor, 1.0 / model.kv_heads) if model.kv_heads else 1.0 / tensor


def _scaled(keeps: Sequence, part: float) -> Sequence:
    return Sequence(keeps.per_token * part, keeps.window_per_token * part, keeps.window, keeps.state * part)


def longest_context(found: Fit) -> int:
    """Return the longest context, tokens, that would leave room for one sequence; 0 where none would."""
    if found.keeps is None or found.cache <= 0:
        return 0
    return found.keeps.tokens(found.cache * GIB) // _STEP * _STEP
