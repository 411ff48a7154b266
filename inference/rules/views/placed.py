"""The pods of which it can be said among which pools they find their nodes."""

from __future__ import annotations

from inference.facts.gke import GPU_RESOURCE, TPU_RESOURCE
from inference.rules.views.fleet import Fleet, Scope
from inference.rules.views.placement import Placement
from inference.rules.views.stack import Stack

__all__ = ["placed"]

_DEFAULT_CLASS_LABEL = "cloud.google.com/default-compute-class"


def placed(stack: Stack) -> tuple[tuple[Placement, Scope], ...]:
    """Return pods with all pools that may give them a node.

    Left out are those for which other nodes may exist or be made: in Autopilot, with node auto-provisioning, with a
    ComputeClass, in clusters of which only some pools are declared; and DaemonSets, which run where they can.
    """
    return stack.view(_placed)


def _placed(stack: Stack) -> tuple[tuple[Placement, Scope], ...]:
    fleet = stack.view(Fleet)
    found = []
    for placement in stack.each(Placement) if fleet.sites else ():
        if placement.pod.object.kind == "DaemonSet" or placement.compute_class or not placement.settled:
            continue
        scope = fleet.around(placement)
        if scope is not None and scope.sites and _owned(stack, placement, scope):
            found.append((placement, scope))
    return tuple(found)


def _owned(stack: Stack, placement: Placement, scope: Scope) -> bool:
    """Whether a node for the pod has to come from these pools."""
    resource = GPU_RESOURCE if placement.gpus else TPU_RESOURCE if placement.tpus else ""
    if scope.cluster is None:
        # Pools of a cluster that is declared elsewhere: others may exist, but hardly for the accelerators added here.
        return bool(resource) and any(site.accelerator == resource for site in scope.sites)
    namespace = stack.object("Namespace", "", placement.pod.namespace, None)
    if namespace is not None and _DEFAULT_CLASS_LABEL in namespace.labels:
        return False
    return scope.complete and (bool(resource) or not scope.default_pool)
