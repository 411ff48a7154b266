"""Words of a command line and how a shell makes them: variables, defaults, arrays, arithmetic, splitting."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from inference.rules.views._shell_syntax import Arithmetic, Opaque, Part, Term, Text, Variable, parts_of

__all__ = ["Budget", "Exhausted", "Shell", "Value", "Word", "bare", "fields", "joined", "mark", "merged", "word"]

Value: TypeAlias = str | tuple[str, ...]
"""What a variable holds: text, or the elements of an array. Unresolved stretches of text are marked."""

_OPEN, _CLOSE = "\ue000", "\ue001"
_MARKS = {ord(_OPEN): None, ord(_CLOSE): None}
_PIECE = re.compile(f"(?:{_OPEN}[^{_CLOSE}]*{_CLOSE}|[^\\s{_OPEN}])+")
_MARKED = re.compile(f"{_OPEN}[^{_CLOSE}]*{_CLOSE}")
_INJECTED = re.compile(
    r"(LWS|TPU|KUBERNETES|MEGASCALE|NVIDIA|CUDA)_\w+|JOB_COMPLETION_INDEX|HOSTNAME|HOME|PWD|USER|SHELL|RANDOM|SECONDS"
    r"|PATH|LD_LIBRARY_PATH|LIBRARY_PATH|PYTHONPATH|LD_PRELOAD|PPID|UID|EUID|LANG"
)
_PARTLY = re.compile(r"\$\{(\w+):\}")
_LONGEST = 32_768


class Word(str):
    """A word of a command line. Where something in it cannot be known, that stands in it as it was written."""

    __slots__ = ("known",)

    known: bool
    """Whether the text is what the program will see."""

    def __new__(cls, text: str = "", *, known: bool = True) -> Word:
        """Make a word of a text."""
        made = super().__new__(cls, text)
        made.known = known
        return made


def mark(source: str) -> str:
    """Return a stretch of text that stands for a value nobody knows yet."""
    return _OPEN + bare(source) + _CLOSE


def bare(text: str) -> str:
    """Return a text without marks."""
    return text.translate(_MARKS)


def word(text: str) -> Word:
    """Return the finished word of a marked text."""
    if _OPEN not in text:
        return Word(text)
    return Word(_PARTLY.sub(r"${\1}", bare(text)), known=False)


class Exhausted(Exception):  # noqa: N818 - a limit, not a mistake
    """A script asks for more work than its reader is willing to do."""


class Budget:
    """The work that may still be done on one container."""

    __slots__ = ("_left",)

    def __init__(self, amount: int) -> None:
        self._left = amount

    def spend(self, amount: int) -> None:
        """Take from it; raises ``Exhausted`` where nothing is left."""
        self._left -= amount
        if self._left < 0:
            raise Exhausted


@dataclass
class Shell:
    """The state of one shell."""

    budget: Budget
    variables: dict[str, Value]
    exported: set[str]
    open: bool = False
    """Whether the container may have variables that nobody sees here."""
    positional: tuple[str, ...] | None = None
    """``$0``, ``$1`` …; ``None`` inside a function."""
    path: tuple[int, ...] = ()
    """The shells around it and its own number."""
    environment: dict[str, Word] | None = field(default=None, repr=False)
    """The exported variables, as long as nothing changes them."""

    def get(self, name: str) -> str | None:
        """Return what ``$name`` stands for."""
        value = self.variables.get(name)
        return (value[0] if value else "") if isinstance(value, tuple) else value

    def set(self, name: str, value: Value, *, export: bool = False) -> None:
        """Assign a variable."""
        size = len(value) if isinstance(value, str) else sum(map(len, value)) + len(value)
        self.budget.spend(size + 1)
        self.variables[name] = value if size <= _LONGEST else mark("${" + name + "}")
        if export:
            self.exported.add(name)
        self.environment = None

    def may_hold(self, name: str) -> bool:
        """Whether a variable that nobody set may be set all the same."""
        return self.open or _INJECTED.fullmatch(name) is not None

    def snapshot(self) -> dict[str, Word]:
        """Return the environment of the commands it starts."""
        if self.environment is None:
            self.budget.spend(len(self.exported))
            self.environment = {n: word(v) for n in self.exported if isinstance(v := self.variables.get(n), str)}
        return self.environment


def merged(name: str, values: Sequence[Value | None]) -> Value | None:
    """Return what is known of a variable after branches that left it with different values."""
    first = values[0]
    if all(value == first for value in values):
        return first
    # No shell would write this form, so a second reading (eval) cannot take it for the whole variable.
    rest = "${" + name + ":}"
    if all(isinstance(value, str) for value in values):
        texts = sorted((value for value in values if isinstance(value, str)), key=len)
        base = texts[0]
        if _OPEN not in base and all(text.startswith(base) for text in texts):
            apart = all(text[len(base) : len(base) + 1] in ("", " ", "\n", "\t") for text in texts)
            return base + (" " if apart else "") + mark(rest)
    if all(isinstance(value, tuple) for value in values):
        shortest = min((value for value in values if isinstance(value, tuple)), key=len)
        if all(isinstance(value, tuple) and value[: len(shortest)] == shortest for value in values):
            return (*shortest, mark(rest))
    return mark(rest)


def joined(parts: Iterable[Part], shell: Shell, depth: int = 0) -> str:
    """Return the text of a word that is not split: the right side of an assignment."""
    found = []
    for part in parts:
        match part:
            case Text(text):
                found.append(text)
            case Variable():
                found.append(" ".join(_elements(part, shell, depth, splits=False)[0]))
            case Arithmetic():
                found.append(_computed(part, shell, depth))
            case Opaque(source):
                found.append(mark(source))
    text = "".join(found)
    shell.budget.spend(len(text))
    return text


def fields(term: Term, shell: Shell, depth: int = 0) -> list[str]:
    """Return the words that a word becomes; inside an expansion (``depth``) its own blanks split as well."""
    found: list[str] = []
    current: str | None = None
    vanished = False
    for part in term.parts:
        match part:
            case Text(text, quoted):
                if depth and not quoted:
                    current = _split(text, current, found)
                elif text or quoted:
                    current = (current or "") + text
            case Variable(quoted=quoted):
                values, whole = _elements(part, shell, depth, splits=not quoted)
                vanished = vanished or not values
                for number, value in enumerate(values):
                    if number and current is not None:
                        found.append(current)
                        current = None
                    current = (current or "") + value if whole else _split(value, current, found)
            case Arithmetic():
                current = (current or "") + _computed(part, shell, depth)
            case Opaque(source):
                current = (current or "") + mark(source)
        shell.budget.spend(1 + len(current or ""))
    if current is not None and not (vanished and not current):
        found.append(current)
    return found


def _split(value: str, current: str | None, found: list[str]) -> str | None:
    """Add an unquoted value to the word being made; return the word that stays unfinished."""
    if value[:1].isspace() and current is not None:
        found.append(current)
        current = None
    for number, match in enumerate(_PIECE.finditer(value)):
        if number and current is not None:
            found.append(current)
            current = None
        current = (current or "") + match[0]
    if value[-1:].isspace() and current is not None:
        found.append(current)
        current = None
    return current


def _elements(part: Variable, shell: Shell, depth: int, *, splits: bool) -> tuple[list[str], bool]:
    """Return the values of an expansion, one or those of an array, and whether each of them stays one word."""
    if depth > 10:
        return [mark(part.source)], True
    if part.name in "@*" or part.subscript in ("[@]", "[*]"):
        every = _all(part, shell)
        if every is None or part.operator == "other":
            return [mark(part.source)], True
        chosen = _chosen(part, "x" if every else None, shell, depth, splits=splits) if part.operator else None
        values = every if chosen is None else chosen
        star = part.name == "*" or part.subscript == "[*]"
        return ([" ".join(values)] if star and part.quoted else values), not splits or chosen is not None
    value = _scalar(part, shell)
    if part.operator == "other":
        return [mark(part.source)], True
    chosen = _chosen(part, value, shell, depth, splits=splits) if part.operator else None
    if chosen is not None:
        return chosen, True
    return [mark(part.source) if value is None else value], not splits


def _all(part: Variable, shell: Shell) -> list[str] | None:
    if part.name in "@*":
        return None if shell.positional is None else list(shell.positional[1:])
    value = shell.variables.get(part.name)
    if value is None:
        return None if shell.may_hold(part.name) else []
    return list(value) if isinstance(value, tuple) else [value]


def _scalar(part: Variable, shell: Shell) -> str | None:
    name = part.name
    if name.isdigit() or name == "#":
        if shell.positional is None:
            return mark(part.source)
        if name == "#":
            return str(max(len(shell.positional) - 1, 0))
        return shell.positional[int(name)] if len(name) < 4 and int(name) < len(shell.positional) else ""
    if part.subscript:
        value = shell.variables.get(name)
        index = part.subscript[1:-1]
        if isinstance(value, tuple) and index.isdigit() and len(index) < 6 and int(index) < len(value):
            return value[int(index)]
        return mark(part.source)
    return mark(part.source) if name in "?$!-" else shell.get(name)


def _chosen(part: Variable, value: str | None, shell: Shell, depth: int, *, splits: bool) -> list[str] | None:
    """Return what the operator of an expansion puts in place of the value; ``None`` where the value stays."""
    colon, kind = part.operator.startswith(":"), part.operator[-1]
    if kind == "?":
        return None
    if value is None and shell.may_hold(part.name):
        return [mark(part.source)]
    if value and not _MARKED.sub("", value):
        return [mark(part.source)]
    missing = value is None or (colon and not value)
    if missing is (kind == "+"):
        return ([] if splits else [""]) if kind == "+" else None
    operand = parts_of(part.operand)
    if kind == "=" and not part.subscript and part.name.isidentifier():
        shell.set(part.name, joined(operand, shell, depth + 1))
    return fields(Term(operand), shell, depth + 1) if splits else [joined(operand, shell, depth + 1)]


_CALCULATIONS: dict[type[ast.AST], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda a, b: abs(a) // abs(b) * (1 if (a < 0) is (b < 0) else -1),
    ast.Mod: lambda a, b: abs(a) % abs(b) * (-1 if a < 0 else 1),
}


def _computed(part: Arithmetic, shell: Shell, depth: int) -> str:
    """Return the result of an arithmetic expansion where all of it is known."""
    if len(part.expression) > 200 or depth > 10:
        return mark(part.source)
    text = joined(parts_of(part.expression, arithmetic=True), shell, depth + 1)
    text = re.sub(r"[A-Za-z_]\w*", lambda name: shell.get(name[0]) or name[0], text).strip()
    if not re.fullmatch(r"[\d\s()+*/%-]{1,300}", text):
        return mark(part.source)
    try:
        return str(_calculate(ast.parse(re.sub(r"\s+", " ", text), mode="eval").body))
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        return mark(part.source)


def _calculate(node: ast.expr) -> int:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_calculate(operand)
        case ast.BinOp(left=left, op=kind, right=right) if type(kind) in _CALCULATIONS:
            return _CALCULATIONS[type(kind)](_calculate(left), _calculate(right))
        case _:
            raise ValueError
