"""Locks that the change runs into, or takes off."""

from __future__ import annotations

from collections.abc import Iterator

from inference.rules.views.resources import Resource
from inference.settings import NAMESPACE
from rehearsal.review.change import StackChange
from rehearsal.review.risks.danger import Danger, forcing, moves
from rehearsal.urns import parse

__all__ = ["dangers"]

_CLUSTER = "gcp:container/cluster:Cluster"
_FLAGS = ("deletionProtection", "deletionProtectionEnabled")


def dangers(change: StackChange) -> Iterator[Danger]:
    """Yield protected resources that go, and protections that go."""
    for moved in moves(change):
        old = moved.entry.old
        if old is None:
            continue
        new = moved.entry.new
        # The engine lets an update lift the protection of what it replaces, and not of what it deletes.
        if moved.lost and old.protect and (new is None or new.protect or moved.op == "delete"):
            word = "delete" if moved.op == "delete" else "replace"
            reason = forcing(moved.entry)
            keep = "Leave it in the program" if moved.op == "delete" else "Keep what forces it as it is"
            yield Danger(
                kind="protection",
                urn=moved.entry.urn,
                resource=old.name,
                consequence=f"It is protected, and the change would {word} it{f' ({reason})' if reason else ''}: "
                "the engine refuses, and nothing after it is applied.",
                remedy=f"{keep}. If it is meant, take the protection off first, in an update of its own "
                f"({_unlocking(change)}).",
                fails=True,
            )
        elif moved.lost and moved.before is not None and _undeletable(moved.before):
            yield Danger(
                kind="protection",
                urn=moved.entry.urn,
                resource=old.name,
                consequence="Its deletionProtection is on, so it cannot be deleted: the update fails there.",
                remedy="Keep it, or take deletionProtection off first, in an update of its own "
                f"({_unlocking(change, 'deletionProtection')}).",
                fails=True,
            )
        for path in _FLAGS:
            if moved.lost or moved.before is None or moved.after is None:
                continue
            if moved.before.props.flag(path) is True and moved.after.props.flag(path) is False:
                yield Danger(
                    kind="protection",
                    urn=moved.entry.urn,
                    resource=old.name,
                    consequence=f"{path} is taken off: the next mistake may delete it.",
                    remedy="Put it back when the work is done.",
                )
    yield from _unlocked(change)


def _unlocking(change: StackChange, flag: str = "protect") -> str:
    """Return how a stack is unlocked: this project's has a setting for it."""
    ours = any(parse(entry.urn).project == NAMESPACE for entry in change.diff.changes[:1])
    return f"{'cluster.locked' if ours else flag}: false, pulumi up"


def _undeletable(resource: Resource) -> bool:
    flags = [resource.props.flag(path) for path in _FLAGS]
    # A cluster that does not say is protected: the provider's default.
    silent = resource.type == _CLUSTER and resource.props.absent(_FLAGS[0])
    return silent or any(flags)


def _unlocked(change: StackChange) -> Iterator[Danger]:
    """Yield what is no longer protected; the engine counts that as no change of its own."""
    found = [
        entry
        for entry in change.diff.changes
        if entry.old and entry.new and entry.old.protect and not entry.new.protect
    ]
    if found:
        names = ", ".join(entry.new.name for entry in found[:5] if entry.new)
        more = f" and {len(found) - 5:,} more" if len(found) > 5 else ""
        yield Danger(
            kind="protection",
            urn=found[0].urn,
            resource=names + more,
            consequence="No longer protected: the next change that would replace or delete it does so.",
            remedy="Protect it again when the work is done.",
        )
