"""The queue in front of a pool with queued provisioning: Kueue asks GKE for the nodes of each workload, all at once.

A workload waits in the LocalQueue, takes quota from the ClusterQueue, and starts when the AdmissionCheck's
ProvisioningRequest has brought its nodes. The form follows Kueue's own set-up
(https://kueue.sigs.k8s.io/docs/concepts/admission_check/provisioning_request/) and Google's
(https://github.com/GoogleCloudPlatform/cluster-toolkit, examples/gke-consumption-options).
"""

from __future__ import annotations

import json
from typing import Any

from inference.blueprint import NAMESPACE, POOL_LABEL, GpuPoolPlan, TpuPoolPlan
from inference.facts import controllers, gke
from inference.manifests.objects import Manifest, metadata, object_
from inference.settings.pools import QueuedProvisioning

__all__ = [
    "admission_check",
    "cluster_queue",
    "controller_values",
    "local_queue",
    "provisioning_config",
    "resource_flavor",
]

_RETRIES = {"backoffLimitCount": 1000, "backoffBaseSeconds": 60, "backoffMaxSeconds": 1800}
"""A request that fails is made again, for weeks: after Kueue's own three attempts a server would be given up."""


def controller_values(replicas: int) -> Manifest:
    """Return the values of Kueue's chart.

    Kueue looks at the models' namespace only, so that nothing else in the cluster waits for its webhooks, and at
    Deployments, the one kind of server that survives the end of its nodes there. Of a pod it counts what the
    ClusterQueue names, its accelerators; cpu, memory and networks come with the nodes. It does not wait for pods to
    become ready (``waitForPodsReady``): the nodes are there when a workload is admitted, and a model that loads for an
    hour would be evicted and lose them.
    """
    configuration = {
        "apiVersion": controllers.KUEUE_CONFIG_API,
        "kind": "Configuration",
        "health": {"healthProbeBindAddress": ":8081"},
        "metrics": {"bindAddress": ":8443"},
        "webhook": {"port": 9443},
        "leaderElection": {"leaderElect": True, "resourceName": "c1f6bfd2.kueue.x-k8s.io"},
        "manageJobsWithoutQueueName": False,
        "managedJobsNamespaceSelector": _namespace(),
        "integrations": {"frameworks": ["pod", "deployment"]},
        "resources": {"quotaCheckStrategy": "IgnoreUndeclared"},
    }
    return {
        "controllerManager": {"replicas": replicas},
        "managerConfig": {"controllerManagerConfigYaml": json.dumps(configuration, indent=2)},
    }


def _namespace() -> Manifest:
    return {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}


def resource_flavor(pool: GpuPoolPlan | TpuPoolPlan) -> Manifest:
    """Return what Kueue knows of the pool's nodes; it adds their label to what it admits."""
    return _object("ResourceFlavor", pool, {"nodeLabels": {POOL_LABEL: pool.name}})


def provisioning_config(pool: GpuPoolPlan | TpuPoolPlan) -> Manifest:
    """Return what each request for nodes says.

    The pods are held to the nodes that came for them, whose run time ends with that of the pool's nodes.
    """
    if not isinstance(pool.capacity, QueuedProvisioning):
        raise TypeError(f"pool {pool.name} is bought by {pool.capacity.type}, which has no queue")
    held = {"key": gke.PROVISIONED_LABEL, "valueFromProvisioningClassDetail": gke.PROVISIONED_DETAIL}
    return _object(
        "ProvisioningRequestConfig",
        pool,
        {
            "provisioningClassName": gke.QUEUED_PROVISIONING_CLASS,
            "managedResources": [pool.resource],
            "parameters": {gke.MAX_RUN_PARAMETER: str(pool.capacity.max_run_hours * 3600)},
            "podSetUpdates": {"nodeSelector": [held]},
            "retryStrategy": _RETRIES,
        },
    )


def admission_check(pool: GpuPoolPlan | TpuPoolPlan) -> Manifest:
    """Return what a workload must pass before it starts: its nodes are there."""
    reference = {"apiGroup": _group(), "kind": "ProvisioningRequestConfig", "name": pool.name}
    return _object(
        "AdmissionCheck", pool, {"controllerName": controllers.KUEUE_PROVISIONING_CONTROLLER, "parameters": reference}
    )


def cluster_queue(pool: GpuPoolPlan | TpuPoolPlan) -> Manifest:
    """Return the quota of the pool: all accelerators that it may have."""
    quota = {"name": pool.resource, "nominalQuota": pool.max_nodes * pool.per_node}
    return _object(
        "ClusterQueue",
        pool,
        {
            "namespaceSelector": _namespace(),
            "resourceGroups": [
                {"coveredResources": [pool.resource], "flavors": [{"name": pool.name, "resources": [quota]}]}
            ],
            "admissionChecksStrategy": {"admissionChecks": [{"name": pool.name}]},
        },
    )


def local_queue(pool: GpuPoolPlan | TpuPoolPlan) -> Manifest:
    """Return the queue that the models' pods name."""
    return object_(controllers.KUEUE_API, "LocalQueue", metadata(pool.name), spec={"clusterQueue": pool.name})


def _group() -> str:
    return controllers.KUEUE_API.partition("/")[0]


def _object(kind: str, pool: GpuPoolPlan | TpuPoolPlan, spec: dict[str, Any]) -> Manifest:
    return object_(controllers.KUEUE_API, kind, metadata(pool.name, namespace=None), spec=spec)
