"""What the real engine would do: both sides of a ``pulumi preview --json`` digest, and its word on each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rehearsal import digests
from rehearsal.diffs import Change, Diff, Op, PropertyChange, compare
from rehearsal.plan import Plan, ResourceState, Step
from rehearsal.urns import is_default_provider

__all__ = ["load"]

_OPS: Mapping[str, Op] = {
    "create": "create",
    "import": "create",
    "update": "update",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "import-replacement": "replace",
    "delete": "delete",
    "same": "same",
}
"""The engine's steps; a replacement takes up to three of them."""


def load(path: Path) -> tuple[Plan, Plan, Diff]:
    """Return the state that a preview started from, the one that it ends with, and what lies between them.

    Raises:
        ProblemsError: where the file is no digest, or leaves out what does not change.
    """
    after = digests.load(path)
    raw = digests.raw_steps(path)
    old: dict[str, ResourceState] = {}
    operations: dict[str, Op] = {}
    reasons: dict[str, frozenset[str]] = {}
    for step in raw:
        urn, op = str(step["urn"]), _OPS.get(str(step["op"]))
        if op is None or is_default_provider(urn):
            continue
        if operations.get(urn) != "replace":
            operations[urn] = op
        if forced := _reasons(step):
            reasons[urn] = reasons.get(urn, frozenset()) | forced
        if isinstance(step.get("oldState"), dict):
            old.setdefault(urn, digests.state(step["oldState"]))
    before = Plan(tuple(Step("same", state) for state in old.values()))
    told = {change.urn: change for change in compare(before, after).changes}
    changes = [_engines(told[urn], op, reasons.get(urn, frozenset())) for urn, op in operations.items() if urn in told]
    return before, after, Diff(tuple(changes))


def _reasons(step: Mapping[str, Any]) -> frozenset[str]:
    """Return the properties that the provider named as forcing a replacement."""
    detailed = step.get("detailedDiff")
    entries = detailed.items() if isinstance(detailed, dict) else ()
    paths = {
        path for path, diff in entries if isinstance(diff, dict) and str(diff.get("kind", "")).endswith("-replace")
    }
    return frozenset({str(key) for key in step.get("replaceReasons") or ()} | {str(path) for path in paths})


def _engines(change: Change, op: Op, reasons: frozenset[str]) -> Change:
    """Return a change as the engine sees it: what our own tables suppose about replacement does not count."""
    properties = [
        replace(prop, replaces=op == "replace" and (prop.path in reasons or prop.top in reasons))
        for prop in change.properties
        if not prop.follows
    ]
    named = {prop.path for prop in properties} | {prop.top for prop in properties}
    if op == "replace":
        properties += [_unseen(change, path) for path in sorted(reasons) if path not in named]
    return Change(op, change.urn, change.old, change.new, tuple(properties))


def _unseen(change: Change, path: str) -> PropertyChange:
    """Return a reason whose values the preview does not show: as a rule, they come from what is replaced too."""
    old = change.old.inputs.get(path) if change.old else None
    new = change.new.inputs.get(path) if change.new else None
    return PropertyChange(path, old, new, "update", replaces=True)
