"""HTTPRoutes: what a GKE gateway understands of them, and whether what they name is there and may be named.

A route is accepted by the API server with any field of its definition. GKE's controller then refuses the whole route
for one field that its load balancers lack, and a reference that leads nowhere, or into another namespace without
permission, shows as ``ResolvedRefs=False`` or ``NotAllowedByListeners``: requests get 404 or 503 while every pod is
Ready.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from inference.facts.endpoint_picker import POOL_GROUP
from inference.facts.gke import GATEWAY_GROUP, NETWORKING_GROUP
from inference.rules.framework import About, Severity, rule
from inference.rules.views.gateway import BackendReference, Gateway, HttpRoute, Service
from inference.rules.views.helm import HelmRelease
from inference.rules.views.installers import may_bring
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.routing import links
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

_CONFORMANCE = "https://github.com/kubernetes-sigs/gateway-api/tree/main/conformance/reports"
_TIMEOUTS = "https://github.com/kubernetes-sigs/gateway-api-inference-extension/issues/2461"
_ROUTE_API = "https://gateway-api.sigs.k8s.io/api-types/httproute/"
_POOL_PORT_OF_OLD_RELEASES = 54321
"""Port of the headless Service in which older GKE releases keep the endpoints of a pool."""
_BUILT_IN = (".k8s.io", NETWORKING_GROUP)
"""Ends of groups whose controllers make no Services; those of operators end in ``x-k8s.io``."""


def _on_gke(stack: Stack, route: HttpRoute) -> tuple[Gateway, ...]:
    return tuple(gateway for gateway in route.parents(stack) if gateway.gke)


@rule(
    "route-timeouts-not-on-gke",
    title="A route of a GKE gateway sets no timeouts",
    breaks="GKE refuses the field (GWCER104) and configures nothing of the route: the gateway answers 404 or 503 and "
    "the model servers get no request.",
    fix="Take timeouts out of the route and set timeoutSec in a GCPBackendPolicy on the backend. For the router charts "
    "set provider.name: gke, or no httpRoute.requestTimeout.",
    source=_TIMEOUTS,
    severity=Severity.HIGH,
    covers=("GW-002",),
)
def timeouts_not_on_gke(stack: Stack) -> Iterator[About]:
    for route in stack.each(HttpRoute):
        timed = [entry.section("timeouts") for entry in route.rules if entry.section("timeouts")]
        gateways = _on_gke(stack, route) if timed else ()
        if gateways:
            written = ", ".join(f"{key}: {value}" for key, value in timed[0].items())
            yield About(
                route.resource,
                f"{route} sets timeouts ({written}) and hangs on {gateways[0]} of class {gateways[0].class_name}, "
                "which refuses the whole route for them. Remove rules[].timeouts and set timeoutSec in a "
                "GCPBackendPolicy on the backend.",
            )
    for link in links(stack):
        for release in link.source.view(HelmRelease.of):
            values = release.values
            route_values = values.section("httpRoute") or values.section("experimentalHttpRoute")
            provider = (values.text("provider", "name") or "none").lower()
            if not link.gateway.gke or provider == "gke" or not release.whole:
                continue
            if route_values.absent("requestTimeout") or route_values.text("requestTimeout"):
                yield About(
                    release.resource,
                    f"{release} makes a route with timeouts on {link.gateway} of class {link.gateway.class_name}, "
                    f"because provider.name is {provider}; GKE refuses the whole route for them. "
                    "Set provider.name: gke, or make the HTTPRoute yourself without timeouts.",
                )


@rule(
    "route-features-supported-by-gke",
    title="A route of a GKE gateway uses only what GKE's load balancers can do",
    breaks="GKE's controller rejects the route as a whole with 'unsupported' in its status; no backend is configured.",
    fix="Match by path, header, or query parameter instead of by method; leave retries to the client; rewrite with "
    "ReplacePrefixMatch instead of ReplaceFullPath.",
    source=_CONFORMANCE,
    severity=Severity.HIGH,
)
def features_supported_by_gke(stack: Stack) -> Iterator[About]:
    for route in stack.each(HttpRoute):
        unsupported = sorted({feature for entry in route.rules for feature in _unsupported(entry)})
        gateways = _on_gke(stack, route) if unsupported else ()
        if gateways:
            yield About(
                route.resource,
                f"{route} uses {' and '.join(unsupported)}, which {gateways[0]} of class {gateways[0].class_name} does "
                "not support; the whole route is rejected. Remove it from the route.",
            )


def _unsupported(entry: Props) -> Iterator[str]:
    if any(match.text("method") for match in entry.sections("matches")):
        yield "a match by method"
    if entry.section("retry"):
        yield "retry"
    filters = [*entry.sections("filters")]
    for backend in entry.sections("backendRefs"):
        filters.extend(backend.sections("filters"))
    if any(found.text("urlRewrite", "path", "type") == "ReplaceFullPath" for found in filters):
        yield "a rewrite of the full path"


@rule(
    "route-pool-without-port",
    title="A reference to an InferencePool names no port",
    breaks="The pool says its ports itself. A port in the reference is looked up in the Service that GKE keeps for the "
    "pool, where the model server's port does not exist: 404 or 503 while the backends are healthy.",
    fix="Leave port out of a backendRef of kind InferencePool.",
    source="https://gateway-api-inference-extension.sigs.k8s.io/api-types/inferencepool/",
    severity=Severity.HIGH,
    covers=("NET-006",),
)
def pool_without_port(stack: Stack) -> Iterator[About]:
    for route in stack.each(HttpRoute):
        ports = {
            port
            for reference in route.backends
            if reference.kind == "InferencePool" and (port := reference.props.integer("port")) is not None
        } - {_POOL_PORT_OF_OLD_RELEASES}
        if not ports:
            continue
        parents = route.parents(stack)
        elsewhere = parents or any(not gateway.gke for gateway in stack.each(Gateway))
        if elsewhere and not any(gateway.gke for gateway in parents):
            continue
        yield About(
            route.resource,
            f"{route} names port {min(ports)} in its reference to an InferencePool; GKE looks the port up where the "
            "model server's port does not exist, and requests get 404 or 503. Remove port: the pool's targetPorts say "
            "where the model servers listen.",
        )


@rule(
    "route-parent-admits",
    title="A route hangs on a gateway that exists and lets it in",
    breaks="The route is accepted by the API server and attached to nothing: NoMatchingParent, NotAllowedByListeners "
    "or NoMatchingListenerHostname in its status, 404 at the gateway.",
    fix="Name the gateway with its namespace and an existing listener; for routes of other namespaces set "
    "allowedRoutes.namespaces.from: Selector (or All) on the listener.",
    source="https://gateway-api.sigs.k8s.io/guides/multiple-ns/",
    severity=Severity.HIGH,
    covers=("GW-018",),
)
def parent_admits(stack: Stack) -> Iterator[About]:
    for route in stack.each(HttpRoute):
        if not route.object.placed:
            continue
        resolved = [(reference, _gateway(stack, route, reference)) for reference in route.parent_references]
        for reference, gateway in resolved:
            if gateway is not None:
                for problem in _refusals(stack, route, reference, gateway):
                    yield About(route.resource, f"{route} hangs on {gateway}, {problem}")
        if resolved and all(gateway is None for _, gateway in resolved):
            for problem in _lost(stack, route, resolved[0][0]):
                yield About(route.resource, f"{route} {problem}")


def _gateway(stack: Stack, route: HttpRoute, reference: Props) -> Gateway | None:
    namespace = route.namespace if reference.absent("namespace") else reference.text("namespace")
    found = stack.object("Gateway", GATEWAY_GROUP, reference.text("name"), namespace) if namespace else None
    return found.resource.view(Gateway.of)[0] if found is not None else None


def _lost(stack: Stack, route: HttpRoute, reference: Props) -> Iterator[str]:
    name = reference.text("name")
    namespace = route.namespace if reference.absent("namespace") else reference.text("namespace")
    gateways = stack.objects("Gateway", GATEWAY_GROUP)
    if not name or not namespace or not all(gateway.placed for gateway in gateways):
        return
    for gateway in gateways:
        if gateway.name == name:
            yield (
                f'names Gateway "{name}" in namespace {namespace}, and the stack declares it in namespace '
                f"{gateway.namespace}; the route attaches to nothing. Set parentRefs[].namespace: {gateway.namespace}."
            )
            return
    neighbors = sorted(str(gateway.name) for gateway in gateways if gateway.namespace == namespace)
    if neighbors and not may_bring(stack, namespace):
        yield (
            f'names Gateway "{name}", which is not among the gateways of namespace {namespace} '
            f"({', '.join(neighbors[:5])}); the route attaches to nothing. Name one of them in parentRefs."
        )


def _refusals(stack: Stack, route: HttpRoute, reference: Props, gateway: Gateway) -> Iterator[str]:
    section = reference.text("sectionName")
    listeners = gateway.listeners
    if not gateway.spec.known("listeners") or not reference.known("sectionName") or not listeners:
        return
    if any(listener.text("name") is None for listener in listeners):
        return
    chosen = [listener for listener in listeners if section in {None, "", listener.text("name")}]
    port = reference.integer("port")
    if port is not None and chosen and port not in [listener.integer("port") for listener in chosen]:
        open_ports = ", ".join(f"{listener.integer('port')}" for listener in chosen)
        yield f"which listens on {open_ports} and not on {port}; the route attaches to nothing. Remove port."
        return
    if not chosen:
        names = ", ".join(str(listener.text("name")) for listener in listeners)
        yield f'which has no listener "{section}" ({names}); the route attaches to nothing. Name one of its listeners.'
        return
    if not gateway.object.placed:
        return
    admitting = [listener for listener in chosen if _admits(stack, route, gateway, listener)]
    if not admitting:
        yield (
            f"whose listener admits routes of its own namespace {gateway.namespace} only, and the route lies in "
            f"{route.namespace}; it is refused with NotAllowedByListeners. Set allowedRoutes.namespaces.from: Selector "
            "with a label of that namespace (or All) on the listener."
            if all(_own_namespace_only(listener) for listener in chosen)
            else "whose listener does not admit it by allowedRoutes; it is refused with NotAllowedByListeners. "
            f"Let allowedRoutes select namespace {route.namespace} and kind HTTPRoute."
        )
    elif not any(_hostnames_meet(route, listener) for listener in admitting):
        yield (
            f"whose listener serves {admitting[0].text('hostname')} and none of the route's hostnames "
            f"({', '.join(route.spec.texts('hostnames'))}); no request reaches it. Make the hostnames agree."
        )


def _own_namespace_only(listener: Props) -> bool:
    return listener.text("allowedRoutes", "namespaces", "from") in {None, "Same"}


def _admits(stack: Stack, route: HttpRoute, gateway: Gateway, listener: Props) -> bool:
    allowed = listener.section("allowedRoutes")
    kinds = allowed.sections("kinds")
    if kinds and not any(kind.text("kind") in {"HTTPRoute", None} for kind in kinds):
        return False
    origin = "Same" if allowed.absent("namespaces", "from") else allowed.text("namespaces", "from")
    if origin == "Same":
        return route.namespace == gateway.namespace
    if origin == "Selector":
        namespace = stack.object("Namespace", "", route.namespace, None)
        if namespace is None or not namespace.metadata.known("labels"):
            return True
        labels = {**namespace.labels, "kubernetes.io/metadata.name": route.namespace}
        wanted = allowed.strings("namespaces", "selector", "matchLabels")
        return all(labels.get(key, value) == value and key in labels for key, value in wanted.items())
    return origin != "None"


def _hostnames_meet(route: HttpRoute, listener: Props) -> bool:
    hostnames = route.spec.texts("hostnames")
    wanted = listener.text("hostname")
    if not wanted or not hostnames or len(hostnames) != route.spec.size("hostnames"):
        return True
    return any(_covers(wanted, name) or _covers(name, wanted) for name in hostnames)


def _covers(pattern: str, name: str) -> bool:
    if pattern.startswith("*."):
        return name.lower().endswith(pattern[1:].lower())
    return pattern.lower() == name.lower()


@rule(
    "route-backend-resolves",
    title="A route names backends that exist, in its own namespace or with that namespace's permission",
    breaks="BackendNotFound or RefNotPermitted in the route's status, and 500 or 503 for every request that matches.",
    fix="Name the Service or InferencePool as it is declared, with one of the Service's ports; for a backend in "
    "another namespace declare a ReferenceGrant there.",
    source="https://gateway-api.sigs.k8s.io/api-types/referencegrant/",
    severity=Severity.HIGH,
    covers=("GW-018",),
)
def backend_resolves(stack: Stack) -> Iterator[About]:
    for route in stack.each(HttpRoute):
        for reference in route.backends if route.object.placed else ():
            if reference.props.known("namespace") and reference.name is not None:
                for problem in (*_not_permitted(stack, route, reference), *_not_there(stack, reference)):
                    yield About(route.resource, f"{route} {problem}")


def _not_permitted(stack: Stack, route: HttpRoute, reference: BackendReference) -> Iterator[str]:
    kind, group, target = reference.kind, reference.group, reference.namespace
    if target == route.namespace or kind is None or group is None:
        return
    grants = [grant for grant in stack.objects("ReferenceGrant", GATEWAY_GROUP) if grant.namespace == target]
    if any(_grants(grant, route.namespace, group, kind, reference.name) for grant in grants):
        return
    owned = (
        bool(grants) or stack.object(kind, group, reference.name, target) or stack.object("Namespace", "", target, None)
    )
    if owned and not may_bring(stack, target):
        yield (
            f'names {kind} "{reference.name}" in namespace {target}, where no ReferenceGrant lets HTTPRoutes of '
            f"{route.namespace} do so; the reference is refused with RefNotPermitted. Declare a ReferenceGrant in "
            f"{target}, or put the route there."
        )


def _grants(grant: KubernetesObject, origin: str, group: str, kind: str, name: str | None) -> bool:
    if not grant.spec.known("from") or not grant.spec.known("to"):
        return True
    admitted = any(
        source.text("kind") == "HTTPRoute" and source.text("namespace") in {origin, None}
        for source in grant.spec.sections("from")
    )
    covered = any(
        target.text("kind") == kind
        and (target.text("group") or "") == group
        and (target.absent("name") or target.text("name") in {name, None})
        for target in grant.spec.sections("to")
    )
    return admitted and covered


def _not_there(stack: Stack, reference: BackendReference) -> Iterator[str]:
    if reference.kind == "InferencePool" and reference.group == POOL_GROUP and (beside := _pools(stack, reference)):
        yield (
            f'names InferencePool "{reference.name}", which is not among the pools of namespace '
            f"{reference.namespace} ({', '.join(beside[:5])}); every request gets 500. Name one of them."
        )
    if reference.kind != "Service" or reference.group != "":
        return
    service = stack.object("Service", "", reference.name, reference.namespace)
    if service is not None:
        yield from _wrong_port(service.resource.view(Service.of)[0], reference.props)
    elif _misses(stack, reference):
        yield (
            f'names Service "{reference.name}", which is not among the Services of namespace {reference.namespace}; '
            "every request gets 500. Name a Service that exists there."
        )


def _wrong_port(service: Service, reference: Props) -> Iterator[str]:
    ports = [port.integer("port") for port in service.ports]
    if reference.absent("port"):
        port = ports[0] if ports else "…"
        yield f"names {service} without a port; the API server refuses the route. Set port: {port}."
    elif (port := reference.integer("port")) is not None and ports and None not in ports and port not in ports:
        yield (
            f"names port {port} of {service}, which has {', '.join(map(str, ports))}; the backend is not found. "
            f"Set port: {ports[0]}."
        )


def _pools(stack: Stack, reference: BackendReference) -> list[str]:
    """Return the pools beside one that is certainly missing; none where it is there or something else may bring it."""
    pools = [pool for pool in stack.objects("InferencePool", POOL_GROUP) if pool.namespace == reference.namespace]
    names = [pool.name for pool in pools]
    if None in names or reference.name in names or may_bring(stack, reference.namespace):
        return []
    if stack.view(_makers).get(reference.namespace, ()) and (reference.name or "").endswith("-inference-pool"):
        return []  # KServe makes a pool of this name.
    return sorted(str(name) for name in names)


def _misses(stack: Stack, reference: BackendReference) -> bool:
    """Whether the Service is certainly missing: others are declared beside it, and nothing else may bring it."""
    beside, settled = stack.view(_services)
    name = reference.name or ""
    if not settled or not beside.get(reference.namespace) or may_bring(stack, reference.namespace):
        return False
    return not any(name.startswith(maker) for maker in stack.view(_makers).get(reference.namespace, ()))


def _services(stack: Stack) -> tuple[Mapping[str, list[KubernetesObject]], bool]:
    found: dict[str, list[KubernetesObject]] = defaultdict(list)
    services = stack.objects("Service", "")
    for service in services:
        found[service.namespace].append(service)
    return found, all(service.placed for service in services)


def _makers(stack: Stack) -> Mapping[str, list[str]]:
    """Return, by namespace, the objects whose controllers make Services of their own: all but the built-in kinds."""
    found: dict[str, list[str]] = defaultdict(list)
    for thing in stack.each(KubernetesObject):
        if "." in thing.group and not thing.group.endswith(_BUILT_IN) and thing.name:
            found[thing.namespace].append(thing.name)
    return found
