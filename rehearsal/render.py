"""Every Kubernetes object of a plan as one YAML file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from inference.problems import Problem, ProblemsError
from rehearsal.plan import Plan, ResourceState
from rehearsal.urns import digits
from rehearsal.values import BLINDED, Secret, masked

__all__ = ["files", "objects", "render"]

_MARKER = ".rehearsal-rendered"
"""File that lists what a rendering wrote, so that the next may replace it and nothing else."""

_FIRST = ("apiVersion", "kind", "metadata", "spec")
_INTERNAL_ANNOTATIONS = ("pulumi.com/",)
_NOT_OBJECTS = re.compile(r"kubernetes:(helm\.sh|yaml|kustomize)[/:]")
_LONGEST = 200
"""Characters of a file name before its ending."""


def render(plan: Plan, out: Path, title: str) -> tuple[Path, ...]:
    """Write the objects into a folder, in the order of registration, and return the files.

    Files of an earlier rendering are replaced or removed; anything else in the folder is a reason to refuse.

    Args:
        plan: what was rehearsed.
        out: the folder; made where it is not there.
        title: project and stack, for the marker.

    Raises:
        ProblemsError: where the folder holds files of others, or cannot be written.
    """
    contents = dict(files(plan))
    try:
        out.mkdir(parents=True, exist_ok=True)
        before = _written_before(out)
        foreign = sorted(entry.name for entry in out.iterdir() if entry.name not in {*before, _MARKER})
        if foreign:
            raise _refused(out, foreign)
        listed = "\n".join([f"# {title}", *contents])
        (out / _MARKER).write_text(f"{listed}\n", encoding="utf-8")
        for name in before - set(contents):
            (out / name).unlink(missing_ok=True)
        for name, text in contents.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as error:
        shown = f"--out {out}"
        why = error.strerror or str(error)
        raise ProblemsError(shown, [Problem(shown, "cannot be written", why, "Name another folder.")]) from None
    return tuple(out / name for name in contents)


def _written_before(out: Path) -> set[str]:
    marker = out / _MARKER
    if not marker.is_file():
        return set()
    names = marker.read_text(encoding="utf-8").splitlines()
    return {name for name in names if name and not name.startswith("#") and "/" not in name and name not in {".", ".."}}


def _refused(out: Path, foreign: list[str]) -> ProblemsError:
    shown = f"--out {out}"
    named = ", ".join(foreign[:5]) + (f" and {len(foreign) - 5} more" if len(foreign) > 5 else "")
    why = "no earlier rendering wrote them, and they would be mixed with the objects"
    return ProblemsError(shown, [Problem(shown, f"holds {named}", why, "Name an empty or a new folder.")])


def objects(plan: Plan) -> Iterator[tuple[ResourceState, Mapping[str, object]]]:
    """Yield each Kubernetes object with its resource, secrets masked, without what is Pulumi's own."""
    for state in plan:
        is_object = state.custom and state.type.startswith("kubernetes:") and not _NOT_OBJECTS.match(state.type)
        if is_object and "kind" in state.inputs:
            yield state, _object(state.inputs)


def _object(inputs: Mapping[str, object]) -> Mapping[str, object]:
    found: dict[str, Any] = {key: masked(value) for key, value in inputs.items() if not key.startswith("__")}
    if found["kind"] == "Secret":
        found |= {key: _entries(inputs[key]) for key in ("data", "stringData") if key in inputs}
    metadata = found.get("metadata")
    if isinstance(metadata, dict) and isinstance(annotations := metadata.get("annotations"), dict):
        kept = {key: value for key, value in annotations.items() if not key.startswith(_INTERNAL_ANNOTATIONS)}
        found["metadata"] = {key: value for key, value in metadata.items() if key != "annotations"}
        if kept:
            found["metadata"]["annotations"] = kept
    ordered = [key for key in _FIRST if key in found] + sorted(key for key in found if key not in _FIRST)
    return {key: _sorted(found[key]) for key in ordered}


def _entries(content: object) -> object:
    """Return the content of a Secret with its keys, which are no secret, and without its values."""
    opened = content.value if isinstance(content, Secret) else content
    return dict.fromkeys(opened, BLINDED) if isinstance(opened, Mapping) else BLINDED


def _sorted(value: object) -> object:
    match value:
        case dict():
            return {key: _sorted(value[key]) for key in sorted(value)}
        case list():
            return [_sorted(inner) for inner in value]
        case _:
            return value


def files(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield name and YAML text of each object, numbered in the order of registration."""
    found = list(objects(plan))
    places = max(2, len(str(len(found))))
    for place, (state, thing) in enumerate(found, start=1):
        metadata = thing.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        parts = [str(part) for part in (metadata.get("namespace"), thing["kind"], metadata.get("name")) if part]
        name = re.sub(r"[^a-z0-9.-]+", "-", "-".join(parts).lower())
        if len(name) > _LONGEST:
            name = f"{name[:_LONGEST]}-{digits(state.urn, 8)}"
        yield f"{place:0{places}}-{name}.yaml", _dump(thing)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, lists indented below their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's own protocol
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


_UNFOLDED = 1_000_000
"""Columns: a long line stays one, as folding hides what changed in it."""


def _dump(thing: Mapping[str, object]) -> str:
    return yaml.dump(dict(thing), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_UNFOLDED)
