"""The rules of a definition (``x-kubernetes-validations``), in CEL, evaluated over an object that has its defaults.

As on creation: a rule that looks at the old object is asked only where the definition says that it may be absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import celpy
import lark
from celpy import celtypes

from tests.support.celfunctions import FUNCTIONS
from tests.support.structural import TYPE_FIELDS

__all__ = ["Rule", "asked", "broken_rules", "rules", "unsupported"]

Schema = Mapping[str, Any]

_RESERVED = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "false",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
        "namespace",
        "null",
        "package",
        "return",
        "true",
        "var",
        "void",
        "while",
    ]
)
_MACROS = frozenset({"has", "all", "exists", "exists_one", "filter", "map"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule at one place of a schema."""

    expression: str
    message: str
    message_expression: str = ""
    optional_old: bool = False

    @property
    def is_transition(self) -> bool:
        """Whether it compares with the old object, so that creation does not ask it."""
        return "oldSelf" in _names(self.expression) and not self.optional_old


def _rules_at(schema: Schema) -> Iterator[Rule]:
    for row in schema.get("x-kubernetes-validations", ()):
        yield Rule(
            row["rule"],
            row.get("message", "").strip() or f"failed rule: {row['rule'].strip()}",
            row.get("messageExpression", ""),
            bool(row.get("optionalOldSelf")),
        )


def rules(schema: Schema) -> Iterator[Rule]:
    """Yield every rule of a schema."""
    yield from _rules_at(schema)
    for inner in (*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")):
        if isinstance(inner, Mapping):
            yield from rules(inner)


def asked(value: Any, schema: Schema, path: str = "") -> Iterator[tuple[str, Rule, Any]]:
    """Yield each rule that the creation of an object asks, with its place and the value that is ``self`` there."""
    if value is None:
        return
    found = [rule for rule in _rules_at(schema) if not rule.is_transition]
    if found:
        own = _cel(value, schema, is_object=path == "")
        yield from ((path, rule, own) for rule in found)
    named, others = schema.get("properties", {}), schema.get("additionalProperties")
    match value:
        case Mapping():
            for key, part in value.items():
                inner = named.get(key, others if isinstance(others, Mapping) else None)
                if inner is not None:
                    yield from asked(part, inner, f"{path}.{key}")
        case list():
            for place, part in enumerate(value):
                yield from asked(part, schema.get("items", {}), f"{path}[{place}]")
        case _:
            return


def broken_rules(value: Any, schema: Schema) -> Iterator[str]:
    """Yield the rules that an object breaks, and those of which nobody here can tell."""
    for path, rule, own in asked(value, schema):
        if missing := unsupported(rule):
            yield f"{path}: cannot be judged, as {', '.join(missing)} is not known here: {rule.expression}"
            continue
        try:
            holds = _program(rule.expression).evaluate({"self": own})
        except celpy.CELEvalError as error:
            yield f"{path}: the rule {rule.expression!r} fails: {error.args[0]}"
            continue
        if not holds:
            yield f"{path}: {_message(rule, own)}"


def _message(rule: Rule, own: Any) -> str:
    if not rule.message_expression:
        return rule.message
    try:
        return str(_program(rule.message_expression).evaluate({"self": own}))
    except celpy.CELEvalError:
        return rule.message


def unsupported(rule: Rule) -> tuple[str, ...]:
    """Return what a rule uses and the evaluation here does not have: functions, or the whole syntax."""
    if rule.optional_old and "oldSelf" in _names(rule.expression):
        return ("an old object that may be absent",)
    try:
        names = _calls(rule.expression)
    except celpy.CELParseError:
        return ("its syntax",)
    return tuple(sorted(names - _MACROS - set(FUNCTIONS) - set(celpy.base_functions)))


_ENVIRONMENT = celpy.Environment()


@cache
def _parsed(expression: str) -> lark.Tree[Any]:
    return _ENVIRONMENT.compile(expression)


@cache
def _program(expression: str) -> celpy.Runner:
    return _ENVIRONMENT.program(_parsed(expression), functions=FUNCTIONS)


@cache
def _names(expression: str) -> frozenset[str]:
    try:
        tree = _parsed(expression)
    except celpy.CELParseError:  # said by ``unsupported``
        return frozenset()
    tokens = tree.scan_values(lambda token: isinstance(token, lark.Token) and token.type == "IDENT")
    return frozenset(str(token) for token in tokens)


@cache
def _calls(expression: str) -> frozenset[str]:
    """Return the names of the functions and methods that an expression calls."""
    found = set()
    for tree in _parsed(expression).iter_subtrees():
        if tree.data in {"member_dot_arg", "ident_arg", "dot_ident_arg"}:
            found.add(next(str(child) for child in tree.children if isinstance(child, lark.Token)))
    return frozenset(found)


def _cel(value: Any, schema: Schema, *, is_object: bool = False) -> Any:
    """Return a value with the types that its schema gives it; what no schema names is out of a rule's sight."""
    match value:
        case Mapping():
            named, others = schema.get("properties", {}), schema.get("additionalProperties")
            made = {}
            for key, part in value.items():
                if isinstance(others, Mapping):
                    made[celtypes.StringType(key)] = _cel(part, others)
                elif key in named and not (is_object and key == "metadata"):
                    made[celtypes.StringType(_escaped(key))] = _cel(part, named[key])
                elif is_object and key in TYPE_FIELDS:
                    made[celtypes.StringType(key)] = _type_field(part)
            return celtypes.MapType(made)
        case list():
            return celtypes.ListType([_cel(part, schema.get("items", {})) for part in value])
        case bool():
            return celtypes.BoolType(value)
        case int() if schema.get("type") != "number":
            return celtypes.IntType(value)
        case int() | float():
            return celtypes.DoubleType(value)
        case str():
            return _FORMATS.get(schema.get("format", ""), celtypes.StringType)(value)
        case _:
            return None


def _type_field(part: Any) -> Any:
    """Return apiVersion, kind, or of the metadata what rules may see: the name."""
    if isinstance(part, Mapping):
        return celpy.json_to_cel({key: part[key] for key in ("name", "generateName") if key in part})
    return celtypes.StringType(part)


_FORMATS = {
    "date-time": celtypes.TimestampType,
    "duration": celtypes.DurationType,
    "byte": celtypes.BytesType,
}


def _escaped(name: str) -> str:
    """Return a field's name as rules write it."""
    if name in _RESERVED:
        return f"__{name}__"
    made = name.replace("__", "__underscores__").replace(".", "__dot__")
    return made.replace("-", "__dash__").replace("/", "__slash__")
