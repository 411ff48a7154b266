"""Endpoints on the Internet: nobody gets an accelerator for nothing, and no key travels in the clear.

A model server answers whoever reaches its port. Behind an external gateway, a LoadBalancer Service or an Ingress that
is everybody; scanners find such an address within hours, and the bill is for accelerators. A key of the engine guards
what lies under /v1 and is the least that is needed; it is worth nothing over plain HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.exposure import Ingress, backend_config, guarded_gateways, kept_inside, open_servers
from inference.rules.views.gateway import Gateway, HttpRoute, Service
from inference.rules.views.routing import Link, links, policies_for
from inference.rules.views.stack import Stack

_VLLM = "https://docs.vllm.ai/en/latest/usage/security.html"
_SERVICE = "https://docs.cloud.google.com/kubernetes-engine/docs/concepts/service-load-balancer-parameters"
_GUARDING_FILTERS = frozenset({"ExternalAuth", "ExtensionRef"})


@rule(
    "public-gateway-authenticated",
    title="Behind an external gateway, a model server or the gateway asks who calls",
    breaks="Nothing fails. Anybody who finds the address has the model, and the accelerators under it, at the owner's "
    "cost.",
    fix="Start vLLM with an API key from a Secret (VLLM_API_KEY), or put IAP, a GCPAuthzPolicy or client certificates "
    "on "
    "the gateway; or use gke-l7-rilb.",
    source=_VLLM,
    severity=Severity.CRITICAL,
)
def gateway_authenticated(stack: Stack) -> Iterator[About]:
    guarded = guarded_gateways(stack)
    for link in links(stack):
        if not link.gateway.external or link.gateway.resource.urn in guarded or _guarded_way(stack, link):
            continue
        for server in open_servers(link.pods)[:1]:
            yield About(
                link.gateway.resource,
                f"{link.gateway} of class {link.gateway.class_name} is on the Internet and leads to {server.pod} "
                f"({link.label}), whose server asks for no key; anybody may use it. Set VLLM_API_KEY from a Secret, "
                "authenticate at the gateway, or use gke-l7-rilb.",
            )


def _guarded_way(stack: Stack, link: Link) -> bool:
    """Whether a policy of the backend or a filter of the route asks who calls, or may."""
    for policy in policies_for(stack, "GCPBackendPolicy", link.backend):
        iap = policy.default.section("iap")
        if (
            iap.flag("enabled") is True
            or not policy.default.absent("securityPolicy")
            or not policy.spec.known("default")
        ):
            return True
    filters = [] if link.rule is None else [*link.rule.sections("filters")]
    return any(found.text("type") in _GUARDING_FILTERS for found in filters)


@rule(
    "public-gateway-encrypted",
    title="An external gateway leads to models over TLS only",
    breaks="Nothing fails. Keys, prompts and answers cross the Internet in the clear.",
    fix="Give the gateway an HTTPS listener and attach the route to it by sectionName; let the HTTP listener only "
    "redirect.",
    source="https://docs.cloud.google.com/kubernetes-engine/docs/how-to/secure-gateway",
    severity=Severity.HIGH,
    level=Level.ADVISORY,
)
def gateway_encrypted(stack: Stack) -> Iterator[About]:
    for link in links(stack):
        plain = [name for name in _plain_listeners(link.gateway, link.route) if link.gateway.external]
        if plain and link.serves_models:
            yield About(
                link.gateway.resource,
                f'{link.gateway} of class {link.gateway.class_name} leads from its HTTP listener "{plain[0]}" to '
                f'{link.backend.kind} "{link.backend.name}" ({link.label}); keys and prompts cross the Internet in the '
                "clear. Attach the route to an HTTPS listener with sectionName.",
            )


def _plain_listeners(gateway: Gateway, route: HttpRoute | None) -> Iterator[str]:
    """Yield the HTTP listeners that a route hangs on."""
    sections = None
    if route is not None:
        own = [ref for ref in route.parent_references if ref.text("name") == gateway.name]
        if any(not ref.known("sectionName") for ref in own):
            return
        sections = {ref.text("sectionName") for ref in own}
    for listener in gateway.listeners:
        name = listener.text("name") or "?"
        if listener.text("protocol") == "HTTP" and (sections is None or None in sections or name in sections):
            yield name


@rule(
    "public-service-authenticated",
    title="A model server is not put on the Internet by a LoadBalancer Service without a key",
    breaks="Nothing fails. The Service gets a public address in front of the engine, past gateway, TLS and picker.",
    fix='Use ClusterIP behind a gateway, or annotate networking.gke.io/load-balancer-type: "Internal"; limit '
    "loadBalancerSourceRanges; set an API key.",
    source=_SERVICE,
    severity=Severity.CRITICAL,
)
def service_authenticated(stack: Stack) -> Iterator[About]:
    for service in stack.each(Service):
        if service.spec.text("type") != "LoadBalancer" or kept_inside(service):
            continue
        for server in open_servers(service.pods(stack))[:1]:
            yield About(
                service.resource,
                f"{service} of type LoadBalancer puts {server.pod} on the Internet, whose server asks for no key; "
                'anybody may use it. Use ClusterIP, or annotate networking.gke.io/load-balancer-type: "Internal".',
            )


@rule(
    "public-ingress-authenticated",
    title="A model server is not put on the Internet by an Ingress without a key",
    breaks="Nothing fails. Anybody who finds the address has the model, and the accelerators under it.",
    fix="Enable IAP in a BackendConfig, set an API key on the server, or use the class gce-internal.",
    source=_VLLM,
    severity=Severity.CRITICAL,
)
def ingress_authenticated(stack: Stack) -> Iterator[About]:
    for ingress in stack.each(Ingress):
        if ingress.class_name is None or ingress.internal or ingress.guarded:
            continue
        for service in ingress.services(stack):
            config = backend_config(stack, service)
            guarded = config is not None and (
                config.spec.flag("iap", "enabled") is True or bool(config.spec.section("securityPolicy"))
            )
            for server in () if guarded else open_servers(service.pods(stack))[:1]:
                yield About(
                    ingress.resource,
                    f"{ingress} leads from the Internet to {server.pod} ({service}), whose server asks for no key; "
                    "anybody may use it. Enable IAP in a BackendConfig, or set an API key.",
                )
