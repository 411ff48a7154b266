"""Where our tables and somebody else's differ, and that nothing else does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Disagreement", "unexplained"]


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """Two answers to one question, and why ours stands."""

    theirs: object
    ours: object
    why: str
    source: str
    """Public source of our answer, with its date."""


def unexplained(
    theirs: Mapping[str, object], ours: Mapping[str, object], known: Mapping[str, Disagreement]
) -> list[str]:
    """Return what differs without being known, and what is known and differs no longer, as a line each.

    Args:
        theirs: their answers by question.
        ours: our answers to the same questions.
        known: the differences that somebody has looked into.
    """
    found = []
    for question in sorted({*theirs, *known}):
        said = theirs.get(question), ours.get(question)
        row = known.get(question)
        if row is None and said[0] != said[1]:
            found.append(f"{question}: they say {said[0]}, our table says {said[1]}")
        elif row is not None and said != (row.theirs, row.ours):
            found.append(f"{question}: known as {row.theirs} against {row.ours}, is {said[0]} against {said[1]}")
    return found
