"""Gateway API objects and what GKE and the inference extension attach to them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

from inference.facts.controllers import KSERVE_GROUP
from inference.facts.endpoint_picker import POOL_GROUP, POOL_GROUP_DEPRECATED
from inference.facts.gke import GATEWAY_GROUP, NETWORKING_GROUP
from inference.rules.views.kubernetes import KubernetesObject, ObjectView
from inference.rules.views.pods import PodTemplate
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

__all__ = [
    "BackendReference",
    "Gateway",
    "HttpRoute",
    "InferencePool",
    "Service",
    "TargetedPolicy",
]

POOL_GROUPS = (POOL_GROUP, POOL_GROUP_DEPRECATED)


@dataclass(frozen=True, eq=False)
class Gateway(ObjectView):
    """A Gateway."""

    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset({(GATEWAY_GROUP, "Gateway")})

    @property
    def class_name(self) -> str | None:
        """``gatewayClassName``."""
        return self.spec.text("gatewayClassName")

    @property
    def gke(self) -> bool:
        """Whether GKE's controller serves it."""
        return (self.class_name or "").startswith("gke-l7-")

    @property
    def regional(self) -> bool:
        """Whether its load balancer needs a proxy-only subnet in the cluster's VPC and region."""
        return self.gke and ("regional" in (self.class_name or "") or "rilb" in (self.class_name or ""))

    @property
    def external(self) -> bool:
        """Whether it has an address on the Internet."""
        return self.gke and not any(part in (self.class_name or "") for part in ("rilb", "internal"))

    @property
    def multi_cluster(self) -> bool:
        return (self.class_name or "").endswith("-mc")

    @property
    def listeners(self) -> tuple[Props, ...]:
        return self.spec.sections("listeners")


@dataclass(frozen=True, slots=True)
class BackendReference:
    """A backend that a route names."""

    route: HttpRoute
    props: Props

    @property
    def kind(self) -> str | None:
        """Kind; ``Service`` where none is given."""
        return "Service" if self.props.absent("kind") else self.props.text("kind")

    @property
    def group(self) -> str | None:
        """API group; the core group where none is given."""
        return "" if self.props.absent("group") else self.props.text("group")

    @property
    def name(self) -> str | None:
        return self.props.text("name")

    @property
    def namespace(self) -> str:
        """Namespace; the route's own where none is given."""
        return self.props.text("namespace") or self.route.namespace


@dataclass(frozen=True, eq=False)
class HttpRoute(ObjectView):
    """An HTTPRoute, or the one that an LLMInferenceService spells out for KServe to make."""

    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset(
        {(GATEWAY_GROUP, "HTTPRoute"), (KSERVE_GROUP, "LLMInferenceService")}
    )

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the route of an object; none for a service that spells out none."""
        return tuple(route for route in super().of(resource) if route.spec)

    @property
    def inline(self) -> bool:
        """Whether it is part of an LLMInferenceService."""
        return self.kind == "LLMInferenceService"

    @cached_property
    def spec(self) -> Props:
        """Spec of the route."""
        return self.object.spec.section("router", "route", "http", "spec") if self.inline else self.object.spec

    @cached_property
    def rules(self) -> tuple[Props, ...]:
        return self.spec.sections("rules")

    @cached_property
    def parent_references(self) -> tuple[Props, ...]:
        """References to gateways; the service's own where the inline route has none."""
        named = self.spec.sections("parentRefs") or (
            self.object.spec.sections("router", "gateway", "refs") if self.inline else ()
        )
        return tuple(
            ref
            for ref in named
            if (ref.absent("kind") or ref.text("kind") == "Gateway")
            and (ref.absent("group") or ref.text("group") == GATEWAY_GROUP)
        )

    @cached_property
    def backends(self) -> tuple[BackendReference, ...]:
        """Every backend of every rule."""
        return tuple(BackendReference(self, ref) for rule in self.rules for ref in rule.sections("backendRefs"))

    def parents(self, stack: Stack) -> tuple[Gateway, ...]:
        """Return the gateways that it attaches to, where the stack declares them."""
        found = []
        for ref in self.parent_references:
            namespace = ref.text("namespace") or self.namespace
            gateway = stack.object("Gateway", GATEWAY_GROUP, ref.text("name"), namespace)
            if gateway is not None:
                found.append(gateway.resource.view(Gateway.of)[0])
        return tuple(found)

    def __str__(self) -> str:
        return f"the route of {self.object}" if self.inline else str(self.object)


@dataclass(frozen=True, eq=False)
class InferencePool(ObjectView):
    """An InferencePool of either API group."""

    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset((group, "InferencePool") for group in POOL_GROUPS)

    @cached_property
    def selector(self) -> dict[str, str]:
        """Labels of the pods; v1 nests them in ``matchLabels``, v1alpha2 does not; empty unless all are known."""
        place = ("selector", "matchLabels") if self.spec.section("selector", "matchLabels") else ("selector",)
        selector = self.spec.strings(*place)
        return selector if len(selector) == len(tuple(self.spec.section(*place))) else {}

    @property
    def target_ports(self) -> tuple[int, ...]:
        """Ports of the model servers."""
        ports = [p.integer("number") for p in self.spec.sections("targetPorts")]
        ports.append(self.spec.integer("targetPortNumber"))
        return tuple(p for p in ports if p is not None)

    @property
    def picker(self) -> Props:
        """``endpointPickerRef`` (v1) or ``extensionRef`` (v1alpha2)."""
        return self.spec.section("endpointPickerRef") or self.spec.section("extensionRef")

    def pods(self, stack: Stack) -> tuple[PodTemplate, ...]:
        """Return the pod templates that it selects."""
        return stack.pods_matching(self.selector, self.namespace)


@dataclass(frozen=True, eq=False)
class Service(ObjectView):
    """A Service."""

    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset({("", "Service")})

    @cached_property
    def selector(self) -> dict[str, str]:
        """Labels of the pods; empty where they are not all known."""
        raw = self.spec.section("selector")
        selector = self.spec.strings("selector")
        return selector if len(selector) == len(tuple(raw)) else {}

    @property
    def headless(self) -> bool:
        return self.spec.text("clusterIP") == "None"

    @property
    def ports(self) -> tuple[Props, ...]:
        return self.spec.sections("ports")

    def port(self, number: int) -> Props | None:
        """Return the port with this number."""
        return next((port for port in self.ports if port.integer("port") == number), None)

    def pods(self, stack: Stack) -> tuple[PodTemplate, ...]:
        """Return the pod templates that it selects."""
        return stack.pods_matching(self.selector, self.namespace)


@dataclass(frozen=True, eq=False)
class TargetedPolicy(ObjectView):
    """A GKE policy attached to a backend or gateway: HealthCheckPolicy, GCPBackendPolicy, GCPGatewayPolicy."""

    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset(
        (NETWORKING_GROUP, kind) for kind in ("HealthCheckPolicy", "GCPBackendPolicy", "GCPGatewayPolicy")
    )

    @property
    def default(self) -> Props:
        """``spec.default``."""
        return self.spec.section("default")

    def targets(self, thing: KubernetesObject) -> bool:
        """Whether ``targetRef`` names this object."""
        ref = self.spec.section("targetRef")
        group = "" if ref.absent("group") else ref.text("group")
        return (
            ref.text("kind") == thing.kind
            and group == thing.group
            and ref.text("name") == thing.name
            and self.namespace == thing.namespace
        )
