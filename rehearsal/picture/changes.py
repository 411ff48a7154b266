"""Both revisions of a picture in one: what is there, what goes, and what each thing was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from rehearsal.picture.graph import Edge, Key, Line, Mark, Node, Topology, Way
from rehearsal.picture.topology import ordered

__all__ = ["changed"]


def changed(before: Topology | None, after: Topology | None, operations: Mapping[str, str]) -> Topology:
    """Return one picture of both sides, with what a change does to each thing.

    Args:
        before: the picture of what stands; ``None`` where nothing does.
        after: the picture of what shall be; ``None`` where all of it goes.
        operations: operation of every changed resource by URN.
    """
    old, new = before or Topology(), after or Topology()
    nodes = [_node(node, old.by_key.get(node.key), operations, old, new) for node in new.nodes]
    nodes += [replace(node, mark=_gone(node, operations)) for node in old.nodes if node.key not in new.by_key]
    return ordered(Topology(tuple(nodes), tuple(_edges(old, new))))


def _node(node: Node, was: Node | None, operations: Mapping[str, str], old: Topology, new: Topology) -> Node:
    mark = _operation(node, operations)
    if was is None:
        return replace(node, mark=Mark.CREATE if mark is Mark.NONE and not node.outside else mark)
    lines = tuple(_lines(node, was, old, new))
    title = Line("title", node.title, was.title if was.title != node.title else "").plain
    differs = title != node.title or any(line.was or line.text not in _texts(was) for line in lines)
    return replace(node, title=title, lines=lines, mark=Mark.UPDATE if differs and mark is Mark.NONE else mark)


def _operation(node: Node, operations: Mapping[str, str]) -> Mark:
    """Return what happens to the resources of a box; the gravest where they are several."""
    marks = [Mark(op) for urn in node.urns if (op := operations.get(urn, "")) in _KNOWN]
    return max(marks, key=list(Mark).index, default=Mark.NONE)


_KNOWN = frozenset(mark.value for mark in Mark)


def _gone(node: Node, operations: Mapping[str, str]) -> Mark:
    """Return what happens to a box of the revision before only: its resource may stay and show no box any more."""
    mark = _operation(node, operations)
    return Mark.DELETE if mark in (Mark.NONE, Mark.UPDATE, Mark.CREATE) else mark


def _texts(node: Node) -> frozenset[str]:
    return frozenset(line.text for line in node.lines)


def _lines(node: Node, was: Node, old: Topology, new: Topology) -> Iterator[Line]:
    before = {line.key: line.text for line in was.lines}
    for line in node.lines:
        text = before.pop(line.key, line.text)
        yield replace(line, was=text if text != line.text else "")
    for key, text in before.items():
        yield Line(key, "", text)
    if node.inside != was.inside:
        here, there = _title(new, node.inside), _title(old, was.inside)
        if here != there:
            yield Line("place", f"on {here}", f"on {there}")


def _title(picture: Topology, key: Key | None) -> str:
    node = picture.by_key.get(key) if key else None
    return node.title if node else "no place that is told"


def _edges(old: Topology, new: Topology) -> Iterator[Edge]:
    before = {edge.ends: edge for edge in old.edges}
    for edge in new.edges:
        was = before.pop(edge.ends, None)
        if was is None:
            yield replace(edge, mark=Mark.CREATE)
        elif edge.way is Way.NICS and was.count != edge.count:
            yield replace(edge, mark=Mark.UPDATE, was=was.count)
        elif was.label != edge.label:
            label = Line("label", edge.label or "no weight", was.label or "no weight").plain
            yield replace(edge, mark=Mark.UPDATE, label=label)
        else:
            yield edge
    for edge in before.values():
        yield replace(edge, mark=Mark.DELETE)
