"""Where everything stands: requests to the left, clusters in the middle, networks to the right.

Requests are a tree, read downwards: gateways, their routes, what those lead to. Clusters hold pools, and these hold
what runs on them; VPCs hold subnets. A way between two columns ends at the near side of its box, so that it crosses
no text. All lengths are in pixels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from rehearsal.picture.graph import Edge, Key, Kind, Mark, Node, Topology, Way
from rehearsal.picture.lettering import width, wrapped

__all__ = ["BADGE", "LINE", "SMALL", "TITLE", "Box", "Layout", "Path", "Text", "arranged", "badge_width"]

TITLE, LINE, SMALL = 13.0, 12.0, 10.5
_TITLE_ROW, _LINE_ROW, _SMALL_ROW = 17.0, 15.5, 13.0
_PAD, _GUTTER = 10.0, 10.0
_INDENT = 20.0
_REQUESTS, _CLUSTERS, _NETWORKS = 232.0, 316.0, 232.0
_NEAR, _FAR, _LEVEL = 48.0, 92.0, 50.0
"""Room between requests and clusters; between clusters and networks; what a count of NICs takes of that."""
_STEP = 15.0
"""Between two ways that end at the same box."""
BADGE = 14.0
"""Height of the badge that names an operation."""


@dataclass(frozen=True, slots=True)
class Text:
    """One row of text; ``y`` is its base line."""

    x: float
    y: float
    text: str
    size: float
    style: str
    """``title``, ``line``, ``changed`` or ``kind``."""

    @property
    def width(self) -> float:
        """The most that it takes."""
        return width(self.text, self.size, bold=self.style in ("title", "changed"))


@dataclass(slots=True)
class Box:
    """A box in its place."""

    node: Node
    x: float
    y: float
    width: float
    height: float = 0.0
    texts: list[Text] = field(default_factory=list)
    depth: int = 0
    """How many boxes it lies in."""

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class Path:
    """A way in its place."""

    edge: Edge
    commands: str
    """As the ``d`` of an SVG path."""
    tip: tuple[float, float]
    forward: bool = True
    """Whether the arrow points to the right."""
    label: Text | None = None
    """Ends at its ``x``."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A picture with every place settled."""

    width: float
    height: float
    boxes: Sequence[Box]
    """Those that hold others before what they hold."""
    paths: Sequence[Path]


def badge_width(mark: Mark) -> float:
    """Return the width of the badge that names an operation; 0 without one."""
    return width(mark.value, SMALL, bold=True) + 10 if mark is not Mark.NONE else 0.0


def arranged(picture: Topology) -> Layout:
    """Return where everything stands."""
    boxes: dict[Key, Box] = {}
    parents = _requests(picture, boxes)
    left = _REQUESTS + _NEAR if boxes else 0.0
    clusters = [n for n in picture.within(None) if n.kind in (Kind.CLUSTER, Kind.POOL, Kind.MODEL)]
    _column(picture, clusters, left, _CLUSTERS, boxes)
    left += _CLUSTERS + _FAR if clusters else 0.0
    networks = [n for n in picture.within(None) if n.kind in (Kind.VPC, Kind.SUBNET)]
    _column(picture, networks, left, _NETWORKS, boxes)
    right = max((box.right for box in boxes.values()), default=0.0)
    bottom = max((box.bottom for box in boxes.values()), default=0.0)
    return Layout(right, bottom, tuple(boxes.values()), tuple(sorted(_paths(picture, boxes, parents), key=_calm)))


def _calm(path: Path) -> bool:
    """Whether nothing happens to a way; those are drawn last, so that what several share keeps the plain color."""
    return path.edge.mark is Mark.NONE


def _filled(node: Node, x: float, y: float, wide: float, depth: int = 0) -> Box:
    """Return a box with its own texts, just high enough for them."""
    box = Box(node, x, y, wide, depth=depth)
    room = wide - 2 * _PAD
    at = y + 7.0
    if node.kind is Kind.POOL and not node.more:
        at += _SMALL_ROW
        box.texts.append(Text(x + _PAD, at - 3, "node pool", SMALL, "kind"))
    badge = badge_width(node.mark)
    for row in wrapped(node.title, room - (badge + 6 if badge else 0), TITLE, bold=True):
        at += _TITLE_ROW
        box.texts.append(Text(x + _PAD, at - 4, row, TITLE, "title"))
    for line in node.lines:
        for row in wrapped(line.plain, room, LINE, bold=bool(line.was)):
            at += _LINE_ROW
            box.texts.append(Text(x + _PAD, at - 4, row, LINE, "changed" if line.was else "line"))
    box.height = at + 7.0 - y
    return box


def _column(picture: Topology, nodes: Iterable[Node], x: float, wide: float, boxes: dict[Key, Box]) -> None:
    at = 0.0
    for node in nodes:
        at = _nested(picture, node, x, at, wide, boxes, 0).bottom + _GUTTER + 4


def _nested(picture: Topology, node: Node, x: float, y: float, wide: float, boxes: dict[Key, Box], depth: int) -> Box:
    """Place a box and all that it holds."""
    box = boxes[node.key] = _filled(node, x, y, wide, depth)
    at = box.bottom
    held = picture.within(node.key)
    for inner in held:
        at = _nested(picture, inner, x + _GUTTER, at, wide - 2 * _GUTTER, boxes, depth + 1).bottom + _GUTTER
    box.height = max(at - y, _ends(picture, node) * _STEP + 10)
    return box


def _ends(picture: Topology, node: Node) -> int:
    """Return how many ways start or end at one side of a box, whichever has more of them."""
    arriving = sum(edge.target == node.key for edge in picture.edges)
    return max(arriving, sum(edge.source == node.key for edge in picture.edges))


def _requests(picture: Topology, boxes: dict[Key, Box]) -> dict[Key, Key]:
    """Place gateways, routes and backends as a tree; return the parent of each that has one."""
    ways: dict[Key, list[Key]] = defaultdict(list)
    for edge in picture.edges:
        if edge.way is Way.REQUESTS and picture.by_key[edge.target].kind in (Kind.ROUTE, Kind.BACKEND):
            ways[edge.source].append(edge.target)
    parents: dict[Key, Key] = {}
    placed: list[float] = [0.0]

    def place(node: Node, depth: int) -> None:
        x = depth * _INDENT
        box = boxes[node.key] = _filled(node, x, placed[-1], _REQUESTS - x)
        box.height = max(box.height, _ends(picture, node) * _STEP + 10)
        placed.append(box.bottom + _GUTTER)
        for key in ways[node.key]:
            if key not in boxes:
                parents[key] = node.key
                place(picture.by_key[key], depth + 1)

    for kind in (Kind.GATEWAY, Kind.ROUTE, Kind.BACKEND):
        for node in picture.within(None, kind):
            if node.key not in boxes:
                place(node, 0)
    return parents


def _paths(picture: Topology, boxes: dict[Key, Box], parents: dict[Key, Key]) -> Iterable[Path]:
    tree = [edge for edge in picture.edges if parents.get(edge.target) == edge.source]
    across = [edge for edge in picture.edges if parents.get(edge.target) != edge.source]
    for edge in tree:
        yield _branch(edge, boxes[edge.source], boxes[edge.target])
    starts = _spread(across, boxes, lambda e: e.source, lambda e: e.target)
    stops = _spread(across, boxes, lambda e: e.target, lambda e: e.source)
    for edge in across:
        source, target = boxes[edge.source], boxes[edge.target]
        if target.x > source.right:
            yield _crossing(edge, source, target, starts[edge.ends], stops[edge.ends], boxes, picture)
        else:
            yield _loop(edge, source, target)


def _branch(edge: Edge, source: Box, target: Box) -> Path:
    """Return the way down to a box below and to the right."""
    x, y = source.x + _INDENT / 2, _first_row(target)
    tip = (target.x, y)
    label = Text(target.right - 4, target.y - 1, edge.text, SMALL, "label") if edge.text else None
    return Path(edge, f"M{x:g} {source.bottom:g}V{y:g}H{tip[0] - 5:g}", tip, label=label)


def _loop(edge: Edge, source: Box, target: Box) -> Path:
    """Return the way between two boxes of the request column that are not parent and child."""
    start, stop = source.y + source.height / 2, target.y + target.height - 6
    bulge = max(source.right, target.right) + _NEAR * 0.8
    commands = f"M{source.right:g} {start:g}C{bulge:g} {start:g} {bulge:g} {stop:g} {target.right + 5:g} {stop:g}"
    return Path(edge, commands, (target.right, stop), forward=False)


def _first_row(box: Box) -> float:
    return box.y + min(15.5, box.height / 2)


def _spread(
    edges: Sequence[Edge], boxes: dict[Key, Box], end: Callable[[Edge], Key], other: Callable[[Edge], Key]
) -> dict[tuple[Key, Key, Way], float]:
    """Return the height at which each way meets its box: apart, and in the order of their other ends."""
    meeting: dict[Key, list[Edge]] = defaultdict(list)
    for edge in edges:
        meeting[end(edge)].append(edge)
    found = {}
    for key, several in meeting.items():
        box = boxes[key]
        several.sort(key=lambda e: (boxes[other(e)].y, boxes[other(e)].x))
        step = min(_STEP, (box.height - 10) / len(several))
        first = min(_first_row(box), box.y + box.height / 2) if len(several) > 1 else _first_row(box)
        first = max(min(first, box.bottom - 5 - step * (len(several) - 1)), box.y + 4)
        found.update({edge.ends: first + step * place for place, edge in enumerate(several)})
    return found


def _crossing(
    edge: Edge,
    source: Box,
    target: Box,
    start: float,
    stop: float,
    boxes: dict[Key, Box],
    picture: Topology,
) -> Path:
    """Return the way from one column to the next: level through the boxes around its ends, bent between the columns."""
    leave = _outermost(source, boxes, picture).right
    enter = _outermost(target, boxes, picture).x
    level = enter - (_LEVEL if edge.text else 6.0)
    middle = (leave + level) / 2
    commands = (
        f"M{source.right:g} {start:g}H{leave:g}C{middle:g} {start:g} {middle:g} {stop:g} {level:g} {stop:g}"
        f"H{target.x - 5:g}"
    )
    label = Text(enter - 8, stop - 3.5, edge.text, SMALL, "label") if edge.text else None
    return Path(edge, commands, (target.x, stop), label=label)


def _outermost(box: Box, boxes: dict[Key, Box], picture: Topology) -> Box:
    while box.node.inside is not None and box.node.inside in picture.by_key:
        box = boxes[box.node.inside]
    return box
