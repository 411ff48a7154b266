"""KserveModel: a model that KServe makes a workload and a route of.

Owns: the LLMInferenceService and its scrape target. Leaves alone: nodes, secrets, KServe itself, and gateway, pool and
picker, which are those of every other model. KServe owns what it makes: Deployment, Service and HTTPRoute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components import _options
from components._kubernetes import create
from components._vllm import properties
from inference.blueprint import ModelPlan
from inference.manifests import kserve, servers
from inference.settings.gateway import GatewaySettings

__all__ = ["KserveModel", "KserveModelArgs"]

TOKEN = "gke-inference:index:KserveModel"  # noqa: S105 - a type token


@dataclass(frozen=True, kw_only=True)
class KserveModelArgs:
    """What the component is made of."""

    model: ModelPlan
    gateway: GatewaySettings | None
    """The gateway that the route leads from; ``None`` for clients inside the cluster only."""
    by_name: bool
    """Whether the gateway leads to several models."""
    after: Sequence[pulumi.Resource] = ()
    """What must be there before, and outlive, the pods: also KServe, which must be there to take its objects away."""


class KserveModel(pulumi.ComponentResource):
    """Creates an LLMInferenceService and a PodMonitoring."""

    def __init__(self, name: str, args: KserveModelArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        model = args.model
        super().__init__(TOKEN, name, properties(model), opts)
        workload = create(
            f"{name}-service",
            kserve.llm_inference_service(model, args.gateway, by_name=args.by_name),
            _options.loading_workload(self, budget_seconds=model.startup.budget_seconds, depends_on=args.after),
        )
        after = pulumi.ResourceOptions(parent=self, depends_on=[workload])
        create(f"{name}-metrics", servers.pod_monitoring(model), after)
        self.register_outputs({"service": kserve.service_name(model)})
