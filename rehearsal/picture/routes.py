"""How requests come in: gateways, routes, and the Services and InferencePools that they lead to."""

from __future__ import annotations

from collections.abc import Iterator

from inference.rules.views.exposure import Ingress
from inference.rules.views.gateway import Gateway, HttpRoute, InferencePool, Service
from inference.rules.views.pods import PodTemplate
from inference.rules.views.routing import Backend, declared, links, pods_behind
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props
from rehearsal.picture.graph import Edge, Key, Kind, Line, Node, Way
from rehearsal.picture.workloads import key_of, shown

__all__ = ["routes"]

_FEW = 3
"""Hosts, paths or ports that a box names before it counts."""


def routes(stack: Stack) -> Iterator[Node | Edge]:
    """Yield what requests pass on their way to models, and the way."""
    yield from map(_gateway, stack.each(Gateway))
    for route in stack.each(HttpRoute):
        yield from _route(stack, route)
    yield from _generated(stack)
    for ingress in stack.each(Ingress):
        yield from _ingress(stack, ingress)
    for service in stack.each(Service):
        if not service.headless and service.name and any(map(shown, service.pods(stack))):
            yield from _backend(stack, Backend("Service", service.namespace, service.name), ())


def _gateway(gateway: Gateway) -> Node:
    lines = [Line("class", f"Gateway of class {gateway.class_name or 'unknown'}")]
    if gateway.gke:
        lines.append(Line("exposure", "open to the Internet" if gateway.external else "inside the VPC"))
    listeners = [_listener(listener) for listener in gateway.listeners]
    lines += [Line(f"listener {place}", text) for place, text in enumerate(listeners[:_FEW])]
    if len(listeners) > _FEW:
        lines.append(Line("listeners", f"and {len(listeners) - _FEW} more listeners"))
    return _node(gateway, Kind.GATEWAY, lines)


def _listener(listener: Props) -> str:
    port = listener.integer("port")
    host = listener.text("hostname") or ("any host" if listener.absent("hostname") else "host unknown")
    return f"{listener.text('protocol') or '?'} {'?' if port is None else port}, {host}"


def _node(view: Gateway | HttpRoute | Ingress, kind: Kind, lines: list[Line], part: str = "") -> Node:
    urn = view.resource.urn
    title = view.name or view.resource.name
    return Node(key=(urn, part), kind=kind, title=title, lines=tuple(lines), urns=(urn,))


def _route(stack: Stack, route: HttpRoute) -> Iterator[Node | Edge]:
    key = (route.resource.urn, "route" if route.inline else "")
    kind = f"HTTPRoute of {route.object}" if route.inline else "HTTPRoute"
    lines = [Line("kind", kind), *_matches(route)]
    yield _node(route, Kind.ROUTE, lines, key[1])
    known = route.parents(stack)
    yield from (_way((gateway.resource.urn, ""), key) for gateway in known)
    if not known:
        for reference in route.parent_references:
            name = reference.text("name") or "?"
            place = ("", f"gateway:{reference.text('namespace') or route.namespace}/{name}")
            line = Line("class", "Gateway not declared by this program")
            yield Node(key=place, kind=Kind.GATEWAY, title=name, lines=(line,), outside=True)
            yield _way(place, key)
    for rule in route.rules:
        references = rule.sections("backendRefs")
        for reference in references:
            kind_of = "Service" if reference.absent("kind") else reference.text("kind")
            named = reference.text("name")
            if kind_of not in {"Service", "InferencePool"} or named is None:
                continue
            backend = Backend(kind_of, reference.text("namespace") or route.namespace, named)
            weight = reference.integer("weight")
            yield from _backend(stack, backend, pods_behind(stack, backend))
            label = f"weight {weight}" if weight is not None and len(references) > 1 else ""
            yield _way(key, _backend_key(stack, backend), label)


def _matches(route: HttpRoute) -> Iterator[Line]:
    hosts = route.spec.texts("hostnames")
    if hosts:
        yield Line("hosts", _few(hosts, "host"))
    asked: dict[str, None] = {}
    for rule in route.rules[:100]:
        for match in rule.sections("matches")[:100]:
            parts = [match.text("path", "value") or ""]
            parts += [f"{h.text('name') or '?'}: {h.text('value') or '?'}" for h in match.sections("headers")]
            asked[", ".join(part for part in parts if part)] = None
    found = [text for text in asked if text]
    for place, text in enumerate(found[:_FEW]):
        yield Line(f"match {place}", text)
    if len(found) > _FEW:
        yield Line("matches", f"and {len(found) - _FEW} more matches")


def _few(texts: tuple[str, ...], noun: str) -> str:
    rest = len(texts) - _FEW
    return ", ".join(texts[:_FEW]) + (f" and {rest} more {noun}{'s' if rest > 1 else ''}" if rest > 0 else "")


def _backend_key(stack: Stack, backend: Backend) -> Key:
    thing = declared(stack, backend)
    return (thing.resource.urn, "") if thing else ("", f"backend:{backend.kind}:{backend.namespace}/{backend.name}")


def _backend(stack: Stack, backend: Backend, pods: tuple[PodTemplate, ...], origin: str = "") -> Iterator[Node | Edge]:
    """Yield a backend with the ways to its pods; those that the program does not declare come from ``origin``."""
    thing = declared(stack, backend)
    key = _backend_key(stack, backend)
    lines = [Line("kind", backend.kind)]
    if thing is None:
        lines.append(Line("origin", origin or "not declared by this program"))
    elif backend.kind == "Service":
        service = thing.resource.view(Service.of)[0]
        pods = service.pods(stack)
        lines = [Line("kind", f"Service of type {service.spec.text('type') or 'ClusterIP'}")]
        ports = tuple(str(number) for port in service.ports if (number := port.integer("port")) is not None)
        if ports:
            lines.append(Line("ports", f"port {_few(ports, 'port')}"))
    else:
        pool = thing.resource.view(InferencePool.of)[0]
        pods = pool.pods(stack)
        if picker := pool.picker.text("name"):
            lines.append(Line("picker", f"endpoint picker {picker}"))
    urns = () if thing is None else (thing.resource.urn,)
    yield Node(key=key, kind=Kind.BACKEND, title=backend.name, lines=tuple(lines), urns=urns, outside=thing is None)
    for pod in pods:
        if shown(pod) and pod.role != "worker":
            yield _way(key, key_of(pod))


def _generated(stack: Stack) -> Iterator[Node | Edge]:
    """Yield the routes that KServe or a chart makes."""
    for link in links(stack):
        if link.route is not None:
            continue
        maker = "KServe" if link.source.type.endswith(":LLMInferenceService") else "the chart"
        key = (link.source.urn, "route")
        title = link.backend.name.removesuffix("-inference-pool").removesuffix("-kserve-workload-svc")
        line = Line("kind", f"HTTPRoute, made by {maker}")
        yield Node(key=key, kind=Kind.ROUTE, title=title, lines=(line,), urns=(link.source.urn,))
        yield _way((link.gateway.resource.urn, ""), key)
        yield from _backend(stack, link.backend, link.pods, f"made by {maker}")
        yield _way(key, _backend_key(stack, link.backend))


def _ingress(stack: Stack, ingress: Ingress) -> Iterator[Node | Edge]:
    services = [service for service in ingress.services(stack) if service.name]
    fronting = [service for service in services if any(map(shown, service.pods(stack)))]
    if not fronting:
        return
    lines = [Line("kind", f"Ingress of class {ingress.class_name or 'gce'}")]
    if ingress.gce:
        lines.append(Line("exposure", "inside the VPC" if ingress.internal else "open to the Internet"))
    yield _node(ingress, Kind.ROUTE, lines)
    for service in fronting:
        yield _way((ingress.resource.urn, ""), (service.resource.urn, ""))


def _way(source: Key, target: Key, label: str = "") -> Edge:
    return Edge(source=source, target=target, way=Way.REQUESTS, label=label)
