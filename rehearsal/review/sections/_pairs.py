"""A thing on both sides of a change, and how a cell says both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Pair", "span"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pair(Generic[T]):
    """One thing on both sides; on one of them it may not be there."""

    before: T | None
    after: T | None

    @property
    def any(self) -> T:
        """The thing after the change, or before it where it goes."""
        found = self.after if self.after is not None else self.before
        assert found is not None  # noqa: S101 - a pair has a side
        return found


def span(sides: Sequence[str | None]) -> str:
    """Say a figure before and after; once where it stays or has one side."""
    return " → ".join(dict.fromkeys(side for side in sides if side is not None))
