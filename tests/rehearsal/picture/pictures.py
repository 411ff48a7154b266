"""Pictures of any shape, with names that mean harm."""

from __future__ import annotations

from hypothesis import strategies as st

from rehearsal.picture.graph import Edge, Key, Kind, Line, Mark, Node, Topology, Way
from rehearsal.picture.topology import ordered

HOSTILE = (
    'x"]; click n0 href "javascript:alert(1)"',
    "<script>alert(1)</script>",
    "</style><img src=https://evil.example/a.png onerror=alert(1)>",
    '%%{init: {"theme":"dark"}}%%',
    "`**bold**` _x_",
    "1. one",
    "- dash",
    "end",
    "subgraph x",
    "two\nlines\r\n```",
    "#quot;&lt;&#60;",
    "]]>--><!--",
    "$$x^2$$ fa:fa-car",
    "日本語モデル",
    "\u202etxt\u0000\x1b[31m",
    "\ud800",
    "x" * 500,
    "",
)

texts = st.one_of(
    st.sampled_from(HOSTILE), st.text(max_size=40), st.from_regex(r"[a-z]{1,12}-[0-9]{1,2}", fullmatch=True)
)
marks = st.sampled_from(Mark)


@st.composite
def pictures(draw: st.DrawFn) -> Topology:
    """Any picture that ``topology`` could make."""
    nodes: list[Node] = []

    def add(kind: Kind, most: int, inside: Key | None = None) -> list[Key]:
        made = []
        for _ in range(draw(st.integers(0, most))):
            key = (str(len(nodes)), "")
            lines = tuple(
                Line(str(n), draw(texts), draw(st.sampled_from(("", "was")))) for n in range(draw(st.integers(0, 4)))
            )
            node = Node(
                key=key,
                kind=kind,
                title=draw(texts),
                lines=lines,
                inside=inside,
                mark=draw(marks),
                outside=draw(st.booleans()),
            )
            nodes.append(node)
            made.append(key)
        return made

    gateways, routes, backends = (add(kind, 4) for kind in (Kind.GATEWAY, Kind.ROUTE, Kind.BACKEND))
    clusters = add(Kind.CLUSTER, 2)
    pools = [key for cluster in clusters for key in add(Kind.POOL, 3, cluster)]
    models = [key for pool in pools for key in add(Kind.MODEL, 2, pool)]
    models += [key for cluster in clusters for key in add(Kind.MODEL, 1, cluster)]
    vpcs = add(Kind.VPC, 3)
    for vpc in vpcs:
        add(Kind.SUBNET, 4, vpc)
    add(Kind.SUBNET, 1)
    edges: dict[tuple[Key, Key], Edge] = {}
    for sources, targets, way in (
        (gateways, routes, Way.REQUESTS),
        (routes, backends, Way.REQUESTS),
        (backends, models, Way.REQUESTS),
        (pools, vpcs, Way.NICS),
    ):
        for _ in range(draw(st.integers(0, 5)) if sources and targets else 0):
            source, target = draw(st.sampled_from(sources)), draw(st.sampled_from(targets))
            count = draw(st.integers(1, 16)) if way is Way.NICS else 0
            label = draw(texts) if way is Way.REQUESTS else ""
            edges[source, target] = Edge(
                source=source, target=target, way=way, count=count, label=label, mark=draw(marks)
            )
    return ordered(Topology(tuple(nodes), tuple(edges.values())))
