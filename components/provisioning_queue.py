"""ProvisioningQueue: the way of a workload to nodes that come for it alone (queued provisioning).

Owns: for one pool a flavor, a check that asks GKE for nodes, a quota and the queue that pods name. Leaves alone: the
pool, the controller, and the ProvisioningRequests, which Kueue makes and removes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components._kubernetes import create
from inference.blueprint import GpuPoolPlan, TpuPoolPlan
from inference.manifests import provisioning_queue as manifests

__all__ = ["ProvisioningQueue", "ProvisioningQueueArgs"]

TOKEN = "gke-inference:index:ProvisioningQueue"  # noqa: S105 - a type token


@dataclass(frozen=True, kw_only=True)
class ProvisioningQueueArgs:
    """What the component is made of."""

    pool: GpuPoolPlan | TpuPoolPlan
    after: Sequence[pulumi.Resource] = ()
    """What must be there before, and outlive, the objects: Kueue."""


class ProvisioningQueue(pulumi.ComponentResource):
    """Creates five objects, each after those that it names."""

    def __init__(self, name: str, args: ProvisioningQueueArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        pool = args.pool
        super().__init__(TOKEN, name, {"pool": pool.name, "resource": pool.resource}, opts)
        first = pulumi.ResourceOptions(parent=self, depends_on=list(args.after))
        flavor = create(f"{name}-flavor", manifests.resource_flavor(pool), first)
        config = create(f"{name}-requests", manifests.provisioning_config(pool), first)
        check = create(f"{name}-check", manifests.admission_check(pool), self._after(config))
        quota = create(f"{name}-quota", manifests.cluster_queue(pool), self._after(flavor, check))
        create(f"{name}-entrance", manifests.local_queue(pool), self._after(quota))
        self.register_outputs({"queue": pool.name})

    def _after(self, *named: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=list(named))
