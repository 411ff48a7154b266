"""What a program's resources make: networks, clusters, pools, what runs on them, and how requests reach it.

Everything is read from the views that the rules judge, so it serves any program. What neither carries a model nor
leads to one, such as accounts, secrets and monitoring, is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from inference.rules.views.stack import Stack
from rehearsal.naming import natural
from rehearsal.picture.graph import Edge, Key, Kind, Line, Node, Topology, Way
from rehearsal.picture.machines import ELSEWHERE, clusters, pool_keys, pools
from rehearsal.picture.networks import networks, nics
from rehearsal.picture.routes import routes
from rehearsal.picture.workloads import workloads

__all__ = ["ordered", "topology"]


def topology(stack: Stack, renamed: Mapping[str, str] | None = None) -> Topology:
    """Return the picture of a stack.

    Args:
        stack: the program.
        renamed: URNs under which the other side of a comparison knows the same resources, by those of this one.
    """
    things = tuple(routes(stack))
    nodes = [
        *networks(stack),
        *clusters(stack),
        *pools(stack),
        *workloads(stack),
        *(thing for thing in things if isinstance(thing, Node)),
    ]
    found = {node.key: node for node in reversed(nodes)}
    if any(node.inside == ELSEWHERE for node in nodes):
        found[ELSEWHERE] = _elsewhere(stack)
    edges = [*nics(stack, pool_keys(stack)), *(thing for thing in things if isinstance(thing, Edge))]
    known = Topology(tuple(found.values()), tuple(_merged(edge for edge in edges if _ends(edge, found))))
    return ordered(_known_as(known, renamed or {}))


def ordered(picture: Topology) -> Topology:
    """Return a picture in an order that does not depend on that of registration."""
    kinds = {kind: place for place, kind in enumerate(Kind)}
    nodes = sorted(picture.nodes, key=lambda n: (kinds[n.kind], n.rank, bool(n.more), natural(n.title), n.key))
    places = {node.key: place for place, node in enumerate(nodes)}
    edges = sorted(picture.edges, key=lambda e: (places[e.source], places[e.target], e.way.value))
    return Topology(tuple(nodes), tuple(edges))


def _elsewhere(stack: Stack) -> Node:
    line = Line("place", "not told by this program")
    title = "another cluster" if any(True for _ in clusters(stack)) else "the cluster"
    return Node(key=ELSEWHERE, kind=Kind.CLUSTER, title=title, lines=(line,), outside=True, rank=1)


def _ends(edge: Edge, nodes: Mapping[Key, Node]) -> bool:
    return edge.source in nodes and edge.target in nodes


def _merged(edges: Iterable[Edge]) -> Iterator[Edge]:
    """Return one edge where several have the same ends; NICs add up."""
    found: dict[tuple[Key, Key, Way], Edge] = {}
    for edge in edges:
        present = found.get(edge.ends)
        if present is None:
            found[edge.ends] = edge
        elif edge.way is Way.NICS:
            found[edge.ends] = replace(present, count=present.count + edge.count)
        elif present.label != edge.label:
            found[edge.ends] = replace(present, label="")
    return iter(found.values())


def _known_as(picture: Topology, renamed: Mapping[str, str]) -> Topology:
    if not renamed:
        return picture

    def key(old: Key) -> Key:
        return renamed.get(old[0], old[0]), old[1]

    nodes = tuple(
        replace(
            node,
            key=key(node.key),
            urns=tuple(renamed.get(urn, urn) for urn in node.urns),
            inside=key(node.inside) if node.inside else None,
        )
        for node in picture.nodes
    )
    edges = tuple(replace(edge, source=key(edge.source), target=key(edge.target)) for edge in picture.edges)
    return Topology(nodes, edges)
