"""Stack files: ``Pulumi.<stack>.yaml``, read as the CLI reads them, without its secrets."""

from __future__ import annotations

import contextlib
import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inference.malformed import required_in
from inference.problems import Problem, ProblemsError
from inference.settings import NAMESPACE, SECTIONS
from inference.stackfile import load
from rehearsal import yamlfiles
from rehearsal.project import Project
from rehearsal.values import BLINDED, Secret, holds_secret, masked

__all__ = ["PLACEHOLDER", "StackFile", "locate", "read", "stack_of"]

PLACEHOLDER = "rehearsed-placeholder"
"""What stands in the place of every encrypted value: the rehearsal holds no key and needs none."""

_SAME_NAMESPACE = 0.8
"""How alike a namespace must be to ours to be taken for it (``difflib`` ratio)."""
_TOP = ("config", "encryptedkey", "encryptionsalt", "environment", "secretsprovider")


@dataclass(frozen=True, slots=True)
class StackFile:
    """The configuration of one stack."""

    stack: str
    source: str
    """What to call the file in messages."""
    config: Mapping[str, str]
    """Every value by full key, as Pulumi hands it to a program: objects, numbers and booleans as JSON."""
    secret_keys: frozenset[str]
    """Full keys whose value is or contains a secret."""
    shown: Mapping[str, str]
    """The configuration with secrets blinded."""
    sections: Mapping[str, object]
    """The sections of our own namespace, by key without it."""
    notes: tuple[str, ...] = ()
    """What the rehearsal cannot know about the stack."""
    text: str = ""
    """The file as it was read."""

    @property
    def encrypted(self) -> tuple[str, ...]:
        """The sections that hold a secret, by key as in ``sections``."""
        prefix = f"{NAMESPACE}:"
        return tuple(sorted(key.removeprefix(prefix) for key in self.secret_keys if key.startswith(prefix)))

    @contextlib.contextmanager
    def placed(self) -> Iterator[None]:
        """Name this file and the line in every problem with its settings that is raised inside."""
        try:
            yield
        except ProblemsError as error:
            raise ProblemsError(self.source, _placed(error.problems, self.text, self.source)) from None


def stack_of(path: Path) -> str:
    """Return the stack's name from the name of its file: ``Pulumi.dev.yaml`` and ``dev.yaml`` are both ``dev``."""
    stem = path.name.removesuffix(".yaml").removesuffix(".yml")
    return stem.removeprefix("Pulumi.") or stem


def locate(project: Project, stack: str) -> Path:
    """Return the file of a stack.

    Raises:
        ProblemsError: where there is none, with those that there are.
    """
    for ending in ("yaml", "yml"):
        path = project.root / f"Pulumi.{stack}.{ending}"
        if "/" not in stack and path.is_file():
            return path
    others = sorted(stack_of(path) for path in project.root.glob("Pulumi.*.y*ml"))
    nearest = difflib.get_close_matches(stack, others, 1)
    known = f"The stacks here are: {', '.join(others)}." if others else "There is no stack file here yet."
    remedy = f'Did you mean "{nearest[0]}"? {known}' if nearest else known
    shown = f"Pulumi.{stack}.yaml"
    raise ProblemsError(shown, [Problem(f"--stack {stack}", f"no {shown}", f'searched "{project.root.name}"', remedy)])


def read(path: Path, project: Project, stack: str, shown: str | None = None) -> StackFile:
    """Return the configuration of a stack.

    Args:
        path: the stack file.
        project: gives the namespace of bare keys, and values for keys that are left out.
        stack: name of the stack.
        shown: what to call the file in messages; its name where left out.

    Raises:
        ProblemsError: with every problem of the file's form.
    """
    shown = shown or path.name
    text = yamlfiles.read_text(path, shown)
    raw = yamlfiles.parse(text, shown)
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        problem = Problem(shown, f"is {_kind(raw)}", "a stack file is a map", "Write config: and the keys below it.")
        raise ProblemsError(shown, [problem])
    config = raw.get("config")
    problems = list(_top_problems(raw, shown))
    if config is not None and not isinstance(config, dict):
        why = "it maps keys to values"
        remedy = f"Write {NAMESPACE}:cluster: below it."
        problems.append(Problem(f"{shown}: config", f"is {_kind(config)}", why, remedy))
        raise ProblemsError(shown, problems)
    given = {project.qualified(key): _marked(value) for key, value in (config or {}).items()}
    problems += _key_problems(given, shown)
    values = {**project.defaults, **given}
    meant = {problem.remedy for problem in problems}
    problems += [
        Problem(f"{shown}: {key}", "missing", "Pulumi.yaml declares it without a default", _asked_for(key))
        for key in project.required
        if key not in values and key not in raw and _did_you_mean(key) not in meant
    ]
    if problems:
        problems += _problems_inside(given, project)
        raise ProblemsError(shown, _placed(problems, text, shown))
    prefix = f"{NAMESPACE}:"
    return StackFile(
        stack=stack,
        source=shown,
        config={key: _text(_revealed(value)) for key, value in values.items()},
        secret_keys=frozenset(key for key, value in values.items() if holds_secret(value)),
        shown={key: _text(masked(value)) for key, value in values.items()},
        sections={
            key.removeprefix(prefix): _revealed(value) for key, value in values.items() if key.startswith(prefix)
        },
        notes=tuple(_notes(raw)),
        text=text,
    )


def _placed(problems: Sequence[Problem], text: str, shown: str) -> list[Problem]:
    """Return problems with the line of the setting, or of the nearest one above it that is written."""
    known: dict[str, int] = {}
    for way, line in yamlfiles.lines(text).items():
        inside = way[1:] if way[:1] == ("config",) and len(way) > 1 else way
        known.setdefault(".".join((inside[0].removeprefix(f"{NAMESPACE}:"), *inside[1:])), line)
        known.setdefault(".".join((_meant(inside[0]), *inside[1:])), line)
    return [replace(problem, where=_with_line(problem.where, known, shown)) for problem in problems]


def _meant(key: str) -> str:
    """Return the section of ours that a key stands for, also where it is misspelled; empty for another's."""
    namespace, _, name = key.partition(":")
    nearest = difflib.get_close_matches(name, SECTIONS, 1)
    ours = difflib.get_close_matches(namespace, [NAMESPACE], 1, _SAME_NAMESPACE)
    return nearest[0] if nearest and ours else ""


def _with_line(where: str, known: Mapping[str, int], shown: str) -> str:
    if re.match(rf"{re.escape(shown)}(:\d|$)", where):
        return where
    path = where.removeprefix(f"{shown}: ")
    place = re.sub(r"\[(\d+)\]", r".\1", path.removeprefix(f"{NAMESPACE}:"))
    while place not in known and "." in place:
        place = place.rpartition(".")[0]
    return f"{shown}:{known[place]}: {path}" if place in known else f"{shown}: {path}"


def _problems_inside(values: Mapping[str, object], project: Project) -> list[Problem]:
    """Return what is wrong inside of the sections of a file whose form is wrong too, misspelled ones as meant."""
    if project.name != NAMESPACE:
        return []
    sections: dict[str, object] = {}
    for key, value in values.items():
        if (meant := _meant(key)) and not holds_secret(value):
            sections.setdefault(meant, _revealed(value))
    if "cluster" not in sections:
        # It is asked for already, and without it nothing can be told of the rest.
        return []
    try:
        load(sections, "", folder=project.root)
    except ProblemsError as error:
        return list(error.problems)
    return []


def _top_problems(raw: Mapping[str, object], shown: str) -> Iterator[Problem]:
    for key in raw:
        if key not in _TOP:
            if ":" in key or key in SECTIONS:
                remedy = "Indent it below config:."
            elif nearest := difflib.get_close_matches(key, _TOP, 1):
                remedy = f'Did you mean "{nearest[0]}"?'
            else:
                remedy = f"Remove it; known here: {', '.join(_TOP)}."
            yield Problem(f"{shown}: {key}", "unknown key", "Pulumi would pass over it in silence", remedy)


def _key_problems(given: Mapping[str, object], shown: str) -> Iterator[Problem]:
    for key in given:
        namespace, _, name = key.partition(":")
        if not namespace or not name or ":" in name:
            why = "a key has the form namespace:name"
            yield Problem(f"{shown}: {key}", "not a configuration key", why, f"Write {NAMESPACE}:<section>.")
        elif namespace == NAMESPACE and name not in SECTIONS:
            nearest = difflib.get_close_matches(name, SECTIONS, 1)
            known = f"The keys are: {', '.join(SECTIONS)}."
            remedy = _did_you_mean(f"{NAMESPACE}:{nearest[0]}") if nearest else known
            yield Problem(f"{shown}: {key}", f'unknown key "{name}"', "the project knows no such section", remedy)
        elif namespace != NAMESPACE and difflib.get_close_matches(namespace, [NAMESPACE], 1, _SAME_NAMESPACE):
            remedy = _did_you_mean(f"{NAMESPACE}:{name}")
            yield Problem(f"{shown}: {key}", f'unknown namespace "{namespace}"', "no program reads it", remedy)


def _did_you_mean(key: str) -> str:
    return f'Did you mean "{key}"?'


def _asked_for(key: str) -> str:
    """Return how a key is written that has to be there; of our own sections with the settings that it needs."""
    namespace, _, name = key.partition(":")
    needed = required_in(name) if namespace == NAMESPACE else ()
    return f"Write {key}: with {', '.join(needed)} below it." if needed else f"Write {key}: <value>."


def _notes(raw: Mapping[str, object]) -> Iterator[str]:
    if raw.get("environment"):
        yield "the stack imports Pulumi ESC environments; the rehearsal cannot read them and goes on without"


def _marked(value: object) -> object:
    """Return a value with each ``{secure: …}`` as a secret."""
    match value:
        case {"secure": str(), **rest} if not rest:
            return Secret(PLACEHOLDER)
        case dict():
            return {key: _marked(inner) for key, inner in value.items()}
        case list():
            return [_marked(inner) for inner in value]
        case _:
            return value


def _revealed(value: object) -> object:
    match value:
        case Secret():
            return value.value
        case dict():
            return {key: _revealed(inner) for key, inner in value.items()}
        case list():
            return [_revealed(inner) for inner in value]
        case _:
            return value


def _text(value: object) -> str:
    """Return a value as the CLI passes it."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case int() | float():
            return str(value)
        case _:
            return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _kind(value: object) -> str:
    match value:
        case list():
            return "a list"
        case str():
            return f'the text "{value[:40]}"'
        case _:
            return f"the value {BLINDED if isinstance(value, Secret) else value}"
