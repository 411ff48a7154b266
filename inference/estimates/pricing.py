"""Rates: list prices, and what a stack's owner agreed on instead; cost lines and their sums.

A line is a price row times a count. What is unknown of either stays unknown, and a sum says what it lacks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from inference.facts.prices import HOURS_PER_MONTH, Price, Terms
from inference.facts.sources import where
from inference.rules.views.resources import Resource

__all__ = ["LIST_PRICES", "Agreement", "Line", "Rate", "Sum", "dollars", "terms_of", "total"]

_AGREED = "agreed price: costs.prices of the stack file, or the policy configuration"
_MODES = {
    "usd": "",
    "onDemand": "on-demand",
    "spot": "spot",
    "reservation": "reservation",
    "flexStart": "flex-start",
}
"""Keys of an agreed price, and the way of buying that each is for; empty for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one unit costs, and who says so."""

    key: str
    """The price row: ``a3-ultragpu-8g on-demand us-central1``."""
    usd: float
    unit: str
    hourly: float
    """US dollars for one unit and hour."""
    origin: str
    """What a reader can open to see the figure."""
    date: str
    basis: str = ""
    doubts: tuple[str, ...] = ()

    @classmethod
    def of(cls, price: Price) -> Self:
        """Return the rate of a list price."""
        return cls(
            key=price.key,
            usd=price.usd,
            unit=price.unit,
            hourly=price.hourly,
            origin=where(price.source),
            date=price.date,
            basis=price.basis,
            doubts=price.doubts,
        )


@dataclass(frozen=True, slots=True)
class Agreement:
    """What an owner says about the costs of a stack: the setting ``costs`` of its file."""

    prices: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """US dollars by item and capacity mode; the mode is empty where the price holds for all."""
    idle_budget: float | None = None
    """US dollars a month at the fewest nodes."""
    maximum_budget: float | None = None
    """US dollars a month at the most nodes."""
    tokens_per_second: Mapping[str, float] = field(default_factory=dict)
    """Tokens that one replica was measured to generate in a second, by the workload's name."""

    @classmethod
    def of(cls, setting: Any) -> Self:
        """Read the setting as plain data; what is malformed is left out, for loading a stack file refuses it."""
        written = setting if isinstance(setting, Mapping) else {}
        prices = {}
        for item, price in _mapping(written.get("prices")).items():
            read = ((mode, _amount(_mapping(price).get(key))) for key, mode in _MODES.items())
            if amounts := {mode: amount for mode, amount in read if amount is not None}:
                prices[str(item)] = amounts
        budget = _mapping(written.get("monthlyBudget"))
        measured = _mapping(written.get("measuredTokensPerSecond"))
        return cls(
            prices,
            _amount(budget.get("idle")),
            _amount(budget.get("maximum")),
            {str(name): speed for name, value in measured.items() if (speed := _amount(value))},
        )

    def agreed(self, item: str, mode: str, unit: str) -> Rate | None:
        """Return the agreed price of an item bought in this way."""
        modes = self.prices.get(item, {})
        usd = modes.get(mode, modes.get(""))
        if usd is None:
            return None
        hourly = usd / HOURS_PER_MONTH if unit == "GiB-month" else usd
        key = f"{item} {mode}".strip()
        return Rate(key=key, usd=usd, unit=unit, hourly=hourly, origin=_AGREED, date="", basis="agreed")

    def rate(self, item: str, mode: str, unit: str, listed: Price | None) -> Rate | None:
        """Return the agreed price of an item, else the list price."""
        return self.agreed(item, mode, unit) or (Rate.of(listed) if listed is not None else None)


LIST_PRICES = Agreement()
"""Nothing was agreed on."""


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _amount(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    return float(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that is paid for: a price row times a count."""

    resource: Resource
    kind: str
    """``nodes``, ``disks``, ``cluster`` or ``network``."""
    group: str
    """What it belongs to, as a reader calls it: ``pool h200``, ``cluster inference``."""
    what: str
    """What is counted: ``a3-ultragpu-8g nodes``."""
    rate: Rate | None
    """``None`` where no price is known."""
    idle: float | None
    """Units at the fewest nodes; ``None`` where that is not known."""
    most: float | None
    """Units at the most nodes."""
    mode: str = ""
    """How the nodes are bought: ``on-demand``, ``spot``, ``reservation``, ``flex-start``."""
    region: str | None = None
    accelerated: bool = False
    """Whether it buys nodes with accelerators."""
    notes: tuple[str, ...] = ()

    @property
    def idle_hourly(self) -> float | None:
        """US dollars an hour at the fewest nodes."""
        return _product(self.rate, self.idle)

    @property
    def most_hourly(self) -> float | None:
        """US dollars an hour at the most nodes."""
        return _product(self.rate, self.most)

    def __str__(self) -> str:
        return f"{self.what} of {self.group}"


def _product(rate: Rate | None, count: float | None) -> float | None:
    if count == 0:
        return 0.0
    return None if rate is None or count is None else rate.hourly * count


@dataclass(frozen=True, slots=True)
class Sum:
    """What lines add up to, as far as it is known."""

    hourly: float = 0.0
    """US dollars an hour: the part that is known."""
    unknown: tuple[str, ...] = ()
    """What it lacks."""

    @property
    def monthly(self) -> float:
        """US dollars in 730 hours: the part that is known."""
        return self.hourly * HOURS_PER_MONTH

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.unknown

    def worded(self, amount: float, digits: int = 0) -> str:
        """Say an amount with the reserve that the sum is under."""
        if self.complete:
            return dollars(amount, digits)
        return f"at least {dollars(amount, digits)}" if amount else "unknown"

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.hourly + other.hourly, tuple(dict.fromkeys((*self.unknown, *other.unknown))))

    def __str__(self) -> str:
        return self.worded(self.monthly)


def total(parts: Iterable[tuple[Line, float | None]]) -> Sum:
    """Add up amounts of lines; those that are ``None`` are named as unknown."""
    hourly, unknown = 0.0, []
    for line, amount in parts:
        if amount is None:
            unknown.append(str(line))
        else:
            hourly += amount
    return Sum(hourly, tuple(dict.fromkeys(unknown)))


def dollars(amount: float, digits: int = 0) -> str:
    """Write an amount: ``$1,234``; below ten dollars with cents."""
    if digits == 0 and 0 < abs(amount) < 10:
        digits = 2
    return f"-${-amount:,.{digits}f}" if amount < 0 else f"${amount:,.{digits}f}"


def terms_of(mode: str) -> Terms:
    """Return the terms of the list price of a mode; a reservation costs what on-demand nodes cost."""
    return {"spot": Terms.SPOT, "flex-start": Terms.FLEX_START}.get(mode, Terms.ON_DEMAND)
