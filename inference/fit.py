"""Whether a model fits: the memory of one accelerator, summed from weights, cache, activations and runtime.

All sizes are GiB of one device. vLLM takes ``utilization`` of the device, puts weights, activations and its own
runtime into it and gives the rest to the KV cache; a server whose cache cannot hold one sequence of the longest
context refuses to start. Kernels captured as CUDA graphs and the libraries of the driver live in what is left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from inference.facts.models import Model

__all__ = ["GIB", "OUTSIDE_RESERVE_GIB", "Device", "Fit", "Split", "fit"]

GIB = 2**30

OUTSIDE_RESERVE_GIB = 1.5
"""What has to stay free beside vLLM's share for graph capture, GiB.

A T4 (14.58 GiB) at 0.90 leaves 1.46 GiB and failed 28 MiB short while capturing graphs for a 2B model; at 0.85 it
worked. https://github.com/maci0/gke-inference-from-scratch and llm-d pattern 1 on T4.
"""

_RUNTIME_ONE_GPU_GIB = 0.27
_RUNTIME_PIPELINE_ONLY_GIB = 0.07
_RUNTIME_TENSOR_GIB = 2.10
"""Memory outside of PyTorch by kind of split, measured by llm-d-planner 0.3.3 (``estimate_vllm_non_torch_memory``)."""

_ACTIVATION_DENSE_GIB = 2.0
_ACTIVATION_EXPERTS_GIB = 2.5
"""llm-d-planner 0.3.3 for architectures without a measured profile."""


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
    sequence: float | None
    """KV cache of one sequence of the longest context; ``None`` where the model's cache is not known."""

    @property
    def budget(self) -> float:
        """What vLLM may take."""
        return self.utilization * self.device.memory_gib

    @property
    def cache(self) -> float:
        """What remains for the KV cache; negative where the weights alone do not fit."""
        return self.budget - self.weights - self.activation - self.runtime

    @property
    def outside(self) -> float:
        """What remains beside vLLM's share."""
        return self.device.memory_gib - self.budget

    @property
    def sequences(self) -> float | None:
        """How many sequences of the longest context the cache holds."""
        return None if self.sequence is None else max(self.cache, 0.0) / self.sequence

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
) -> Fit | None:
    """Return the memory sum, or ``None`` where it is not known how many bytes of weights each device holds.

    Args:
        context: longest sequence, tokens.
        utilization: vLLM's share of the device memory, 0 to 1.
        cache_bytes_per_element: 2 for a 16-bit KV cache, 1 for FP8.
    """
    if model.weight_bytes is None:
        return None
    stage = math.ceil(model.layers / split.pipeline) / model.layers
    weights = model.weight_bytes * stage / split.tensor
    if split.data > 1 and model.moe is not None:
        if model.expert_share is None:
            return None
        weights *= 1 - model.expert_share * (1 - 1 / split.data)
    runtime = _RUNTIME_TENSOR_GIB if split.tensor * split.data > 1 else _RUNTIME_PIPELINE_ONLY_GIB
    if split.devices == 1:
        runtime = _RUNTIME_ONE_GPU_GIB
    activation = model.activation_gib
    if activation is None:
        activation = _ACTIVATION_EXPERTS_GIB if model.experts else _ACTIVATION_DENSE_GIB
    return Fit(
        device=device,
        split=split,
        context=context,
        utilization=utilization,
        weights=weights / GIB,
        activation=activation,
        runtime=runtime,
        sequence=_sequence_gib(model, split, context, cache_bytes_per_element / 2.0, stage),
    )


def _sequence_gib(model: Model, split: Split, context: int, scale: float, stage: float) -> float | None:
    if model.kv_bytes_per_token is None:
        return None
    cache = float(model.kv_bytes_per_token * context)
    if model.window_bytes_per_sequence:
        window = model.window or context
        cache += model.window_bytes_per_sequence * min(context / window, 1.0)
    state = model.linear_state_bytes_per_sequence or 0
    return (cache * scale * _share(model, split.tensor) + state / split.tensor) * stage / GIB


def _share(model: Model, tensor: int) -> float:
    """Return the part of the KV cache that one tensor-parallel rank holds: latent caches are held whole by each."""
    if model.mla:
        return 1.0
    return max(1.0 / tensor, 1.0 / model.kv_heads) if model.kv_heads else 1.0 / tensor


def longest_context(found: Fit) -> int:
    """Return the longest context, tokens, that would leave room for one sequence; 0 where none would."""
    if found.sequence is None or found.cache <= 0:
        return 0
    per_token = found.sequence / found.context
    return int(found.cache / per_token) // 256 * 256


def with_utilization(found: Fit, utilization: float) -> Fit:
    """Return the same sum with another share for vLLM."""
    return replace(found, utilization=utilization)
