"""Volumes of pods, down to the driver that mounts them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from inference.facts.gke import (
    CSI_DRIVERS,
    DISK_STORAGE_CLASSES,
    FILESTORE_STORAGE_CLASSES,
    GCSFUSE_DRIVER,
    GCSFUSE_STORAGE_CLASSES,
)
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.pods import PodTemplate
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

__all__ = ["Volume", "inline_volumes", "volumes_of"]

_BUILT_IN = {
    **dict.fromkeys(GCSFUSE_STORAGE_CLASSES, GCSFUSE_DRIVER),
    **dict.fromkeys(DISK_STORAGE_CLASSES, CSI_DRIVERS["persistent-disk"]),
    **dict.fromkeys(FILESTORE_STORAGE_CLASSES, CSI_DRIVERS["filestore"]),
}
"""Storage classes that GKE makes, and their drivers."""
_LEGACY = {"kubernetes.io/gce-pd": CSI_DRIVERS["persistent-disk"]}
_CACHE_OPTION = re.compile(r"file-cache:max-size-mb:(-?\d+)")


@dataclass(frozen=True, eq=False)
class Volume:
    """One volume of a pod: written in the pod itself, or claimed."""

    pod: PodTemplate
    name: str
    attributes: Props
    """What the driver is told."""
    options: str
    """Mount options, separated by commas."""
    driver: str | None
    claim: KubernetesObject | None = None
    storage_class: KubernetesObject | None = None
    persistent: KubernetesObject | None = None
    """The PersistentVolume that is named."""

    @cached_property
    def cache_bytes(self) -> float | None:
        """Size of the Cloud Storage FUSE file cache; infinite where unlimited, ``None`` without one."""
        for option in _CACHE_OPTION.findall(self.options):
            size = int(option)
            return float("inf") if size < 0 else size * 2.0**20 if size else None
        capacity = self.attributes.strings().get("fileCacheCapacity")
        if capacity is None:
            return None
        if capacity.startswith("-"):
            return float("inf")
        match = re.fullmatch(r"(\d+)(Ki|Mi|Gi|Ti)?", capacity)
        scale = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
        return int(match[1]) * scale.get(match[2] or "", 1.0) or None if match else None


def inline_volumes(pod: PodTemplate) -> Iterator[Volume]:
    """Yield the volumes that are written in the pod with their driver."""
    for volume in pod.spec.sections("volumes"):
        if driver := volume.text("csi", "driver"):
            attributes = volume.section("csi", "volumeAttributes")
            yield Volume(pod, volume.text("name") or "?", attributes, attributes.text("mountOptions") or "", driver)


def volumes_of(stack: Stack, pod: PodTemplate) -> tuple[Volume, ...]:
    """Return all volumes of a pod whose driver the program tells, and all claims that it declares."""
    found = stack.view(_volumes_by_pod)
    if pod not in found:
        found[pod] = tuple(_volumes(stack, pod))
    return found[pod]


def _volumes_by_pod(_stack: Stack) -> dict[PodTemplate, tuple[Volume, ...]]:
    return {}


def _volumes(stack: Stack, pod: PodTemplate) -> Iterator[Volume]:
    yield from inline_volumes(pod)
    for volume in pod.spec.sections("volumes"):
        name = volume.text("name") or "?"
        if spec := volume.section("ephemeral", "volumeClaimTemplate", "spec"):
            yield _claimed(stack, pod, name, spec, None)
        elif claim := volume.text("persistentVolumeClaim", "claimName"):
            found = stack.object("PersistentVolumeClaim", "", claim, pod.namespace)
            if found is not None:
                yield _claimed(stack, pod, name, found.spec, found)
    for template in pod.object.spec.sections("volumeClaimTemplates"):
        yield _claimed(stack, pod, template.text("metadata", "name") or "?", template.section("spec"), None)


def _claimed(stack: Stack, pod: PodTemplate, name: str, spec: Props, claim: KubernetesObject | None) -> Volume:
    persistent = _persistent(stack, spec, claim)
    kind = spec.text("storageClassName")
    storage_class = stack.object("StorageClass", "storage.k8s.io", kind, None) if kind else None
    driver, attributes, options = None, Props({}), ""
    if persistent is not None:
        driver = persistent.spec.text("csi", "driver")
        attributes = persistent.spec.section("csi", "volumeAttributes")
        options = ",".join((*persistent.spec.texts("mountOptions"), attributes.text("mountOptions") or ""))
    elif storage_class is not None:
        provisioner = storage_class.props.text("provisioner") or ""
        driver = _LEGACY.get(provisioner, provisioner) or None
        options = ",".join(storage_class.props.texts("mountOptions"))
    elif kind is not None:
        driver = _BUILT_IN.get(kind)
    return Volume(pod, name, attributes, options, driver, claim, storage_class, persistent)


def _persistent(stack: Stack, spec: Props, claim: KubernetesObject | None) -> KubernetesObject | None:
    if named := spec.text("volumeName"):
        return stack.object("PersistentVolume", "", named, None)
    if claim is None:
        return None
    return stack.view(_reserved).get((claim.namespace, claim.name or ""))


def _reserved(stack: Stack) -> dict[tuple[str, str], KubernetesObject]:
    """Return the PersistentVolumes that name their claim."""
    found = {}
    for volume in stack.objects("PersistentVolume", ""):
        reference = volume.spec.section("claimRef")
        if name := reference.text("name"):
            found[reference.text("namespace") or "default", name] = volume
    return found
