"""Ranges as they are written: blocks that begin where their length says, in sizes that Google Cloud takes.

A range is refused when it is made, and everything that waits for the network with it. What ranges have to do with each
other is in ``address_plan``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from inference.rules.framework import About, Severity, rule
from inference.rules.views.cloud import Cluster, Subnetwork, ranges
from inference.rules.views.stack import Stack
from inference.rules.views.vpc import Vpcs

_SUBNETS = "https://docs.cloud.google.com/vpc/docs/subnets"
_PRIVATE = "https://cloud.google.com/kubernetes-engine/docs/how-to/private-clusters"

_LONGEST_PREFIX = 29
_CONTROL_PLANE_PREFIX = 28
_AUTOMATIC = ipaddress.IPv4Network("10.128.0.0/9")
"""From here a VPC in automatic mode takes a /20 for every region."""
_AUTOMATIC_PREFIX = 20


def _fault(text: str) -> str | None:
    """Return what is wrong with a block, and what to write."""
    try:
        block = ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return "is no IPv4 block. Write for example 10.0.0.0/20"
    if "/" not in text:
        return f"has no length. Write for example {text}/29"
    if str(block) != text:
        return f"is no block, as it begins in the middle of one. Write {block}"
    return None


@rule(
    "network-range-is-a-block",
    title="The range of a subnet is a block that begins where its length says, of eight addresses at least",
    breaks="The subnet is refused ('Invalid IPCidrRange'), after the network has been made.",
    fix="Write the first address of the block and its length: 10.0.0.0/20, not 10.0.0.5/20.",
    source=_SUBNETS,
    severity=Severity.HIGH,
    on=Subnetwork,
)
def range_is_a_block(subnet: Subnetwork) -> Iterator[str]:
    primary = subnet.props.text("ipCidrRange")
    secondary = subnet.props.sections("secondaryIpRanges")
    written = [("", primary), *((s.text("rangeName") or "?", s.text("ipCidrRange")) for s in secondary)]
    for name, text in written:
        if text and ":" not in text and (fault := _fault(text)) is not None:
            what = f'its secondary range "{name}" {text}' if name else f"the range {text}"
            yield f"{subnet} has {what}, which {fault}; the subnet is refused."
    for block in ranges([primary]):
        if block.prefixlen > _LONGEST_PREFIX and "/" in (primary or ""):
            yield (
                f"{subnet} has the range {block} of {block.num_addresses} addresses, and the smallest subnet is a "
                f"/{_LONGEST_PREFIX}; it is refused. Widen the range."
            )


@rule(
    "network-control-plane-range",
    title="The range of a private control plane is a /28",
    breaks="GKE refuses the cluster: masterIpv4CidrBlock must be a /28.",
    fix="Write a /28 that nothing else uses, such as 172.16.0.0/28, or leave it out.",
    source=_PRIVATE,
    severity=Severity.HIGH,
    on=Cluster,
)
def control_plane_range(cluster: Cluster) -> Iterator[str]:
    text = cluster.props.text("privateClusterConfig", "masterIpv4CidrBlock")
    if not text or "/" not in text:
        return
    fault = _fault(text)
    if fault is not None:
        yield f"{cluster} has the masterIpv4CidrBlock {text}, which {fault}; GKE refuses the cluster."
    elif ipaddress.IPv4Network(text).prefixlen != _CONTROL_PLANE_PREFIX:
        yield (
            f"{cluster} has the masterIpv4CidrBlock {text}; GKE takes a /{_CONTROL_PLANE_PREFIX} and refuses the "
            f"cluster. Write {text.partition('/')[0]}/{_CONTROL_PLANE_PREFIX}."
        )


@rule(
    "network-automatic-subnets-apart",
    title="A subnet that the program declares is not in the range of automatic subnets of its VPC",
    breaks="autoCreateSubnetworks is true when left out: the VPC takes a /20 of 10.128.0.0/9 for every region, and the "
    "declared subnet is refused ('conflicts with existing subnetwork').",
    fix="Set autoCreateSubnetworks: false on the network.",
    source=_SUBNETS,
    severity=Severity.HIGH,
    covers=("NET-003",),
)
def automatic_subnets_apart(stack: Stack) -> Iterator[About]:
    vpcs = stack.view(Vpcs)
    for network in vpcs.networks:
        automatic = network.props.flag("autoCreateSubnetworks")
        if network.rdma or not (automatic or network.props.absent("autoCreateSubnetworks")):
            continue
        for subnet in vpcs.within(network):
            adopted = subnet.props.text("name") in {network.props.text("name"), "default"}
            taken = [b for b in subnet.ranges if b.overlaps(_AUTOMATIC)]
            if taken and not (adopted and taken[0].prefixlen == _AUTOMATIC_PREFIX):
                yield About(
                    subnet.resource,
                    f"{subnet} uses {taken[0]}, and its network makes subnets of {_AUTOMATIC} in every region by "
                    "itself; the subnet is refused. Set autoCreateSubnetworks: false on the network "
                    f'"{network.resource.name}".',
                )
