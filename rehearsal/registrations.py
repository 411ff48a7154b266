"""Registrations as they came over the wire, and the typed states that plans are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf.struct_pb2 import Struct

from rehearsal import urns
from rehearsal.errors import EngineError
from rehearsal.plan import Options, ResourceState, Timeouts, Wire

__all__ = ["Kept", "timeouts", "to_state"]


@dataclass(slots=True)
class Kept:
    """A resource as registered; outputs may follow."""

    request: Any
    urn: str
    id: str
    provider: str
    inputs: Mapping[str, object]
    wire_inputs: Struct
    outputs: Mapping[str, object] = field(default_factory=dict)
    wire_outputs: Struct = field(default_factory=Struct)
    external: bool = False


def to_state(kept: Kept, root: Path) -> ResourceState:
    """Return the resource of a registration, its place in the program relative to a folder."""
    request = kept.request
    if kept.external:
        return ResourceState(
            urn=kept.urn,
            custom=True,
            id=kept.id,
            inputs=kept.inputs,
            outputs=kept.outputs,
            parent=request.parent,
            provider=kept.provider,
            external=True,
            dependencies=tuple(sorted(request.dependencies)),
            wire=Wire(kept.wire_inputs, kept.wire_outputs),
        )
    return ResourceState(
        urn=kept.urn,
        custom=request.custom,
        id=kept.id,
        inputs=kept.inputs,
        outputs=kept.outputs,
        parent=request.parent,
        provider=kept.provider,
        protect=request.protect,
        dependencies=tuple(sorted(request.dependencies)),
        property_dependencies={
            key: tuple(sorted(request.propertyDependencies[key].urns)) if key in request.propertyDependencies else ()
            for key in kept.inputs
            if not key.startswith("__")
        },
        options=_options(request, kept.urn),
        source_position=_position(request, root),
        wire=Wire(kept.wire_inputs, kept.wire_outputs),
    )


def _alias(alias: Any, urn: str, request: Any) -> str:
    if not alias.HasField("spec"):
        return str(alias.urn)
    spec, own = alias.spec, urns.parse(urn)
    parent = "" if spec.noParent else spec.parentUrn or request.parent
    return urns.make(
        spec.stack or own.stack, spec.project or own.project, parent, spec.type or own.type, spec.name or own.name
    )


def _options(request: Any, urn: str) -> Options:
    return Options(
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        aliases=tuple(_alias(alias, urn, request) for alias in request.aliases),
        hide_diffs=tuple(request.hideDiffs),
        delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        retain_on_delete=request.retainOnDelete,
        deleted_with=request.deletedWith,
        replace_with=tuple(request.replace_with),
        import_id=request.importId,
        timeouts=timeouts(request),
    )


_PART = re.compile(r"(\d+\.?\d*|\.\d+)(h|ms|m|s|us|µs|ns)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def timeouts(request: Any) -> Timeouts:
    """Return the timeouts of a registration.

    Raises:
        EngineError: where one is no duration.
    """
    given = request.customTimeouts
    return Timeouts(*(_seconds(text) for text in (given.create, given.update, given.delete)))


def _seconds(duration: str) -> float:
    """Return a Go duration such as ``1h30m`` in seconds; 0 for an empty one."""
    if _PART.sub("", duration):
        raise EngineError(f'"{duration}" is not a duration; write one such as "30m" or "1h30m"')
    return sum((float(number) * _UNITS[unit] for number, unit in _PART.findall(duration)), start=0.0)


def _position(request: Any, root: Path) -> str:
    """Return the nearest line of the program itself, in the engine's form; empty where there is none."""
    prefix = f"{root.as_uri()}/"
    for position in (request.sourcePosition, *(frame.pc for frame in request.stackTrace.frames)):
        if position.uri.startswith(prefix) and "/site-packages/" not in position.uri:
            return f"project:///{position.uri.removeprefix(prefix)}#{position.line}"
    return ""
