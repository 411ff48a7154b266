"""RdmaNetwork: what connects the GPUs of different nodes.

Owns, in the form of multi-networking: for RDMA a VPC for the second host NIC with its firewall rule and the RoCE VPC
with one subnet per RDMA NIC, for TCPXO and TCPX a VPC per GPU NIC; and the Network objects that pods name. In the form
of managed DRANET GKE makes VPCs and subnets itself, and this owns the claim of the devices only. Leaves alone: the
nodes, and firewall rules on the RoCE VPC, which takes none (https://cloud.google.com/firewall/docs/firewall-for-roce).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import pulumi
import pulumi_gcp as gcp

from components import _options
from components._kubernetes import create
from inference import addressing
from inference.blueprint import Blueprint, GpuPoolPlan
from inference.facts.fabrics import Fabric, network_profile
from inference.manifests import accelerator_networks as manifests
from inference.settings.cluster import NetworkRanges

__all__ = ["AttachedNetwork", "RdmaNetwork", "RdmaNetworkArgs"]

TOKEN = "gke-inference:index:RdmaNetwork"  # noqa: S105 - a type token


@dataclass(frozen=True, kw_only=True)
class AttachedNetwork:
    """A network that a node attaches, in NIC order."""

    name: str
    """Name of the Network object."""
    network: pulumi.Output[str]
    """Name of the VPC."""
    subnetwork: pulumi.Output[str]
    """Name of the subnet."""


@dataclass(frozen=True, kw_only=True)
class RdmaNetworkArgs:
    """What the component is made of."""

    pool: GpuPoolPlan
    """A pool whose nodes attach the networks; several may share them."""
    region: str
    ranges: NetworkRanges
    """Addresses; those of the RDMA NICs are split into one subnet each."""
    project: str

    @classmethod
    def of(cls, plan: Blueprint, pool: str) -> Self:
        """Return the arguments for a pool of a stack."""
        cluster = plan.settings.cluster
        return cls(pool=plan.fabrics[pool], region=plan.region, ranges=cluster.network, project=cluster.project)


class RdmaNetwork(pulumi.ComponentResource):
    """Creates VPCs, a subnet and two Kubernetes objects for each NIC, or one claim template."""

    attached: tuple[AttachedNetwork, ...]
    """Networks that nodes attach; empty under DRANET."""
    profile: str | None
    """``acceleratorNetworkProfile`` of the node pool under DRANET."""

    def __init__(self, name: str, args: RdmaNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        fabric = args.pool.fabric
        if fabric is None:
            raise ValueError(f"pool {args.pool.name}: {args.pool.machine.name} has no accelerator fabric")
        props = {"attachment": args.pool.attachment, "zone": args.pool.zone, "machineType": args.pool.machine.name}
        super().__init__(TOKEN, name, props, opts)
        self.attached = ()
        self.profile = None
        if args.pool.attachment == "dranet":
            self.profile = "auto"
            claim = manifests.claim_template(args.pool)
            create(f"{name}-claim", claim, _options.fixed_object(self, claim))
        else:
            host = self._create_host_network(name, args, fabric) if fabric.host_networks else []
            profile = network_profile(args.pool.zone, fabric)
            gpus = (
                self._create_fabric(name, args, fabric, profile) if profile else self._create_vpcs(name, args, fabric)
            )
            self.attached = (*host, *gpus)
            self._create_objects(name, fabric)
        self.register_outputs({"attachment": args.pool.attachment, "networks": len(self.attached)})

    def _create_host_network(self, name: str, args: RdmaNetworkArgs, fabric: Fabric) -> list[AttachedNetwork]:
        vpc, subnet = self._create_vpc(f"{name}-host", args, fabric, args.ranges.host_nics)
        return [AttachedNetwork(name=n, network=vpc.name, subnetwork=subnet.name) for n in fabric.host_network_names]

    def _create_vpcs(self, name: str, args: RdmaNetworkArgs, fabric: Fabric) -> list[AttachedNetwork]:
        """Create an ordinary VPC for each GPU NIC, as the NICs of one machine must be in different ones."""
        attached = []
        blocks = addressing.split(args.ranges.rdma, fabric.gpu_networks)
        for network, block in zip(fabric.gpu_network_names, blocks, strict=True):
            vpc, subnet = self._create_vpc(f"{name}-{network}", args, fabric, block)
            attached.append(AttachedNetwork(name=network, network=vpc.name, subnetwork=subnet.name))
        return attached

    def _create_vpc(
        self, name: str, args: RdmaNetworkArgs, fabric: Fabric, block: str
    ) -> tuple[gcp.compute.Network, gcp.compute.Subnetwork]:
        child = pulumi.ResourceOptions(parent=self)
        vpc = gcp.compute.Network(name, auto_create_subnetworks=False, mtu=fabric.mtu, opts=child)
        subnet = gcp.compute.Subnetwork(name, network=vpc.id, region=args.region, ip_cidr_range=block, opts=child)
        gcp.compute.Firewall(
            f"{name}-internal",
            network=vpc.id,
            direction="INGRESS",
            source_ranges=[block],
            allows=[
                gcp.compute.FirewallAllowArgs(protocol="tcp", ports=["0-65535"]),
                gcp.compute.FirewallAllowArgs(protocol="udp", ports=["0-65535"]),
                gcp.compute.FirewallAllowArgs(protocol="icmp"),
            ],
            opts=child,
        )
        return vpc, subnet

    def _create_fabric(self, name: str, args: RdmaNetworkArgs, fabric: Fabric, profile: str) -> list[AttachedNetwork]:
        child = pulumi.ResourceOptions(parent=self)
        vpc = gcp.compute.Network(
            f"{name}-roce",
            auto_create_subnetworks=False,
            mtu=fabric.mtu,
            network_profile=f"projects/{args.project}/global/networkProfiles/{profile}",
            opts=child,
        )
        blocks = addressing.split(args.ranges.rdma, fabric.gpu_networks)
        attached = []
        for index, (network, block) in enumerate(zip(fabric.gpu_network_names, blocks, strict=True)):
            subnet = gcp.compute.Subnetwork(
                f"{name}-roce-{index}", network=vpc.id, region=args.region, ip_cidr_range=block, opts=child
            )
            attached.append(AttachedNetwork(name=network, network=vpc.name, subnetwork=subnet.name))
        return attached

    def _create_objects(self, name: str, fabric: Fabric) -> None:
        for attached in self.attached:
            params = create(
                f"{name}-{attached.name}-params",
                manifests.param_set(
                    attached.name,
                    vpc=attached.network,
                    subnet=attached.subnetwork,
                    mode=manifests.device_mode(fabric, attached.name),
                ),
                pulumi.ResourceOptions(parent=self),
            )
            create(
                f"{name}-{attached.name}",
                manifests.network(attached.name),
                pulumi.ResourceOptions(parent=self, depends_on=[params]),
            )
