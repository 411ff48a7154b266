"""What stands around the pods of a model server, whatever runs them."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from components._kubernetes import create
from inference.blueprint import ModelPlan
from inference.manifests import disaggregation, servers

__all__ = ["create_endpoints", "create_rights"]


def create_rights(parent: pulumi.Resource, name: str, model: ModelPlan) -> Sequence[pulumi.Resource]:
    """Register what the routing sidecar of decode pods may read, before the pods; nothing for other pods."""
    if model.role != "decode":
        return []
    child = pulumi.ResourceOptions(parent=parent)
    role = create(f"{name}-routing-role", disaggregation.sidecar_role(model), child)
    after = pulumi.ResourceOptions(parent=parent, depends_on=[role])
    return [create(f"{name}-routing-binding", disaggregation.sidecar_role_binding(model), after)]


def create_endpoints(parent: pulumi.Resource, name: str, model: ModelPlan, workload: pulumi.Resource) -> str:
    """Register the scrape target and the Service of the pods; return the Service's name.

    Prefill pods have no Service: the picker names one of them for a request.
    """
    after = pulumi.ResourceOptions(parent=parent, depends_on=[workload])
    create(f"{name}-metrics", servers.pod_monitoring(model), after)
    if model.role == "prefill":
        return ""
    create(f"{name}-service", servers.service(model), after)
    return servers.service_name(model)
