"""Prefill/decode disaggregation: how the two kinds of server exchange the cache of a prompt.

The picker chooses a decode pod and, for a prompt that is not cached there, a prefill pod. A routing sidecar in front of
the decode engine lets the prefill pod read the prompt first; the decode engine then fetches the cache from it.
"""

from __future__ import annotations

import json

from inference.blueprint import NAMESPACE, SERVER_PORT, ModelPlan
from inference.facts.endpoint_picker import POOL_GROUP
from inference.facts.versions import COMPONENTS
from inference.facts.vllm import NIXL_CONNECTOR
from inference.manifests.objects import Manifest, metadata, object_

__all__ = ["arguments", "sidecar", "sidecar_role", "sidecar_role_binding"]

_KV_ROLES = {"prefill": "kv_producer", "decode": "kv_consumer"}


def arguments(model: ModelPlan) -> list[str]:
    """Return the options of ``vllm serve`` for the role; none where the server does all of a request."""
    if not model.role:
        return []
    transfer = {"kv_connector": NIXL_CONNECTOR, "kv_role": _KV_ROLES[model.role]}
    return ["--kv-transfer-config", json.dumps(transfer)]


def sidecar(model: ModelPlan) -> Manifest:
    """Return the routing sidecar of a decode pod: a native one, there before the engine and until after it.

    It speaks plain HTTP, as load balancer, picker and probes do, and follows the header that names the prefill pod
    only to pods of the model's own pool.
    """
    return {
        "name": "routing-sidecar",
        "image": COMPONENTS["routing-sidecar"].reference,
        "imagePullPolicy": "IfNotPresent",
        "restartPolicy": "Always",
        "args": [
            f"--port={SERVER_PORT}",
            f"--model-server-port={model.engine_port}",
            "--kv-connector=nixlv2",
            "--secure-proxy=false",
            "--enable-ssrf-protection",
            f"--inference-pool={NAMESPACE}/{model.name}",
        ],
        "ports": [{"name": "http", "containerPort": SERVER_PORT, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "runAsNonRoot": True},
    }


def _name(model: ModelPlan) -> str:
    return f"{model.name}-routing"


def sidecar_role(model: ModelPlan) -> Manifest:
    """Return what the sidecar may read: the pool, and the pods that it selects."""
    verbs = ["get", "watch", "list"]
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": verbs},
        {"apiGroups": [POOL_GROUP], "resources": ["inferencepools"], "verbs": verbs},
    ]
    return object_("rbac.authorization.k8s.io/v1", "Role", metadata(_name(model), labels=model.labels), rules=rules)


def sidecar_role_binding(model: ModelPlan) -> Manifest:
    """Return the binding of that role to the identity of the model's pods."""
    return object_(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        metadata(_name(model), labels=model.labels),
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": _name(model)},
        subjects=[{"kind": "ServiceAccount", "name": model.service_account, "namespace": NAMESPACE}],
    )
