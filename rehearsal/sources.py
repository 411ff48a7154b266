"""What ``judge`` is given: Kubernetes manifests, previews, exported states — as one plan with places in files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from inference.problems import Problem, ProblemsError
from rehearsal import digests
from rehearsal.plan import Plan, ResourceState, Step

__all__ = ["Place", "Sources", "read"]

_ENDINGS = (".yaml", ".yml", ".json")
_LARGEST = 50_000_000
"""Bytes of one file."""
_DEEPEST = 100
"""Levels of nesting that any real object stays far below."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a resource was written."""

    file: str
    line: int
    """Line of the object, counted from 1."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that was read."""

    plan: Plan
    places: Mapping[str, Place] = field(default_factory=dict)
    """Where each resource was written, by URN."""
    manifests: bool = False
    """Whether all of it is plain manifests, which know no dependencies, providers or options."""


def read(paths: Sequence[Path]) -> Sources:
    """Read files and folders.

    Raises:
        ProblemsError: with everything that cannot be read, at once.
    """
    steps: list[Step] = []
    places: dict[str, Place] = {}
    problems: list[Problem] = []
    only_manifests = True
    for path in _files(paths, problems):
        try:
            plan = _plan(path)
            if plan is not None:
                only_manifests = False
                steps += plan.steps
                places |= {state.urn: Place(str(path), 1) for state in plan}
                continue
            for state, line in _objects(path):
                steps.append(Step("same", state))
                places[state.urn] = Place(str(path), line)
        except ProblemsError as error:
            problems += error.problems
    if problems:
        raise ProblemsError("judge", problems)
    return Sources(Plan(tuple(steps)), places, only_manifests)


def _files(paths: Sequence[Path], problems: list[Problem]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix in _ENDINGS and p.is_file())
        elif path.is_file():
            yield path
        else:
            problems.append(Problem(str(path), "no such file or folder", "nothing to judge", "Check the path."))


def _plan(path: Path) -> Plan | None:
    """Return the plan in a preview or an exported state; ``None`` where the file is no such thing."""
    if path.suffix != ".json":
        return None
    try:
        raw = json.loads(_text(path))
    except ValueError:
        return digests.load(path)
    if isinstance(raw, dict) and "kind" in raw and "apiVersion" in raw:
        return None
    return digests.load(path)


def _text(path: Path) -> str:
    shown = str(path)
    try:
        if path.stat().st_size > _LARGEST:
            why = f"{_LARGEST // 1_000_000} MB is the limit"
            raise ProblemsError(shown, [Problem(shown, "too large", why, "Split the file.")])
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ProblemsError(shown, [Problem(shown, "cannot be read", why, "Check the path.")]) from None


def _objects(path: Path) -> Iterator[tuple[ResourceState, int]]:
    shown = str(path)
    try:
        loader = yaml.SafeLoader(_text(path))
        documents = []
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                documents.append((loader.construct_document(node), node.start_mark.line + 1))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{shown}:{mark.line + 1}" if mark else shown
        why = str(getattr(error, "problem", None) or error).splitlines()[0]
        remedy = "Mend the YAML; templates of a chart must be rendered first (helm template)."
        raise ProblemsError(shown, [Problem(where, "not YAML", why, remedy)]) from None
    for document, line in documents:
        for thing in _items(document):
            yield _state(thing, shown), line


def _items(document: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(document, dict) or _depth(document) > _DEEPEST:
        return
    items = document.get("items")
    if str(document.get("kind", "")).endswith("List") and isinstance(items, list):
        for item in items:
            yield from _items(item)
    elif isinstance(document.get("kind"), str) and isinstance(document.get("apiVersion"), str):
        yield document


def _depth(value: Any) -> int:
    deepest, todo = 0, [(value, 1)]
    while todo:
        found, level = todo.pop()
        deepest = max(deepest, level)
        if level > _DEEPEST:
            break
        inner = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
        todo += [(part, level + 1) for part in inner]
    return deepest


def _state(thing: Mapping[str, Any], source: str) -> ResourceState:
    api_version, kind = thing["apiVersion"], thing["kind"]
    metadata = thing.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    name = "/".join(str(part) for part in (metadata.get("namespace"), metadata.get("name") or "unnamed") if part)
    token = f"kubernetes:{api_version if '/' in api_version else f'core/{api_version}'}:{kind}"
    urn = f"urn:pulumi:manifests::{source.replace('::', '-')}::{token}::{name}"
    return ResourceState(urn=urn, custom=True, inputs=json.loads(json.dumps(thing, default=str)))
