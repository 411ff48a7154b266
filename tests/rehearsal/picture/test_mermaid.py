"""What Mermaid reads is a flowchart, whatever the names in it are."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings

from inference.rules.views.stack import Stack
from rehearsal.picture.drawing import drawing
from rehearsal.picture.graph import Kind, Line, Mark, Node, Topology
from rehearsal.picture.mermaid import MOST_EDGES, MOST_TEXT, mermaid
from tests.inference.rules.cases import deployment, node_pool
from tests.rehearsal.picture.pictures import HOSTILE, pictures

LABEL = r'"(?:[^"<>\n`{}\[\];%$]|#\d+;|<br/>)*"'
STATEMENTS = (
    rf"(?P<begin>subgraph (?P<group>n\d+)\[{LABEL}\])",
    r"(?P<end>end)",
    rf"(?P<node>n\d+f?)(?:\(\[{LABEL}\]\)|\({LABEL}\)|\[{LABEL}\])",
    rf"(?P<source>n\d+) (?:-->|-\.->)(?:\|{LABEL}\|)? (?P<target>n\d+)",
    r"classDef [a-z]+ [a-z0-9:,# -]+",
    r"class (?P<members>n\d+f?(?:,n\d+f?)*) [a-z]+",
    r"linkStyle (?P<links>\d+(?:,\d+)*) stroke:#[0-9a-f]{6}",
)
STATEMENT = [re.compile(f" +{pattern}") for pattern in STATEMENTS]


def parsed(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Return boxes and ways of a flowchart; asserts that every line is a statement in its place."""
    first, *rest = text.splitlines()
    assert first == "flowchart LR"
    defined: list[str] = []
    ways: list[tuple[str, str]] = []
    used: list[str] = []
    links: list[int] = []
    depth = 0
    for line in rest:
        match = next((found for statement in STATEMENT if (found := statement.fullmatch(line))), None)
        assert match, line
        groups = {key: value for key, value in match.groupdict().items() if value}
        depth += ("begin" in groups) - ("end" in groups)
        assert depth >= 0
        defined += [groups[key] for key in ("group", "node") if key in groups]
        if "source" in groups:
            ways.append((groups["source"], groups["target"]))
        used += groups.get("members", "").split(",") if "members" in groups else []
        links += [int(place) for place in groups["links"].split(",")] if "links" in groups else []
    assert depth == 0
    assert len(defined) == len(set(defined))
    assert {name for way in ways for name in way} | set(used) <= set(defined)
    assert all(place < len(ways) for place in links)
    return defined, ways


@settings(max_examples=150, deadline=None)
@given(pictures())
def test_every_picture_is_a_flowchart_in_which_each_box_is_defined_once(picture: Topology) -> None:
    parsed(mermaid(picture))


@settings(max_examples=50, deadline=None)
@given(pictures())
def test_every_box_and_way_of_a_small_picture_is_drawn(picture: Topology) -> None:
    text = mermaid(picture)
    boxes, ways = parsed(text)
    if len(text) < MOST_TEXT // 4:
        assert len([name for name in boxes if not name.endswith("f")]) == max(len(picture.nodes), 1)
        assert len(ways) == len(picture.edges)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_shown_and_not_understood(name: str) -> None:
    node = Node(key=("a", ""), kind=Kind.POOL, title=name, lines=(Line("l", name),))
    boxes, ways = parsed(mermaid(Topology((node,))))
    assert boxes == ["n0"]
    assert not ways


def test_what_changes_carries_a_sign_and_a_color() -> None:
    nodes = tuple(Node(key=(m.value, ""), kind=Kind.POOL, title=m.value or "same", mark=m) for m in Mark)
    text = mermaid(Topology(nodes))
    for sign in ("+ create", "~ update", "± replace", "− delete"):
        assert "".join(c if c.isalnum() or c in " ±−+" else f"#{ord(c)};" for c in sign).split()[-1] in text
    for mark in ("create", "update", "replace", "delete"):
        assert f"classDef {mark} " in text
        assert re.search(rf"class n\d {mark}$", text, re.M)


def test_a_plain_picture_has_no_colors() -> None:
    node = Node(key=("a", ""), kind=Kind.POOL, title="a")
    assert "class" not in mermaid(Topology((node,)))


def test_thousands_of_pools_and_models_with_long_names_stay_within_what_github_draws() -> None:
    many = [node_pool(f"{n}-{'<' * 60}") for n in range(2_000)]
    models = [deployment(f"m{n}-{'&' * 60}") for n in range(2_000)]
    text = mermaid(drawing(None, Stack([*many, *models]), {}))
    _, ways = parsed(text)
    assert len(text) <= MOST_TEXT
    assert len(ways) <= MOST_EDGES
