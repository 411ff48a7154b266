"""Models: they fit and they start."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from inference.checks import disaggregation, placement
from inference.checks.memory import check as check_memory
from inference.config_json.files import known_of
from inference.derivation import (
    gpu_of,
    image_version,
    ranks_of,
    split_of,
    stages_of,
    vllm_models,
)
from inference.facts.models import MODELS, Model, sizes_beside
from inference.facts.vllm import MIN_COMPUTE_CAPABILITY, is_flag
from inference.fit import Split
from inference.problems import Problem
from inference.settings import StackSettings
from inference.settings.models import HubWeights, VllmModel
from inference.settings.pools import AcceleratorPool

__all__ = ["check", "check_image", "no_pool", "unjudged"]

_OWNED_FLAGS = {
    "--model": "model",
    "--served-model-name": "model",
    "--tensor-parallel-size": "parallelism.tensor",
    "--pipeline-parallel-size": "parallelism.pipeline",
    "--max-model-len": "contextLength",
    "--max-num-seqs": "maxConcurrentSequences",
    "--gpu-memory-utilization": "memoryUtilization",
    "--dtype": "dtype",
    "--kv-cache-dtype": "kvCacheDtype",
    "--api-key": "gateway.apiKey",
    "--port": "nothing: it is 8000",
    "--host": "nothing: all interfaces",
    "--nnodes": "nothing: it follows from the parallel sizes",
    "--node-rank": "nothing: it follows from the parallel sizes",
    "--master-addr": "nothing: it follows from the parallel sizes",
    "--headless": "nothing: it follows from the parallel sizes",
    "--distributed-executor-backend": "nothing: it follows from the parallel sizes",
    "--data-parallel-size": "parallelism.data",
    "--data-parallel-size-local": "nothing: it follows from the parallel sizes",
    "--data-parallel-start-rank": "nothing: it follows from the parallel sizes",
    "--data-parallel-rank": "nothing: it follows from the parallel sizes",
    "--data-parallel-address": "nothing: it follows from the parallel sizes",
    "--data-parallel-hybrid-lb": "nothing: every node answers for its own ranks",
    "--data-parallel-external-lb": "nothing: every node answers for its own ranks",
    "--data-parallel-multi-port-external-lb": "nothing: every node answers for its own ranks",
    "--all2all-backend": "nothing: the other backends need privileged containers",
    "--kv-transfer-config": "prefill",
    "--kv-events-config": "gateway.picker.prefixCache",
}
"""Options of the server that follow from a setting, and from which."""


def check(settings: StackSettings, missing: frozenset[str]) -> Iterator[Problem]:
    """Yield what is wrong with the models."""
    for name, model in vllm_models(settings).items():
        where = f"models.{name}"
        known = known_of(model)
        yield from check_image(model.image, where)
        yield from _arguments(model, where)
        if known is not None:
            yield from _terms(model, known, where)
        elif sizes := sizes_beside(model.model):
            why = f"there is no such model: this family has {', '.join(sizes)}"
            yield Problem(f"{where}.model", f'"{model.model}"', why, "Take the id from the model's page on the Hub.")
        yield from disaggregation.check(settings, name, known)
        for part, stage in stages_of(model):
            yield from _stage(settings, stage, known, f"{where}.{part}" if part else where, missing)
    yield from placement.check(settings)


def unjudged(settings: StackSettings) -> Iterator[str]:
    """Yield a sentence for each model of which too little is known to say whether it fits."""
    for name, model in vllm_models(settings).items():
        if known_of(model) is None:
            near = difflib.get_close_matches(model.model, MODELS, 1, 0.85)
            meant = f'did you mean "{near[0]}"? If not, ' if near else ""
            yield (
                f'models.{name}.model: nothing is known of "{model.model}", so nobody has checked that it fits; '
                f"{meant}point configuration to its config.json"
            )


def _stage(
    settings: StackSettings, model: VllmModel, known: Model | None, where: str, missing: frozenset[str]
) -> Iterator[Problem]:
    if known is not None:
        yield from _architecture(model, known, where)
    pool = settings.pools.get(model.pool)
    if known is not None:
        yield from _heads(model, known, pool, where)
    if pool is None:
        if f"pools.{model.pool}" not in missing and "pools" not in missing:
            yield no_pool(settings, model.pool, where)
        return
    yield from placement.check_replica(model, pool, where)
    yield from _numbers(model, known, pool, where)
    if known is not None:
        yield from check_memory(model, known, pool, where)


def no_pool(settings: StackSettings, pool: str, where: str) -> Problem:
    """Return that a model names a pool which is not there."""
    names = ", ".join(settings.pools) or "there is none yet"
    return Problem(f"{where}.pool", f'"{pool}"', "no pool has this name", f"Use one of the pools: {names}.")


def _numbers(model: VllmModel, known: Model | None, pool: AcceleratorPool, where: str) -> Iterator[Problem]:
    gpu = gpu_of(pool)
    if gpu is None:
        return
    if model.image is None and gpu.compute_capability < MIN_COMPUTE_CAPABILITY:
        has, wanted = (".".join(map(str, each)) for each in (gpu.compute_capability, MIN_COMPUTE_CAPABILITY))
        yield Problem(
            f"{where}.pool",
            f'"{model.pool}" of {gpu.name} (compute capability {has})',
            f"the image of vLLM 0.32 has kernels for {wanted} and newer, as CUDA 13 has no older ones",
            "Choose a pool of T4 or newer GPUs, or set image to a build for this one.",
        )
    if not gpu.bf16:
        trained = known.dtype if known else None
        if model.dtype == "bfloat16" or (model.dtype == "auto" and trained == "bfloat16"):
            yield Problem(
                f"{where}.dtype",
                f'"{model.dtype}"' + (" (the model's own type is bfloat16)" if model.dtype == "auto" else ""),
                f"{gpu.name} cannot compute in bfloat16; vLLM refuses to start",
                "Set dtype: half, or choose an L4 or newer.",
            )
        if model.kv_cache_dtype == "fp8":
            yield Problem(f"{where}.kvCacheDtype", '"fp8"', f"{gpu.name} has no FP8", "Leave kvCacheDtype out.")
    if known is not None and known.quantization == "fp8" and gpu.compute_capability < (7, 5):
        yield Problem(
            f"{where}.model",
            f'"{model.model}" has FP8 weights',
            f"{gpu.name} has no FP8 kernels",
            "Choose a newer GPU.",
        )


def _heads(model: VllmModel, known: Model, pool: AcceleratorPool | None, where: str) -> Iterator[Problem]:
    tensor = model.parallelism.tensor
    per_chip = ranks_of(Split(), pool).tensor if pool is not None else 1
    if known.heads and known.heads % (tensor * per_chip):
        choices = [n for n in (1, 2, 4, 8, 16, 32) if known.heads % (n * per_chip) == 0]
        ranks = f"{tensor} ranks" if per_chip == 1 else f"the {tensor * per_chip} devices of {tensor} chips"
        yield Problem(
            f"{where}.parallelism.tensor",
            str(tensor),
            f"{model.model} has {known.heads} attention heads, which {ranks} cannot share evenly",
            f"Use one of {', '.join(map(str, choices))}." if choices else "Choose another TPU generation, or a GPU.",
        )


def _architecture(model: VllmModel, known: Model, where: str) -> Iterator[Problem]:
    split = split_of(model)
    if split.pipeline > known.layers:
        yield Problem(
            f"{where}.parallelism.pipeline",
            str(split.pipeline),
            f"{model.model} has {known.layers} layers; a stage needs at least one",
            f"Use at most {known.layers}.",
        )
    if split.data > 1 and known.moe is None:
        yield Problem(
            f"{where}.parallelism.data",
            str(split.data),
            f"{model.model} has no experts to share; ranks in step would only wait for each other",
            "Leave data out, and set replicas instead: copies that know nothing of each other.",
        )


def _terms(model: VllmModel, known: Model, where: str) -> Iterator[Problem]:
    longest = known.max_position_embeddings
    if longest and model.context_length > longest:
        yield Problem(
            f"{where}.contextLength",
            str(model.context_length),
            f"{model.model} was trained for {longest} tokens; vLLM refuses more",
            f"Set contextLength to at most {longest}.",
        )
    if isinstance(model.weights, HubWeights) and known.gated and model.weights.token is None:
        yield Problem(
            f"{where}.weights.token",
            "missing",
            f"{model.model} is gated: the Hub answers 401 without a token of an account that accepted the license",
            "Add token: {secret: <name of the secret in Secret Manager>}.",
        )


def check_image(image: str | None, where: str) -> Iterator[Problem]:
    """Yield that an image is not pinned."""
    if image is None:
        return
    _, tag, digest = image_version(image)
    if digest is None and tag in {None, "", "latest", "nightly", "main", "dev"}:
        yield Problem(
            f"{where}.image",
            f'"{image}"',
            "the tag moves: the next pod to start may run another version than its neighbors",
            "Pin a version, for example vllm/vllm-openai:v0.32.0, or a digest.",
        )


def _arguments(model: VllmModel, where: str) -> Iterator[Problem]:
    for flag in model.extra_args:
        if flag in _OWNED_FLAGS:
            yield Problem(
                f"{where}.extraArgs",
                f'"{flag}"',
                "the server would get it twice, and the other value decides probes, memory and routing",
                f"Set {_OWNED_FLAGS[flag]}."
                if not _OWNED_FLAGS[flag].startswith("nothing")
                else f"Remove it ({_OWNED_FLAGS[flag]}).",
            )
        elif model.image is None and not is_flag(flag):
            yield Problem(
                f"{where}.extraArgs",
                f'"{flag}"',
                "vLLM 0.32 has no such option and exits at once",
                "See `vllm serve --help=all` of the version in use.",
            )
