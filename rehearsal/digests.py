"""Plans as JSON: written in the shape of ``pulumi preview --json``, read from it or from an exported state."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inference.facts.wire import KEY, SIGNATURES
from inference.problems import Problem, ProblemsError
from rehearsal.diffs import Change, Diff
from rehearsal.plan import Diagnostic, Options, Plan, ResourceState, Step, Timeouts
from rehearsal.urns import parse
from rehearsal.values import Secret, masked

__all__ = ["dumps", "load", "loads", "raw_steps", "state"]

_LARGEST = 256 * 1024 * 1024
"""Bytes of JSON that are read; a plan of ten thousand resources takes a tenth of it."""

_GONE = frozenset({"delete", "delete-replaced", "read-discard", "discard-replaced", "remove-pending-replace"})
"""Operations after which the resource is no longer there."""


def dumps(plan: Plan, diff: Diff | None = None) -> str:
    """Return a plan as JSON, secrets blinded; with a diff, each step as what it changes.

    Unchanged resources are listed, as ``--show-sames`` does, so that a plan can be the baseline of the next.
    """
    if diff is None:
        steps = [_step(step.op, step.state) for step in plan.shown]
        summary = plan.changes
    else:
        steps = [_changed(change) for change in diff.changes]
        summary = diff.summary
    digest = {
        "config": dict(sorted(plan.config.items())),
        "steps": steps,
        "diagnostics": [_diagnostic(plan, diagnostic) for diagnostic in plan.diagnostics],
        "duration": plan.duration,
        "changeSummary": dict(sorted(summary.items())),
    }
    if not plan.diagnostics:
        del digest["diagnostics"]
    return json.dumps(digest, indent=4, ensure_ascii=False)


def _diagnostic(plan: Plan, diagnostic: Diagnostic) -> Mapping[str, str]:
    prefix = "" if diagnostic.severity == "info" else f"{diagnostic.severity}: "
    text = {"message": f"{prefix}{plan.blind(diagnostic.message)}\n", "severity": diagnostic.severity}
    return {"urn": diagnostic.urn, **text} if diagnostic.urn else text


def _diagnosed(raw: Mapping[str, Any]) -> Diagnostic:
    severity = str(raw.get("severity", "info"))
    message = str(raw.get("message", "")).removesuffix("\n").removeprefix(f"{severity}: ")
    return Diagnostic(severity, message, str(raw.get("urn", "")))


def _step(op: str, state: ResourceState) -> dict[str, object]:
    head = {"op": op, "urn": state.urn}
    provider = {"provider": state.provider} if state.provider else {}
    return {**head, **provider, "newState": _state(state), "detailedDiff": None}


def _changed(change: Change) -> dict[str, object]:
    state = change.new or change.old
    assert state is not None  # noqa: S101 - a change has one side at least
    step: dict[str, object] = {"op": change.op, "urn": change.urn}
    if state.provider:
        step["provider"] = state.provider
    if change.old:
        step["oldState"] = _state(change.old)
    if change.new:
        step["newState"] = _state(change.new)
    if change.properties:
        step["diffReasons"] = sorted({prop.top for prop in change.properties})
        if forced := sorted({prop.top for prop in change.properties if prop.replaces}):
            step["replaceReasons"] = forced
    step["detailedDiff"] = {prop.path: {"kind": prop.kind, "inputDiff": True} for prop in change.properties} or None
    return step


def _state(state: ResourceState) -> Mapping[str, object]:
    options = state.options
    timeouts = {
        name: int(value) if value.is_integer() else value
        for name, value in (
            ("create", options.timeouts.create),
            ("update", options.timeouts.update),
            ("delete", options.timeouts.delete),
        )
        if value
    }
    fields: dict[str, object] = {
        "urn": state.urn,
        "custom": state.custom,
        "type": state.type,
        "inputs": _sorted(masked(state.inputs)),
        "outputs": _sorted(masked(state.outputs)) if not state.custom else None,
        "parent": state.parent,
        "protect": state.protect,
        "external": state.external,
        "dependencies": list(state.dependencies),
        "provider": state.provider,
        "propertyDependencies": {key: list(urns) for key, urns in sorted(state.property_dependencies.items())},
        "additionalSecretOutputs": list(options.additional_secret_outputs),
        "aliases": list(options.aliases),
        "customTimeouts": timeouts,
        "importID": options.import_id,
        "retainOnDelete": options.retain_on_delete,
        "deletedWith": options.deleted_with,
        "replaceWith": list(options.replace_with),
        "sourcePosition": state.source_position,
        "ignoreChanges": list(options.ignore_changes),
        "hideDiff": list(options.hide_diffs),
        "replaceOnChanges": list(options.replace_on_changes),
    }
    return {key: value for key, value in fields.items() if value or key == "custom"}


def _sorted(value: object) -> object:
    match value:
        case str():
            return value
        case Mapping():
            return {key: _sorted(value[key]) for key in sorted(value)}
        case Sequence():
            return [_sorted(inner) for inner in value]
        case _:
            return value


def load(path: Path) -> Plan:
    """Return the plan or state in a JSON file.

    Raises:
        ProblemsError: where it is neither a preview's digest nor an exported state.
    """
    name = path.name
    try:
        if path.stat().st_size > _LARGEST:
            raise _refused(name, f"more than {_LARGEST // 2**20} MiB", "no plan is so long", "Check the path.")
        return loads(path.read_text(encoding="utf-8-sig"), name)
    except OSError as error:
        raise _refused(name, "cannot be read", error.strerror or str(error), "Check the path.") from None
    except UnicodeDecodeError as error:
        raise _refused(name, "not a text file", f"byte {error.start} is not UTF-8", _MAKE) from None


def loads(text: str, source: str) -> Plan:
    """Return the plan or state in a JSON text.

    Raises:
        ProblemsError: where it is neither a preview's digest nor an exported state.
    """
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"{source}:{error.lineno}"
        raise _refused(source, "not JSON", error.msg, _MAKE, where) from None
    except (RecursionError, ValueError):
        raise _refused(source, "not a plan", "it is nested too deeply or its numbers are too long", _MAKE) from None
    try:
        return _plan(raw, source)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        why = f"{type(error).__name__}: {str(error)[:200]}"
        raise _refused(source, "not a plan", why, _MAKE) from None


def raw_steps(path: Path) -> list[Mapping[str, Any]]:
    """Return the steps of a digest that ``load`` has accepted, as they are written; none of a state."""
    raw = json.loads(path.read_text(encoding="utf-8-sig"))
    return list(raw.get("steps") or [])


def state(raw: Mapping[str, Any]) -> ResourceState:
    """Return a resource's state from its JSON."""
    return _read(raw)


_MAKE = (
    "Make one with `python -m rehearsal preview --json`, `pulumi preview --json --show-sames` or `pulumi stack export`."
)


def _refused(source: str, what: str, why: str, remedy: str, where: str = "") -> ProblemsError:
    return ProblemsError(source, [Problem(where or source, what, why, remedy)])


def _plan(raw: Any, source: str) -> Plan:
    if not isinstance(raw, dict):
        raise _refused(source, f"is a {type(raw).__name__}, not an object", "a plan is one object", _MAKE)
    resources = _resources(raw)
    if resources is not None:
        kept = [resource for resource in resources if not resource.get("delete")]
        return Plan(tuple(Step("same", _read(resource)) for resource in kept))
    if "steps" not in raw and "changeSummary" not in raw:
        raise _refused(source, "neither a preview nor a state", "it has no steps and no deployment", _MAKE)
    steps = tuple(_steps(raw.get("steps") or []))
    hidden = int((raw.get("changeSummary") or {}).get("same", 0)) - sum(step.op == "same" for step in steps)
    if hidden > 0:
        why = "a resource that is not listed would look new"
        raise _refused(source, f"leaves out {hidden} unchanged resources", why, _MAKE)
    return Plan(
        steps=steps,
        config={str(key): str(value) for key, value in (raw.get("config") or {}).items()},
        diagnostics=tuple(_diagnosed(entry) for entry in raw.get("diagnostics") or []),
        duration=int(raw.get("duration", 0)),
    )


def _resources(raw: Mapping[str, Any]) -> list[Any] | None:
    """Return the resources of an exported state or of a state file; ``None`` where it is none."""
    if isinstance(deployment := raw.get("deployment"), dict):
        return list(deployment.get("resources") or [])
    if isinstance(checkpoint := raw.get("checkpoint"), dict):
        return list((checkpoint.get("latest") or {}).get("resources") or [])
    return None


def _steps(raw: Sequence[Any]) -> Iterator[Step]:
    for step in raw:
        op = str(step["op"])
        state = step.get("newState") or step.get("oldState")
        if state is None:
            state = {"urn": step["urn"], "custom": True}
        if op not in _GONE:
            yield Step(op, _read(state))


def _read(raw: Mapping[str, Any]) -> ResourceState:
    urn = str(raw["urn"])
    parse(urn)
    timeouts = raw.get("customTimeouts") or {}
    return ResourceState(
        urn=urn,
        custom=bool(raw.get("custom", True)),
        id=str(raw.get("id", "")),
        inputs=_properties(raw.get("inputs")),
        outputs=_properties(raw.get("outputs")),
        parent=str(raw.get("parent", "")),
        provider=str(raw.get("provider", "")),
        protect=bool(raw.get("protect", False)),
        external=bool(raw.get("external", False)),
        dependencies=_texts(raw.get("dependencies")),
        property_dependencies={
            str(key): _texts(value) for key, value in (raw.get("propertyDependencies") or {}).items()
        },
        options=Options(
            ignore_changes=_texts(raw.get("ignoreChanges")),
            replace_on_changes=_texts(raw.get("replaceOnChanges")),
            additional_secret_outputs=_texts(raw.get("additionalSecretOutputs")),
            aliases=_texts(raw.get("aliases")),
            hide_diffs=_texts(raw.get("hideDiff")),
            retain_on_delete=bool(raw.get("retainOnDelete", False)),
            deleted_with=str(raw.get("deletedWith", "")),
            replace_with=_texts(raw.get("replaceWith")),
            import_id=str(raw.get("importID", "")),
            timeouts=Timeouts(*(float(timeouts.get(key, 0)) for key in ("create", "update", "delete"))),
        ),
        source_position=str(raw.get("sourcePosition", "")),
    )


def _texts(raw: Any) -> tuple[str, ...]:
    if raw is not None and not isinstance(raw, list):
        raise TypeError(f"a list belongs where {type(raw).__name__} stands")
    return tuple(str(entry) for entry in raw or ())


def _properties(raw: Any) -> Mapping[str, object]:
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise TypeError(f"properties are a map, not a {type(raw).__name__}")
    return {key: _opened(value) for key, value in raw.items()}


def _opened(value: Any) -> object:
    """Return a value of a state with its secrets marked."""
    if isinstance(value, dict):
        if value.get(KEY) == SIGNATURES["secret"]:
            if "plaintext" in value:
                return Secret(json.loads(value["plaintext"]))
            return Secret(value.get("ciphertext", ""), sealed=True)
        return {key: _opened(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_opened(inner) for inner in value]
    return value
