"""The reference page of the settings, written from the models themselves."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from inference.settings.stack import NAMESPACE, SECTIONS, StackSettings

__all__ = ["settings_reference"]

_HEADER = """# Settings

What a stack file may say, under `config:`. Generated from the settings models; editors complete it from
`schemas/stack.json`. Everything that follows from these settings is derived.
"""


def settings_reference() -> str:
    """Return the page as Markdown."""
    lines = [_HEADER]
    for section in SECTIONS:
        field = StackSettings.model_fields[section]
        lines.append(f"## {NAMESPACE}:{section}\n\n{_text(field.description)}\n")
        for model in _reachable(field.annotation):
            lines.extend(_table(model))
    return "\n".join(lines).rstrip() + "\n"


def _reachable(annotation: Any) -> Iterator[type[BaseModel]]:
    seen: list[type[BaseModel]] = []
    todo = list(_models(annotation))
    while todo:
        model = todo.pop(0)
        if model not in seen:
            seen.append(model)
            todo.extend(m for f in model.model_fields.values() for m in _models(f.annotation))
    yield from seen


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _table(model: type[BaseModel]) -> Iterator[str]:
    yield f"### {model.__name__.removesuffix('Settings')}\n\n{_text(model.__doc__)}\n"
    yield "| key | type | default | meaning |\n| --- | --- | --- | --- |"
    for name, field in model.model_fields.items():
        yield f"| `{field.alias or name}` | {_type(field)} | {_default(field)} | {_text(field.description)} |"
    yield ""


def _text(text: str | None) -> str:
    return " ".join((text or "").replace("``", "`").split()).replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None:
        return "derived"
    value = field.default
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    if isinstance(value, dict):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _type(field: FieldInfo) -> str:
    name = _name(field.annotation)
    limits = [
        f"{sign} {getattr(part, attribute)}"
        for part in field.metadata
        for attribute, sign in (("ge", "≥"), ("le", "≤"))
        if getattr(part, attribute, None) is not None
    ]
    return f"{name} {', '.join(limits)}".strip().replace("|", "\\|")


def _name(annotation: Any) -> str:
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if origin is typing.Annotated:
        return _name(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in {Union, types.UnionType}:
        return " or ".join(_name(a) for a in arguments if a is not type(None))
    if origin is dict:
        return f"map of {_name(arguments[1])}"
    if origin is tuple:
        return f"list of {_name(arguments[0])}"
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    if annotation in names:
        return names[annotation]
    return str(annotation.__name__).removesuffix("Settings")
