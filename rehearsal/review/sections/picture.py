"""The topology of the stack, and which parts of it change."""

from __future__ import annotations

from rehearsal.picture.drawing import drawing
from rehearsal.picture.graph import Mark, Topology
from rehearsal.picture.mermaid import mermaid
from rehearsal.picture.svg import MARKS, described, svg
from rehearsal.review.change import StackChange
from rehearsal.review.document import Picture, Section

__all__ = ["section"]


def section(change: StackChange) -> Section | None:
    """Return the topology of both revisions in one picture, with what changes marked."""
    before, after = change.before, change.after
    if before is None and after is None:
        return None
    renamed = {c.old.urn: c.urn for c in change.diff.changes if c.old is not None and c.old.urn != c.urn}
    plans = [side.plan for side in (before, after) if side is not None]

    def blind(text: str) -> str:
        for plan in plans:
            text = plan.blind(text)
        return text

    picture = drawing(
        before.stack if before else None, after.stack if after else None, change.operations, renamed, blind
    )
    if not picture.nodes:
        return None
    legend = f" Marks: {', '.join(MARKS[mark] for mark in picture.marks)}." if picture.marks else ""
    drawn = Picture(
        mermaid=mermaid(picture),
        svg=svg(picture, f"Stack {change.name}"),
        caption=f"{described(picture)}{legend}",
    )
    return Section(
        key="picture",
        title="Picture",
        headline=_headline(picture),
        blocks=(drawn,),
        data=_data(picture),
    )


def _headline(picture: Topology) -> str:
    changed = sum(1 for node in picture.nodes if node.mark is not Mark.NONE)
    if not changed:
        return "No network, pool, model or route changes."
    if changed == len(picture.nodes):
        (mark, *others) = {node.mark for node in picture.nodes}
        return f"Everything is to {mark.value}." if not others else "Everything changes."
    return f"{changed:,} of {len(picture.nodes):,} parts change; they are marked."


def _data(picture: Topology) -> dict[str, object]:
    numbers = {node.key: number for number, node in enumerate(picture.nodes)}
    return {
        "nodes": [
            {
                "id": numbers[node.key],
                "kind": node.kind.value,
                "title": node.title,
                "lines": {line.key: line.text for line in node.lines if line.text},
                "was": {line.key: line.was for line in node.lines if line.was},
                "inside": numbers.get(node.inside) if node.inside else None,
                "operation": node.mark.value or "same",
                "resources": list(node.urns),
            }
            for node in picture.nodes
        ],
        "edges": [
            {
                "from": numbers[edge.source],
                "to": numbers[edge.target],
                "kind": edge.way.value,
                "label": edge.text,
                "operation": edge.mark.value or "same",
            }
            for edge in picture.edges
        ],
    }
