"""A stack's own configuration reaches the rules that ask for it, whichever way the pack is run."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from pulumi.runtime.proto import analyzer_pb2

from inference.problems import ProblemsError
from inference.rules.costs import stack_within_budget
from inference.rules.registry import RULES
from policies import configuration
from policies.pack import stack_settings
from policies.servicer import in_process_servicer
from rehearsal import digests, ownpack, packs
from rehearsal.plan import Plan
from tests.policies.conftest import MakeServicer
from tests.policies.samples import stack_request, struct
from tests.support.rehearsed import rehearsed, standing
from tests.support.stacks import ROOT

KEY = "gke-inference:costs"
POOL = "gcp:container/nodePool:NodePool"
BUDGET = {"monthlyBudget": {"maximum": 500}}
RULE = stack_within_budget.name

STACK = stack_request(
    [
        analyzer_pb2.AnalyzerResource(
            type=POOL,
            name="l4",
            urn=f"urn:pulumi:dev::any::{POOL}::l4",
            properties=struct(
                {
                    "name": "l4",
                    "cluster": "platform",
                    "location": "us-central1-b",
                    "autoscaling": {"totalMinNodeCount": 0, "totalMaxNodeCount": 2},
                    "nodeConfig": {"machineType": "g2-standard-4", "diskType": "pd-balanced", "diskSizeGb": 100},
                }
            ),
        )
    ]
)
"""Any program's pool: at most two nodes for some 1,052 dollars a month."""


def told(costs: Any) -> analyzer_pb2.AnalyzerStackConfigureRequest:
    return analyzer_pb2.AnalyzerStackConfigureRequest(project="any", stack="dev", config={KEY: json.dumps(costs)})


def messages(servicer: Any) -> list[str]:
    return [entry.message for entry in servicer.AnalyzeStack(STACK, None).diagnostics if entry.policyName == RULE]


def test_the_engine_tells_the_pack_the_budget_of_the_stack(fast: MakeServicer) -> None:
    servicer = fast(rules=[stack_within_budget])
    assert not messages(servicer)

    servicer.ConfigureStack(told(BUDGET), None)
    (message,) = messages(servicer)
    assert "maximum budget of $500" in message

    servicer.ConfigureStack(told({}), None)
    assert not messages(servicer), "another stack without a budget"


def test_the_order_in_which_the_engine_configures_does_not_matter(fast: MakeServicer) -> None:
    servicer = fast(rules=[stack_within_budget])
    servicer.ConfigureStack(told(BUDGET), None)
    servicer.Configure(configuration.request({}, [stack_within_budget]), None)

    assert messages(servicer)


def test_a_policy_configuration_gives_any_program_a_budget(fast: MakeServicer) -> None:
    strict = fast({RULE: {"maximumMonthlyBudget": 500}}, [stack_within_budget])
    assert messages(strict)

    strict.ConfigureStack(told({"monthlyBudget": {"maximum": 1_000_000}}), None)
    assert messages(strict), "a stack cannot raise the budget that the policy sets"

    negotiated = {"maximumMonthlyBudget": 500, "prices": ["g2-standard-4 0.2"]}
    assert not messages(fast({RULE: negotiated}, [stack_within_budget]))


def test_a_price_that_is_none_is_refused_with_its_policy() -> None:
    (problem,) = configuration.check_parameters(stack_within_budget, {"prices": ["cheap"]})
    assert problem.where == RULE
    with pytest.raises(ProblemsError, match='no price: "cheap"'):
        in_process_servicer({RULE: {"prices": ["cheap"]}}, [stack_within_budget])


@pytest.mark.parametrize("make", ["fast", "slow"])
def test_the_environment_tells_it_too(
    make: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({KEY: json.dumps(BUDGET), "gcp:project": "my-project"}))
    servicer = request.getfixturevalue(make)(rules=[stack_within_budget])

    assert len(messages(servicer)) == 1


@pytest.mark.parametrize("text", ["[secret]", "", "{", "[" * 100_000])
def test_what_is_no_json_configures_nothing(text: str) -> None:
    assert stack_settings({KEY: text}) == {}


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The dev stack with a budget that it exceeds, as it was read from a digest."""
    made = replace(rehearsed(standing("dev")), config={KEY: json.dumps(BUDGET)})
    return digests.loads(digests.dumps(made), "preview.json")


def test_a_plan_is_judged_by_its_own_configuration(plan: Plan) -> None:
    judged = ownpack.judge(ROOT, "dev", plan)

    assert [finding.policy for finding in judged.findings] == [RULE]
    assert judged.violated


def test_a_pack_in_a_process_of_its_own_is_told_as_well(plan: Plan) -> None:
    judged = packs.judge_with(ROOT / "policies", plan, "gke-inference", "dev")

    assert RULE in [finding.policy for finding in judged.findings]


def test_every_rule_that_reads_a_setting_joins_it_to_its_parameters() -> None:
    asking = [rule for rule in RULES if getattr(rule.parameters, "setting", "")]
    assert stack_within_budget in asking
    for rule in asking:
        assert rule.parameters is not None
        assert rule.configured(rule.parameters.joined({}, {})) == rule.parameters()
