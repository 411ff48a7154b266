"""How a shell script is spelled: words, quotes, expansions, operators and heredocs. What it does is told elsewhere.

Reading never fails: what a shell would refuse is taken as text up to the end. It takes one pass, whatever the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Arithmetic", "Array", "Computation", "Opaque", "Operator", "Part", "Term", "Text", "Token", "Variable"]
__all__ += ["ASSIGNMENT", "parts_of", "tokens_of"]


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text; quoted or not."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """A parameter expansion such as ``$NAME`` or ``${NAME:-operand}``."""

    source: str
    name: str
    subscript: str = ""
    operator: str = ""
    """``-``, ``=``, ``+`` or ``?`` with or without a colon before it, ``other``, or nothing."""
    operand: str = ""
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``$((expression))``."""

    source: str
    expression: str


@dataclass(frozen=True, slots=True)
class Opaque:
    """A substitution whose result only running it would tell."""

    source: str


Part: TypeAlias = Text | Variable | Arithmetic | Opaque


@dataclass(frozen=True, slots=True)
class Term:
    """A word before expansion."""

    parts: tuple[Part, ...]

    @property
    def plain(self) -> str | None:
        """Its text where nothing is quoted or expanded, as in reserved words."""
        if len(self.parts) != 1:
            return None
        part = self.parts[0]
        return part.text if isinstance(part, Text) and not part.quoted else None


@dataclass(frozen=True, slots=True)
class Array:
    """``NAME=(item …)`` or ``NAME+=(item …)``."""

    name: str
    append: bool
    items: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Operator:
    """A control operator or a redirection."""

    text: str


@dataclass(frozen=True, slots=True)
class Computation:
    """The command ``((expression))``."""

    expression: str


Token: TypeAlias = Term | Array | Operator | Computation

ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\[[^\]]*\])?(\+?)=")
"""Beginning of a word that assigns a variable."""

_SPACE = " \t\r\n\f\v"
_PLAIN = re.compile(r"[^ \t\r\n\f\v;&|<>()\\'\"$`]+")
_PLAIN_IN_QUOTES = re.compile(r"[^\\\"$`]+")
_PLAIN_IN_TEST = re.compile(r"[^ \t\r\n\f\v\\'\"$`]+")
_NAME = re.compile(r"[A-Za-z_]\w*|[0-9@*#?$!-]")
_BRACED = re.compile(r"([A-Za-z_]\w*|\d+|[@*#?$!-])(\[[^\]]*\])?(:?[-=+?])?(.*)", re.DOTALL)
_OPERATORS = (
    "<<<", "<<-", "&>>", ";;&", "&&", "||", ";;", ";&", "|&", "<<", ">>", "<&", ">&", "<>", ">|", "&>",
    "&", "|", ";", "(", ")", "<", ">",
)  # fmt: skip
_BLANKS = re.compile(r"(?:[ \t\r\f\v]|\\\r?\n)+")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


def _close(text: str, at: int, closer: str) -> int:
    """Return the place of the bracket that closes what was opened before ``at``; -1 where none does."""
    stack = [closer]
    quotes = 0
    while at < len(text):
        char, top = text[at], stack[-1]
        if char == "\\":
            at += 1
        elif char == top:
            stack.pop()
            quotes -= char == '"'
            if not stack:
                return at
        elif top == "`":
            pass
        elif char == '"' and top != '"':
            stack.append('"')
            quotes += 1
        elif char == "'" and not quotes:
            if (at := text.find("'", at + 1)) < 0:
                return -1
        elif char == "`":
            stack.append("`")
        elif (char == "(" and top == ")") or text.startswith("$(", at):
            at += char == "$"
            stack.append(")")
        elif text.startswith("${", at):
            at += 1
            stack.append("}")
        at += 1
    return -1


def _dollar(text: str, at: int, *, quoted: bool) -> tuple[Part, int]:
    """Read the expansion that begins at ``at``."""
    following = text[at + 1 : at + 2]
    if following == "(":
        end = _close(text, at + 2, ")")
        source = text[at : end + 1] if end >= 0 else text[at:]
        if source.startswith("$((") and source.endswith("))"):
            return Arithmetic(source, source[3:-2]), at + len(source)
        return Opaque(source), at + len(source)
    if following == "{":
        end = _close(text, at + 2, "}")
        source = text[at : end + 1] if end >= 0 else text[at:]
        match = _BRACED.fullmatch(source[2:-1]) if end >= 0 else None
        if match is None or (match[1] in "#!" and (match[2] or match[3] or match[4])):
            return Opaque(source), at + len(source)
        operator = match[3] or ("other" if match[4] else "")
        return Variable(source, match[1], match[2] or "", operator, match[4], quoted), at + len(source)
    if name := _NAME.match(text, at + 1):
        return Variable(text[at : name.end()], name[0], quoted=quoted), name.end()
    if not quoted and following == "'":
        return _ansi(text, at + 2)
    if not quoted and following == '"':
        return Text(""), at + 1
    return Text("$"), at + 1


def _ansi(text: str, at: int) -> tuple[Part, int]:
    found = []
    while at < len(text) and text[at] != "'":
        if text[at] == "\\":
            at += 1
            found.append(_ESCAPES.get(text[at : at + 1], "\\" + text[at : at + 1]))
        else:
            found.append(text[at])
        at += 1
    return Text("".join(found), quoted=True), at + 1


def _in_quotes(text: str, at: int, parts: list[Part], closer: str) -> int:
    """Read the inside of double quotes up to ``closer``; an empty one stands for the end of the text."""
    parts.append(Text("", quoted=True))
    while at < len(text) and text[at] != closer:
        if plain := _PLAIN_IN_QUOTES.match(text, at):
            parts.append(Text(plain[0], quoted=True))
            at = plain.end()
        elif text[at] == "\\":
            pair = text[at : at + 2]
            if pair != "\\\n":
                parts.append(Text(pair[1:] if pair[1:] in '$`"\\' and closer else pair, quoted=True))
            at += 2
        elif text[at] in "$`":
            part, at = _expansion(text, at, quoted=True)
            parts.append(part)
        else:
            parts.append(Text(text[at], quoted=True))
            at += 1
    return at + 1


def _expansion(text: str, at: int, *, quoted: bool) -> tuple[Part, int]:
    if text[at] == "$":
        return _dollar(text, at, quoted=quoted)
    end = _close(text, at + 1, "`")
    source = text[at : end + 1] if end >= 0 else text[at:]
    return Opaque(source), at + len(source)


def parts_of(text: str, *, arithmetic: bool = False) -> tuple[Part, ...]:
    """Read a whole text as one word; in an arithmetic expression quotes and blanks mean nothing."""
    parts: list[Part] = []
    at = 0
    if arithmetic:
        _in_quotes(text, 0, parts, "")
    while not arithmetic and at < len(text):
        if text[at] in _SPACE or text[at] in ";&|<>()":
            parts.append(Text(text[at]))
            at += 1
        else:
            at = _piece(text, at, parts, _PLAIN)
    return tuple(parts)


def _piece(text: str, at: int, parts: list[Part], plain: re.Pattern[str]) -> int:
    """Read one piece of a word: a plain run, something quoted, or an expansion."""
    if run := plain.match(text, at):
        parts.append(Text(run[0]))
        return run.end()
    char = text[at]
    if char == "\\":
        if text[at + 1 : at + 2] != "\n":
            parts.append(Text(text[at + 1 : at + 2], quoted=True))
        return at + 2
    if char == "'":
        end = text.find("'", at + 1)
        end = len(text) if end < 0 else end
        parts.append(Text(text[at + 1 : end], quoted=True))
        return end + 1
    if char == '"':
        return _in_quotes(text, at + 1, parts, '"')
    part, at = _expansion(text, at, quoted=False)
    parts.append(part)
    return at


class _Reader:
    """Goes through a script once."""

    def __init__(self, text: str, bodies: list[str]) -> None:
        self._text = text
        self._at = 0
        self._bodies = bodies
        self._delimiters: list[tuple[str, bool]] = []
        self._awaits_delimiter = ""
        self._in_test = False
        self._in_array = False
        self._attempts = 10
        self._last = ""

    def tokens(self) -> Iterator[Token]:
        while (token := self._next()) is not None:
            self._last = token.text if isinstance(token, Operator) else ""
            if isinstance(token, Term):
                self._last = token.plain or ""
            yield token

    def _next(self) -> Token | None:
        self._skip_blanks()
        if self._at >= len(self._text):
            return None
        if self._text[self._at] == "\n":
            self._at += 1
            self._skip_heredocs()
            self._in_test = self._in_test and self._last in ("&&", "||")
            self._awaits_delimiter = ""
            return Operator("\n")
        if not self._in_test and (found := self._operator()) is not None:
            return found
        token = self._term()
        if (
            isinstance(token, Term)
            and (token.plain or "").isdigit()
            and self._text[self._at : self._at + 1] in ("<", ">")
        ):
            return self._operator() or token
        return token

    def _skip_blanks(self) -> None:
        if blanks := _BLANKS.match(self._text, self._at):
            self._at = blanks.end()
        if self._text.startswith("#", self._at):
            end = self._text.find("\n", self._at)
            self._at = len(self._text) if end < 0 else end

    def _skip_heredocs(self) -> None:
        for delimiter, indented in self._delimiters:
            begin = self._at
            while self._at < len(self._text):
                end = self._text.find("\n", self._at)
                end = len(self._text) if end < 0 else end
                line = self._text[self._at : end].rstrip("\r")
                self._at = end + 1
                if (line.lstrip("\t") if indented else line) == delimiter:
                    break
            self._bodies.append(self._text[begin : self._at])
        self._delimiters.clear()

    def _operator(self) -> Token | None:
        text, at = self._text, self._at
        if text[at] not in ";&|<>()" or text.startswith(("<(", ">("), at):
            return None
        if text.startswith("((", at) and self._attempts:
            end = _close(text, at + 2, ")")
            if end >= 0 and text.startswith("))", end):
                self._at = end + 2
                return Computation(text[at + 2 : end])
            # Looking for an end in vain must not be repeated for every bracket of a long text.
            self._attempts = self._attempts - 1 if end >= 0 else 0
        symbol = next(o for o in _OPERATORS if text.startswith(o, at))
        self._at += len(symbol)
        if symbol in ("<<", "<<-"):
            self._awaits_delimiter = symbol
        return Operator(symbol)

    def _term(self) -> Token:
        text, begin = self._text, self._at
        plain = _PLAIN_IN_TEST if self._in_test else _PLAIN
        parts: list[Part] = []
        while self._at < len(text) and text[self._at] not in _SPACE:
            char = text[self._at]
            if char in ";&|<>()" and not self._in_test:
                if text.startswith(("<(", ">("), self._at):
                    end = _close(text, self._at + 2, ")")
                    end = len(text) if end < 0 else end + 1
                    parts.append(Opaque(text[self._at : end]))
                    self._at = end
                    continue
                if char == "(" and not self._in_array and (match := ASSIGNMENT.fullmatch(text, begin, self._at)):
                    self._at += 1
                    return Array(match[1], bool(match[3]), tuple(self._items()))
                break
            self._at = _piece(text, self._at, parts, plain)
        self._at = min(self._at, len(text))
        return self._finished(Term(_joined(parts)), text[begin : self._at])

    def _finished(self, term: Term, source: str) -> Term:
        if self._awaits_delimiter:
            delimiter = re.sub(r"[\\'\"]", "", source)
            self._delimiters.append((delimiter, self._awaits_delimiter == "<<-"))
            self._awaits_delimiter = ""
        elif term.plain == "[[":
            self._in_test = True
        elif self._in_test and term.plain == "]]":
            self._in_test = False
        return term

    def _items(self) -> Iterator[Term]:
        self._in_array = True
        while (token := self._next()) is not None and token != Operator(")"):
            if isinstance(token, Term):
                yield token
        self._in_array = False


def _joined(parts: list[Part]) -> tuple[Part, ...]:
    """Join neighboring plain texts, so that a reserved word is one part however it was read."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, Text) and isinstance(last, Text) and not part.quoted and not last.quoted:
            joined[-1] = Text(last.text + part.text)
        else:
            joined.append(part)
    return tuple(joined)


def tokens_of(text: str, bodies: list[str]) -> Iterator[Token]:
    """Yield the tokens of a script; the bodies of its heredocs go to ``bodies``."""
    return _Reader(text, bodies).tokens()
