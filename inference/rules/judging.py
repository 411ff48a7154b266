"""Applies rules to resources: each rule sees only what concerns it, and one that crashes hides no other."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from inference.rules.framework import About, Finding, Rule
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack

__all__ = ["Broken", "Judge"]


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that failed itself; its verdict on the resource is missing."""

    rule: Rule
    urn: str
    error: str
    """The exception in one line."""
    trace: str
    """The traceback."""


class Judge:
    """Rules with their configuration, ready to be applied.

    Raises:
        ValueError: the configuration names a parameter that a rule does not have.
    """

    def __init__(self, rules: Iterable[Rule], configuration: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        given = configuration or {}
        self._rules = tuple(rules)
        self._parameters = {r.name: r.configured(given.get(r.name, {})) for r in self._rules if r.parameters}
        self._stack_rules = tuple(rule for rule in self._rules if rule.about_stack)
        self._for_type: dict[str, tuple[Rule, ...]] = {}

    def rules_for(self, token: str) -> tuple[Rule, ...]:
        """Return the rules that may concern resources of a type."""
        if token not in self._for_type:
            self._for_type[token] = tuple(
                rule for rule in self._rules if rule.subject is not None and token.startswith(rule.subject.types)
            )
        return self._for_type[token]

    def resource(self, resource: Resource) -> Iterator[Finding | Broken]:
        """Judge one resource by itself."""
        for rule in self.rules_for(resource.type):
            yield from self._apply(rule, resource)

    def stack(self, stack: Stack) -> Iterator[Finding | Broken]:
        """Judge the relations between the resources of a program."""
        for rule in self._stack_rules:
            yield from self._apply_to_stack(rule, stack)

    def _apply(self, rule: Rule, resource: Resource) -> Iterator[Finding | Broken]:
        assert rule.subject is not None  # noqa: S101 - rules_for selects by it
        try:
            found = [
                Finding(rule, resource.urn, sentence)
                for subject in resource.view(rule.subject.of)
                for sentence in rule.judge(subject, self._parameters.get(rule.name))
            ]
        except Exception as error:  # noqa: BLE001 - a rule's failure is its own finding
            yield _broken(rule, resource.urn, error)
        else:
            yield from dict.fromkeys(found)

    def _apply_to_stack(self, rule: Rule, stack: Stack) -> Iterator[Finding | Broken]:
        try:
            found = [
                Finding(rule, about.resource.urn, about.message)
                for about in rule.judge(stack, self._parameters.get(rule.name))
                if isinstance(about, About)
            ]
        except Exception as error:  # noqa: BLE001 - a rule's failure is its own finding
            yield _broken(rule, "", error)
        else:
            yield from dict.fromkeys(found)


def _broken(rule: Rule, urn: str, error: Exception) -> Broken:
    return Broken(rule, urn, f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error)))
