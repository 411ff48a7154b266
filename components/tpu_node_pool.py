"""TpuNodePool: a TPU slice, whose machine, node count and placement follow from its topology.

Owns: one GKE node pool, and the workload policy where the generation needs one. Leaves alone: the workloads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import pulumi
import pulumi_gcp as gcp

from components import _options
from components._capacity import capacity_arguments
from components._pools import PoolHome
from components.inference_cluster import InferenceCluster
from inference.blueprint import Blueprint, TpuPoolPlan
from inference.facts import gke

__all__ = ["TpuNodePool", "TpuNodePoolArgs"]

TOKEN = "gke-inference:index:TpuNodePool"  # noqa: S105 - a type token


@dataclass(frozen=True, kw_only=True)
class TpuNodePoolArgs:
    """What the component is made of."""

    pool: TpuPoolPlan
    home: PoolHome

    @classmethod
    def of(cls, plan: Blueprint, pool: TpuPoolPlan, cluster: InferenceCluster) -> Self:
        """Return the arguments for a pool of a stack."""
        return cls(pool=pool, home=PoolHome.of(plan, cluster))


class TpuNodePool(pulumi.ComponentResource):
    """Creates one node pool, and a resource policy for slices of several hosts that need one."""

    name: pulumi.Output[str]
    """Name of the pool in GKE."""

    def __init__(self, name: str, args: TpuNodePoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        plan = args.pool
        props = {"machineType": plan.slice.machine_type, "topology": plan.slice.topology, "zone": plan.zone}
        super().__init__(TOKEN, name, {**props, "capacity": plan.capacity.type}, opts)
        container = gcp.container
        bought = capacity_arguments(plan, args.home.project)
        pool = container.NodePool(
            f"{name}-nodes",
            cluster=args.home.cluster,
            location=args.home.location,
            node_locations=[plan.zone],
            initial_node_count=plan.min_nodes,
            autoscaling=self._autoscaling(plan),
            management=bought.management,
            queued_provisioning=bought.queued_provisioning,
            placement_policy=self._placement(name, args),
            upgrade_settings=container.NodePoolUpgradeSettingsArgs(strategy="SURGE", max_surge=0, max_unavailable=1),
            network_config=container.NodePoolNetworkConfigArgs(enable_private_nodes=True),
            node_config=container.NodePoolNodeConfigArgs(
                machine_type=plan.slice.machine_type,
                image_type=gke.IMAGE_TYPE,
                disk_type=plan.slice.generation.boot_disk_type,
                disk_size_gb=plan.settings.boot_disk_gb,
                gvnic=container.NodePoolNodeConfigGvnicArgs(enabled=True),
                labels=plan.labels,
                service_account=args.home.node_identity,
                oauth_scopes=["https://www.googleapis.com/auth/cloud-platform"],
                workload_metadata_config=container.NodePoolNodeConfigWorkloadMetadataConfigArgs(mode="GKE_METADATA"),
                **bought.node,
            ),
            opts=_options.accelerator_pool(self, locked=args.home.locked, depends_on=args.home.after),
        )
        self.name = pool.name
        self.register_outputs({"name": self.name})

    @staticmethod
    def _autoscaling(plan: TpuPoolPlan) -> gcp.container.NodePoolAutoscalingArgs:
        """Return limits per zone: a slice of several hosts comes and goes as a whole, and GKE counts it per zone."""
        return gcp.container.NodePoolAutoscalingArgs(
            min_node_count=plan.min_nodes, max_node_count=plan.max_nodes, location_policy="ANY"
        )

    def _placement(self, name: str, args: TpuNodePoolArgs) -> gcp.container.NodePoolPlacementPolicyArgs | None:
        found = args.pool.slice
        if not found.multi_host:
            return None
        if found.generation.placement != "workload-policy":
            return gcp.container.NodePoolPlacementPolicyArgs(type="COMPACT", tpu_topology=found.topology)
        policy = gcp.compute.ResourcePolicy(
            f"{name}-slice",
            region=args.home.region,
            workload_policy=gcp.compute.ResourcePolicyWorkloadPolicyArgs(
                type="HIGH_THROUGHPUT", accelerator_topology=found.topology
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return gcp.container.NodePoolPlacementPolicyArgs(
            type="COMPACT", policy_name=policy.name, tpu_topology=found.topology
        )
