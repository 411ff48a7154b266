"""How pods reach the accelerator fabric: Network objects with their parameters, or a DRA claim template."""

from __future__ import annotations

from typing import Any

from inference.blueprint import GpuPoolPlan
from inference.facts import gke
from inference.facts.fabrics import Fabric
from inference.facts.gke import NETWORKING_GROUP
from inference.manifests.objects import Manifest, metadata, object_

__all__ = ["claim_template", "device_mode", "network", "param_set"]


def device_mode(fabric: Fabric, name: str) -> str:
    """Return the device mode of a network of the fabric: host NICs are kernel devices."""
    return "NetDevice" if name in fabric.host_network_names else fabric.device_mode


def param_set(name: str, *, vpc: Any, subnet: Any, mode: str) -> Manifest:
    """Return the GKENetworkParamSet that ties a network to a VPC and subnet (plain names or outputs)."""
    return object_(
        gke.NETWORKING_API,
        "GKENetworkParamSet",
        metadata(name, namespace=None),
        spec={"vpc": vpc, "vpcSubnet": subnet, "deviceMode": mode},
    )


def network(name: str) -> Manifest:
    """Return the Network that pods name in their annotation."""
    reference = {"group": NETWORKING_GROUP, "kind": "GKENetworkParamSet", "name": name}
    return object_(
        gke.NETWORKING_API,
        "Network",
        metadata(name, namespace=None),
        spec={"type": gke.NETWORK_TYPE, "parametersRef": reference},
    )


def claim_template(pool: GpuPoolPlan) -> Manifest:
    """Return the claim of all RDMA devices of a node under managed DRANET.

    Raises:
        ValueError: the pool's machine has no fabric.
    """
    if pool.fabric is None:
        raise ValueError(f"pool {pool.name} has no accelerator fabric to claim")
    request = {
        "name": "rdma",
        "exactly": {
            "deviceClassName": pool.fabric.device_class,
            "allocationMode": "ExactCount",
            "count": pool.fabric.gpu_networks,
        },
    }
    return object_(
        "resource.k8s.io/v1",
        "ResourceClaimTemplate",
        metadata(f"{pool.name}-rdma"),
        spec={"spec": {"devices": {"requests": [request]}}},
    )
