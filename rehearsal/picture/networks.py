"""VPCs and subnets, and which of them the nodes of a pool are attached to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inference.rules.views.cloud import Cluster, Network, NodePool, Subnetwork
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.stack import Stack
from inference.rules.views.vpc import Vpc, Vpcs
from rehearsal.naming import called
from rehearsal.picture.graph import Edge, Key, Kind, Line, Node, Way

__all__ = ["key_of", "networks", "nics"]

_HOME, _OTHER = 0, 1


def networks(stack: Stack) -> Iterator[Node]:
    """Yield every VPC and subnet that the program declares, and the VPCs that it only names."""
    vpcs = stack.view(Vpcs)
    homes = [home for cluster in stack.each(Cluster) if (home := vpcs.home(cluster)) is not None]
    hosts, extra = _attached(stack)
    for vpc in vpcs.networks:
        yield _declared(vpc, home=vpc in homes, attached=vpc in hosts)
    named = dict.fromkeys(vpc for vpc in (*homes, *hosts, *map(vpcs.of, vpcs.subnets)) if isinstance(vpc, str))
    for name in named:
        line = Line("kind", "not declared by this program")
        rank = _HOME if name in homes else _OTHER
        yield Node(key=key_of(name), kind=Kind.VPC, title=name, lines=(line,), outside=True, rank=rank)
    home_subnets = {vpcs.subnet(cluster.resource, "subnetwork") for cluster in stack.each(Cluster)}
    for subnet in vpcs.subnets:
        of = vpcs.of(subnet)
        holder = None if of is None else key_of(of)
        lines = _of_subnet(subnet, of, home=subnet in home_subnets, attached=subnet in extra)
        yield Node(
            key=(subnet.resource.urn, ""),
            kind=Kind.SUBNET,
            title=called(subnet.resource),
            lines=tuple(lines),
            urns=(subnet.resource.urn,),
            inside=holder,
            rank=1 if subnet.proxy_only else 0,
        )


def key_of(vpc: Vpc) -> Key:
    """Return what stands for a VPC."""
    return ("", f"vpc:{vpc}") if isinstance(vpc, str) else (vpc.resource.urn, "")


def nics(stack: Stack, pools: Mapping[Site, Key]) -> Iterator[Edge]:
    """Yield the ways from clusters and pools to their VPCs.

    Args:
        stack: the program.
        pools: what stands for each pool.
    """
    vpcs = stack.view(Vpcs)
    for site in stack.view(Fleet).sites:
        home = vpcs.home(site.cluster) if site.cluster is not None else None
        if home is not None:
            yield Edge(source=pools[site], target=key_of(home), way=Way.NICS, count=1)
        attachments = vpcs.attachments(site.pool)
        found = [attachment.network for attachment in attachments if attachment.network is not None]
        found = found if len(found) == len(attachments) else [*found, *_by_edges(stack, site.pool, found)]
        for vpc in dict.fromkeys(found):
            yield Edge(source=pools[site], target=key_of(vpc), way=Way.NICS, count=found.count(vpc))


def _by_edges(stack: Stack, pool: NodePool, found: list[Vpc]) -> list[Vpc]:
    """Return the VPCs that only the edges of a pool tell, where a real preview does not know their names yet."""
    return [vpc for vpc in stack.view(Vpcs).attached(pool) if vpc not in found]


def _attached(stack: Stack) -> tuple[set[Vpc], set[Subnetwork]]:
    """Return the VPCs and subnets that pools attach beside the cluster's own."""
    vpcs = stack.view(Vpcs)
    networks: set[Vpc] = set()
    subnets: set[Subnetwork] = set()
    for site in stack.view(Fleet).sites:
        for attachment in vpcs.attachments(site.pool):
            if attachment.network is not None:
                networks.add(attachment.network)
            if attachment.subnet is not None:
                subnets.add(attachment.subnet)
        networks.update(vpcs.attached(site.pool))
    return networks, subnets


def _declared(vpc: Network, *, home: bool, attached: bool) -> Node:
    lines = []
    if vpc.rdma:
        lines.append(Line("kind", f"RDMA VPC, profile {vpc.profile}"))
    elif vpc.profile is not None:
        lines.append(Line("kind", f"VPC, profile {vpc.profile}"))
    elif home:
        lines.append(Line("kind", "VPC of the cluster"))
    elif attached:
        lines.append(Line("kind", "VPC of further NICs"))
    else:
        lines.append(Line("kind", "VPC"))
    if not vpc.props.known("networkProfile"):
        lines.append(Line("profile", "network profile unknown"))
    if vpc.props.flag("autoCreateSubnetworks"):
        lines.append(Line("automatic", "a subnet in every region"))
    if (mtu := vpc.props.integer("mtu")) is not None:
        lines.append(Line("mtu", f"MTU {mtu:,}"))
    return Node(
        key=key_of(vpc),
        kind=Kind.VPC,
        title=called(vpc.resource),
        lines=tuple(lines),
        urns=(vpc.resource.urn,),
        rank=_HOME if home else _OTHER,
    )


def _of_subnet(subnet: Subnetwork, vpc: Vpc | None, *, home: bool, attached: bool) -> Iterator[Line]:
    if subnet.proxy_only:
        yield Line("kind", "proxy-only, for the load balancer")
    elif isinstance(vpc, Network) and vpc.rdma:
        yield Line("kind", "RDMA")
    elif home:
        yield Line("kind", "nodes")
    elif attached:
        yield Line("kind", "further NICs")
    elif (purpose := subnet.props.text("purpose")) and purpose != "PRIVATE":
        yield Line("kind", purpose)
    written = subnet.props.raw("ipCidrRange")
    if isinstance(written, str):
        yield Line("range", written)
    elif subnet.props.text("stackType") == "IPV6_ONLY":
        yield Line("range", "IPv6 only")
    else:
        yield Line("range", "range unknown")
    for secondary in subnet.props.sections("secondaryIpRanges"):
        name, block = secondary.text("rangeName") or "?", secondary.text("ipCidrRange") or "range unknown"
        yield Line(f"range {name}", f"{name} {block}")
