"""A picture that stays readable: like things in one box, and no more boxes than a reader takes in."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from rehearsal.naming import natural
from rehearsal.picture.graph import Edge, Key, Kind, Line, Mark, Node, Topology, Way
from rehearsal.picture.topology import ordered

__all__ = ["bounded", "grouped"]

_FEWEST = 3
"""From so many numbered things on, one box stands for all of them."""
_NUMBER = re.compile(r"\d+(?=\D*$)", re.ASCII)
_APART = frozenset({"range"})
"""Lines in which things of one group may differ."""


def grouped(picture: Topology) -> Topology:
    """Return a picture in which VPCs and subnets that are numbered alike are one box: ``rdma-0 … rdma-7``."""
    vpcs = _groups(node for node in picture.nodes if node.kind is Kind.VPC)
    picture = _joined(picture, vpcs)
    return _joined(picture, _groups(node for node in picture.nodes if node.kind is Kind.SUBNET))


def _groups(nodes: Iterable[Node]) -> list[list[Node]]:
    alike: dict[object, list[Node]] = defaultdict(list)
    for node in nodes:
        if _NUMBER.search(node.title) and not node.outside:
            lines = tuple((line.key, "" if line.key in _APART else line.plain) for line in node.lines)
            alike[node.inside, _NUMBER.sub("*", node.title), lines].append(node)
    return [sorted(group, key=lambda n: natural(n.title)) for group in alike.values() if len(group) >= _FEWEST]


def _joined(picture: Topology, groups: list[list[Node]]) -> Topology:
    if not groups:
        return picture
    leaders = {node.key: group[0].key for group in groups for node in group}
    made = {group[0].key: _group(group) for group in groups}
    nodes = [
        made.get(node.key, replace(node, inside=leaders.get(node.inside, node.inside) if node.inside else None))
        for node in picture.nodes
        if leaders.get(node.key, node.key) == node.key
    ]
    return ordered(Topology(tuple(nodes), tuple(_redirected(picture.edges, leaders))))


def _group(group: Sequence[Node]) -> Node:
    first, last = group[0], group[-1]
    lines = [_spanned(first, last, place) for place in range(len(first.lines))]
    counts = Counter(node.mark for node in group)
    mark = first.mark
    if len(counts) > 1:
        mark = Mark.UPDATE
        told = [f"{counts[m]} of {len(group)}: {m.value}" for m in Mark if m is not Mark.NONE and counts[m]]
        lines.append(Line("marks", "; ".join(told)))
    elif first.kind is Kind.VPC:
        lines.append(Line("count", f"{len(group)} VPCs"))
    else:
        lines.append(Line("count", f"{len(group)} subnets"))
    urns = tuple(urn for node in group for urn in node.urns)
    return replace(first, title=f"{first.title} … {last.title}", lines=tuple(lines), urns=urns, mark=mark)


def _spanned(first: Node, last: Node, place: int) -> Line:
    one, other = first.lines[place], last.lines[place]
    return one if one.plain == other.plain else Line(one.key, f"{one.plain} … {other.plain}")


def _redirected(edges: Iterable[Edge], leaders: Mapping[Key, Key]) -> Iterable[Edge]:
    """Return edges that start and end at what is left, joined where they coincide."""
    found: dict[tuple[Key, Key, Way], Edge] = {}
    for edge in edges:
        moved = replace(
            edge, source=leaders.get(edge.source, edge.source), target=leaders.get(edge.target, edge.target)
        )
        present = found.get(moved.ends)
        if present is None:
            found[moved.ends] = moved
            continue
        mark = present.mark if present.mark is moved.mark else Mark.UPDATE
        label = present.label if present.label == moved.label else ""
        count, was = _sum(present, moved)
        found[moved.ends] = replace(present, count=count, was=was, label=label, mark=mark)
    return found.values()


def _sum(one: Edge, other: Edge) -> tuple[int, int]:
    """Return the NICs of two edges together, now and before; the latter 0 where they are the same."""
    now = sum(0 if edge.mark is Mark.DELETE else edge.count for edge in (one, other))
    before = sum(0 if edge.mark is Mark.CREATE else edge.was or edge.count for edge in (one, other))
    if one.mark is other.mark and one.mark in (Mark.CREATE, Mark.DELETE):
        return one.count + other.count, 0
    return now, 0 if now == before else before


def bounded(picture: Topology, siblings: int, lines: int) -> Topology:
    """Return a picture with at most so many boxes of a kind in one place, and lines in a box.

    What changes is kept before what stays. What is left out is counted in one more box, which the ways of those left
    out lead to.
    """
    leaders: dict[Key, Key] = {}
    kept: list[Node] = []
    todo: list[Key | None] = [None]
    while todo:
        place = todo.pop()
        by_kind: dict[Kind, list[Node]] = defaultdict(list)
        for node in picture.within(place):
            by_kind[node.kind].append(node)
        for nodes in by_kind.values():
            stay = _first(nodes, siblings)
            out = [node for node in nodes if node.key not in stay]
            kept += [replace(node, lines=_few(node.lines, lines)) for node in nodes if node.key in stay]
            todo += [node.key for node in nodes if node.key in stay]
            if out:
                rest = _more(out)
                kept.append(rest)
                leaders.update((inner.key, rest.key) for node in out for inner in _subtree(picture, node))
    if not leaders:
        return Topology(tuple(node for node in _in_order(picture, kept)), picture.edges)
    return ordered(Topology(tuple(kept), tuple(_redirected(picture.edges, leaders))))


def _in_order(picture: Topology, kept: Iterable[Node]) -> list[Node]:
    places = {node.key: place for place, node in enumerate(picture.nodes)}
    return sorted(kept, key=lambda node: places[node.key])


def _first(nodes: Sequence[Node], siblings: int) -> frozenset[Key]:
    if len(nodes) <= siblings:
        return frozenset(node.key for node in nodes)
    chosen = sorted(nodes, key=lambda node: node.mark is Mark.NONE)[:siblings]
    return frozenset(node.key for node in chosen)


def _few(lines: tuple[Line, ...], most: int) -> tuple[Line, ...]:
    if len(lines) <= most:
        return lines
    chosen = sorted(range(len(lines)), key=lambda place: not lines[place].was)[:most]
    return tuple(lines[place] for place in sorted(chosen))


def _subtree(picture: Topology, node: Node) -> list[Node]:
    found, todo = [], [node]
    while todo:
        current = todo.pop()
        found.append(current)
        todo.extend(picture.within(current.key))
    return found


def _more(out: Sequence[Node]) -> Node:
    first = out[0]
    counts = Counter(node.mark for node in out)
    told = [f"{counts[mark]:,} to {mark.value}" for mark in Mark if mark is not Mark.NONE and counts[mark]]
    lines = (Line("marks", ", ".join(told)),) if told else ()
    noun = first.kind.value + ("s" if len(out) > 1 else "")
    mark = first.mark if len(counts) == 1 else Mark.UPDATE
    return Node(
        key=("", f"more:{first.kind.value}:{first.inside}"),
        kind=first.kind,
        title=f"and {len(out):,} more {noun}",
        lines=lines,
        inside=first.inside,
        mark=mark,
        rank=max(node.rank for node in out),
        more=len(out),
    )
