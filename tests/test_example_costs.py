"""The monthly figures that the README and the examples state are those of the estimate.

A figure counts the nodes with accelerators only: those that the models need at their replicas, and at least those that
the pool keeps. Where several pools may run a model, it goes from the cheapest to the dearest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import ceil
from pathlib import Path

import pytest

from inference.estimates.model_costs import ModelCost, model_costs
from inference.estimates.node_costs import purchases
from inference.estimates.pricing import LIST_PRICES, dollars
from inference.facts.prices import HOURS_PER_MONTH
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.nodes import counts
from inference.rules.views.stack import Stack
from rehearsal import costs, resources
from tests.support.rehearsed import rehearsed, standing
from tests.support.stacks import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
AMOUNT = re.compile(r"\$\d+(?:,\d{3})*(?:\.\d+)?")
LINK = re.compile(r"\(examples/([\w-]+)\.yaml\)")

example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


def figures(path: Path) -> tuple[str, ...]:
    """Return what an example costs a month: one figure, or the cheapest and the dearest; ``unknown`` for no price."""
    stack = resources.stack(rehearsed(path))
    models = model_costs(stack)
    if any(len(choice) > 1 for model in models for workload in model.workloads for choice in workload.choices):
        (model,) = models
        return tuple(dollars(side.monthly) if side.complete else "unknown" for side in (model.cheapest, model.declared))
    monthly = [
        nodes * hourly * HOURS_PER_MONTH if hourly is not None else None for nodes, hourly in bought(stack, models)
    ]
    known = [amount for amount in monthly if amount is not None]
    return (dollars(sum(known)) if len(known) == len(monthly) else "unknown",)


def bought(stack: Stack, models: tuple[ModelCost, ...]) -> Iterator[tuple[int, float | None]]:
    """Yield nodes and their price an hour for each pool with accelerators."""
    for site in stack.view(Fleet).sites:
        if site.accelerator:
            fewest, _ = counts(site)
            prices = [one.hourly for one in purchases(site, LIST_PRICES)]
            known = [price for price in prices if price is not None]
            hourly = sum(known) if len(known) == len(prices) else None
            yield max(fewest or 0, needed(site, models)), hourly


def needed(site: Site, models: tuple[ModelCost, ...]) -> int:
    workloads = [(workload.replicas or 0, workload.choices) for model in models for workload in model.workloads]
    shares = [(count, share) for count, choices in workloads for choice in choices for share in choice]
    return ceil(sum(count * share.nodes for count, share in shares if share.site is site))


def rows() -> dict[str, str]:
    """Return the monthly cell of the README's table by example."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    header = next(line for line in lines if line.startswith("| example |"))
    place = [cell.strip() for cell in header.strip("|").split("|")].index("monthly")
    return {
        name: line.strip("|").split("|")[place].strip()
        for line in lines
        if line.startswith("| [")
        for name in LINK.findall(line.split("|")[1])
    }


def comment(path: Path) -> str:
    """Return what the head of an example says about its costs."""
    lines = path.read_text(encoding="utf-8").split("\nconfig:")[0].splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("# Costs:"))
    return " ".join(line.removeprefix("#").strip() for line in lines[start:])


def test_the_summary_that_the_readme_shows_is_that_of_the_prod_stack() -> None:
    span = costs.of_plan(rehearsed(standing("prod"))).span
    assert f"  Cost       {span}\n" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_lists_every_example() -> None:
    assert set(rows()) == {path.stem for path in EXAMPLES}


@example
def test_the_readme_states_what_the_estimate_says(path: Path) -> None:
    cell = rows()[path.stem]
    for figure in figures(path):
        assert figure in (AMOUNT.findall(cell) if figure != "unknown" else cell), f"{cell} states {figures(path)}"


@example
def test_the_example_itself_states_what_the_estimate_says(path: Path) -> None:
    told = comment(path)
    for figure in figures(path):
        assert figure in (AMOUNT.findall(told) if figure != "unknown" else told), f"{told} states {figures(path)}"


@example
def test_no_amount_in_the_table_is_anybodys_guess(path: Path) -> None:
    """What the table states beside the estimate stands in the example, with what it counts."""
    told = AMOUNT.findall(rows()[path.stem])
    own = [other for other, cell in rows().items() if cell == rows()[path.stem]]
    known = {amount for name in own for amount in AMOUNT.findall(comment(ROOT / "examples" / f"{name}.yaml"))}
    assert set(told) <= known
