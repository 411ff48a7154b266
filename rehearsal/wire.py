"""Between protobuf and plain data: each request is decoded once, here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.protobuf.struct_pb2 import NULL_VALUE, ListValue, Struct, Value

from inference.facts.wire import KEY, SIGNATURES
from rehearsal.values import Secret

__all__ = ["decode", "encode", "encode_into", "without_internals"]


def decode(struct: Struct) -> dict[str, object]:
    """Return the properties of a message; whole numbers become integers, secrets are marked."""
    return {key: _decode(value) for key, value in struct.fields.items()}


def _decode(value: Value) -> object:
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "struct_value":
            fields = value.struct_value.fields
            if KEY in fields:
                return _special(fields[KEY].string_value, value.struct_value)
            return {key: _decode(inner) for key, inner in fields.items()}
        case "list_value":
            return [_decode(inner) for inner in value.list_value.values]
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
        case _:
            return None


def _special(signature: str, struct: Struct) -> object:
    fields = struct.fields
    if signature == SIGNATURES["secret"]:
        return Secret(_decode(fields["value"]))
    if signature == SIGNATURES["output"]:
        inner = _decode(fields["value"]) if "value" in fields else None
        return Secret(inner) if "secret" in fields and fields["secret"].bool_value else inner
    return {key: _decode(inner) for key, inner in fields.items()}


def encode(properties: Mapping[str, object]) -> Struct:
    """Return properties as a message."""
    struct = Struct()
    encode_into(struct, properties)
    return struct


def encode_into(struct: Struct, properties: Mapping[str, object]) -> None:
    """Set properties in a message, replacing those of the same name."""
    for key, value in properties.items():
        _encode(struct.fields[key], value)


def _encode(target: Value, value: object) -> None:
    match value:
        case None:
            target.null_value = NULL_VALUE
        case bool():
            target.bool_value = value
        case int() | float():
            target.number_value = value
        case str():
            target.string_value = value
        case Secret():
            target.struct_value.Clear()
            fields = target.struct_value.fields
            fields[KEY].string_value = SIGNATURES["secret"]
            _encode(fields["value"], value.value)
        case Mapping():
            target.struct_value.CopyFrom(encode(value))
        case Sequence():
            target.list_value.CopyFrom(ListValue())
            for inner in value:
                _encode(target.list_value.values.add(), inner)
        case _:
            raise TypeError(f"a {type(value).__name__} has no form on the wire")


def without_internals(struct: Struct) -> Struct:
    """Return a message without the top-level keys that the engine keeps to itself, as policies receive it."""
    internal = [key for key in struct.fields if key.startswith("__")]
    if not internal:
        return struct
    cleaned = Struct()
    cleaned.CopyFrom(struct)
    for key in internal:
        del cleaned.fields[key]
    return cleaned
