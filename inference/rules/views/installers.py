"""What brings the kinds, controllers and hidden objects of a program: charts, manifests by address, GitOps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from inference.facts.operators import OPERATORS, Operator, operator_of_chart
from inference.rules.views.helm import HelmRelease
from inference.rules.views.inlined import tells_all
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.pods import PodTemplate
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack

__all__ = ["Definition", "Installed", "installed", "manifest_addresses", "may_bring"]

_MANIFESTS = ("kubernetes:yaml", "kubernetes:kustomize")
_GITOPS = frozenset(
    {
        ("argoproj.io", "Application"),
        ("argoproj.io", "ApplicationSet"),
        ("kustomize.toolkit.fluxcd.io", "Kustomization"),
        ("helm.toolkit.fluxcd.io", "HelmRelease"),
        ("configsync.gke.io", "RootSync"),
        ("configsync.gke.io", "RepoSync"),
    }
)


@dataclass(frozen=True, slots=True)
class Definition:
    """A CustomResourceDefinition that the program declares."""

    object: KubernetesObject
    group: str
    kind: str


@dataclass(frozen=True, eq=False)
class Installed:
    """What a program installs."""

    definitions: Mapping[tuple[str, str], Definition]
    """Declared definitions by group and kind."""
    crds: Mapping[str, tuple[Resource, ...]]
    """Operator name to the charts and manifests that bring its definitions."""
    controllers: Mapping[str, tuple[Resource, ...]]
    """Operator name to the charts, manifests and workloads that run it."""
    hidden: bool
    """Whether something of unknown content may bring any kind: GitOps, manifests whose address tells nothing."""


def installed(stack: Stack) -> Installed:
    """Return what the program installs."""
    return stack.view(_installed)


def may_bring(stack: Stack, namespace: str) -> bool:
    """Whether something may put objects that the program does not show into a namespace."""
    everywhere, namespaces = stack.view(_opaque)
    return everywhere or namespace in namespaces


def manifest_addresses(resource: Resource) -> tuple[str, ...]:
    """Return the files, addresses and folders that a manifest component reads."""
    if not resource.type.startswith(_MANIFESTS):
        return ()
    props = resource.props
    single = (props.text(key) for key in ("file", "directory", "files"))
    return (*(value for value in single if value), *props.texts("files"))


def _installed(stack: Stack) -> Installed:
    definitions = {(found.group, found.kind): found for found in _definitions(stack)}
    crds: dict[str, list[Resource]] = defaultdict(list)
    controllers: dict[str, list[Resource]] = defaultdict(list)
    for release in stack.each(HelmRelease):
        operator = operator_of_chart(release.chart)
        if operator is not None:
            if release.chart in operator.crd_charts:
                crds[operator.name].append(release.resource)
            if release.chart in operator.charts:
                controllers[operator.name].append(release.resource)
    hidden = any((thing.group, thing.kind) in _GITOPS for thing in stack.each(KubernetesObject))
    for resource in _manifests(stack):
        operators = [row for row in OPERATORS.values() if _mentioned(row, resource)]
        hidden = hidden or not operators
        for row in operators:
            crds[row.name].append(resource)
            controllers[row.name].append(resource)
    for pod in stack.pods():
        for row in OPERATORS.values():
            if _runs(row, pod):
                controllers[row.name].append(pod.object.resource)
    return Installed(definitions, _frozen(crds), _frozen(controllers), hidden)


def _frozen(found: Mapping[str, list[Resource]]) -> Mapping[str, tuple[Resource, ...]]:
    return {name: tuple(resources) for name, resources in found.items()}


def _definitions(stack: Stack) -> Iterator[Definition]:
    for thing in stack.objects("CustomResourceDefinition", "apiextensions.k8s.io"):
        group, kind = thing.spec.text("group"), thing.spec.text("names", "kind")
        if group and kind:
            yield Definition(thing, group, kind)


def _manifests(stack: Stack) -> Iterator[Resource]:
    """Yield the components whose objects are made behind the program's back, or are not seen."""
    parents = stack.view(_parents)
    for resource in stack.resources:
        if resource.type.startswith(_MANIFESTS) and resource.urn not in parents and not tells_all(resource):
            yield resource


def _parents(stack: Stack) -> frozenset[str]:
    return frozenset(resource.parent for resource in stack.resources if resource.parent)


def _mentioned(operator: Operator, resource: Resource) -> bool:
    names = (*manifest_addresses(resource), resource.name)
    return any(part in name for part in (*operator.addresses, *operator.charts) for name in names)


def _runs(operator: Operator, pod: PodTemplate) -> bool:
    if pod.object.name in operator.workloads:
        return True
    images = [container.image for container in pod.containers if container.image]
    return any(part in image for part in operator.images for image in images)


def _opaque(stack: Stack) -> tuple[bool, frozenset[str]]:
    namespaces: set[str] = set()
    everywhere = installed(stack).hidden or any(True for _ in _manifests(stack))
    parents = stack.view(_parents)
    for resource in stack.resources:
        if resource.type.startswith("kubernetes:helm.sh/") and resource.urn not in parents:
            releases = resource.view(HelmRelease.of)
            namespace = releases[0].namespace if releases else None
            if namespace is None:
                everywhere = True
            else:
                namespaces.add(namespace)
    return everywhere, frozenset(namespaces)
