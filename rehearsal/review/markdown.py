"""The report as a comment on a pull request, in GitHub's Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rehearsal.review import escaping
from rehearsal.review.document import Block, Fold, Items, Paragraph, Picture, Section, Standing, Table
from rehearsal.review.report import Report, StackReport

__all__ = ["LIMIT", "MARKER", "markdown"]

MARKER = "<!-- gke-inference-review -->"
"""First line of every report, by which the comment is found again that it replaces."""

LIMIT = 65_536
"""Most characters of a comment on GitHub; counted here in bytes, which are never fewer."""

_ROOM = 1_536
"""Bytes that are left to who posts it: where it comes from, and of which commit it is."""

_SIGNS = {Standing.SAFE: "✅", Standing.RISKY: "⚠️", Standing.BROKEN: "❌"}
_WORDS = {Standing.SAFE: "safe", Standing.RISKY: "risky", Standing.BROKEN: "broken"}

_ALWAYS_OPEN = frozenset({"diff", "risk", "policies"})
"""Sections that are read without a click."""
_LONG = 15
"""Rows of a table or list beyond which it is folded."""

_CUTS = (10_000, 60, 25, 10, 4, 0)
"""Rows that each table and list keeps, step by step; at the last step a section is its headline."""
_WEIGHTS = {"picture": 8.0, "diff": 2.0, "capacity": 2.0, "risk": 0.25, "policies": 0.5}
"""How gladly a section is shortened, against its length."""
_NOTE = "Shortened to fit a comment: `--format html` and `--format json` have all of it."
_LONGEST_PROBLEM = 6_000
"""Characters of why a stack does not load."""


def markdown(report: Report, limit: int = LIMIT - _ROOM) -> str:
    """Return the report as Markdown of at most so many bytes.

    Where it is longer, the longest and least important sections lose rows, then all but their headline.
    """
    pieces = [_Piece(stack, section) for stack in report.stacks for section in stack.sections]
    sizes = {id(piece): _size(piece.text()) for piece in pieces}
    frame = _size(_assembled(report, pieces, shortened=True)) - sum(sizes.values())
    shortened = False
    while frame + sum(sizes.values()) > limit:
        candidates = [piece for piece in pieces if piece.cut < len(_CUTS) - 1]
        if not candidates:
            break
        worst = max(candidates, key=lambda piece: sizes[id(piece)] * _WEIGHTS.get(piece.section.key, 1.0))
        worst.cut += 1
        sizes[id(worst)] = _size(worst.text())
        shortened = True
    text = _assembled(report, pieces, shortened=shortened)
    return text if _size(text) <= limit else _only_verdicts(report, limit)


@dataclass
class _Piece:
    """A section and how much of it is kept."""

    stack: StackReport
    section: Section
    cut: int = 0

    def text(self) -> str:
        return "\n".join(_section(self.section, _CUTS[self.cut]))


def _size(text: str) -> int:
    return len(text.encode("utf-8", errors="replace"))


def _assembled(report: Report, pieces: Sequence[_Piece], *, shortened: bool) -> str:
    lines = list(_head(report))
    for stack in report.stacks:
        if len(report.stacks) > 1:
            lines += [f"## {_SIGNS[stack.standing]} {_titled(stack)}", ""]
        if stack.problem:
            lines += [escaping.block(stack.problem[:_LONGEST_PROBLEM], "text"), ""]
        lines += [f"> {escaping.inline(note[:_LONGEST_PROBLEM])}\n" for note in stack.notes]
        lines += [piece.text() for piece in pieces if piece.stack is stack]
    if shortened:
        lines += [_NOTE, ""]
    return "\n".join(lines).rstrip() + "\n"


def _head(report: Report) -> Iterator[str]:
    yield MARKER
    yield f"# {_SIGNS[report.standing]} {report.verdict.capitalize()}: {escaping.inline(report.reason)}"
    yield ""
    told = f"Compared with {escaping.inline(report.against)}."
    if len(report.stacks) == 1:
        told += f" Stack {escaping.in_html(_name(report.stacks[0]))}."
    if report.untouched:
        told += f" Unchanged: {escaping.inline(', '.join(report.untouched)[:2000])}."
    yield told
    yield ""
    for note in report.notes:
        yield f"> {escaping.inline(note)}\n"


def _name(stack: StackReport) -> str:
    return stack.name[:200]


def _titled(stack: StackReport) -> str:
    reason = f": {escaping.inline(stack.reason[:500])}" if stack.reason else ""
    return f"{escaping.inline(_name(stack))} – {_WORDS[stack.standing]}{reason}"


def _only_verdicts(report: Report, limit: int) -> str:
    """Return what is left of a report on so many stacks that not even headlines fit."""
    lines = list(_head(report))
    size = _size("\n".join(lines)) + _size(_NOTE) + 100
    for place, stack in enumerate(report.stacks):
        line = f"- {_SIGNS[stack.standing]} {_titled(stack)}"
        size += _size(line) + 1
        if size > limit:
            lines.append(f"- … and {len(report.stacks) - place:,} more stacks")
            break
        lines.append(line)
    return "\n".join([*lines, "", _NOTE]) + "\n"


def _section(section: Section, rows: int) -> Iterator[str]:
    sign = f"{_SIGNS[section.standing]} " if section.standing is not Standing.SAFE else ""
    yield f"### {sign}{escaping.inline(section.title)}"
    yield ""
    yield escaping.inline(section.headline)
    yield ""
    if not section.blocks or rows == 0:
        return
    if section.key in _ALWAYS_OPEN or section.standing is not Standing.SAFE:
        for block in section.blocks:
            yield from _block(block, rows)
    else:
        yield from _folded("Details", section.blocks, rows)


def _folded(summary: str, blocks: Sequence[Block], rows: int) -> Iterator[str]:
    yield f"<details><summary>{summary}</summary>"
    yield ""
    for block in blocks:
        yield from _block(block, rows, inside=True)
    yield "</details>"
    yield ""


def _block(block: Block, rows: int, *, inside: bool = False) -> Iterator[str]:
    match block:
        case Paragraph():
            yield escaping.inline(block.text)
            yield ""
        case Items() if len(block.entries) > _LONG and not inside:
            yield from _folded(f"{len(block.entries):,} entries", (block,), rows)
        case Items():
            yield from (f"- {escaping.inline(entry)}" for entry in block.entries[:rows])
            if len(block.entries) > rows:
                yield f"- … and {len(block.entries) - rows:,} more"
            yield ""
        case Table() if len(block.rows) > _LONG and not inside:
            yield from _folded(f"{escaping.in_html(_title(block))}: {len(block.rows):,} rows", (block,), rows)
        case Table():
            yield from _table(block, rows)
        case Picture():
            if rows >= _CUTS[1]:
                yield escaping.block(block.mermaid, "mermaid")
            yield ""
            yield escaping.inline(block.caption)
            yield ""
        case Fold():
            yield from _folded(escaping.in_html(block.summary), block.blocks, rows)


def _title(table: Table) -> str:
    return next((name for name in table.header if any(c.isdigit() for c in name)), "") or next(iter(table.header), "")


def _table(table: Table, rows: int) -> Iterator[str]:
    yield f"| {' | '.join(escaping.inline(name) for name in table.header)} |"
    yield f"| {' | '.join('---:' if place in table.numeric else '---' for place in range(len(table.header)))} |"
    for row in table.rows[:rows]:
        yield f"| {' | '.join(escaping.inline(cell) for cell in row)} |"
    if len(table.rows) > rows:
        blank = [""] * (len(table.header) - 1)
        yield f"| {' | '.join([f'… and {len(table.rows) - rows:,} more', *blank])} |"
    yield ""
