"""Every custom object that a stack makes is one that its published definition allows."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.support.celrules import asked, rules, unsupported
from tests.support.definitions import ABSENT, definition, definitions, definitions_folder, problems
from tests.support.spoiled import SPOILED, Spoiled
from tests.support.stackobjects import SETTINGS, STACKS, custom, settled
from tests.support.structural import defaulted

published = pytest.mark.skipif(definitions_folder() is None, reason=ABSENT)


@published
@pytest.mark.parametrize("stack", STACKS)
def test_a_cluster_takes_every_custom_object_of_a_stack(stack: str) -> None:
    found = [problem for manifest in custom(STACKS[stack]) for problem in problems(manifest)]
    assert not found, "\n".join(found)


@published
@pytest.mark.parametrize("name", SETTINGS)
def test_a_cluster_takes_every_custom_object_of_other_settings(name: str, tmp_path: Path) -> None:
    made = custom(settled(name, tmp_path))
    found = [problem for manifest in made for problem in problems(manifest)]
    assert made
    assert not found, "\n".join(found)


@published
def test_every_kind_with_rules_for_a_new_object_is_asked_some() -> None:
    asking = Counter[str]()
    ruled = set()
    for path in STACKS.values():
        for manifest in custom(path):
            found = definition(manifest)
            assert found is not None, manifest
            if any(not rule.is_transition for rule in rules(found.schema["properties"]["spec"])):
                ruled.add(found.kind)
            asking[found.kind] += sum(1 for _ in asked(defaulted(manifest, found.schema), found.schema))
    assert {"Gateway", "HTTPRoute", "HealthCheckPolicy", "InferencePool", "LLMInferenceService"} <= ruled
    assert ruled <= {kind for kind, count in asking.items() if count}


@published
def test_every_rule_of_every_definition_can_be_judged() -> None:
    all_rules = {rule for found in definitions().values() for rule in rules(found.schema)}
    unjudged = {rule.expression: missing for rule in all_rules if (missing := unsupported(rule))}
    assert not unjudged
    assert len(all_rules) > 100


@published
def test_rules_that_compare_with_the_old_object_are_the_only_ones_left_out() -> None:
    left_out = {
        (found.kind, rule.expression)
        for found in definitions().values()
        for rule in rules(found.schema)
        if rule.is_transition
    }
    assert left_out
    assert all("oldSelf" in expression for _, expression in left_out)
    assert not {kind for kind, _ in left_out} & {"Gateway", "HTTPRoute", "InferencePool", "LLMInferenceService"}


@published
@pytest.mark.parametrize("case", SPOILED, ids=lambda case: case.name)
def test_a_spoiled_object_is_refused(case: Spoiled) -> None:
    (found, *_) = problems(case.manifest)
    assert re.search(case.says, found)
