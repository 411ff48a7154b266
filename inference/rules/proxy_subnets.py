"""Proxy-only subnets: where the proxies of a regional load balancer get their addresses.

A Gateway of a regional class needs exactly one ACTIVE subnet for proxies in the VPC and region of its cluster. The
Gateway is accepted without it and never gets an address: "An active proxy-only subnetwork is required in the same
region and VPC". It is an object of its own purpose, cannot be shared with nodes, and its size is for life.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from inference.facts.gke import (
    GATEWAY_CLASSES,
    PROXY_ONLY_MIN_PREFIX,
    PROXY_ONLY_RECOMMENDED_PREFIX,
    PROXY_ONLY_ROLE,
)
from inference.rules.framework import About, Severity, rule
from inference.rules.views.cloud import Cluster, Network, Subnetwork, ranges
from inference.rules.views.fleet import Fleet
from inference.rules.views.gateway import Gateway
from inference.rules.views.hosting import cluster_of
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from inference.rules.views.vpc import Vpc, Vpcs

_PROXY_DOC = "https://cloud.google.com/load-balancing/docs/proxy-only-subnets"
_ISSUE = "https://github.com/GoogleCloudPlatform/gke-networking-recipes/issues/188"
_FROM_SCRATCH = "https://github.com/maci0/gke-inference-from-scratch"

_REGIONAL, _CROSS_REGIONAL, _OLD = "REGIONAL_MANAGED_PROXY", "GLOBAL_MANAGED_PROXY", "INTERNAL_HTTPS_LOAD_BALANCER"
_INGRESS_CLASSES = frozenset({"gce-internal", "gce-regional-external"})
_OTHER_BALANCERS = (
    "gcp:compute/forwardingRule:ForwardingRule",
    "gcp:compute/regionTargetHttpProxy:RegionTargetHttpProxy",
    "gcp:compute/regionTargetHttpsProxy:RegionTargetHttpsProxy",
    "gcp:compute/regionTargetTcpProxy:RegionTargetTcpProxy",
    "gcp:compute/regionUrlMap:RegionUrlMap",
    "gcp:networkservices/gateway:Gateway",
)


@dataclass(frozen=True, slots=True)
class Existing:
    """What a team has outside the program."""

    networks: tuple[str, ...] = ()
    """Names of VPCs that have a proxy-only subnet already."""


@dataclass(frozen=True, slots=True)
class _FrontDoor:
    resource: Resource
    label: str
    purpose: str


def _front_doors(stack: Stack) -> Iterator[_FrontDoor]:
    for gateway in stack.each(Gateway):
        known = GATEWAY_CLASSES.get(gateway.class_name or "")
        guessed = _CROSS_REGIONAL if "cross-regional" in (gateway.class_name or "") else _REGIONAL
        purpose = known.proxy_only_purpose if known else guessed if gateway.regional else None
        if gateway.gke and purpose:
            yield _FrontDoor(gateway.resource, f'{gateway} of the class "{gateway.class_name}"', purpose)
    for group in ("networking.k8s.io", "extensions"):
        for ingress in stack.objects("Ingress", group):
            named = ingress.annotations.get("kubernetes.io/ingress.class") or ingress.spec.text("ingressClassName")
            if named in _INGRESS_CLASSES:
                yield _FrontDoor(ingress.resource, f'{ingress} of the class "{named}"', _REGIONAL)


def _for_proxies(subnet: Subnetwork) -> bool:
    return subnet.props.text("purpose") in {_REGIONAL, _CROSS_REGIONAL, _OLD}


def _serves(subnet: Subnetwork, purpose: str) -> bool:
    wanted = {_CROSS_REGIONAL} if purpose == _CROSS_REGIONAL else {_REGIONAL, _OLD}
    own = subnet.props.text("purpose")
    return (own in wanted or not subnet.props.known("purpose")) and subnet.props.text("role") != "BACKUP"


def _named(vpc: Vpc) -> str:
    return (vpc.props.text("name") or vpc.resource.name) if isinstance(vpc, Network) else vpc


def _owned(vpcs: Vpcs, vpc: Vpc) -> bool:
    """Whether the program evidently makes the subnets of a VPC, or uses the default one without preparing it."""
    return isinstance(vpc, Network) or vpc == "default" or bool(vpcs.within(vpc))


@rule(
    "network-gateway-proxy-subnet",
    title="A regional Gateway has an active proxy-only subnet in the VPC and region of its cluster",
    breaks="The Gateway is accepted, stays Programmed=False and never gets an address: 'An active proxy-only "
    "subnetwork is required in the same region and VPC as the forwarding rule'. GPU nodes idle behind it.",
    fix="Declare a Subnetwork with purpose REGIONAL_MANAGED_PROXY and role ACTIVE (a /23) in the cluster's network and "
    "region, and let the Gateway depend on it; name a VPC that has one already in the parameter networks.",
    source=_ISSUE,
    severity=Severity.CRITICAL,
    covers=("NET-001", "NET-002"),
    parameters=Existing,
)
def gateway_has_proxy_subnet(stack: Stack, existing: Existing) -> Iterator[About]:
    vpcs = stack.view(Vpcs)
    proxies = [subnet for subnet in vpcs.subnets if _for_proxies(subnet) or not subnet.props.known("purpose")]
    for door in _front_doors(stack):
        cluster = cluster_of(stack, door.resource)
        home = vpcs.home(cluster) if cluster is not None else None
        if cluster is None or home is None or not _owned(vpcs, home) or _named(home) in existing.networks:
            continue
        fitting = [subnet for subnet in proxies if _serves(subnet, door.purpose)]
        inside = [subnet for subnet in fitting if vpcs.of(subnet) in (None, home)]
        if any(cluster.region is None or subnet.region in (None, cluster.region) for subnet in inside):
            continue
        near = inside or fitting
        found = (
            f"; {near[0].resource.name} lies in "
            + (f"the region {near[0].region}" if inside else f'the network "{_named(vpcs.of(near[0]) or "?")}"')
            if near
            else ""
        )
        yield About(
            door.resource,
            f'{door.label} needs an active subnet for proxies in the network "{_named(home)}" and the region '
            f"{cluster.region or 'of the cluster'}, and the program declares none there{found}; the load balancer "
            f"never gets an address. Declare a Subnetwork with purpose {door.purpose} and role {PROXY_ONLY_ROLE}.",
        )


@rule(
    "network-proxy-subnet-vpc",
    title="A proxy-only subnet lies in the VPC of the cluster, never in a network of its accelerators",
    breaks="The proxies have addresses where no cluster is, and the Gateway waits for an address as if there were no "
    "such subnet. It is harder to see, because one exists.",
    fix="Use the same Network for the cluster and for the proxy-only subnet, and always set the network of the "
    "cluster: without it the cluster lies in the default VPC.",
    source=f"{_FROM_SCRATCH}/blob/main/part1/terraform/01-networking.tf",
    severity=Severity.HIGH,
    covers=("NET-002",),
)
def proxy_subnet_lies_with_cluster(stack: Stack) -> Iterator[About]:
    vpcs = stack.view(Vpcs)
    clusters = tuple(stack.each(Cluster))
    homes = {vpc for cluster in clusters if (vpc := vpcs.home(cluster)) is not None}
    pools = [site.pool for site in stack.view(Fleet).sites]
    attached: set[Vpc | None] = {vpc for pool in pools for vpc in vpcs.attached(pool)}
    attached |= {attachment.network for pool in pools for attachment in vpcs.attachments(pool)}
    attached -= homes
    settled = bool(clusters) and all(vpcs.home(cluster) is not None for cluster in clusters)
    proxies = [subnet for subnet in vpcs.subnets if _for_proxies(subnet)]
    with_proxies = {vpcs.of(subnet) for subnet in proxies}
    owned = settled and all(_owned(vpcs, home) for home in homes) and None not in with_proxies
    alone = owned and not homes & with_proxies and not stack.of_type(*_OTHER_BALANCERS)
    for subnet in proxies:
        vpc = vpcs.of(subnet)
        if vpc is None:
            continue
        if isinstance(vpc, Network) and vpc.rdma:
            said = f'the RDMA network "{_named(vpc)}", which takes no such subnet'
        elif vpc in attached:
            said = f'"{_named(vpc)}", a network that the nodes of a pool have beside the cluster\'s own'
        elif alone and vpc not in homes:
            said = f'the network "{_named(vpc)}", where no cluster is ({_where(homes)})'
        else:
            continue
        yield About(
            subnet.resource,
            f"{subnet} is reserved for proxies and lies in {said}; a Gateway finds no proxies in the VPC of its "
            "cluster and never gets an address. Set its network to that of the cluster.",
        )


def _where(homes: set[Network | str]) -> str:
    return "the cluster lies in " + ", ".join(sorted(f'"{_named(home)}"' for home in homes))


@rule(
    "network-proxy-subnet-single",
    title="A VPC has one active proxy-only subnet in a region",
    breaks="The second one is refused; so is a REGIONAL_MANAGED_PROXY beside an INTERNAL_HTTPS_LOAD_BALANCER.",
    fix="Keep one ACTIVE subnet; make the other BACKUP while proxies move.",
    source="https://github.com/kubernetes/ingress-gce/pull/2186",
    severity=Severity.HIGH,
    covers=("NET-010",),
)
def proxy_subnet_is_single(stack: Stack) -> Iterator[About]:
    vpcs = stack.view(Vpcs)
    first: dict[tuple[Vpc, str, bool], Subnetwork] = {}
    for subnet in vpcs.subnets:
        vpc = vpcs.of(subnet)
        idle = subnet.props.text("role") == "BACKUP" or not subnet.props.known("role")
        if not _for_proxies(subnet) or idle or vpc is None or subnet.region is None:
            continue
        key = (vpc, subnet.region, subnet.props.text("purpose") == _CROSS_REGIONAL)
        other = first.setdefault(key, subnet)
        if other is not subnet:
            yield About(
                subnet.resource,
                f'{subnet} is an active subnet for proxies in "{_named(vpc)}" and {subnet.region}, like '
                f'"{other.resource.name}"; a VPC has one in a region, and the second is refused. Remove it, or set '
                "role: BACKUP.",
            )


@rule(
    "network-proxy-subnet-role",
    title="A proxy-only subnet has the purpose REGIONAL_MANAGED_PROXY and a role",
    breaks="Without a role the subnet is refused. The old purpose INTERNAL_HTTPS_LOAD_BALANCER serves no external "
    "gateway and stands in the way of the new one.",
    fix="Set purpose to REGIONAL_MANAGED_PROXY and role to ACTIVE.",
    source=_PROXY_DOC,
    severity=Severity.MEDIUM,
    covers=("NET-010",),
    on=Subnetwork,
)
def proxy_subnet_has_role(subnet: Subnetwork) -> Iterator[str]:
    if not _for_proxies(subnet):
        return
    if subnet.props.absent("role"):
        yield (
            f"{subnet} has the purpose {subnet.props.text('purpose')} and no role; the API refuses it. "
            f"Set role: {PROXY_ONLY_ROLE}."
        )
    if subnet.props.text("purpose") == _OLD:
        yield (
            f"{subnet} has the old purpose {_OLD}, which serves no external gateway and blocks a subnet that does. "
            f"Set purpose: {_REGIONAL}."
        )


@rule(
    "network-proxy-subnet-size",
    title="A proxy-only subnet has at least 64 addresses",
    breaks="A smaller one is refused. One that is just large enough stops the load balancer from growing, and a range "
    "cannot be exchanged without a second subnet.",
    fix="Give it a /23; a /26 is the least.",
    source=_PROXY_DOC,
    severity=Severity.HIGH,
    on=Subnetwork,
)
def proxy_subnet_is_large_enough(subnet: Subnetwork) -> Iterator[str]:
    if not _for_proxies(subnet):
        return
    for block in ranges([subnet.props.text("ipCidrRange")]):
        if block.prefixlen > PROXY_ONLY_MIN_PREFIX:
            yield (
                f"{subnet} is reserved for proxies and has the range {block} of {block.num_addresses} addresses; the "
                f"least is a /{PROXY_ONLY_MIN_PREFIX}, and the subnet is refused. "
                f"Give it a /{PROXY_ONLY_RECOMMENDED_PREFIX}."
            )
