"""Prefill/decode disaggregation: the two kinds of server can pass caches on, and somebody pairs them."""

from __future__ import annotations

from collections.abc import Iterator

from inference.derivation import vllm_models
from inference.facts.models import Model
from inference.problems import Problem
from inference.settings import StackSettings
from inference.settings.pools import TpuPoolSettings

__all__ = ["check"]


def check(settings: StackSettings, name: str, known: Model | None) -> Iterator[Problem]:
    """Yield what is wrong with a model's separate prefill servers; nothing where it has none."""
    model = vllm_models(settings)[name]
    prefill, where = model.prefill, f"models.{name}.prefill"
    if prefill is None:
        return
    if settings.gateway is None:
        yield Problem(
            where,
            "there is no gateway",
            "nobody would choose a prefill server for a prompt: that is what its endpoint picker does",
            "Add a gateway, or remove prefill.",
        )
    if f"{name}-prefill" in settings.models:
        yield Problem(
            where,
            f'a model is called "{name}-prefill"',
            "that is the name of these servers, and both would be one Deployment",
            "Rename the other model.",
        )
    reading, writing = prefill.parallelism or model.parallelism, model.parallelism
    for path, sizes in ((f"{where}.parallelism", reading), (f"models.{name}.parallelism", writing)):
        if sizes.pipeline > 1:
            yield Problem(
                f"{path}.pipeline",
                str(sizes.pipeline),
                "the cache of a prompt is passed on between servers that each answer and hold it whole, not between "
                "pipeline stages",
                "Set pipeline: 1; for more nodes raise replicas, or data for a mixture of experts.",
            )
    if reading.tensor > writing.tensor and (known is None or known.mla is None):
        yield Problem(
            f"{where}.parallelism.tensor",
            str(reading.tensor),
            f"the servers that answer have {writing.tensor}, and cannot fetch a cache that is cut finer than their own",
            f"Set it to {writing.tensor} or less.",
        )
    elif writing.tensor % reading.tensor and reading.tensor % writing.tensor:
        yield Problem(
            f"{where}.parallelism.tensor",
            str(reading.tensor),
            f"it neither divides nor is divided by the {writing.tensor} of the servers that answer, so that no rank of "
            "theirs knows whose part of the cache is its own",
            f"Set it to a divisor of {writing.tensor}.",
        )
    for pool_name in dict.fromkeys([prefill.pool or model.pool, model.pool]):
        if isinstance(settings.pools.get(pool_name), TpuPoolSettings):
            yield Problem(
                where,
                f"pool {pool_name} has TPUs",
                "caches are passed on between GPUs only: the TPU build of vLLM carries an older transfer library",
                "Use a GPU pool, or remove prefill.",
            )
