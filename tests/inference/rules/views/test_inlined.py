"""Objects inside a ConfigGroup that has no children yet."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from inference.rules.judging import Judge
from inference.rules.registry import RULES
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import container, deployment, judge, resource
from tests.inference.rules.gateway_cases import pool, server


def manifest(made: Resource) -> dict[str, Any]:
    return dict(made.props.items())


def group(token: str = "kubernetes:yaml/v2:ConfigGroup", **props: Any) -> Resource:  # noqa: S107 - a type
    return resource(token, "inline", props)


WRONG = manifest(deployment(containers=[container({"image": "vllm/vllm-openai:latest"})]))


@pytest.mark.parametrize(
    "made",
    [
        group(objs=[WRONG]),
        group(yaml=yaml.safe_dump(WRONG)),
        group(yaml=["---\n", yaml.safe_dump_all([WRONG, {}])]),
        group(objs=[{"apiVersion": "v1", "kind": "List", "items": [WRONG]}]),
        group("kubernetes:yaml:ConfigGroup", objs=[WRONG]),
    ],
)
def test_objects_inside_a_component_are_judged(made: Resource) -> None:
    assert "supply-image-tag-immutable" in judge(made)


def test_what_is_found_is_told_of_the_component() -> None:
    made = group(objs=[WRONG])
    assert {verdict.urn for verdict in Judge(RULES).stack(Stack([made]))} == {made.urn}


def test_objects_inside_and_beside_a_component_belong_together() -> None:
    lost = group(objs=[manifest(pool(spec={"selector": {"matchLabels": {"app": "other"}}}))])
    assert "pool-selects-model-servers" in judge(lost, server())
    assert "pool-selects-model-servers" not in judge(group(objs=[manifest(pool())]), server())


def test_a_component_makes_definitions_before_objects_of_their_kind() -> None:
    names = {"group": "example.com", "names": {"kind": "Foo", "plural": "foos"}, "scope": "Namespaced"}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "foos.example.com"},
        "spec": names,
    }
    thing = {"apiVersion": "example.com/v1", "kind": "Foo", "metadata": {"name": "a"}, "spec": {}}
    together = group(objs=[definition, thing])
    outside = resource("kubernetes:example.com/v1:Foo", "b", thing, dependencies=[together])
    assert "definition-before-object" not in judge(together, outside)
    alone = resource("kubernetes:example.com/v1:Foo", "b", thing)
    assert "definition-before-object" in judge(together, alone)


def test_a_component_with_children_is_judged_by_them() -> None:
    made = group(objs=[WRONG])
    child = deployment(parent=made)
    assert "supply-image-tag-immutable" not in judge(made, child)


@pytest.mark.parametrize("props", [{}, {"objs": UNKNOWN}, {"objs": [1, UNKNOWN, None]}, {"yaml": "a: ["}, {"yaml": 7}])
def test_a_component_of_unknown_content_is_survived(props: dict[str, Any]) -> None:
    assert "supply-image-tag-immutable" not in judge(group(**props))
