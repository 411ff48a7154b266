"""YAML as Pulumi reads it, with the line of everything that is wrong.

Pulumi's CLI reads YAML 1.2 with a few habits of 1.1: ``yes`` and ``on`` are words, ``02:00`` is a word, ``010`` is
eight, a key written twice is an error. PyYAML's own rules differ in each of these.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from inference.problems import Problem, ProblemsError

__all__ = ["Steps", "lines", "load", "parse", "read_text"]

Steps = tuple[str, ...]
"""The way to a value: keys of maps, and positions in lists."""

_LARGEST = 1_000_000
"""Bytes; a stack file is a screenful."""

_INTEGER = re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_TAG = "tag:yaml.org,2002:"
_BRACKETS = {"flow mapping": "{}", "flow sequence": "[]"}


class _Loader(yaml.SafeLoader):
    """Scalars by the rules above; refuses keys written twice."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


_Loader.add_implicit_resolver(f"{_TAG}bool", re.compile(r"(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(f"{_TAG}null", re.compile(r"(~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(f"{_TAG}int", _INTEGER, list("-+0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+.0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}merge", re.compile(r"<<$"), ["<"])


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node)).replace("_", "").lower()
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if re.fullmatch(r"0[0-7]+", digits):
        digits = f"0o{digits[1:]}"
    return sign * int(digits, 0)


def _float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float | str:
    text = str(loader.construct_scalar(node))
    number = float(text)
    return number if math.isfinite(number) else text


def _string(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    text = str(loader.construct_scalar(node))
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise yaml.constructor.ConstructorError(None, None, "half a character (a lone surrogate)", node.start_mark)
    return text


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[str, object]:
    seen: dict[str, int] = {}
    for key_node, _ in node.value:
        if key_node.tag == f"{_TAG}merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, str | int | float | None):
            raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key_node.start_mark)
        word = _word(key)
        if word in seen:
            message = f'key "{word}" was already written in line {seen[word]}'
            raise yaml.constructor.ConstructorError(None, None, message, key_node.start_mark)
        seen[word] = line
    loader.flatten_mapping(node)
    return {
        _word(loader.construct_object(key, deep=True)): loader.construct_object(value, deep=True)
        for key, value in node.value
    }


def _word(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


_Loader.add_constructor(f"{_TAG}int", _integer)
_Loader.add_constructor(f"{_TAG}float", _float)
_Loader.add_constructor(f"{_TAG}str", _string)
_Loader.add_constructor(f"{_TAG}map", _mapping)


def load(path: Path, shown: str) -> object:
    """Return the content of a YAML file.

    Args:
        path: the file.
        shown: what to call it in messages.

    Raises:
        ProblemsError: where it cannot be read.
    """
    return parse(read_text(path, shown), shown)


def read_text(path: Path, shown: str) -> str:
    """Return the text of a YAML file.

    Args:
        path: the file.
        shown: what to call it in messages.

    Raises:
        ProblemsError: where it cannot be read.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise _problem(shown, shown, f"more than {_LARGEST:,} bytes", "no stack file is so long", "Check the path.")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        why = error.strerror or str(error)
        raise _problem(shown, shown, "cannot be read", why, "Check the path and its permissions.") from None
    except UnicodeDecodeError as error:
        why = f"byte {error.start} is not UTF-8"
        raise _problem(shown, shown, "not a text file", why, "Save it as UTF-8.") from None


def parse(text: str, shown: str) -> object:
    """Return the content of a YAML document.

    Raises:
        ProblemsError: where it is none.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        raise _marked(error, shown) from None
    except yaml.YAMLError as error:
        raise _problem(shown, shown, "not YAML", str(error).partition("\n")[0], "Remove what is not text.") from None
    except (RecursionError, ValueError) as error:
        raise _problem(shown, shown, "cannot be read", str(error) or "nested too deeply", "Simplify it.") from None


def lines(text: str) -> Mapping[Steps, int]:
    """Return the line of every key and list entry of a document that ``parse`` has read, by the way to it."""
    root = yaml.compose(text, Loader=_Loader)
    return dict(_lines_below(root, (), set())) if root is not None else {}


def _lines_below(node: yaml.Node, way: Steps, seen: set[int]) -> Iterator[tuple[Steps, int]]:
    if id(node) in seen:
        # An anchor's content, told where it was first met: aliases of aliases would grow without end.
        return
    seen.add(id(node))
    inner: list[tuple[str, yaml.Node, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        inner = [(key.value, key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]
    elif isinstance(node, yaml.SequenceNode):
        inner = [(str(place), value, value) for place, value in enumerate(node.value)]
    for step, start, value in inner:
        yield (*way, step), start.start_mark.line + 1
        yield from _lines_below(value, (*way, step), seen)


def _marked(error: yaml.MarkedYAMLError, shown: str) -> ProblemsError:
    """Return a fault of syntax in words; what was opened and never closed is named by the line that opens it."""
    mark, opened = error.problem_mark or error.context_mark, error.context_mark
    where = f"{shown}:{mark.line + 1}" if mark else shown
    what, why = error.problem or "not YAML", error.context or "the CLI cannot read it either"
    bracket = next((sign for kind, sign in _BRACKETS.items() if kind in why), None)
    if "already written" in what:
        remedy = "Keep one of the two."
    elif "another document" in what:
        what, why, remedy = "a second document", "a stack file is one", "Remove the line --- and what follows it."
    elif "\\t" in what:
        what, why = "a tab", "YAML is indented with spaces only"
        remedy = "Put spaces in its place, as many as the lines beside it have."
    elif opened is not None and bracket:
        why = f"the {bracket[0]} in line {opened.line + 1} is still open"
        remedy = f"Close it with {bracket[1]} in line {opened.line + 1}, or put a comma between two entries."
    else:
        remedy = (
            "Mend the syntax: spaces, not tabs, for indentation; a space after each colon; quotes around special texts."
        )
    return _problem(shown, where, what, why, remedy)


def _problem(shown: str, where: str, what: str, why: str, remedy: str) -> ProblemsError:
    return ProblemsError(shown, [Problem(where, what, why, remedy)])
