"""Answers the engine: decodes each request once and offers each resource only to the rules for its type.

The policy SDK decodes a resource again for every policy, which makes a large pack slow beyond use. This servicer
overrides its two calls that analyze and leaves all else to it.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pulumi
import pulumi_policy.policy as sdk
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2

from inference.problems import Problem, ProblemsError
from inference.rules.framework import Finding, Rule
from inference.rules.judging import Broken, Judge
from inference.rules.registry import RULES
from policies import configuration as policy_configuration
from policies.compatibility import CLASS, differences
from policies.pack import NAME, ResourceRule, StackRule, apology, description, policies, stack_settings, version
from policies.parameters import completed, typed
from policies.recall import Recall
from policies.secrecy import masker

__all__ = ["Servicer", "in_process_servicer", "install", "servicer_class"]

_log = logging.getLogger(__name__)
_Base: Any = getattr(sdk, CLASS, object)

Verdict = Finding | Broken


class Servicer(_Base):  # type: ignore[misc] # the policy SDK has no types
    """The SDK's servicer with a faster ``Analyze`` and ``AnalyzeStack``."""

    def __init__(
        self,
        name: str,
        version: str,
        policies: list[ResourceRule | StackRule],
        enforcement_level: sdk.EnforcementLevel,
        *metadata: Any,
    ) -> None:
        super().__init__(name, version, policies, enforcement_level, *metadata)
        self._policy_of = {policy.name: policy for policy in policies}
        self._levels: dict[str, sdk.EnforcementLevel] = {}
        self._settings = stack_settings(pulumi.runtime.get_config_env())
        self._judge = self._configured_judge()
        self._traces: set[str] = set()
        self.recall = Recall()

    def Configure(self, request: analyzer_pb2.ConfigureAnalyzerRequest, _context: Any) -> Any:  # noqa: N802
        """Take over levels and parameters.

        Raises:
            ProblemsError: a parameter does not fit its rule; the engine shows it and stops.

        """
        answer = super().Configure(request, _context)
        self._judge = self._configured_judge()
        for name in request.policyConfig:
            if name not in self._policy_of and name != "all":
                _log.warning("The policy configuration sets %s, which is no policy of this pack: no effect", name)
        return answer

    def ConfigureStack(self, request: analyzer_pb2.AnalyzerStackConfigureRequest, _context: Any) -> Any:  # noqa: N802
        """Take over what the stack's own configuration says of its policies."""
        answer = super().ConfigureStack(request, _context)
        found = stack_settings(request.config)
        if found != self._settings:
            self._settings = found
            self._judge = self._configured_judge()
        return answer

    def Analyze(self, request: analyzer_pb2.AnalyzeRequest, _context: Any) -> analyzer_pb2.AnalyzeResponse:  # noqa: N802
        """Judge one resource."""
        response = analyzer_pb2.AnalyzeResponse()
        judge = self._judge
        if not judge.concerns(request.type):
            self.recall.note(request)
        else:
            with _collector_at_rest():
                mask = masker((request,))
                for verdict in judge.resource(self.recall.alone(request)):
                    self._report(response, verdict, mask, urn=None)
            gc.freeze()  # what was read stays until the stack is judged; no collection need visit it before
        return response

    def AnalyzeStack(self, request: analyzer_pb2.AnalyzeStackRequest, _context: Any) -> analyzer_pb2.AnalyzeResponse:  # noqa: N802
        """Judge the relations between all resources."""
        response = analyzer_pb2.AnalyzeResponse()
        if self._judges_stacks:
            with _collector_at_rest():
                stack = self.recall.together(request.resources)
                mask = masker(request.resources)
                for verdict in self._judge.stack(stack):
                    self._report(response, verdict, mask, urn=verdict.urn or None)
        gc.unfreeze()
        return response

    def Cancel(self, _request: Any, _context: Any) -> empty_pb2.Empty:  # noqa: N802
        """Take note of the engine's end; the SDK leaves it out, and the engine would show a traceback in every run."""
        return empty_pb2.Empty()

    @property
    def _judges_stacks(self) -> bool:
        return any(self._policy_of[name].rule.about_stack for name in self._levels)

    def _configured_judge(self) -> Judge:
        levels: dict[str, sdk.EnforcementLevel] = {}
        parameters: dict[str, dict[str, Any]] = {}
        problems: list[Problem] = []
        for name, policy in self._policy_of.items():
            level = self._get_enforcement_level(policy)
            if level == sdk.EnforcementLevel.DISABLED:
                continue
            remedies = level == sdk.EnforcementLevel.REMEDIATE
            levels[name] = sdk.EnforcementLevel.MANDATORY if remedies else level
            given = dict(sorted((self._get_policy_config(name) or {}).items()))
            problems.extend(policy_configuration.check_parameters(policy.rule, given))
            parameters[name] = typed(policy.rule, completed(policy.rule, given, self._settings))
        if problems:
            raise ProblemsError("policy configuration", problems)
        self._levels = levels
        return Judge((self._policy_of[name].rule for name in levels), parameters)

    def _report(
        self,
        response: analyzer_pb2.AnalyzeResponse,
        verdict: Verdict,
        mask: Callable[[str], str],
        *,
        urn: str | None,
    ) -> None:
        rule = verdict.rule
        if isinstance(verdict, Broken):
            level, message = sdk.EnforcementLevel.ADVISORY, apology(verdict)
            self._log_once(mask(f"{message}\n{verdict.trace}"), verdict.trace)
        else:
            level, message = self._levels[rule.name], verdict.message
        severity = self._policy_of[rule.name].severity
        report = self._create_report_violation(response, rule.name, description(rule), level, severity)
        report(mask(message), urn)

    def _log_once(self, text: str, trace: str) -> None:
        if trace not in self._traces:
            self._traces.add(trace)
            _log.error("%s", text)


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keep the garbage collector from visiting a large stack again and again while it grows.

    Ten thousand resources become millions of containers that all live until the program is judged; visiting them adds
    half to the time.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def servicer_class() -> Any:
    """Return the class that answers the engine: ``Servicer``, or the SDK's own where the SDK has changed.

    Raises:
        RuntimeError: the SDK has no such class any more.

    """
    if missing := differences(sdk):
        _log.warning(
            "The policy SDK differs from the one this pack knows (%s); its own, slower loop judges instead. "
            "Install the version of pulumi-policy that requirements.txt names.",
            "; ".join(missing),
        )
        if not hasattr(sdk, CLASS):
            raise RuntimeError(f"this version of pulumi-policy has no {CLASS}; nothing can judge within this process")
        return getattr(sdk, CLASS)
    return Servicer


def install() -> None:
    """Make every ``PolicyPack`` of this process serve with ``Servicer``, unless the SDK has changed."""
    with suppress(RuntimeError):
        setattr(sdk, CLASS, servicer_class())


def in_process_servicer(configuration: Mapping[str, Any] | None = None, rules: Iterable[Rule] = RULES) -> Any:
    """Return a servicer that answers ``Analyze(request, None)`` and ``AnalyzeStack(request, None)`` without serving.

    ``configuration`` is what a policy configuration file holds; it is reconciled with the defaults of the rules as
    the engine does it.

    Raises:
        ProblemsError: everything that is wrong with the configuration.

    """
    kept = tuple(rules)
    given = configuration or {}
    if problems := policy_configuration.check(given, kept):
        raise ProblemsError("policy configuration", problems)
    servicer = servicer_class()(NAME, version(), policies(kept), sdk.EnforcementLevel.ADVISORY)
    servicer.Configure(policy_configuration.request(given, kept), None)
    return servicer
