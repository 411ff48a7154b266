"""What a report is made of. Sections say it once; Markdown, HTML and JSON are ways to write it down.

Texts are plain: whoever writes them down escapes them. ``Code`` marks what came from a program, such as names and
property values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Self

__all__ = ["ROWS", "Block", "Code", "Fold", "Items", "Paragraph", "Picture", "Section", "Standing", "Table", "Text"]


ROWS = 60
"""Rows of a table that are shown, as a rule; the JSON form has all of them."""


class Code(str):
    """A text that is shown as code."""

    __slots__ = ()


Text = str | Sequence[str]
"""A text, or pieces of one; pieces that are ``Code`` are shown as code."""


class Standing(IntEnum):
    """What a section means for the pull request; the worst of all is the verdict."""

    SAFE = 0
    RISKY = 1
    BROKEN = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A line of text."""

    text: Text


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    entries: Sequence[Text]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a header; every row is as long as the header."""

    header: Sequence[str]
    rows: Sequence[Sequence[Text]]
    numeric: frozenset[int] = frozenset()
    """Columns that are aligned to the right."""

    @classmethod
    def cut(
        cls, header: Sequence[str], rows: Sequence[Sequence[Text]], numeric: Iterable[int] = (), *, most: int = ROWS
    ) -> Self:
        """Return a table that says in its last row how many rows are left out."""
        shown = list(rows[:most])
        if rest := len(rows) - len(shown):
            shown.append((f"… and {rest:,} more; the JSON form has all of them", *[""] * (len(header) - 1)))
        return cls(header, shown, frozenset(numeric))


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing: as Mermaid where the reader's page draws it, as SVG where it has to be complete."""

    mermaid: str
    svg: str
    caption: str


@dataclass(frozen=True, slots=True)
class Fold:
    """What is shown on demand."""

    summary: Text
    blocks: Sequence[Block]


Block = Paragraph | Items | Table | Picture | Fold


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The answer to one question about one stack."""

    key: str
    """Name in the JSON form, kebab-case."""
    title: str
    headline: Text
    """The answer in one line."""
    blocks: Sequence[Block] = ()
    data: Mapping[str, object] = field(default_factory=dict)
    """The same as plain data."""
    standing: Standing = Standing.SAFE
    reason: str = ""
    """Why it is not safe, in one line; empty where it is."""
