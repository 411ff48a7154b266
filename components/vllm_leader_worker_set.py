"""VllmLeaderWorkerSet: a model whose replica spans several nodes.

Owns: the LeaderWorkerSet, the Service of the pods that answer and its scrape target; of decode pods also what their
routing sidecar may read, of prefill pods no Service. Leaves alone: nodes, networks, the NCCL plugin, the controller,
secrets and the way in from outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components._vllm import create_server, properties
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
        super().__init__(TOKEN, name, {**properties(model), "groupSize": model.group_size}, opts)
        workload = servers.leader_worker_set(model)
        service = create_server(self, name, "group", workload, model=model, after=args.after)
        self.register_outputs({"service": service})
