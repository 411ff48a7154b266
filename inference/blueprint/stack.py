"""The whole stack, worked out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inference import derivation
from inference.blueprint.models import ModelPlan, plan_model
from inference.blueprint.names import API_KEY_SECRET, hub_token_secret
from inference.blueprint.nim import NimPlan, plan_nim
from inference.blueprint.pools import GpuPoolPlan, TpuPoolPlan, plan_pool
from inference.facts import gke, nim
from inference.naming import bounded
from inference.settings import StackSettings
from inference.settings.models import BucketWeights, HubWeights
from inference.settings.secrets import SecretSource

__all__ = ["Blueprint", "design"]


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """The whole stack, worked out."""

    settings: StackSettings
    cluster_name: str
    region: str
    pools: Mapping[str, GpuPoolPlan | TpuPoolPlan]
    models: Mapping[str, ModelPlan]
    """Models that vLLM serves; they are behind the gateway, where there is one."""
    nims: Mapping[str, NimPlan]
    """Models that NVIDIA NIMs serve; they stay inside the cluster."""

    @property
    def locked(self) -> bool:
        """Whether deletion and replacement of cluster and pools are refused."""
        return self.production if self.settings.cluster.locked is None else self.settings.cluster.locked

    @property
    def production(self) -> bool:
        """Whether people depend on the stack: controllers then run twice, whether it is locked or not."""
        return self.settings.cluster.environment == "production"

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
        for plan in self.nims.values():
            found[plan.api_key_secret] = (nim.API_KEY_ENV, plan.settings.ngc_api_key)
        return found

    @property
    def pull_secrets(self) -> dict[str, SecretSource]:
        """Kubernetes Secrets that pull images from NGC, by name."""
        return {plan.pull_secret: plan.settings.ngc_api_key for plan in self.nims.values()}

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
        servers = [server for model in self.models.values() for server in (model, model.prefill)]
        return any(server.multi_node for server in servers if server is not None)

    @property
    def kserve(self) -> bool:
        """Whether KServe's controller is needed."""
        return any(model.settings.engine == "kserve" for model in self.models.values())

    @property
    def buckets(self) -> bool:
        """Whether pods mount Cloud Storage."""
        return any(isinstance(model.settings.weights, BucketWeights) for model in self.models.values())


def design(settings: StackSettings, stack: str) -> Blueprint:
    """Return the blueprint of checked settings.

    Args:
        settings: the stack file.
        stack: name of the stack; the cluster is named after it where the settings name none.
    """
    cluster = settings.cluster
    pools = {name: plan_pool(settings, name) for name in settings.pools}
    return Blueprint(
        settings=settings,
        cluster_name=cluster.name or bounded(f"inference-{stack}", 40),
        region=derivation.region_of_cluster(cluster),
        pools=pools,
        models={name: plan_model(settings, name, pools) for name in derivation.vllm_models(settings)},
        nims={name: plan_nim(settings, name, pools) for name in derivation.nim_models(settings)},
    )
