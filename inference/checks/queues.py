"""Pools with queued provisioning: which workloads may wait in a queue for nodes of their own, and outlive these.

Kueue 0.19 treats each pod of a Deployment as a workload of its own: when its nodes go after their time, the next pod
waits for new ones. The pods of a LeaderWorkerSet or a StatefulSet are one workload, which Kueue gives up for good when
its nodes go (source KUEUE:pkg/controller/admissionchecks/provisioning), and whose pods can hardly be changed while it
is there.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.derivation import nim_models, nodes_per_replica, stages_of, vllm_models
from inference.problems import Problem
from inference.settings import StackSettings
from inference.settings.kserve import KserveModelSettings
from inference.settings.pools import GpuPoolSettings, QueuedProvisioning

__all__ = ["check"]

_INSTEAD = "Set type: flex-start, whose nodes come and are replaced without a queue, or reservation"


def check(settings: StackSettings) -> Iterator[Problem]:
    """Yield what waits in a queue and must not."""
    queued = {name for name, pool in settings.pools.items() if isinstance(pool.capacity, QueuedProvisioning)}
    for name, model in vllm_models(settings).items():
        for part, stage in stages_of(model):
            if stage.pool in queued:
                nodes = nodes_per_replica(stage, settings.pools[stage.pool])
                what = f"models.{name}.{part}" if part else f"models.{name}"
                if isinstance(model, KserveModelSettings):
                    yield _unsuited(stage.pool, what, "is served by KServe, whose own Deployments name no queue")
                elif nodes > 1:
                    yield _unsuited(
                        stage.pool,
                        what,
                        f"spans {nodes} nodes: Kueue gives a group up for good when its nodes end after "
                        "maxRunHours, and GKE brings nodes for one kind of pod a request, not for leader and workers",
                    )
    for name, nim in nim_models(settings).items():
        if nim.pool in queued:
            why = "is a StatefulSet, which Kueue gives up for good when its nodes end, and lets nobody scale"
            yield _unsuited(nim.pool, f"models.{name}", why)
    for name in queued:
        pool = settings.pools[name]
        if isinstance(pool, GpuPoolSettings) and pool.acceptance is not None:
            yield Problem(
                f"pools.{name}.acceptance",
                "on nodes that are queued for",
                "each workload gets nodes of its own: those that pass the test go back before the model's come",
                "Leave acceptance out, or set capacity.type: flex-start.",
            )


def _unsuited(pool: str, what: str, why: str) -> Problem:
    place = f"pools.{pool}.capacity.type"
    return Problem(place, f'"queued-provisioning" for {what}', f"{what} {why}", f"{_INSTEAD}.")
