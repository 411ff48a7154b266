"""From a manifest to a registered resource: typed where the SDK knows the kind, a CustomResource elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pulumi
from pulumi_kubernetes import apps, batch, core, networking, rbac, resource, storage
from pulumi_kubernetes.apiextensions import CustomResource

from inference.manifests.objects import Manifest, metadata, object_

__all__ = ["create", "create_namespace"]

_TYPED: dict[tuple[str, str], Callable[..., pulumi.CustomResource]] = {
    ("v1", "ConfigMap"): core.v1.ConfigMap,
    ("v1", "Namespace"): core.v1.Namespace,
    ("v1", "ResourceQuota"): core.v1.ResourceQuota,
    ("v1", "Secret"): core.v1.Secret,
    ("v1", "Service"): core.v1.Service,
    ("v1", "ServiceAccount"): core.v1.ServiceAccount,
    ("apps/v1", "DaemonSet"): apps.v1.DaemonSet,
    ("apps/v1", "Deployment"): apps.v1.Deployment,
    ("apps/v1", "StatefulSet"): apps.v1.StatefulSet,
    ("batch/v1", "Job"): batch.v1.Job,
    ("networking.k8s.io/v1", "NetworkPolicy"): networking.v1.NetworkPolicy,
    ("rbac.authorization.k8s.io/v1", "Role"): rbac.v1.Role,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): rbac.v1.RoleBinding,
    ("resource.k8s.io/v1", "ResourceClaimTemplate"): resource.v1.ResourceClaimTemplate,
    ("storage.k8s.io/v1", "StorageClass"): storage.v1.StorageClass,
}


def create(name: str, manifest: Manifest, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """Register a Kubernetes object.

    Args:
        name: logical name.
        manifest: the object as a camelCase dictionary; values may be outputs.
        opts: options with the parent.
    """
    kind = (manifest["apiVersion"], manifest["kind"])
    rest: dict[str, Any] = {k: v for k, v in manifest.items() if k not in {"apiVersion", "kind"}}
    if kind in _TYPED:
        return _TYPED[kind](name, opts=opts, **{_snake(key): value for key, value in rest.items()})
    made: pulumi.CustomResource = CustomResource(name, api_version=kind[0], kind=kind[1], opts=opts, **rest)
    return made


def create_namespace(parent: pulumi.Resource, name: str, namespace: str) -> pulumi.CustomResource:
    """Register a namespace; ``name`` is its logical name."""
    manifest = object_("v1", "Namespace", metadata(namespace, namespace=None))
    return create(name, manifest, pulumi.ResourceOptions(parent=parent))


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", lambda match: "_" + match.group(1).lower(), key)
