"""What a picture is made of: boxes with a few lines of text, some inside others, and the ways between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property

__all__ = ["Edge", "Key", "Kind", "Line", "Mark", "Node", "Topology", "Way"]

Key = tuple[str, str]
"""What a box stands for: a URN, empty for a thing that the program does not declare; and which part of it."""


class Kind(Enum):
    """What a box shows; the order is the one in which a request passes them."""

    GATEWAY = "gateway"
    ROUTE = "route"
    BACKEND = "backend"
    CLUSTER = "cluster"
    POOL = "node pool"
    MODEL = "workload"
    VPC = "VPC"
    SUBNET = "subnet"


class Mark(Enum):
    """What a change does to a thing; the values are the operations of a plan."""

    NONE = ""
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"


class Way(Enum):
    """What goes along an edge."""

    REQUESTS = "requests"
    NICS = "NICs"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text in a box."""

    key: str
    """What it tells, such as ``nodes``; a key occurs once in a box."""
    text: str
    """Empty where only the revision before says it."""
    was: str = ""
    """What the revision before says, where that differs."""

    @property
    def plain(self) -> str:
        """The line as one text, with what it was."""
        if not self.was:
            return self.text
        return _told(self.was, self.text) if self.text else f"no longer: {self.was}"


def _told(was: str, now: str) -> str:
    """Return both texts with an arrow between them, the words that they begin or end with said once."""
    old, new = was.split(" "), now.split(" ")
    shorter = min(len(old), len(new))
    start = next((place for place in range(shorter) if old[place] != new[place]), shorter)
    end = next((n for n in range(shorter - start) if old[-1 - n] != new[-1 - n]), shorter - start)
    left, right = old[: len(old) - end], new[start:]
    if start == len(left) or end == len(right):
        return f"{was} → {now}"
    return f"{' '.join(left)} → {' '.join(right)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A box."""

    key: Key
    kind: Kind
    title: str
    lines: tuple[Line, ...] = ()
    urns: tuple[str, ...] = ()
    """The resources that it shows; empty where the program declares none of them."""
    inside: Key | None = None
    """The box that holds it."""
    outside: bool = False
    """Whether the program only names it."""
    rank: int = 0
    """Place among its siblings; those of one rank are sorted by title."""
    mark: Mark = Mark.NONE
    more: int = 0
    """How many boxes it stands for that are left out; 0 for a box of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A way from one box to another."""

    source: Key
    target: Key
    way: Way
    count: int = 0
    """How many NICs; 0 for requests."""
    label: str = ""
    mark: Mark = Mark.NONE
    was: int = 0
    """How many NICs the revision before has, where that differs."""

    @property
    def ends(self) -> tuple[Key, Key, Way]:
        """What makes it the same edge in another revision."""
        return self.source, self.target, self.way

    @property
    def text(self) -> str:
        """What is written beside it."""
        if self.way is Way.REQUESTS:
            return self.label
        nics = f"{self.count} NIC{'' if self.count == 1 else 's'}"
        return f"{self.was} → {nics}" if self.was else nics


@dataclass(frozen=True)
class Topology:
    """A picture before it is drawn."""

    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()

    @cached_property
    def by_key(self) -> Mapping[Key, Node]:
        """The boxes by what they stand for."""
        return {node.key: node for node in self.nodes}

    @cached_property
    def _held(self) -> Mapping[Key | None, Sequence[Node]]:
        found: dict[Key | None, list[Node]] = defaultdict(list)
        for node in self.nodes:
            found[node.inside].append(node)
        return found

    def within(self, key: Key | None, *kinds: Kind) -> tuple[Node, ...]:
        """Return the boxes that a box holds, or those that none holds; in order."""
        return tuple(node for node in self._held.get(key, ()) if not kinds or node.kind in kinds)

    @cached_property
    def marks(self) -> tuple[Mark, ...]:
        """The marks that occur, in their own order."""
        found = {node.mark for node in self.nodes} | {edge.mark for edge in self.edges}
        return tuple(mark for mark in Mark if mark in found and mark is not Mark.NONE)

    def told(self, say: Callable[[str], str]) -> Topology:
        """Return the same picture with every text passed through a function."""
        nodes = tuple(
            replace(
                node,
                title=say(node.title),
                lines=tuple(Line(line.key, say(line.text), say(line.was)) for line in node.lines),
            )
            for node in self.nodes
        )
        return Topology(nodes, tuple(replace(edge, label=say(edge.label)) for edge in self.edges))
