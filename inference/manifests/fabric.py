"""What a pod says to be put onto the nodes of a pool, and to reach the accelerator fabric from there.

Pods that take the NICs of a fabric take all of them, and all accelerators of the node.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from inference.blueprint import POOL_LABEL, GpuPoolPlan, TpuPoolPlan
from inference.facts import gke
from inference.manifests import tcpxo
from inference.manifests.objects import Manifest

__all__ = ["FabricParts", "fabric_parts", "placement"]


@dataclass(frozen=True, kw_only=True)
class FabricParts:
    """Parts of a pod and of the container that computes, each to be added to what is there."""

    annotations: dict[str, str] = field(default_factory=dict)
    """Of the pod template."""
    claims: dict[str, str] = field(default_factory=dict)
    """Name of the claim in the pod to the name of its ResourceClaimTemplate."""
    volumes: tuple[Manifest, ...] = ()
    mounts: tuple[Manifest, ...] = ()
    sidecars: tuple[Manifest, ...] = ()
    """Init containers that go on running."""
    environment: tuple[Manifest, ...] = ()
    capabilities: tuple[str, ...] = ()
    script: tuple[str, ...] = ()
    """Lines of shell before the program, which it inherits its environment from."""

    @property
    def pod_claims(self) -> list[Manifest]:
        """``resourceClaims`` of the pod."""
        return [{"name": name, "resourceClaimTemplateName": made} for name, made in self.claims.items()]

    @property
    def container_claims(self) -> list[Manifest]:
        """``resources.claims`` of the container."""
        return [{"name": name} for name in self.claims]

    @property
    def security(self) -> Manifest:
        """``securityContext`` of the container."""
        added = {"capabilities": {"add": list(self.capabilities)}} if self.capabilities else {}
        return {"allowPrivilegeEscalation": False, **added}


def placement(pool: GpuPoolPlan | TpuPoolPlan) -> Manifest:
    """Return ``nodeSelector`` and ``tolerations`` of pods for the pool."""
    taints = [gke.GPU_TAINT]
    if pool.compute_class is not None:
        chosen = gke.Taint.of_class(pool.compute_class)
        return {
            "nodeSelector": {gke.COMPUTE_CLASS_LABEL: pool.compute_class},
            "tolerations": [taint.toleration for taint in (*taints, chosen)],
        }
    selector = {POOL_LABEL: pool.name}
    match pool:
        case GpuPoolPlan():
            selector[gke.ACCELERATOR_LABEL] = pool.gpu.accelerator
            if pool.machine.arch == "arm64":
                taints.append(gke.ARM_TAINT)
        case TpuPoolPlan():
            selector[gke.TPU_ACCELERATOR_LABEL] = pool.slice.generation.accelerator
            selector[gke.TPU_TOPOLOGY_LABEL] = pool.slice.topology
            taints = [gke.TPU_TAINT]
    if pool.capacity.type == "queued-provisioning":
        taints.append(gke.QUEUED_TAINT)
    return {"nodeSelector": selector, "tolerations": [taint.toleration for taint in taints]}


def fabric_parts(pool: GpuPoolPlan | TpuPoolPlan, *, collective: bool) -> FabricParts:
    """Return what a pod needs to use the fabric of its node.

    Args:
        pool: the pool of the node.
        collective: whether NCCL goes over the fabric; caches alone are moved without it.
    """
    if not isinstance(pool, GpuPoolPlan) or pool.fabric is None or pool.attachment == "default":
        return FabricParts()
    annotations: dict[str, str] = {}
    claims: dict[str, str] = {}
    if pool.attachment == "multi-network":
        pairs = [{"interfaceName": name, "network": network} for name, network in pool.fabric.interfaces]
        annotations = {gke.DEFAULT_INTERFACE_ANNOTATION: "eth0", gke.INTERFACES_ANNOTATION: json.dumps(pairs)}
    else:
        claims["rdma"] = f"{pool.name}-rdma"
    if pool.nvlink_domain:
        claims["compute-domain"] = pool.domain_claim
    if pool.tcpxo:
        return _tcpxo(pool, annotations, claims)
    gib = collective and pool.gib
    return FabricParts(
        annotations=annotations,
        claims=claims,
        capabilities=(gke.RDMA_CAPABILITY,),
        volumes=({"name": "gib", "hostPath": {"path": gke.HOST_GIB, "type": "Directory"}},) if gib else (),
        mounts=({"name": "gib", "mountPath": gke.CONTAINER_GIB, "readOnly": True},) if gib else (),
        script=(_wait(gke.NCCL_ENV_SCRIPT), f"source {gke.NCCL_ENV_SCRIPT}") if gib else (),
    )


def _tcpxo(pool: GpuPoolPlan, annotations: dict[str, str], claims: dict[str, str]) -> FabricParts:
    return FabricParts(
        annotations={**annotations, **tcpxo.device_annotations(pool.per_node)},
        claims=claims,
        volumes=tcpxo.daemon_volumes(),
        mounts=(
            {"name": "libraries", "mountPath": gke.DRIVER_LIBRARY_PATH},
            {"name": "aperture-devices", "mountPath": gke.TCPXO_APERTURE_DEVICES},
        ),
        sidecars=(tcpxo.daemon(),),
        environment=(
            {"name": "NCCL_FASTRAK_LLCM_DEVICE_DIRECTORY", "value": gke.TCPXO_APERTURE_DEVICES},
            {"name": "NCCL_LIB_DIR", "value": gke.DRIVER_LIBRARY_PATH},
        ),
        script=(_wait(tcpxo.ENV_SCRIPT), f"source {tcpxo.ENV_SCRIPT}"),
    )


def _wait(script: str) -> str:
    return f"until [ -e {script} ]; do sleep 5; done"
