"""What a program takes of quotas beside its nodes: networks, addresses, forwarding rules, disks, reservations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from inference.facts import quotas
from inference.facts.machines import Machine, machine
from inference.facts.quotas import Quota
from inference.facts.zones import is_zone, region_of
from inference.rules.views.fleet import Site
from inference.rules.views.gateway import Gateway, Service
from inference.rules.views.hosting import cluster_of
from inference.rules.views.resources import Resource, short_name
from inference.rules.views.stack import Stack
from inference.rules.views.storage_classes import disk_type
from inference.rules.views.values import Props, quantity

__all__ = ["Piece", "Use", "pieces", "project_of", "public_nodes", "reserved"]


@dataclass(frozen=True, slots=True)
class Use:
    """What one resource takes of a quota; None for what is not known."""

    resource: Resource
    what: str
    """The taker in words."""
    least: float | None
    most: float | None
    peak: float | None
    """While it is upgraded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Something that takes from a quota."""

    project: str | None
    region: str
    quota: Quota
    use: Use


def project_of(resource: Resource) -> str | None:
    """Return the project that a resource goes to: its own, else its provider's."""
    return resource.props.text("project") or (resource.provider.props.text("project") if resource.provider else None)


def _region_of(resource: Resource) -> str | None:
    """Return the region of a resource: its own, that of its zone, else its provider's."""
    if zone := resource.props.text("zone"):
        return region_of(short_name(zone)) if is_zone(short_name(zone)) else None
    own = resource.props.text("region")
    if own is None and not resource.props.known("region"):
        return None
    provided = resource.provider.props.text("region") if resource.provider else None
    return short_name(own) if own else provided


def _piece(resource: Resource, quota: Quota, what: str, count: float | None, region: str | None) -> Iterator[Piece]:
    place = "global" if quota.scope == "global" else region
    if place is not None:
        use = Use(resource, what, count, count, count)
        yield Piece(project=project_of(resource), region=place, quota=quota, use=use)


def pieces(stack: Stack) -> Iterator[Piece]:
    """Yield what every resource beside the nodes takes."""
    for token, quota in quotas.OF_RESOURCE.items():
        for resource in stack.of_type(token):
            if resource.props.text("addressType") == "INTERNAL" or resource.props.text("purpose") == "VPC_PEERING":
                continue
            yield from _piece(resource, quota, f'"{resource.name}"', 1, _region_of(resource))
    for nat in stack.of_type("gcp:compute/routerNat:RouterNat"):
        if nat.props.text("natIpAllocateOption") == "AUTO_ONLY":
            yield from _piece(nat, quotas.IN_USE_ADDRESSES, f'the NAT "{nat.name}"', 1, _region_of(nat))
    for disk in stack.of_type("gcp:compute/disk:Disk"):
        kind = short_name(disk.props.text("type") or ("pd-standard" if disk.props.absent("type") else "?"))
        if (size := quotas.disk(kind)) is not None:
            yield from _piece(disk, size, f'the disk "{disk.name}"', disk.props.number("size"), _region_of(disk))
    yield from _endpoints(stack)
    yield from _claims(stack)


def _endpoints(stack: Stack) -> Iterator[Piece]:
    """Yield what Gateways and load balancers take: an address, and a forwarding rule for each port."""
    for gateway in stack.each(Gateway):
        cluster = cluster_of(stack, gateway.resource)
        if not (gateway.regional and gateway.external) or cluster is None:
            continue
        ports = {listener.integer("port") for listener in gateway.listeners}
        for quota, count in (
            (quotas.REGIONAL_EXTERNAL_FORWARDING_RULES, len(ports)),
            (quotas.IN_USE_ADDRESSES, 1 if gateway.spec.absent("addresses") else 0),
        ):
            for piece in _piece(cluster.resource, quota, str(gateway), count, cluster.region):
                yield piece if count else _nothing(piece)
    for service in stack.each(Service):
        cluster = cluster_of(stack, service.resource)
        internal = any("load-balancer-type" in key for key in service.object.annotations)
        if service.spec.text("type") == "LoadBalancer" and not internal and cluster is not None:
            yield from _piece(cluster.resource, quotas.IN_USE_ADDRESSES, str(service), 1, cluster.region)


def _nothing(piece: Piece) -> Piece:
    use = Use(piece.use.resource, piece.use.what, 0, 0, 0)
    return Piece(project=piece.project, region=piece.region, quota=piece.quota, use=use)


def _claims(stack: Stack) -> Iterator[Piece]:
    for claim in stack.objects("PersistentVolumeClaim", ""):
        cluster = cluster_of(stack, claim.resource)
        if cluster is None or claim.spec.text("volumeName"):
            continue
        kind = disk_type(stack, claim.spec.text("storageClassName"))
        size = quantity(claim.spec.raw("resources", "requests", "storage"))
        if kind is not None and (quota := quotas.disk(kind)) is not None:
            gigabytes = None if size is None else size / 2**30
            yield from _piece(cluster.resource, quota, str(claim), gigabytes, cluster.region)


def reserved(stack: Stack) -> Iterator[Piece]:
    """Yield what declared reservations take: a reservation takes quota when it is made, its nodes do not."""
    for reservation in stack.of_type("gcp:compute/reservation:Reservation"):
        shape = reservation.props.section("specificReservation", "instanceProperties")
        count = reservation.props.integer("specificReservation", "count")
        kind = machine(short_name(shape.text("machineType") or ""))
        region, what = _region_of(reservation), f'the reservation "{reservation.name}"'
        guests = [
            (short_name(g.text("acceleratorType") or ""), g.integer("acceleratorCount"))
            for g in shape.sections("guestAccelerators")
        ]
        if not guests and kind is not None and kind.accelerator and kind.gpus:
            guests = [(kind.accelerator, kind.gpus)]
        for accelerator, each in guests:
            quota = quotas.gpus(accelerator)
            if quota is not None:
                total = None if count is None or each is None else count * each
                yield from _piece(reservation, quota, what, total, region)
        if kind is not None and (quota := quotas.cpus(kind.family)) is not None:
            yield from _piece(reservation, quota, what, None if count is None else count * kind.vcpus, region)
        if kind is not None and (size := _local_ssd_gib(shape, kind)) != 0:
            gigabytes = None if count is None or size is None else count * size
            yield from _piece(reservation, quotas.local_ssd(kind.family), what, gigabytes, region)


def _local_ssd_gib(shape: Props, kind: Machine) -> float | None:
    """Return the size of the local SSDs of a reserved machine: bundled, or those that the reservation lists."""
    if kind.local_ssds is not None:
        return kind.local_ssds * kind.local_ssd_gib
    if not shape.known("localSsds"):
        return None
    sizes = [disk.number("diskSizeGb") for disk in shape.sections("localSsds")]
    return sum(kind.local_ssd_gib if size is None else size for size in sizes)


def public_nodes(site: Site) -> bool:
    """Whether the nodes certainly have an external address each."""
    own = site.pool.props.section("networkConfig")
    if not own.absent("enablePrivateNodes"):
        return own.flag("enablePrivateNodes") is False
    if site.cluster is None:
        return False
    private = site.cluster.props.section("privateClusterConfig")
    default = site.cluster.props.section("networkConfig")
    settled = private.known("enablePrivateNodes") and default.known("defaultEnablePrivateNodes")
    return settled and not private.flag("enablePrivateNodes") and not default.flag("defaultEnablePrivateNodes")
