"""The report as one page: nothing is fetched from elsewhere, nothing runs, and it reads on paper and on a phone too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rehearsal.review.document import Block, Code, Fold, Items, Paragraph, Picture, Section, Standing, Table, Text
from rehearsal.review.elements import Markup, tag, void
from rehearsal.review.pagestyle import STYLE
from rehearsal.review.report import Report, StackReport
from rehearsal.texts import plain

__all__ = ["page"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""What a browser may load for the page: nothing; the styles and pictures are in it."""

_SIGNS = {Standing.SAFE: "✓", Standing.RISKY: "!", Standing.BROKEN: "✕"}
_LONG = 40
"""Rows of a table or entries of a list beyond which it is folded."""


def page(report: Report) -> str:
    """Return the report as a self-contained HTML page."""
    title = f"{report.verdict.capitalize()}: {_shown(report.reason)}"
    head = tag(
        "head",
        void("meta", charset="utf-8"),
        void("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        void("meta", name="color-scheme", content="light dark"),
        void("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", Markup(STYLE)),
    )
    names = [f"stack-{number}" for number in range(len(report.stacks))]
    body = tag(
        "body",
        tag("header", _banner(report), _contents(report, names)),
        tag(
            "main",
            *(_stack(stack, name, alone=len(names) == 1) for stack, name in zip(report.stacks, names, strict=True)),
        ),
        tag("footer", *_footer(report)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _banner(report: Report) -> Markup:
    return tag(
        "div",
        tag("p", tag("span", _SIGNS[report.standing], class_="sign", aria_hidden="true"), _word(report.verdict)),
        tag("h1", _shown(report.reason)),
        tag("p", f"Compared with {_shown(report.against)}.", class_="against"),
        *(tag("p", _shown(note), class_="note") for note in report.notes),
        class_=f"banner {report.verdict}",
        role="status",
        id="verdict",
    )


def _word(verdict: str) -> Markup:
    return tag("strong", verdict, class_="word")


def _contents(report: Report, names: Sequence[str]) -> Markup:
    """Return the stacks as links with their verdicts, where there are several."""
    if len(report.stacks) < 2:
        return Markup("")
    entries = [
        tag(
            "li",
            tag("a", _shown(stack.name), href=f"#{name}"),
            " ",
            tag("span", stack.verdict, class_=f"chip {stack.verdict}"),
            tag("span", f" {_shown(stack.reason)}" if stack.reason else "", class_="dim"),
        )
        for stack, name in zip(report.stacks, names, strict=True)
    ]
    return tag("nav", tag("ul", *entries), aria_label="Stacks")


def _stack(stack: StackReport, name: str, *, alone: bool) -> Markup:
    parts = [
        tag("h2", _shown(stack.name), " ", tag("span", stack.verdict, class_=f"chip {stack.verdict}")),
    ]
    if stack.reason and not alone:
        parts.append(tag("p", _shown(stack.reason), class_="reason"))
    parts += [tag("p", _shown(note), class_="note") for note in stack.notes]
    if stack.problem:
        parts.append(tag("pre", _shown(stack.problem), class_="problem"))
    parts += [_section(section, f"{name}-{place}") for place, section in enumerate(stack.sections)]
    return tag("article", *parts, id=name)


def _section(section: Section, name: str) -> Markup:
    standing = {Standing.SAFE: "", Standing.RISKY: "risky", Standing.BROKEN: "broken"}[section.standing]
    chip = tag("span", standing, class_=f"chip {standing}") if standing else Markup("")
    return tag(
        "section",
        tag("h3", _shown(section.title), " ", chip),
        tag("p", *_text(section.headline), class_="headline"),
        *(_block(block) for block in section.blocks),
        id=name,
        data_key=section.key,
    )


def _block(block: Block, *, folded: bool = False) -> Markup:
    match block:
        case Paragraph():
            return tag("p", *_text(block.text))
        case Items():
            return _perhaps_folded(_items(block), len(block.entries), "entries", folded=folded)
        case Table():
            return _perhaps_folded(_table(block), len(block.rows), "rows", folded=folded)
        case Picture():
            drawing = tag("div", Markup(block.svg), class_="drawing", tabindex="0")
            return tag("figure", drawing, tag("figcaption", _shown(block.caption)))
        case Fold():
            inner = [_block(each, folded=True) for each in block.blocks]
            return tag("details", tag("summary", *_text(block.summary)), *inner)


def _perhaps_folded(block: Markup, count: int, what: str, *, folded: bool) -> Markup:
    if count <= _LONG or folded:
        return block
    return tag("details", tag("summary", f"{count:,} {what}"), block)


def _items(block: Items) -> Markup:
    return tag("ul", *(tag("li", *_text(entry)) for entry in block.entries))


def _table(block: Table) -> Markup:
    def cell(kind: str, place: int, text: Text) -> Markup:
        return tag(kind, *_text(text), class_="number" if place in block.numeric else "")

    head = tag("tr", *(cell("th", place, name) for place, name in enumerate(block.header)))
    rows = [tag("tr", *(cell("td", place, text) for place, text in enumerate(row))) for row in block.rows]
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="table", tabindex="0")


def _text(text: Text) -> Iterator[str]:
    """Yield the pieces of a text, each as what it is: code, or plain."""
    for piece in (text,) if isinstance(text, str) else text:
        yield tag("code", _shown(piece)) if isinstance(piece, Code) else _shown(piece)


def _shown(text: str) -> str:
    """Return a text with what is not plainly visible, such as signs that turn the line around, made so."""
    return plain(text)


def _footer(report: Report) -> Iterator[Markup]:
    if report.untouched:
        yield tag("p", f"Unchanged: {_shown(', '.join(report.untouched))}.")
    yield tag(
        "p", "Computed from the programs alone, without cloud and credentials, by the rehearsal of gke-inference."
    )
