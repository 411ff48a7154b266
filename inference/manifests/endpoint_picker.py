"""The endpoint picker: chooses the replica for each request by cache contents, cache pressure and queue.

GKE's load balancer asks it over gRPC for every request (ext-proc); it watches the pool's pods and scrapes their
metrics. Values follow the chart of llm-d-router v0.10, whose own HealthCheckPolicy GKE's newer definition refuses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import yaml

from inference.blueprint import NAMESPACE, ModelPlan, hub_token_secret
from inference.facts.endpoint_picker import (
    CONFIG_API_VERSION,
    CONFIG_KIND,
    POOL_GROUP,
    PORTS,
    RENDER_PORT,
    RENDER_REQUESTS,
)
from inference.facts.versions import COMPONENTS
from inference.facts.vllm import HEALTH_PATH, HUB_TOKEN_ENV, KV_EVENTS_PORT
from inference.manifests.objects import Manifest, metadata, object_
from inference.settings.gateway import PickerSettings
from inference.settings.models import HubWeights

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
_PRECISE = "precise-prefix-cache-producer"
_APPROXIMATE = "approx-prefix-cache-producer"
_DECIDER = "prefix-based-pd-decider"
_RENDER_OPTIONS = ("--trust-remote-code", "--revision", "--tokenizer", "--tokenizer-mode", "--tokenizer-revision")
"""Options of the server by which its tokenizer is another one."""
_DRAIN_SECONDS = 130
"""As long as the longest grace period of the pool's pods."""


def picker_name(model: ModelPlan) -> str:
    """Return the name of all objects of a model's picker."""
    return f"{model.name}-epp"


def _labels(model: ModelPlan) -> dict[str, str]:
    return {"app.kubernetes.io/name": "endpoint-picker", "app.kubernetes.io/instance": picker_name(model)}


def _meta(model: ModelPlan) -> Manifest:
    return metadata(picker_name(model), labels=_labels(model))


def configuration(model: ModelPlan, picker: PickerSettings) -> Manifest:
    """Return the picker's configuration: one profile, or one for each role of a disaggregated model."""
    weights = picker.weights
    scorers = {
        "prefix-cache-scorer": weights.prefix_cache,
        "kv-cache-utilization-scorer": weights.kv_cache_utilization,
        "queue-scorer": weights.queue,
    }
    known_by = {"parameters": {"prefixMatchInfoProducerName": _PRECISE}} if model.cache_events else {}
    plugins = [*_producers(model), {"type": "prefix-cache-scorer", **known_by}]
    plugins += [{"type": name} for name in [*scorers][1:]]
    plugins += [*_roles(model), {"type": "max-score-picker"}]
    profiles: dict[str, list[str]] = {"default": []}
    if model.prefill is not None:
        profiles = {"prefill": ["prefill-filter"], "decode": ["decode-filter"]}
    return {
        "apiVersion": CONFIG_API_VERSION,
        "kind": CONFIG_KIND,
        "plugins": plugins,
        **({"dataLayer": {"sources": _sources()}} if model.cache_events else {}),
        "schedulingProfiles": [
            {"name": name, "plugins": _profile(filters, scorers)} for name, filters in profiles.items()
        ],
    }


def _profile(filters: Sequence[str], scorers: Mapping[str, float]) -> list[Manifest]:
    made: list[Manifest] = [{"pluginRef": name} for name in filters]
    made += [{"pluginRef": name, "weight": weight} for name, weight in scorers.items()]
    return [*made, {"pluginRef": "max-score-picker"}]


def _producers(model: ModelPlan) -> list[Manifest]:
    """Return what knows the caches: the events of the servers, or the picker's own memory, which the decider reads."""
    made: list[Manifest] = []
    if model.cache_events:
        discovery = {"discoverPods": True, "podDiscoveryConfig": {"socketPort": KV_EVENTS_PORT}}
        render = {"modelName": model.settings.model, "vllm": {"url": f"http://localhost:{RENDER_PORT}"}}
        sources = ("endpoint-notification-source", "metrics-data-source", "core-metrics-extractor")
        made += [{"type": "token-producer", "parameters": render}, *({"type": name} for name in sources)]
        made.append({"type": _PRECISE, "parameters": {"kvEventsConfig": discovery}})
    if model.prefill is not None:
        made.append({"type": _APPROXIMATE})
    return made


def _sources() -> list[Manifest]:
    """Return where data comes from: metrics as ever, and pods that come and go, whose events are subscribed to."""
    pairs = {"metrics-data-source": "core-metrics-extractor", "endpoint-notification-source": _PRECISE}
    return [{"pluginRef": source, "extractors": [{"pluginRef": reader}]} for source, reader in pairs.items()]


def _roles(model: ModelPlan) -> list[Manifest]:
    if model.prefill is None or model.settings.prefill is None:
        return []
    least = {"nonCachedTokens": model.settings.prefill.min_uncached_tokens}
    return [
        {"type": "prefill-filter"},
        {"type": "decode-filter"},
        {"type": _DECIDER, "parameters": least},
        {"type": "disagg-profile-handler", "parameters": {"deciders": {"prefill": _DECIDER}}},
    ]


def _text(model: ModelPlan, picker: PickerSettings) -> str:
    return yaml.safe_dump(configuration(model, picker), sort_keys=False)


def config_map(model: ModelPlan, picker: PickerSettings) -> Manifest:
    """Return the ConfigMap with the picker's configuration."""
    return object_("v1", "ConfigMap", _meta(model), data={_CONFIG_FILE: _text(model, picker)})


def service_account(model: ModelPlan) -> Manifest:
    """Return the picker's identity."""
    return object_("v1", "ServiceAccount", _meta(model))


def role(model: ModelPlan) -> Manifest:
    """Return what the picker may read: pods, and the pool it serves."""
    verbs = ["get", "watch", "list"]
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": verbs},
        {"apiGroups": [POOL_GROUP], "resources": ["inferencepools"], "verbs": verbs},
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
            *("--pool-name", pool, "--pool-namespace", NAMESPACE, "--pool-group", POOL_GROUP),
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
                    "annotations": {"gke-inference/config": _digest(model, picker)},
                },
                "spec": {
                    "serviceAccountName": picker_name(model),
                    "terminationGracePeriodSeconds": _DRAIN_SECONDS,
                    "containers": [container, *([_tokenizer(model)] if model.cache_events else [])],
                    "volumes": [
                        {"name": "config", "configMap": {"name": picker_name(model)}},
                        *([{"name": "tokenizer", "emptyDir": {}}] if model.cache_events else []),
                    ],
                },
            },
        },
    )


def _tokenizer(model: ModelPlan) -> Manifest:
    """Return the tokenizer beside the picker: vLLM without engine, which reads the model's tokenizer from the Hub."""
    weights = model.settings.weights
    health = {"httpGet": {"path": HEALTH_PATH, "port": "render"}, "timeoutSeconds": 5, "periodSeconds": 10}
    token: Manifest = {}
    if isinstance(weights, HubWeights) and weights.token is not None:
        reference = {"name": hub_token_secret(model.name), "key": "token"}
        token = {"env": [{"name": HUB_TOKEN_ENV, "valueFrom": {"secretKeyRef": reference}}]}
    return {
        "name": "tokenizer",
        "image": COMPONENTS["vllm-render"].reference,
        "imagePullPolicy": "IfNotPresent",
        "command": ["vllm", "launch", "render"],
        "args": [model.settings.model, "--port", str(RENDER_PORT), *_render_options(model)],
        **token,
        "ports": [{"name": "render", "containerPort": RENDER_PORT, "protocol": "TCP"}],
        "resources": {
            "requests": {"cpu": str(RENDER_REQUESTS["cpu"]), "memory": f"{RENDER_REQUESTS['memory_gib']}Gi"},
            "limits": {"memory": f"{2 * RENDER_REQUESTS['memory_gib']}Gi"},
        },
        "startupProbe": {**health, "failureThreshold": 60},
        "livenessProbe": {**health, "failureThreshold": 6},
        "securityContext": {"allowPrivilegeEscalation": False},
        "volumeMounts": [{"name": "tokenizer", "mountPath": "/root/.cache"}],
    }


def _render_options(model: ModelPlan) -> list[str]:
    chosen = {flag: value for flag, value in model.settings.extra_args.items() if flag in _RENDER_OPTIONS and value}
    return [word for flag, value in chosen.items() for word in (flag, *([] if value is True else [str(value)]))]


def _digest(model: ModelPlan, picker: PickerSettings) -> str:
    """Return a text that changes with the configuration, so that the picker restarts with it."""
    return hashlib.sha256(_text(model, picker).encode()).hexdigest()[:12]
