"""The endpoint picker: chooses the replica for each request by cache contents, cache pressure and queue.

GKE's load balancer asks it over gRPC for every request (ext-proc); it watches the pool's pods and scrapes their
metrics. Values follow the chart of llm-d-router v0.10, whose own HealthCheckPolicy GKE's newer definition refuses.
"""

from __future__ import annotations

import yaml

from inference.blueprint import NAMESPACE, ModelPlan
from inference.facts.endpoint_picker import CONFIG_API_VERSION, CONFIG_KIND, PORTS
from inference.facts.versions import COMPONENTS
from inference.manifests.objects import Manifest, metadata, object_
from inference.settings.gateway import PickerSettings, ScorerWeights

__all__ = [
    "EXT_PROC_PORT",
    "config_map",
    "deployment",
    "picker_name",
    "role",
    "role_binding",
    "service",
    "service_account",
]

EXT_PROC_PORT = PORTS["ext_proc"]
_CONFIG_FILE = "plugins.yaml"
_DRAIN_SECONDS = 130
"""As long as the longest grace period of the pool's pods."""


def picker_name(model: ModelPlan) -> str:
    """Return the name of all objects of a model's picker."""
    return f"{model.name}-epp"


def _labels(model: ModelPlan) -> dict[str, str]:
    return {"app.kubernetes.io/name": "endpoint-picker", "app.kubernetes.io/instance": picker_name(model)}


def _meta(model: ModelPlan) -> Manifest:
    return metadata(picker_name(model), labels=_labels(model))


def configuration(weights: ScorerWeights) -> Manifest:
    """Return the picker's configuration."""
    scorers = {
        "prefix-cache-scorer": weights.prefix_cache,
        "kv-cache-utilization-scorer": weights.kv_cache_utilization,
        "queue-scorer": weights.queue,
    }
    profile = [{"pluginRef": name, "weight": weight} for name, weight in scorers.items()]
    return {
        "apiVersion": CONFIG_API_VERSION,
        "kind": CONFIG_KIND,
        "plugins": [*({"type": name} for name in scorers), {"type": "max-score-picker"}],
        "schedulingProfiles": [{"name": "default", "plugins": [*profile, {"pluginRef": "max-score-picker"}]}],
    }


def config_map(model: ModelPlan, picker: PickerSettings) -> Manifest:
    """Return the ConfigMap with the picker's configuration."""
    text = yaml.safe_dump(configuration(picker.weights), sort_keys=False)
    return object_("v1", "ConfigMap", _meta(model), data={_CONFIG_FILE: text})


def service_account(model: ModelPlan) -> Manifest:
    """Return the picker's identity."""
    return object_("v1", "ServiceAccount", _meta(model))


def role(model: ModelPlan) -> Manifest:
    """Return what the picker may read: pods, and the pool it serves."""
    verbs = ["get", "watch", "list"]
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": verbs},
        {"apiGroups": ["inference.networking.k8s.io"], "resources": ["inferencepools"], "verbs": verbs},
        {"apiGroups": ["llm-d.ai"], "resources": ["inferenceobjectives", "inferencemodelrewrites"], "verbs": verbs},
    ]
    return object_("rbac.authorization.k8s.io/v1", "Role", _meta(model), rules=rules)


def role_binding(model: ModelPlan) -> Manifest:
    """Return the binding of role and identity."""
    name = picker_name(model)
    return object_(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        _meta(model),
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        subjects=[{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
    )


def service(model: ModelPlan) -> Manifest:
    """Return the Service that the load balancer and the InferencePool name.

    It is not awaited: the picker has no ready endpoint before its pool exists, and the pool names this Service.
    """
    ports = [
        {
            "name": "grpc-ext-proc",
            "port": EXT_PROC_PORT,
            "targetPort": "grpc",
            "protocol": "TCP",
            "appProtocol": "kubernetes.io/h2c",
        },
        {"name": "http-metrics", "port": PORTS["metrics"], "targetPort": "metrics", "protocol": "TCP"},
    ]
    return object_(
        "v1", "Service", _meta(model), spec={"type": "ClusterIP", "selector": _labels(model), "ports": ports}
    )


def deployment(model: ModelPlan, pool: str, picker: PickerSettings) -> Manifest:
    """Return the picker's Deployment.

    One replica, replaced in place: pickers do not share what they know of prompt prefixes. While it is away the load
    balancer spreads requests by itself (``failureMode: FailOpen``).
    """
    health = {"grpc": {"port": PORTS["grpc_health"], "service": "inference-extension"}}
    container = {
        "name": "epp",
        "image": COMPONENTS["endpoint-picker"].reference,
        "imagePullPolicy": "IfNotPresent",
        "args": [
            *("--pool-name", pool, "--pool-namespace", NAMESPACE, "--pool-group", "inference.networking.k8s.io"),
            *("--zap-encoder", "json", "--config-file", f"/config/{_CONFIG_FILE}"),
            *("--grpc-health-port", str(PORTS["grpc_health"])),
            *("--tracing=false", "--metrics-endpoint-auth=false"),
        ],
        "env": [
            {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        "ports": [
            {"name": "grpc", "containerPort": EXT_PROC_PORT, "protocol": "TCP"},
            {"name": "grpc-health", "containerPort": PORTS["grpc_health"], "protocol": "TCP"},
            {"name": "metrics", "containerPort": PORTS["metrics"], "protocol": "TCP"},
        ],
        "resources": {
            "requests": {"cpu": str(picker.cpu), "memory": f"{picker.memory_gib}Gi"},
            "limits": {"memory": f"{2 * picker.memory_gib}Gi"},
        },
        "livenessProbe": {**health, "initialDelaySeconds": 5, "periodSeconds": 10},
        "readinessProbe": {**health, "periodSeconds": 2},
        "securityContext": {"allowPrivilegeEscalation": False},
        "volumeMounts": [{"name": "config", "mountPath": "/config", "readOnly": True}],
    }
    return object_(
        "apps/v1",
        "Deployment",
        _meta(model),
        spec={
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": _labels(model)},
            "template": {
                "metadata": {
                    "labels": _labels(model),
                    "annotations": {"gke-inference/config": _digest(picker.weights)},
                },
                "spec": {
                    "serviceAccountName": picker_name(model),
                    "terminationGracePeriodSeconds": _DRAIN_SECONDS,
                    "containers": [container],
                    "volumes": [{"name": "config", "configMap": {"name": picker_name(model)}}],
                },
            },
        },
    )


def _digest(weights: ScorerWeights) -> str:
    """Return a text that changes with the configuration, so that the picker restarts with it."""
    return f"prefix-{weights.prefix_cache:g}-kv-{weights.kv_cache_utilization:g}-queue-{weights.queue:g}"
