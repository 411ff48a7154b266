"""InferenceCluster: the GKE cluster that the accelerator pools join.

Owns: the identity of the nodes, the cluster, and the CPU pool for controllers, endpoint pickers and add-ons.
Leaves alone: accelerator pools, and providers, which the caller makes from ``kubeconfig``.
The control plane is reached over its DNS endpoint with IAM, so neither a public address nor a client certificate
exists, and nothing that is derived from the cluster turns secret.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Self

import pulumi
import pulumi_gcp as gcp

from components import _options
from components.platform_network import PODS_RANGE, SERVICES_RANGE, PlatformNetwork
from inference.blueprint import Blueprint
from inference.facts import gke
from inference.facts.permissions import NODE_ROLES
from inference.naming import bounded
from inference.settings.cluster import ClusterSettings, MaintenanceWindow

__all__ = ["InferenceCluster", "InferenceClusterArgs"]

TOKEN = "gke-inference:index:InferenceCluster"  # noqa: S105 - a type token

_WINDOW_EPOCH = date(2026, 1, 3)
"""A Saturday; a recurring window needs a first occurrence, and one in the past changes nothing."""


@dataclass(frozen=True, kw_only=True)
class InferenceClusterArgs:
    """What the component is made of."""

    name: str
    """Name of the cluster; explicit, because people and tools type it."""
    settings: ClusterSettings
    network: pulumi.Input[str]
    subnetwork: pulumi.Input[str]
    multi_networking: bool
    """Whether pods attach further networks; cannot be changed later."""
    gateway: bool
    """Whether the Gateway API is switched on."""
    buckets: bool
    """Whether pods mount Cloud Storage."""
    locked: bool
    """Whether deletion and replacement are refused."""

    @classmethod
    def of(cls, plan: Blueprint, network: PlatformNetwork) -> Self:
        """Return the arguments of a stack."""
        return cls(
            name=plan.cluster_name,
            settings=plan.settings.cluster,
            network=network.network,
            subnetwork=network.subnetwork,
            multi_networking=plan.multi_networking,
            gateway=plan.settings.gateway is not None,
            buckets=plan.buckets,
            locked=plan.locked,
        )


class InferenceCluster(pulumi.ComponentResource):
    """Creates a service account with its roles, a cluster and a CPU node pool."""

    cluster: gcp.container.Cluster
    """The cluster; pools name it by ``cluster.id``."""
    system_pool: gcp.container.NodePool
    """The CPU pool; whatever runs in the cluster depends on it."""
    node_identity: pulumi.Output[str]
    """Email of the service account of all nodes."""
    kubeconfig: pulumi.Output[str]
    """Configuration for clients with ``gke-gcloud-auth-plugin``; holds no credential."""

    def __init__(self, name: str, args: InferenceClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {"location": args.settings.location, "environment": args.settings.environment, "name": args.name}
        super().__init__(TOKEN, name, props, opts)
        self.node_identity, rights = self._create_node_identity(name, args)
        self.cluster = self._create_cluster(name, args)
        self.system_pool = self._create_system_pool(name, args, rights)
        self.kubeconfig = pulumi.Output.all(
            args.name, self.cluster.control_plane_endpoints_config.dns_endpoint_config.endpoint
        ).apply(lambda parts: _kubeconfig(*parts))
        self.register_outputs({"name": args.name, "kubeconfig": self.kubeconfig})

    def _create_node_identity(
        self, name: str, args: InferenceClusterArgs
    ) -> tuple[pulumi.Output[str], list[pulumi.Resource]]:
        """Return the email, and the rights that nodes must have before they come and until they are gone."""
        child = pulumi.ResourceOptions(parent=self)
        account = gcp.serviceaccount.Account(
            f"{name}-nodes",
            account_id=bounded(f"{args.name}-nodes", 30),
            display_name=f"Nodes of the cluster {args.name}",
            opts=child,
        )
        rights: list[pulumi.Resource] = [
            gcp.projects.IAMMember(
                f"{name}-nodes-{role.rpartition('.')[2] or role}",
                project=args.settings.project,
                role=role,
                member=account.email.apply(lambda email: f"serviceAccount:{email}"),
                opts=child,
            )
            for role in NODE_ROLES
        ]
        return account.email, rights

    def _create_cluster(self, name: str, args: InferenceClusterArgs) -> gcp.container.Cluster:
        container = gcp.container
        settings = args.settings
        return container.Cluster(
            f"{name}-cluster",
            name=args.name,
            location=settings.location,
            network=args.network,
            subnetwork=args.subnetwork,
            networking_mode="VPC_NATIVE",
            ip_allocation_policy=container.ClusterIpAllocationPolicyArgs(
                cluster_secondary_range_name=PODS_RANGE, services_secondary_range_name=SERVICES_RANGE
            ),
            datapath_provider=gke.DATAPATH_V2,
            enable_multi_networking=args.multi_networking,
            private_cluster_config=container.ClusterPrivateClusterConfigArgs(enable_private_nodes=True),
            control_plane_endpoints_config=container.ClusterControlPlaneEndpointsConfigArgs(
                dns_endpoint_config=container.ClusterControlPlaneEndpointsConfigDnsEndpointConfigArgs(
                    allow_external_traffic=True
                ),
                ip_endpoints_config=container.ClusterControlPlaneEndpointsConfigIpEndpointsConfigArgs(enabled=False),
            ),
            workload_identity_config=container.ClusterWorkloadIdentityConfigArgs(
                workload_pool=f"{settings.project}.svc.id.goog"
            ),
            release_channel=container.ClusterReleaseChannelArgs(channel=settings.release_channel),
            min_master_version=settings.version,
            maintenance_policy=_maintenance(settings.maintenance_window),
            gateway_api_config=container.ClusterGatewayApiConfigArgs(
                channel=gke.GATEWAY_API_CHANNEL if args.gateway else "CHANNEL_DISABLED"
            ),
            addons_config=container.ClusterAddonsConfigArgs(
                http_load_balancing=container.ClusterAddonsConfigHttpLoadBalancingArgs(disabled=False),
                gcs_fuse_csi_driver_config=container.ClusterAddonsConfigGcsFuseCsiDriverConfigArgs(
                    enabled=args.buckets
                ),
            ),
            monitoring_config=container.ClusterMonitoringConfigArgs(
                enable_components=["SYSTEM_COMPONENTS", "DCGM"],
                managed_prometheus=container.ClusterMonitoringConfigManagedPrometheusArgs(enabled=True),
            ),
            enable_shielded_nodes=True,
            remove_default_node_pool=True,
            initial_node_count=1,
            deletion_protection=args.locked,
            opts=_options.cluster(self, locked=args.locked),
        )

    def _create_system_pool(
        self, name: str, args: InferenceClusterArgs, rights: Sequence[pulumi.Resource]
    ) -> gcp.container.NodePool:
        container = gcp.container
        pool = args.settings.system_pool
        return container.NodePool(
            f"{name}-system",
            cluster=self.cluster.id,
            location=args.settings.location,
            initial_node_count=1,
            autoscaling=container.NodePoolAutoscalingArgs(
                total_min_node_count=pool.min_nodes, total_max_node_count=pool.max_nodes, location_policy="BALANCED"
            ),
            management=container.NodePoolManagementArgs(auto_repair=True, auto_upgrade=True),
            upgrade_settings=container.NodePoolUpgradeSettingsArgs(strategy="SURGE", max_surge=1, max_unavailable=0),
            node_config=container.NodePoolNodeConfigArgs(
                machine_type=pool.machine_type,
                image_type=gke.IMAGE_TYPE,
                disk_type="pd-balanced",
                disk_size_gb=100,
                service_account=self.node_identity,
                oauth_scopes=["https://www.googleapis.com/auth/cloud-platform"],
                workload_metadata_config=container.NodePoolNodeConfigWorkloadMetadataConfigArgs(mode="GKE_METADATA"),
                shielded_instance_config=container.NodePoolNodeConfigShieldedInstanceConfigArgs(
                    enable_secure_boot=True, enable_integrity_monitoring=True
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["initialNodeCount"], depends_on=list(rights)),
        )


def _maintenance(window: MaintenanceWindow) -> gcp.container.ClusterMaintenancePolicyArgs:
    start = datetime.fromisoformat(f"{_WINDOW_EPOCH}T{window.start}:00")
    end = start + timedelta(hours=window.hours)
    return gcp.container.ClusterMaintenancePolicyArgs(
        recurring_window=gcp.container.ClusterMaintenancePolicyRecurringWindowArgs(
            start_time=f"{start.isoformat()}Z",
            end_time=f"{end.isoformat()}Z",
            recurrence=f"FREQ=WEEKLY;BYDAY={','.join(window.days)}",
        )
    )


def _kubeconfig(name: str, endpoint: str) -> str:
    """Return a kubeconfig as JSON, which is YAML too."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {"server": f"https://{endpoint}"}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
            "users": [
                {
                    "name": name,
                    "user": {
                        "exec": {
                            "apiVersion": "client.authentication.k8s.io/v1beta1",
                            "command": "gke-gcloud-auth-plugin",
                            "installHint": "gcloud components install gke-gcloud-auth-plugin",
                            "provideClusterInfo": True,
                            "interactiveMode": "IfAvailable",
                        }
                    },
                }
            ],
        }
    )
