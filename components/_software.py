"""Which software the nodes and the cluster need before a model can run."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import pulumi

from components.fabric_acceptance import FabricAcceptance, FabricAcceptanceArgs
from components.leader_worker_set_controller import LeaderWorkerSetController, LeaderWorkerSetControllerArgs
from components.nccl_installer import NcclInstaller, NcclInstallerArgs
from inference.blueprint import Blueprint, GpuPoolPlan

__all__ = ["install"]


def install(plan: Blueprint, opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """Create the installers and controllers of a stack; ``opts`` are the options of each."""
    software: list[pulumi.Resource] = []
    if carriers := [pool for pool in plan.fabrics.values() if pool.gib]:
        installer = NcclInstaller("nccl", NcclInstallerArgs(pools=carriers), opts)
        software += [installer, *_accept(carriers, installer, opts)]
    if plan.groups:
        controller = LeaderWorkerSetControllerArgs(replicas=2 if plan.locked else 1)
        software.append(LeaderWorkerSetController("lws", controller, opts))
    return software


def _accept(
    carriers: Sequence[GpuPoolPlan], installer: NcclInstaller, opts: pulumi.ResourceOptions
) -> Iterator[FabricAcceptance]:
    """Create the tests of the pools that ask for one, after the plugin that they measure."""
    after = copy.copy(opts)
    after.depends_on = [*(opts.depends_on if isinstance(opts.depends_on, Sequence) else []), installer]
    for pool in carriers:
        if pool.settings.acceptance is not None:
            args = FabricAcceptanceArgs(pool=pool, test=pool.settings.acceptance)
            yield FabricAcceptance(f"{pool.name}-acceptance", args, after)
