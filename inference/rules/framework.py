"""What a rule is: a pure function with the knowledge that makes its verdict useful."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Any

from inference.rules.views.resources import Resource, Subject

__all__ = ["About", "Finding", "Level", "Rule", "Severity", "rule"]


class Severity(StrEnum):
    """What a violation costs."""

    CRITICAL = "critical"
    """Nothing works, data or scarce capacity is lost, or a credential leaks."""
    HIGH = "high"
    """The deployment fails, or accelerators run and serve nobody."""
    MEDIUM = "medium"
    """It runs, slower, dearer or less safely than it should."""
    LOW = "low"
    """It will cost somebody an hour one day."""


class Level(StrEnum):
    """What a violation does to a deployment, unless the policy configuration says otherwise."""

    MANDATORY = "mandatory"
    ADVISORY = "advisory"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class About:
    """A sentence about one resource of a stack."""

    resource: Resource
    message: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A violation."""

    rule: Rule
    urn: str
    message: str


Check = Callable[..., Iterable[Any]]

_NAME = re.compile(r"^[a-z][a-z0-9]*(-[a-z0-9]+){2,}$")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``name`` is ``<area>-<subject>-<requirement>`` and is the name of the Pulumi policy."""

    name: str
    title: str
    """The requirement as one sentence."""
    breaks: str
    """What goes wrong in a cluster when it is violated, and how that shows."""
    fix: str
    """What to do."""
    source: str
    """Where the fact comes from: a URL."""
    severity: Severity
    level: Level
    covers: tuple[str, ...]
    """Identifiers of known failure modes that the rule catches."""
    subject: type[Subject] | None
    """What the rule judges of a resource; ``None`` for a rule about the whole stack."""
    check: Check
    parameters: type[Any] | None = None
    """Frozen dataclass of what a team may set in the policy configuration; every field has a default."""
    needs_program: bool = False
    """Whether it judges what only a program tells: dependencies, providers, options. Manifests alone tell none."""

    @property
    def area(self) -> str:
        """Module that holds the rule: its concern."""
        return self.check.__module__.rsplit(".", 1)[-1]

    @property
    def about_stack(self) -> bool:
        """Whether the rule needs the whole stack."""
        return self.subject is None

    def bound(self, configuration: Mapping[str, Any]) -> Check:
        """Return the check with its parameters from ``configured``: what is left to give is the subject.

        Raises:
            ValueError: as ``configured`` does.

        """
        parameters = self.configured(configuration)
        if self.parameters is None:
            return self.check
        return lambda subject: self.check(subject, parameters)

    def configured(self, configuration: Mapping[str, Any]) -> Any:
        """Return the parameters, defaults filled in.

        Raises:
            ValueError: an unknown parameter, or parameters for a rule that takes none.

        """
        known = {f.name for f in fields(self.parameters)} if self.parameters else set()
        renamed = {_snake(key): value for key, value in configuration.items() if key != "enforcementLevel"}
        if strange := sorted(set(renamed) - known):
            offered = ", ".join(sorted(known)) or "none"
            raise ValueError(f"policy {self.name}: no parameter {', '.join(strange)}; it takes: {offered}")
        if self.parameters is None:
            return None
        return self.parameters(**{k: tuple(v) if isinstance(v, list) else v for k, v in renamed.items()})


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match.group(1).lower(), name)


def rule(
    name: str,
    *,
    title: str,
    breaks: str,
    fix: str,
    source: str,
    severity: Severity,
    covers: tuple[str, ...] = (),
    level: Level = Level.MANDATORY,
    on: type[Subject] | None = None,
    parameters: type[Any] | None = None,
    needs_program: bool = False,
) -> Callable[[Check], Rule]:
    """Make a rule of a check.

    A check on a view of one resource (``on`` given) yields sentences about it; a check on the stack yields
    ``About(resource, sentence)``.

    Raises:
        TypeError: the rule's own definition is wrong.

    """
    if not _NAME.match(name):
        raise TypeError(f"rule name {name!r} is not <area>-<subject>-<requirement> in kebab-case")
    if parameters is not None and not is_dataclass(parameters):
        raise TypeError(f"rule {name}: parameters must be a dataclass")

    def make(check: Check) -> Rule:
        return Rule(name, title, breaks, fix, source, severity, level, covers, on, check, parameters, needs_program)

    return make
