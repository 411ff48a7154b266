"""Claims of volumes: whether they exist, and whether their storage class can give what they ask for.

A pod whose claim is not there, or never gets a volume, is Pending with 'persistentvolumeclaim not found' or 'unbound
immediate PersistentVolumeClaims'. No autoscaler adds a node for it, and nothing else reports it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from inference.facts.gke import CSI_DRIVERS, DEFAULT_STORAGE_CLASS, DISK_STORAGE_CLASSES
from inference.rules.framework import About, Severity, rule
from inference.rules.views.cloud import Cluster
from inference.rules.views.installers import may_bring
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.pods import PodTemplate
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

_CLAIMS = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#persistentvolumeclaims"


_LONGEST_NAME, _MOST_NAMES = 254, 50
_IS_DEFAULT = "storageclass.kubernetes.io/is-default-class"


@dataclass(frozen=True, slots=True)
class _Claims:
    """The claims of a program."""

    spare: Mapping[str, list[KubernetesObject]]
    """Those that no pod names, by namespace."""
    named: Mapping[str, list[KubernetesObject]]
    """All of them by name."""


def _claims(stack: Stack) -> _Claims:
    used = {(pod.namespace, name) for pod in stack.pods() for name in _names(pod)}
    spare: dict[str, list[KubernetesObject]] = defaultdict(list)
    named: dict[str, list[KubernetesObject]] = defaultdict(list)
    for claim in stack.objects("PersistentVolumeClaim", ""):
        named[claim.name or ""].append(claim)
        if (claim.namespace, claim.name) not in used:
            spare[claim.namespace].append(claim)
    return _Claims(spare, named)


def _names(pod: PodTemplate) -> Iterator[str]:
    for volume in pod.spec.sections("volumes"):
        if name := volume.text("persistentVolumeClaim", "claimName"):
            yield name


@rule(
    "storage-claim-exists",
    title="A claim that a pod mounts is in its namespace",
    breaks="'persistentvolumeclaim not found': the pod stays Pending, and the autoscaler adds no node for it.",
    fix="Name the claim as it is declared, and declare it in the pod's namespace.",
    source=_CLAIMS,
    severity=Severity.HIGH,
)
def claim_exists(stack: Stack) -> Iterator[About]:
    claims = stack.view(_claims)
    if not claims.named or stack.unnamed("PersistentVolumeClaim", ""):
        return
    for pod in stack.pods():
        if not pod.object.metadata.known("namespace"):
            continue
        for name in dict.fromkeys(_names(pod)):
            beside = [claim for claim in claims.named.get(name, ()) if claim.namespace == pod.namespace]
            if beside or may_bring(stack, pod.namespace):
                continue
            elsewhere = claims.named.get(name, ())
            unused = [claim.name for claim in claims.spare.get(pod.namespace, ())[:_MOST_NAMES] if claim.name]
            spare = get_close_matches(name, unused, 1, 0.6) if len(name) < _LONGEST_NAME else []
            if elsewhere:
                why = f"the program declares it in namespace {elsewhere[0].namespace}. Declare it in {pod.namespace}."
            elif spare:
                why = f'no pod mounts "{spare[0]}", which is there. Use that name.'
            else:
                continue
            yield About(
                pod.object.resource,
                f'{pod} mounts the claim "{name}", which is not in namespace {pod.namespace}; it stays Pending: {why}',
            )


@rule(
    "storage-claim-modes-possible",
    title="A claim asks for access modes that its storage class can give",
    breaks="The claim stays Pending: 'specified AccessModes [ReadWriteMany] are not supported' by a disk, and so does "
    "every pod that mounts it.",
    fix="Use ReadWriteOnce or ReadOnlyMany on disks; ReadWriteMany with Filestore, Lustre or a bucket.",
    source="https://docs.cloud.google.com/kubernetes-engine/docs/concepts/persistent-volumes#access_modes",
    severity=Severity.HIGH,
)
def claim_modes_possible(stack: Stack) -> Iterator[About]:
    for claim in stack.objects("PersistentVolumeClaim", ""):
        kind = _disk_type(stack, claim.spec)
        if "ReadWriteMany" in claim.spec.texts("accessModes") and kind is not None:
            yield About(
                claim.resource,
                f"{claim} asks for ReadWriteMany from a storage class of {kind}; a disk cannot be written from several "
                "nodes, so the claim stays Pending. Use a class of Filestore, or ReadOnlyMany.",
            )


def _default(stack: Stack) -> str | None:
    """Return the default class: the one that the program marks, or GKE's where the program makes the cluster."""
    classes = stack.objects("StorageClass", "storage.k8s.io")
    marked = next((found.name for found in classes if found.annotations.get(_IS_DEFAULT) == "true"), None)
    return marked or (DEFAULT_STORAGE_CLASS if any(True for _ in stack.each(Cluster)) else None)


def _disk_type(stack: Stack, spec: Props) -> str | None:
    """Return the type of disk that a claim is given; ``None`` where it is none, or not known."""
    if not spec.absent("volumeName") or spec.text("volumeMode") == "Block" or not spec.known("storageClassName"):
        return None
    name = stack.view(_default) if spec.absent("storageClassName") else spec.text("storageClassName")
    if name is None:
        return None
    declared = stack.object("StorageClass", "storage.k8s.io", name, None)
    if declared is None:
        return DISK_STORAGE_CLASSES.get(name)
    if declared.props.text("provisioner") != CSI_DRIVERS["persistent-disk"]:
        return None
    parameters = declared.props.section("parameters")
    return "pd-standard" if parameters.absent("type") else parameters.text("type")
