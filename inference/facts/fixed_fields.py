"""Fields of Kubernetes objects that only a new object has otherwise, although Pulumi's provider tries an update.

The provider replaces an object for some immutable fields (``forceNew`` in provider/pkg/provider/diff.go of
https://github.com/pulumi/pulumi-kubernetes) and sends an update for all others, which the API server refuses: "field is
immutable". A program that may change such a field asks for the replacement itself, and for the old object to go first,
because both have the same name.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["FIXED", "fixed_fields"]

FIXED: Mapping[tuple[str, str], tuple[str, ...]] = MappingProxyType(
    {
        ("", "PersistentVolumeClaim"): ("spec.dataSource", "spec.dataSourceRef", "spec.volumeMode"),
        ("batch", "Job"): ("spec.completionMode", "spec.podFailurePolicy"),
        ("kueue.x-k8s.io", "AdmissionCheck"): ("spec.controllerName",),
        ("kueue.x-k8s.io", "LocalQueue"): ("spec.clusterQueue",),
        ("node.k8s.io", "RuntimeClass"): ("handler",),
        ("resource.k8s.io", "ResourceClaim"): ("spec",),
        ("resource.k8s.io", "ResourceClaimTemplate"): ("spec",),
        ("resource.nvidia.com", "ComputeDomain"): ("spec",),
        ("scheduling.k8s.io", "PriorityClass"): ("preemptionPolicy", "value"),
        ("storage.k8s.io", "StorageClass"): ("reclaimPolicy", "volumeBindingMode"),
    }
)
"""By API group, empty for the core, and kind. Tried on kube-apiserver 1.36 (``pytest -m cluster``), except for
ComputeDomain, whose definition says "A computeDomain.spec is immutable" (kubernetes-sigs/dra-driver-nvidia-gpu)."""


def fixed_fields(api_version: str, kind: str) -> tuple[str, ...]:
    """Return the paths of a kind's fixed fields; none where nothing is known. ``v1`` and ``core/v1`` are the core."""
    group = api_version.rpartition("/")[0].removeprefix("core")
    return FIXED.get((group, kind), ())
