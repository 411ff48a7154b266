"""The objects of a model that NVIDIA's NIM serves: pods with a disk each for the downloaded model, and the way to them.

Each pod keeps its download over restarts, so the pods come from a StatefulSet. It stops a pod before it starts the
next version of it, so that a rollout needs no spare accelerator.
"""

from __future__ import annotations

from inference.blueprint import SERVER_PORT, NimPlan
from inference.facts import gke, nim
from inference.manifests.fabric import placement
from inference.manifests.objects import Manifest, metadata, object_
from inference.manifests.server_pods import SHARED_MEMORY_MOUNT, ending, probes, shared_memory

__all__ = ["headless_service", "pod_monitoring", "service", "service_account", "stateful_set", "storage_class"]

_CACHE = "cache"
_FILE_SYSTEM_GROUP = 1000


def stateful_set(plan: NimPlan) -> Manifest:
    """Return the StatefulSet; the disks go when it is deleted, and stay when it is scaled down."""
    claim = {
        "metadata": {"name": _CACHE, "labels": plan.selector},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": plan.storage_class,
            "resources": {"requests": {"storage": f"{plan.cache_gib}Gi"}},
        },
    }
    return object_(
        "apps/v1",
        "StatefulSet",
        metadata(plan.name, labels=plan.labels),
        spec={
            "replicas": plan.settings.replicas,
            "serviceName": plan.headless_service,
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "RollingUpdate"},
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Retain"},
            "selector": {"matchLabels": plan.selector},
            "template": {"metadata": {"labels": plan.labels}, "spec": _pod(plan)},
            "volumeClaimTemplates": [claim],
        },
    )


def _pod(plan: NimPlan) -> Manifest:
    return {
        "serviceAccountName": plan.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": ending(spot=plan.pool.spot).grace_seconds,
        "imagePullSecrets": [{"name": plan.pull_secret}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": nim.USER,
            "runAsGroup": nim.GROUP,
            "fsGroup": _FILE_SYSTEM_GROUP,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **placement(plan.pool),
        "containers": [_container(plan)],
        "volumes": [shared_memory(plan.share.shm_gib)],
    }


def _container(plan: NimPlan) -> Manifest:
    amount = {gke.GPU_RESOURCE: str(plan.settings.gpus)}
    allowed = plan.startup.failure_threshold
    return {
        "name": "nim",
        "image": plan.image,
        "imagePullPolicy": "IfNotPresent",
        "env": _environment(plan),
        "ports": [{"name": "http", "containerPort": SERVER_PORT, "protocol": "TCP"}],
        "resources": {
            "requests": {"cpu": str(plan.share.cpu), "memory": f"{plan.share.memory_gib}Gi", **amount},
            "limits": amount,
        },
        **probes("http", ready=nim.READY_PATH, live=nim.LIVE_PATH, failure_threshold=allowed),
        "lifecycle": ending(spot=plan.pool.spot).lifecycle,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [
            {"name": _CACHE, "mountPath": nim.CACHE_PATH},
            SHARED_MEMORY_MOUNT,
        ],
    }


def _environment(plan: NimPlan) -> list[Manifest]:
    settings = plan.settings
    plain = {
        "NIM_CACHE_PATH": nim.CACHE_PATH,
        "NIM_SERVER_PORT": str(SERVER_PORT),
        "NIM_SERVED_MODEL_NAME": settings.model,
        "NIM_MAX_MODEL_LEN": str(settings.context_length),
        "NIM_JSONL_LOGGING": "true",
    }
    if settings.gpus > 1:
        plain["NIM_TENSOR_PARALLEL_SIZE"] = str(settings.gpus)
    if settings.profile is not None:
        plain["NIM_MODEL_PROFILE"] = settings.profile
    reference = {"name": plan.api_key_secret, "key": nim.API_KEY_ENV}
    key = {"name": nim.API_KEY_ENV, "valueFrom": {"secretKeyRef": reference}}
    return [*({"name": name, "value": value} for name, value in plain.items()), key]


def storage_class(plan: NimPlan) -> Manifest:
    """Return the class of the disks. A disk is made when its pod has a node, in that node's zone."""
    return object_(
        "storage.k8s.io/v1",
        "StorageClass",
        metadata(plan.storage_class, namespace=None),
        provisioner=gke.CSI_DRIVERS["persistent-disk"],
        parameters={"type": plan.pool.boot_disk_type},
        volumeBindingMode="WaitForFirstConsumer",
        allowVolumeExpansion=True,
        reclaimPolicy="Delete",
    )


def service(plan: NimPlan) -> Manifest:
    """Return the Service for clients inside the cluster.

    It is not awaited: a model that scaled to zero, or still loads, has no endpoint.
    """
    return _service(plan, plan.service, {"type": "ClusterIP"})


def headless_service(plan: NimPlan) -> Manifest:
    """Return the Service that the StatefulSet names its pods by."""
    return _service(plan, plan.headless_service, {"type": "ClusterIP", "clusterIP": "None"})


def _service(plan: NimPlan, name: str, kind: Manifest) -> Manifest:
    ports = [{"name": "http", "port": SERVER_PORT, "targetPort": "http", "protocol": "TCP"}]
    return object_(
        "v1",
        "Service",
        metadata(name, labels=plan.labels, annotations={"pulumi.com/skipAwait": "true"}),
        spec={**kind, "selector": plan.selector, "ports": ports},
    )


def service_account(plan: NimPlan) -> Manifest:
    """Return the identity of the pods, which has no rights and gets no token."""
    return object_(
        "v1",
        "ServiceAccount",
        metadata(plan.service_account, labels=plan.labels),
        automountServiceAccountToken=False,
    )


def pod_monitoring(plan: NimPlan) -> Manifest:
    """Return the scrape target for Managed Service for Prometheus."""
    return object_(
        "monitoring.googleapis.com/v1",
        "PodMonitoring",
        metadata(plan.name, labels=plan.labels),
        spec={
            "selector": {"matchLabels": plan.selector},
            "endpoints": [{"port": "http", "path": nim.METRICS_PATH, "interval": "15s"}],
        },
    )
