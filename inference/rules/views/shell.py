"""What a container runs, whatever the spelling: exec form, a shell with a script, wrappers, variables.

Nothing is executed. A word that depends on something only the cluster knows keeps the variable as it is written, and
says so: ``Word.known``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from inference.rules.views._shell_commands import Command, Runner
from inference.rules.views._shell_run import Pass
from inference.rules.views._shell_words import Budget, Exhausted, Shell, Word, bare, mark, word
from inference.rules.views._shell_wrappers import SHELLS
from inference.rules.views.pods import Container
from inference.rules.views.values import UNKNOWN, Props, Secret

__all__ = ["Command", "Script", "Word", "script_of_text"]

_WORK = 300_000
"""Units of work for one container: at most a second for text made to be slow, a few milliseconds for a real script."""

_LONGEST_VALUE = 32_768
_REFERENCE = re.compile(r"\$(?:\$|\(([-._a-zA-Z0-9]+)\))")
_PROGRAM = re.compile(
    rf"(?:[\w./-]*/)?(?:{'|'.join(sorted(SHELLS))}|vllm|python[\d.]*|env|tini|dumb-init|sglang|trtllm-serve|nim-serve)"
)
"""First of the arguments alone where it is a program: the image then has no program of its own."""


@dataclass(frozen=True, eq=False)
class Script:
    """The commands of one container in the order in which they are written."""

    commands: tuple[Command, ...]
    assignments: Mapping[str, Word]
    """Variables that the script sets, as they are at its end; the elements of an array are joined by blanks."""
    environment: Mapping[str, Word]
    """Variables that the container declares; those whose value the cluster tells are not known."""
    uses_shell: bool
    """Whether a shell reads any of it."""
    by_image: bool
    """Whether the program is the image's own and only its arguments are given."""
    complete: bool
    """Whether all of it is known and was read; otherwise there may be more commands and words."""
    texts: tuple[str, ...]
    """Bodies of heredocs and targets of redirections."""

    @classmethod
    def of(cls, container: Container) -> Script:
        """Return the script of a container; always the same one for the same container."""
        if (known := _SCRIPTS.get(container)) is None:
            known = _SCRIPTS[container] = _remembered(container.props, _group_size(container))
        return known

    def sources(self, path_fragment: str, before: Command | None = None) -> bool:
        """Whether a file is sourced; with a command: before it and in the same shell or one around it."""
        for command in self.commands:
            if command is before:
                return False
            if command.program in ("source", ".") and any(path_fragment in text for text in command.argv[1:2]):
                reaches = before is None or before.shell[: len(command.shell)] == command.shell
                if reaches:
                    return True
        return False

    def mentions(self, text: str) -> bool:
        """Whether a text occurs in what is run; comments do not count."""
        return (
            any(text in argument for command in self.commands for argument in command.argv)
            or any(text in value for value in self.assignments.values())
            or any(text in other for other in self.texts)
        )

    def running(self, *programs: str) -> Iterator[Command]:
        """Yield the commands that start one of these programs."""
        return (command for command in self.commands if command.program in programs)


_SCRIPTS: WeakKeyDictionary[Container, Script] = WeakKeyDictionary()
_READ: dict[str, Script] = {}
"""Scripts by what they were read from: most containers are judged twice, alone and in the stack."""
_REMEMBERED = 4096


def _remembered(props: Props, group_size: int | None) -> Script:
    read = [props.raw(place) for place in ("command", "args", "env")]
    try:
        key = f"{read!r} {props.absent('envFrom')} {group_size}"
    except RecursionError:
        return _script(props, group_size)
    if (known := _READ.get(key)) is None:
        if len(_READ) >= _REMEMBERED:
            _READ.clear()
        known = _READ[key] = _script(props, group_size)
    return known


def script_of_text(text: str, environment: Mapping[str, str] | None = None) -> Script:
    """Return what a shell script alone runs."""
    entries = [{"name": name, "value": value} for name, value in (environment or {}).items()]
    return _script(Props({"command": ["sh", "-c", text], "env": entries}), None)


def _group_size(container: Container) -> int | None:
    pod = container.pod
    return pod.size if pod.object.kind == "LeaderWorkerSet" else None


def _script(props: Props, group_size: int | None) -> Script:
    variables = dict(_environment(props))
    if group_size is not None:
        variables.setdefault("LWS_GROUP_SIZE", str(group_size))
    command, args = _line(props, "command", variables), _line(props, "args", variables)
    complete = command is not None and args is not None
    line = [*(command or ()), *(args or ())]
    entries = props.raw("env")
    hidden = entries is UNKNOWN or not props.absent("envFrom")
    hidden = hidden or (isinstance(entries, Sequence) and any(entry is UNKNOWN for entry in entries))
    shell = Shell(Budget(_WORK), dict(variables), set(variables), hidden)
    runner = Runner()
    by_image = not command and not (line and _PROGRAM.fullmatch(bare(line[0])))
    try:
        if by_image:
            runner.record(Command((Word(), *map(word, line)), shell.snapshot()))
        else:
            Pass(runner, shell).invoke(line, {}, ())
    except (Exhausted, RecursionError):
        complete = False
    return Script(
        tuple(runner.commands),
        {name: word(value) for name, value in runner.assigned.items()},
        {name: word(value) for name, value in variables.items()},
        runner.uses_shell,
        by_image,
        complete,
        tuple(runner.texts),
    )


def _environment(props: Props) -> Iterator[tuple[str, str]]:
    """Yield the declared variables in order; one may refer to those before it."""
    known: dict[str, str] = {}
    for entry in props.sections("env"):
        if (name := entry.text("name")) is None:
            continue
        text = entry.text("value")
        if text is None:
            known[name] = "" if entry.absent("value") and entry.absent("valueFrom") else mark("${" + name + "}")
        else:
            text = _expanded(bare(text[: _LONGEST_VALUE + 1]), known)
            known[name] = text if len(text) <= _LONGEST_VALUE else mark("${" + name + "}")
    yield from known.items()


def _line(props: Props, place: str, variables: Mapping[str, str]) -> list[str] | None:
    """Return the words of ``command`` or ``args`` as the kubelet hands them on; ``None`` where nothing is known."""
    value = props.raw(place)
    if value is UNKNOWN:
        return None
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    return [_expanded(_text(item), variables) for item in value[:10_000]]


def _text(item: Any) -> str:
    if isinstance(item, Secret):
        item = item.value
    if isinstance(item, str):
        return bare(item[:_WORK])
    if isinstance(item, bool):
        return str(item).lower()
    if isinstance(item, int | float):
        return str(int(item)) if item == item and abs(item) < 1e15 and item == int(item) else str(item)
    return mark("")


def _expanded(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` and ``$$`` as the kubelet does."""

    def value(match: re.Match[str]) -> str:
        if match[1] is None:
            return "$"
        found = variables.get(match[1])
        return mark(match[0]) if found is None else found

    return _REFERENCE.sub(value, text)
