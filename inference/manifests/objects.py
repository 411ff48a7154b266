"""What every object starts with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference.blueprint import NAMESPACE

__all__ = ["Manifest", "metadata", "object_"]

Manifest = dict[str, Any]
"""A Kubernetes object, or a part of one."""

COMMON_LABELS = {"app.kubernetes.io/managed-by": "pulumi", "app.kubernetes.io/part-of": "gke-inference"}
"""Labels of every object."""


def metadata(
    name: str,
    *,
    namespace: str | None = NAMESPACE,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Manifest:
    """Return ``metadata``; ``namespace`` ``None`` for kinds without one."""
    made: Manifest = {"name": name, "labels": {**COMMON_LABELS, **(labels or {})}}
    if namespace is not None:
        made["namespace"] = namespace
    if annotations:
        made["annotations"] = dict(annotations)
    return made


def object_(api_version: str, kind: str, meta: Manifest, **rest: Any) -> Manifest:
    """Return an object; ``rest`` are its other top-level fields."""
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **rest}
