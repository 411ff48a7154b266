"""FabricAcceptance: whether the fabric between the nodes of a pool is as fast as it must be.

Owns: a Job that measures NCCL's bandwidth, and the Service by which its pods find each other. Leaves alone: nodes,
networks, the NCCL plugin. What is created after it starts only on nodes that passed.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components import _options
from components._kubernetes import create
from inference.blueprint import GpuPoolPlan
from inference.manifests import nccl_acceptance as manifests
from inference.settings.pools import AcceptanceSettings

__all__ = ["FabricAcceptance", "FabricAcceptanceArgs"]

TOKEN = "gke-inference:index:FabricAcceptance"  # noqa: S105 - a type token


@dataclass(frozen=True, kw_only=True)
class FabricAcceptanceArgs:
    """What the component is made of."""

    pool: GpuPoolPlan
    """The pool whose nodes are tested."""
    test: AcceptanceSettings
    """How many nodes, and how fast."""


class FabricAcceptance(pulumi.ComponentResource):
    """Creates a headless Service and a Job, and fails with the Job."""

    def __init__(self, name: str, args: FabricAcceptanceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        test = args.test
        props = {"nodes": test.nodes, "minimumBusBandwidth": test.minimum_bus_bandwidth}
        super().__init__(TOKEN, name, {"pool": args.pool.name, **props}, opts)
        service = create(f"{name}-service", manifests.service(args.pool), pulumi.ResourceOptions(parent=self))
        waiting = _options.loading_workload(self, budget_seconds=manifests.DEADLINE_SECONDS, depends_on=[service])
        create(f"{name}-job", manifests.job(args.pool, test), waiting)
        self.register_outputs({})
