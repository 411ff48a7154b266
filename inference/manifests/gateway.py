"""The gateway, and for each model the pool, route and policies that make GKE's load balancer serve it."""

from __future__ import annotations

from inference.blueprint import SERVER_PORT, ModelPlan
from inference.facts.endpoint_picker import MODEL_HEADER, POOL_API, POOL_GROUP
from inference.facts.gke import GATEWAY_GROUP, NETWORKING_API
from inference.facts.vllm import HEALTH_PATH, PING_PATH
from inference.manifests.endpoint_picker import EXT_PROC_PORT, picker_name
from inference.manifests.objects import Manifest, metadata, object_
from inference.manifests.servers import endpoint_selector
from inference.settings.gateway import GatewaySettings

__all__ = ["GATEWAY_NAME", "backend_policy", "gateway", "health_check_policy", "inference_pool", "route"]

GATEWAY_NAME = "inference"
"""Name of the Gateway."""

_CLASSES = {"external": "gke-l7-regional-external-managed", "internal": "gke-l7-rilb"}
"""Gateway classes by exposure; both are regional, because only those take an InferencePool."""


def gateway(settings: GatewaySettings) -> Manifest:
    """Return the Gateway with its one HTTPS listener."""
    listener = {
        "name": "https",
        "protocol": "HTTPS",
        "port": 443,
        "hostname": settings.hostname,
        "tls": {
            "mode": "Terminate",
            "options": {"networking.gke.io/cert-manager-certs": settings.tls.certificate},
        },
        "allowedRoutes": {"namespaces": {"from": "Same"}},
    }
    return object_(
        "gateway.networking.k8s.io/v1",
        "Gateway",
        metadata(GATEWAY_NAME),
        spec={"gatewayClassName": _CLASSES[settings.exposure], "listeners": [listener]},
    )


def inference_pool(model: ModelPlan) -> Manifest:
    """Return the InferencePool: the pods that answer, and the picker that chooses among them."""
    return object_(
        POOL_API,
        "InferencePool",
        metadata(model.name),
        spec={
            "selector": {"matchLabels": endpoint_selector(model)},
            "targetPorts": [{"number": SERVER_PORT}],
            "endpointPickerRef": {
                "group": "",
                "kind": "Service",
                "name": picker_name(model),
                "port": {"number": EXT_PROC_PORT},
                "failureMode": "FailOpen",
            },
        },
    )


def route(model: ModelPlan, settings: GatewaySettings, *, by_name: bool) -> Manifest:
    """Return the HTTPRoute from the gateway to the pool. GKE takes its timeout from the backend policy.

    Args:
        model: the model.
        settings: the gateway.
        by_name: whether only requests for this model are meant, where several share the gateway.
    """
    backend = {"group": POOL_GROUP, "kind": "InferencePool", "name": model.name}
    match: Manifest = {"path": {"type": "PathPrefix", "value": "/"}}
    if by_name:
        match["headers"] = [{"type": "Exact", "name": MODEL_HEADER, "value": model.settings.model}]
    return object_(
        "gateway.networking.k8s.io/v1",
        "HTTPRoute",
        metadata(model.name),
        spec={
            "parentRefs": [
                {
                    "group": GATEWAY_GROUP,
                    "kind": "Gateway",
                    "name": GATEWAY_NAME,
                    "sectionName": "https",
                }
            ],
            "hostnames": [settings.hostname],
            "rules": [
                {"matches": [match], "backendRefs": [backend]},
            ],
        },
    )


def _target(model: ModelPlan) -> Manifest:
    return {"group": POOL_GROUP, "kind": "InferencePool", "name": model.name}


def health_check_policy(model: ModelPlan) -> Manifest:
    """Return the health check of the pool's endpoints; by default the load balancer would ask for ``/``."""
    path = PING_PATH if model.role else HEALTH_PATH
    check = {"portSpecification": "USE_FIXED_PORT", "port": SERVER_PORT, "requestPath": path}
    return object_(
        NETWORKING_API,
        "HealthCheckPolicy",
        metadata(model.name),
        spec={
            "targetRef": _target(model),
            "default": {
                "checkIntervalSec": 5,
                "timeoutSec": 5,
                "healthyThreshold": 1,
                "unhealthyThreshold": 3,
                "logConfig": {"enabled": True},
                "config": {"type": "HTTP", "httpHealthCheck": check},
            },
        },
    )


def backend_policy(model: ModelPlan, settings: GatewaySettings) -> Manifest:
    """Return timeout and logging of the pool; by default an answer is cut after 30 seconds."""
    return object_(
        NETWORKING_API,
        "GCPBackendPolicy",
        metadata(model.name),
        spec={
            "targetRef": _target(model),
            "default": {"timeoutSec": settings.request_timeout_seconds, "logging": {"enabled": True}},
        },
    )
