"""What the nodes of a pool cost: the machine, GPUs or TPU chips beside it, boot disks, local SSDs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from inference.estimates.pricing import Agreement, Line, Rate, terms_of
from inference.facts import prices
from inference.facts.prices import Price, Terms
from inference.facts.zones import is_region, is_zone, region_of
from inference.rules.views.buying import reserving
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.resources import short_name
from inference.rules.views.stack import Stack

__all__ = ["Purchase", "counts", "mode_of", "node_lines", "purchases", "region", "reserved_nodes"]

_RESERVATION = "gcp:compute/reservation:Reservation"

_LOCAL_SSD_GIB = 375
"""Size of one local SSD: https://cloud.google.com/compute/docs/disks/local-ssd"""

_DEFAULT_DISK_GIB = 100
_DEFAULT_DISK = "pd-balanced"
"""Boot disk of a pool that names none: diskSizeGb and diskType of the GKE API's NodeConfig."""

_RESERVED = (
    "a reservation is billed at the on-demand price whether its nodes run or not, less what was agreed for a commitment"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What one node buys of one price row."""

    what: str
    """``a3-ultragpu-8g nodes``, ``nvidia-tesla-t4 GPUs`` …"""
    units: float
    """Units for each node."""
    rate: Rate | None
    notes: tuple[str, ...] = ()

    @property
    def hourly(self) -> float | None:
        """US dollars for an hour of one node."""
        return None if self.rate is None else self.rate.hourly * self.units


def mode_of(site: Site) -> str | None:
    """Return how the nodes are bought; ``None`` where that is not known."""
    pool = site.pool
    if pool.spot:
        return "spot"
    if pool.flex_start or pool.queued:
        return "flex-start"
    if pool.reservation_type in {"SPECIFIC_RESERVATION", "ANY_RESERVATION_THEN_FAIL"}:
        return "reservation"
    settled = all(pool.config.known(key) for key in ("spot", "preemptible", "flexStart", "reservationAffinity"))
    return "on-demand" if settled and pool.props.known("queuedProvisioning", "enabled") else None


def region(site: Site) -> str | None:
    """Return the region of the nodes."""
    for place in (*(site.zones or ()), site.pool.props.text("location"), site.cluster and site.cluster.location):
        if place and is_zone(place):
            return region_of(place)
        if place and is_region(place):
            return place
    return None


def counts(site: Site) -> tuple[int | None, int | None]:
    """Return the fewest and the most nodes of a pool; ``None`` for what is not known."""
    scaling = site.pool.props.section("autoscaling")
    if not scaling:
        fixed = site.most_nodes
        return fixed, fixed
    fewest = scaling.integer("totalMinNodeCount")
    if not fewest and (each := scaling.integer("minNodeCount")):
        fewest = None if site.zone_count is None else each * site.zone_count
    elif fewest is None:
        fewest = 0 if scaling.known("minNodeCount") and scaling.known("totalMinNodeCount") else None
    return fewest, site.most_nodes


def purchases(site: Site, agreed: Agreement) -> Iterator[Purchase]:
    """Yield what an hour of one node buys, disks aside."""
    name, where, mode = site.pool.machine_type, region(site), mode_of(site)
    if name is None:
        yield Purchase(what="nodes of an unknown machine type", units=1, rate=None)
        return
    if mode is None:
        yield Purchase(what=f"{name} nodes, bought nobody knows how", units=1, rate=None)
        return
    notes = (_RESERVED,) if mode == "reservation" else ()
    if own := agreed.agreed(name, mode, "node-hour"):
        yield Purchase(what=f"{name} nodes", units=1, rate=own, notes=notes)
    elif site.generation is not None:
        listed = None if mode == "flex-start" else prices.chip(site.generation.name, where, terms_of(mode))
        rate = agreed.rate(site.generation.name, mode, "chip-hour", listed)
        yield Purchase(what=f"TPU {site.generation.name} chips", units=site.chips or 0, rate=rate, notes=notes)
        return
    elif mode == "flex-start":
        gpus = site.pool.gpus_per_node or 0
        listed = prices.flex_start(name, where)
        rate = Rate.of(listed) if listed is not None and gpus else None
        if rate is not None:
            yield Purchase(what=f"GPUs of {name} nodes", units=gpus, rate=rate)
            return
        yield Purchase(what=f"{name} nodes", units=1, rate=None)
    else:
        rate, more = _machine(site, name, where, mode)
        yield Purchase(what=f"{name} nodes", units=1, rate=rate, notes=notes + more)
    yield from _beside(site, agreed, where, mode)


def _machine(site: Site, name: str, where: str | None, mode: str) -> tuple[Rate | None, tuple[str, ...]]:
    listed: Price | None = prices.node(name, where, terms_of(mode))
    if listed is None and mode == "reservation" and site.pool.machine and not site.pool.machine.on_demand:
        listed = prices.node(name, where, Terms.CALENDAR)
        if listed is not None:
            return Rate.of(listed), ("not sold on demand: the price is that of calendar mode",)
    if listed is None:
        return None, ()
    notes = (
        ("reserved capacity is used first where it matches",) if mode == "on-demand" and reserving(site.pool) else ()
    )
    return Rate.of(listed), notes


def _beside(site: Site, agreed: Agreement, where: str | None, mode: str) -> Iterator[Purchase]:
    """Yield the GPUs beside a machine that comes without any."""
    if site.pool.machine is not None and site.pool.machine.gpus:
        return
    for kind, count in site.pool.accelerators:
        if count == 0:
            continue
        listed = None if mode == "flex-start" or kind is None else prices.gpu(kind, where, terms_of(mode))
        rate = agreed.rate(kind or "", mode, "GPU-hour", listed)
        yield Purchase(what=f"{kind or 'unknown'} GPUs", units=count or 0, rate=rate if count else None)


def node_lines(site: Site, agreed: Agreement, reserved: int | None = None) -> Iterator[Line]:
    """Yield the lines of one pool; ``reserved`` are the nodes of its reservation, where the program makes it."""
    fewest, most = counts(site)
    where, mode = region(site), mode_of(site) or ""
    group = f"pool {_called(site)}"
    accelerated = site.accelerator != ""

    def line(kind: str, bought: Purchase, fewest: int | None = fewest, most: int | None = most) -> Line:
        return Line(
            resource=site.pool.resource,
            kind=kind,
            group=group,
            what=bought.what,
            rate=bought.rate,
            idle=None if fewest is None else fewest * bought.units,
            most=None if most is None else most * bought.units,
            mode=mode if kind == "nodes" else "",
            region=where,
            accelerated=accelerated and kind == "nodes",
            notes=bought.notes,
        )

    for bought in purchases(site, agreed):
        yield line("nodes", bought)
        waiting = Purchase(what=f"{bought.what} reserved and not running", units=bought.units, rate=bought.rate)
        if mode == "reservation" and reserved is not None:
            yield line("nodes", waiting, *(None if n is None else max(reserved - n, 0) for n in (fewest, most)))
        elif mode == "reservation" and fewest is not None and most != fewest:
            # Nobody knows the size of the reservation, so not what it costs beyond the nodes that run.
            yield line("nodes", waiting, None, 0)
    for bought in _disks(site, agreed, where):
        yield line("disks", bought)


def _called(site: Site) -> str:
    """Return a name that is the same in every rehearsal: the program's own where there is one."""
    owner = site.pool.resource.name
    return f"{owner}/{site.pool.name or '?'}" if site.pool.inline else owner


def reserved_nodes(stack: Stack, site: Site) -> int | None:
    """Return the size of the reservation that a pool takes its nodes from, alone, where the program makes it."""
    name = _reservation(site)
    if name is None or stack.view(_takers)[name] != 1:
        return None
    return stack.view(_sizes).get(name)


def _takers(stack: Stack) -> Counter[str]:
    return Counter(name for site in stack.view(Fleet).sites if (name := _reservation(site)) is not None)


def _sizes(stack: Stack) -> Mapping[str, int]:
    return {
        name: size
        for declared in stack.of_type(_RESERVATION)
        if (name := declared.props.text("name")) is not None
        and (size := declared.props.integer("specificReservation", "count")) is not None
    }


def _reservation(site: Site) -> str | None:
    names = site.pool.config.texts("reservationAffinity", "values")
    return short_name(names[0]) if mode_of(site) == "reservation" and len(names) == 1 else None


def _disks(site: Site, agreed: Agreement, where: str | None) -> Iterator[Purchase]:
    config = site.pool.config
    kind = config.text("bootDisk", "diskType") or config.text("diskType")
    size = config.number("bootDisk", "sizeGb") or config.number("diskSizeGb")
    notes: tuple[str, ...] = ()
    if kind is None and config.absent("diskType") and config.absent("bootDisk", "diskType"):
        takes = site.pool.machine.boot_disk_types if site.pool.machine else ()
        kind = None if takes and _DEFAULT_DISK not in takes else _DEFAULT_DISK
        notes = ("the pool names no disk type: GKE's default",)
    if size is None and config.absent("diskSizeGb") and config.absent("bootDisk", "sizeGb"):
        size = _DEFAULT_DISK_GIB
    rate = agreed.rate(kind, "", "GiB-month", prices.storage(kind, where)) if kind and size else None
    yield Purchase(what=f"GiB of {kind or 'unknown'} boot disks", units=size or 0, rate=rate, notes=notes)
    if site.pool.machine is not None and site.pool.machine.local_ssds is not None:
        return
    places = ("ephemeralStorageLocalSsdConfig", "ephemeralStorageConfig", "localNvmeSsdBlockConfig")
    chosen = sum(config.integer(place, "localSsdCount") or 0 for place in places)
    if count := chosen + (config.integer("localSsdCount") or 0):
        terms = Terms.SPOT if site.pool.spot else Terms.ON_DEMAND
        ssd = agreed.rate("local-ssd", "", "GiB-month", prices.storage("local-ssd", where, terms))
        yield Purchase(what="GiB of local SSDs", units=count * _LOCAL_SSD_GIB, rate=ssd)
