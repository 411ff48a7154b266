"""NcclInstaller: Google's NCCL plugin on every node with a fabric.

Owns: one DaemonSet per CPU architecture for RDMA, pinned by digest; for TCPXO one that installs and one that hands out
devices. Leaves alone: the environment, which each server takes from the plugin's own script.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components._kubernetes import create
from inference.blueprint import GpuPoolPlan
from inference.manifests import tcpxo
from inference.manifests.nccl_installer import daemon_set

__all__ = ["NcclInstaller", "NcclInstallerArgs"]

TOKEN = "gke-inference:index:NcclInstaller"  # noqa: S105 - a type token


@dataclass(frozen=True, kw_only=True)
class NcclInstallerArgs:
    """What the component is made of."""

    pools: Sequence[GpuPoolPlan]
    """Pools whose nodes need the plugin."""


class NcclInstaller(pulumi.ComponentResource):
    """Creates one DaemonSet for each CPU architecture of RDMA pools, and two for TCPXO pools."""

    def __init__(self, name: str, args: NcclInstallerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        accelerators: dict[str, set[str]] = defaultdict(set)
        for pool in args.pools:
            accelerators["tcpxo" if pool.tcpxo else pool.machine.arch].add(pool.gpu.accelerator)
        super().__init__(TOKEN, name, {"accelerators": sorted(set().union(*accelerators.values()))}, opts)
        tcpxo_gpus = accelerators.pop("tcpxo", set())
        for arch, names in sorted(accelerators.items()):
            create(f"{name}-{arch}", daemon_set(names, arch), pulumi.ResourceOptions(parent=self))
        if tcpxo_gpus:
            create(f"{name}-tcpxo", tcpxo.installer(tcpxo_gpus), pulumi.ResourceOptions(parent=self))
            create(f"{name}-injector", tcpxo.device_injector(tcpxo_gpus), pulumi.ResourceOptions(parent=self))
        self.register_outputs({})
