"""A model behind a GKE gateway, right in every part, for a test to break in one place."""

from __future__ import annotations

from typing import Any

from inference.rules.views.resources import Resource
from tests.inference.rules.cases import Changes, changed, container, custom, deployment, resource, workload

POOL = "inference.networking.k8s.io"
OLD_POOL = "inference.networking.x-k8s.io"
REGIONAL = "gke-l7-regional-external-managed"
INTERNAL = "gke-l7-rilb"
GLOBAL = "gke-l7-global-external-managed"


def gateway(name: str = "inference", spec: Changes | None = None, props: Changes | None = None, **kw: Any) -> Resource:
    base = {
        "gatewayClassName": REGIONAL,
        "listeners": [
            {
                "name": "https",
                "protocol": "HTTPS",
                "port": 443,
                "tls": {"mode": "Terminate", "options": {"networking.gke.io/cert-manager-certs": "llm"}},
                "allowedRoutes": {"namespaces": {"from": "Same"}},
            }
        ],
    }
    return custom("gateway.networking.k8s.io/v1", "Gateway", name, changed(base, spec or {}), props, **kw)


def route(
    name: str = "llm",
    spec: Changes | None = None,
    props: Changes | None = None,
    *,
    rule: Changes | None = None,
    backend: Changes | None = None,
    **kw: Any,
) -> Resource:
    """Make an HTTPRoute from the gateway to the pool; ``rule`` and ``backend`` change its only rule and backendRef."""
    reference = changed({"group": POOL, "kind": "InferencePool", "name": "vllm"}, backend or {})
    only = changed(
        {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": [reference]}, rule or {}
    )
    base = {"parentRefs": [{"name": "inference"}], "rules": [only]}
    return custom("gateway.networking.k8s.io/v1", "HTTPRoute", name, changed(base, spec or {}), props, **kw)


TO_SERVICE = route(backend={"group": None, "kind": "Service", "port": 80})
ON_SERVICE = {"group": "", "kind": "Service"}
"""A route's backend, and a policy's target, that is a Service instead of a pool."""


def pool(name: str = "vllm", spec: Changes | None = None, props: Changes | None = None, **kw: Any) -> Resource:
    base = {
        "selector": {"matchLabels": {"app": "vllm"}},
        "targetPorts": [{"number": 8000}],
        "endpointPickerRef": {"name": "vllm-epp", "port": {"number": 9002}, "failureMode": "FailOpen"},
    }
    return custom(f"{POOL}/v1", "InferencePool", name, changed(base, spec or {}), props, **kw)


def service(name: str = "vllm", spec: Changes | None = None, props: Changes | None = None, **kw: Any) -> Resource:
    base = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8000}]}
    return workload("kubernetes:core/v1:Service", "v1", "Service", name, changed(base, spec or {}), props, **kw)


def health_policy(
    name: str = "vllm", default: Changes | None = None, target: Changes | None = None, **kw: Any
) -> Resource:
    check = {"requestPath": "/health", "portSpecification": "USE_FIXED_PORT", "port": 8000}
    base = {"checkIntervalSec": 15, "timeoutSec": 5, "config": {"type": "HTTP", "httpHealthCheck": check}}
    spec = {
        "default": changed(base, default or {}),
        "targetRef": changed({"group": POOL, "kind": "InferencePool", "name": "vllm"}, target or {}),
    }
    return custom("networking.gke.io/v1", "HealthCheckPolicy", name, spec, **kw)


def backend_policy(
    name: str = "vllm", default: Changes | None = None, target: Changes | None = None, **kw: Any
) -> Resource:
    spec = {
        "default": changed({"timeoutSec": 900}, default or {}),
        "targetRef": changed({"group": POOL, "kind": "InferencePool", "name": "vllm"}, target or {}),
    }
    return custom("networking.gke.io/v1", "GCPBackendPolicy", name, spec, **kw)


def picker_container(changes: Changes | None = None) -> dict[str, Any]:
    base = {
        "name": "epp",
        "image": "ghcr.io/llm-d/llm-d-router-endpoint-picker:v0.10.0",
        "args": ["--pool-name", "vllm", "--pool-namespace", "serving", "--config-file", "/config/plugins.yaml"],
        "ports": [{"name": "grpc", "containerPort": 9002}, {"name": "metrics", "containerPort": 9090}],
        "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "4Gi"}},
        "volumeMounts": [{"name": "config", "mountPath": "/config"}],
    }
    return changed(base, changes or {})


def picker(changes: Changes | None = None, pod: Changes | None = None, **kw: Any) -> Resource:
    base = {"serviceAccountName": "vllm-epp", "volumes": [{"name": "config", "configMap": {"name": "vllm-epp"}}]}
    return deployment("vllm-epp", containers=[picker_container(changes)], pod=changed(base, pod or {}), **kw)


def picker_service(spec: Changes | None = None, **kw: Any) -> Resource:
    ports = {"ports": [{"name": "grpc", "port": 9002, "targetPort": "grpc"}, {"name": "metrics", "port": 9090}]}
    return service("vllm-epp", changed(ports, spec or {}), **kw)


def picker_config(text: str | None = None, name: str = "vllm-epp") -> Resource:
    body = {"metadata": {"name": name, "namespace": "serving"}, "data": {"plugins.yaml": text or PLUGINS}}
    return resource("kubernetes:core/v1:ConfigMap", name, {"apiVersion": "v1", "kind": "ConfigMap", **body})


PLUGINS = """
apiVersion: llm-d.ai/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: queue-scorer
- type: prefix-cache-scorer
- type: max-score-picker
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: queue-scorer
    weight: 2
  - pluginRef: prefix-cache-scorer
    weight: 3
  - pluginRef: max-score-picker
"""


def picker_access() -> tuple[Resource, ...]:
    """Return the picker's service account with the rights it needs."""
    verbs = ["get", "list", "watch"]
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": verbs},
        {"apiGroups": [POOL], "resources": ["inferencepools"], "verbs": verbs},
    ]
    named = {"metadata": {"name": "vllm-epp", "namespace": "serving"}}
    binding = {
        "subjects": [{"kind": "ServiceAccount", "name": "vllm-epp", "namespace": "serving"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "vllm-epp"},
    }
    rbac = "kubernetes:rbac.authorization.k8s.io/v1"
    api = {"apiVersion": "rbac.authorization.k8s.io/v1"}
    return (
        resource("kubernetes:core/v1:ServiceAccount", "vllm-epp", {"apiVersion": "v1", **named}),
        resource(f"{rbac}:Role", "vllm-epp", {**api, "kind": "Role", **named, "rules": rules}),
        resource(f"{rbac}:RoleBinding", "vllm-epp", {**api, "kind": "RoleBinding", **named, **binding}),
    )


def server(**kw: Any) -> Resource:
    """Make the model server behind the pool; it asks for an API key."""
    key = {"name": "VLLM_API_KEY", "valueFrom": {"secretKeyRef": {"name": "api-key", "key": "key"}}}
    return deployment("vllm", containers=[container({"env": [key]})], **kw)


def gateway_stack() -> tuple[Resource, ...]:
    """Return a whole stack of a model behind a gateway."""
    return (
        gateway(),
        route(),
        pool(),
        health_policy(),
        backend_policy(),
        picker(),
        picker_service(),
        picker_config(),
        *picker_access(),
        server(),
    )


def release(name: str, chart: str, values: Changes | None = None, **props: Any) -> Resource:
    """Make a Helm release."""
    base = {
        "name": name,
        "namespace": "serving",
        "chart": chart,
        "version": "v0.10.0",
        "values": {} if values is None else values,
    }
    return resource("kubernetes:helm.sh/v3:Release", name, changed(base, props))
