"""Programs that only start another program, and how each of them spells that."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from inference.rules.views._shell_words import Word, bare, word

__all__ = ["SHELLS", "shell_call", "unwrapped"]

SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox"})
"""Programs that read scripts."""


@dataclass(frozen=True, slots=True)
class _Wrapper:
    valued: str = ""
    """Options that take the next word as their value, separated by blanks."""
    operands: int = 0
    """Words between the options and the program."""
    assigns: bool = False
    """Whether ``NAME=value`` may come before the program."""


_WRAPPERS = {
    "exec": _Wrapper("-a"),
    "command": _Wrapper(),
    "builtin": _Wrapper(),
    "nohup": _Wrapper(),
    "setsid": _Wrapper(),
    "time": _Wrapper("-f -o --format --output"),
    "env": _Wrapper("-u -C --unset --chdir", assigns=True),
    "sudo": _Wrapper("-u -g -h -p -C -r -t -T -U -D -R --user --group --chdir", assigns=True),
    "timeout": _Wrapper("-s -k --signal --kill-after", operands=1),
    "nice": _Wrapper("-n --adjustment"),
    "ionice": _Wrapper("-c -n --class --classdata"),
    "chrt": _Wrapper(operands=1),
    "taskset": _Wrapper(operands=1),
    "stdbuf": _Wrapper("-i -o -e --input --output --error"),
    "numactl": _Wrapper("-i -p -m -N -C --interleave --preferred --membind --cpunodebind --physcpubind"),
    "tini": _Wrapper("-p -e"),
    "dumb-init": _Wrapper("-r --rewrite"),
    "catatonit": _Wrapper(),
    "docker-init": _Wrapper("-p -e"),
    "gosu": _Wrapper(operands=1),
    "su-exec": _Wrapper(operands=1),
    "runuser": _Wrapper("-u -g -G --user --group"),
    "chroot": _Wrapper(operands=1),
    "flock": _Wrapper("-w -E --timeout", operands=1),
}
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_SPLITS = ("-S", "--split-string", "-vS")


def unwrapped(
    argv: list[str], own: dict[str, Word], wrappers: tuple[str, ...]
) -> tuple[list[str], dict[str, Word], tuple[str, ...]]:
    """Return the program that is run in the end, the variables set for it, and what starts it."""
    while argv:
        name = bare(argv[0]).rsplit("/", 1)[-1]
        wrapper = _WRAPPERS.get(name)
        if wrapper is None or (name == "command" and len(argv) > 1 and argv[1] in ("-v", "-V")) or len(wrappers) > 10:
            break
        own = dict(own)
        argv = _inside(argv, wrapper, own)
        wrappers = (*wrappers, name)
    return argv, own, wrappers


def _inside(argv: list[str], wrapper: _Wrapper, own: dict[str, Word]) -> list[str]:
    valued = wrapper.valued.split()
    at = 1
    while at < len(argv):
        option = argv[at]
        if option == "--":
            at += 1
            break
        if wrapper.assigns and option in _SPLITS:
            return [*argv[:1], *_words("".join(argv[at + 1 : at + 2])), *argv[at + 2 :]]
        match = _ASSIGNMENT.fullmatch(option) if wrapper.assigns else None
        if match is not None:
            own[match[1]] = word(match[2])
        elif not option.startswith("-"):
            break
        at += 2 if option in valued else 1
    return argv[at + wrapper.operands :]


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text[:10_000])
    except ValueError:
        return text.split()


def shell_call(argv: Sequence[str]) -> tuple[str, list[str]] | None:
    """Return the script on the command line of a shell, with ``$0``, ``$1`` …; none where the shell reads a file."""
    at, takes_script = 1, False
    while at < len(argv):
        option = bare(argv[at])
        if option in SHELLS and at == 1:
            pass
        elif option in ("--", "-") and takes_script:
            at += 1
            break
        elif option == "--command":
            takes_script = True
        elif option in ("--rcfile", "--init-file"):
            at += 1
        elif option[:1] in ("-", "+") and not option.startswith("--"):
            takes_script = takes_script or ("c" in option and option.startswith("-"))
            at += option[-1:] in ("o", "O")
        elif not option.startswith("--") and not (argv[0].endswith("su") and not takes_script):
            break
        at += 1
    return (argv[at], list(argv[at + 1 :])) if takes_script and at < len(argv) else None
