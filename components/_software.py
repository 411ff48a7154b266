"""Which software the nodes and the cluster need before a model can run."""

from __future__ import annotations

import pulumi

from components.leader_worker_set_controller import LeaderWorkerSetController, LeaderWorkerSetControllerArgs
from components.nccl_installer import NcclInstaller, NcclInstallerArgs
from inference.blueprint import Blueprint

__all__ = ["install"]


def install(plan: Blueprint, opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """Create the installers and controllers of a stack; ``opts`` are the options of each."""
    software: list[pulumi.Resource] = []
    if carriers := [pool for pool in plan.fabrics.values() if pool.gib]:
        software.append(NcclInstaller("nccl", NcclInstallerArgs(pools=carriers), opts))
    if plan.groups:
        controller = LeaderWorkerSetControllerArgs(replicas=2 if plan.locked else 1)
        software.append(LeaderWorkerSetController("lws", controller, opts))
    return software
