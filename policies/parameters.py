"""What a team may set of a rule: the fields of its parameter class, as the policy configuration spells them."""

from __future__ import annotations

import ast
import inspect
import math
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from inference.rules.framework import Rule

__all__ = ["Parameter", "completed", "parameters_of", "settings_of", "typed"]

_JSON_TYPES: Mapping[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}
_IN_WORDS = {"boolean": "true or false", "integer": "a whole number", "number": "a number", "string": "a string"}
_PLURAL = {"boolean": "booleans", "integer": "whole numbers", "number": "numbers", "string": "strings"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One setting of a rule."""

    name: str
    """Name in the configuration (camelCase)."""
    json_type: str
    """``boolean``, ``integer``, ``number`` or ``string``: of the value, or of each item of a list."""
    many: bool
    """Whether the value is a list."""
    default: Any
    """What applies when nothing is set, as JSON."""
    description: str

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the value."""
        plain: dict[str, Any] = {"type": self.json_type}
        schema = {"type": "array", "items": plain} if self.many else plain
        described = {"description": self.description} if self.description else {}
        return {**schema, **described, "default": self.default}

    @property
    def expected(self) -> str:
        """What a value must be, in words."""
        return f"a list of {_PLURAL[self.json_type]}" if self.many else _IN_WORDS[self.json_type]

    def accepts(self, value: Any) -> bool:
        """Whether a JSON value has the type of the parameter."""
        if self.many:
            return isinstance(value, list) and all(_is_a(self.json_type, item) for item in value)
        return _is_a(self.json_type, value)

    def convert(self, value: Any) -> Any:
        """Return an accepted value as the rule expects it: whole numbers travel as floats."""
        if self.json_type != "integer":
            return value
        return [int(item) for item in value] if self.many else int(value)


@cache
def parameters_of(rule: Rule) -> tuple[Parameter, ...]:
    """Return the parameters of a rule in the order of its class.

    Raises:
        TypeError: a field has a type that the policy configuration cannot express, or no default.

    """
    if rule.parameters is None:
        return ()
    hints = get_type_hints(rule.parameters)
    described = _docstrings(rule.parameters)
    found = []
    for field in fields(rule.parameters):
        place = f"rule {rule.name}: parameter {field.name}"
        json_type, many = _json_type(place, hints[field.name])
        if field.default is not MISSING:
            default = field.default
        elif field.default_factory is not MISSING:
            default = field.default_factory()
        else:
            raise TypeError(f"{place} has no default")
        found.append(
            Parameter(
                name=_camel(field.name),
                json_type=json_type,
                many=many,
                default=list(default) if many else default,
                description=described.get(field.name, ""),
            )
        )
    return tuple(found)


def typed(rule: Rule, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return configured values with the types of the rule's parameters; what does not fit is left as it is."""
    known = {parameter.name: parameter for parameter in parameters_of(rule)}
    return {
        name: known[name].convert(value) if name in known and known[name].accepts(value) else value
        for name, value in values.items()
    }


def settings_of(rules: Iterable[Rule]) -> frozenset[str]:
    """Return the keys of the stack configuration from which rules take parameters, without the namespace."""
    return frozenset(key for rule in rules if (key := getattr(rule.parameters, "setting", "")))


def completed(rule: Rule, values: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return configured values with those that the stack's own configuration adds.

    A class of parameters that names a ``setting`` says in ``joined`` how the two go together.
    """
    key = getattr(rule.parameters, "setting", "")
    if rule.parameters is None or key not in settings:
        return dict(values)
    joined: dict[str, Any] = rule.parameters.joined(values, settings[key])
    return joined


def _json_type(place: str, hint: Any) -> tuple[str, bool]:
    if hint in _JSON_TYPES:
        return _JSON_TYPES[hint], False
    arguments = get_args(hint)
    if get_origin(hint) is tuple and len(arguments) == 2 and arguments[1] is ... and arguments[0] in _JSON_TYPES:
        return _JSON_TYPES[arguments[0]], True
    raise TypeError(f"{place} is a {hint}; write bool, int, float, str or tuple[<one of them>, ...]")


def _is_a(json_type: str, value: Any) -> bool:
    match json_type:
        case "boolean":
            return isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case _:
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                return False
            return json_type == "number" or value == int(value)


def _camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda match: match.group(1).upper(), name)


def _docstrings(cls: type[Any]) -> dict[str, str]:
    """Return the string written beneath each field; empty where the source is not at hand."""
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    except (OSError, SyntaxError):
        return {}
    assert isinstance(body, ast.ClassDef)  # noqa: S101 - it is the source of a class
    found: dict[str, str] = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(inspect.cleandoc(text).split())
            case _:
                pass
    return found
