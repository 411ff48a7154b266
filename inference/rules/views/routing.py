"""The ways from gateways to model servers: routes that a stack declares, and those that KServe or a chart makes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from inference.facts.controllers import KSERVE_GROUP
from inference.facts.gke import GATEWAY_GROUP
from inference.rules.views.gateway import POOL_GROUPS, Gateway, HttpRoute, InferencePool, Service, TargetedPolicy
from inference.rules.views.helm import HelmRelease
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.pods import PodTemplate
from inference.rules.views.resources import Resource
from inference.rules.views.servers import ModelServer
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

__all__ = [
    "ROUTER_CHARTS",
    "Backend",
    "Link",
    "backends",
    "declared",
    "links",
    "links_from",
    "pods_behind",
    "policies_for",
    "router_values",
    "servers_in",
]

ROUTER_CHARTS = frozenset({"llm-d-router-gateway", "inferencepool"})
"""Charts that make an InferencePool of the release's name, with its endpoint picker."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A Service or InferencePool as routes and policies name it."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, eq=False)
class Link:
    """One way from a declared gateway to a backend."""

    gateway: Gateway
    source: Resource
    """The resource that makes the route."""
    label: str
    """How a sentence names the route."""
    backend: Backend
    route: HttpRoute | None = None
    """The route where it is spelled out."""
    rule: Props | None = None
    pods: tuple[PodTemplate, ...] = ()
    """The pods behind the backend that the stack declares."""
    generated: bool = False
    """Whether a controller or a chart makes the backend."""

    @cached_property
    def to_pool(self) -> bool:
        return self.backend.kind == "InferencePool"

    @property
    def serves_models(self) -> bool:
        """Whether model servers are certainly behind it."""
        return self.to_pool or bool(servers_in(self.pods))


def links(stack: Stack) -> tuple[Link, ...]:
    """Return every way from a declared gateway to a backend."""
    return stack.view(_links)


def links_from(stack: Stack, gateway: Gateway) -> tuple[Link, ...]:
    """Return the ways that start at one gateway."""
    return stack.view(_from).get(gateway.resource.urn, ())


def backends(stack: Stack) -> Mapping[Backend, tuple[Link, ...]]:
    """Return the backends that declared gateways lead to, each with the ways to it."""
    return stack.view(_backends)


def servers_in(pods: Iterable[PodTemplate]) -> tuple[ModelServer, ...]:
    """Return the model servers that run in pods."""
    return tuple(s for pod in pods for s in pod.object.resource.view(ModelServer.of) if s.pod is pod)


def pods_behind(stack: Stack, backend: Backend) -> tuple[PodTemplate, ...]:
    """Return the pods behind a backend that the stack declares."""
    return _behind(stack, backend)[0]


def declared(stack: Stack, backend: Backend) -> KubernetesObject | None:
    """Return the object of a backend, where the stack declares it."""
    groups = ("",) if backend.kind == "Service" else POOL_GROUPS
    found = (stack.object(backend.kind, group, backend.name, backend.namespace) for group in groups)
    return next((thing for thing in found if thing is not None), None)


def policies_for(stack: Stack, kind: str, backend: Backend) -> tuple[TargetedPolicy, ...]:
    """Return the policies of a kind whose ``targetRef`` names a backend, in whatever group."""
    return stack.view(_policies).get((kind, backend), ())


def router_values(release: HelmRelease) -> Props:
    """Return the part of a router chart's values that configures the picker: ``router.epp`` or its older name."""
    return release.values.section("router", "epp") or release.values.section("inferenceExtension")


def _links(stack: Stack) -> tuple[Link, ...]:
    found = list(_declared(stack))
    found.extend(_made_by_kserve(stack))
    found.extend(_made_by_charts(stack))
    return tuple(found)


def _from(stack: Stack) -> Mapping[str, tuple[Link, ...]]:
    found: dict[str, list[Link]] = defaultdict(list)
    for link in links(stack):
        found[link.gateway.resource.urn].append(link)
    return {urn: tuple(ways) for urn, ways in found.items()}


def _backends(stack: Stack) -> Mapping[Backend, tuple[Link, ...]]:
    found: dict[Backend, list[Link]] = defaultdict(list)
    for link in links(stack):
        found[link.backend].append(link)
    return {backend: tuple(ways) for backend, ways in found.items()}


def _policies(stack: Stack) -> Mapping[tuple[str, Backend], tuple[TargetedPolicy, ...]]:
    found: dict[tuple[str, Backend], list[TargetedPolicy]] = defaultdict(list)
    for policy in stack.each(TargetedPolicy):
        kind, name = policy.spec.text("targetRef", "kind"), policy.spec.text("targetRef", "name")
        if kind and name:
            found[policy.kind, Backend(kind, policy.namespace, name)].append(policy)
    return {key: tuple(policies) for key, policies in found.items()}


def _declared(stack: Stack) -> Iterator[Link]:
    for route in stack.each(HttpRoute):
        gateways = route.parents(stack)
        if not gateways:
            continue
        for rule in route.rules:
            for reference in rule.sections("backendRefs"):
                kind = "Service" if reference.absent("kind") else reference.text("kind")
                namespace = route.namespace if reference.absent("namespace") else reference.text("namespace")
                name = reference.text("name")
                if kind not in {"Service", "InferencePool"} or namespace is None or name is None:
                    continue
                backend = Backend(kind, namespace, name)
                pods, generated = _behind(stack, backend)
                for gateway in gateways:
                    yield Link(gateway, route.resource, str(route), backend, route, rule, pods, generated)


def _behind(stack: Stack, backend: Backend) -> tuple[tuple[PodTemplate, ...], bool]:
    if backend.kind == "Service":
        service = stack.object("Service", "", backend.name, backend.namespace)
        return (service.resource.view(Service.of)[0].pods(stack) if service else ()), service is None
    for group in POOL_GROUPS:
        if pool := stack.object("InferencePool", group, backend.name, backend.namespace):
            return pool.resource.view(InferencePool.of)[0].pods(stack), False
    for thing in stack.objects("LLMInferenceService", KSERVE_GROUP):
        if thing.name and backend.name == f"{thing.name}-inference-pool" and thing.namespace == backend.namespace:
            return thing.resource.view(PodTemplate.of), True
    return (), True


def _made_by_kserve(stack: Stack) -> Iterator[Link]:
    for thing in stack.objects("LLMInferenceService", KSERVE_GROUP):
        router = thing.spec.section("router")
        spelled_out = router.section("route", "http", "spec") or router.sections("route", "http", "refs")
        if thing.name is None or spelled_out or not router.known("scheduler"):
            continue
        for gateway in _named_gateways(stack, thing, router.sections("gateway", "refs")):
            pooled = not router.absent("scheduler")
            kind, name = ("InferencePool", "inference-pool") if pooled else ("Service", "kserve-workload-svc")
            yield Link(
                gateway,
                thing.resource,
                f"the route that KServe makes for {thing}",
                Backend(kind, thing.namespace, f"{thing.name}-{name}"),
                pods=thing.resource.view(PodTemplate.of),
                generated=True,
            )


def _named_gateways(stack: Stack, thing: KubernetesObject, references: tuple[Props, ...]) -> Iterator[Gateway]:
    for reference in references:
        namespace = reference.text("namespace") or thing.namespace
        if gateway := stack.object("Gateway", GATEWAY_GROUP, reference.text("name"), namespace):
            yield gateway.resource.view(Gateway.of)[0]


def _made_by_charts(stack: Stack) -> Iterator[Link]:
    for release in stack.each(HelmRelease):
        if release.chart not in ROUTER_CHARTS or release.name is None or release.namespace is None:
            continue
        route = release.values.section("httpRoute") or release.values.section("experimentalHttpRoute")
        if route.flag("create") is not True and route.flag("enabled") is not True:
            continue
        gateway = stack.object(
            "Gateway",
            GATEWAY_GROUP,
            route.text("inferenceGatewayName") or "inference-gateway",
            route.text("inferenceGatewayNamespace") or release.namespace,
        )
        if gateway is not None:
            labels = release.values.strings("router", "modelServers", "matchLabels") or release.values.strings(
                "inferencePool", "modelServers", "matchLabels"
            )
            yield Link(
                gateway.resource.view(Gateway.of)[0],
                release.resource,
                f"the route of {release}",
                Backend("InferencePool", release.namespace, release.name),
                pods=stack.pods_matching(labels, release.namespace),
                generated=True,
            )
