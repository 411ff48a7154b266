"""What the policy packs say about a plan: asked over the same messages that the engine sends them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from google.protobuf import empty_pb2
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from rehearsal import wire
from rehearsal.plan import Plan, ResourceState
from rehearsal.urns import parse, reference

__all__ = ["Analyzer", "Finding", "Verdict", "configuration", "judge", "stack_resource"]


class Analyzer(Protocol):
    """A policy pack, in this process or behind a connection."""

    def Analyze(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's names
        """Judge one resource's inputs."""
        ...

    def AnalyzeStack(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Judge all resources' outputs."""
        ...

    def GetAnalyzerInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Describe the pack."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """A policy is violated."""

    policy: str
    pack: str
    level: str
    """``mandatory`` or ``advisory``."""
    severity: str
    """``critical``, ``high``, ``medium``, ``low``, or empty."""
    urn: str
    """The resource; empty where it is the stack."""
    message: str
    """What is wrong."""
    description: str = ""
    """What the policy demands."""
    remedy: str = ""
    """What the pack recommends; empty where it does not say."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything that the packs found."""

    findings: tuple[Finding, ...] = ()
    packs: tuple[str, ...] = ()
    """Names of the packs that were asked."""
    policies: int = 0
    """How many policies they hold; 0 where a pack does not tell."""

    @property
    def violated(self) -> bool:
        """Whether a mandatory policy is violated."""
        return any(finding.level == "mandatory" for finding in self.findings)

    def __add__(self, other: Verdict) -> Verdict:
        return Verdict(self.findings + other.findings, self.packs + other.packs, self.policies + other.policies)


_LEVELS = {0: "advisory", 1: "mandatory", 2: "disabled", 3: "mandatory"}
_SEVERITIES = {0: "", 1: "low", 2: "medium", 3: "high", 4: "critical"}


def judge(plan: Plan, analyzer: Analyzer, name: str = "") -> Verdict:
    """Ask a pack about every resource, and about the stack as a whole."""
    if isinstance(analyzer, analyzer_pb2_grpc.AnalyzerServicer):
        analyzer.ConfigureStack(configuration(plan), None)  # type: ignore[arg-type] # there is no connection
    if hasattr(analyzer, "recall"):
        analyzer.recall.retained = frozenset(state.urn for state in plan if state.options.retain_on_delete)
    info = _information(analyzer)
    policies = {policy.name: policy for policy in info.policies} if info else {}
    found = [
        _finding(diagnostic, plan, state.urn, policies)
        for state in plan
        for diagnostic in analyzer.Analyze(_resource_request(state, plan), None).diagnostics
    ]
    request = analyzer_pb2.AnalyzeStackRequest(resources=[stack_resource(state, plan) for state in plan])
    found += [_finding(entry, plan, "", policies) for entry in analyzer.AnalyzeStack(request, None).diagnostics]
    pack = name or (info.name if info else "") or "policies"
    return Verdict(tuple(dict.fromkeys(found)), (pack,), len(policies))


def configuration(plan: Plan) -> Any:
    """Return what the engine tells a pack of the stack, its configuration above all; secrets are blinded."""
    return analyzer_pb2.AnalyzerStackConfigureRequest(dry_run=True, config=dict(plan.config))


def _information(analyzer: Analyzer) -> Any:
    describe = getattr(analyzer, "GetAnalyzerInfo", None)
    if describe is None:
        return None
    return describe(empty_pb2.Empty(), None)


def _finding(diagnostic: Any, plan: Plan, urn: str, policies: Mapping[str, Any]) -> Finding:
    about = policies.get(diagnostic.policyName)
    severity = diagnostic.severity or (about.severity if about else 0)
    return Finding(
        policy=diagnostic.policyName,
        pack=diagnostic.policyPackName,
        level=_LEVELS.get(diagnostic.enforcementLevel, "advisory"),
        severity=_SEVERITIES.get(severity, ""),
        urn=diagnostic.urn or urn,
        message=plan.blind(_without_description(diagnostic.message, diagnostic.description)),
        description=diagnostic.description,
        remedy=about.remediation_steps if about else "",
    )


def _without_description(message: str, description: str) -> str:
    """Return a message without the policy's description, which the policy SDK writes above each."""
    return message.removeprefix(f"{description}\n").strip() or description


def _resource_request(state: ResourceState, plan: Plan) -> Any:
    return analyzer_pb2.AnalyzeRequest(
        urn=state.urn,
        type=state.type,
        name=state.name,
        properties=wire.without_internals(state.wire.inputs if state.wire else wire.encode(state.inputs)),
        options=_options(state),
        provider=_provider(state, plan),
    )


def stack_resource(state: ResourceState, plan: Plan) -> Any:
    """Return the message that describes a resource of a stack to a policy pack."""
    return analyzer_pb2.AnalyzerResource(
        urn=state.urn,
        type=state.type,
        name=state.name,
        properties=_after(state),
        options=_options(state),
        provider=_provider(state, plan),
        parent=state.parent,
        dependencies=state.dependencies,
        propertyDependencies={
            key: analyzer_pb2.AnalyzerPropertyDependencies(urns=urns)
            for key, urns in state.property_dependencies.items()
            if urns
        },
    )


def _after(state: ResourceState) -> Struct:
    """Return the outputs; a plan that was read from a digest has none, and its inputs come nearest."""
    if state.wire:
        return wire.without_internals(state.wire.outputs)
    if state.outputs or not state.custom:
        return wire.encode(state.outputs)
    return wire.without_internals(wire.encode(state.inputs))


def _options(state: ResourceState) -> Any:
    options = state.options
    return analyzer_pb2.AnalyzerResourceOptions(
        protect=state.protect,
        ignoreChanges=options.ignore_changes,
        deleteBeforeReplace=bool(options.delete_before_replace),
        deleteBeforeReplaceDefined=options.delete_before_replace is not None,
        additionalSecretOutputs=options.additional_secret_outputs,
        aliases=options.aliases,
        customTimeouts=analyzer_pb2.AnalyzerResourceOptions.CustomTimeouts(
            create=options.timeouts.create, update=options.timeouts.update, delete=options.timeouts.delete
        ),
        parent=state.parent,
    )


def _provider(state: ResourceState, plan: Plan) -> Any:
    urn = reference(state.provider)
    if not urn:
        return None
    provider = plan.by_urn.get(urn)
    if provider is None:
        # The engine's own digest leaves default providers out; the reference alone tells which one it is.
        try:
            return analyzer_pb2.AnalyzerProviderResource(urn=urn, type=parse(urn).type, name=parse(urn).name)
        except ValueError:
            return None
    properties = provider.wire.inputs if provider.wire else wire.encode(provider.inputs)
    return analyzer_pb2.AnalyzerProviderResource(
        urn=provider.urn, type=provider.type, name=provider.name, properties=wire.without_internals(properties)
    )
