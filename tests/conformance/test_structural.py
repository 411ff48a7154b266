"""Defaults, unknown fields and values, on small schemas: the checker itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.structural import defaulted, duplicates, unknown_fields, value_errors

PORT = {"type": "object", "properties": {"name": {"type": "string"}, "protocol": {"type": "string", "default": "TCP"}}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "count": {"type": "integer", "format": "int32", "default": 1},
                "note": {"type": "string", "nullable": True},
                "ports": {
                    "type": "array",
                    "items": PORT,
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                },
                "names": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"port": PORT}},
                "either": {"x-kubernetes-int-or-string": True},
                "share": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
                "when": {"type": "string", "format": "date-time"},
                "wait": {"type": "string", "format": "duration"},
                "word": {"type": "string", "pattern": "^[a-z]+$"},
                "pod": {
                    "type": "object",
                    "x-kubernetes-embedded-resource": True,
                    "properties": {"spec": {"type": "object"}},
                },
            },
        }
    },
}


def an_object(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "one"}, "spec": spec}


def test_defaults_fill_what_is_left_out_also_inside_lists() -> None:
    value = defaulted(an_object(ports=[{"name": "a"}, {"name": "b", "protocol": "UDP"}]), SCHEMA)
    assert value["spec"]["count"] == 1
    assert [port["protocol"] for port in value["spec"]["ports"]] == ["TCP", "UDP"]


def test_a_default_enters_no_object_that_is_not_there() -> None:
    assert defaulted({}, SCHEMA) == {}


def test_null_is_as_good_as_left_out_unless_the_field_can_be_null() -> None:
    value = defaulted(an_object(count=None, wait=None, note=None), SCHEMA)["spec"]
    assert value == {"count": 1, "note": None}
    assert not list(value_errors(an_object(note=None), SCHEMA))
    assert list(value_errors(an_object(word=None), SCHEMA))


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["count", "ports", "name", "x"]), inner),
    )
)
def test_defaulting_twice_is_defaulting_once(spec: Any) -> None:
    once = defaulted({"spec": spec}, SCHEMA)
    assert defaulted(once, SCHEMA) == once


def test_defaulting_leaves_the_object_as_it_was() -> None:
    made = an_object(ports=[{"name": "a"}])
    defaulted(made, SCHEMA)
    assert made == an_object(ports=[{"name": "a"}])


@pytest.mark.parametrize(
    ("spec", "paths"),
    [
        ({"counts": 1}, [".spec.counts"]),
        ({"ports": [{"name": "a"}, {"nam": "b"}]}, [".spec.ports[1].nam"]),
        ({"labels": {"any": "thing"}}, []),
        ({"free": {"any": {"thing": 1}}}, []),
        ({"free": {"port": {"nam": "a"}}}, [".spec.free.port.nam"]),
        ({"pod": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}}}, []),
        ({"pod": {"metadata": {"nam": "p"}, "spec": {"a": 1}}}, [".spec.pod.metadata.nam", ".spec.pod.spec.a"]),
    ],
)
def test_a_field_that_nothing_names_is_unknown(spec: dict[str, Any], paths: list[str]) -> None:
    assert list(unknown_fields(an_object(**spec), SCHEMA)) == paths


def test_metadata_is_that_of_every_object() -> None:
    made = an_object() | {"metadata": {"name": "one", "label": {}}, "data": {}}
    assert list(unknown_fields(made, SCHEMA)) == [".metadata.label", ".data"]


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"ports": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}, [".spec.ports[2]"]),
        ({"names": ["a", "a"]}, [".spec.names[1]"]),
        ({"names": ["a", "b"]}, []),
    ],
)
def test_a_list_that_is_a_set_or_a_map_repeats_nothing(spec: dict[str, Any], where: list[str]) -> None:
    assert list(duplicates(an_object(**spec), SCHEMA)) == where


@pytest.mark.parametrize(
    "spec",
    [
        {"count": 2**31},
        {"count": 1.5},
        {"either": 1.5},
        {"either": True},
        {"share": 0},
        {"when": "yesterday"},
        {"when": "2026-11-21T10:00:00"},
        {"wait": "30"},
        {"word": "a\n"},
        {"word": "A"},
    ],
)
def test_a_value_out_of_its_bounds_is_wrong(spec: dict[str, Any]) -> None:
    assert len(list(value_errors(an_object(**spec), SCHEMA))) == 1


@pytest.mark.parametrize(
    "spec",
    [
        {"count": 2**31 - 1},
        {"either": 1},
        {"either": "10%"},
        {"share": 0.5},
        {"when": "2026-11-21T10:00:00Z"},
        {"wait": "1m30s"},
        {"word": "a"},
    ],
)
def test_a_value_within_its_bounds_is_right(spec: dict[str, Any]) -> None:
    assert not list(value_errors(an_object(**spec), SCHEMA))
