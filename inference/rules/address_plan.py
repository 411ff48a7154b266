"""The address plan: ranges that do not meet, subnets that fit their cluster, and room for all nodes.

Ranges are chosen once and live as long as the network. An overlap inside a VPC is refused; one between VPCs of the
same platform is accepted and shows later, when networks are peered, when a firewall rule names the wrong side, or
when a pod with interfaces in both sends its answer out of the wrong one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from inference.addressing import RESERVED_PER_SUBNET, nodes_with_pods
from inference.facts.gke import DEFAULT_PODS_PER_NODE
from inference.rules.framework import About, Severity, rule
from inference.rules.views.cloud import Cluster, Network, Subnetwork, ranges
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from inference.rules.views.vpc import Vpc, Vpcs

_SUBNETS = "https://docs.cloud.google.com/vpc/docs/subnets"
_ALIAS_IPS = "https://docs.cloud.google.com/kubernetes-engine/docs/concepts/alias-ips"
_PEERING = "gcp:compute/networkPeering:NetworkPeering"
_RESERVED = "gcp:compute/globalAddress:GlobalAddress"
_SHARED_SERVICES = IPv4Network("34.118.224.0/20")
"""Range of Services that GKE gives to clusters without one of their own; all of them use the same."""

_OF_GKE = re.compile(r"gke-.+-(?:pods|services)-[0-9a-f]{8}")
"""A range that GKE makes itself, which shows in the cluster at once and in the subnet after a refresh."""


@dataclass(frozen=True, slots=True)
class _Range:
    block: IPv4Network
    vpc: Vpc | None
    resource: Resource
    label: str
    kind: str = "subnet"
    """``subnet``, or for ranges of a cluster ``control plane``, ``pods``, ``services``."""

    @property
    def of_cluster(self) -> bool:
        return self.kind != "subnet"


@rule(
    "network-ranges-disjoint",
    title="The address ranges of one platform do not overlap, even across its VPCs",
    breaks="Inside a VPC the subnet is refused ('conflicts with existing subnetwork'). Across VPCs it is accepted: "
    "pods with interfaces in both send answers to the wrong one, firewall rules admit the wrong peers, and peering is "
    "refused, when the network can only be rebuilt under running GPU pools.",
    fix="Plan one table of ranges for nodes, pods, Services, control plane, proxies, gVNIC and RDMA.",
    source=_SUBNETS,
    severity=Severity.HIGH,
    covers=("NET-003",),
)
def ranges_are_disjoint(stack: Stack) -> Iterator[About]:
    vpcs = stack.view(Vpcs)
    groups: dict[object, list[_Range]] = defaultdict(list)
    platform = _platforms(stack, vpcs)
    for found in _ranges(stack, vpcs):
        if (group := platform(found.vpc)) is not None:
            groups[group].append(found)
    for members in groups.values():
        for one, other in _overlaps(members):
            where = "in the same VPC" if one.vpc is not None and one.vpc == other.vpc else "in another VPC"
            yield About(
                one.resource,
                f"{one.label} uses {one.block}, which overlaps {other.block} of {_inner(other.label)} "
                f"{where}; the range is refused, or answers take the wrong way later. Choose a range of its own.",
            )


def _inner(label: str) -> str:
    return label[:1].lower() + label[1:]


def _ranges(stack: Stack, vpcs: Vpcs) -> Iterator[_Range]:
    for subnet in vpcs.subnets:
        vpc = vpcs.of(subnet)
        for block in ranges([subnet.props.text("ipCidrRange")]):
            yield _Range(block, vpc, subnet.resource, str(subnet))
        for secondary in subnet.props.sections("secondaryIpRanges"):
            for block in ranges([secondary.text("ipCidrRange")]):
                name = secondary.text("rangeName") or "?"
                yield _Range(block, vpc, subnet.resource, f'The secondary range "{name}" of {_inner(str(subnet))}')
    for cluster in stack.each(Cluster):
        yield from _ranges_of(cluster, vpcs)
    for address in stack.of_type(_RESERVED):
        start, length = address.props.text("address"), address.props.integer("prefixLength")
        if address.props.text("purpose") == "VPC_PEERING" and start and length is not None:
            for block in ranges([f"{start}/{length}"]):
                label = f'The reserved range "{address.name}"'
                yield _Range(block, vpcs.vpc(address, "network"), address, label)


def _ranges_of(cluster: Cluster, vpcs: Vpcs) -> Iterator[_Range]:
    home, private = vpcs.home(cluster), cluster.props.section("privateClusterConfig")
    by_subnet = private.text("privateEndpointSubnetwork") or not private.known("privateEndpointSubnetwork")
    allocation = cluster.props.section("ipAllocationPolicy")
    named = {
        "control plane": None if by_subnet else private.text("masterIpv4CidrBlock"),
        "pods": allocation.text("clusterIpv4CidrBlock"),
        "services": allocation.text("servicesIpv4CidrBlock"),
    }
    for kind, text in named.items():
        for block in ranges([text]) if text and "/" in text else ():
            if block != _SHARED_SERVICES:
                yield _Range(block, home, cluster.resource, f"The {kind} range of {_inner(str(cluster))}", kind)


def _overlaps(members: list[_Range]) -> Iterator[tuple[_Range, _Range]]:
    """Yield each range that meets one before it, once."""
    order = {id(member): position for position, member in enumerate(members)}
    ahead: list[_Range] = []
    for member in sorted(members, key=lambda m: (m.block.network_address, -m.block.num_addresses)):
        ahead = [other for other in ahead if other.block.broadcast_address >= member.block.network_address]
        for other in ahead:
            if _conflict(member, other):
                yield (member, other) if order[id(member)] > order[id(other)] else (other, member)
                break
        ahead.append(member)
        ahead = ahead[-64:]


def _conflict(one: _Range, other: _Range) -> bool:
    if not one.block.overlaps(other.block):
        return False
    if one.of_cluster and other.of_cluster:
        return one.vpc is not None and one.vpc == other.vpc and "services" not in {one.kind, other.kind}
    same_thing = one.block == other.block and (one.of_cluster or other.of_cluster)
    return not same_thing


def _platforms(stack: Stack, vpcs: Vpcs) -> _Platforms:
    sites = stack.view(Fleet).sites
    clusters = tuple(stack.each(Cluster))
    links: list[tuple[Vpc | None, Vpc | None]] = []
    for site in sites:
        home = vpcs.home(site.cluster) if site.cluster is not None else None
        links += [(home, attachment.network) for attachment in vpcs.attachments(site.pool)]
    links += [(vpcs.vpc(p, "network"), vpcs.vpc(p, "peerNetwork")) for p in stack.of_type(_PEERING)]
    return _Platforms(links, single=len(clusters) < 2)


class _Platforms:
    """Which VPCs belong together: all, where there is one cluster at most; else those that pools or peering join."""

    def __init__(self, links: Iterable[tuple[Vpc | None, Vpc | None]], *, single: bool) -> None:
        self._single = single
        self._above: dict[Vpc, Vpc] = {}
        for one, other in links:
            if one is not None and other is not None:
                self._above[self._root(one)] = self._root(other)

    def _root(self, vpc: Vpc) -> Vpc:
        while (above := self._above.get(vpc, vpc)) != vpc:
            vpc = above
        return vpc

    def __call__(self, vpc: Vpc | None) -> object:
        if self._single:
            return True
        return None if vpc is None else self._root(vpc)


@rule(
    "network-cluster-subnet",
    title="The subnet of a cluster lies in its VPC and region, and has the secondary ranges that it names",
    breaks="The cluster is refused after the network was made.",
    fix="Take network, subnetwork and the names of the ranges from the same declared resources.",
    source=_ALIAS_IPS,
    severity=Severity.HIGH,
)
def cluster_fits_subnet(stack: Stack) -> Iterator[About]:
    vpcs = stack.view(Vpcs)
    for cluster in stack.each(Cluster):
        subnet = vpcs.subnet(cluster.resource, "subnetwork")
        if subnet is not None:
            for sentence in _misfit(cluster, subnet, vpcs):
                yield About(cluster.resource, f"{cluster} {sentence}")


def _misfit(cluster: Cluster, subnet: Subnetwork, vpcs: Vpcs) -> Iterator[str]:
    name, home, own = subnet.resource.name, vpcs.home(cluster), vpcs.of(subnet)
    if home is not None and own is not None and home != own:
        title = home.resource.name if isinstance(home, Network) else home
        yield (
            f'uses the network "{title}" and the subnet "{name}" of another one; the cluster is refused. '
            "Name the network of the subnet."
        )
    if cluster.region and subnet.region and cluster.region != subnet.region:
        yield (
            f'lies in {cluster.region} and its subnet "{name}" in {subnet.region}; the cluster is refused. '
            "Use a subnet of the same region."
        )
    if subnet.proxy_only:
        yield (
            f'uses the subnet "{name}", which is reserved for the proxies of load balancers; the cluster is refused. '
            "Use an ordinary subnet."
        )
    listed = subnet.props.sections("secondaryIpRanges")
    names = {secondary.text("rangeName") for secondary in listed}
    if (
        None in names
        or not subnet.props.known("secondaryIpRanges")
        or len(listed) != (subnet.props.size("secondaryIpRanges") or 0)
    ):
        return
    for key in ("clusterSecondaryRangeName", "servicesSecondaryRangeName"):
        asked = cluster.props.text("ipAllocationPolicy", key)
        if (
            asked
            and asked not in names
            and not _OF_GKE.fullmatch(asked)
            and not subnet.resource.options.raw("ignoreChanges")
        ):
            said = ", ".join(sorted(n for n in names if n)) or "none"
            yield (
                f'names the secondary range "{asked}" in {key}, and its subnet "{name}" has: {said}; the cluster is '
                "refused. Declare the range on the subnet, or name one that is there."
            )


@rule(
    "network-pool-room",
    title="Subnets and pod ranges have an address for every node of a pool",
    breaks="The pool stops growing below its maximum: 'IP space is exhausted', and pods wait for nodes that cannot "
    "be made.",
    fix="Widen the range, lower maxPodsPerNode, or lower the maximum of the pool.",
    source=_ALIAS_IPS,
    severity=Severity.HIGH,
)
def ranges_hold_pools(stack: Stack) -> Iterator[About]:
    vpcs = stack.view(Vpcs)
    for site in stack.view(Fleet).sites:
        nodes = site.most_nodes
        if nodes is None or site.cluster is None or site.cluster.autopilot:
            continue
        subnet = vpcs.subnet(site.cluster.resource, "subnetwork")
        subnets = [subnet, *(attachment.subnet for attachment in vpcs.attachments(site.pool))]
        for candidate in dict.fromkeys(s for s in subnets if s is not None):
            for block in ranges([candidate.props.text("ipCidrRange")]):
                room = max(block.num_addresses - RESERVED_PER_SUBNET, 0)
                if nodes > room:
                    yield About(
                        site.pool.resource,
                        f"{site.pool} can have {nodes} nodes, and {_inner(str(candidate))} has {room} addresses in "
                        f"{block}; the pool stops growing there. Widen the range, or lower the maximum.",
                    )
        if subnet is not None and (found := _pod_room(site, subnet)) is not None and nodes > found[0]:
            yield About(
                site.pool.resource,
                f"{site.pool} can have {nodes} nodes, and the range {found[1]} for pods holds {found[0]} of them at "
                f"{found[2]} pods a node; the pool stops growing there. Widen the range, or lower maxPodsPerNode.",
            )


def _pod_room(site: Site, subnet: Subnetwork) -> tuple[int, IPv4Network, int] | None:
    """Return nodes, range and pods of a node that a cluster's pod range has room for."""
    assert site.cluster is not None  # noqa: S101 - the caller has one
    pool, allocation = site.pool, site.cluster.props.section("ipAllocationPolicy")
    own = pool.props.section("networkConfig")
    if not all(own.absent(key) for key in ("podRange", "podIpv4CidrBlock", "additionalPodNetworkConfigs")):
        return None
    if not allocation.absent("additionalPodRangesConfig") or not site.cluster.props.known("defaultMaxPodsPerNode"):
        return None
    name = allocation.text("clusterSecondaryRangeName")
    texts = [s.text("ipCidrRange") for s in subnet.props.sections("secondaryIpRanges") if s.text("rangeName") == name]
    blocks = ranges(texts) if name else ()
    limits = (pool.props.integer("maxPodsPerNode"), site.cluster.props.integer("defaultMaxPodsPerNode"))
    pods = next((limit for limit in limits if limit), DEFAULT_PODS_PER_NODE)
    if not blocks or not pool.props.known("maxPodsPerNode") or not 0 < pods < 10_000:
        return None
    return nodes_with_pods(blocks[0], pods), blocks[0], pods
