"""The comment: bounded, escaped, and whole where it fits."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rehearsal.review import data, escaping, markdown
from rehearsal.review.document import (
    Code,
    Fold,
    Items,
    Paragraph,
    Picture,
    Section,
    Standing,
    Table,
)
from rehearsal.review.report import Report, StackReport

HOSTILE = (
    "<script>alert(1)</script>",
    "</details>\n# Approved",
    "a|b|c",
    "`` ` ```",
    "@everyone and @acme/team, see #1, acme/repo#2, GH-3",
    "[click](https://example.com) ![x](https://example.com/x.png)",
    "https://example.com www.example.com",
    "**bold** _it_ ~~gone~~ $\\alpha$ :tada:",
    "- item", "1. item", "# head", "> quote", "===", "---",
    "&lt;b&gt; &#60;",
    "\x1b[31mred\x1b[0m \u202eesrever \u200b",
    "<!-- gke-inference-review -->",
    "line one\r\nline two\u2028three",
    "\\", "|", "`", "", " ", "\n",
)  # fmt: skip


def report(*sections: Section, name: str = "dev", standing: Standing = Standing.SAFE, problem: str = "") -> Report:
    stack = StackReport(name=name, standing=standing, reason="a reason", sections=sections, problem=problem)
    return Report(against="main", stacks=(stack,))


def section(*blocks: object, key: str = "diff", headline: str = "Headline.") -> Section:
    return Section(key=key, title="Title", headline=headline, blocks=blocks)  # type: ignore[arg-type]


def shown(text: str) -> str:
    """Return what a reader of the rendered line sees, with spaces folded."""
    import html

    plain = re.sub(r"^`([^`]*)`$", r"\1", text)
    return " ".join(html.unescape(re.sub(r"</?code>", "", plain)).replace("\u200b", "").split())


@given(st.one_of(st.text(max_size=60), st.sampled_from(HOSTILE)))
@example("0.134")
@example("a: b:c:d")
def test_no_text_becomes_markup(text: str) -> None:
    line = escaping.inline(text)
    assert "\n" not in line
    assert "\r" not in line
    bare = re.sub(r"&#?\w+;", "", line)
    assert not re.search(r"[\\`*_\[\]<>&|~$]", bare), "all of it is entities"
    assert not re.search(r"[@#]\S|://|\bwww\.", re.sub(r"&#\d+;", " ", line)), "GitHub links none of it"
    assert not re.match(r"([-+#=]|\d{1,9}[.)])(\s|$)", line)


@given(st.text(max_size=60))
def test_a_reader_sees_the_text_itself(text: str) -> None:
    if text.isprintable():
        assert shown(escaping.inline(text)) == " ".join(text.split())


@given(st.one_of(st.text(max_size=60), st.sampled_from(HOSTILE)))
def test_code_stays_one_piece_of_code_within_a_row(text: str) -> None:
    line = escaping.inline((Code(text),))
    assert "\n" not in line
    assert "|" not in line
    if line.startswith("`"):
        assert line.count("`") == 2
        assert line.endswith("`")
    else:
        inner = line.removeprefix("<code>").removesuffix("</code>")
        assert not re.search(r"[`*_\[\]<>|\\]", re.sub(r"&#?\w+;", "", inner))


@given(st.text(max_size=200))
def test_a_block_cannot_be_ended_from_within(text: str) -> None:
    first, *inner, last = escaping.block(text).split("\n")
    assert set(first) == set(last) == {"`"}
    assert all(last not in line for line in inner)


@pytest.mark.parametrize("text", HOSTILE)
def test_html_holds_no_tag_of_a_name(text: str) -> None:
    assert set(re.findall(r"<[^>]*>", escaping.in_html((Code(text), text)))) == {"<code>", "</code>"}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_name_cannot_break_out_of_the_report(text: str) -> None:
    table = Table(("Name", text), ((Code(text), text),) * 2)
    blocks = (table, Items((text,)), Paragraph(text), Fold(text, (Paragraph(text),)))
    result = markdown.markdown(
        report(section(*blocks, headline=text), name=text, problem=text, standing=Standing.BROKEN)
    )
    lines = result.splitlines()
    # A problem stands in a fenced block, where nothing is markup.
    outside = "\n".join(re.sub(r"(?ms)^(`{3,})text$.*?^\1$", "", result).splitlines()[1:])
    assert lines[0] == markdown.MARKER
    assert outside.count("<!--") == 0
    assert outside.count("<details>") == outside.count("</details>") == 1
    assert "<script" not in re.sub(r"`[^`\n]*`", "", outside)
    rows = [line for line in lines if line.startswith("| ")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {3}


def test_the_comment_fits_whatever_it_holds() -> None:
    rows = [((Code(f"name-{i}" * 5),), "x" * 200) for i in range(3_000)]
    sections = (
        section(Table(("A", "B"), rows), key="diff", headline="Diff."),
        section(Table(("A", "B"), rows[:3]), key="risk", headline="Risk."),
        section(Picture("flowchart LR\n" + "a --> b\n" * 20_000, "<svg/>", "Picture."), key="picture"),
    )
    started = time.monotonic()
    result = markdown.markdown(report(*sections))
    assert time.monotonic() - started < 10
    assert len(result.encode()) <= markdown.LIMIT
    assert result.count("name-1name-1") > 0
    assert all(f"`name-{i}name-{i}name-{i}name-{i}name-{i}`" in result for i in range(3)), "risk is cut last"
    assert "Shortened to fit" in result
    assert "more |" in result
    assert result.count("<details>") == result.count("</details>")


def test_a_thousand_stacks_leave_their_verdicts() -> None:
    stacks = [
        StackReport(
            name=f"stack-{i}" + "é" * 100,
            standing=Standing.RISKY,
            reason="r" * 300,
            sections=(section(headline="h" * 300),),
        )
        for i in range(1_000)
    ]
    result = markdown.markdown(Report(against="main", stacks=stacks))
    assert len(result.encode()) <= markdown.LIMIT
    assert re.search(r"and \d+ more stacks", result)


def test_what_fits_is_not_shortened() -> None:
    rows = [(f"row {i}", "x") for i in range(100)]
    result = markdown.markdown(report(section(Table(("A", "B"), rows))))
    assert all(f"| row {i} |" in result for i in range(100))
    assert "Shortened" not in result
    assert result.count("<details>") == 1, "what is long is folded"


def test_a_drawing_is_drawn_and_its_text_cannot_end_it() -> None:
    result = markdown.markdown(report(section(Picture("flowchart\n```\n# out", "<svg/>", "Caption."), key="risk")))
    assert "````mermaid\nflowchart\n```\n# out\n````" in result


def test_several_stacks_are_told_apart_and_the_worst_is_the_verdict() -> None:
    stacks = (
        StackReport(name="dev", standing=Standing.SAFE, reason="", sections=()),
        StackReport(name="prod", standing=Standing.RISKY, reason="data is lost", sections=()),
    )
    result = markdown.markdown(Report(against="main", stacks=stacks, untouched=("test",)))
    assert "Risky: prod: data is lost" in result
    assert "dev – safe" in result
    assert "Unchanged: test." in result


@given(st.text(max_size=30))
@settings(max_examples=25)
def test_the_json_form_is_json_with_its_keys(text: str) -> None:
    import json

    made = Section(key="diff", title=text, headline=(Code(text), text), data={"a": {text: (1, {2})}})
    found = json.loads(data.dumps(report(made, name=text)))
    assert set(found) == {"version", "verdict", "reason", "against", "stacks", "untouched", "notes"}
    assert found["stacks"][0]["sections"]["diff"]["headline"] == text + text
