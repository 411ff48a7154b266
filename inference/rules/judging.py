"""Applies rules to resources: each rule sees only what concerns it, and one that crashes hides no other."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from inference.rules.framework import About, Check, Finding, Rule
from inference.rules.views.completed import completed
from inference.rules.views.rendered import JUDGED, RENDERED, rendered
from inference.rules.views.resources import Resource, Subject
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


@dataclass(frozen=True, slots=True)
class _Group:
    """The rules that judge the same views of a resource, which are made once for all of them."""

    make: Callable[[Resource], Sequence[Subject]]
    checks: tuple[tuple[Rule, Check], ...]


class Judge:
    """Rules with their configuration, ready to be applied.

    Raises:
        ValueError: the configuration names a parameter that a rule does not have.
    """

    def __init__(self, rules: Iterable[Rule], configuration: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        given = configuration or {}
        self._rules = tuple(rules)
        self._checks = {rule.name: rule.bound(given.get(rule.name, {})) for rule in self._rules}
        self._position = {rule.name: position for position, rule in enumerate(self._rules)}
        self._stack_rules = tuple(rule for rule in self._rules if rule.about_stack)
        self._for_type: dict[str, tuple[_Group, ...]] = {}

    def concerns(self, token: str) -> bool:
        """Whether any rule judges single resources of a type."""
        return bool(self._groups(token))

    def rules_for(self, token: str) -> tuple[Rule, ...]:
        """Return the rules that may concern resources of a type."""
        return tuple(rule for group in self._groups(token) for rule, _ in group.checks)

    def _groups(self, token: str) -> tuple[_Group, ...]:
        if token not in self._for_type:
            found: dict[type[Subject], list[tuple[Rule, Check]]] = {}
            for rule in self._rules:
                if rule.subject is not None and token.startswith(rule.subject.types):
                    found.setdefault(rule.subject, []).append((rule, self._checks[rule.name]))
            self._for_type[token] = tuple(_Group(subject.of, tuple(checks)) for subject, checks in found.items())
        return self._for_type[token]

    def resource(self, resource: Resource) -> Iterator[Finding | Broken]:
        """Judge one resource by itself; the findings come in the order of the rules."""
        found: list[Finding | Broken] = []
        for group in self._groups(resource.type):
            try:
                subjects = resource.view(group.make)
            except Exception as error:  # noqa: BLE001 - a view that fails leaves its rules without a verdict
                found += [_broken(rule, resource.urn, error) for rule, _ in group.checks]
                continue
            if not subjects:
                continue
            for rule, check in group.checks:
                sentences: list[str] = []
                try:
                    for subject in subjects:
                        sentences += check(subject)
                except Exception as error:  # noqa: BLE001 - a rule's failure is its own finding
                    found.append(_broken(rule, resource.urn, error))
                    continue
                if sentences:
                    found += [Finding(rule, resource.urn, sentence) for sentence in dict.fromkeys(sentences)]
        if resource.type.startswith(RENDERED):
            found += self._rendered(resource)
        if len(found) > 1:
            found.sort(key=lambda verdict: self._position[verdict.rule.name])
        yield from found

    def _rendered(self, resource: Resource) -> Iterator[Finding | Broken]:
        """Judge what a chart or an operator makes of a resource."""
        try:
            workloads = rendered(resource)
        except Exception as error:  # noqa: BLE001 - without it the rules about servers have no verdict
            yield from (_broken(rule, resource.urn, error) for rule in self._rules if rule.area in JUDGED)
        else:
            for workload in workloads:
                yield from (verdict for verdict in self.resource(workload) if verdict.rule.area in JUDGED)

    def stack(self, stack: Stack) -> Iterator[Finding | Broken]:
        """Judge the relations between the resources of a program."""
        for rule in self._stack_rules:
            yield from self._apply_to_stack(rule, stack)
        for urn, inside in stack.inlined.items():
            for verdict in self.resource(inside):
                if not verdict.rule.needs_program:
                    yield replace(verdict, urn=stack.shown(urn))
        yield from self._completed(stack)

    def _completed(self, stack: Stack) -> Iterator[Finding | Broken]:
        """Judge workloads again that other resources complete; what they are found guilty of alone is told already."""
        try:
            pairs = completed(stack)
        except Exception as error:  # noqa: BLE001 - without it the rules about servers have no verdict
            yield from (_broken(rule, "", error) for rule in self._rules if rule.area in JUDGED)
        else:
            for alone, workload in pairs:
                known = set(self.resource(alone))
                for verdict in self.resource(workload):
                    if verdict not in known:
                        yield replace(verdict, urn=stack.shown(verdict.urn))

    def _apply_to_stack(self, rule: Rule, stack: Stack) -> Iterator[Finding | Broken]:
        try:
            found = [
                Finding(rule, stack.shown(about.resource.urn), about.message)
                for about in self._checks[rule.name](stack)
                if isinstance(about, About)
            ]
        except Exception as error:  # noqa: BLE001 - a rule's failure is its own finding
            yield _broken(rule, "", error)
        else:
            yield from dict.fromkeys(found)


def _broken(rule: Rule, urn: str, error: Exception) -> Broken:
    return Broken(rule, urn, f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error)))
