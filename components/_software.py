"""Which software the nodes and the cluster need before a model can run."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import pulumi

from components.cert_manager import CertManager, CertManagerArgs
from components.compute_domains import ComputeDomains, ComputeDomainsArgs
from components.fabric_acceptance import FabricAcceptance, FabricAcceptanceArgs
from components.kserve_controller import KserveController, KserveControllerArgs
from components.kueue_controller import KueueController, KueueControllerArgs
from components.leader_worker_set_controller import LeaderWorkerSetController, LeaderWorkerSetControllerArgs
from components.nccl_installer import NcclInstaller, NcclInstallerArgs
from components.provisioning_queue import ProvisioningQueue, ProvisioningQueueArgs
from inference.blueprint import Blueprint, GpuPoolPlan

__all__ = ["install"]


def install(plan: Blueprint, opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """Create the installers and controllers of a stack; ``opts`` are the options of each."""
    software: list[pulumi.Resource] = []
    if joined := [pool for pool in plan.fabrics.values() if pool.nvlink_domain]:
        software.append(ComputeDomains("nvlink", ComputeDomainsArgs(pools=joined), opts))
    if carriers := [pool for pool in plan.fabrics.values() if pool.gib or pool.tcpxo]:
        installer = NcclInstaller("nccl", NcclInstallerArgs(pools=carriers), opts)
        software += [installer, *_accept(carriers, [*software, installer], opts)]
    if plan.groups:
        controller = LeaderWorkerSetControllerArgs(replicas=2 if plan.production else 1)
        software.append(LeaderWorkerSetController("lws", controller, opts))
    if plan.kserve:
        certificates = CertManager("cert-manager", CertManagerArgs(replicas=2 if plan.production else 1), opts)
        software += [certificates, KserveController("kserve", KserveControllerArgs(after=[certificates]), opts)]
    return [*software, *_queues(plan, software, opts)]


def _queues(
    plan: Blueprint, software: Sequence[pulumi.Resource], opts: pulumi.ResourceOptions
) -> Iterator[pulumi.Resource]:
    """Create Kueue and the queues of the pools that have one, after the controllers whose objects it looks at."""
    if queued := [pool for pool in plan.pools.values() if pool.queue is not None]:
        kueue = KueueController(
            "kueue", KueueControllerArgs(replicas=2 if plan.production else 1), _later(opts, software)
        )
        yield kueue
        for pool in queued:
            yield ProvisioningQueue(f"{pool.name}-queue", ProvisioningQueueArgs(pool=pool, after=[kueue]), opts)


def _later(opts: pulumi.ResourceOptions, software: Sequence[pulumi.Resource]) -> pulumi.ResourceOptions:
    after = copy.copy(opts)
    after.depends_on = [*(opts.depends_on if isinstance(opts.depends_on, Sequence) else []), *software]
    return after


def _accept(
    carriers: Sequence[GpuPoolPlan], software: Sequence[pulumi.Resource], opts: pulumi.ResourceOptions
) -> Iterator[FabricAcceptance]:
    """Create the tests of the pools that ask for one, after the software that they measure."""
    after = _later(opts, software)
    for pool in carriers:
        if pool.settings.acceptance is not None:
            args = FabricAcceptanceArgs(pool=pool, test=pool.settings.acceptance)
            yield FabricAcceptance(f"{pool.name}-acceptance", args, after)
