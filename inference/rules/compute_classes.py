"""ComputeClasses: lists of machines that GKE tries in turn for the pods that name the class.

A class finds pools that somebody made only by label and taint, and makes pools itself only when it is told to. A class
that can do neither accepts pods and never gives them a node.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from inference.facts.gke import COMPUTE_CLASS_LABEL
from inference.facts.machines import ATTACHABLE, MACHINES
from inference.facts.tpus import generation_of_accelerator, slice_of
from inference.rules.framework import About, Severity, rule
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.hosting import cluster_of
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.placement import Placement
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

_CLASSES = "https://cloud.google.com/kubernetes-engine/docs/concepts/about-custom-compute-classes"
_GROUP = "cloud.google.com"

_OF_GKE = frozenset(
    {
        "accelerator",
        "autopilot",
        "autopilot-arm",
        "autopilot-spot",
        "balanced",
        "default",
        "general-purpose",
        "performance",
        "scale-out",
    }
)
"""Classes that GKE brings: https://cloud.google.com/kubernetes-engine/docs/concepts/autopilot-compute-classes"""


@dataclass(frozen=True, eq=False)
class ComputeClass:
    """A ComputeClass."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:cloud.google.com",)

    object: KubernetesObject

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the view of a ComputeClass."""
        return tuple(cls(o) for o in resource.view(KubernetesObject.of) if o.is_a("ComputeClass", _GROUP))

    @property
    def priorities(self) -> tuple[Props, ...]:
        return self.object.spec.sections("priorities")

    @property
    def creates(self) -> bool | None:
        """Whether it makes node pools; ``None`` where that is not known."""
        place = ("nodePoolAutoCreation", "enabled")
        return self.object.spec.flag(*place) is True if self.object.spec.known(*place) else None

    @property
    def autopilot(self) -> bool:
        """Whether its nodes are managed as in Autopilot."""
        return not self.object.spec.absent("autopilot")

    def __str__(self) -> str:
        return str(self.object)


@rule(
    "compute-class-pools-belong",
    title="Node pools that a ComputeClass names carry its label and its taint",
    breaks="The class passes over a pool without its label; without the taint, other pods fill the pool's nodes.",
    fix=f"On the pool: label {COMPUTE_CLASS_LABEL}=CLASS and taint {COMPUTE_CLASS_LABEL}=CLASS:NO_SCHEDULE.",
    source=_CLASSES,
    severity=Severity.HIGH,
)
def pools_belong(stack: Stack) -> Iterator[About]:
    classes = tuple(stack.each(ComputeClass))
    by_name: dict[str, Site] = {}
    for site in stack.view(Fleet).sites if classes else ():
        if site.pool.name:
            by_name[site.pool.name] = site
    for each in classes:
        for priority in each.priorities:
            for site in filter(None, map(by_name.get, priority.texts("nodepools"))):
                missing = _missing(site, each.object.name)
                if missing:
                    yield About(
                        site.pool.resource,
                        f"{site.pool} is named by {each} and lacks its {missing} {COMPUTE_CLASS_LABEL}="
                        f"{each.object.name}; the class does not use it. Add label and taint to nodeConfig.",
                    )


def _missing(site: Site, name: str | None) -> str | None:
    if name is None:
        return None
    found = site.label(COMPUTE_CLASS_LABEL)
    unlabeled = site.pool.config.known("labels") and COMPUTE_CLASS_LABEL not in site.pool.labels and "?" in found
    other = "?" not in found and name not in found
    if unlabeled or other:
        return "label"
    if site.pool.config.known("taints") and COMPUTE_CLASS_LABEL not in {taint.key for taint in site.pool.taints}:
        return "taint"
    return None


@rule(
    "compute-class-finds-nodes",
    title="A ComputeClass makes pools, or some pool carries its label",
    breaks="Pods of the class stay Pending: it may use existing pools only, and none is its own.",
    fix="Set spec.nodePoolAutoCreation.enabled: true, or label and taint a pool for the class.",
    source=_CLASSES,
    severity=Severity.HIGH,
)
def class_finds_nodes(stack: Stack) -> Iterator[About]:
    for each in stack.each(ComputeClass):
        cluster = cluster_of(stack, each.object.resource)
        if cluster is None or cluster.autopilot or each.autopilot or each.creates is not False or not each.priorities:
            continue
        automatic = cluster.props.flag("clusterAutoscaling", "enabled")
        known = cluster.props.known("clusterAutoscaling", "enabled") and cluster.props.known("enableAutopilot")
        sites = [site for site in stack.view(Fleet).sites if site.cluster is cluster]
        labeled = any(_missing(site, each.object.name) != "label" for site in sites)
        if sites and known and not automatic and not labeled and each.object.name is not None:
            yield About(
                each.object.resource,
                f"{each} does not make node pools (nodePoolAutoCreation is off), and no pool of its cluster has the "
                f"label {COMPUTE_CLASS_LABEL}={each.object.name}; its pods stay Pending. Set "
                "nodePoolAutoCreation.enabled: true.",
            )


@rule(
    "compute-class-exists",
    title="A pod names a ComputeClass that exists",
    breaks="The pod stays Pending: nothing makes nodes for a class that is not there.",
    fix="Name a declared class, or one of those that GKE brings.",
    source=_CLASSES,
    severity=Severity.HIGH,
)
def class_exists(stack: Stack) -> Iterator[About]:
    classes = {each.object.name for each in stack.each(ComputeClass)}
    if not classes or None in classes:
        return
    for placement in stack.each(Placement):
        name = placement.asks(COMPUTE_CLASS_LABEL)
        if name is not None and name not in classes and name.lower() not in _OF_GKE:
            declared = ", ".join(sorted(filter(None, classes)))
            yield About(
                placement.pod.object.resource,
                f'{placement} names the ComputeClass "{name}", which the program does not declare (it declares '
                f"{declared}); it stays Pending. Name one of these.",
            )


@rule(
    "compute-class-accelerator-exists",
    title="A priority of a ComputeClass names GPUs or a TPU slice that some machine has",
    breaks="GKE passes over the priority: it never makes such a node, and pods wait or land on a later priority.",
    fix="Name a count that a machine with this GPU has, or a topology of the TPU generation.",
    source="https://docs.cloud.google.com/kubernetes-engine/docs/reference/crds/computeclass",
    severity=Severity.MEDIUM,
    on=ComputeClass,
)
def accelerator_exists(each: ComputeClass) -> Iterator[str]:
    for priority in each.priorities:
        kind, count = priority.text("gpu", "type"), priority.integer("gpu", "count")
        offered = _counts(kind) if kind else set()
        if offered and count is not None and count not in offered:
            known = ", ".join(map(str, sorted(offered)))
            yield f"{each} asks for {count} x {kind}, which no machine has. Write one of {known}."
        generation = generation_of_accelerator(priority.text("tpu", "type") or "")
        topology = priority.text("tpu", "topology")
        if generation is not None and topology is not None:
            try:
                slice_of(generation, topology)
            except ValueError as error:
                yield f"{each} asks for a slice that does not exist: {str(error).rstrip('.')}."


def _counts(kind: str) -> set[int]:
    if kind in ATTACHABLE:
        return set(ATTACHABLE[kind].counts)
    return {machine.gpus for machine in MACHINES.values() if machine.accelerator == kind and machine.gpus}
