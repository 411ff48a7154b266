"""Which component serves a model."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components.vllm_leader_worker_set import VllmLeaderWorkerSet, VllmLeaderWorkerSetArgs
from components.vllm_server import VllmServer, VllmServerArgs
from inference.blueprint import ModelPlan

__all__ = ["serve"]


def serve(model: ModelPlan, after: Sequence[pulumi.Resource], opts: pulumi.ResourceOptions) -> pulumi.Resource:
    """Create the server of a model.

    Args:
        model: the model.
        after: what must be there before, and outlive, its pods.
        opts: options of the component.
    """
    if model.multi_node:
        return VllmLeaderWorkerSet(model.name, VllmLeaderWorkerSetArgs(model=model, after=after), opts)
    return VllmServer(model.name, VllmServerArgs(model=model, after=after), opts)
