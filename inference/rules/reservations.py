"""Reservations: capacity that is paid for whether a pool finds it or not.

A pool finds a reservation by name, and only if machine, accelerators, local SSDs and zone are those of the
reservation, letter for letter. Nothing warns when they are not: the nodes start on demand beside the idle reservation
and both are billed, or the pool waits for nodes that never come.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.facts.gke import RESERVATION_KEY, RESERVATION_NAME_LABEL, RESERVATION_TYPES
from inference.rules.framework import About, Severity, rule
from inference.rules.views.buying import RESERVATION_VALUE, first_nodes
from inference.rules.views.cloud import NodePool
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.nodes import chosen_ssds, ssds_known
from inference.rules.views.pods import PodTemplate
from inference.rules.views.resources import Resource, short_name
from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN, Props

_TOOLKIT = "https://github.com/GoogleCloudPlatform/cluster-toolkit/blob/develop/modules/compute/gke-node-pool"
_GKE = "https://cloud.google.com/kubernetes-engine/docs/how-to/consuming-reservations"
_RESERVATION = "gcp:compute/reservation:Reservation"


@rule(
    "capacity-reservation-affinity-names-reservation",
    title="A reservation affinity names one reservation exactly if it is SPECIFIC_RESERVATION",
    breaks="GKE refuses the pool, or looks for a reservation that nobody named.",
    fix=f"SPECIFIC_RESERVATION with key {RESERVATION_KEY} and one value: NAME, projects/OWNER/reservations/NAME, or "
    "either followed by /reservationBlocks/BLOCK; the other affinities without key and values.",
    source=f"{_TOOLKIT}/main.tf",
    severity=Severity.HIGH,
    on=NodePool,
)
def affinity_names_reservation(pool: NodePool) -> Iterator[str]:
    affinity = pool.config.section("reservationAffinity")
    kind = pool.reservation_type
    if not kind:
        return
    if kind == "SPECIFIC_RESERVATION":
        yield from _names_one(pool, affinity)
    elif kind not in {*RESERVATION_TYPES, "UNSPECIFIED"}:
        yield (
            f'{pool} has the reservation affinity "{kind}", which GKE does not know. '
            f"Write one of {', '.join(RESERVATION_TYPES)}."
        )
    elif affinity.size("values") or affinity.text("key"):
        named = ", ".join(affinity.texts("values")) or affinity.text("key")
        yield (
            f"{pool} has the reservation affinity {kind} and names {named}; only SPECIFIC_RESERVATION may name one, "
            f"so GKE refuses the pool. Set SPECIFIC_RESERVATION, or take key and values away."
        )


def _names_one(pool: NodePool, affinity: Props) -> Iterator[str]:
    key, count = affinity.text("key"), affinity.size("values")
    if affinity.absent("key") or (key is not None and key != RESERVATION_KEY):
        yield (
            f'{pool} consumes a specific reservation by the key "{key or ""}", under which GKE finds none. '
            f"Set key: {RESERVATION_KEY}."
        )
    if affinity.absent("values") or count == 0:
        yield (
            f"{pool} has the affinity SPECIFIC_RESERVATION and names no reservation, so GKE refuses it. "
            "Give its name in values."
        )
    elif count is not None and count > 1:
        yield (
            f"{pool} names {count} reservations ({', '.join(affinity.texts('values'))}); a pool consumes one. "
            "Make a pool for each."
        )
    for value in affinity.texts("values"):
        match = RESERVATION_VALUE.fullmatch(value)
        if match is None:
            yield (
                f'{pool} names the reservation "{value}", which is no form that GKE reads. '
                "Write NAME, projects/OWNER/reservations/NAME, or either with /reservationBlocks/BLOCK."
            )
        elif match["block"] and pool.props.absent("nodeLocations") and pool.zones is None:
            yield (
                f'{pool} names the reservation block "{value}" without nodeLocations; a block stands in one zone. '
                "Name that zone in nodeLocations."
            )


def _values(site: Site) -> object:
    return site.pool.config.raw("reservationAffinity", "values")


def _consumed(site: Site, by_name: dict[str, list[Resource]], by_urn: dict[str, Resource]) -> list[Resource]:
    """Return the declared reservations that a pool names: by name, or by an edge where the name is not known."""
    if not site.pool.reserved:
        return []
    found: list[Resource] = []
    for value in site.pool.config.texts("reservationAffinity", "values"):
        match = RESERVATION_VALUE.fullmatch(value)
        found += by_name.get(match["name"] if match else short_name(value), ())
    if found or not _has_unknown(_values(site)):
        return found
    source = site.pool.resource
    place = "nodePools" if site.pool.props is not source.props else "nodeConfig"
    edges = source.property_dependencies.get(place, ()) or source.dependencies
    return [by_urn[edge] for edge in edges if edge in by_urn]


def _has_unknown(values: object) -> bool:
    return values is UNKNOWN or (isinstance(values, list | tuple) and any(value is UNKNOWN for value in values))


def _declared(stack: Stack) -> tuple[dict[str, list[Resource]], dict[str, Resource]]:
    reservations = stack.of_type(_RESERVATION)
    by_name: dict[str, list[Resource]] = {}
    for reservation in reservations:
        by_name.setdefault(reservation.physical_name or reservation.name, []).append(reservation)
    return by_name, {reservation.urn: reservation for reservation in reservations}


@rule(
    "capacity-reservation-is-consumed",
    title="A reservation that must be named is named by a node pool",
    breaks="The pool's nodes start on demand, or run into a stockout, while the reservation is billed unused.",
    fix="Set reservationAffinity SPECIFIC_RESERVATION with the reservation's name on the pool that shall use it.",
    source=_GKE,
    severity=Severity.HIGH,
    covers=("NP-005",),
)
def reservation_is_consumed(stack: Stack) -> Iterator[About]:
    by_name, by_urn = _declared(stack)
    sites = stack.view(Fleet).sites if by_urn else ()
    if not sites:
        return
    used = {reservation.urn for site in sites for reservation in _consumed(site, by_name, by_urn)}
    if any(
        site.pool.reserved and _has_unknown(_values(site)) and not _consumed(site, by_name, by_urn) for site in sites
    ):
        return
    elsewhere = stack.view(_named_elsewhere)
    for urn, reservation in by_urn.items():
        name = reservation.physical_name or reservation.name
        must_be_named = reservation.props.flag("specificReservationRequired") is True
        shared = reservation.props.text("shareSettings", "shareType") not in {None, "LOCAL"}
        if not must_be_named or shared or urn in used or name in elsewhere or urn in elsewhere:
            continue
        near = [s.pool for s in sites if s.pool.machine_type and s.pool.machine_type == _machine_type(reservation)]
        other = f"; {near[0]} has the affinity {near[0].reservation_type or 'of its default'}" if near else ""
        yield About(
            reservation,
            f'The reservation "{name}" can only be used by nodes that name it (specificReservationRequired), and no '
            f"node pool does{other}: it is billed and stays idle. Set reservationAffinity SPECIFIC_RESERVATION with "
            f"values [{name}] on the pool.",
        )


def _named_elsewhere(stack: Stack) -> frozenset[str]:
    """Return names and URNs of reservations that something else than a node pool names."""
    found: set[str] = set()
    for resource in stack.resources:
        if resource.type.startswith(("gcp:compute/instance", "gcp:compute/regionInstance")):
            values = resource.props.texts("reservationAffinity", "specificReservation", "values")
            found.update(short_name(value) for value in values)
            found.update(resource.origins("reservationAffinity"))
    for thing in stack.objects("ComputeClass", "cloud.google.com"):
        for priority in thing.spec.sections("priorities"):
            found.update(name for r in priority.sections("reservations", "specific") if (name := r.text("name")))
    for pod in stack.each(PodTemplate):
        found.update(filter(None, [pod.node_selector.get(RESERVATION_NAME_LABEL)]))
    return frozenset(found)


def _machine_type(reservation: Resource) -> str | None:
    return reservation.props.text("specificReservation", "instanceProperties", "machineType")


@rule(
    "capacity-reservation-matches-pool",
    title="A pool has the machine, accelerators, local SSDs and zone of the reservation that it names",
    breaks="The reservation never matches: node creation fails, and the pool stays in PROVISIONING or ERROR while the "
    "reservation is billed.",
    fix="Build the reservation and the pool from one description.",
    source=f"{_TOOLKIT}/reservation_definitions.tf",
    severity=Severity.HIGH,
    covers=("NP-006",),
)
def reservation_matches_pool(stack: Stack) -> Iterator[About]:
    by_name, by_urn = _declared(stack)
    if not by_urn:
        return
    for site in stack.view(Fleet).sites:
        for reservation in _consumed(site, by_name, by_urn):
            differences = list(_differences(site, reservation))
            if differences:
                name = reservation.physical_name or reservation.name
                message = f'{site.pool} names the reservation "{name}", which it cannot use: {"; ".join(differences)}'
                yield About(site.pool.resource, f"{message}. Make both the same.")


def _differences(site: Site, reservation: Resource) -> Iterator[str]:
    zone = reservation.props.text("zone")
    if zone and site.zones is not None and short_name(zone) not in site.zones:
        yield f"it lies in {short_name(zone)} and the pool in {', '.join(site.zones)}"
    if reservation.props.flag("specificReservationRequired") is False or (
        reservation.props.absent("specificReservationRequired")
    ):
        yield "it does not set specificReservationRequired, so it cannot be named"
    shape = reservation.props.section("specificReservation", "instanceProperties")
    machine, own = shape.text("machineType"), site.pool.machine_type
    if machine and own and short_name(machine) != own:
        yield f"it holds {short_name(machine)} and the pool is of {own}"
        return
    yield from _other_accelerators(site.pool, shape)
    yield from _other_ssds(site.pool, shape)
    count = reservation.props.integer("specificReservation", "count")
    if count is not None and (first := first_nodes(site.pool)) > count:
        yield f"it holds {count} machines and the pool starts with {first}"


def _other_accelerators(pool: NodePool, shape: Props) -> Iterator[str]:
    if not shape.known("guestAccelerators") or not pool.config.known("guestAccelerators"):
        return
    reserved = [
        (short_name(a.text("acceleratorType") or ""), a.integer("acceleratorCount"))
        for a in shape.sections("guestAccelerators")
    ]
    wanted = [(kind or "", count) for kind, count in pool.accelerators if count != 0]
    comes_with_machine = pool.machine is not None and pool.machine.gpus > 0
    if (comes_with_machine and not (reserved and wanted)) or pool.tpu:
        return
    known = all(kind and count is not None for kind, count in reserved + wanted)
    if known and sorted(map(str, reserved)) != sorted(map(str, wanted)):
        yield f"it holds {_list(reserved)} for each machine and the pool asks for {_list(wanted)}"


def _list(accelerators: list[tuple[str, int | None]]) -> str:
    return ", ".join(f"{count} x {kind}" for kind, count in accelerators) or "no accelerators"


def _other_ssds(pool: NodePool, shape: Props) -> Iterator[str]:
    if not shape.known("localSsds") or not ssds_known(pool):
        return
    wanted = chosen_ssds(pool)
    reserved = shape.size("localSsds") or 0
    bundled = pool.machine is None or pool.machine.local_ssds is not None
    if wanted != reserved and not (bundled and 0 in {wanted, reserved}):
        yield f"it holds {reserved} local SSDs for each machine and the pool takes {wanted}"
