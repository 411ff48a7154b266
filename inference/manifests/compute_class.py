"""The order in which GKE tries several node pools of one kind that are bought differently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inference.facts import gke
from inference.manifests.objects import Manifest, metadata, object_

__all__ = ["compute_class"]


def compute_class(name: str, pools: Sequence[Any]) -> Manifest:
    """Return the ComputeClass that scales up the first of the pools that has capacity.

    It makes no pools itself: those it names carry the driver, disks and labels of the machine. Pods that run stay
    where they are when a better pool has room again; moving a model costs its start-up.

    Args:
        name: what pods select.
        pools: names of the node pools in GKE, best first (plain or outputs).
    """
    return object_(
        gke.COMPUTE_CLASS_API,
        "ComputeClass",
        metadata(name, namespace=None),
        spec={
            "priorities": [{"nodepools": [pool]} for pool in pools],
            "whenUnsatisfiable": "DoNotScaleUp",
            "nodePoolAutoCreation": {"enabled": False},
            "activeMigration": {"optimizeRulePriority": False},
        },
    )
