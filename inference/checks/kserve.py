"""Models under KServe: what its controller makes of them, and what it leaves no choice about."""

from __future__ import annotations

import math
from collections.abc import Iterator

from inference.derivation import (
    accelerators_per_node,
    most_nodes,
    nim_models,
    nodes_per_replica,
    pods_accelerators,
    stages_of,
    vllm_models,
)
from inference.problems import Problem
from inference.settings import StackSettings
from inference.settings.kserve import KserveModelSettings
from inference.settings.pools import TpuPoolSettings

__all__ = ["check"]

_SURGE = 0.25
"""KServe sets no rollout strategy on its Deployments, so that Kubernetes' own default holds: a quarter more pods, at
least one, and none missing (source KSERVE:pkg/controller/v1alpha2/llmisvc/workload_single_node.go)."""


def check(settings: StackSettings) -> Iterator[Problem]:
    """Yield what is wrong with the models under KServe."""
    for name, model in vllm_models(settings).items():
        if not isinstance(model, KserveModelSettings):
            continue
        yield from _one_node(settings, name, model)
        yield from _room_for_a_rollout(settings, name, model)


def _one_node(settings: StackSettings, name: str, model: KserveModelSettings) -> Iterator[Problem]:
    pool = settings.pools.get(model.pool)
    nodes = nodes_per_replica(model, pool) if pool is not None and accelerators_per_node(pool) else 1
    if nodes > 1 or model.parallelism.pipeline > 1 or model.parallelism.data > 1:
        sizes = model.parallelism
        yield Problem(
            f"models.{name}.parallelism",
            f"tensor {sizes.tensor} × pipeline {sizes.pipeline} × data {sizes.data}"
            + (f" over {nodes} nodes" if nodes > 1 else ""),
            "KServe 0.20 has no preset for pipeline stages, and those for data parallelism start vLLM in their own way",
            "Set pipeline: 1 and data: 1 with a tensor that one node holds, or engine: vllm.",
        )


def _room_for_a_rollout(settings: StackSettings, name: str, model: KserveModelSettings) -> Iterator[Problem]:
    pool = settings.pools.get(model.pool)
    per_pod = pods_accelerators(model, pool) if pool is not None else None
    per_node = accelerators_per_node(pool) if pool is not None else None
    if pool is None or not per_pod or not per_node or not model.replicas:
        return
    taken = _taken(settings, model.pool)
    has, surge = per_node * most_nodes(pool), math.ceil(model.replicas * _SURGE) * per_pod
    if taken <= has < taken + surge:
        key = "slices" if isinstance(pool, TpuPoolSettings) else "nodes"
        yield Problem(
            f"pools.{model.pool}.{key}.max",
            f"{most_nodes(pool)} nodes are {has} accelerators, and {taken} of them are taken",
            f"KServe starts {surge // per_pod} new pod{'s' if surge > per_pod else ''} of models.{name} before it "
            "stops an old one, and has no setting for it; what is new would stay pending, and no change take effect",
            f"Set max to at least {math.ceil((taken + surge) / per_node)}; unused nodes cost nothing with min: 0.",
        )


def _taken(settings: StackSettings, pool_name: str) -> int:
    """Return the accelerators that the models of a pool take."""
    pool = settings.pools[pool_name]
    servers = [stage for model in vllm_models(settings).values() for _, stage in stages_of(model)]
    vllm = sum(
        server.replicas * nodes_per_replica(server, pool) * (pods_accelerators(server, pool) or 0)
        for server in servers
        if server.pool == pool_name
    )
    return vllm + sum(nim.replicas * nim.gpus for nim in nim_models(settings).values() if nim.pool == pool_name)
