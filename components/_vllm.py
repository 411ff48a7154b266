"""What vLLM's pods have around them, whatever runs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi

from components import _options
from components._kubernetes import create
from inference.blueprint import ModelPlan
from inference.manifests import disaggregation, servers
from inference.manifests.objects import Manifest

__all__ = ["create_server", "properties"]


def properties(model: ModelPlan) -> dict[str, Any]:
    """Return what a preview tells of a server."""
    told = {"model": model.settings.model, "accelerators": model.per_pod, "replicas": model.settings.replicas}
    return told | ({"role": model.role} if model.role else {})


def create_server(
    parent: pulumi.Resource,
    name: str,
    kind: str,
    workload: Manifest,
    *,
    model: ModelPlan,
    after: Sequence[pulumi.Resource],
) -> str:
    """Register a workload with what its pods need, and return the name of their Service.

    Args:
        parent: the component.
        name: its name.
        kind: what the workload's logical name adds to it.
        workload: the manifest.
        model: the model that it serves.
        after: what must be there before, and outlive, the pods.
    """
    made = create(
        f"{name}-{kind}",
        workload,
        _options.loading_workload(
            parent,
            budget_seconds=model.startup.budget_seconds,
            depends_on=[*after, *_create_rights(parent, name, model)],
        ),
    )
    return _create_endpoints(parent, name, model, made)


def _create_rights(parent: pulumi.Resource, name: str, model: ModelPlan) -> Sequence[pulumi.Resource]:
    """Register what the routing sidecar of decode pods may read, before the pods; nothing for other pods."""
    if model.role != "decode":
        return []
    child = pulumi.ResourceOptions(parent=parent)
    role = create(f"{name}-routing-role", disaggregation.sidecar_role(model), child)
    after = pulumi.ResourceOptions(parent=parent, depends_on=[role])
    return [create(f"{name}-routing-binding", disaggregation.sidecar_role_binding(model), after)]


def _create_endpoints(parent: pulumi.Resource, name: str, model: ModelPlan, workload: pulumi.Resource) -> str:
    """Register the scrape target and the Service of the pods; return the Service's name.

    Prefill pods have no Service: the picker names one of them for a request.
    """
    after = pulumi.ResourceOptions(parent=parent, depends_on=[workload])
    create(f"{name}-metrics", servers.pod_monitoring(model), after)
    if model.role == "prefill":
        return ""
    create(f"{name}-service", servers.service(model), after)
    return servers.service_name(model)
