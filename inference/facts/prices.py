"""List prices in US dollars: what one unit costs in a region, by the way it is bought.

The tables are in ``price_tables``, one file for each family of machines and for the rest by subject. They hold public
list prices without commitment, sustained-use or negotiated discount, before tax. A price that is not there is unknown
or not offered on those terms: never zero, and never that of another region.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from inference.facts._data import read, tables
from inference.facts.sources import SOURCES, keys

__all__ = [
    "FIRST_RULES",
    "FREE_CLUSTER",
    "HOURS_PER_MONTH",
    "NAT_CAPPED_VMS",
    "Price",
    "Terms",
    "chip",
    "every",
    "flex_start",
    "gpu",
    "items",
    "node",
    "service",
    "storage",
]

HOURS_PER_MONTH = 730
"""Hours of a month, as monthly prices are turned into hourly ones (source PRICECALC)."""

FIRST_RULES = 5
"""Forwarding rules that the first price covers (source LBPAGE)."""

NAT_CAPPED_VMS = 32
"""VMs from which on a NAT gateway costs no more (source NATPAGE)."""

FREE_CLUSTER = 74.40
"""US dollars a month that a billing account gets back for one zonal or Autopilot cluster (source GKEPRICEPAGE)."""

_FOLDER = "price_tables"
_ANY = "any"
"""Stands for the region where a price holds in all, or where its source names none."""

_SPOT_DOUBT = "a spot price is a snapshot: it may change once in 30 days, and rose steeply in 2025 and 2026"
_TPU_DOUBT = "no source lists the host virtual machine apart, so it is taken to be in the price of the chips"


class Terms(StrEnum):
    """How something is bought."""

    ON_DEMAND = "on-demand"
    """Also what a reservation costs, used or not."""
    SPOT = "spot"
    FLEX_START = "flex-start"
    """Dynamic Workload Scheduler, up to seven days."""
    CALENDAR = "calendar"
    """Dynamic Workload Scheduler, a booked window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One row of the tables."""

    item: str
    """Machine type, GKE accelerator type, TPU generation, kind of disk, or a name of ``network`` and ``gke``."""
    region: str
    """Region; ``any`` where it holds in all, or where the source names none."""
    terms: Terms
    usd: float
    """US dollars for one unit."""
    unit: str
    """What is counted: ``node-hour``, ``GPU-hour``, ``chip-hour``, ``GiB-month`` …"""
    basis: str
    """How the figure came about: from a price page, as the catalog's total, as a sum of parts …"""
    source: str
    doubts: tuple[str, ...] = ()
    """Why the figure may be wrong; empty where sources agree."""
    part: float | None = None
    """The virtual machine's share of the price of a whole machine with GPUs, where it is known."""

    @property
    def hourly(self) -> float:
        """US dollars for one unit and hour."""
        return self.usd / HOURS_PER_MONTH if self.unit == "GiB-month" else self.usd

    @property
    def key(self) -> str:
        """What names the row: ``a3-ultragpu-8g on-demand us-central1``."""
        return f"{self.item} {self.terms} {self.region}"

    @property
    def date(self) -> str:
        """Date of what was read: that of the first source."""
        return SOURCES[keys(self.source)[0]].date


_COLUMNS = {
    "on_demand": Terms.ON_DEMAND,
    "spot": Terms.SPOT,
    "flex_start": Terms.FLEX_START,
    "calendar": Terms.CALENDAR,
}
_UNITS = {"accelerators": "GPU-hour", "tpus": "chip-hour", "storage": "GiB-month"}
_SUBJECTS = frozenset({"accelerators", "tpus", "storage", "network", "gke", "scheduler"})
"""Files that are not about a family of machines."""


@cache
def _table(name: str) -> Mapping[tuple[str, str, Terms], Price]:
    """Return the rows of one file, by item, region and terms; none where there is no such file."""
    path = f"{_FOLDER}/{name}.toml"
    if path not in tables(_FOLDER):
        return {}
    found = {}
    for item, about in tomllib.loads(read(path)).items():
        for region, row in about["regions"].items():
            for column, terms in _COLUMNS.items():
                if column in row:
                    found[item, region, terms] = _price(name, item, about, region, row, column)
    return found


def _price(name: str, item: str, about: Mapping[str, Any], region: str, row: Mapping[str, Any], column: str) -> Price:
    terms = _COLUMNS[column]
    unit = about.get("unit") or _UNITS.get(name, "node-hour")
    if terms is Terms.FLEX_START:
        unit = "GPU-hour"
    own, doubts = "source", [*about.get("doubts", ()), *row.get("doubts", ())]
    if terms is Terms.SPOT:
        own, doubts = "spot_source", [*row.get("spot_doubts", ()), _SPOT_DOUBT]
    if terms is Terms.CALENDAR:
        doubts = list(row.get("doubts", ()))
    if name == "tpus":
        doubts.append(_TPU_DOUBT)
    return Price(
        item=item,
        region=region,
        terms=terms,
        usd=row[column],
        unit=unit,
        basis=row.get("basis", about["basis"]) if terms is not Terms.SPOT else "spot list price",
        source=row.get(own) or about[own],
        doubts=tuple(doubts),
        part=row.get("vm") if terms is Terms.ON_DEMAND else None,
    )


def _find(name: str, item: str, region: str | None, terms: Terms) -> Price | None:
    rows = _table(name)
    return rows.get((item, region or "", terms)) or rows.get((item, _ANY, terms))


def node(machine_type: str, region: str | None, terms: Terms) -> Price | None:
    """Look up a machine for an hour, what comes with it included; GPUs beside an N1 machine are apart.

    Flex-start is sold by the GPU: see ``flex_start``.
    """
    name = "scheduler" if terms is Terms.CALENDAR else machine_type.partition("-")[0]
    return None if name in _SUBJECTS - {"scheduler"} else _find(name, machine_type, region, terms)


def flex_start(machine_type: str, region: str | None) -> Price | None:
    """Look up one GPU of a machine for an hour of flex-start, its share of the machine included."""
    family = re.sub(r"-\d+g$", "", machine_type)
    found = (_find("scheduler", name, region, Terms.FLEX_START) for name in (machine_type, family))
    return next((price for price in found if price is not None), None)


def gpu(accelerator: str, region: str | None, terms: Terms) -> Price | None:
    """Look up one GPU for an hour by its GKE accelerator type: beside an N1 machine, or as part of a whole one."""
    return _find("accelerators", accelerator, region, terms)


def chip(generation: str, region: str | None, terms: Terms) -> Price | None:
    """Look up one TPU chip for an hour."""
    return _find("tpus", generation, region, terms)


def storage(kind: str, region: str | None, terms: Terms = Terms.ON_DEMAND) -> Price | None:
    """Look up one GiB for a month: of a kind of disk, of ``local-ssd``, or of a ``standard-bucket``."""
    return _find("storage", kind, region, terms)


def service(name: str, region: str | None = None) -> Price | None:
    """Look up what is neither machine nor disk: rows of ``network`` and ``gke``."""
    return _find("network", name, region, Terms.ON_DEMAND) or _find("gke", name, region, Terms.ON_DEMAND)


def every() -> Iterator[Price]:
    """Yield every row of every table."""
    for path in tables(_FOLDER):
        yield from _table(path.removeprefix(f"{_FOLDER}/").removesuffix(".toml")).values()


def items(*names: str) -> frozenset[str]:
    """Return what the named tables have prices of."""
    return frozenset(item for name in names for item, _, _ in _table(name))
