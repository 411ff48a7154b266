"""What puts an NCCL plugin on nodes or into pods: installer DaemonSets, manifests by address, init containers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from inference.facts.gke import ACCELERATOR_LABEL
from inference.facts.nccl import PLUGINS, Plugin
from inference.rules.views.cloud import Cluster
from inference.rules.views.engines import image_name
from inference.rules.views.helm import HelmRelease
from inference.rules.views.hosting import cluster_of
from inference.rules.views.installers import manifest_addresses
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.placement import Placement
from inference.rules.views.pods import Container, PodTemplate
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack

__all__ = ["Installation", "NcclInstaller", "addresses", "hidden_installers", "installations", "plugin_of", "tag_of"]

_MANIFESTS = ("kubernetes:yaml", "kubernetes:kustomize", "kubernetes:helm.sh/")
_GITOPS = ("argoproj.io", "toolkit.fluxcd.io", "configsync.gke.io")
_DEEPEST = 8
_CHART = re.compile(r"nccl|gib|gpudirect|tcpx", re.IGNORECASE)


def plugin_of(container: Container) -> Plugin | None:
    """Return the plugin that an image carries."""
    name = "/" + image_name(container.image)
    return next((plugin for plugin in PLUGINS.values() if name.endswith(plugin.image)), None)


def tag_of(image: str | None) -> str | None:
    """Return the tag of an image reference."""
    last = (image or "").partition("@")[0].rpartition("/")[2]
    return last.partition(":")[2] or None


def addresses(resource: Resource) -> tuple[str, ...]:
    """Return the addresses from which a resource reads manifests, also those that a command applies."""
    named = (*manifest_addresses(resource), resource.name) if resource.type.startswith("kubernetes:") else ()
    commands: tuple[str, ...] = ()
    if resource.type.startswith("command:"):
        commands = tuple(
            word
            for key in ("create", "update")
            for word in re.split(r"(?:[\s\"'|;()]|&&)+", (resource.props.text(key) or "")[:20_000])
        )
    return tuple(word for word in (*named, *commands) if "://" in word or word.startswith(("github.com/", "git@")))


@dataclass(frozen=True, eq=False)
class NcclInstaller:
    """A DaemonSet that copies a plugin to the nodes that it selects."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:",)

    placement: Placement
    container: Container
    plugin: Plugin

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the installer of a resource; none for a workload that carries the plugin for itself."""
        found = []
        for placement in resource.view(Placement.of):
            if placement.pod.object.kind != "DaemonSet":
                continue
            for container in placement.pod.all_containers:
                if (plugin := plugin_of(container)) is not None:
                    found.append(cls(placement, container, plugin))
                    break
        return tuple(found)

    @property
    def resource(self) -> Resource:
        return self.placement.pod.object.resource

    @property
    def accelerators(self) -> frozenset[str]:
        """GPU types that it selects; empty where it does not choose by them."""
        demands = [d for demands in self.placement.alternatives for d in demands if d.key == ACCELERATOR_LABEL]
        return frozenset(value for d in demands if d.operator == "In" for value in d.values)

    def __str__(self) -> str:
        return str(self.placement)


@dataclass(frozen=True, eq=False)
class Installation:
    """A plugin that the program puts on nodes, as far as it shows."""

    resource: Resource
    accelerators: frozenset[str]
    """GPU types of the nodes that get it; empty where any may."""
    cluster: Cluster | None
    root: Resource
    """The outermost manifest component that makes it, else the resource itself."""
    from_address: bool
    """Whether only the address of a manifest tells what it installs."""


def installations(stack: Stack) -> tuple[Installation, ...]:
    """Return all ways in which the program puts plugins on nodes."""
    return stack.view(_installations)


def hidden_installers(stack: Stack) -> bool:
    """Whether something of unknown content may put a plugin on nodes: GitOps, a file on disk, a chart by that name."""
    return stack.view(_hidden)


def _hidden(stack: Stack) -> bool:
    if any(not found.accelerators for found in installations(stack)):
        return True
    if any(thing.group.endswith(_GITOPS) for thing in stack.each(KubernetesObject)):
        return True
    parents = {resource.parent for resource in stack.resources}
    return any(
        resource.type.startswith(("kubernetes:yaml", "kubernetes:kustomize"))
        and resource.urn not in parents
        and not any("://" in address for address in addresses(resource))
        for resource in stack.resources
    )


def _installations(stack: Stack) -> tuple[Installation, ...]:
    return tuple(_found(stack))


def _found(stack: Stack) -> Iterator[Installation]:
    for installer in stack.each(NcclInstaller):
        yield _installation(stack, installer.resource, installer.accelerators or installer.plugin.accelerators)
    for resource in stack.resources:
        for address in addresses(resource):
            file = address.partition("?")[0].rpartition("/")[2]
            plugin = next((plugin for plugin in PLUGINS.values() if file in plugin.manifests), None)
            if plugin is not None or _CHART.search(file):
                gpus = plugin.accelerators if plugin else frozenset()
                yield _installation(stack, resource, gpus, from_address=plugin is not None)
    for release in stack.each(HelmRelease):
        if _CHART.search(release.chart):
            yield _installation(stack, release.resource, frozenset())
    for pod in stack.pods():
        if _by_another_image(pod):
            yield _installation(stack, pod.object.resource, frozenset())


def _installation(
    stack: Stack, resource: Resource, accelerators: frozenset[str], *, from_address: bool = False
) -> Installation:
    root = resource
    for _ in range(_DEEPEST):
        parent = stack.get(root.parent)
        if parent is None or not parent.type.startswith(_MANIFESTS):
            break
        root = parent
    return Installation(resource, accelerators, cluster_of(stack, resource), root, from_address)


def _by_another_image(pod: PodTemplate) -> bool:
    """Whether a DaemonSet installs a plugin from an image that is not one of the known ones."""
    named = _CHART.search(pod.object.name or "") and not pod.object.resource.view(NcclInstaller.of)
    return pod.object.kind == "DaemonSet" and bool(named)
