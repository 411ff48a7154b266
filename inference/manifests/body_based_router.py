"""The body-based router: copies the model's name from the body of a request into a header, for routes to match.

GKE's load balancer streams every request through it (a routing extension) before it chooses a route. It keeps no state
and asks the cluster nothing, so it has replicas and no rights. Values follow the chart of GAIE v1.5, the last one.
"""

from __future__ import annotations

import json

from inference.blueprint import NAMESPACE
from inference.facts.endpoint_picker import BODY_ROUTER_PORTS, MODEL_HEADER
from inference.facts.gke import GATEWAY_GROUP, NETWORKING_API
from inference.facts.versions import COMPONENTS
from inference.manifests.gateway import GATEWAY_NAME
from inference.manifests.objects import Manifest, metadata, object_

__all__ = ["deployment", "extension", "health_check_policy", "service", "service_account"]

_NAME = "body-based-router"
_LABELS = {"app.kubernetes.io/name": _NAME}
_REPLICAS = 2
"""Without one of them no request finds its route."""


def service_account() -> Manifest:
    """Return the router's identity, which has no rights."""
    return object_("v1", "ServiceAccount", metadata(_NAME, labels=_LABELS))


def service() -> Manifest:
    """Return the Service that the load balancer calls: HTTP/2 over TLS, with a certificate that nobody verifies."""
    port = BODY_ROUTER_PORTS["ext_proc"]
    ports = [{"name": "grpc-ext-proc", "port": port, "targetPort": "grpc", "protocol": "TCP", "appProtocol": "HTTP2"}]
    return object_(
        "v1",
        "Service",
        metadata(_NAME, labels=_LABELS),
        spec={"type": "ClusterIP", "selector": _LABELS, "ports": ports},
    )


def deployment() -> Manifest:
    """Return the router's Deployment."""
    health = {"grpc": {"port": BODY_ROUTER_PORTS["grpc_health"]}}
    plugin = json.dumps({"fieldName": "model", "headerName": MODEL_HEADER}, separators=(",", ":"))
    ports = {"grpc": "ext_proc", "grpc-health": "grpc_health", "metrics": "metrics"}
    container = {
        "name": "bbr",
        "image": COMPONENTS["body-based-router"].reference,
        "imagePullPolicy": "IfNotPresent",
        "args": [
            "--streaming",
            *("--plugin", f"body-field-to-header:model:{plugin}"),
            *("--tracing=false", "--enable-pprof=false", "--metrics-endpoint-auth=false"),
        ],
        "env": [{"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}],
        "ports": [
            {"name": name, "containerPort": BODY_ROUTER_PORTS[key], "protocol": "TCP"} for name, key in ports.items()
        ],
        "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "livenessProbe": {**health, "initialDelaySeconds": 5, "periodSeconds": 10},
        "readinessProbe": {**health, "periodSeconds": 2},
        "securityContext": {"allowPrivilegeEscalation": False},
    }
    return object_(
        "apps/v1",
        "Deployment",
        metadata(_NAME, labels=_LABELS),
        spec={
            "replicas": _REPLICAS,
            "selector": {"matchLabels": _LABELS},
            "template": {
                "metadata": {"labels": _LABELS},
                "spec": {"serviceAccountName": _NAME, "containers": [container]},
            },
        },
    )


def health_check_policy() -> Manifest:
    """Return the health check of the router: gRPC, on a port of its own."""
    check = {"portSpecification": "USE_FIXED_PORT", "port": BODY_ROUTER_PORTS["grpc_health"]}
    return object_(
        NETWORKING_API,
        "HealthCheckPolicy",
        metadata(_NAME, labels=_LABELS),
        spec={
            "targetRef": {"group": "", "kind": "Service", "name": _NAME},
            "default": {"logConfig": {"enabled": True}, "config": {"type": "GRPC", "grpcHealthCheck": check}},
        },
    )


def extension() -> Manifest:
    """Return the routing extension of the gateway. Without an answer of the router a request fails."""
    callout = {
        "name": _NAME,
        "authority": f"{_NAME}.{NAMESPACE}.svc",
        "timeout": "1s",
        "failOpen": False,
        "supportedEvents": ["RequestHeaders", "RequestBody", "RequestTrailers"],
        "requestBodySendMode": "FullDuplexStreamed",
        "backendRef": {"group": "", "kind": "Service", "name": _NAME, "port": BODY_ROUTER_PORTS["ext_proc"]},
    }
    return object_(
        NETWORKING_API,
        "GCPRoutingExtension",
        metadata(_NAME, labels=_LABELS),
        spec={
            "targetRefs": [{"group": GATEWAY_GROUP, "kind": "Gateway", "name": GATEWAY_NAME}],
            "extensionChains": [{"name": "model-name", "extensions": [callout]}],
        },
    )
