"""The pack as a whole: its list is pinned, and no input, however malformed, makes a rule fail."""

from __future__ import annotations

import copy
import json
from collections import Counter
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.rules.judging import Broken, Judge
from inference.rules.registry import RULES
from inference.rules.views.resources import Provider, Resource
from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN, Props
from rehearsal import digests
from tests.conftest import Golden
from tests.inference.rules import cases
from tests.support.rehearsed import rehearsed, standing
from tests.support.stacks import ROOT, STANDING

LIST = ROOT / "tests" / "policies" / "policies.txt"


def test_the_ordered_list_of_policies_is_the_reviewed_one(golden: Golden) -> None:
    golden(LIST, "".join(f"{rule.name} {rule.level} {rule.severity}\n" for rule in RULES))


def test_no_two_rules_share_a_name() -> None:
    assert not [name for name, count in Counter(rule.name for rule in RULES).items() if count > 1]


def test_every_rule_is_told_in_full() -> None:
    for rule in RULES:
        assert rule.source.startswith("https://"), rule.name
        assert min(len(rule.title), len(rule.breaks), len(rule.fix)) > 20, rule.name


def test_every_rule_fires_in_its_own_cases() -> None:
    if len(cases.FIRED) < len(RULES) // 2:
        pytest.skip("the cases of the rules did not run in this session")
    assert not sorted({rule.name for rule in RULES} - cases.FIRED)


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=20),
    st.just(UNKNOWN),
    st.lists(st.one_of(st.none(), st.text(max_size=5), st.integers()), max_size=3),
    st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.text(max_size=5), st.just(UNKNOWN)), max_size=3),
    st.recursive(st.just([]), lambda inner: st.lists(inner, min_size=1, max_size=2), max_leaves=20),
    st.just({"$" * 500: {"a": [{}]}}),
)


UNGUARDED: dict[str, Any] = {"protect": False, "ignoreChanges": [], "retainOnDelete": False}
"""Options that a digest tells of a resource."""


@cache
def steps(stack: str) -> list[dict[str, Any]]:
    return [step["newState"] for step in json.loads(digests.dumps(rehearsed(standing(stack))))["steps"]]


def resources(states: list[dict[str, Any]]) -> list[Resource]:
    return [
        Resource(
            type=state["type"],
            name=state["urn"].rpartition("::")[2],
            urn=state["urn"],
            props=Props(state.get("inputs", {})),
            parent=state.get("parent", ""),
            dependencies=tuple(state.get("dependencies", ())),
            property_dependencies=state.get("propertyDependencies", {}),
            provider=state.get("madeBy"),
            options=Props(state.get("options") or {k: state.get(k, v) for k, v in UNGUARDED.items()}),
        )
        for state in states
    ]


def replace_somewhere(data: st.DataObject, value: Any, junk: Any) -> Any:
    """Return a copy with one part, anywhere, replaced."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 4)):
        key = data.draw(st.sampled_from(sorted(value)))
        return {**value, key: replace_somewhere(data, value[key], junk)}
    if isinstance(value, list) and value and data.draw(st.integers(0, 4)):
        index = data.draw(st.integers(0, len(value) - 1))
        return [*value[:index], replace_somewhere(data, value[index], junk), *value[index + 1 :]]
    return junk


@pytest.mark.parametrize("stack", STANDING)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_no_malformed_property_makes_a_rule_fail(stack: str, data: st.DataObject) -> None:
    states = copy.deepcopy(steps(stack))
    for _ in range(data.draw(st.integers(1, 3))):
        state = data.draw(st.sampled_from(states))
        state["inputs"] = replace_somewhere(data, state.get("inputs", {}), data.draw(JUNK))
    judge = Judge(RULES)
    made = resources(states)
    verdicts = [v for resource in made for v in judge.resource(resource)] + list(judge.stack(Stack(made)))
    broken = [verdict.trace for verdict in verdicts if isinstance(verdict, Broken)]
    assert not broken, broken[0]


URNS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["", "urn:pulumi:dev", "urn:pulumi:dev::p::t", "urn:pulumi:::::::", "urn:pulumi:a::b::c$d::e::f"]),
)
OPTIONS = st.dictionaries(
    st.sampled_from(
        ["protect", "ignoreChanges", "retainOnDelete", "deleteBeforeReplace", "customTimeouts", "aliases", "parent"]
    ),
    JUNK,
    max_size=4,
)
PROVIDERS = st.one_of(
    st.none(),
    st.builds(
        Provider,
        type=st.sampled_from(["", "pulumi:providers:kubernetes", "pulumi:providers:gcp", "x"]),
        name=st.sampled_from(["", "default", "default_1", "gke"]),
        urn=URNS,
        props=JUNK.map(Props),
    ),
)
EDGES = st.lists(URNS, max_size=3)


@pytest.mark.parametrize("stack", STANDING)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_no_malformed_option_provider_or_urn_makes_a_rule_fail(stack: str, data: st.DataObject) -> None:
    states = copy.deepcopy(steps(stack))
    for _ in range(data.draw(st.integers(1, 4))):
        state = data.draw(st.sampled_from(states))
        match data.draw(st.sampled_from(["options", "provider", "urn", "parent", "edges", "itself"])):
            case "options":
                state["options"] = data.draw(st.one_of(OPTIONS, JUNK))
            case "provider":
                state["madeBy"] = data.draw(PROVIDERS)
            case "urn":
                state["urn"] = data.draw(URNS)
            case "parent":
                state["parent"] = data.draw(URNS)
            case "itself":
                state["parent"], state["dependencies"] = state["urn"], [state["urn"]]
            case _:
                state["dependencies"] = data.draw(EDGES)
                keys = st.sampled_from(["network", "cluster", "spec", "nodeConfig", "kubeconfig", ""])
                state["propertyDependencies"] = data.draw(st.dictionaries(keys, EDGES, max_size=3))
    judge = Judge(RULES)
    made = resources(states)
    verdicts = [v for resource in made for v in judge.resource(resource)] + list(judge.stack(Stack(made)))
    broken = [verdict.trace for verdict in verdicts if isinstance(verdict, Broken)]
    assert not broken, broken[0]


def test_components_that_are_parents_of_each_other_are_walked_once() -> None:
    one = Resource(type="a:b:C", name="x", urn="urn:x", props=Props({}), parent="urn:y", dependencies=("urn:x",))
    other = Resource(type="a:b:C", name="y", urn="urn:y", props=Props({}), parent="urn:x", dependencies=("urn:x",))
    assert Stack([one, other]).awaited(other) == {"urn:x", "urn:y"}


@pytest.mark.parametrize("stack", STANDING)
def test_a_preview_in_which_nothing_is_known_draws_no_finding(stack: str) -> None:
    made = [
        Resource(type=r.type, name=r.name, urn=r.urn, props=Props(dict.fromkeys(r.props, UNKNOWN)), parent=r.parent)
        for r in resources(steps(stack))
    ]
    judge = Judge([rule for rule in RULES if not rule.needs_program])
    verdicts = [v for resource in made for v in judge.resource(resource)] + list(judge.stack(Stack(made)))
    assert not verdicts
