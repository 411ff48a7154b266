"""Memory shared over NVLink between nodes: a compute domain, and the driver that opens its channels.

Values and objects follow Google's files for A4X (https://github.com/GoogleCloudPlatform/cluster-toolkit,
modules/management/kubectl-apply and examples/gke-a4x) and the driver's own definition
(https://github.com/kubernetes-sigs/dra-driver-nvidia-gpu).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from inference.blueprint import GpuPoolPlan
from inference.facts import gke
from inference.manifests.objects import Manifest, metadata, object_

__all__ = ["DRIVER_NAMESPACE", "compute_domain", "driver_values", "quota"]

DRIVER_NAMESPACE = "nvidia-dra-driver-gpu"
"""Namespace of the driver; it refuses ``default``."""


def compute_domain(pool: GpuPoolPlan) -> Manifest:
    """Return the domain of all nodes of the pool; the driver makes the claim template that it names.

    One for the pool, not one for each workload: a node is in one domain at a time. Its nodes are not counted, so it
    stays the same when a model scales.
    """
    channel = {"resourceClaimTemplate": {"name": pool.domain_claim}}
    return object_(
        gke.COMPUTE_DOMAIN_API,
        "ComputeDomain",
        metadata(f"{pool.name}-domain"),
        spec={"numNodes": 0, "channel": channel},
    )


def quota() -> Manifest:
    """Return the quota without which GKE admits no pod of a system priority class outside of kube-system."""
    classes = ["system-node-critical", "system-cluster-critical"]
    scope = {"matchExpressions": [{"operator": "In", "scopeName": "PriorityClass", "values": classes}]}
    return object_(
        "v1",
        "ResourceQuota",
        metadata("system-pods", namespace=DRIVER_NAMESPACE),
        spec={"hard": {"pods": "100"}, "scopeSelector": scope},
    )


def driver_values(pools: Iterable[GpuPoolPlan]) -> dict[str, Any]:
    """Return the values of the driver's chart: compute domains only, as GKE's device plugin hands out the GPUs."""
    accelerators = sorted({pool.gpu.accelerator for pool in pools})
    requirements = [
        {"key": gke.ACCELERATOR_LABEL, "operator": "In", "values": accelerators},
        {"key": gke.ARCH_LABEL, "operator": "In", "values": ["arm64"]},
    ]
    taints = (gke.GPU_TAINT, gke.ARM_TAINT)
    return {
        "nvidiaDriverRoot": gke.HOST_NVIDIA,
        "resources": {"gpus": {"enabled": False}, "computeDomains": {"enabled": True}},
        "controller": {"affinity": _on_nodes([{"key": gke.ACCELERATOR_LABEL, "operator": "DoesNotExist"}])},
        "kubeletPlugin": {
            "affinity": _on_nodes(requirements),
            "tolerations": [taint.toleration for taint in taints],
        },
    }


def _on_nodes(requirements: list[Manifest]) -> Manifest:
    terms = [{"matchExpressions": requirements}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
