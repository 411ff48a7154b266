"""From the analyzer protocol to the resources that rules judge; each message is decoded once, here.

A value that is not known yet becomes ``UNKNOWN``, a secret stays marked as ``Secret``, a resource reference becomes
the ID it stands for, and an asset or archive a map of its parts. What a later protocol adds is ``UNKNOWN``: nothing
is said about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.struct_pb2 import Struct, Value
from pulumi.runtime.proto import analyzer_pb2

from inference.facts.wire import KEY, SIGNATURES, UNKNOWNS
from inference.rules.views.resources import Provider, Resource
from inference.rules.views.values import UNKNOWN, Props, Secret

__all__ = ["edges", "marked", "properties", "resource"]

_KEY = KEY.encode()
_UNKNOWN_MARKS = tuple(mark.encode() for mark in sorted(UNKNOWNS))


def resource(
    message: analyzer_pb2.AnalyzeRequest | analyzer_pb2.AnalyzerResource,
    asked: Struct | None = None,
    *,
    retained: bool = False,
) -> Resource:
    """Return the resource that a message describes.

    ``AnalyzeRequest`` describes one by itself, ``AnalyzerResource`` one of a stack, with its edges. ``asked`` is what
    the program asked for, where the message tells what came of it: in a preview the provider answers "not known yet"
    to everything that it will choose itself, of which the program certainly says nothing.
    """
    found = properties(message.properties)
    if asked is not None and _holds_unknown(message.properties):
        found = _said(found, properties(asked))
    resource = Resource(
        type=message.type,
        name=message.name,
        urn=message.urn,
        props=Props(found),
        parent=message.options.parent,
        provider=_provider(message.provider) if message.HasField("provider") else None,
        options=_options(message.options, retained=retained),
    )
    if isinstance(message, analyzer_pb2.AnalyzerResource):
        resource.connect(*edges(message))
    return resource


def edges(message: analyzer_pb2.AnalyzerResource) -> tuple[str, tuple[str, ...], Mapping[str, tuple[str, ...]]]:
    """Return the parent of a resource of a stack, what it waits for, and where each property comes from, as URNs."""
    told = message.propertyDependencies
    by_property = {name: tuple(told[name].urns) for name in sorted(told)}
    return message.parent or message.options.parent, tuple(message.dependencies), by_property


def properties(struct: Struct) -> dict[str, Any]:
    """Return properties as plain data with ``UNKNOWN`` and ``Secret`` in their places; numbers stay floats."""
    fields = struct.fields
    found: dict[str, Any] = {}
    for name in sorted(fields):
        try:
            found[name] = _value(fields[name])
        except RecursionError:
            found[name] = UNKNOWN
    return found


def _holds_unknown(struct: Struct) -> bool:
    text = struct.SerializeToString()
    return any(mark in text for mark in _UNKNOWN_MARKS)


def _said(outcome: Any, asked: Any) -> Any:
    """Return an outcome without what is not known in it and was not asked for either."""
    if isinstance(outcome, dict) and isinstance(asked, dict):
        kept = ((name, value) for name, value in outcome.items() if value is not UNKNOWN or name in asked)
        return {name: _said(value, asked.get(name)) for name, value in kept}
    if isinstance(outcome, list) and isinstance(asked, list) and len(outcome) == len(asked):
        return [_said(value, other) for value, other in zip(outcome, asked, strict=True)]
    return outcome


def marked(struct: Struct) -> bool:
    """Whether any value in it stands for something else, as secrets do; much faster than to decode it."""
    return _KEY in struct.SerializeToString()


def _value(value: Value) -> Any:
    # Most values are strings with something in them, and asking for the kind costs as much as asking for the string.
    if text := value.string_value:
        return UNKNOWN if text in UNKNOWNS else text
    match value.WhichOneof("kind"):
        case "struct_value":
            return _map(value.struct_value)
        case "list_value":
            return [_value(item) for item in value.list_value.values]
        case "number_value":
            return value.number_value
        case "bool_value":
            return value.bool_value
        case "string_value":
            return ""
        case _:
            return None


def _map(struct: Struct) -> Any:
    fields = struct.fields
    if KEY in fields:
        return _special(fields)
    found: dict[str, Any] = {}
    # Protobuf keeps maps in no order; sorted, two runs say the same thing in the same words.
    for name in sorted(fields):
        value = fields[name]
        if text := value.string_value:
            found[name] = UNKNOWN if text in UNKNOWNS else text
        else:
            found[name] = _value(value)
    return found


def _special(fields: Mapping[str, Value]) -> Any:
    signature = fields[KEY].string_value
    if signature == SIGNATURES["secret"]:
        return _secret(_value(fields["value"]) if "value" in fields else UNKNOWN)
    if signature == SIGNATURES["output"]:
        inner = _value(fields["value"]) if "value" in fields else UNKNOWN
        return _secret(inner) if "secret" in fields and fields["secret"].bool_value else inner
    if signature == SIGNATURES["resource"]:
        # An ID that is there and empty is one that the provider has not given yet.
        name = "id" if "id" in fields else "urn"
        return (_value(fields[name]) if name in fields else None) or UNKNOWN
    if signature in (SIGNATURES["asset"], SIGNATURES["archive"]):
        return {name: _value(fields[name]) for name in sorted(fields) if name != KEY}
    return UNKNOWN


def _secret(value: Any) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


def _provider(message: analyzer_pb2.AnalyzerProviderResource) -> Provider:
    return Provider(message.type, message.name, message.urn, Props(properties(message.properties)))


def _options(message: analyzer_pb2.AnalyzerResourceOptions, *, retained: bool) -> Props:
    given = {field.name: value for field, value in message.ListFields()}
    found: dict[str, Any] = {"protect": given.get("protect", False)}
    for name in ("ignoreChanges", "additionalSecretOutputs", "aliases"):
        if name in given:
            found[name] = list(given[name])
    if "deleteBeforeReplaceDefined" in given:
        found["deleteBeforeReplace"] = message.deleteBeforeReplace
    if "customTimeouts" in given:
        found["customTimeouts"] = {field.name: seconds for field, seconds in given["customTimeouts"].ListFields()}
    if "parent" in given:
        found["parent"] = given["parent"]
    if retained:
        found["retainOnDelete"] = True
    return Props(found)
