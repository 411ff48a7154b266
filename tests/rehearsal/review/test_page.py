"""The page says what the report says, and nothing that a name contains becomes a part of it."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from rehearsal.review.document import Items, Paragraph, Section, Standing, Table
from rehearsal.review.elements import Markup, tag
from rehearsal.review.page import page
from rehearsal.review.report import Report, StackReport
from tests.rehearsal.review.pages import EVIL, of_a_change, of_everything

VOID = {"meta"}


class Reader(HTMLParser):
    """Reads a page: its elements, attributes and texts; asserts that every element is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def within(self, tag: str) -> str:
        return "".join(text for place, text in self.texts if place == tag)


def report(*sections: Section, standing: Standing = Standing.SAFE) -> Report:
    return Report(against="main", stacks=(StackReport(name="dev", standing=standing, reason="why", sections=sections),))


def test_nothing_in_a_hostile_report_becomes_an_element_or_an_attribute() -> None:
    read = Reader(page(of_everything()))
    assert not {"script", "img", "link", "iframe", "object", "form", "base"} & set(read.elements)
    assert not [name for _, name, _ in read.attributes if name.startswith("on") or name in ("src", "srcset", "style")]
    links = [value for _, name, value in read.attributes if name == "href"]
    assert links
    assert all(value.startswith("#") for value in links)
    assert EVIL in read.within("title")


def test_the_browser_is_told_to_load_nothing() -> None:
    read = Reader(page(of_everything()))
    (policy,) = [value for _, name, value in read.attributes if name == "content" and "default-src" in value]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert page(of_everything()).index("Content-Security-Policy") < page(of_everything()).index("<style>")


def test_the_verdict_comes_first_with_its_reason() -> None:
    for standing, word in zip(Standing, ("safe", "risky", "broken"), strict=True):
        read = Reader(page(report(standing=standing)))
        assert read.within("strong") == word
        assert ("div", "class", f"banner {word}") in read.attributes


def test_a_real_change_is_told_with_picture_tables_and_verdict() -> None:
    text = page(of_a_change())
    read = Reader(text)
    keys = [value for _, name, value in read.attributes if name == "data-key"]
    assert {"diff", "picture"} <= set(keys)
    assert read.elements["svg"] == 1
    assert read.elements["table"] >= 1
    assert "1 group → 2 groups of 2 pods" in read.within("text")
    assert "Unchanged: dev." in text


def test_numbers_stand_to_the_right() -> None:
    table = Table(("name", "count"), (("a", "1"),), frozenset({1}))
    text = page(report(Section(key="k", title="t", headline="h", blocks=(table,))))
    assert '<th>name</th><th class="number">count</th>' in text
    assert '<td>a</td><td class="number">1</td>' in text


def test_a_long_table_or_list_is_folded_once() -> None:
    table, items = Table(("n",), tuple((str(n),) for n in range(41))), Items(tuple(map(str, range(1_041))))
    read = Reader(page(report(Section(key="k", title="t", headline="h", blocks=(table, items)))))
    assert read.within("summary") == "41 rows1,041 entries"


def test_signs_that_turn_the_line_around_are_made_visible() -> None:
    text = page(report(Section(key="k", title="t", headline="h", blocks=(Paragraph("a\u202eb\x1b[2J"),))))
    assert "a\\u202eb\\x1b[2J" in text


def test_several_stacks_are_listed_with_their_verdicts() -> None:
    read = Reader(page(of_everything()))
    targets = {value for _, name, value in read.attributes if name == "id"}
    links = {value.removeprefix("#") for _, name, value in read.attributes if name == "href"}
    assert links == {"stack-0", "stack-1"}
    assert links <= targets


def test_a_report_on_nothing_is_a_page_too() -> None:
    read = Reader(page(Report(against="main", stacks=())))
    assert "nothing changes in any stack" in read.within("h1")


@given(st.text(), st.text())
def test_any_text_is_read_back_as_it_was_written(inner: str, value: str) -> None:
    def plainly(text: str) -> str:
        return text.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")

    read = Reader(tag("p", inner, title=value))
    assert plainly(read.within("p")) == plainly(inner)
    assert [plainly(found) for _, _, found in read.attributes] == ([plainly(value)] if value else [])


def test_only_markup_is_left_as_it_is() -> None:
    assert tag("p", Markup("<b>"), "<b>") == "<p><b>&lt;b&gt;</p>"
