"""Whether a model fits its accelerators, and what would if it does not."""

from __future__ import annotations

from collections.abc import Iterator

from inference.alternatives import Situation, alternatives, highest_utilization
from inference.derivation import accelerators_per_node, fit_of, gpu_of, ranks_of
from inference.facts.models import Model
from inference.fit import OUTSIDE_RESERVE_GIB, Fit, Split
from inference.problems import Problem
from inference.settings.models import VllmModel
from inference.settings.pools import AcceleratorPool

__all__ = ["check", "suggested"]


def check(model: VllmModel, known: Model, pool: AcceleratorPool, where: str) -> Iterator[Problem]:
    """Yield why the model would not start for want of memory."""
    found = fit_of(model, known, pool)
    if found is None or known.weights_disputed:
        return
    if gpu_of(pool) is not None and found.outside < OUTSIDE_RESERVE_GIB:
        yield Problem(
            f"{where}.memoryUtilization",
            f"{model.memory_utilization:g}",
            f"of the {found.device.memory_gib:.2f} GiB of a {found.device.name} it leaves {found.outside:.2f} GiB for "
            f"the capture of CUDA graphs, which takes up to {OUTSIDE_RESERVE_GIB} GiB",
            f"Set memoryUtilization to {highest_utilization(found.device.memory_gib):g}.",
        )
    if not found.holds_one_sequence:
        per_chip = ranks_of(Split(), pool).tensor
        place = Situation(
            model=known,
            fit=found,
            gpu=gpu_of(pool),
            per_node=(accelerators_per_node(pool) or 1) * per_chip,
            per_chip=per_chip,
            fp8_cache=model.kv_cache_dtype == "fp8",
            fixed_dtype=model.dtype == "half",
        )
        yield Problem(where, f"{model.model} does not fit", _sum_of(found), suggested(place))


def _sum_of(found: Fit) -> str:
    """Say what has to go into the memory of a device, and what is missing."""
    parts = (
        f"each {found.device.name} has {found.budget:.1f} GiB for vLLM ({found.utilization:g} of "
        f"{found.device.memory_gib:.1f}) and must hold {found.weights:.1f} of weights, {found.activation:.1f} of "
        f"activations and {found.runtime:.1f} of runtime"
    )
    if found.cache <= 0:
        return f"{parts}: {-found.cache:.1f} GiB too much, with no KV cache yet"
    return (
        f"{parts}; the {found.cache:.1f} GiB left cannot hold the {found.sequence or 0:.1f} GiB of KV cache of one "
        f"sequence of {found.context} tokens"
    )


def suggested(place: Situation) -> str:
    """Say what would fit."""
    found = [alternative.setting for alternative in alternatives(place)]
    return f"Use {', or '.join(found)}." if found else "Choose a smaller or quantized model."
