"""Models of NVIDIA NIM: there is an image, a GPU that holds the model, and a disk that holds the download."""

from __future__ import annotations

import math
from collections.abc import Iterator

from inference.checks.models import check_image, no_pool
from inference.derivation import accelerators_per_node, device_of, gpu_of, nim_cache_gib, nim_models
from inference.facts import nim
from inference.facts.models import Model, find
from inference.fit import GIB, Split, fit, longest_context
from inference.problems import Problem
from inference.settings import StackSettings
from inference.settings.nim import NimModelSettings
from inference.settings.pools import AcceleratorPool, GpuPoolSettings

__all__ = ["check"]


def check(settings: StackSettings, missing: frozenset[str]) -> Iterator[Problem]:
    """Yield what is wrong with the models that NIMs serve."""
    for name, model in nim_models(settings).items():
        where, known = f"models.{name}", find(model.model)
        yield from _image(model, where)
        yield from _cache(model, known, where)
        if known is not None:
            yield from _architecture(model, known, where)
        pool = settings.pools.get(model.pool)
        if pool is not None:
            yield from _placement(model, known, pool, where)
        elif f"pools.{model.pool}" not in missing and "pools" not in missing:
            yield no_pool(settings, model.pool, where)


def _image(model: NimModelSettings, where: str) -> Iterator[Problem]:
    yield from check_image(model.image, where)
    if model.image is None and model.model not in nim.RELEASES:
        yield Problem(
            f"{where}.image",
            f'missing, and no release of "{model.model}" is known',
            "a NIM is an image of its own for every model, and its tag cannot be guessed",
            f"Write the image with its tag, for example {nim.REGISTRY}/nim/{model.model}:2.0.12, or serve one of: "
            f"{', '.join(nim.RELEASES)}.",
        )


def _cache(model: NimModelSettings, known: Model | None, where: str) -> Iterator[Problem]:
    size = nim_cache_gib(model)
    weights = known.weight_bytes / GIB if known is not None and known.weight_bytes else None
    if size is None:
        yield Problem(
            f"{where}.cacheGib",
            "missing",
            f"the size of {model.model} is not known, so the disk for its download cannot be derived",
            "Write the size of the download twice over, for example cacheGib: 100.",
        )
    elif weights is not None and size < weights * 1.1:
        yield Problem(
            f"{where}.cacheGib",
            str(size),
            f"{model.model} is a download of {weights:.0f} GiB; it would start over at every restart",
            f"Set cacheGib to {math.ceil(weights * 2 / 10) * 10} or more, or leave it out.",
        )


def _architecture(model: NimModelSettings, known: Model, where: str) -> Iterator[Problem]:
    longest = known.max_position_embeddings
    if longest and model.context_length > longest:
        yield Problem(
            f"{where}.contextLength",
            str(model.context_length),
            f"{model.model} was trained for {longest} tokens; the engine refuses more",
            f"Set contextLength to at most {longest}.",
        )
    if known.heads and known.heads % model.gpus:
        yield Problem(
            f"{where}.gpus",
            str(model.gpus),
            f"{model.model} has {known.heads} attention heads, which {model.gpus} GPUs cannot share evenly",
            f"Use one of {', '.join(str(n) for n in (1, 2, 4, 8, 16) if known.heads % n == 0)}.",
        )


def _placement(model: NimModelSettings, known: Model | None, pool: AcceleratorPool, where: str) -> Iterator[Problem]:
    if not isinstance(pool, GpuPoolSettings):
        yield Problem(
            f"{where}.pool",
            f'"{model.pool}" has TPUs',
            "a NIM runs on NVIDIA GPUs",
            "Name a pool of kind: gpu, or serve the model with engine: vllm.",
        )
        return
    per_node, gpu, device = accelerators_per_node(pool), gpu_of(pool), device_of(pool)
    if per_node is not None and model.gpus > per_node:
        yield Problem(
            f"{where}.gpus",
            str(model.gpus),
            f"a node of pool {model.pool} has {per_node} GPUs, and a NIM stays on one node",
            f"Set gpus: {per_node} or less.",
        )
    if gpu is not None and not gpu.bf16 and known is not None and known.dtype == "bfloat16":
        yield Problem(
            f"{where}.pool",
            f'"{model.pool}" has {gpu.name}s',
            f"{model.model} computes in bfloat16, which that GPU has not, and a NIM has no setting for another type",
            "Choose an L4 or newer, or engine: vllm with dtype: half.",
        )
    if known is None or device is None:
        return
    found = fit(known, device, Split(model.gpus), context=model.context_length, utilization=nim.UTILIZATION)
    if found is not None and not found.holds_one_sequence:
        context = longest_context(found)
        shorter = f"contextLength {context} or less, " if context >= 1024 else ""
        yield Problem(
            where,
            f"{model.model} does not fit",
            f"each {device.name} has {found.budget:.1f} GiB for the engine, and {found.weights:.1f} of weights, "
            f"{found.activation + found.runtime:.1f} of activations and runtime, and {found.sequence or 0:.1f} of KV "
            f"cache for {model.context_length} tokens must go into it",
            f"Use {shorter}more gpus, or a larger GPU.",
        )
