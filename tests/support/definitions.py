"""Whether a cluster would take a Kubernetes object: built-in kinds by their OpenAPI schemas, custom kinds by their definitions.

Definitions are read from the folder named by the environment variable ``CRD_DEFINITIONS``, or from ``shared/crds``
beside the checkout; where neither is there, only the few kinds of ``own_definitions`` are checked and the tests say so.
Those come with a chart or with GKE, are published in no file that a folder could hold, and say what the project uses.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from tests.support import structural
from tests.support.celrules import broken_rules
from tests.support.stacks import ROOT

__all__ = [
    "ABSENT",
    "KUBERNETES",
    "Definition",
    "definition",
    "definitions",
    "definitions_folder",
    "documents",
    "plain",
    "problems",
    "releases",
]

KUBERNETES = "1.35"
"""Version of the built-in schemas: the one that the stacks ask for."""

ABSENT = "there is no folder with definitions of custom resources (CRD_DEFINITIONS names one)"
"""Why a test on definitions is skipped."""

_OWN = Path(__file__).parent / "own_definitions"


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One served version of a custom kind."""

    group: str
    version: str
    kind: str
    namespaced: bool
    stored: bool
    """Whether objects are kept in this version; one of another is converted."""
    schema: Mapping[str, Any]
    release: str
    """Release that the file itself names; empty where it names none."""
    own: bool
    """Whether it is one of the project's own extracts."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}"


def definitions_folder() -> Path | None:
    """Return the folder with the custom definitions, if there is one."""
    named = os.environ.get("CRD_DEFINITIONS")
    folder = Path(named) if named else ROOT.parent / "shared" / "crds"
    return folder if folder.is_dir() else None


@cache
def documents() -> tuple[Mapping[str, Any], ...]:
    """Return every CustomResourceDefinition as it is published; the folder's own goes before our extract of it."""
    found: dict[str, Mapping[str, Any]] = {}
    folder = definitions_folder()
    for path in [*sorted(_OWN.glob("*.yaml")), *(sorted(folder.glob("*.yaml")) if folder else ())]:
        for document in yaml.load_all(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if document and document.get("kind") == "CustomResourceDefinition":
                found[document["metadata"]["name"]] = document
    return tuple(found.values())


@cache
def definitions() -> Mapping[tuple[str, str], Definition]:
    """Return all served versions by apiVersion and kind."""
    own = {path.stem for path in _OWN.glob("*.yaml")}
    found = {}
    for document in documents():
        spec = document["spec"]
        notes = document["metadata"].get("annotations", {})
        release = next((notes[key] for key in notes if key.endswith(("/bundle-version", "/release"))), "")
        for version in spec["versions"]:
            if version.get("served") and "schema" in version:
                made = Definition(
                    group=spec["group"],
                    version=version["name"],
                    kind=spec["names"]["kind"],
                    namespaced=spec["scope"] == "Namespaced",
                    stored=version.get("storage", False),
                    schema=version["schema"]["openAPIV3Schema"],
                    release=release,
                    own=f"{spec['group']}_{spec['names']['plural']}" in own,
                )
                found[made.api_version, made.kind] = made
    return found


@cache
def releases() -> Mapping[str, str]:
    """Return the release that each definition is of, by group and kind, as the folder's own table says.

    The table is in the folder's Markdown file: group, kinds and release in three columns.
    """
    found = {}
    folder = definitions_folder()
    for path in sorted(folder.glob("*.md")) if folder else ():
        for line in path.read_text(encoding="utf-8").splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if len(cells) == 3 and "." in cells[0]:
                for kind in re.findall(r"\b[A-Z]\w+", re.sub(r"\(.*?\)", "", cells[1])):
                    found[f"{cells[0]}/{kind}"] = cells[2]
    return found


def definition(manifest: Mapping[str, Any]) -> Definition | None:
    """Return the definition of an object; ``None`` for a built-in kind, or one of which nothing is known."""
    return definitions().get((manifest["apiVersion"], manifest["kind"]))


def plain(value: Any) -> Any:
    """Return a value as JSON carries it: whole numbers are integers."""
    match value:
        case Mapping():
            return {key: plain(part) for key, part in value.items()}
        case list() | tuple():
            return [plain(part) for part in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def problems(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a cluster would refuse about an object."""
    manifest = plain(manifest)
    shown = f"{manifest['kind']} {manifest['metadata'].get('name')}"
    found = definition(manifest)
    if found is not None:
        yield from (f"{shown}: {text}" for text in _custom(manifest, found))
        return
    try:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{shown}: {'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError:
        if definitions_folder() is not None:
            yield f"{shown}: no definition of {manifest['apiVersion']} is known"


def _custom(manifest: Mapping[str, Any], found: Definition) -> Iterator[str]:
    named = bool(manifest["metadata"].get("namespace"))
    if named is not found.namespaced:
        yield "metadata.namespace: " + ("is missing" if found.namespaced else "objects of this kind are in none")
    yield from (f"{path}: unknown field" for path in structural.unknown_fields(manifest, found.schema))
    value = structural.defaulted(manifest, found.schema)
    errors = [
        *structural.value_errors(value, found.schema),
        *(f"{path}: is there twice" for path in structural.duplicates(value, found.schema)),
    ]
    # A cluster, too, asks no rules about values that are wrong already.
    yield from errors or broken_rules(value, found.schema)
