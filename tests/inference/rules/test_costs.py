"""A stack costs no more than its budget, as far as its costs are known."""

from __future__ import annotations

from typing import Any

import pytest

from inference.rules.costs import Budget, stack_within_budget
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import NODE_POOL, cluster, findings, resource


def pool(name: str = "l4", **config: Any) -> Any:
    props = {
        "name": name,
        "cluster": "platform",
        "location": "us-central1-b",
        "nodeLocations": ["us-central1-b"],
        "autoscaling": {"totalMinNodeCount": 1, "totalMaxNodeCount": 10},
        "nodeConfig": {"machineType": "g2-standard-4", "diskType": "pd-balanced", "diskSizeGb": 100, **config},
    }
    return resource(NODE_POOL, name, props)


IDLE, MOST = 599, 5333
"""Dollars a month of the cluster's fee and one node, and of ten."""


def said(*resources: Any, **budget: Any) -> list[str]:
    return findings(stack_within_budget, cluster(), *(resources or (pool(),)), configuration=budget)


@pytest.mark.parametrize(
    "budget",
    [
        {},
        {"idleMonthlyBudget": IDLE + 1.0},
        {"maximumMonthlyBudget": MOST + 1.0},
        {"idleMonthlyBudget": 0.0, "maximumMonthlyBudget": 0.0},
        {"idleMonthlyBudget": 500.0, "prices": ("g2-standard-4 0.5",)},
        {"idleMonthlyBudget": 500.0, "prices": ("g2-standard-4 9", "g2-standard-4 on-demand 0.5")},
    ],
    ids=str,
)
def test_within_budget_or_without_one_nothing_is_said(budget: dict[str, Any]) -> None:
    assert not said(**budget)


def test_over_the_idle_budget_the_amount_the_limit_and_the_dearest_pool_are_named() -> None:
    (message,) = said(idleMonthlyBudget=IDLE - 20.0)
    assert "$599 a month with the fewest nodes" in message
    assert "idle budget of $579" in message
    assert "pool l4 alone costs $526" in message
    assert "monthlyBudget.idle" in message


def test_over_the_maximum_the_autoscaler_counts() -> None:
    (message,) = said(maximumMonthlyBudget=1000.0)
    assert "$5,333 a month with the most nodes" in message
    assert "monthlyBudget.maximum" in message


def test_both_budgets_are_judged() -> None:
    assert len(said(idleMonthlyBudget=1.0, maximumMonthlyBudget=2.0)) == 2


def test_unknown_prices_break_no_budget_but_are_named_where_the_known_part_does() -> None:
    mystery = pool("mystery", machineType="c3-standard-8")
    assert not said(pool(), mystery, maximumMonthlyBudget=MOST + 200.0)
    (message,) = said(pool(), mystery, maximumMonthlyBudget=1000.0)
    assert "at least $" in message
    assert "c3-standard-8 nodes of pool mystery" in message


def test_many_unknown_prices_are_counted() -> None:
    mysteries = [pool(f"mystery-{n}", machineType="c3-standard-8") for n in range(6)]
    (message,) = said(pool(), *mysteries, maximumMonthlyBudget=1000.0)
    assert "and 3 more" in message


def test_what_is_not_known_yet_costs_nothing_yet() -> None:
    assert not said(pool(machineType=UNKNOWN), idleMonthlyBudget=200.0)


@pytest.mark.parametrize("price", ["", "a3", "g2-standard-4 cheap 1", "g2-standard-4 -1", "g2-standard-4 nan", "1"])
def test_what_is_no_price_is_refused(price: str) -> None:
    with pytest.raises(ValueError, match="no price"):
        Budget(prices=(price,))


@pytest.mark.parametrize(
    ("given", "setting", "expected"),
    [
        ({}, {}, {}),
        ({}, {"monthlyBudget": {"maximum": 100}}, {"maximumMonthlyBudget": 100.0}),
        ({"maximumMonthlyBudget": 50.0}, {"monthlyBudget": {"maximum": 100}}, {"maximumMonthlyBudget": 50.0}),
        ({"maximumMonthlyBudget": 500.0}, {"monthlyBudget": {"maximum": 100}}, {"maximumMonthlyBudget": 100.0}),
        ({"maximumMonthlyBudget": 0.0}, {"monthlyBudget": {"maximum": 100}}, {"maximumMonthlyBudget": 100.0}),
        ({"idleMonthlyBudget": 70.0}, {}, {"idleMonthlyBudget": 70.0}),
        ({}, {"monthlyBudget": {"idle": 0}}, {"idleMonthlyBudget": 0.01}),
        (
            {"prices": ["v6e 1"]},
            {"prices": {"v6e": {"spot": 0.5}, "gke-cluster": {"usd": 0}}},
            {"prices": ["v6e spot 0.5", "gke-cluster 0.0", "v6e 1"]},
        ),
        ({"prices": ["v6e 1"]}, "nonsense", {"prices": ["v6e 1"]}),
    ],
    ids=str,
)
def test_the_lower_of_the_policys_budget_and_the_stacks_own_counts(
    given: dict[str, Any], setting: Any, expected: dict[str, Any]
) -> None:
    assert Budget.joined(given, setting) == expected


def test_prices_of_the_stack_survive_being_written_as_parameters() -> None:
    joined = Budget.joined({}, {"prices": {"v6e": {"flexStart": 1e-7}, "a3-ultragpu-8g": {"reservation": 61.5}}})
    agreed = Budget(prices=tuple(joined["prices"])).agreement
    assert agreed.prices == {"v6e": {"flex-start": 1e-7}, "a3-ultragpu-8g": {"reservation": 61.5}}
