"""A plan's costs: by the prices that its own configuration states, in one line under every preview."""

from __future__ import annotations

import io
import json
import time
from dataclasses import replace

import pytest
from rich.console import Console

from rehearsal import costs, digests, tree
from rehearsal.plan import Plan
from tests.support.rehearsed import rehearsed, standing

KEY = "gke-inference:costs"


def summary(plan: Plan) -> str:
    console = Console(file=io.StringIO(), width=200)
    tree.print_summary(console, plan)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def dev() -> Plan:
    return rehearsed(standing("dev"))


def configured(plan: Plan, text: str) -> Plan:
    return replace(plan, config={KEY: text})


def test_the_summary_ends_with_the_costs_of_a_month(dev: Plan) -> None:
    assert summary(dev).splitlines()[-1] == "  Cost       at least $186 idle – at least $1,619 at maximum, a month"


def test_agreed_prices_of_the_stack_count(dev: Plan) -> None:
    agreed = {"prices": {"forwarding-rules": {"usd": 0}, "gke-cluster": {"usd": 0}}}
    assert "  Cost       $113 idle – $1,546 at maximum, a month" in summary(configured(dev, json.dumps(agreed)))


def test_a_plan_that_was_read_costs_what_the_one_that_was_made_does(dev: Plan) -> None:
    made = configured(dev, json.dumps({"prices": {"n1-standard-4": {"usd": 9}}}))
    read = digests.loads(digests.dumps(made), "plan.json")
    assert costs.of_plan(read).span == costs.of_plan(made).span
    assert costs.of_plan(read).span != costs.of_plan(dev).span


@pytest.mark.parametrize("text", ["", "[secret]", "[]", "7", '{"prices": [1]}', "[" * 50_000, '{"monthlyBudget": "x"}'])
def test_a_malformed_configuration_leaves_list_prices(dev: Plan, text: str) -> None:
    assert costs.of_plan(configured(dev, text)).span == costs.of_plan(dev).span


def test_a_plan_without_anything_that_is_billed_has_no_such_line() -> None:
    assert "Cost" not in summary(Plan(()))


def test_the_line_takes_no_time_to_speak_of(dev: Plan) -> None:
    costs.of_plan(dev)
    started = time.perf_counter()
    costs.of_plan(dev)
    assert time.perf_counter() - started < 0.5
