"""Each rule as a Pulumi policy of its own name, so that a team can set its level and parameters.

The policies work under the policy SDK's own loop; ``policies.servicer`` judges the same rules faster.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from inference.rules.framework import Finding, Rule
from inference.rules.judging import Broken, Judge
from inference.rules.registry import RULES
from policies.arguments import resource_of, stack_of
from policies.parameters import completed, parameters_of, settings_of, typed

__all__ = ["NAME", "ResourceRule", "StackRule", "apology", "description", "policies", "stack_settings", "version"]

NAME = "gke-inference"
"""Name of the policy pack."""

_PROJECT = Path(__file__).with_name("PulumiPolicy.yaml")
_log = logging.getLogger(__name__)


def version() -> str:
    """Return the version of the policy pack."""
    return str(yaml.safe_load(_PROJECT.read_text())["version"])


def policies(rules: Iterable[Rule]) -> list[ResourceRule | StackRule]:
    """Return one policy for each rule, in their order.

    Raises:
        TypeError: two rules have one name, or a rule has a parameter that no configuration can express.

    """
    kept = tuple(rules)
    names = [rule.name for rule in kept]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise TypeError(f"two rules of one name: {', '.join(twice)}")
    return [StackRule(rule) if rule.about_stack else ResourceRule(rule) for rule in kept]


def stack_settings(config: Mapping[str, str]) -> dict[str, Any]:
    """Return what a stack's own configuration tells the rules: objects of the project's namespace, by key.

    What is no JSON is left out: a blinded secret, or a plain text that somebody else reads.
    """
    found = {}
    for key in settings_of(RULES):
        with suppress(ValueError, RecursionError):
            found[key] = json.loads(config.get(f"{NAME}:{key}", ""))
    return found


def description(rule: Rule) -> str:
    """Return the requirement and what breaks without it: the first lines of every violation."""
    return f"{rule.title.rstrip('.')}. {rule.breaks}"


def apology(broken: Broken) -> str:
    """Return what a user reads when a rule failed itself."""
    place = f" on {broken.urn}" if broken.urn else ""
    return (
        f"The rule {broken.rule.name} itself failed{place} ({broken.error}), so nothing was found out about what it "
        "requires; no other rule is affected. Report this with the traceback in the log of the policy pack."
    )


class ResourceRule(ResourceValidationPolicy):  # type: ignore[misc] # the policy SDK has no types
    """A rule about one resource."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(**_metadata(rule))
        self.rule = rule

    def validate(self, args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        """Judge one resource of the SDK's loop."""
        for _, message in _settled(
            self.rule, args, lambda judge, *, secret: judge.resource(resource_of(args, secret=secret))
        ):
            report_violation(message, None)


class StackRule(StackValidationPolicy):  # type: ignore[misc] # the policy SDK has no types
    """A rule about the relations between resources."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(**_metadata(rule))
        self.rule = rule

    def validate(self, args: StackValidationArgs, report_violation: ReportViolation) -> None:
        """Judge the stack of the SDK's loop."""
        for urn, message in _settled(
            self.rule, args, lambda judge, *, secret: judge.stack(stack_of(args, secret=secret))
        ):
            report_violation(message, urn)


class _RuleFailedError(UnknownValueError):  # type: ignore[misc] # the policy SDK has no types
    """The one exception that the SDK's loop turns into an advisory note instead of ending the whole analysis."""

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)
        self.message = message


def _settled(
    rule: Rule,
    args: ResourceValidationArgs | StackValidationArgs,
    judge: Callable[..., Iterable[Finding | Broken]],
) -> list[tuple[str, str]]:
    """Return URN and message of what is found whether or not anything is secret."""
    given = completed(rule, args.get_config() or {}, stack_settings(pulumi.runtime.get_config_env()))
    judge_of_one = Judge((rule,), {rule.name: typed(rule, given)})
    readings: list[list[tuple[str, str]]] = []
    for secret in (False, True):
        found: list[tuple[str, str]] = []
        for verdict in judge(judge_of_one, secret=secret):
            if isinstance(verdict, Broken):
                _log.error("%s\n%s", apology(verdict), verdict.trace)
                raise _RuleFailedError(apology(verdict))
            found.append((verdict.urn, verdict.message))
        readings.append(found)
    plain, veiled = readings
    return [one for one in plain if one in veiled]


def _metadata(rule: Rule) -> dict[str, Any]:
    schema = {parameter.name: parameter.schema for parameter in parameters_of(rule)}
    return {
        "name": rule.name,
        "description": description(rule),
        "enforcement_level": EnforcementLevel(rule.level.value),
        "config_schema": PolicyConfigSchema(schema) if schema else None,
        "display_name": rule.title,
        "severity": Severity(rule.severity.value),
        "tags": [*rule.covers, rule.area],
        "remediation_steps": rule.fix,
        "url": rule.source,
    }
