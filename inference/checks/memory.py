"""Whether a model fits its accelerators, and what would if it does not."""

from __future__ import annotations

from collections.abc import Iterator

from inference.derivation import accelerators_per_node, fit_of, gpu_of, split_of
from inference.facts.gpus import GPUS
from inference.facts.models import Model
from inference.fit import OUTSIDE_RESERVE_GIB, Device, Fit, Split, longest_context
from inference.problems import Problem
from inference.settings.models import VllmModel
from inference.settings.pools import AcceleratorPool

__all__ = ["check"]


def check(model: VllmModel, known: Model, pool: AcceleratorPool, where: str) -> Iterator[Problem]:
    """Yield why the model would not start for want of memory."""
    found = fit_of(model, known, pool)
    if found is None:
        return
    if gpu_of(pool) is not None and found.outside < OUTSIDE_RESERVE_GIB:
        most = int((1 - OUTSIDE_RESERVE_GIB / found.device.memory_gib) * 100) / 100
        yield Problem(
            f"{where}.memoryUtilization",
            f"{model.memory_utilization:g}",
            f"of the {found.device.memory_gib:.2f} GiB of a {found.device.name} it leaves {found.outside:.2f} GiB for "
            f"the capture of CUDA graphs, which takes up to {OUTSIDE_RESERVE_GIB} GiB",
            f"Set memoryUtilization to at most {most:g}.",
        )
    if not found.holds_one_sequence:
        yield Problem(where, f"{model.model} does not fit", _sum(found), _remedy(model, known, pool, found))


def _sum(found: Fit) -> str:
    parts = (
        f"each {found.device.name} has {found.budget:.1f} GiB for vLLM ({found.utilization:g} of "
        f"{found.device.memory_gib:.1f}) and must hold {found.weights:.1f} of weights, {found.activation:.1f} of "
        f"activations and {found.runtime:.1f} of runtime"
    )
    if found.cache <= 0:
        return f"{parts}: {-found.cache:.1f} GiB too much, with no KV cache yet"
    assert found.sequence is not None  # noqa: S101 - else it would hold one
    return (
        f"{parts}; the {found.cache:.1f} GiB left cannot hold the {found.sequence:.1f} GiB of KV cache of one sequence "
        f"of {found.context} tokens"
    )


def _remedy(model: VllmModel, known: Model, pool: AcceleratorPool, found: Fit) -> str:
    options = []
    if (context := longest_context(found)) >= 1024:
        options.append(f"contextLength {context} or less")
    if (split := _larger_split(model, known, pool)) is not None:
        options.append(f"tensor {split.tensor} × pipeline {split.pipeline} ({split.devices} accelerators)")
    if (name := _larger_gpu(model, known, pool, found)) is not None:
        options.append(f"a GPU such as {name}")
    return f"Use {', or '.join(options)}." if options else "Choose a smaller or quantized model."


def _larger_split(model: VllmModel, known: Model, pool: AcceleratorPool) -> Split | None:
    per_node = accelerators_per_node(pool) or 1
    current = split_of(model)
    if current.data > 1:
        return None
    candidates = [Split(t, 1) for t in (2, 4, 8, 16) if t <= per_node]
    candidates += [Split(per_node, p) for p in (2, 3, 4, 6, 8)]
    for split in candidates:
        if split.devices <= current.devices or (known.heads and known.heads % split.tensor):
            continue
        tried = fit_of(model, known, pool, split=split)
        if tried is not None and tried.holds_one_sequence:
            return split
    return None


def _larger_gpu(model: VllmModel, known: Model, pool: AcceleratorPool, found: Fit) -> str | None:
    for gpu in sorted(GPUS.values(), key=lambda gpu: gpu.memory_gib):
        if gpu.memory_gib <= found.device.memory_gib or (known.dtype == "bfloat16" and not gpu.bf16):
            continue
        tried = fit_of(model, known, pool, device=Device(gpu.name, gpu.memory_gib))
        if tried is not None and tried.holds_one_sequence:
            return gpu.name
    return None
