"""Addresses: how many each range holds, and how many nodes, pods and load balancers take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from inference.addressing import RESERVED_PER_SUBNET, nodes_with_pods
from inference.facts.gke import DEFAULT_PODS_PER_NODE
from inference.rules.views.cloud import Cluster, Subnetwork, ranges
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.gateway import Service
from inference.rules.views.hosting import cluster_of
from inference.rules.views.nodes import counts
from inference.rules.views.stack import Stack
from inference.rules.views.vpc import Vpcs

__all__ = ["Range", "address_ranges"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """One range of addresses and what takes from it."""

    name: str
    """Logical name of the subnet, with the name of the secondary range behind it."""
    block: str
    holds: int
    """Of ``unit``, at most."""
    unit: str
    """``nodes``, ``nodes with 110 pods``, or ``Services``."""
    least: int | None
    """Taken at the start and when idle; None where that is not known."""
    most: int | None

    @property
    def fits(self) -> bool | None:
        """Whether the largest size finds room; None where that is not known."""
        return None if self.most is None else self.most <= self.holds


def address_ranges(stack: Stack) -> tuple[Range, ...]:
    """Return the ranges that nodes, pods and Services of the declared clusters take from."""
    vpcs = stack.view(Vpcs)
    members: dict[Subnetwork, list[Site]] = defaultdict(list)
    for site in stack.view(Fleet).sites:
        if site.cluster is None or site.cluster.autopilot:
            continue
        home = vpcs.subnet(site.cluster.resource, "subnetwork")
        attached = (attachment.subnet for attachment in vpcs.attachments(site.pool))
        for subnet in dict.fromkeys(found for found in (home, *attached) if found is not None):
            members[subnet].append(site)
    found: list[Range] = []
    for subnet, sites in members.items():
        least, most = _nodes(sites)
        for block in ranges([subnet.props.text("ipCidrRange")]):
            holds = max(block.num_addresses - RESERVED_PER_SUBNET, 0)
            found.append(
                Range(name=subnet.resource.name, block=str(block), holds=holds, unit="nodes", least=least, most=most)
            )
    for cluster in stack.each(Cluster):
        primary = vpcs.subnet(cluster.resource, "subnetwork")
        if primary is not None and not cluster.autopilot:
            found += _pods(cluster, primary, [s for s in members.get(primary, ()) if s.cluster is cluster])
            found += _services(stack, cluster, primary)
    return tuple(found)


def _nodes(sites: Iterable[Site]) -> tuple[int | None, int | None]:
    counted = [counts(site) for site in sites]
    fewest, most = [row[0] for row in counted], [row[1] for row in counted]
    return (
        None if None in fewest else sum(filter(None, fewest)),
        None if None in most else sum(filter(None, most)),
    )


def _secondary(cluster: Cluster, subnet: Subnetwork, key: str) -> tuple[str, IPv4Network] | None:
    name = cluster.props.text("ipAllocationPolicy", key)
    texts = [s.text("ipCidrRange") for s in subnet.props.sections("secondaryIpRanges") if s.text("rangeName") == name]
    blocks = ranges(texts) if name else ()
    return (f"{subnet.resource.name}/{name}", blocks[0]) if blocks else None


def _pods(cluster: Cluster, subnet: Subnetwork, sites: list[Site]) -> Iterator[Range]:
    """Yield the pod range: how many nodes with their pods it holds."""
    found = _secondary(cluster, subnet, "clusterSecondaryRangeName")
    own = [s for s in sites if s.pool.props.absent("networkConfig", "podRange")]
    limits = {site: _pods_of(site) for site in own}
    known = [pods for pods in limits.values() if pods is not None]
    if found is None or not known or len(known) != len(limits) or not 0 < max(known) < 10_000:
        return
    pods = max(known)
    name, block = found
    least, most = _nodes(own)
    unit = f"nodes with {pods} pods"
    holds = nodes_with_pods(block, pods)
    yield Range(name=name, block=str(block), holds=holds, unit=unit, least=least, most=most)


def _pods_of(site: Site) -> int | None:
    assert site.cluster is not None  # noqa: S101 - the caller has one
    places = ((site.pool.props, "maxPodsPerNode"), (site.cluster.props, "defaultMaxPodsPerNode"))
    for props, key in places:
        if not props.absent(key):
            return props.integer(key)
    return DEFAULT_PODS_PER_NODE


def _services(stack: Stack, cluster: Cluster, subnet: Subnetwork) -> Iterator[Range]:
    """Yield the range of Services against those that the program declares; charts and operators add theirs."""
    found = _secondary(cluster, subnet, "servicesSecondaryRangeName")
    if found is None:
        return
    name, block = found
    services = [s for s in stack.each(Service) if not s.headless and cluster_of(stack, s.resource) is cluster]
    count = len(services)
    yield Range(name=name, block=str(block), holds=block.num_addresses, unit="Services", least=count, most=count)
