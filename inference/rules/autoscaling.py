"""Autoscalers as objects: what they scale has to exist, and their bounds have to make sense.

By which metric a model server scales is a matter of observability; whether the pools have room is one of scaling.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from inference.rules.framework import About, Severity, rule
from inference.rules.views.autoscalers import Autoscaler
from inference.rules.views.installers import may_bring
from inference.rules.views.kubernetes import group_of
from inference.rules.views.stack import Stack

_HPA = "https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/"
_KINDS = {"Deployment": "apps", "StatefulSet": "apps", "LeaderWorkerSet": "leaderworkerset.x-k8s.io"}
"""Kinds that are scaled, and their groups."""
_LONGEST_NAME = 254
_MOST_NAMES = 50
"""Names that are compared letter by letter."""


@rule(
    "autoscaling-bounds-in-order",
    title="An autoscaler keeps no more replicas at the least than at the most",
    breaks="The API server refuses a HorizontalPodAutoscaler ('must be greater than or equal to minReplicas'); KEDA "
    "accepts the object and makes no autoscaler of it.",
    fix="Set the minimum to at most the maximum, and the maximum to at least one.",
    source=_HPA,
    severity=Severity.HIGH,
    on=Autoscaler,
)
def bounds_in_order(scaler: Autoscaler) -> Iterator[str]:
    least, most = scaler.least, scaler.most
    if least is not None and most is not None and least > most:
        yield (
            f"{scaler} keeps at least {least} and at most {most} replicas, so it is refused. Set the minimum to {most} "
            "or less, or raise the maximum."
        )


@rule(
    "autoscaling-target-exists",
    title="An autoscaler names a workload that exists",
    breaks="'FailedGetScale … not found' in its events, and replicas never change: requests queue "
    "at the peak, and accelerators idle at night.",
    fix="Set scaleTargetRef to kind, apiVersion and name of the workload, and declare both in the same namespace.",
    source=_HPA,
    severity=Severity.MEDIUM,
)
def target_exists(stack: Stack) -> Iterator[About]:
    scalers = tuple(stack.each(Autoscaler))
    if not scalers or any(stack.unnamed(kind, group) for kind, group in _KINDS.items()):
        return
    for scaler in scalers:
        kind, name = scaler.target_kind, scaler.target_name
        if kind not in _KINDS or name is None or not scaler.object.placed or may_bring(stack, scaler.namespace):
            continue
        if scaler.target(stack) is not None:
            continue
        version = scaler.spec.text("scaleTargetRef", "apiVersion")
        namesakes = [
            thing
            for other, group in _KINDS.items()
            if (thing := stack.object(other, group, name, None)) is not None and thing.metadata.known("namespace")
        ]
        if namesakes:
            thing = namesakes[0]
            where = "" if thing.namespace == scaler.namespace else f" in namespace {thing.namespace}"
            yield About(
                scaler.resource,
                f'{scaler} scales {kind} "{name}" of {version or _KINDS[kind]} in namespace {scaler.namespace}, and '
                f"there is {thing} of {thing.api_version}{where}; it finds nothing. Correct scaleTargetRef.",
            )
        elif group_of(version or f"{_KINDS[kind]}/") == _KINDS[kind]:
            beside = stack.view(_names).get((kind, scaler.namespace), [])
            if meant := _meant(name, beside[:_MOST_NAMES]):
                yield About(
                    scaler.resource,
                    f'{scaler} scales {kind} "{name}", and namespace {scaler.namespace} has {kind} "{meant}"; it finds '
                    f'nothing. Set scaleTargetRef.name: "{meant}".',
                )


def _names(stack: Stack) -> dict[tuple[str, str], list[str]]:
    """Return the names of the workloads of each kind and namespace."""
    found: dict[tuple[str, str], list[str]] = {}
    for kind, group in _KINDS.items():
        for thing in stack.objects(kind, group):
            if thing.name is not None:
                found.setdefault((kind, thing.namespace), []).append(thing.name)
    return found


def _meant(name: str, names: list[str]) -> str | None:
    """Return the one name that another is a slip of the pen, a part or a longer form of."""
    names = [found for found in names if len(found) < _LONGEST_NAME] if len(name) < _LONGEST_NAME else []
    parts = [found for found in names if found.startswith(f"{name}-") or name.startswith(f"{found}-")]
    alike = get_close_matches(name, names, 2, 0.85)
    found = list(dict.fromkeys((*parts, *alike)))
    return found[0] if len(found) == 1 else None
