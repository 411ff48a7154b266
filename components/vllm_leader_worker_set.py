"""VllmLeaderWorkerSet: a model whose replica spans several nodes.

Owns: the LeaderWorkerSet, the Service of the pods that answer and its scrape target; of decode pods also what their
routing sidecar may read, of prefill pods no Service. Leaves alone: nodes, networks, the NCCL plugin, the controller,
secrets and the way in from outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components import _options
from components._endpoints import create_endpoints, create_rights
from components._kubernetes import create
from inference.blueprint import ModelPlan
from inference.manifests import servers

__all__ = ["VllmLeaderWorkerSet", "VllmLeaderWorkerSetArgs"]

TOKEN = "gke-inference:index:VllmLeaderWorkerSet"  # noqa: S105 - a type token


@dataclass(frozen=True, kw_only=True)
class VllmLeaderWorkerSetArgs:
    """What the component is made of."""

    model: ModelPlan
    after: Sequence[pulumi.Resource] = ()
    """What must be there before, and outlive, the pods."""


class VllmLeaderWorkerSet(pulumi.ComponentResource):
    """Creates a LeaderWorkerSet, a Service and a PodMonitoring."""

    def __init__(self, name: str, args: VllmLeaderWorkerSetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        model = args.model
        props = {"model": model.settings.model, "accelerators": model.per_pod, "replicas": model.settings.replicas}
        props |= {"role": model.role} if model.role else {}
        super().__init__(TOKEN, name, {**props, "groupSize": model.group_size}, opts)
        before = [*args.after, *create_rights(self, name, model)]
        workload = create(
            f"{name}-group",
            servers.leader_worker_set(model),
            _options.loading_workload(self, budget_seconds=model.startup.budget_seconds, depends_on=before),
        )
        self.register_outputs({"service": create_endpoints(self, name, model, workload)})
