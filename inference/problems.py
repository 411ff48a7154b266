"""A problem in what somebody wrote, in the form: where — what (with the value) — why — do this."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Problem", "ProblemsError"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, said so that a colleague could mend it without asking."""

    where: str
    """The path of the setting, for example ``pools.h200.gpusPerNode``."""
    what: str
    """What was found there, with the value."""
    why: str
    """Why it cannot work."""
    remedy: str
    """What to write instead."""

    def __str__(self) -> str:
        return f"{self.where} — {self.what}\n    why: {self.why}\n    do:  {self.remedy}"


class ProblemsError(Exception):
    """Raised with every problem at once, before anything is created."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        count = len(self.problems)
        heading = f"{source}: {count} problem{'' if count == 1 else 's'}; nothing was created."
        super().__init__("\n".join([heading, *(f"  {problem}" for problem in self.problems)]))
