"""What the nodes of a pool cost: the machine, GPUs or TPU chips beside it, boot disks, local SSDs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from inference.estimates.pricing import Agreement, Line, Rate, terms_of
from inference.facts import prices
from inference.facts.gke import LOCAL_SSD_GIB
from inference.facts.prices import Price, Terms
from inference.rules.views.buying import mode_of, reserving
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.nodes import boot_disk, chosen_ssds, counts, region_of_nodes
from inference.rules.views.resources import short_name
from inference.rules.views.stack import Stack

__all__ = ["Purchase", "node_lines", "purchases", "reserved_nodes"]

_RESERVATION = "gcp:compute/reservation:Reservation"

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


def purchases(site: Site, agreed: Agreement) -> Iterator[Purchase]:
    """Yield what an hour of one node buys, disks aside."""
    name, where, mode = site.pool.machine_type, region_of_nodes(site), mode_of(site.pool)
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
    where, mode = region_of_nodes(site), mode_of(site.pool) or ""
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
    return short_name(names[0]) if mode_of(site.pool) == "reservation" and len(names) == 1 else None


def _disks(site: Site, agreed: Agreement, where: str | None) -> Iterator[Purchase]:
    kind, size = boot_disk(site.pool)
    named = any(not site.pool.config.absent(*path) for path in (("diskType",), ("bootDisk", "diskType")))
    notes = () if named else ("the pool names no disk type: GKE's default",)
    rate = agreed.rate(kind, "", "GiB-month", prices.storage(kind, where)) if kind and size else None
    yield Purchase(what=f"GiB of {kind or 'unknown'} boot disks", units=size or 0, rate=rate, notes=notes)
    if site.pool.machine is not None and site.pool.machine.local_ssds is not None:
        return
    if count := chosen_ssds(site.pool):
        terms = Terms.SPOT if site.pool.spot else Terms.ON_DEMAND
        ssd = agreed.rate("local-ssd", "", "GiB-month", prices.storage("local-ssd", where, terms))
        yield Purchase(what="GiB of local SSDs", units=count * LOCAL_SSD_GIB, rate=ssd)
