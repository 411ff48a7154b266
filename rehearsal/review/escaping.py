"""Text for GitHub's Markdown: nothing that a name contains may become markup, a mention, a reference or a link."""

from __future__ import annotations

import html
import re

from rehearsal.review.document import Code, Text
from rehearsal.texts import plain

__all__ = ["block", "in_html", "inline"]

_MARKUP = str.maketrans({character: f"&#{ord(character)};" for character in "\\`*_[]<>&|~$"})
"""As entities: CommonMark takes none of them for syntax, in a table neither."""

_GAP = "&#8203;"
"""A space without width. GitHub looks for these in the finished text, where entities are characters again."""
_HASTY = re.compile(r"[@#](?=\S)|:(?=//|[\w+-]+:)|\bGH(?=-\d)|\bwww(?=\.)", re.IGNORECASE)
"""What GitHub takes for mentions, references, emoji and addresses, up to where the gap goes."""

_START = re.compile(r"(?:\d{1,9})?[-+#=.)](?=[-+#=\s]|$)")
"""What may begin a list, a heading, a rule or an underline at the start of a line."""
_SIMPLE = re.compile(r"[^`|<>\s](?:[^`|<>\n\r]*[^`|<>\s])?")


def inline(text: Text) -> str:
    """Return a text as Markdown of one line, also within a table, a list or a heading."""
    if isinstance(text, Code):
        return _code(text)
    if isinstance(text, str):
        return _guarded(_words(text))
    return _guarded("".join(_code(piece) if isinstance(piece, Code) else _words(piece) for piece in text))


def in_html(text: Text) -> str:
    """Return a text as HTML of one line, for places where Markdown does not reach."""
    if isinstance(text, Code):
        return f"<code>{_html(text)}</code>"
    if isinstance(text, str):
        return _gaps(_html(text))
    return "".join(in_html(piece) for piece in text)


def block(text: str, language: str = "") -> str:
    """Return a text of several lines as a fenced block that it cannot end."""
    shown = plain(text.replace("\r\n", "\n"))
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def _one_line(text: str) -> str:
    return plain(" ".join(text.split())) if text.strip() != text or not text.isprintable() else text


def _words(text: str) -> str:
    line = plain(re.sub(r"\s*[\r\n]+\s*", " ", text))
    return _gaps(line.translate(_MARKUP))


def _gaps(text: str) -> str:
    parts = re.split(r"(&#?\w+;)", text)
    return "".join(
        part if place % 2 else _HASTY.sub(lambda m: f"{m[0]}{_GAP}", part) for place, part in enumerate(parts)
    )


def _guarded(line: str) -> str:
    match = _START.match(line)
    if not match:
        return line
    last = match.end() - 1
    return f"{line[:last]}&#{ord(line[last])};{line[match.end() :]}"


def _code(text: str) -> str:
    line = _one_line(text)
    if not line:
        return "<code>&#8203;</code>"
    return f"`{line}`" if _SIMPLE.fullmatch(line) else f"<code>{line.translate(_MARKUP)}</code>"


def _html(text: str) -> str:
    return html.escape(_one_line(text))
