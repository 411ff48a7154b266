"""Models served by vLLM: how many pods of what size, and how long they take to start."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from inference import derivation
from inference.blueprint.names import MODEL_LABEL
from inference.blueprint.pools import GpuPoolPlan, TpuPoolPlan
from inference.facts import gke
from inference.facts.machines import allocatable
from inference.facts.models import Model, find
from inference.facts.versions import COMPONENTS
from inference.fit import Fit, Split
from inference.naming import bounded
from inference.settings import StackSettings
from inference.settings.models import BucketWeights, ModelSettings
from inference.startup import Startup, startup

__all__ = ["ModelPlan", "plan_model"]

_SHARE_FOR_PODS = 0.8
"""Part of a node's allocatable CPU and memory that its model pods ask for; system DaemonSets take some of the rest."""

_SHM_GIB_PER_ACCELERATOR = 8
"""Size of /dev/shm; NCCL and the workers of one server exchange buffers there."""


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


def plan_model(settings: StackSettings, name: str, pools: Mapping[str, GpuPoolPlan | TpuPoolPlan]) -> ModelPlan:
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
