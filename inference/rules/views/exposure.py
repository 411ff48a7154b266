"""Ways from the Internet to model servers, and what stands in them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from inference.rules.views.gateway import Gateway, Service
from inference.rules.views.kubernetes import KubernetesObject, ObjectView
from inference.rules.views.pods import PodTemplate
from inference.rules.views.routing import servers_in
from inference.rules.views.servers import ModelServer
from inference.rules.views.stack import Stack

__all__ = ["Ingress", "backend_config", "guarded_gateways", "kept_inside", "open_servers"]

_KEYS = {"vllm": ("VLLM_API_KEY",), "tgi": ("API_KEY",), "sglang": ("SGLANG_API_KEY",)}
"""Variables from which an engine takes the key that it asks clients for."""
_INTERNAL = ("networking.gke.io/load-balancer-type", "cloud.google.com/load-balancer-type")
_WORLD = frozenset({"0.0.0.0/0", "::/0"})
_NO_GUARDS = frozenset({"GCPGatewayPolicy", "HealthCheckPolicy", "GCPBackendPolicy"})


def open_servers(pods: tuple[PodTemplate, ...]) -> tuple[ModelServer, ...]:
    """Return the model servers in pods that certainly answer anybody."""
    return tuple(server for server in servers_in(pods) if server.serves_http and _open(server))


def _open(server: ModelServer) -> bool:
    container, options = server.container, server.options
    if not options.complete or any(options.has(name) for name in ("api-key", "middleware", "config")):
        return False
    entries = container.props.sections("env")
    settled = container.props.known("env") and container.props.absent("envFrom")
    names = {entry.text("name") for entry in entries}
    guarded = names & {*_KEYS.get(server.engine, ()), "VLLM_API_KEY"}
    alone = not any(other is not container and other.ports for other in server.pod.all_containers)
    return settled and not guarded and None not in names and alone


def guarded_gateways(stack: Stack) -> frozenset[str]:
    """Return the URNs of gateways on which something asks who calls: an authorization policy, an extension, mTLS."""
    return stack.view(_guarded)


def _guarded(stack: Stack) -> frozenset[str]:
    targets = stack.view(_targets)
    found = set()
    for gateway in stack.each(Gateway):
        by_client_certificate = gateway.spec.section("tls", "frontend") or gateway.spec.section(
            "tls", "frontendValidation"
        )
        if by_client_certificate or targets.get((gateway.namespace, gateway.name)):
            found.add(gateway.resource.urn)
    return frozenset(found)


def _targets(stack: Stack) -> Mapping[tuple[str, str | None], list[KubernetesObject]]:
    """Return what is attached to gateways and may ask who calls."""
    found: dict[tuple[str, str | None], list[KubernetesObject]] = defaultdict(list)
    for thing in stack.each(KubernetesObject):
        if thing.kind in _NO_GUARDS or "." not in thing.group:
            continue
        references = (thing.spec.section("targetRef"), *thing.spec.sections("targetRefs"))
        for reference in references:
            if reference.text("kind") == "Gateway":
                found[thing.namespace, reference.text("name")].append(thing)
    return found


@dataclass(frozen=True, eq=False)
class Ingress(ObjectView):
    """An Ingress."""

    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset(
        {("networking.k8s.io", "Ingress"), ("extensions", "Ingress")}
    )

    @property
    def class_name(self) -> str | None:
        """Class; empty where none is given, ``None`` where it is not known."""
        annotated = self.object.annotations.get("kubernetes.io/ingress.class")
        if annotated is not None:
            return annotated
        return "" if self.spec.absent("ingressClassName") else self.spec.text("ingressClassName")

    @property
    def internal(self) -> bool:
        return self.class_name == "gce-internal"

    @property
    def gce(self) -> bool:
        """Whether GKE's own controller serves it, as it does where no class is given."""
        return self.class_name in {"", "gce", "gce-internal"}

    @property
    def guarded(self) -> bool:
        """Whether its controller asks who calls."""
        return any("auth" in key or "whitelist" in key or "allowlist" in key for key in self.object.annotations)

    def services(self, stack: Stack) -> Iterator[Service]:
        """Yield the Services it leads to, where the stack declares them."""
        backends = [self.spec.section("defaultBackend"), self.spec.section("backend")]
        for rule in self.spec.sections("rules"):
            backends.extend(path.section("backend") for path in rule.sections("http", "paths"))
        for backend in backends:
            name = backend.text("service", "name") or backend.text("serviceName")
            found = stack.object("Service", "", name, self.namespace)
            if found is not None:
                yield found.resource.view(Service.of)[0]


def backend_config(stack: Stack, service: Service) -> KubernetesObject | None:
    """Return the BackendConfig that a Service names, where the stack declares it."""
    written = service.object.annotations.get("cloud.google.com/backend-config", "")
    try:
        named = json.loads(written)
    except (ValueError, RecursionError):
        return None
    names = [named.get("default"), *(named.get("ports") or {}).values()] if isinstance(named, dict) else []
    found = (stack.object("BackendConfig", "cloud.google.com", str(name), service.namespace) for name in names if name)
    return next((thing for thing in found if thing is not None), None)


def kept_inside(service: Service) -> bool:
    """Whether a LoadBalancer Service has an internal address or a list of callers, as far as is known."""
    annotations = service.object.annotations
    internal = any(annotations.get(key, "").lower() == "internal" for key in _INTERNAL) or any(
        "internal" in key.lower() or value.lower() == "internal" for key, value in annotations.items()
    )
    ranges = set(service.spec.texts("loadBalancerSourceRanges"))
    limited = bool(ranges) and not ranges & _WORLD
    unknown = not service.object.metadata.known("annotations") or not service.spec.known("loadBalancerSourceRanges")
    return internal or limited or unknown or "internal" in (service.spec.text("loadBalancerClass") or "")
