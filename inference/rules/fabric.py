"""The VPCs that carry RDMA: a network profile binds them to one zone and takes most features of a VPC away.

A profile such as ``us-central1-b-vpc-roce`` is chosen when the network is made and never changed. Such a network has
one subnet for every RDMA NIC of a node, all in the region of its zone, an MTU of 8896, no automatic subnets and no
firewall rules; a mistake here is refused half way through the build, or found when pods wait for interfaces.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.facts.fabrics import FABRICS
from inference.facts.machines import MACHINES
from inference.facts.zones import region_of
from inference.rules.framework import About, Severity, rule
from inference.rules.views.cloud import Firewall, Network, Subnetwork
from inference.rules.views.resources import Resource, short_name
from inference.rules.views.stack import Stack
from inference.rules.views.vpc import Vpcs

_PROFILES = "https://docs.cloud.google.com/vpc/docs/rdma-network-profiles"
_FIREWALL = "https://cloud.google.com/firewall/docs/firewall-for-roce"

_ROCE, _METAL = FABRICS["roce"], FABRICS["roce-metal"]
_SUBNET_COUNTS = frozenset(fabric.gpu_networks for fabric in FABRICS.values() if fabric.name == "roce")
_ROCE_MACHINES = {
    suffix: tuple(m for m in MACHINES.values() if m.fabric is not None and m.fabric.network_profile_suffix == suffix)
    for suffix in ("vpc-roce", "vpc-roce-metal")
}
_POLICY_TYPE = "RDMA_ROCE_POLICY"


def _suffix(network: Network) -> str:
    """Return the kind of the RDMA profile: ``vpc-roce``, ``vpc-roce-metal``, ``vpc-falcon``."""
    return "vpc-" + (network.profile or "").rpartition("-vpc-")[2]


@rule(
    "fabric-profile-zone",
    title="An RDMA network profile names a zone that has the machines for it",
    breaks="A profile exists for a zone, not for a region, and only where its machines are offered: the network is "
    "refused, and everything that waits for it with it. The profile cannot be changed later.",
    fix="Set networkProfile to <zone>-vpc-roce (A3 Ultra, A4, A4X) or <zone>-vpc-roce-metal (A4X Max) of the zone "
    "that holds the reservation.",
    source=_PROFILES,
    severity=Severity.HIGH,
    on=Network,
)
def profile_names_zone(network: Network) -> Iterator[str]:
    if not network.rdma:
        return
    zone, suffix = network.profile_zone, _suffix(network)
    if zone is None:
        yield (
            f'{network} has the network profile "{network.profile}", which names no zone; there are profiles for zones '
            f"only, and the network is refused. Write <zone>-{suffix}, for example us-central1-b-{suffix}."
        )
        return
    machines = _ROCE_MACHINES.get(suffix, ())
    if machines and all(machine.offered_in(zone) is False for machine in machines):
        names = ", ".join(sorted({machine.family for machine in machines}))
        yield (
            f'{network} has the network profile "{network.profile}", and the zone {zone} offers no machine with such '
            f"NICs ({names}); the profile does not exist there. Choose a zone that offers the machine."
        )


@rule(
    "fabric-network-mtu",
    title="A network with an RDMA profile keeps the MTU of 8896",
    breaks="Smaller packets work and cost bandwidth on every transfer, and nothing says so.",
    fix="Leave mtu out, or set 8896.",
    source=_PROFILES,
    severity=Severity.MEDIUM,
    covers=("RDMA-019",),
    on=Network,
)
def network_keeps_mtu(network: Network) -> Iterator[str]:
    mtu = network.props.integer("mtu")
    if network.rdma and mtu and mtu != _ROCE.mtu:
        yield (
            f"{network} has an RDMA profile and an MTU of {mtu}; RDMA transfers are cut into packets of that size and "
            f"lose bandwidth without a message. Set mtu: {_ROCE.mtu}, or leave it out."
        )


@rule(
    "fabric-network-custom-subnets",
    title="A network with an RDMA profile makes no subnets by itself",
    breaks="Automatic mode makes a subnet in every region; a network with an RDMA profile takes subnets only in the "
    "region of its zone and is refused. Automatic mode is the default where nothing is said.",
    fix="Set autoCreateSubnetworks to false and declare one subnet for each RDMA NIC.",
    source=_PROFILES,
    severity=Severity.HIGH,
    covers=("RDMA-002",),
    on=Network,
)
def network_has_custom_subnets(network: Network) -> Iterator[str]:
    automatic = network.props.flag("autoCreateSubnetworks")
    if network.rdma and (automatic is True or network.props.absent("autoCreateSubnetworks")):
        said = "set to true" if automatic else "left out, which means true"
        yield (
            f'{network} has the RDMA profile "{network.profile}" and autoCreateSubnetworks is {said}; a network with '
            "this profile cannot make subnets in every region and is refused. Set autoCreateSubnetworks: false."
        )


@rule(
    "fabric-subnet-region",
    title="The subnets of an RDMA network lie in the region of its zone",
    breaks="The subnet is refused, after the network has been made.",
    fix="Take the region from the zone of the profile: us-central1 for us-central1-b-vpc-roce.",
    source=_PROFILES,
    severity=Severity.HIGH,
    covers=("RDMA-002",),
)
def subnet_lies_in_region(stack: Stack) -> Iterator[About]:
    vpcs = stack.view(Vpcs)
    for network in vpcs.networks:
        if not network.rdma or network.profile_zone is None:
            continue
        region = region_of(network.profile_zone)
        for subnet in vpcs.within(network):
            if subnet.region is not None and subnet.region != region:
                yield About(
                    subnet.resource,
                    f"{subnet} lies in {subnet.region}, and its network has the profile "
                    f'"{network.profile}" of the zone {network.profile_zone}; the subnet is refused. '
                    f"Set region: {region}.",
                )


@rule(
    "fabric-subnet-per-nic",
    title="An RDMA network has one IPv4 subnet for every RDMA NIC of a node",
    breaks="Each RDMA NIC needs a subnet of its own. With fewer of them the node pool cannot attach all NICs, and the "
    "GPUs beside the others share one. The network of A4X Max makes its only subnet itself and refuses others.",
    fix="Declare 8 subnets (4 for A4X), stackType IPV4_ONLY, and none in a network with a -vpc-roce-metal profile.",
    source=_PROFILES,
    severity=Severity.HIGH,
    covers=("RDMA-004",),
)
def subnet_for_each_nic(stack: Stack) -> Iterator[About]:
    vpcs = stack.view(Vpcs)
    for network in vpcs.networks:
        if not network.rdma:
            continue
        subnets, suffix = vpcs.within(network), _suffix(network)
        if suffix == _METAL.network_profile_suffix:
            for subnet in subnets:
                yield About(
                    subnet.resource,
                    f'{subnet} lies in a network with the profile "{network.profile}", which makes its one IPv6 subnet '
                    f"itself and takes no other. Remove it, and attach the subnet that the network makes.",
                )
        elif suffix == _ROCE.network_profile_suffix:
            if 0 < len(subnets) < max(_SUBNET_COUNTS) and len(subnets) not in _SUBNET_COUNTS:
                yield About(
                    network.resource,
                    f"{network} carries RDMA and has {len(subnets)} of the {max(_SUBNET_COUNTS)} subnets that a node "
                    "needs, one for each RDMA NIC; NICs without a subnet cannot be attached. Declare 8 subnets "
                    "(A3 Ultra, A4) or 4 (A4X).",
                )
            yield from (_about_stack_type(subnet) for subnet in subnets if _dual(subnet))


def _dual(subnet: Subnetwork) -> bool:
    return subnet.props.text("stackType") in {"IPV4_IPV6", "IPV6_ONLY"}


def _about_stack_type(subnet: Subnetwork) -> About:
    return About(
        subnet.resource,
        f"{subnet} has the stack type {subnet.props.text('stackType')}, and an RDMA network of virtual machines "
        "carries IPv4 only; the subnet is refused. Set stackType: IPV4_ONLY, or leave it out.",
    )


@rule(
    "fabric-network-firewall",
    title="An RDMA network has no VPC firewall rules",
    breaks="A RoCE network takes only regional firewall policies of the type RDMA_ROCE_POLICY; firewall rules and "
    "global policies are refused, half way through the build of the network. Without any, all traffic is allowed.",
    fix="Remove the rule. Where traffic must be kept out, use a RegionNetworkFirewallPolicy with "
    "policyType RDMA_ROCE_POLICY in the region of the profile.",
    source=_FIREWALL,
    severity=Severity.HIGH,
    covers=("NET-008",),
)
def network_has_no_firewall(stack: Stack) -> Iterator[About]:
    vpcs = stack.view(Vpcs)
    for firewall in stack.each(Firewall):
        network = vpcs.vpc(firewall.resource, "network")
        if isinstance(network, Network) and network.rdma:
            yield About(
                firewall.resource,
                f'{firewall} applies to the network "{network.resource.name}" with the profile "{network.profile}", '
                "which takes no VPC firewall rules and lets everything in already; the rule is refused. "
                "Remove it, or use a regional firewall policy of the type RDMA_ROCE_POLICY.",
            )
    for association in stack.of_type("gcp:compute/networkFirewallPolicyAssociation:NetworkFirewallPolicyAssociation"):
        network = vpcs.vpc(association, "attachmentTarget")
        if isinstance(network, Network) and network.rdma:
            yield About(
                association,
                f'The firewall policy association "{association.name}" attaches a global policy to the network '
                f'"{network.resource.name}" with the profile "{network.profile}", which takes regional ones only. '
                "Use a RegionNetworkFirewallPolicy of the type RDMA_ROCE_POLICY.",
            )
    yield from _regional_policies(stack, vpcs)


def _regional_policies(stack: Stack, vpcs: Vpcs) -> Iterator[About]:
    policies = stack.of_type("gcp:compute/regionNetworkFirewallPolicy:RegionNetworkFirewallPolicy")
    token = "gcp:compute/regionNetworkFirewallPolicyAssociation:RegionNetworkFirewallPolicyAssociation"  # noqa: S105
    for association in stack.of_type(token):
        network = vpcs.vpc(association, "attachmentTarget")
        if not isinstance(network, Network):
            continue
        policy = stack.reference(association, "firewallPolicy", among=policies)
        if policy is None:
            continue
        roce = policy.props.text("policyType") == _POLICY_TYPE
        if network.rdma and not roce and policy.props.known("policyType"):
            yield About(
                association,
                f'The firewall policy "{policy.name}" has the type {policy.props.text("policyType") or "VPC_POLICY"} '
                f'and is attached to the RDMA network "{network.resource.name}", which refuses it. '
                f"Set policyType: {_POLICY_TYPE} on the policy.",
            )
        elif network.rdma and network.profile_zone and _elsewhere(policy, region_of(network.profile_zone)):
            yield About(
                association,
                f'The firewall policy "{policy.name}" lies in another region than the zone {network.profile_zone} of '
                f'the RDMA network "{network.resource.name}"; it cannot be attached. '
                f"Make the policy in {region_of(network.profile_zone)}.",
            )
        elif roce and network.profile is None and network.props.known("networkProfile"):
            yield About(
                association,
                f'The firewall policy "{policy.name}" has the type {_POLICY_TYPE} and is attached to '
                f'"{network.resource.name}", an ordinary VPC, which refuses it. Set policyType: VPC_POLICY.',
            )


def _elsewhere(policy: Resource, region: str) -> bool:
    own = policy.props.text("region")
    return own is not None and short_name(own) != region


_CLOSED = {
    "gcp:compute/router:Router": "a Cloud Router",
    "gcp:compute/networkPeering:NetworkPeering": "a peering",
    "gcp:compute/route:Route": "a static route",
    "gcp:compute/haVpnGateway:HaVpnGateway": "a VPN gateway",
    "gcp:compute/vPNGateway:VPNGateway": "a VPN gateway",
    "gcp:servicenetworking/connection:Connection": "a private services connection",
    "gcp:container/cluster:Cluster": "a cluster",
}
"""What an RDMA network has no place for, by the type of the resource that names it."""


@rule(
    "fabric-network-bare",
    title="An RDMA network carries RDMA NICs and nothing else",
    breaks="A network with an RDMA profile has no routers, NAT, peerings, routes, VPNs, private services or secondary "
    "ranges, and is no network of a cluster: each is refused, half way through the build.",
    fix="Attach them to the ordinary VPC of the cluster; an RDMA network needs none of them.",
    source=_PROFILES,
    severity=Severity.HIGH,
)
def network_is_bare(stack: Stack) -> Iterator[About]:
    vpcs = stack.view(Vpcs)
    if not any(network.rdma for network in vpcs.networks):
        return
    for resource in stack.of_type(*_CLOSED):
        named = [vpcs.vpc(resource, key) for key in ("network", "peerNetwork")]
        for network in (vpc for vpc in named if isinstance(vpc, Network) and vpc.rdma):
            yield About(
                resource,
                f'{resource.type.rpartition(":")[2]} "{resource.name}" is {_CLOSED[resource.type]} of the network '
                f'"{network.resource.name}" with the profile "{network.profile}", which takes RDMA NICs only; it is '
                "refused. Use the ordinary VPC of the cluster.",
            )
    for subnet in (s for network in vpcs.networks if network.rdma for s in vpcs.within(network)):
        if subnet.props.size("secondaryIpRanges"):
            yield About(
                subnet.resource,
                f"{subnet} of an RDMA network has secondary ranges, which such a network does not take; the subnet is "
                "refused. Take secondaryIpRanges away.",
            )
