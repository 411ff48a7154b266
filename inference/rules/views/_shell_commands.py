"""Simple commands: assignments, builtins, and what a program that only starts another one starts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from inference.rules.views._shell_syntax import ASSIGNMENT, Array, Term, Text
from inference.rules.views._shell_words import Exhausted, Shell, Value, Word, bare, fields, joined, mark, word
from inference.rules.views._shell_wrappers import SHELLS, shell_call, unwrapped

__all__ = ["Command", "Commands", "Runner"]


@dataclass(frozen=True, slots=True)
class Command:
    """One program that is started, or one builtin of the shell."""

    argv: tuple[Word, ...]
    """Program and arguments; what starts it (``exec``, ``env``, ``timeout 10`` …) is left out."""
    environment: Mapping[str, Word]
    """Environment variables in force for it, as far as the container and the script tell."""
    wrappers: tuple[str, ...] = ()
    """What starts it, outermost first."""
    shell: tuple[int, ...] = ()
    """The shells in which it runs, outermost first; a subshell counts as one."""

    @property
    def program(self) -> str:
        """Name of the program without its directory."""
        return self.argv[0].rsplit("/", 1)[-1] if self.argv else ""


_MOST_COMMANDS = 1_000
_DEEPEST = 5

_DECLARE = frozenset({"export", "declare", "typeset", "local", "readonly"})
_TESTS = frozenset({"[", "[[", "test", "grep", "command", "which", "type", "false", "pgrep", "curl", "nc", "getent"})


class Runner:
    """Collects what one container runs."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.texts: list[str] = []
        """Bodies of heredocs and targets of redirections."""
        self.uses_shell = False
        self.assigned: dict[str, str] = {}
        self._shells = 0

    def number(self) -> int:
        """Return a number for a new shell."""
        self._shells += 1
        return self._shells

    def record(self, command: Command) -> None:
        """Add a command; raises ``Exhausted`` where there are more than anybody writes."""
        if len(self.commands) >= _MOST_COMMANDS:
            raise Exhausted
        self.commands.append(command)


class Commands(ABC):
    """Runs simple commands in one shell."""

    def __init__(self, runner: Runner, shell: Shell, depth: int = 0) -> None:
        self._runner = runner
        self._shell = shell
        self._depth = depth
        self._test = False
        """Whether the last command is one that often fails without harm."""

    @abstractmethod
    def run(self, text: str) -> None:
        """Go through a script."""

    def _deeper(self, shell: Shell) -> Self:
        """Return what goes through a script inside this one."""
        if self._depth >= _DEEPEST:
            raise Exhausted
        return type(self)(self._runner, shell, self._depth + 1)

    def _simple(self, words: list[Term | Array]) -> bool:
        """Run a simple command; return whether nothing comes after it."""
        own: dict[str, Value] = {}
        position = 0
        while position < len(words) and self._assign(words[position], own):
            position += 1
        rest = words[position:]
        if not rest:
            for name, value in own.items():
                self._shell.set(name, value)
            return False
        first = rest[0].plain if isinstance(rest[0], Term) else None
        self._test = first in _TESTS
        if first in _DECLARE:
            self._declare(first, rest[1:])
            return False
        argv = [text for term in rest if isinstance(term, Term) for text in fields(term, self._shell)]
        return self.invoke(argv, {n: word(v) for n, v in own.items() if isinstance(v, str)}, ())

    def _assign(self, term: Term | Array, into: dict[str, Value]) -> bool:
        """Take an assignment; return whether it is one."""
        shell = self._shell
        if isinstance(term, Array):
            items = tuple(text for item in term.items for text in fields(item, shell))
            before = shell.variables.get(term.name, ()) if term.append else ()
            into[term.name] = (*((before,) if isinstance(before, str) else before), *items)
            return True
        first = term.parts[0] if term.parts else None
        match = ASSIGNMENT.match(first.text) if isinstance(first, Text) and not first.quoted else None
        if match is None or not isinstance(first, Text):
            return False
        name, index, append = match.groups()
        value = joined((Text(first.text[match.end() :]), *term.parts[1:]), shell)
        if index:
            into[name] = mark("${" + name + "}")
        elif append:
            start = into.get(name, shell.get(name))
            into[name] = (start if isinstance(start, str) else mark("${" + name + "}")) + value
        else:
            into[name] = value
        return True

    def _declare(self, builtin: str, words: list[Term | Array]) -> None:
        argv = [builtin]
        for term in words:
            values: dict[str, Value] = {}
            if self._assign(term, values):
                for name, value in values.items():
                    self._shell.set(name, value, export=builtin == "export")
                    argv.append(f"{name}={value if isinstance(value, str) else ' '.join(value)}")
            elif isinstance(term, Term):
                argv.extend(fields(term, self._shell))
        if builtin == "export" and "-n" not in argv:
            self._shell.exported.update(name for name in argv[1:] if name.isidentifier())
            self._shell.environment = None
        self._record(argv, {}, ())

    def invoke(self, argv: list[str], own: dict[str, Word], wrappers: tuple[str, ...]) -> bool:
        """Run a command that is expanded already; return whether nothing comes after it."""
        argv, own, wrappers = unwrapped(argv, own, wrappers)
        if not argv:
            return False
        program = bare(argv[0]).rsplit("/", 1)[-1]
        call = shell_call(argv) if program in SHELLS or program == "su" else None
        if call is not None:
            self._nested(call[0], call[1], own)
        elif program == "eval":
            self._deeper(self._shell).run(" ".join(argv[1:]))
        else:
            self._builtin(program, argv)
            self._record(argv, own, wrappers)
        return "exec" in wrappers or program in ("exit", "return")

    def _nested(self, text: str, positional: Sequence[str], own: dict[str, Word]) -> None:
        shell = self._shell
        shell.budget.spend(len(shell.variables) + 1)
        variables = {name: value for name, value in shell.variables.items() if name in shell.exported}
        variables.update({name: str(value) if value.known else mark(value) for name, value in own.items()})
        path = (*shell.path, self._runner.number())
        inner = Shell(shell.budget, dict(variables), set(variables), shell.open, tuple(positional) or ("sh",), path)
        try:
            self._deeper(inner).run(text)
        finally:
            for name, value in inner.variables.items():
                if variables.get(name) != value:
                    self._runner.assigned[name] = value if isinstance(value, str) else " ".join(value)

    def _builtin(self, program: str, argv: list[str]) -> None:
        """Keep track of what builtins do to variables."""
        shell, arguments = self._shell, argv[1:]
        match program:
            case "set" if "--" in arguments:
                if shell.positional is not None:
                    shell.positional = (shell.positional[0], *arguments[arguments.index("--") + 1 :])
            case "shift":
                if shell.positional is not None:
                    count = int(arguments[0]) if arguments and arguments[0].isdigit() and len(arguments[0]) < 4 else 1
                    shell.positional = (shell.positional[0], *shell.positional[1 + count :])
            case "unset":
                for name in arguments:
                    shell.variables.pop(name, None)
                shell.environment = None
            case "read" | "mapfile" | "readarray" | "getopts":
                for name in arguments:
                    if name.isidentifier():
                        shell.set(name, mark("${" + name + "}"))
            case _:
                pass

    def _record(self, argv: list[str], own: dict[str, Word], wrappers: tuple[str, ...]) -> None:
        shell = self._shell
        environment = shell.snapshot()
        if own:
            shell.budget.spend(len(environment))
            environment = {**environment, **own}
        self._runner.record(Command(tuple(map(word, argv)), environment, wrappers, shell.path))
