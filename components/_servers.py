"""Which components serve a model."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.kserve_model import KserveModel, KserveModelArgs
from components.vllm_leader_worker_set import VllmLeaderWorkerSet, VllmLeaderWorkerSetArgs
from components.vllm_server import VllmServer, VllmServerArgs
from inference.blueprint import Blueprint, ModelPlan

__all__ = ["serve"]


def serve(
    plan: Blueprint, model: ModelPlan, after: Sequence[pulumi.Resource], opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """Create the servers of a model: one component, and another for its prompts where they are read separately.

    Args:
        plan: the stack.
        model: the model, one of those that vLLM serves.
        after: what must be there before, and outlive, its pods.
        opts: options of each component.
    """
    if model.settings.engine == "kserve":
        several = len(plan.models) > 1
        args = KserveModelArgs(model=model, gateway=plan.settings.gateway, by_name=several, after=after)
        return [KserveModel(model.name, args, opts)]
    return [_serve(stage, after, opts) for stage in (model, model.prefill) if stage is not None]


def _serve(model: ModelPlan, after: Sequence[pulumi.Resource], opts: pulumi.ResourceOptions) -> pulumi.Resource:
    if model.multi_node:
        return VllmLeaderWorkerSet(model.workload, VllmLeaderWorkerSetArgs(model=model, after=after), opts)
    return VllmServer(model.workload, VllmServerArgs(model=model, after=after), opts)
