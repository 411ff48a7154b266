"""What a pull request does to one stack: both sides, and what lies between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from inference.rules.views.stack import Stack
from rehearsal import resources
from rehearsal.diffs import Diff
from rehearsal.plan import Plan
from rehearsal.verdict import Verdict

__all__ = ["Side", "StackChange"]


@dataclass(frozen=True)
class Side:
    """One revision of a stack, rehearsed or read from a file."""

    plan: Plan

    @cached_property
    def stack(self) -> Stack:
        """Its resources as rules and estimates see them."""
        return resources.stack(self.plan)


@dataclass(frozen=True)
class StackChange:
    """Both revisions of one stack."""

    name: str
    """The stack, or the file where it is an example."""
    before: Side | None
    """``None`` where the stack is new."""
    after: Side | None
    """``None`` where it goes, or does not load any more."""
    diff: Diff
    verdict: Verdict
    """What the policies say about the revision after."""

    @cached_property
    def operations(self) -> Mapping[str, str]:
        """Operation of every changed resource by URN: ``create``, ``update``, ``replace``, ``delete``."""
        return {change.urn: change.op for change in self.diff.changes if change.op != "same"}
