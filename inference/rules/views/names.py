"""Names by which Kubernetes objects refer to each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from inference.rules.views.autoscalers import Autoscaler
from inference.rules.views.gateway import HttpRoute, InferencePool, TargetedPolicy
from inference.rules.views.pods import PodTemplate
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

__all__ = ["PodReference", "Reference", "pod_references", "references"]


@dataclass(frozen=True, slots=True)
class Reference:
    """One object named by another."""

    resource: Resource
    label: str
    """How a sentence names who refers."""
    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class PodReference:
    """A Secret or ConfigMap that a pod needs."""

    pod: PodTemplate
    kind: str
    name: str
    key: str | None
    """Key of it that is needed, ``None`` for the whole."""
    how: str
    """Where the pod names it."""


def pod_references(pod: PodTemplate) -> Iterator[PodReference]:
    """Yield the Secrets and ConfigMaps without which the pods do not start."""
    for container in (*pod.all_containers, *pod.models):
        for entry in container.props.sections("env"):
            if entry.absent("valueFrom"):
                continue
            how = f'the variable {entry.text("name") or "?"} of container "{container.name}"'
            for kind, field in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
                yield from _needed(pod, kind, entry.section("valueFrom", field), "name", how)
        for entry in container.props.sections("envFrom"):
            how = f'envFrom of container "{container.name}"'
            yield from _needed(pod, "Secret", entry.section("secretRef"), "name", how)
            yield from _needed(pod, "ConfigMap", entry.section("configMapRef"), "name", how)
    for volume in pod.spec.sections("volumes"):
        how = f'the volume "{volume.text("name") or "?"}"'
        yield from _volume(pod, volume, how)
        for source in volume.sections("projected", "sources"):
            yield from _volume(pod, source, how, projected=True)


def _volume(pod: PodTemplate, volume: Props, how: str, *, projected: bool = False) -> Iterator[PodReference]:
    for kind, field, key in (
        ("Secret", "secret", "name" if projected else "secretName"),
        ("ConfigMap", "configMap", "name"),
    ):
        source = volume.section(field)
        items = [item.text("key") for item in source.sections("items")]
        name = source.text(key)
        if name is None or source.flag("optional") is True or not source.known("optional"):
            continue
        for item in items or [None]:
            yield PodReference(pod, kind, name, item, how)


def _needed(pod: PodTemplate, kind: str, source: Props, key: str, how: str) -> Iterator[PodReference]:
    name = source.text(key)
    if name is not None and source.known("optional") and source.flag("optional") is not True:
        yield PodReference(pod, kind, name, source.text("key"), how)


def references(stack: Stack) -> tuple[Reference, ...]:
    """Return every reference by name between the objects of a program."""
    return stack.view(_references)


def _references(stack: Stack) -> tuple[Reference, ...]:
    found = [reference for pod in stack.pods() for reference in _of_pod(pod)]
    found.extend(reference for route in stack.each(HttpRoute) for reference in _of_route(route))
    found.extend(_of_policies(stack))
    return tuple(found)


def _of_route(route: HttpRoute) -> Iterator[Reference]:
    for parent in route.parent_references:
        if name := parent.text("name"):
            namespace = parent.text("namespace") or route.namespace
            yield Reference(route.resource, str(route), "Gateway", namespace, name)
    for backend in route.backends:
        if backend.kind and backend.name:
            yield Reference(route.resource, str(route), backend.kind, backend.namespace, backend.name)


def _of_policies(stack: Stack) -> Iterator[Reference]:
    for pool in stack.each(InferencePool):
        if name := pool.picker.text("name"):
            yield Reference(pool.resource, str(pool), "Service", pool.namespace, name)
    for policy in stack.each(TargetedPolicy):
        kind, name = policy.spec.text("targetRef", "kind"), policy.spec.text("targetRef", "name")
        if kind and name:
            yield Reference(policy.resource, str(policy), kind, policy.namespace, name)
    for scaler in stack.each(Autoscaler):
        kind, name = scaler.target_kind, scaler.target_name
        if kind and name:
            yield Reference(scaler.resource, str(scaler), kind, scaler.namespace, name)


def _of_pod(pod: PodTemplate) -> Iterator[Reference]:
    resource, label, namespace = pod.object.resource, str(pod), pod.namespace
    for reference in pod_references(pod):
        yield Reference(resource, label, reference.kind, namespace, reference.name)
    for entry in pod.spec.sections("imagePullSecrets"):
        if name := entry.text("name"):
            yield Reference(resource, label, "Secret", namespace, name)
    if account := pod.spec.text("serviceAccountName"):
        yield Reference(resource, label, "ServiceAccount", namespace, account)
    for volume in pod.spec.sections("volumes"):
        if claim := volume.text("persistentVolumeClaim", "claimName"):
            yield Reference(resource, label, "PersistentVolumeClaim", namespace, claim)
    if pod.object.kind == "StatefulSet" and (service := pod.object.spec.text("serviceName")):
        yield Reference(resource, label, "Service", namespace, service)
