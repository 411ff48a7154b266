"""What a stack file means: every pool and model with all that follows from settings and facts.

The settings have been checked; a fact that is needed here and missing is a defect of the checks and raises.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from inference import derivation
from inference.facts import gke
from inference.facts.fabrics import Fabric
from inference.facts.gpus import Gpu
from inference.facts.machines import Machine, allocatable
from inference.facts.models import Model, find
from inference.facts.tpus import Slice
from inference.facts.versions import COMPONENTS
from inference.fit import Fit, Split
from inference.naming import bounded
from inference.settings import StackSettings
from inference.settings.models import BucketWeights, HubWeights, ModelSettings
from inference.settings.pools import Capacity, GpuPoolSettings, TpuPoolSettings
from inference.settings.secrets import SecretSource
from inference.startup import Startup, startup

__all__ = [
    "API_KEY_SECRET",
    "MODEL_LABEL",
    "NAMESPACE",
    "POOL_LABEL",
    "SERVER_PORT",
    "Blueprint",
    "GpuPoolPlan",
    "ModelPlan",
    "PoolPlan",
    "TpuPoolPlan",
    "design",
    "hub_token_secret",
]

NAMESPACE = "inference"
"""Kubernetes namespace of models, pickers, routes and the gateway."""

POOL_LABEL = "gke-inference/pool"
"""Node label that models select their pool by; GKE's own label carries a name that is not known beforehand."""

MODEL_LABEL = "gke-inference/model"
"""Pod label that Services and InferencePools select a model by."""

API_KEY_SECRET = "model-api-key"  # noqa: S105 - a name
"""Kubernetes Secret with the key that clients must send, under the key ``api-key``."""

SERVER_PORT = 8000
"""Port of every model server."""

_SHARE_FOR_PODS = 0.8
"""Part of a node's allocatable CPU and memory that its model pods ask for; system DaemonSets take some of the rest."""

_SHM_GIB_PER_ACCELERATOR = 8
"""Size of /dev/shm; NCCL and the workers of one server exchange buffers there."""


@dataclass(frozen=True, kw_only=True)
class PoolPlan:
    """What all accelerator pools have in common."""

    name: str
    zone: str
    capacity: Capacity
    min_nodes: int
    max_nodes: int
    per_node: int
    """Accelerators of a node."""

    @property
    def labels(self) -> dict[str, str]:
        """Labels that the pool declares for its nodes."""
        return {POOL_LABEL: self.name}


@dataclass(frozen=True, kw_only=True)
class GpuPoolPlan(PoolPlan):
    """A pool of GPU nodes."""

    settings: GpuPoolSettings
    machine: Machine
    gpu: Gpu
    fabric: Fabric | None
    attachment: str
    """``multi-network``, ``dranet`` or ``default``."""

    @property
    def gib(self) -> bool:
        """Whether the nodes need the NCCL plugin for RDMA (gIB) installed; A4X Max carries it in the image."""
        return self.attachment != "default" and self.fabric is not None and self.fabric.name == "roce"

    @property
    def boot_disk_type(self) -> str:
        """Disk type that the machine takes."""
        return self.machine.boot_disk_types[0]


@dataclass(frozen=True, kw_only=True)
class TpuPoolPlan(PoolPlan):
    """A pool of TPU slices."""

    settings: TpuPoolSettings
    slice: Slice


@dataclass(frozen=True, kw_only=True)
class ModelPlan:
    """One model and the pods that serve it."""

    name: str
    settings: ModelSettings
    known: Model | None
    pool: GpuPoolPlan | TpuPoolPlan
    split: Split
    per_pod: int
    """Accelerators of a pod."""
    group_size: int
    """Pods, one a node, of one replica."""
    image: str
    startup: Startup
    fit: Fit | None
    authenticated: bool
    """Whether clients must send the API key."""
    api_key_version: str

    @property
    def multi_node(self) -> bool:
        """Whether one replica spans several nodes."""
        return self.group_size > 1

    @property
    def resource(self) -> str:
        """Extended resource of the accelerators."""
        return gke.GPU_RESOURCE if isinstance(self.pool, GpuPoolPlan) else gke.TPU_RESOURCE

    @property
    def rdma(self) -> bool:
        """Whether the pods use the accelerator fabric."""
        return self.multi_node and isinstance(self.pool, GpuPoolPlan) and self.pool.attachment != "default"

    @property
    def labels(self) -> dict[str, str]:
        """Labels of the pods."""
        return {
            "app.kubernetes.io/name": "vllm",
            "app.kubernetes.io/instance": self.name,
            "app.kubernetes.io/part-of": "gke-inference",
            MODEL_LABEL: self.name,
        }

    @property
    def selector(self) -> dict[str, str]:
        """Labels that name the pods of this model."""
        return {MODEL_LABEL: self.name}

    @property
    def service_account(self) -> str:
        """Kubernetes service account of the pods; reads the weights."""
        return bounded(f"{self.name}-server", 63)

    @property
    def weights_path(self) -> str:
        """What the server loads: an id of the Hub, or a folder."""
        weights = self.settings.weights
        return f"/weights/{weights.path}" if isinstance(weights, BucketWeights) else self.settings.model

    @cached_property
    def _allocatable(self) -> tuple[float, float]:
        if isinstance(self.pool, GpuPoolPlan):
            return allocatable(self.pool.machine)
        cores, memory = self.pool.slice.generation.host_shapes.get(self.pool.slice.machine_type, (24, 48.0))
        return float(cores), memory

    @property
    def cpu(self) -> int:
        """CPU request, cores."""
        return max(1, math.floor(self._allocatable[0] * _SHARE_FOR_PODS * self.per_pod / self.pool.per_node))

    @property
    def memory_gib(self) -> int:
        """Memory request, GiB; /dev/shm counts against it."""
        return max(2, math.floor(self._allocatable[1] * _SHARE_FOR_PODS * self.per_pod / self.pool.per_node))

    @property
    def shm_gib(self) -> int:
        """Size of /dev/shm, GiB."""
        return min(_SHM_GIB_PER_ACCELERATOR * self.per_pod, max(1, self.memory_gib // 4))


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """The whole stack, worked out."""

    settings: StackSettings
    cluster_name: str
    region: str
    pools: Mapping[str, GpuPoolPlan | TpuPoolPlan]
    models: Mapping[str, ModelPlan]

    @property
    def locked(self) -> bool:
        """Whether deletion and replacement of cluster and pools are refused."""
        cluster = self.settings.cluster
        return cluster.environment == "production" if cluster.locked is None else cluster.locked

    @property
    def secrets(self) -> dict[str, tuple[str, SecretSource]]:
        """Kubernetes Secrets to make: key and source by name."""
        found: dict[str, tuple[str, SecretSource]] = {}
        if self.settings.gateway is not None:
            found[API_KEY_SECRET] = ("api-key", self.settings.gateway.api_key)
        for name, model in self.models.items():
            weights = model.settings.weights
            if isinstance(weights, HubWeights) and weights.token is not None:
                found[hub_token_secret(name)] = ("token", weights.token)
        return found

    @property
    def services(self) -> frozenset[str]:
        """Google APIs that the stack needs."""
        needed = {"cluster", "service-accounts", "monitoring"}
        if self.settings.gateway is not None:
            needed.add("inference-gateway")
        if self.secrets:
            needed.add("secret-manager")
        return frozenset(api for capability in needed for api in gke.REQUIRED_APIS[capability])

    @property
    def fabrics(self) -> dict[str, GpuPoolPlan]:
        """Pools whose fabric the stack attaches, by name."""
        return {
            name: pool
            for name, pool in self.pools.items()
            if isinstance(pool, GpuPoolPlan) and pool.fabric is not None and pool.attachment != "default"
        }

    @property
    def accelerator_networks(self) -> dict[str, tuple[str, ...]]:
        """Networks to make, by name, with the pools that share each.

        One for all of multi-networking, whose Network objects are named once per cluster, and one for each pool
        under DRANET.
        """
        shared = tuple(name for name, pool in self.fabrics.items() if pool.attachment == "multi-network")
        own: dict[str, tuple[str, ...]] = {
            f"{name}-rdma": (name,) for name, pool in self.fabrics.items() if pool.attachment == "dranet"
        }
        return {"rdma": shared, **own} if shared else own

    @property
    def multi_networking(self) -> bool:
        """Whether the cluster needs the multi-networking feature."""
        return any(pool.attachment == "multi-network" for pool in self.fabrics.values())

    @property
    def groups(self) -> bool:
        """Whether the LeaderWorkerSet controller is needed."""
        return any(model.multi_node for model in self.models.values())

    @property
    def buckets(self) -> bool:
        """Whether pods mount Cloud Storage."""
        return any(isinstance(model.settings.weights, BucketWeights) for model in self.models.values())


def hub_token_secret(model: str) -> str:
    """Return the name of the Kubernetes Secret with a model's token of the Hub."""
    return f"{model}-hub-token"


def design(settings: StackSettings, stack: str) -> Blueprint:
    """Return the blueprint of checked settings.

    Args:
        settings: the stack file.
        stack: name of the stack; the cluster is named after it where the settings name none.
    """
    cluster = settings.cluster
    pools = {name: _pool(settings, name) for name in settings.pools}
    return Blueprint(
        settings=settings,
        cluster_name=cluster.name or bounded(f"inference-{stack}", 40),
        region=derivation.region_of_cluster(cluster),
        pools=pools,
        models={name: _model(settings, name, pools) for name in settings.models},
    )


def _pool(settings: StackSettings, name: str) -> GpuPoolPlan | TpuPoolPlan:
    pool = settings.pools[name]
    zone = derivation.zone_of(settings.cluster, pool)
    per_node = derivation.accelerators_per_node(pool)
    if zone is None or per_node is None:
        raise ValueError(f"pools.{name}: zone or accelerators are not settled; the checks should have refused it")
    match pool:
        case GpuPoolSettings():
            machine, gpu = derivation.machine_of(pool), derivation.gpu_of(pool)
            if machine is None or gpu is None:
                raise ValueError(f"pools.{name}: {pool.machine_type} is not known; the checks should have refused it")
            return GpuPoolPlan(
                name=name,
                zone=zone,
                capacity=pool.capacity,
                min_nodes=pool.nodes.min,
                max_nodes=pool.nodes.max,
                per_node=per_node,
                settings=pool,
                machine=machine,
                gpu=gpu,
                fabric=machine.fabric,
                attachment=derivation.attachment_of(pool),
            )
        case TpuPoolSettings():
            found = derivation.slice_of_pool(pool)
            if found is None:
                raise ValueError(f"pools.{name}: topology {pool.topology}; the checks should have refused it")
            return TpuPoolPlan(
                name=name,
                zone=zone,
                capacity=pool.capacity,
                min_nodes=pool.slices.min * found.nodes,
                max_nodes=pool.slices.max * found.nodes,
                per_node=per_node,
                settings=pool,
                slice=found,
            )


def _model(settings: StackSettings, name: str, pools: Mapping[str, GpuPoolPlan | TpuPoolPlan]) -> ModelPlan:
    model = settings.models[name]
    pool = settings.pools[model.pool]
    known = find(model.model)
    group_size = derivation.nodes_per_replica(model, pool)
    per_pod = derivation.pods_accelerators(model, pool)
    if per_pod is None:
        raise ValueError(f"models.{name}: accelerators are not settled; the checks should have refused it")
    server = COMPONENTS["vllm" if pool.kind == "gpu" else "vllm-tpu"]
    return ModelPlan(
        name=name,
        settings=model,
        known=known,
        pool=pools[model.pool],
        split=derivation.split_of(model),
        per_pod=per_pod,
        group_size=group_size,
        image=model.image or server.reference,
        startup=startup(known.weight_bytes if known else None, model.weights.source, group_size),
        fit=derivation.fit_of(model, known, pool) if known else None,
        authenticated=settings.gateway is not None,
        api_key_version=settings.gateway.api_key.version if settings.gateway else "",
    )
