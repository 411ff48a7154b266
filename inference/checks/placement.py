"""Placement: a replica lies on its nodes without a gap, and a pool holds all replicas that are meant for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from inference.derivation import (
    INSTALLED_FABRICS,
    accelerators_per_node,
    attachment_of,
    fabric_of,
    most_nodes,
    nim_models,
    nodes_per_replica,
    pods_accelerators,
    split_of,
    stages_of,
    vllm_models,
)
from inference.facts.tpus import GENERATIONS
from inference.problems import Problem
from inference.settings import StackSettings
from inference.settings.models import VllmModel
from inference.settings.pools import AcceleratorPool, TpuPoolSettings

__all__ = ["check", "check_replica"]


def check_replica(model: VllmModel, pool: AcceleratorPool, where: str) -> Iterator[Problem]:
    """Yield what is wrong with how a replica of a model is spread over the nodes of its pool."""
    per_node = accelerators_per_node(pool)
    split, fabric = split_of(model), fabric_of(pool)
    per_pod = pods_accelerators(model, pool)
    if per_node is None or per_pod is None:
        return
    what = "TPU chips" if isinstance(pool, TpuPoolSettings) else "GPUs"
    nodes = nodes_per_replica(model, pool)
    if per_pod > per_node:
        yield Problem(
            f"{where}.gpus",
            str(per_pod),
            f"a node of pool {model.pool} has {per_node} {what}",
            f"Set gpus: {per_node} or less.",
        )
    elif nodes > 1 and per_pod < per_node and fabric_of(pool) is not None and attachment_of(pool) != "default":
        yield Problem(
            f"{where}.gpus",
            f"{per_pod} of the {per_node} {what} of a node",
            "the RDMA NICs of a node go to one pod as a whole, so the other accelerators could not be used with them",
            f"Set gpus: {per_node}, or leave it out.",
        )
    elif split.devices != per_pod * nodes or (nodes == 1 and model.gpus not in {None, split.devices}):
        yield Problem(
            f"{where}.parallelism",
            f"{split} = {split.devices}",
            f"{nodes} pod{'s' if nodes > 1 else ''} of {per_pod} {what} {'are' if nodes > 1 else 'is'} "
            f"{per_pod * nodes}; what is missing hangs at start, what is left over idles",
            f"Make the product {per_pod * nodes}, or change gpus.",
        )
    elif isinstance(pool, TpuPoolSettings) and per_pod < per_node:
        yield Problem(
            f"{where}.parallelism.tensor",
            str(split.tensor),
            f"a pod takes all {per_node} chips of its host, and would leave {per_node - per_pod} of them idle",
            f"Set tensor: {per_node}{_smaller_host(pool, per_pod)}.",
        )
    if split.data > 1 and (split.pipeline > 1 or per_pod % split.tensor):
        yield Problem(
            f"{where}.parallelism",
            str(split),
            f"every node answers for whole data-parallel ranks, and a node of pool {model.pool} has {per_pod} {what} "
            "for them",
            f"Set pipeline: 1 and a tensor that divides {per_pod}.",
        )
    elif split.tensor > per_node and not isinstance(pool, TpuPoolSettings):
        yield Problem(
            f"{where}.parallelism.tensor",
            str(split.tensor),
            f"a node of pool {model.pool} has {per_node} {what}, and tensor parallelism over nodes waits for the "
            "network at every layer",
            f"Set tensor: {per_node} and pipeline: {-(-split.devices // per_node)}.",
        )
    elif nodes > 1 and fabric is not None and fabric.name == "tcpx":
        yield Problem(
            f"{where}.parallelism",
            f"{split} over {nodes} nodes",
            f"the nodes of pool {model.pool} reach each other by GPUDirect-TCPX, whose software this "
            "program does not install",
            f"Keep each replica on one node (at most {per_node} {what}), or take a3-megagpu-8g.",
        )
    elif nodes > 1 and fabric is not None and fabric.name in INSTALLED_FABRICS and attachment_of(pool) == "default":
        yield Problem(
            f"pools.{model.pool}.network",
            '"default"',
            f"{where} spans {nodes} nodes, whose RDMA NICs would stay unused",
            "Set network: multi-network or dranet, or leave it out.",
        )


def _smaller_host(pool: TpuPoolSettings, chips: int) -> str:
    """Return the other way out: a topology of as many chips as a pod takes, where the generation has hosts of them."""
    if chips not in GENERATIONS[pool.generation].machine_types.values():
        return ""
    return f", or a topology of {chips} chip{'s' if chips > 1 else ''}"


def check(settings: StackSettings) -> Iterator[Problem]:
    """Yield the pools that cannot hold all replicas of their models."""
    wanted: dict[str, dict[str, int]] = defaultdict(dict)
    stages = [(name, *stage) for name, model in vllm_models(settings).items() for stage in stages_of(model)]
    for name, part, model in stages:
        pool = settings.pools.get(model.pool)
        per_pod = pods_accelerators(model, pool) if pool else None
        if pool is not None and per_pod:
            needed = model.replicas * nodes_per_replica(model, pool) * per_pod
            wanted[model.pool][f"{name}.{part}" if part else name] = needed
    for name, nim in nim_models(settings).items():
        if nim.pool in settings.pools:
            wanted[nim.pool][name] = nim.replicas * nim.gpus
    for pool_name, models in wanted.items():
        pool = settings.pools[pool_name]
        per_node = accelerators_per_node(pool) or 0
        has = per_node * most_nodes(pool)
        if per_node and sum(models.values()) > has:
            yield Problem(
                f"pools.{pool_name}.{'slices' if isinstance(pool, TpuPoolSettings) else 'nodes'}.max",
                f"{most_nodes(pool)} nodes are {has} accelerators",
                f"{' and '.join(f'{n} takes {count}' for n, count in models.items())}; the rest would stay pending",
                f"Set max to at least {-(-sum(models.values()) // per_node)} nodes, or lower replicas.",
            )
