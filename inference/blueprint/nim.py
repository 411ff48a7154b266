"""Models of NVIDIA NIM: what each pod takes, keeps, and must be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from inference.blueprint.names import MODEL_LABEL
from inference.blueprint.pods import PodShare, pod_share
from inference.blueprint.pools import GpuPoolPlan, TpuPoolPlan
from inference.derivation import nim_cache_gib, nim_models
from inference.facts import nim
from inference.facts.models import find
from inference.naming import bounded
from inference.settings import StackSettings
from inference.settings.nim import NimModelSettings
from inference.startup import Startup, startup

__all__ = ["NimPlan", "plan_nim"]


@dataclass(frozen=True, kw_only=True)
class NimPlan:
    """One model and the pods that serve it."""

    name: str
    settings: NimModelSettings
    pool: GpuPoolPlan
    image: str
    cache_gib: int
    """Disk of each pod."""
    startup: Startup

    @property
    def selector(self) -> dict[str, str]:
        """Labels that name the pods."""
        return {MODEL_LABEL: self.name}

    @property
    def labels(self) -> dict[str, str]:
        """Labels of the pods."""
        return {
            "app.kubernetes.io/name": "nim",
            "app.kubernetes.io/instance": self.name,
            "app.kubernetes.io/part-of": "gke-inference",
            **self.selector,
        }

    @property
    def service_account(self) -> str:
        """Kubernetes service account of the pods, which has no rights."""
        return bounded(f"{self.name}-server", 63)

    @property
    def service(self) -> str:
        """Service that clients inside the cluster use."""
        return f"{self.name}-server"

    @property
    def headless_service(self) -> str:
        """Service that gives each pod a name of its own."""
        return f"{self.name}-pods"

    @property
    def api_key_secret(self) -> str:
        """Kubernetes Secret with the key of NGC."""
        return f"{self.name}-ngc"

    @property
    def pull_secret(self) -> str:
        """Kubernetes Secret that pulls the image."""
        return f"{self.name}-registry"

    @property
    def storage_class(self) -> str:
        """Storage class of the caches: disks that the pool's machine takes."""
        return f"{self.name}-cache"

    @cached_property
    def share(self) -> PodShare:
        """CPU and memory of a pod."""
        return pod_share(self.pool, self.settings.gpus)


def plan_nim(settings: StackSettings, name: str, pools: Mapping[str, GpuPoolPlan | TpuPoolPlan]) -> NimPlan:
    model = nim_models(settings)[name]
    pool, image, size = pools[model.pool], model.image or nim.image(model.model), nim_cache_gib(model)
    if not isinstance(pool, GpuPoolPlan) or image is None or size is None:
        raise ValueError(f"models.{name}: pool, image or cache is not settled; the checks should have refused it")
    known = find(model.model)
    loading = startup(known.weight_bytes if known else None, "hub", 1, known.parameters if known else None)
    return NimPlan(
        name=name,
        settings=model,
        pool=pool,
        image=image,
        cache_gib=size,
        startup=replace(loading, budget_seconds=max(loading.budget_seconds, nim.STARTUP_SECONDS)),
    )
