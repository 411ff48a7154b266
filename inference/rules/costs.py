"""What a stack may cost: the budgets that its owner set, against the estimate of ``inference.estimates.costs``.

Accelerators cost as much in an hour as other nodes in a month, and a stack file says neither what its pools cost nor
what they would at the most nodes that the autoscaler may run. Without a budget there is nothing to judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from inference.estimates.costs import Estimate, estimate
from inference.estimates.pricing import Agreement, Sum, dollars
from inference.facts.prices import HOURS_PER_MONTH
from inference.rules.framework import About, Severity, rule
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack

_PRICE = re.compile(
    r"(?P<item>[a-z][a-z0-9-]*)"
    r"(?: +(?P<mode>on-demand|spot|reservation|flex-start))?"
    r" +(?P<usd>\d+(?:\.\d+)?(?:e[+-]?\d{1,2})?)"
)

_NAMED = 3
"""Unknown parts that a finding names."""


@dataclass(frozen=True)
class Budget:
    """What the policy configuration may set; the lower of it and the stack's own budget counts."""

    idle_monthly_budget: float = 0.0
    """US dollars that the stack may cost a month at its fewest nodes; 0 for no such budget."""
    maximum_monthly_budget: float = 0.0
    """US dollars that the stack may cost a month at its most nodes; 0 for no such budget."""
    prices: tuple[str, ...] = ()
    """Agreed prices, each "item dollars" or "item mode dollars": "a3-ultragpu-8g reservation 61.5".

    The modes are on-demand, spot, reservation and flex-start.
    """

    setting: ClassVar[str] = "costs"
    """Key of the stack configuration that says the same about a stack."""

    @classmethod
    def joined(cls, given: Mapping[str, Any], setting: Any) -> dict[str, Any]:
        """Return the parameters that hold where a stack's configuration has this setting too."""
        agreed = Agreement.of(setting)
        budgets = {"idleMonthlyBudget": agreed.idle_budget, "maximumMonthlyBudget": agreed.maximum_budget}
        joined = dict(given)
        for name, own in budgets.items():
            # A budget of nothing is one, and 0 means none here: so it becomes as good as nothing.
            limits = [limit for limit in (given.get(name), None if own is None else max(own, 0.01)) if limit]
            if limits:
                joined[name] = min(limits)
        own_prices = [
            " ".join(part for part in (item, mode, repr(usd)) if part)
            for item, modes in agreed.prices.items()
            for mode, usd in modes.items()
        ]
        if own_prices:
            joined["prices"] = [*own_prices, *given.get("prices", ())]
        return joined

    def __post_init__(self) -> None:
        """Refuse what is no price, which would else count as if nothing had been agreed on."""
        if wrong := [text for text in self.prices if _price(text) is None]:
            raise ValueError(f'no price: "{wrong[0]}"; write "item dollars" or "item mode dollars"')

    @property
    def agreement(self) -> Agreement:
        """The agreed prices, the later of the same item and mode counts."""
        prices: dict[str, dict[str, float]] = {}
        for item, mode, usd in filter(None, map(_price, self.prices)):
            prices.setdefault(item, {})[mode] = usd
        return Agreement(prices)


def _price(text: str) -> tuple[str, str, float] | None:
    """Read item, mode and dollars; the mode is empty where there is none."""
    match = _PRICE.fullmatch(text.strip())
    return None if match is None else (match["item"], match["mode"] or "", float(match["usd"]))


@rule(
    "costs-stack-within-budget",
    title="A stack costs no more a month than its budget",
    breaks="Nothing breaks but the budget: a pool of eight-GPU nodes that scales to its maximum costs more in a day "
    "than other clusters do in a month, and the bill comes weeks later.",
    fix="Lower the most nodes of the dearest pool, buy it another way, or raise costs.monthlyBudget with whoever pays.",
    source="https://cloud.google.com/products/compute/pricing/accelerator-optimized",
    severity=Severity.MEDIUM,
    parameters=Budget,
)
def stack_within_budget(stack: Stack, budget: Budget) -> Iterator[About]:
    if budget.idle_monthly_budget <= 0 and budget.maximum_monthly_budget <= 0:
        return
    found = estimate(stack, budget.agreement)
    yield from _judged(found, found.idle, budget.idle_monthly_budget, "with the fewest nodes", idle=True)
    yield from _judged(found, found.most, budget.maximum_monthly_budget, "with the most nodes", idle=False)


def _judged(found: Estimate, costs: Sum, budget: float, when: str, *, idle: bool) -> Iterator[About]:
    if budget <= 0 or costs.monthly <= budget + 0.005:
        return
    group, resource, share = _dearest(found, idle=idle)
    name = "idle" if idle else "maximum"
    yield About(
        resource,
        f"The stack costs {costs} a month {when}, which is more than its {name} budget of {dollars(budget)}; {group} "
        f"alone costs {dollars(share)}.{_lacking(costs)} Lower the nodes of the dearest pools, buy them another way, "
        f"or raise costs.monthlyBudget.{name}.",
    )


def _dearest(found: Estimate, *, idle: bool) -> tuple[str, Resource, float]:
    shares: dict[str, float] = {}
    resources: dict[str, Resource] = {}
    for line in found.lines:
        hourly = line.idle_hourly if idle else line.most_hourly
        shares[line.group] = shares.get(line.group, 0.0) + (hourly or 0.0) * HOURS_PER_MONTH
        resources.setdefault(line.group, line.resource)
    group = max(shares, key=lambda name: shares[name])
    return group, resources[group], shares[group]


def _lacking(costs: Sum) -> str:
    if costs.complete:
        return ""
    named = ", ".join(costs.unknown[:_NAMED])
    more = f" and {len(costs.unknown) - _NAMED} more" if len(costs.unknown) > _NAMED else ""
    return f" Of unknown price and not in it: {named}{more}."
