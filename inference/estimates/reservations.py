"""The reservations that a program's nodes come from, and what they have to look like to be found."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from inference.estimates.pieces import project_of
from inference.rules.views.buying import RESERVATION_VALUE
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.nodes import counts, local_ssds
from inference.rules.views.resources import short_name
from inference.rules.views.stack import Stack

__all__ = ["Consumer", "Reservation", "reservations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A pool, or a priority of a ComputeClass, that takes nodes from a reservation."""

    what: str
    machine_type: str | None
    accelerator: str | None
    gpus: int | None
    """GPUs of a node."""
    local_ssds: int
    zones: tuple[str, ...] | None
    block: str = ""
    """``/reservationBlocks/BLOCK`` with perhaps ``/reservationSubBlocks/SUB-BLOCK`` where it names one."""
    least: int | None
    """Nodes at the start and when idle; None where that is not known."""
    most: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """One reservation that is named."""

    name: str
    project: str | None
    """Owner; None where that is not known."""
    shared: bool
    """Whether another project owns it."""
    declared: bool
    """Whether the program itself makes it."""
    consumers: tuple[Consumer, ...]

    @property
    def zones(self) -> tuple[str, ...]:
        """Zones in which it is looked for."""
        return tuple(dict.fromkeys(zone for consumer in self.consumers for zone in consumer.zones or ()))

    @property
    def machine_types(self) -> tuple[str, ...]:
        """Machine types that are looked for."""
        return tuple(dict.fromkeys(filter(None, (consumer.machine_type for consumer in self.consumers))))

    @property
    def least(self) -> int | None:
        """Nodes at the start and when idle; None where part of it is not known."""
        amounts = [consumer.least for consumer in self.consumers]
        return None if None in amounts else sum(filter(None, amounts))

    @property
    def most(self) -> int | None:
        """Nodes at the largest; None where part of it is not known."""
        amounts = [consumer.most for consumer in self.consumers]
        return None if None in amounts else sum(filter(None, amounts))


def reservations(stack: Stack) -> tuple[Reservation, ...]:
    """Return the reservations that pools and ComputeClasses name."""
    found: dict[tuple[str, str | None], list[Consumer]] = defaultdict(list)
    homes: dict[tuple[str, str | None], str | None] = {}
    for site in stack.view(Fleet).sites:
        home = project_of(site.pool.resource)
        for value in site.pool.config.texts("reservationAffinity", "values") if site.pool.reserved else ():
            match = RESERVATION_VALUE.fullmatch(value)
            name, owner, block = (match["name"], match["project"], match["block"]) if match else (value, None, None)
            key = short_name(name), owner or home
            homes[key] = home
            found[key].append(_of_pool(site, block or ""))
    for thing in stack.objects("ComputeClass", "cloud.google.com"):
        for priority in thing.spec.sections("priorities"):
            for named in priority.sections("reservations", "specific"):
                if name := named.text("name"):
                    key = name, named.text("project")
                    homes.setdefault(key, key[1])
                    found[key].append(
                        Consumer(
                            what=str(thing),
                            machine_type=priority.text("machineType"),
                            accelerator=priority.text("gpu", "type"),
                            gpus=priority.integer("gpu", "count"),
                            local_ssds=0,
                            zones=priority.texts("location", "zones") or named.texts("zones") or None,
                            least=0,
                            most=None,
                        )
                    )
    made = {
        resource.physical_name or resource.name for resource in stack.of_type("gcp:compute/reservation:Reservation")
    }
    return tuple(
        Reservation(
            name=name,
            project=project,
            shared=project is not None and homes[name, project] is not None and project != homes[name, project],
            declared=name in made,
            consumers=tuple(consumers),
        )
        for (name, project), consumers in sorted(found.items(), key=lambda row: (row[0][0], row[0][1] or ""))
    )


def _of_pool(site: Site, block: str) -> Consumer:
    fewest, most = counts(site)
    return Consumer(
        what=f'the pool "{site.pool.resource.name}"',
        machine_type=site.pool.machine_type,
        accelerator=site.pool.gpu_type if site.pool.gpu else None,
        gpus=site.pool.gpus_per_node if site.pool.gpu else None,
        local_ssds=local_ssds(site.pool),
        zones=site.zones,
        block=block,
        least=fewest,
        most=most,
    )
