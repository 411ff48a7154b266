"""What a command line or a shell script runs, as far as reading tells.

Branches are all followed: each command is listed, and a variable that they leave with different values is unknown
afterwards.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from inference.rules.views._shell_commands import Commands, Runner
from inference.rules.views._shell_syntax import Array, Computation, Operator, Term, Text, Token, tokens_of
from inference.rules.views._shell_words import Exhausted, Shell, Value, bare, mark, merged

__all__ = ["Pass"]

_MOST_BLOCKS = 50

_REDIRECTIONS = frozenset({"<", ">", ">>", "<&", ">&", "<>", ">|", "&>", "&>>", "<<", "<<-", "<<<"})
_CHANGED = re.compile(r"([A-Za-z_]\w*)\s*(?:[-+*/%]?=(?!=)|\+\+|--)")


@dataclass
class _Block:
    """A compound command that is being read."""

    kind: str
    before: dict[str, Value]
    path: tuple[int, ...]
    positional: tuple[str, ...] | None
    outcomes: list[dict[str, Value]] = field(default_factory=list)
    exhaustive: bool = False
    """Whether one of the branches is certainly taken."""
    uncertain: bool = False
    patterns: bool = False
    """Whether the pattern of a ``case`` comes next."""


class Pass(Commands):
    """Goes through one script in one shell."""

    def __init__(self, runner: Runner, shell: Shell, depth: int = 0) -> None:
        super().__init__(runner, shell, depth)
        self._blocks: list[_Block] = []
        self._words: list[Term | Array] = []
        self._header = ""
        self._function = ""
        self._piped = False
        self._continues = False
        self._skip = 0
        self._over = False

    def run(self, text: str) -> None:
        """Go through a script."""
        self._runner.uses_shell = True
        self._shell.budget.spend(len(text))
        for token in tokens_of(bare(text), self._runner.texts):
            self._shell.budget.spend(1)
            if self._over:
                return
            if isinstance(token, Computation):
                self._header = ""
                for name in _CHANGED.findall(token.expression[:10_000]):
                    self._shell.set(name, mark("${" + name + "}"))
            elif isinstance(token, Operator):
                self._operator(token.text)
            else:
                self._word(token)
        self._finish()

    # Words and reserved words

    def _word(self, token: Token) -> None:
        plain = token.plain if isinstance(token, Term) else None
        block = self._blocks[-1] if self._blocks else None
        if self._skip:
            self._skip = 0
            if isinstance(token, Term):
                self._runner.texts.append("".join(p.text for p in token.parts if isinstance(p, Text)))
        elif block is not None and block.patterns:
            if plain == "esac" and not self._words:
                self._close("case")
        elif self._header == "function":
            self._header, self._function = "", "named"
        elif self._header == "case" and plain == "in" and self._words and block is not None:
            self._header, self._words, block.patterns = "", [], True
        elif not self._words and not self._header and plain is not None and self._reserved(plain):
            self._continues = False
        elif isinstance(token, Term | Array):
            self._words.append(token)
            self._continues = False

    def _reserved(self, plain: str) -> bool:
        match plain:
            case "if":
                self._open("if")
            case "while" | "until" | "for" | "select":
                self._open("loop")
                self._header = "for" if plain in ("for", "select") else ""
            case "case":
                self._open("case")
                self._header = "case"
            case "elif" | "else":
                self._branch("if", exhaustive=plain == "else")
            case "fi":
                self._close("if")
            case "done":
                self._close("loop")
            case "esac":
                self._close("case")
            case "{":
                self._open("function" if self._function else "group")
            case "}":
                self._close("group", "function")
            case "function":
                self._header = "function"
            case "then" | "do" | "!" | "coproc":
                pass
            case _:
                return False
        return True

    # Operators

    def _operator(self, symbol: str) -> None:
        block = self._blocks[-1] if self._blocks else None
        if symbol in _REDIRECTIONS:
            self._skip = 1
            return
        self._skip = 0
        match symbol:
            case _ if block is not None and block.patterns:
                block.patterns = symbol != ")"
            case "(" if self._function == "named" or (len(self._words) == 1 and not self._header):
                self._words, self._function = [], "brackets"
            case ")" if self._function == "brackets":
                self._function = "ready"
            case "(":
                self._finish()
                self._open("function" if self._function else "subshell")
            case ")":
                self._finish()
                self._close("subshell", "function")
            case ";;" | ";&" | ";;&":
                self._finish()
                self._branch("case", exhaustive=False)
            case "|" | "|&":
                self._finish(piped=True)
                self._piped = self._continues = True
            case "&&" | "||":
                self._finish()
                self._join(symbol)
            case "\n" if self._continues and not self._words:
                return
            case _:
                self._finish(background=symbol == "&")
                self._end_list()

    def _join(self, symbol: str) -> None:
        if not self._blocks or self._blocks[-1].kind != "list":
            self._open("list")
        self._blocks[-1].uncertain |= symbol == "||" or self._test
        self._continues = True

    # Compound commands

    def _open(self, kind: str) -> None:
        if len(self._blocks) >= _MOST_BLOCKS:
            raise Exhausted
        shell = self._shell
        shell.budget.spend(len(shell.variables) + 1)
        self._blocks.append(_Block(kind, dict(shell.variables), shell.path, shell.positional))
        if kind == "subshell":
            shell.path = (*shell.path, self._runner.number())
        if kind == "function":
            self._function, shell.positional = "", None

    def _end_list(self) -> None:
        while self._blocks and self._blocks[-1].kind == "list":
            self._settle(self._blocks.pop())
        self._continues = False

    def _branch(self, kind: str, *, exhaustive: bool) -> None:
        self._end_list()
        if not self._blocks or self._blocks[-1].kind != kind:
            return
        block = self._blocks[-1]
        self._shell.budget.spend(len(block.before) + 1)
        block.outcomes.append(self._shell.variables)
        block.exhaustive |= exhaustive
        block.patterns = kind == "case"
        self._shell.variables = dict(block.before)
        self._shell.environment = None

    def _close(self, *kinds: str) -> None:
        if not any(block.kind in kinds for block in self._blocks):
            return
        while (block := self._blocks.pop()).kind not in kinds:
            self._settle(block)
        self._settle(block)

    def _settle(self, block: _Block) -> None:
        """Leave a block with what is known whichever way it went."""
        shell = self._shell
        shell.path, shell.positional = block.path, block.positional
        if block.kind == "group" or (block.kind == "list" and not block.uncertain):
            return
        outcomes = [*block.outcomes, shell.variables]
        if block.kind == "subshell":
            outcomes = [block.before]
        elif not block.exhaustive:
            outcomes.append(block.before)
        shell.budget.spend(sum(map(len, outcomes)))
        names = dict.fromkeys(name for outcome in outcomes for name in outcome)
        values = {name: merged(name, [outcome.get(name) for outcome in outcomes]) for name in names}
        shell.variables = {name: value for name, value in values.items() if value is not None}
        shell.environment = None

    # Simple commands

    def _finish(self, *, piped: bool = False, background: bool = False) -> None:
        words, self._words = self._words, []
        if not words:
            return
        header, self._header = self._header, ""
        self._function = ""
        if header == "for":
            first = words[0]
            name = first.plain if isinstance(first, Term) else None
            if name and name.isidentifier():
                self._shell.set(name, mark("${" + name + "}"))
        if header:
            return
        piped, self._piped = piped or self._piped, False
        path = self._shell.path
        if piped or background:
            self._shell.path = (*path, self._runner.number())
        try:
            ends = self._simple(words)
        finally:
            self._shell.path = path
        self._over = ends and not self._blocks and not piped and not background
