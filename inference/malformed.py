"""What is malformed in a stack file, told by the settings that belong there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from inference.problems import Problem
from inference.settings import NAMESPACE, StackSettings
from inference.settings.secrets import SecretSource
from inference.settings.served import DEFAULT_ENGINE
from inference.settings.vocabulary import FORMS

__all__ = ["problem_of", "required_in", "settings_at"]

_TAGS = ("engine", "kind", "type", "source")
"""Keys whose value chooses the shape of the object they stand in."""

_IMPLIED = {"engine": DEFAULT_ENGINE}
"""Tags that may be left out, with what they then are."""


def problem_of(raw: Mapping[str, object], detail: ErrorDetails) -> Problem:
    """Return what pydantic found, in the words of the file and with what to write instead."""
    path = _path(raw, detail["loc"])
    where = ".".join(path)
    found = detail["input"]
    shown = _shown(found)
    context = detail.get("ctx", {})
    if _may_be_a_secret(path) and isinstance(found, str | int | float) and detail["type"] != "extra_forbidden":
        return _plain_secret(where)
    match detail["type"]:
        case "extra_forbidden":
            return _unknown_key(raw, path)
        case "missing":
            return Problem(where, "missing", "it has no default", _ask_for(raw, path))
        case "literal_error" | "union_tag_invalid":
            expected = str(context.get("expected") or context.get("expected_tags"))
            if detail["type"] == "union_tag_invalid":
                where = f"{where}.{_text(context.get('discriminator'))}"
                found = context.get("tag")
            remedy = f"Write {_choice(found, expected)}."
            return Problem(where, f"{_shown(found)} is not one of the choices", "nothing else is implemented", remedy)
        case "union_tag_not_found":
            tag = _text(context.get("discriminator"))
            values = [f"{tag}: {value}" for model in _models_at(path) for value in _tag_values(model, tag)]
            remedy = f"Add {' or '.join(values)}."
            return Problem(where, f'no "{tag}" in {shown}', f'"{tag}" tells what kind it is', remedy)
        case kind if kind.endswith(("_type", "_parsing")) or kind.startswith("dict"):
            wanted = kind.removesuffix("_type").removesuffix("_parsing").replace("_", " ")
            what = "empty" if found is None else f"{shown} is {_kind(found)}"
            remedy = _retype(wanted, found, _models_at(path))
            return Problem(where, what, f"a {_TYPES.get(wanted, wanted)} belongs here", remedy)
        case "string_pattern_mismatch":
            remedy = "Rename it." if detail["loc"][-1] == "[key]" else _ask_for(raw, path)
            return Problem(where, f"{shown} has the wrong form", FORMS[str(context["pattern"])], remedy)
        case "less_than_equal" | "greater_than_equal":
            (limit,) = context.values()
            kind, way = ("most", "less") if detail["type"].startswith("less") else ("least", "more")
            remedy = _ask_for(raw, path, f"Set {path[-1]} to {limit} or {way}.")
            return Problem(where, shown, f"{limit} is the {kind} that is allowed", remedy)
        case _:
            message = detail["msg"].removeprefix("Value error, ")
            return Problem(where, f"{shown}", message[:1].lower() + message[1:], _ask_for(raw, path))


def _may_be_a_secret(path: Sequence[str]) -> bool:
    """Whether who writes a value here may take it for the place of the secret itself."""
    inside = path[-1] == "secret" and SecretSource in _models_at(path[:-1])
    return inside or SecretSource in _models_at(path)


def _plain_secret(where: str) -> Problem:
    what = "a value that is not repeated here: it may be the secret itself"
    why = "a stack file holds the ID of a secret in Secret Manager, never the secret"
    remedy = "Put it into Secret Manager and write {secret: <its ID>}; what was committed once should be replaced."
    return Problem(where, what, why, remedy)


def _choice(found: object, expected: str) -> str:
    choices = re.findall(r"'([^']+)'", expected)
    nearest = difflib.get_close_matches(str(found).lower(), [choice.lower() for choice in choices], 1)
    likely = [choice for choice in choices if choice.lower() in nearest]
    if likely and len(choices) > 2:
        return f"'{likely[0]}', or another of {expected}"
    return " or ".join(f"'{choice}'" for choice in choices) if len(choices) <= 3 else expected


def _unknown_key(raw: Mapping[str, object], path: Sequence[str]) -> Problem:
    *way, key = path
    place = _value_at(raw, way)
    models = _models_at(way)
    chosen = [model for model in models if _chosen(model, place)] or models
    allowed = _keys(chosen)
    others = [model for model in models if model not in chosen and key in _keys([model])]
    if others:
        tag = next(tag for tag in _TAGS if tag in _keys(others))
        kinds = " or ".join(f"{tag}: {value}" for model in others for value in _tag_values(model, tag))
        found = _tag(place, tag) if isinstance(place, Mapping) else None
        return Problem(
            ".".join(path),
            f'"{key}" beside {tag}: {found}',
            f"it belongs to {kinds}; one setting chooses one way, two at once exclude each other",
            f"Remove {key}, or write {kinds}.",
        )
    nearest = difflib.get_close_matches(key, allowed, 1)
    remedy = f'Did you mean "{nearest[0]}"?' if nearest else f"Remove it; known here: {', '.join(allowed)}."
    return Problem(".".join(path), f'unknown key "{key}"', "the project knows no such setting", remedy)


def _value_at(raw: object, path: Sequence[str]) -> object:
    value = raw
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _chosen(model: type[BaseModel], place: object) -> bool:
    """Whether the tag in the file chooses this model; one without a tag is always chosen."""
    tags = [tag for tag in _TAGS if _tag_values(model, tag)]
    return not tags or (isinstance(place, Mapping) and any(_tag(place, tag) in _tag_values(model, tag) for tag in tags))


def _tag(place: Mapping[Any, Any], tag: str) -> object:
    return place.get(tag, _IMPLIED.get(tag))


def _tag_values(model: type[BaseModel], tag: str) -> tuple[object, ...]:
    field = model.model_fields.get(tag)
    return get_args(field.annotation) if field is not None and get_origin(field.annotation) is Literal else ()


_TYPES = {
    "string": "text",
    "int": "whole number",
    "bool": "true or false",
    "float": "number",
    "dict": "map",
    "model attributes": "map",
    "model": "map",
    "tuple": "list",
}


def _retype(wanted: str, found: object, models: Sequence[type[BaseModel]]) -> str:
    if wanted == "string" and isinstance(found, int | float):
        return f'Put it in quotes: "{_shown(found)}".'
    if wanted in {"int", "float"} and isinstance(found, str):
        return "Write the number without quotes." if _is_number(found) else "Write a number, without unit or quotes."
    if wanted in {"model", "model attributes"} and models:
        return f"Write a map with {', '.join(_keys(models))}."
    if wanted == "dict":
        return "Write a map of names to settings."
    return f"Write a {_TYPES.get(wanted, wanted)}."


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*[-+]?\d+(\.\d+)?\s*", text) is not None


def _kind(value: object) -> str:
    match value:
        case bool():
            return "a truth value"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case Mapping():
            return "a map"
        case Sequence():
            return "a list"
        case _:
            return type(value).__name__


def _shown(value: object) -> str:
    """Return a value as the file has it; of maps the keys alone, for their values may be secret."""
    match value:
        case bool():
            text = str(value).lower()
        case Mapping():
            text = f"{{{', '.join(str(key) for key in value)}}}"
        case str():
            text = repr(value)
        case Sequence():
            text = f"[{', '.join(_shown(item) for item in value[:5])}{', …' if len(value) > 5 else ''}]"
        case _:
            text = str(value)
    return text if len(text) <= 80 else text[:77] + "…"


def _text(value: object) -> str:
    return str(value).strip("'").removesuffix("()")


def _path(raw: object, location: Sequence[int | str]) -> list[str]:
    """Return the path as the file spells it, without the tags that pydantic puts between."""
    path: list[str] = []
    value = raw
    tagged = False
    for step in location:
        if step == "[key]":
            continue
        if isinstance(value, Mapping):
            # Where a tag chooses among models, its value is the first step inside, even if a key has the same name.
            union = not tagged and len(path) > 1 and len(_models_at(path)) > 1
            if union and step in [_tag(value, tag) for tag in _TAGS]:
                tagged = True
                continue
            value = value.get(step)
        elif isinstance(value, Sequence) and not isinstance(value, str) and isinstance(step, int):
            value = value[step] if step < len(value) else None
        elif step in _IMPLIED.values():
            continue
        tagged = False
        path.append(str(step))
    return path or [NAMESPACE]


def _models_at(path: Sequence[str]) -> list[type[BaseModel]]:
    """Return the settings models that may stand at a path; the names of pools and models are free."""
    models: list[type[BaseModel]] = [StackSettings]
    for step in path:
        fields = [f for model in models for n, f in model.model_fields.items() if (f.alias or n) == step]
        if fields:
            models = list(dict.fromkeys(m for f in fields for m in _models_in(f.annotation)))
    return models


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in getattr(annotation, "__args__", ()) for model in _models_in(argument)]


def _keys(models: Sequence[type[BaseModel]]) -> list[str]:
    return list(dict.fromkeys(field.alias or name for model in models for name, field in model.model_fields.items()))


def settings_at(*path: str) -> list[str]:
    """Return the settings that there are at a path, such as ``cluster``."""
    return _keys(_models_at(path))


def required_in(*path: str) -> tuple[str, ...]:
    """Return the settings that have to be written where those at a path are written, such as of ``cluster``."""
    (first, *_) = [*_models_at(path), StackSettings]
    return tuple(field.alias or name for name, field in first.model_fields.items() if field.is_required())


def _ask_for(raw: object, path: Sequence[str], lead: str = "") -> str:
    """Return what to write at a path, and what the setting means."""
    models, place = _models_at(path[:-1]), _value_at(raw, path[:-1])
    for model in [model for model in models if _chosen(model, place)] or models:
        for name, field in model.model_fields.items():
            if (field.alias or name) == path[-1]:
                meaning = (field.description or "").splitlines()[0].replace("``", "")
                return f"{lead or _written(path, field.examples)} {meaning}"
    return "See the schema of the stack file."


def _written(path: Sequence[str], examples: Sequence[object] | None) -> str:
    key, inside = path[-1], ", ".join(f"{name}: …" for name in required_in(*path)) if _models_at(path) else ""
    if inside:
        return f"Write {key}: {{ {inside} }}."
    return f"Write {key}: {examples[0]} or the like." if examples else f"Write {key} and its value."
