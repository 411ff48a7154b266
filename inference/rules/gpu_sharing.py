"""GPUs that several containers share: in turns, by MPS, or cut into partitions that behave as GPUs of their own.

Each kind of GPU can be cut into a few sizes only, and some cannot be cut at all. The pool says it once, when it is
made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from inference.rules.framework import Severity, rule
from inference.rules.views.cloud import NodePool
from inference.rules.views.values import Props

_WITHOUT_MIG = frozenset(
    {
        "nvidia-tesla-t4",
        "nvidia-tesla-v100",
        "nvidia-tesla-p100",
        "nvidia-tesla-p4",
        "nvidia-l4",
        "nvidia-gb200",
        "nvidia-gb300",
    }
)
"""GPUs that cannot be partitioned on GKE: the silicon cannot, or (GB200, GB300) its memory mode excludes it."""

_PARTITION = re.compile(r"[1-7]g\.(\d{1,3})gb")
_PARTITION_GB = {
    "nvidia-tesla-a100": (5, 10, 20, 40),
    "nvidia-a100-80gb": (10, 20, 40, 80),
    "nvidia-h100-80gb": (10, 20, 40, 80),
}
"""GB of the partitions of a GPU: https://cloud.google.com/kubernetes-engine/docs/how-to/gpus-multi"""

_SHARING = frozenset({"TIME_SHARING", "MPS"})
_CLIENTS = range(2, 49)
"""Containers that may share one GPU: https://cloud.google.com/kubernetes-engine/docs/how-to/timesharing-gpus"""


@rule(
    "nodepool-gpu-sharing-is-possible",
    title="GPUs are shared in a way that they support",
    breaks="GKE refuses the pool, or its nodes offer no GPU.",
    fix="TIME_SHARING or MPS with 2 to 48 clients; MIG partitions only on A100, H100, H200, B200 and RTX PRO 6000, of "
    "the sizes of that GPU: 1g.5gb is of the A100 with 40 GB, 1g.10gb of those with 80.",
    source="https://cloud.google.com/kubernetes-engine/docs/concepts/timesharing-gpus",
    severity=Severity.MEDIUM,
    on=NodePool,
)
def gpu_sharing_is_possible(pool: NodePool) -> Iterator[str]:
    for accelerator in pool.config.sections("guestAccelerators"):
        kind, partition = accelerator.text("type"), accelerator.text("gpuPartitionSize")
        if partition and kind in _WITHOUT_MIG:
            yield f"{pool} partitions {kind} into {partition}, which it cannot do. Take gpuPartitionSize away."
        match = _PARTITION.fullmatch(partition) if partition else None
        if partition and kind in _PARTITION_GB and (match is None or int(match[1]) not in _PARTITION_GB[kind]):
            sizes = ", ".join(map(str, _PARTITION_GB[kind]))
            yield (
                f"{pool} partitions {kind} into {partition}; its partitions have {sizes} GB, and GKE refuses the pool. "
                f"Write for example 1g.{_PARTITION_GB[kind][0]}gb."
            )
        yield from _sharing(pool, accelerator.section("gpuSharingConfig"))


def _sharing(pool: NodePool, config: Props) -> Iterator[str]:
    strategy, clients = config.text("gpuSharingStrategy"), config.integer("maxSharedClientsPerGpu")
    if strategy and strategy not in _SHARING:
        yield f'{pool} shares GPUs by "{strategy}", which GKE does not know. Write TIME_SHARING or MPS.'
    if clients and clients not in _CLIENTS:
        yield f"{pool} lets {clients} containers share a GPU; GKE allows 2 to 48. Set maxSharedClientsPerGpu."
