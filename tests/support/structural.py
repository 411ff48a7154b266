"""What an API server does with a custom object before it stores it: defaults, unknown fields, values.

After https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/ (structural
schemas, read 2026-11): fields follow the structural part of the schema alone, never ``allOf`` and its like.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import jsonschema
import re2  # type: ignore[import-untyped]
from jsonschema.validators import extend

__all__ = ["defaulted", "duplicates", "unknown_fields", "value_errors"]

Schema = Mapping[str, Any]

TYPE_FIELDS = frozenset({"apiVersion", "kind", "metadata"})
"""Fields of every object that a definition need not name."""

_METADATA_FIELDS = frozenset(
    {
        "annotations",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "labels",
        "managedFields",
        "name",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)


def defaulted(value: Any, schema: Schema) -> Any:
    """Return a value with the schema's defaults, and without nulls where a field cannot be null."""
    match value:
        case Mapping():
            named = schema.get("properties", {})
            others = schema.get("additionalProperties")
            made = {}
            for key, part in value.items():
                inner = named.get(key, others if isinstance(others, Mapping) else {})
                if part is not None or inner.get("nullable") or not inner:
                    made[key] = part
            for key, inner in named.items():
                if "default" in inner and key not in made:
                    made[key] = copy.deepcopy(inner["default"])
            return {
                key: defaulted(part, named.get(key, others if isinstance(others, Mapping) else {}))
                for key, part in made.items()
            }
        case list():
            return [defaulted(part, schema.get("items", {})) for part in value]
        case _:
            return value


def unknown_fields(value: Any, schema: Schema, path: str = "", *, is_object: bool = True) -> Iterator[str]:
    """Yield the paths of the fields that strict field validation refuses.

    Args:
        value: a value at ``path``.
        schema: its structural schema.
        path: what stands before, for the answers.
        is_object: whether the value is a Kubernetes object of its own, with type and metadata.
    """
    if isinstance(value, list):
        for number, part in enumerate(value):
            yield from unknown_fields(part, schema.get("items", {}), f"{path}[{number}]", is_object=False)
        return
    if not isinstance(value, Mapping):
        return
    is_object = is_object or bool(schema.get("x-kubernetes-embedded-resource"))
    named, others = schema.get("properties", {}), schema.get("additionalProperties")
    kept = bool(schema.get("x-kubernetes-preserve-unknown-fields")) or others is True
    for key, part in value.items():
        place = f"{path}.{key}"
        if is_object and key in TYPE_FIELDS:
            if key == "metadata" and isinstance(part, Mapping):
                yield from (f"{place}.{name}" for name in part if name not in _METADATA_FIELDS)
        elif key in named:
            yield from unknown_fields(part, named[key], place, is_object=False)
        elif isinstance(others, Mapping):
            yield from unknown_fields(part, others, place, is_object=False)
        elif not kept:
            yield place


def duplicates(value: Any, schema: Schema, path: str = "") -> Iterator[str]:
    """Yield the paths of list entries that repeat an earlier one in a list that is a set or a map."""
    match value:
        case Mapping():
            named, others = schema.get("properties", {}), schema.get("additionalProperties")
            for key, part in value.items():
                inner = named.get(key, others if isinstance(others, Mapping) else {})
                yield from duplicates(part, inner, f"{path}.{key}")
        case list():
            seen: list[Any] = []
            for place, part in enumerate(value):
                identity = _identity(part, schema)
                if identity is not None and identity in seen:
                    yield f"{path}[{place}]"
                seen.append(identity)
                yield from duplicates(part, schema.get("items", {}), f"{path}[{place}]")
        case _:
            return


def _identity(part: Any, schema: Schema) -> Any:
    match schema.get("x-kubernetes-list-type"):
        case "set":
            return part
        case "map" if isinstance(part, Mapping):
            return [part.get(key) for key in schema.get("x-kubernetes-list-map-keys", ())]
        case _:
            return None


def value_errors(value: Any, schema: Schema) -> Iterator[str]:
    """Yield what is wrong with types, enums, patterns, bounds, formats and required fields."""
    for error in _Validator(schema, format_checker=_FORMATS).iter_errors(value):
        yield f"{error.json_path.removeprefix('$')}: {error.message}"


def _type(validator: Any, types: Any, instance: Any, schema: Schema) -> Iterator[jsonschema.ValidationError]:
    if schema.get("nullable") and instance is None:
        return
    yield from _DRAFT_TYPE(validator, types, instance, schema)


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Schema) -> Iterable[jsonschema.ValidationError]:
    if isinstance(instance, str) and not re2.search(pattern, instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


def _int_or_string(_v: Any, wanted: bool, instance: Any, _s: Schema) -> Iterable[jsonschema.ValidationError]:
    if wanted and (isinstance(instance, bool) or not isinstance(instance, int | str)):
        yield jsonschema.ValidationError(f"{instance!r} is neither a whole number nor a text")


_DRAFT_TYPE = jsonschema.Draft4Validator.VALIDATORS["type"]
_Validator = extend(
    jsonschema.Draft4Validator,
    {"type": _type, "pattern": _pattern, "x-kubernetes-int-or-string": _int_or_string},
)
"""OpenAPI 3.0 schemas are of draft 4 (``exclusiveMinimum`` is a flag), patterns are of RE2."""

_FORMATS = jsonschema.FormatChecker(formats=())
_DURATION = re.compile(r"-?([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h|d|w))+|0")


@_FORMATS.checks("int32")
def _int32(value: object) -> bool:
    return not isinstance(value, int) or -(2**31) <= value < 2**31


@_FORMATS.checks("int64")
def _int64(value: object) -> bool:
    return not isinstance(value, int) or -(2**63) <= value < 2**63


@_FORMATS.checks("duration")
def _is_duration(value: object) -> bool:
    return not isinstance(value, str) or _DURATION.fullmatch(value) is not None


@_FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None
