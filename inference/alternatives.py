"""What would fit where a model does not: the nearest settings, each of them summed up anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from inference.facts.gpus import GPUS, Gpu
from inference.facts.models import Model
from inference.fit import OUTSIDE_RESERVE_GIB, Device, Fit, Split, fit, longest_context

__all__ = ["Alternative", "Situation", "alternatives", "highest_utilization"]

_SHORTEST_CONTEXT = 1024
"""Tokens; a shorter context is no use."""
_MOST_STAGES = 8
_HIGHEST_UTILIZATION = 0.95


@dataclass(frozen=True, slots=True)
class Alternative:
    """Something that would fit."""

    setting: str
    """As a stack file says it."""
    flags: str
    """As a command line of vLLM says it."""
    fit: Fit
    """The sum with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A model where it does not fit."""

    model: Model
    fit: Fit
    gpu: Gpu | None
    """``None`` for a TPU."""
    per_node: int
    """Devices of a node."""
    per_chip: int = 1
    """Devices that one accelerator shows as."""
    fp8_cache: bool = False
    whole_windows: bool = False
    fixed_dtype: bool = False
    """Whether the server runs in float16, so that a GPU without bfloat16 would do too."""

    def tried(
        self,
        *,
        model: Model | None = None,
        device: Device | None = None,
        split: Split | None = None,
        utilization: float | None = None,
        fp8_cache: bool | None = None,
    ) -> Fit | None:
        """Return the sum with something changed where it would hold one sequence."""
        found = fit(
            model or self.model,
            device or self.fit.device,
            split or self.fit.split,
            context=self.fit.context,
            utilization=utilization or self.fit.utilization,
            cache_bytes_per_element=1.0 if (self.fp8_cache if fp8_cache is None else fp8_cache) else 2.0,
            whole_windows=self.whole_windows,
        )
        return found if found is not None and found.holds_one_sequence else None


def highest_utilization(memory_gib: float) -> float:
    """Return the largest share of a GPU that leaves room for the capture of CUDA graphs, in twentieths."""
    return min(int((1 - OUTSIDE_RESERVE_GIB / memory_gib) * 20) / 20, _HIGHEST_UTILIZATION)


def _tensor_sizes(model: Model, most: int) -> tuple[int, ...]:
    """Return the tensor-parallel sizes up to ``most`` that divide the model's heads."""
    return tuple(size for size in (1, 2, 4, 8, 16, 32) if size <= most and not model.heads % size)


def alternatives(place: Situation) -> tuple[Alternative, ...]:
    """Return what would fit, the least change of each kind; pairs of changes where no single one is enough."""
    found = [*_shorter(place), *_fp8_cache(place), *_share(place), *_more(place, place.model), *_fp8_weights(place)]
    found += _larger(place)
    return tuple(found or _pairs(place))


def _shorter(place: Situation) -> Iterator[Alternative]:
    length = min(longest_context(place.fit), place.model.max_position_embeddings)
    if _SHORTEST_CONTEXT <= length < place.fit.context:
        shorter = replace(place.fit, context=length)
        yield Alternative(f"contextLength {length} or less", f"--max-model-len {length} or less", shorter)


def _takes_fp8_cache(place: Situation) -> bool:
    return not place.fp8_cache and place.gpu is not None and place.gpu.bf16


def _fp8_cache(place: Situation) -> Iterator[Alternative]:
    if _takes_fp8_cache(place) and (found := place.tried(fp8_cache=True)) is not None:
        yield Alternative("kvCacheDtype fp8", "--kv-cache-dtype fp8", found)


def _share(place: Situation) -> Iterator[Alternative]:
    share = highest_utilization(place.fit.device.memory_gib)
    if place.gpu is None or share <= place.fit.utilization or place.tried(utilization=share) is None:
        return
    steps = range(int(place.fit.utilization * 100) + 1, round(share * 100) + 1)
    for step in steps:
        if (found := place.tried(utilization=step / 100)) is not None:
            yield Alternative(f"memoryUtilization {step / 100:g}", f"--gpu-memory-utilization {step / 100:g}", found)
            return


def _more(place: Situation, model: Model, *, fp8_cache: bool | None = None) -> Iterator[Alternative]:
    for split in _splits(place):
        if (found := place.tried(model=model, split=split, fp8_cache=fp8_cache)) is None:
            continue
        chips = Split(split.tensor // place.per_chip, split.pipeline, split.data)
        words = f"{chips} ({chips.devices} accelerators)"
        flags = f"--tensor-parallel-size {split.tensor}"
        flags += f" --pipeline-parallel-size {split.pipeline}" if split.pipeline > 1 else ""
        flags += f" --data-parallel-size {split.data}" if split.data > 1 else ""
        yield Alternative(words, f"{flags} ({split.devices // place.per_chip} accelerators)", found)
        return


def _splits(place: Situation) -> Iterator[Split]:
    """Yield larger splits: first more of a node, then more nodes."""
    now, model = place.fit.split, place.model
    sizes = [size for size in _tensor_sizes(model, place.per_node) if not size % place.per_chip]
    found = [Split(size, now.pipeline, now.data) for size in sizes if size > now.tensor]
    if now.data > 1:
        found += [Split(now.tensor, 1, now.data * times) for times in (2, 4)]
    else:
        widest = max(sizes, default=now.tensor)
        stages = range(2, min(_MOST_STAGES, model.layers) + 1)
        found += [Split(widest, stage) for stage in stages]
    return (split for split in found if split.devices > now.devices)


def _halved(place: Situation) -> Model | None:
    """Return the model with FP8 weights, where it has none of fewer bits and the GPU has kernels for them."""
    model, gpu = place.model, place.gpu
    if model.quantization is not None or model.weight_bytes is None or gpu is None:
        return None
    if gpu.compute_capability < (7, 5):
        return None
    # Embedding and output matrix stay at 16 bits.
    kept = model.matrix_bytes * (1 if model.tied else 2)
    return replace(model, weight_bytes=kept + (model.weight_bytes - kept) // 2, quantization="fp8")


def _fp8_weights(place: Situation) -> Iterator[Alternative]:
    model = _halved(place)
    if model is not None and (found := place.tried(model=model)) is not None:
        yield Alternative("a version of the model with FP8 weights", "--quantization fp8", found)


def _larger(place: Situation) -> Iterator[Alternative]:
    for gpu in sorted(GPUS.values(), key=lambda gpu: gpu.memory_gib):
        if gpu.memory_gib <= place.fit.device.memory_gib:
            continue
        if place.model.dtype == "bfloat16" and not place.fixed_dtype and not gpu.bf16:
            continue
        split = Split(max(place.fit.split.tensor // place.per_chip, 1), place.fit.split.pipeline, place.fit.split.data)
        found = place.tried(device=Device(gpu.name, gpu.memory_gib), split=split)
        if found is not None:
            yield Alternative(f"a GPU such as {gpu.name}", f"a GPU such as {gpu.name}", found)
            return


def _pairs(place: Situation) -> Iterator[Alternative]:
    """Yield pairs of changes: FP8 weights with an FP8 cache or more accelerators, or these with an FP8 cache."""
    model, cache = _halved(place), _takes_fp8_cache(place)
    if model is not None:
        if cache and (found := place.tried(model=model, fp8_cache=True)) is not None:
            words = "a version of the model with FP8 weights and kvCacheDtype fp8"
            yield Alternative(words, "--quantization fp8 --kv-cache-dtype fp8", found)
        for more in _more(place, model):
            words = f"a version of the model with FP8 weights on {more.setting}"
            yield Alternative(words, f"--quantization fp8 {more.flags}", more.fit)
    if cache:
        for more in _more(place, place.model, fp8_cache=True):
            words = f"kvCacheDtype fp8 on {more.setting}"
            yield Alternative(words, f"--kv-cache-dtype fp8 {more.flags}", more.fit)
