"""GpuNodePool: nodes with GPUs, bought in one way or several in order, upgraded without a spare node.

Owns: a GKE node pool for each way, the ComputeClass that puts them in order, and the workload policy where NVLink joins
the nodes. Leaves alone: the fabric's networks (RdmaNetwork) and the software on the nodes (NcclInstaller,
ComputeDomains).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import pulumi
import pulumi_gcp as gcp

from components import _options
from components._capacity import capacity_arguments
from components._kubernetes import create
from components._pools import PoolHome
from components.inference_cluster import InferenceCluster
from components.rdma_network import AttachedNetwork, RdmaNetwork
from inference.blueprint import Blueprint, GpuPoolPlan
from inference.facts import gke
from inference.manifests.compute_class import compute_class

__all__ = ["GpuNodePool", "GpuNodePoolArgs"]

TOKEN = "gke-inference:index:GpuNodePool"  # noqa: S105 - a type token


@dataclass(frozen=True, kw_only=True)
class GpuNodePoolArgs:
    """What the component is made of."""

    pool: GpuPoolPlan
    home: PoolHome
    attached: Sequence[AttachedNetwork] = ()
    """Further networks in NIC order."""
    network_profile: str | None = None
    """``auto`` for managed DRANET."""

    @classmethod
    def of(cls, plan: Blueprint, pool: GpuPoolPlan, cluster: InferenceCluster, fabric: RdmaNetwork | None) -> Self:
        """Return the arguments for a pool of a stack."""
        return cls(
            pool=pool,
            home=PoolHome.of(plan, cluster),
            attached=fabric.attached if fabric else (),
            network_profile=fabric.profile if fabric else None,
        )


class GpuNodePool(pulumi.ComponentResource):
    """Creates a node pool for each way to buy the nodes, a ComputeClass for several, a policy for a shared NVLink."""

    name: pulumi.Output[str]
    """Name of the first pool in GKE."""

    def __init__(self, name: str, args: GpuNodePoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        plan = args.pool
        props = {"machineType": plan.machine.name, "zone": plan.zone, "capacity": plan.capacity.type}
        super().__init__(TOKEN, name, {**props, "minNodes": plan.min_nodes, "maxNodes": plan.max_nodes}, opts)
        placement = self._placement(name, args)
        pools = [self._create_pool(f"{name}-nodes", args, placement)]
        for capacity in plan.fallback:
            other = replace(args, pool=replace(plan, capacity=capacity, min_nodes=0))
            pools.append(self._create_pool(f"{name}-{capacity.type}", other, placement))
        if plan.compute_class is not None:
            made = compute_class(plan.compute_class, [pool.name for pool in pools])
            create(f"{name}-class", made, pulumi.ResourceOptions(parent=self))
        self.name = pools[0].name
        self.register_outputs({"name": self.name})

    def _create_pool(
        self, name: str, args: GpuNodePoolArgs, placement: gcp.container.NodePoolPlacementPolicyArgs | None
    ) -> gcp.container.NodePool:
        plan = args.pool
        bought = capacity_arguments(plan, args.home.project)
        return gcp.container.NodePool(
            name,
            cluster=args.home.cluster,
            location=args.home.location,
            node_locations=[plan.zone],
            initial_node_count=plan.min_nodes,
            autoscaling=bought.autoscaling,
            management=bought.management,
            queued_provisioning=bought.queued_provisioning,
            placement_policy=placement,
            upgrade_settings=gcp.container.NodePoolUpgradeSettingsArgs(
                strategy="SURGE", max_surge=0, max_unavailable=1
            ),
            network_config=_network(args),
            node_config=_node_config(args, bought.node),
            opts=_options.accelerator_pool(self, locked=args.home.locked, depends_on=args.home.after),
        )

    def _placement(self, name: str, args: GpuNodePoolArgs) -> gcp.container.NodePoolPlacementPolicyArgs | None:
        """Keep nodes that share NVLink in one domain."""
        if not args.pool.nvlink_domain:
            return None
        policy = gcp.compute.ResourcePolicy(
            f"{name}-domain",
            region=args.home.region,
            workload_policy=gcp.compute.ResourcePolicyWorkloadPolicyArgs(
                type="HIGH_THROUGHPUT", accelerator_topology=gke.NVLINK_DOMAIN_TOPOLOGY
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return gcp.container.NodePoolPlacementPolicyArgs(type="COMPACT", policy_name=policy.name)


def _network(args: GpuNodePoolArgs) -> gcp.container.NodePoolNetworkConfigArgs:
    return gcp.container.NodePoolNetworkConfigArgs(
        enable_private_nodes=True,
        accelerator_network_profile=args.network_profile,
        additional_node_network_configs=[
            gcp.container.NodePoolNetworkConfigAdditionalNodeNetworkConfigArgs(
                network=attached.network, subnetwork=attached.subnetwork
            )
            for attached in args.attached
        ]
        or None,
    )


def _node_config(args: GpuNodePoolArgs, bought: dict[str, object]) -> gcp.container.NodePoolNodeConfigArgs:
    container, plan = gcp.container, args.pool
    labels = {**plan.labels, gke.DRANET_LABEL: "true"} if args.network_profile else plan.labels
    taints = [gke.GPU_TAINT, *([gke.Taint.of_class(plan.compute_class)] if plan.compute_class else [])]
    ssds = plan.machine.local_ssds
    return container.NodePoolNodeConfigArgs(
        machine_type=plan.machine.name,
        image_type=gke.IMAGE_TYPE,
        disk_type=plan.boot_disk_type,
        disk_size_gb=plan.settings.boot_disk_gb,
        guest_accelerators=[
            container.NodePoolNodeConfigGuestAcceleratorArgs(
                type=plan.gpu.accelerator,
                count=plan.per_node,
                gpu_driver_installation_config=(
                    container.NodePoolNodeConfigGuestAcceleratorGpuDriverInstallationConfigArgs(
                        gpu_driver_version=plan.settings.driver
                    )
                ),
            )
        ],
        ephemeral_storage_local_ssd_config=(
            container.NodePoolNodeConfigEphemeralStorageLocalSsdConfigArgs(local_ssd_count=ssds) if ssds else None
        ),
        gvnic=container.NodePoolNodeConfigGvnicArgs(enabled=True),
        labels=labels,
        taints=[
            container.NodePoolNodeConfigTaintArgs(key=taint.key, value=taint.value, effect=taint.api_effect)
            for taint in taints
        ],
        service_account=args.home.node_identity,
        oauth_scopes=["https://www.googleapis.com/auth/cloud-platform"],
        workload_metadata_config=container.NodePoolNodeConfigWorkloadMetadataConfigArgs(mode="GKE_METADATA"),
        shielded_instance_config=container.NodePoolNodeConfigShieldedInstanceConfigArgs(
            enable_secure_boot=True, enable_integrity_monitoring=True
        ),
        **bought,
    )
