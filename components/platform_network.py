"""PlatformNetwork: the VPC of the cluster.

Owns: VPC, node subnet with pod and Service ranges, proxy-only subnet of the regional gateway, Cloud NAT for private
nodes. Leaves alone: the accelerator fabric (RdmaNetwork), peering and DNS, which belong to the organization.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import pulumi
import pulumi_gcp as gcp

from inference.blueprint import Blueprint
from inference.settings.cluster import NetworkRanges

__all__ = ["PODS_RANGE", "SERVICES_RANGE", "PlatformNetwork", "PlatformNetworkArgs"]

TOKEN = "gke-inference:index:PlatformNetwork"  # noqa: S105 - a type token
PODS_RANGE = "pods"
SERVICES_RANGE = "services"
"""Names of the secondary ranges."""


@dataclass(frozen=True, kw_only=True)
class PlatformNetworkArgs:
    """What the component is made of."""

    region: str
    ranges: NetworkRanges
    proxy_only_subnet: bool
    """Whether a regional gateway needs one."""

    @classmethod
    def of(cls, plan: Blueprint) -> Self:
        """Return the arguments of a stack."""
        settings = plan.settings
        return cls(region=plan.region, ranges=settings.cluster.network, proxy_only_subnet=settings.gateway is not None)


class PlatformNetwork(pulumi.ComponentResource):
    """Creates a network, one or two subnets, and a router with NAT."""

    network: pulumi.Output[str]
    """ID of the VPC."""
    subnetwork: pulumi.Output[str]
    """ID of the node subnet."""

    def __init__(self, name: str, args: PlatformNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, {"region": args.region, "proxyOnlySubnet": args.proxy_only_subnet}, opts)
        child = pulumi.ResourceOptions(parent=self)
        vpc = gcp.compute.Network(f"{name}-vpc", auto_create_subnetworks=False, routing_mode="REGIONAL", opts=child)
        nodes = gcp.compute.Subnetwork(
            f"{name}-nodes",
            network=vpc.id,
            region=args.region,
            ip_cidr_range=args.ranges.nodes,
            private_ip_google_access=True,
            secondary_ip_ranges=[
                gcp.compute.SubnetworkSecondaryIpRangeArgs(range_name=PODS_RANGE, ip_cidr_range=args.ranges.pods),
                gcp.compute.SubnetworkSecondaryIpRangeArgs(
                    range_name=SERVICES_RANGE, ip_cidr_range=args.ranges.services
                ),
            ],
            opts=child,
        )
        if args.proxy_only_subnet:
            gcp.compute.Subnetwork(
                f"{name}-proxies",
                network=vpc.id,
                region=args.region,
                ip_cidr_range=args.ranges.proxies,
                purpose="REGIONAL_MANAGED_PROXY",
                role="ACTIVE",
                opts=child,
            )
        self._translate_addresses(name, args.region, vpc)
        self.network = vpc.id
        self.subnetwork = nodes.id
        self.register_outputs({"network": self.network, "subnetwork": self.subnetwork})

    def _translate_addresses(self, name: str, region: str, vpc: gcp.compute.Network) -> None:
        child = pulumi.ResourceOptions(parent=self)
        router = gcp.compute.Router(f"{name}-router", network=vpc.id, region=region, opts=child)
        gcp.compute.RouterNat(
            f"{name}-nat",
            router=router.name,
            region=region,
            nat_ip_allocate_option="AUTO_ONLY",
            source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
            log_config=gcp.compute.RouterNatLogConfigArgs(enable=True, filter="ERRORS_ONLY"),
            opts=child,
        )
