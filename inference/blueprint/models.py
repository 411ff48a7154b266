"""Models served by vLLM: how many pods of what size, and how long they take to start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from inference import derivation
from inference.blueprint.names import MODEL_LABEL, SERVER_PORT
from inference.blueprint.pods import PodShare, pod_share
from inference.blueprint.pools import GpuPoolPlan, TpuPoolPlan
from inference.config_json.files import annotation_of, known_of
from inference.facts import controllers
from inference.facts.endpoint_picker import ROLE_LABEL, SIDECAR_ENGINE_PORT
from inference.facts.models import Model
from inference.facts.versions import COMPONENTS
from inference.fit import Fit, Split
from inference.naming import bounded
from inference.settings import StackSettings
from inference.settings.models import BucketWeights
from inference.settings.served import VllmServed
from inference.startup import Startup, startup

__all__ = ["ModelPlan", "plan_model"]


@dataclass(frozen=True, kw_only=True)
class ModelPlan:
    """One model and the pods that serve it; of a disaggregated one, the pods of one role."""

    name: str
    role: Literal["", "prefill", "decode"]
    """What the pods do of a request; nothing where they do all of it."""
    prefill: ModelPlan | None
    """The servers that read the prompts for these ones."""
    settings: VllmServed
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
    api_key_source: str
    """Secret and version of that key; empty without one."""
    cache_events: bool
    """Whether the picker follows the servers' cache events."""

    @property
    def workload(self) -> str:
        """Name of what runs the pods."""
        return bounded(f"{self.name}-prefill", controllers.MAX_LWS_NAME) if self.role == "prefill" else self.name

    @property
    def multi_node(self) -> bool:
        """Whether one replica spans several nodes."""
        return self.group_size > 1

    @property
    def ranks_per_pod(self) -> int:
        """Data-parallel ranks in each pod."""
        return min(self.split.data, max(1, self.per_pod // self.split.tensor))

    @property
    def led(self) -> bool:
        """Whether only the first pod of a replica answers; data-parallel ranks answer on every node."""
        return self.multi_node and self.split.data == 1

    @property
    def engine_port(self) -> int:
        """Port of vLLM itself: behind the routing sidecar, where there is one."""
        return SIDECAR_ENGINE_PORT if self.role == "decode" else SERVER_PORT

    @property
    def engine_port_name(self) -> str:
        """Name of that port; ``http`` is the one that clients reach."""
        return "engine" if self.role == "decode" else "http"

    @property
    def resource(self) -> str:
        """Extended resource of the accelerators."""
        return self.pool.resource

    @property
    def rdma(self) -> bool:
        """Whether the pods take the NICs of the accelerator fabric, which go to one pod of a node as a whole."""
        reaching = self.multi_node or (bool(self.role) and self.per_pod == self.pool.per_node)
        return reaching and isinstance(self.pool, GpuPoolPlan) and self.pool.attachment != "default"

    @property
    def collective(self) -> bool:
        """Whether NCCL goes over the fabric: only where one replica spans nodes; caches are moved without NCCL."""
        return self.rdma and self.multi_node

    @property
    def labels(self) -> dict[str, str]:
        """Labels of the pods."""
        return {
            "app.kubernetes.io/name": "vllm",
            "app.kubernetes.io/instance": self.name,
            "app.kubernetes.io/part-of": "gke-inference",
            **self.selector,
        }

    @property
    def annotations(self) -> dict[str, str]:
        """Annotations of what runs the pods: what the stack file says of the model itself."""
        return annotation_of(self.settings)

    @property
    def selector(self) -> dict[str, str]:
        """Labels that name these pods."""
        return {MODEL_LABEL: self.name, **({ROLE_LABEL: self.role} if self.role else {})}

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
    def _share(self) -> PodShare:
        return pod_share(self.pool, self.per_pod)

    @property
    def cpu(self) -> int:
        """CPU request, cores."""
        return self._share.cpu

    @property
    def memory_gib(self) -> int:
        """Memory request, GiB; /dev/shm counts against it."""
        return self._share.memory_gib

    @property
    def shm_gib(self) -> int:
        """Size of /dev/shm, GiB."""
        return self._share.shm_gib


def plan_model(settings: StackSettings, name: str, pools: Mapping[str, GpuPoolPlan | TpuPoolPlan]) -> ModelPlan:
    stages = dict(derivation.stages_of(derivation.vllm_models(settings)[name]))
    if "prefill" not in stages:
        return _plan(settings, name, stages[""], pools)
    prefill = _plan(settings, name, stages["prefill"], pools, role="prefill")
    return _plan(settings, name, stages[""], pools, role="decode", prefill=prefill)


def _plan(
    settings: StackSettings,
    name: str,
    model: VllmServed,
    pools: Mapping[str, GpuPoolPlan | TpuPoolPlan],
    *,
    role: Literal["", "prefill", "decode"] = "",
    prefill: ModelPlan | None = None,
) -> ModelPlan:
    gateway = settings.gateway
    pool = settings.pools[model.pool]
    known = known_of(model)
    group_size = derivation.nodes_per_replica(model, pool)
    per_pod = derivation.pods_accelerators(model, pool)
    if per_pod is None:
        raise ValueError(f"models.{name}: accelerators are not settled; the checks should have refused it")
    server = COMPONENTS[_server(pools[model.pool])]
    return ModelPlan(
        name=name,
        role=role,
        prefill=prefill,
        settings=model,
        known=known,
        pool=pools[model.pool],
        split=derivation.split_of(model),
        per_pod=per_pod,
        group_size=group_size,
        image=model.image or server.reference,
        startup=startup(
            known.weight_bytes if known else None,
            model.weights.source,
            group_size,
            known.parameters if known else None,
            tpu=pool.kind == "tpu",
        ),
        fit=derivation.fit_of(model, known, pool) if known else None,
        authenticated=gateway is not None,
        api_key_source=gateway.api_key.path if gateway else "",
        cache_events=gateway is not None and gateway.picker.prefix_cache == "precise",
    )


def _server(pool: GpuPoolPlan | TpuPoolPlan) -> str:
    """Return the build of vLLM for the pool: the NCCL plugin for TCPXO is of CUDA 12, and the default build of 13."""
    if isinstance(pool, TpuPoolPlan):
        return "vllm-tpu"
    return "vllm-cu129" if pool.tcpxo else "vllm"
