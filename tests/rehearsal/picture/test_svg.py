"""The drawing is well-formed, stands alone, and nothing in it lies over anything else."""

from __future__ import annotations

import re
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings

from inference.rules.views.stack import Stack
from rehearsal import resources
from rehearsal.picture.drawing import drawing
from rehearsal.picture.graph import Kind, Line, Mark, Node, Topology
from rehearsal.picture.layout import Box, Layout, arranged, badge_width
from rehearsal.picture.lettering import width, wrapped
from rehearsal.picture.svg import MARKS, readable, svg
from tests.conftest import Golden
from tests.inference.rules.cases import node_pool
from tests.rehearsal.picture.pictures import HOSTILE, pictures
from tests.support.rehearsed import rehearsed, standing
from tests.support.stacks import ROOT

NAMESPACE = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "title", "desc", "style", "g", "rect", "path", "text"}


def checked(text: str) -> ET.Element:
    """Return the parsed drawing; asserts that it runs nothing and refers to nothing."""
    root = ET.fromstring(text)  # noqa: S314 - our own
    for element in root.iter():
        assert element.tag.removeprefix(NAMESPACE) in ELEMENTS
        for name, value in element.attrib.items():
            assert "href" not in name
            assert not name.startswith("on")
            assert "url(" not in value
    style = root.find(f"{NAMESPACE}style")
    assert style is not None
    assert not re.search(r"url|@import|@font-face|expression", style.text or "")
    return root


def apart(layout: Layout) -> None:
    """Assert that boxes lie beside or within each other, as the picture says, and texts in their boxes."""
    boxes = {box.node.key: box for box in layout.boxes}

    def around(box: Box) -> list[Box]:
        holder = boxes.get(box.node.inside) if box.node.inside else None
        return [holder, *around(holder)] if holder else []

    for one, other in combinations(layout.boxes, 2):
        if other in around(one) or one in around(other):
            continue
        beside = one.right <= other.x or other.right <= one.x or one.bottom <= other.y or other.bottom <= one.y
        assert beside, (one.node.title, other.node.title)
    for box in layout.boxes:
        for holder in around(box)[:1]:
            assert holder.x < box.x
            assert box.right < holder.right
            assert box.bottom < holder.bottom
            assert all(text.y <= box.y for text in holder.texts)
        for text in box.texts:
            right = box.right - (badge_width(box.node.mark) + 6 if text.style == "title" and box.node.mark.value else 0)
            assert box.x < text.x
            assert text.x + text.width <= right
            assert box.y < text.y - text.size * 0.75
            assert text.y + text.size * 0.25 <= box.bottom


@settings(max_examples=100, deadline=None)
@given(pictures())
def test_any_picture_is_well_formed_and_stands_alone(picture: Topology) -> None:
    checked(svg(picture, "any"))


@settings(max_examples=100, deadline=None)
@given(pictures())
def test_in_any_picture_boxes_lie_apart_and_texts_in_their_boxes(picture: Topology) -> None:
    apart(arranged(readable(picture)))


@settings(max_examples=50, deadline=None)
@given(pictures())
def test_in_any_picture_every_way_ends_at_the_side_of_its_box(picture: Topology) -> None:
    layout = arranged(readable(picture))
    boxes = {box.node.key: box for box in layout.boxes}
    for path in layout.paths:
        x, y = path.tip
        target = boxes[path.edge.target]
        assert x == (target.x if path.forward else target.right)
        assert target.y < y < target.bottom


@pytest.mark.parametrize("path", [standing("prod"), *sorted((ROOT / "examples").glob("*.yaml"))], ids=lambda p: p.stem)
def test_every_stack_of_ours_is_drawn_apart(path) -> None:
    picture = drawing(None, resources.stack(rehearsed(path)), {})
    assert readable(picture) == picture
    apart(arranged(picture))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_stays_a_text(name: str) -> None:
    node = Node(key=("a", ""), kind=Kind.POOL, title=name, lines=(Line("l", name),), mark=Mark.DELETE)
    root = checked(svg(Topology((node,)), name))
    shown = " ".join(element.text or "" for element in root.iter(f"{NAMESPACE}text"))
    assert "".join(name.split())[:8] in "".join(shown.split()) or not name.isprintable()


def test_it_says_in_words_what_it_shows() -> None:
    root = checked(svg(drawing(None, Stack([node_pool("a")]), {node_pool("a").urn: "create"}), "Stack <x>"))
    assert root.attrib["role"] == "img"
    assert root.findtext(f"{NAMESPACE}title") == "Stack <x>"
    assert root.findtext(f"{NAMESPACE}desc") == "1 cluster, 1 node pool. Of these 1 to create."


def test_the_legend_has_the_marks_that_occur_and_no_others() -> None:
    node = Node(key=("a", ""), kind=Kind.POOL, title="a", mark=Mark.REPLACE)
    text = svg(Topology((node,)), "s")
    assert [mark for mark, label in MARKS.items() if label in text] == [Mark.REPLACE]
    assert not [label for label in MARKS.values() if label in svg(Topology(), "s")]


def test_a_wrapped_text_keeps_its_words_and_fits() -> None:
    text = "a gateway of the class gke-l7-regional-external-managed and its listeners"
    rows = wrapped(text, 150, 12, rows=9)
    assert "".join(rows).replace(" ", "") == text.replace(" ", "")
    assert all(width(row, 12) <= 150 for row in rows)


def test_what_is_cut_ends_in_an_ellipsis() -> None:
    rows = wrapped("x" * 500, 100, 12, rows=2)
    assert len(rows) == 2
    assert rows[-1].endswith("…")
    assert width(rows[-1], 12) <= 100


def test_the_picture_of_prod_in_the_documentation_is_fresh(golden: Golden) -> None:
    picture = drawing(None, resources.stack(rehearsed(standing("prod"))), {})
    golden(ROOT / "docs" / "prod.svg", svg(picture, "Stack prod"))
