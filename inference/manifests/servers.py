"""The workloads that run model servers, and the Services and scrape targets in front of them."""

from __future__ import annotations

from inference.blueprint import MODEL_LABEL, SERVER_PORT, ModelPlan
from inference.facts import controllers, vllm
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

    A rollout first gives its accelerators back: a spare one is not to be had in most pools. In a queue, which may take
    days, it is not awaited.
    """
    queue = model.pool.queue
    return object_(
        "apps/v1",
        "Deployment",
        metadata(
            model.workload,
            labels={**model.labels, **({controllers.KUEUE_QUEUE_LABEL: queue} if queue else {})},
            annotations={**model.annotations, **({"pulumi.com/skipAwait": "true"} if queue else {})},
        ),
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
    with the leader, whose readiness needs them. Data-parallel ranks are alike, so one template serves all pods.
    """
    if model.led:
        templates = {"leaderTemplate": pod_template(model, "leader"), "workerTemplate": pod_template(model, "worker")}
    else:
        templates = {"workerTemplate": pod_template(model, "rank")}
    return object_(
        controllers.LWS_API,
        "LeaderWorkerSet",
        metadata(model.workload, labels=model.labels, annotations=model.annotations),
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
                **templates,
            },
        },
    )


def _answering(model: ModelPlan) -> dict[str, str]:
    """Return labels of the pods of a workload that answer requests: the leaders, where there are workers."""
    leaders = {controllers.LWS_NAME_LABEL: model.workload, controllers.LWS_WORKER_INDEX_LABEL: "0"} if model.led else {}
    return {**model.selector, **leaders}


def endpoint_selector(model: ModelPlan) -> dict[str, str]:
    """Return labels of the pods that the picker chooses among: of both roles, where there are two."""
    return {MODEL_LABEL: model.name} if model.role else _answering(model)


def service_name(model: ModelPlan) -> str:
    """Return the Service's name; a LeaderWorkerSet makes a headless Service of its own name."""
    return f"{model.name}-leader" if model.led else f"{model.name}-server"


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
            "selector": _answering(model),
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
        metadata(model.workload, labels=model.labels),
        spec={
            "selector": {"matchLabels": _answering(model)},
            "endpoints": [{"port": model.engine_port_name, "path": vllm.METRICS_PATH, "interval": "15s"}],
        },
    )
