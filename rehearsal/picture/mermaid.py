"""A picture as a Mermaid flowchart, within the limits of GitHub's renderer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import count

from rehearsal.picture.bounds import bounded
from rehearsal.picture.graph import Edge, Key, Kind, Mark, Node, Topology, Way

__all__ = ["MOST_EDGES", "MOST_TEXT", "mermaid"]

MOST_TEXT = 16_000
"""Characters. Mermaid draws 50,000 (its ``maxTextSize``, https://mermaid.js.org/config/schema-docs/config.html), and a
comment on GitHub holds 65,536 with everything else in it."""
MOST_EDGES = 200
"""Mermaid draws 500 (its ``maxEdges``, same page)."""
_LADDER = ((12, 8), (8, 8), (5, 6), (3, 4), (2, 2), (1, 1), (1, 0))
"""Boxes of a kind in one place, and lines in a box: the first pair that keeps to the bounds is used."""
_LONGEST = 120
"""Characters of one line."""

_PLAIN = frozenset(" .,:/-–·×…→=+")
_GAP = "#8203;"
"""A space without width."""
_HASTY = ("#36;", "fa:", "fab:", "fas:", "far:", "fal:", "fak:")
"""What begins a formula or names an icon once Mermaid has the signs back."""
_LIST = re.compile(r"^(?:\d+[.)]|[-+•])(?=\s|$)")

_CLASSES = (
    "classDef create stroke:#1a7f37,stroke-width:3px",
    "classDef update stroke:#bf8700,stroke-width:3px",
    "classDef replace stroke:#e16f24,stroke-width:3px",
    "classDef delete stroke:#cf222e,stroke-width:3px,stroke-dasharray:6 4",
    "classDef outside stroke-dasharray:3 3",
)
"""Only lines are colored, so that text keeps the contrast of the reader's theme."""
_SIGNS = {Mark.CREATE: "+ ", Mark.UPDATE: "~ ", Mark.REPLACE: "± ", Mark.DELETE: "− "}
_LINKS = {Mark.CREATE: "#1a7f37", Mark.UPDATE: "#bf8700", Mark.DELETE: "#cf222e", Mark.REPLACE: "#e16f24"}


def mermaid(picture: Topology) -> str:
    """Return a picture as a Mermaid flowchart; changed things carry a sign and a color."""
    for siblings, lines in _LADDER:
        shown = bounded(picture, siblings, lines)
        text = "\n".join(_flowchart(shown)) + "\n"
        if len(text) <= MOST_TEXT and len(shown.edges) <= MOST_EDGES:
            break
    return text


def _flowchart(picture: Topology) -> Iterator[str]:
    names = {node.key: f"n{number}" for node, number in zip(picture.nodes, count(), strict=False)}
    yield "flowchart LR"
    if not picture.nodes:
        yield '  n0["nothing that a picture would show"]'
    for node in picture.within(None):
        yield from _drawn(picture, node, names, "  ")
    for edge in picture.edges:
        yield f"  {_way(edge, names)}"
    yield from _styles(picture, names)


def _drawn(picture: Topology, node: Node, names: Mapping[Key, str], indent: str) -> Iterator[str]:
    """Yield a box and what it holds.

    One that holds others says its lines in a box of their own: Mermaid leaves room for a title of one row only.
    """
    held = picture.within(node.key)
    if not held:
        yield f"{indent}{names[node.key]}{_shaped(node)}"
        return
    yield f'{indent}subgraph {names[node.key]}["{_title(node)}"]'
    if node.lines:
        yield f'{indent}  {names[node.key]}f["{_rows(node)}"]'
    for inner in held:
        yield from _drawn(picture, inner, names, indent + "  ")
    yield f"{indent}end"


def _shaped(node: Node) -> str:
    label = f'"{_label(node)}"'
    match node.kind:
        case Kind.GATEWAY:
            return f"([{label}])"
        case Kind.MODEL:
            return f"({label})"
        case _:
            return f"[{label}]"


def _label(node: Node) -> str:
    return f"{_title(node)}<br/>{_rows(node)}" if node.lines else _title(node)


def _title(node: Node) -> str:
    return _escaped(f"{_SIGNS.get(node.mark, '')}{node.title}")


def _rows(node: Node) -> str:
    return "<br/>".join(_escaped(line.plain) for line in node.lines)


def _way(edge: Edge, names: Mapping[Key, str]) -> str:
    arrow = "-.->" if edge.way is Way.NICS or edge.mark is Mark.DELETE else "-->"
    text = f'|"{_escaped(_SIGNS.get(edge.mark, "") + edge.text)}"|' if edge.text or edge.mark in _SIGNS else ""
    return f"{names[edge.source]} {arrow}{text} {names[edge.target]}"


def _styles(picture: Topology, names: Mapping[Key, str]) -> Iterator[str]:
    used = {mark.value for mark in picture.marks} | ({"outside"} if any(_dashed(n) for n in picture.nodes) else set())
    for definition in _CLASSES:
        name = definition.split()[1]
        if name in used:
            members = [
                names[node.key]
                for node in picture.nodes
                if node.mark.value == name or (name == "outside" and node.mark is Mark.NONE and _dashed(node))
            ]
            if members:
                yield f"  {definition}"
                yield f"  class {','.join(members)} {name}"
    if told := [f"{names[node.key]}f" for node in picture.nodes if node.lines and picture.within(node.key)]:
        yield "  classDef facts fill:none,stroke:none"
        yield f"  class {','.join(told)} facts"
    for mark, color in _LINKS.items():
        if places := [str(place) for place, edge in enumerate(picture.edges) if edge.mark is mark]:
            yield f"  linkStyle {','.join(places)} stroke:{color}"


def _dashed(node: Node) -> bool:
    return node.outside or bool(node.more)


def _escaped(text: str) -> str:
    """Return a text of which Mermaid shows every character and understands none.

    Signs become entity codes (https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters). A row
    that begins like a list of Markdown would be refused as one.
    """
    cut = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    kept = "".join(c if c.isalnum() or c in _PLAIN else f"#{ord(c)};" for c in cut)
    for hasty in _HASTY:
        kept = kept.replace(hasty, f"{hasty}{_GAP}")
    return f"{_GAP}{kept}" if _LIST.match(cut) else kept
