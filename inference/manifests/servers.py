"""The workloads that run model servers, and the Services and scrape targets in front of them."""

from __future__ import annotations

from inference.blueprint import SERVER_PORT, ModelPlan
from inference.facts import gke
from inference.manifests.objects import Manifest, metadata, object_
from inference.manifests.vllm import pod_template

__all__ = [
    "deployment",
    "endpoint_selector",
    "leader_worker_set",
    "pod_monitoring",
    "service",
    "service_account",
    "service_name",
]


def deployment(model: ModelPlan) -> Manifest:
    """Return the Deployment of a model whose replica fits one node.

    A rollout first gives its accelerators back: a spare one is not to be had in most pools.
    """
    return object_(
        "apps/v1",
        "Deployment",
        metadata(model.name, labels=model.labels),
        spec={
            "replicas": model.settings.replicas,
            "selector": {"matchLabels": model.selector},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "progressDeadlineSeconds": model.startup.budget_seconds + 1800,
            "template": pod_template(model, "single"),
        },
    )


def leader_worker_set(model: ModelPlan) -> Manifest:
    """Return the LeaderWorkerSet of a model whose replica spans several nodes.

    A group is restarted as a whole: a rank that comes back alone finds no communicator to join. Workers are created
    with the leader, whose readiness needs them.
    """
    return object_(
        gke.LWS_API,
        "LeaderWorkerSet",
        metadata(model.name, labels=model.labels),
        spec={
            "replicas": model.settings.replicas,
            "startupPolicy": "LeaderCreated",
            "rolloutStrategy": {
                "type": "RollingUpdate",
                "rollingUpdateConfiguration": {"maxUnavailable": 1, "maxSurge": 0},
            },
            "leaderWorkerTemplate": {
                "size": model.group_size,
                "restartPolicy": "RecreateGroupOnPodRestart",
                "leaderTemplate": pod_template(model, "leader"),
                "workerTemplate": pod_template(model, "worker"),
            },
        },
    )


def endpoint_selector(model: ModelPlan) -> dict[str, str]:
    """Return labels of the pods that answer requests: the leaders, where there are workers."""
    leaders = {gke.LWS_NAME_LABEL: model.name, gke.LWS_WORKER_INDEX_LABEL: "0"} if model.multi_node else {}
    return {**model.selector, **leaders}


def service_name(model: ModelPlan) -> str:
    """Return the Service's name; a LeaderWorkerSet makes a headless Service of its own name."""
    return f"{model.name}-leader" if model.multi_node else f"{model.name}-server"


def service(model: ModelPlan) -> Manifest:
    """Return the Service for clients inside the cluster.

    It is not awaited: a model that scaled to zero, or still loads, has no endpoint.
    """
    return object_(
        "v1",
        "Service",
        metadata(service_name(model), labels=model.labels, annotations={"pulumi.com/skipAwait": "true"}),
        spec={
            "type": "ClusterIP",
            "selector": endpoint_selector(model),
            "ports": [{"name": "http", "port": SERVER_PORT, "targetPort": "http", "protocol": "TCP"}],
        },
    )


def service_account(model: ModelPlan) -> Manifest:
    """Return the identity of the pods."""
    return object_("v1", "ServiceAccount", metadata(model.service_account, labels=model.labels))


def pod_monitoring(model: ModelPlan) -> Manifest:
    """Return the scrape target for Managed Service for Prometheus."""
    return object_(
        "monitoring.googleapis.com/v1",
        "PodMonitoring",
        metadata(model.name, labels=model.labels),
        spec={
            "selector": {"matchLabels": endpoint_selector(model)},
            "endpoints": [{"port": "http", "path": "/metrics", "interval": "15s"}],
        },
    )
