"""What a change endangers, in the reader's terms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from rehearsal.review.change import StackChange
from rehearsal.review.document import Block, Code, Fold, Paragraph, Section, Standing, Table
from rehearsal.review.risks import (
    capacity,
    data,
    downtime,
    exposure,
    places,
    protection,
    refusals,
    secrets,
    spare,
    versions,
)
from rehearsal.review.risks.danger import Danger

__all__ = ["section"]

_SOURCES: tuple[tuple[str, Callable[[StackChange], Iterator[Danger]]], ...] = (
    ("protection", protection.dangers),
    ("refusals", refusals.dangers),
    ("places", places.dangers),
    ("data", data.dangers),
    ("capacity", capacity.dangers),
    ("secrets", secrets.dangers),
    ("downtime", downtime.dangers),
    ("exposure", exposure.dangers),
    ("spare", spare.dangers),
    ("versions", versions.dangers),
)
"""What to ask, the gravest first."""

_TITLES = {
    "capacity": "Capacity",
    "data": "Data",
    "downtime": "Downtime",
    "exposure": "Exposure",
    "place": "Place",
    "protection": "Protection",
    "refusal": "Refusal",
    "secret": "Secret",
    "spare": "Spare capacity",
    "version": "Version",
}
_SHOWN = 100
"""Dangers; the JSON form has all of them."""


def section(change: StackChange) -> Section | None:
    """Return the dangers, each with what happens and what to do."""
    if not change.diff.changes:
        return None
    found = list(dict.fromkeys(danger for _, dangers in _SOURCES for danger in dangers(change)))
    failing = [danger for danger in found if danger.fails]
    grave = [*failing, *(danger for danger in found if danger.grave and not danger.fails)]
    minor = [danger for danger in found if not danger.grave and not danger.fails]
    if not found and not change.operations:
        return None
    headline = _headline(failing, grave)
    blocks: list[Block] = []
    if grave:
        blocks += _table(grave)
    if minor:
        blocks.append(Fold(f"{len(minor):,} good to know", tuple(_table(minor))))
    standing = Standing.BROKEN if failing else Standing.RISKY if grave else Standing.SAFE
    return Section(
        key="risk",
        title="Risk",
        headline=headline,
        blocks=tuple(blocks),
        data={"dangers": [_record(danger) for danger in (*grave, *minor)]},
        standing=standing,
        reason=_reason(grave),
    )


def _headline(failing: Sequence[Danger], grave: Sequence[Danger]) -> str:
    if failing:
        rest = len(grave) - len(failing)
        return "The update cannot be applied as it is." + (f" {rest:,} more to weigh before merging." if rest else "")
    return (
        f"{len(grave):,} to weigh before merging." if grave else "Nothing that stands is lost, interrupted or opened."
    )


def _reason(grave: Sequence[Danger]) -> str:
    if not grave:
        return ""
    first = grave[0]
    sentence = re.sub(r" \(.*?\)", "", first.consequence.partition(". ")[0].partition(": ")[0]).rstrip(".")
    more = f", and {len(grave) - 1:,} more" if len(grave) > 1 else ""
    lead = "cannot be applied: " if first.fails else ""
    return f"{lead}{first.resource} – {sentence[:1].lower()}{sentence[1:]}{more}"


def _table(dangers: Sequence[Danger]) -> Iterator[Block]:
    rows = [
        (_TITLES.get(danger.kind, danger.kind), (Code(danger.resource),), danger.consequence, danger.remedy)
        for danger in dangers[:_SHOWN]
    ]
    yield Table(("Danger", "Resource", "What happens", "What to do"), rows)
    if len(dangers) > _SHOWN:
        yield Paragraph(f"… and {len(dangers) - _SHOWN:,} more; the JSON form has all of them.")


def _record(danger: Danger) -> dict[str, object]:
    return {
        "kind": danger.kind,
        "urn": danger.urn,
        "resource": danger.resource,
        "consequence": danger.consequence,
        "remedy": danger.remedy,
        "grave": danger.grave,
        "fails": danger.fails,
    }
