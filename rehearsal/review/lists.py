"""Changes in lists as a person would tell them: an argument was added, not all after it changed."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rehearsal.diffs import Change, PropertyChange, alike, differences, joined

__all__ = ["told"]

_LIST = re.compile(r"^((?:[^\[\]]|\[\")+?)\[\d+\]")
_OPTION = re.compile(r"--?[A-Za-z][\w-]*")
_NAMES = ("name", "key")
"""Fields by which entries of Kubernetes' lists are merged."""
_LONGEST = 500
"""Entries of a list beyond which positions are compared."""


def told(change: Change) -> tuple[PropertyChange, ...]:
    """Return the changed properties, those in lists by what was added and removed where that says it shorter."""
    if change.old is None or change.new is None:
        return change.properties
    groups: dict[str, list[PropertyChange]] = {}
    for prop in change.properties:
        match = None if prop.replaces else _LIST.match(prop.path)
        groups.setdefault(match[1] if match else f"\0{prop.path}", []).append(prop)
    found: list[PropertyChange] = []
    for path, props in groups.items():
        shorter = None
        if not path.startswith("\0") and not any(p.startswith(path) for p in change.new.options.ignore_changes):
            shorter = _aligned(change.old.inputs, change.new.inputs, path)
        found += shorter if shorter is not None and len(shorter) <= len(props) else props
    return tuple(found)


def _aligned(old: Mapping[str, object], new: Mapping[str, object], path: str) -> list[PropertyChange] | None:
    if not all(step.replace("_", "").replace("-", "").isalnum() for step in path.split(".")):
        return None
    left, right = (_at(side, path) for side in (old, new))
    if not _listed(left) or not _listed(right):
        return None
    return list(_entries(left, right, path))


def _at(value: object, path: str) -> object:
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _listed(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and len(value) <= _LONGEST


def _deep(old: object, new: object, path: str) -> Iterator[PropertyChange]:
    if alike(old, new):
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            inner = joined(path, key)
            if key not in old:
                yield PropertyChange(inner, None, new[key], "add")
            elif key not in new:
                yield PropertyChange(inner, old[key], None, "delete")
            else:
                yield from _deep(old[key], new[key], inner)
    elif _listed(old) and _listed(new):
        yield from _entries(old, new, path)
    else:
        yield from differences(old, new, alike, path)


def _entries(old: object, new: object, path: str) -> Iterator[PropertyChange]:
    assert isinstance(old, Sequence)  # noqa: S101 - callers have looked
    assert isinstance(new, Sequence)  # noqa: S101
    for name in _NAMES:
        left, right = _by_name(old, name), _by_name(new, name)
        if left is not None and right is not None and (left or right):
            for key in dict.fromkeys((*left, *right)):
                inner = f"{path}[{json.dumps(key, ensure_ascii=False)}]"
                if key not in left:
                    yield PropertyChange(inner, None, right[key], "add")
                elif key not in right:
                    yield PropertyChange(inner, left[key], None, "delete")
                else:
                    yield from _deep(left[key], right[key], inner)
            return
    if all(isinstance(entry, str) for entry in (*old, *new)):
        yield from _texts(old, new, path)
    else:
        yield from differences(old, new, alike, path)


def _by_name(entries: Sequence[object], name: str) -> dict[str, object] | None:
    """Return the entries by name; ``None`` where one has none, or two have the same."""
    found: dict[str, object] = {}
    for entry in entries:
        key = entry.get(name) if isinstance(entry, Mapping) else None
        if not isinstance(key, str) or key in found:
            return None
        found[key] = entry
    return found


def _option(words: Sequence[str], place: int) -> str:
    """Return the option before a value on a command line; empty where the word is no value of one."""
    before = words[place - 1] if place else ""
    return before if _OPTION.fullmatch(before) and not words[place].startswith("-") else ""


def _texts(old: Sequence[str], new: Sequence[str], path: str) -> Iterator[PropertyChange]:
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            continue
        shared = min(b - a, d - c)
        for place in range(shared):
            for found in differences(old[a + place], new[c + place], alike, f"{path}[{c + place}]"):
                yield replace(found, option=_option(new, c + place))
        for place in range(a + shared, b):
            yield PropertyChange(f"{path}[{place}]", old[place], None, "delete")
        for place in range(c + shared, d):
            yield PropertyChange(f"{path}[{place}]", None, new[place], "add")
