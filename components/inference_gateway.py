"""InferenceGateway: the way in, with an endpoint picker in front of each model.

Owns: the Gateway, for each model the picker with its rights, the InferencePool, the route and GKE's policies, and for
several models the router that reads from the body which one is meant.
Leaves alone: the certificate and the DNS record of the host name, which outlive the stack, and the route of a model
under KServe, which KServe makes.
Deleting it frees the load balancer, so everything the load balancer uses must outlive it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components._kubernetes import create
from inference.blueprint import ModelPlan
from inference.manifests import body_based_router, endpoint_picker, gateway
from inference.settings.gateway import GatewaySettings

__all__ = ["InferenceGateway", "InferenceGatewayArgs"]

TOKEN = "gke-inference:index:InferenceGateway"  # noqa: S105 - a type token


@dataclass(frozen=True, kw_only=True)
class InferenceGatewayArgs:
    """What the component is made of."""

    settings: GatewaySettings
    models: Sequence[ModelPlan]
    after: Sequence[pulumi.Resource] = ()
    """What the load balancer needs, so that it is there before and outlives it."""


class InferenceGateway(pulumi.ComponentResource):
    """Creates a Gateway, for each model ten objects, and for several models five more."""

    url: str
    """Where clients send requests."""

    def __init__(self, name: str, args: InferenceGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        settings = args.settings
        props = {"exposure": settings.exposure, "hostname": settings.hostname, "models": [m.name for m in args.models]}
        super().__init__(TOKEN, name, props, opts)
        entrance = create(
            f"{name}-gateway",
            gateway.gateway(settings),
            pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
        )
        router = self._create_router(f"{name}-router", entrance) if len(args.models) > 1 else None
        for model in args.models:
            self._create_endpoint(f"{name}-{model.name}", model, settings, entrance, router)
        self.url = f"https://{settings.hostname}/v1"
        self.register_outputs({"url": self.url})

    def _create_router(self, name: str, entrance: pulumi.Resource) -> pulumi.Resource:
        child = pulumi.ResourceOptions(parent=self)
        account = create(f"{name}-account", body_based_router.service_account(), child)
        after_account = pulumi.ResourceOptions(parent=self, depends_on=[account])
        deployment = create(f"{name}-deployment", body_based_router.deployment(), after_account)
        after_pods = pulumi.ResourceOptions(parent=self, depends_on=[deployment])
        service = create(f"{name}-service", body_based_router.service(), after_pods)
        after_service = pulumi.ResourceOptions(parent=self, depends_on=[service])
        health = create(f"{name}-health", body_based_router.health_check_policy(), after_service)
        return create(
            f"{name}-extension",
            body_based_router.extension(),
            pulumi.ResourceOptions(parent=self, depends_on=[entrance, service, health]),
        )

    def _create_endpoint(
        self,
        name: str,
        model: ModelPlan,
        settings: GatewaySettings,
        entrance: pulumi.Resource,
        router: pulumi.Resource | None,
    ) -> None:
        service = create(f"{name}-epp-service", endpoint_picker.service(model), pulumi.ResourceOptions(parent=self))
        pool = create(
            f"{name}-pool", gateway.inference_pool(model), pulumi.ResourceOptions(parent=self, depends_on=[service])
        )
        picker = self._create_picker(f"{name}-epp", model, settings, pool)
        after_pool = pulumi.ResourceOptions(parent=self, depends_on=[pool])
        health = create(f"{name}-health", gateway.health_check_policy(model), after_pool)
        backend = create(f"{name}-backend", gateway.backend_policy(model, settings), after_pool)
        if model.settings.engine == "kserve":
            return
        create(
            f"{name}-route",
            gateway.route(model, settings, by_name=router is not None),
            pulumi.ResourceOptions(
                parent=self, depends_on=[entrance, picker, health, backend, *([router] if router else [])]
            ),
        )

    def _create_picker(
        self, name: str, model: ModelPlan, settings: GatewaySettings, pool: pulumi.Resource
    ) -> pulumi.Resource:
        """Register the picker after its pool: it is not ready before it has read the pool."""
        child = pulumi.ResourceOptions(parent=self)
        account = create(f"{name}-account", endpoint_picker.service_account(model), child)
        role = create(f"{name}-role", endpoint_picker.role(model), child)
        binding = create(
            f"{name}-binding",
            endpoint_picker.role_binding(model),
            pulumi.ResourceOptions(parent=self, depends_on=[account, role]),
        )
        config = create(f"{name}-config", endpoint_picker.config_map(model, settings.picker), child)
        return create(
            f"{name}-deployment",
            endpoint_picker.deployment(model, model.name, settings.picker),
            pulumi.ResourceOptions(parent=self, depends_on=[binding, config, pool]),
        )
