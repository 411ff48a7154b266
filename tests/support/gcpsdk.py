"""What the Google Cloud SDK says of a resource's arguments: their names, types and documented constants."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

__all__ = ["Argument", "arguments", "settings"]

_NESTED = re.compile(r"ForwardRef\('(\w+)Args'\)|(\w+)Args'>")
_CONSTANT = re.compile(r"[`\"']([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)[`\"']")


@dataclass(frozen=True, kw_only=True)
class Argument:
    """One argument by the SDK."""

    kinds: frozenset[str]
    """Names of the Python types it takes at the leaf: ``str``, ``bool``, ``int``, ``float``."""
    nested: str
    """Class of its nested arguments, without ``Args``; empty where there are none."""
    is_map: bool
    constants: frozenset[str]
    """Upper-case words that the documentation quotes: the values of an enumeration, where it is one."""


@cache
def arguments(module: str, name: str) -> Mapping[str, Argument]:
    """Return the arguments of a class by their name on the wire.

    Args:
        module: package of the SDK, such as ``container``.
        name: class without ``Args``: a resource, or what ``Argument.nested`` says.
    """
    made = getattr(importlib.import_module(f"pulumi_gcp.{module}"), f"{name}Args")
    found = {}
    for key, member in vars(made).items():
        if isinstance(member, property) and member.fget is not None:
            shown = str(member.fget.__annotations__["return"])
            nested = next((match[1] or match[2] for match in _NESTED.finditer(shown)), "")
            found[_wire(key)] = Argument(
                kinds=frozenset(re.findall(r"\b(str|bool|int|float)\b", shown.replace("Mapping[str", "Mapping["))),
                nested=nested,
                is_map="Mapping[str" in shown and not nested,
                constants=frozenset(_CONSTANT.findall(member.fget.__doc__ or "")),
            )
    return found


def _wire(name: str) -> str:
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def settings(token: str, inputs: Mapping[str, Any]) -> Iterator[tuple[str, Argument | None, Any]]:
    """Yield each value that a resource sets, with its path and argument; ``None`` for an argument nobody has."""
    place, _, name = token.removeprefix("gcp:").rpartition(":")
    yield from _settings(place.partition("/")[0].lower(), name, inputs, "")


def _settings(
    module: str, name: str, inputs: Mapping[str, Any], path: str
) -> Iterator[tuple[str, Argument | None, Any]]:
    known = arguments(module, name)
    for key, value in inputs.items():
        if key == "__defaults":  # the engine's own
            continue
        argument, place = known.get(key), f"{path}.{key}".lstrip(".")
        if argument is None:
            yield place, None, value
        elif argument.is_map:
            yield from ((place, argument, part) for part in value.values())
        else:
            for part in value if isinstance(value, list | tuple) else (value,):
                if argument.nested:
                    yield from _settings(module, argument.nested, part, place)
                else:
                    yield place, argument, part
