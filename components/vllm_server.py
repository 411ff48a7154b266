"""VllmServer: a model whose replica fits one node.

Owns: the Deployment, its Service and its scrape target; of decode pods also what their routing sidecar may read, of
prefill pods no Service. Leaves alone: nodes, secrets and the way in from outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components._vllm import create_server, properties
from inference.blueprint import ModelPlan
from inference.manifests import servers

__all__ = ["VllmServer", "VllmServerArgs"]

TOKEN = "gke-inference:index:VllmServer"  # noqa: S105 - a type token


@dataclass(frozen=True, kw_only=True)
class VllmServerArgs:
    """What the component is made of."""

    model: ModelPlan
    after: Sequence[pulumi.Resource] = ()
    """What must be there before, and outlive, the pods."""


class VllmServer(pulumi.ComponentResource):
    """Creates a Deployment, a Service and a PodMonitoring."""

    def __init__(self, name: str, args: VllmServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        model = args.model
        super().__init__(TOKEN, name, properties(model), opts)
        workload = servers.deployment(model)
        service = create_server(self, name, "server", workload, model=model, after=args.after)
        self.register_outputs({"service": service})
