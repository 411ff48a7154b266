"""What cannot be meant in what a stack file says about money: names of nothing, budgets that contradict each other."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from inference.facts import prices
from inference.facts.gpus import GPUS
from inference.facts.machines import ATTACHABLE, MACHINES
from inference.facts.tpus import GENERATIONS
from inference.problems import Problem
from inference.settings import StackSettings

__all__ = ["check"]

_MACHINE = re.compile(r"[a-z]+\d+[a-z]*-[a-z]+.*")
_RULES = "forwarding-rules"
"""Stands for the forwarding rules of every region, whose list prices differ."""


def check(settings: StackSettings, missing: frozenset[str]) -> Iterator[Problem]:
    """Yield every problem."""
    costs = settings.costs
    if costs is None:
        return
    budget = costs.monthly_budget
    if budget.idle is not None and budget.maximum is not None and budget.idle > budget.maximum:
        yield Problem(
            "costs.monthlyBudget.idle",
            f"{budget.idle:g}",
            f"the maximum is {budget.maximum:g}, and a stack costs the least when it is idle",
            "Write an idle budget that is no higher than the maximum.",
        )
    for item, price in costs.prices.items():
        where = f"costs.prices.{item}"
        if not price.model_fields_set:
            remedy = "Write usd, onDemand, spot, reservation or flexStart."
            yield Problem(where, "no price", "an agreed price is an amount of US dollars", remedy)
        if not _MACHINE.fullmatch(item) and item not in (known := _items()):
            nearest = difflib.get_close_matches(item, sorted(known), 1)
            choices = f"Write a machine type, or one of {_listed(known)}."
            remedy = f'Did you mean "{nearest[0]}"?' if nearest else choices
            yield Problem(where, f'"{item}"', "no estimate looks such a price up", remedy)
    if "models" in missing:
        return
    for name in costs.measured_tokens_per_second:
        if name not in settings.models and f"models.{name}" not in missing:
            models = ", ".join(settings.models) or "none yet"
            where = f"costs.measuredTokensPerSecond.{name}"
            yield Problem(where, "no such model", "a throughput is that of a model", f"The models are: {models}.")


def _items() -> frozenset[str]:
    """Return what an agreed price may be of, machine types aside."""
    subjects = prices.items("storage", "network", "gke")
    return frozenset((*subjects, _RULES, *GPUS, *ATTACHABLE, *MACHINES, *GENERATIONS))


def _listed(known: frozenset[str]) -> str:
    return ", ".join(sorted(known - set(MACHINES) - set(GPUS)))
