"""One danger, and the questions about a change that all of them ask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from rehearsal.diffs import Change
from rehearsal.review.change import StackChange
from rehearsal.urns import parse

__all__ = ["Danger", "Moved", "forcing", "moves"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Danger:
    """What a change endangers."""

    kind: str
    """Kebab-case, for machines: ``capacity``, ``downtime``, ``data`` …"""
    urn: str
    resource: str
    """Name that a reader knows it by."""
    consequence: str
    """What happens, in one or two sentences."""
    remedy: str
    """What to do about it."""
    grave: bool = True
    """Whether it makes the change a risky one; otherwise it is good to know."""
    fails: bool = False
    """Whether the update certainly stops there."""


@dataclass(frozen=True)
class Moved:
    """A resource that changes, as rules see it on both sides."""

    entry: Change
    before: Resource | None
    after: Resource | None

    @property
    def op(self) -> str:
        return self.entry.op

    @property
    def lost(self) -> bool:
        """Whether what stands now is deleted, with or without a successor."""
        kept = self.entry.op == "delete" and self.entry.old is not None and self.entry.old.options.retain_on_delete
        return self.entry.op in ("delete", "replace") and not kept

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Paths of the changed properties."""
        return tuple(prop.path for prop in self.entry.properties)

    def touches(self, *prefixes: str) -> bool:
        """Whether a property at or below one of these paths changes."""
        return any(
            path == prefix or path.startswith((f"{prefix}.", f"{prefix}["))
            for path in self.paths
            for prefix in prefixes
        )


def moves(change: StackChange, *types: str) -> Iterator[Moved]:
    """Yield what changes, of these types or of all; a type may be a prefix that ends with a colon or slash."""
    before = change.before.stack if change.before else Stack(())
    after = change.after.stack if change.after else Stack(())
    for entry in change.diff.changes:
        state = entry.new or entry.old
        if entry.op == "same" or state is None or (types and not _is(state.type, types)):
            continue
        old_urn = entry.old.urn if entry.old else entry.urn
        yield Moved(entry, before.get(old_urn), after.get(entry.urn))


def _is(token: str, types: tuple[str, ...]) -> bool:
    return any(token == wanted or (wanted[-1] in ":/" and token.startswith(wanted)) for wanted in types)


def forcing(entry: Change) -> str:
    """Return what forces a replacement, for a sentence; empty where nothing is known."""
    forced = [prop for prop in entry.properties if prop.replaces]
    own = [prop for prop in forced if not prop.follows]
    if own:
        named = ", ".join(dict.fromkeys(prop.path for prop in own[:3]))
        return f"forced by {named}" + (" and more" if len(own) > 3 else "")
    if forced:
        return f'along with "{parse(forced[0].follows).name}"'
    return ""
