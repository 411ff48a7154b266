"""What a stack file may say about money, and what it is told where that cannot be meant."""

from __future__ import annotations

from typing import Any

import pytest

from inference.estimates.pricing import Agreement
from inference.problems import ProblemsError
from inference.settings import StackSettings
from inference.stackfile import load
from tests.support.stacks import raw

FULL: dict[str, Any] = {
    "monthlyBudget": {"idle": 500, "maximum": 150000},
    "prices": {
        "a3-ultragpu-8g": {"reservation": 61.5},
        "nvidia-tesla-t4": {"onDemand": 0.3, "spot": 0.1},
        "v6e": {"flexStart": 1.35},
        "hyperdisk-balanced": {"usd": 0.09},
        "gke-cluster": {"usd": 0},
        "forwarding-rules": {"usd": 0.025},
        "c3-standard-8": {"usd": 0.4},
    },
    "measuredTokensPerSecond": {"qwen": 900},
}


def loaded(costs: Any) -> StackSettings:
    return load({**raw("dev"), "costs": costs}, "case")


def refused(costs: Any) -> str:
    with pytest.raises(ProblemsError) as caught:
        loaded(costs)
    return str(caught.value)


def test_budgets_prices_and_measurements_load() -> None:
    settings = loaded(FULL)
    assert settings.costs is not None
    assert settings.costs.monthly_budget.maximum == 150000
    assert loaded({}).costs is not None
    assert load(raw("dev"), "case").costs is None


def test_the_estimate_reads_the_same_words() -> None:
    agreed = Agreement.of(FULL)
    assert (agreed.idle_budget, agreed.maximum_budget) == (500, 150000)
    assert agreed.prices["nvidia-tesla-t4"] == {"on-demand": 0.3, "spot": 0.1}
    assert agreed.prices["v6e"] == {"flex-start": 1.35}
    assert agreed.prices["gke-cluster"] == {"": 0}
    assert agreed.tokens_per_second == {"qwen": 900}
    fields = loaded(FULL).costs
    assert fields is not None
    assert len(fields.prices) == len(agreed.prices)


@pytest.mark.parametrize(
    ("costs", "told"),
    [
        ({"monthlyBudget": {"idle": 10, "maximum": 5}}, "costs.monthlyBudget.idle"),
        ({"monthlyBudget": {"maximum": -1}}, "costs.monthlyBudget.maximum"),
        ({"monthlyBudget": {"total": 1}}, 'unknown key "total"'),
        ({"monthlyBudget": 5}, "costs.monthlyBudget"),
        ({"prices": {"nvidia-tesla-t5": {"usd": 1}}}, 'Did you mean "nvidia-tesla-t4"?'),
        ({"prices": {"gke-clusters": {"usd": 1}}}, 'Did you mean "gke-cluster"?'),
        ({"prices": {"g2-standard-4": {}}}, "costs.prices.g2-standard-4"),
        ({"prices": {"g2-standard-4": {"ondemand": 1}}}, "ondemand"),
        ({"prices": {"g2-standard-4": 1}}, "costs.prices.g2-standard-4"),
        ({"measuredTokensPerSecond": {"qwen2": 1}}, "The models are: qwen."),
        ({"measuredTokensPerSecond": {"qwen": 0}}, "costs.measuredTokensPerSecond.qwen"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_with_its_place(costs: Any, told: str) -> None:
    assert told in refused(costs)


def test_a_measurement_of_a_malformed_model_is_not_blamed() -> None:
    stack = raw("dev")
    stack["models"]["qwen"]["replicas"] = "many"
    with pytest.raises(ProblemsError) as caught:
        load({**stack, "costs": {"measuredTokensPerSecond": {"qwen": 900}}}, "case")
    assert "measuredTokensPerSecond" not in str(caught.value)
