"""Gateways of GKE: what a Gateway object needs around it before an address is programmed.

The object itself is accepted whatever its class, cluster and network look like. What is missing shows minutes later as
``Programmed=False`` in its status, and accelerators idle behind a gateway without an address. Regional classes run on
proxies in the cluster's own VPC; certificates, addresses and backends of global and regional classes do not mix.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.facts.gke import GATEWAY_API_CHANNEL, GATEWAY_CLASSES
from inference.rules.framework import About, Severity, rule
from inference.rules.views.cloud import Cluster, Subnetwork
from inference.rules.views.gateway import Gateway
from inference.rules.views.hosting import cluster_of
from inference.rules.views.resources import Resource, short_name
from inference.rules.views.routing import links, links_from
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

_CAPABILITIES = "https://docs.cloud.google.com/kubernetes-engine/docs/how-to/gatewayclass-capabilities"
_DEPLOYING = "https://docs.cloud.google.com/kubernetes-engine/docs/how-to/deploying-gateways"
_SECURING = "https://docs.cloud.google.com/kubernetes-engine/docs/how-to/secure-gateway"
_LLMD_GKE = "https://llm-d.ai/docs/infrastructure/gateway/gke"

_CERTIFICATE_MAP = "networking.gke.io/certmap"
_MANAGED_CERTIFICATES = "networking.gke.io/managed-certificates"
_API = "networkservices.googleapis.com"
_GLOBAL_ADDRESS = "gcp:compute/globalAddress:GlobalAddress"
_ADDRESS = "gcp:compute/address:Address"
_PROJECT_SERVICE = "gcp:projects/service:Service"


@rule(
    "gateway-cluster-api-enabled",
    title="A cluster whose gateways GKE serves has the Gateway API and its load balancing switched on",
    breaks="'no matches for kind Gateway', or a Gateway that no controller ever looks at. Autopilot clusters have the "
    "API by default, Standard clusters do not, in any version.",
    fix="Set gatewayApiConfig.channel: CHANNEL_STANDARD, leave httpLoadBalancing enabled, and keep the cluster "
    "VPC-native.",
    source=_DEPLOYING,
    severity=Severity.HIGH,
    covers=("GW-023",),
)
def cluster_api_enabled(stack: Stack) -> Iterator[About]:
    for gateway in stack.each(Gateway):
        cluster = cluster_of(stack, gateway.resource) if gateway.gke else None
        if cluster is not None:
            for problem in _not_ready(cluster):
                yield About(
                    cluster.resource,
                    f"{cluster} is to serve {gateway} of class {gateway.class_name}, but {problem}",
                )


def _not_ready(cluster: Cluster) -> Iterator[str]:
    props = cluster.props
    channel = props.text("gatewayApiConfig", "channel")
    switched_off = channel is not None and channel != GATEWAY_API_CHANNEL
    left_out = props.absent("gatewayApiConfig", "channel") and props.known("enableAutopilot") and not cluster.autopilot
    if (switched_off and channel != "CHANNEL_EXPERIMENTAL") or left_out:
        yield (
            f"gatewayApiConfig.channel is {channel or 'not set'}: the Gateway API is not installed there. "
            f"Set gatewayApiConfig.channel: {GATEWAY_API_CHANNEL}."
        )
    if props.flag("addonsConfig", "httpLoadBalancing", "disabled") is True:
        yield (
            "addonsConfig.httpLoadBalancing is disabled, and no controller makes the load balancer. "
            "Set addonsConfig.httpLoadBalancing.disabled: false."
        )
    if props.text("networkingMode") == "ROUTES":
        yield (
            "networkingMode is ROUTES, and load balancers reach pods only in VPC-native clusters. "
            "Set networkingMode: VPC_NATIVE, which makes a new cluster."
        )


@rule(
    "gateway-class-takes-pools",
    title="A gateway that leads to an InferencePool is of a regional class",
    breaks="The route is not resolved: the published guides and the conformance reports know InferencePool backends "
    "for the regional external and the regional internal class only. Accelerators idle behind the route.",
    fix="Set gatewayClassName: gke-l7-regional-external-managed, or gke-l7-rilb inside the VPC, and declare a "
    "proxy-only subnet in the cluster's VPC and region.",
    source=_LLMD_GKE,
    severity=Severity.HIGH,
    covers=("NET-007",),
)
def class_takes_pools(stack: Stack) -> Iterator[About]:
    for link in links(stack):
        fact = GATEWAY_CLASSES.get(link.gateway.class_name or "")
        if link.to_pool and fact is not None and fact.inference_pool is False:
            yield About(
                link.gateway.resource,
                f'{link.gateway} is of class {fact.name}, and {link.label} leads from it to InferencePool "'
                f'{link.backend.name}"; only regional classes take an InferencePool as backend. '
                "Set gatewayClassName: gke-l7-regional-external-managed or gke-l7-rilb.",
            )


@rule(
    "gateway-prerequisites-first",
    title="A gateway waits for the proxy-only subnet and the API that its load balancer needs",
    breaks="The controller tries once, finds no proxy-only subnet or a disabled networkservices API, sets "
    "Programmed=False, and does not notice when they appear later, until somebody touches the object. At destroy the "
    "subnet is deleted under the load balancer and stays blocked.",
    fix="Add the proxy-only subnet and the projects.Service of networkservices.googleapis.com to the gateway's "
    "depends_on.",
    source=_DEPLOYING,
    severity=Severity.MEDIUM,
    covers=("GW-027",),
    needs_program=True,
)
def prerequisites_first(stack: Stack) -> Iterator[About]:
    for gateway in stack.each(Gateway):
        if not gateway.gke:
            continue
        needed = [*_proxy_subnets(stack, gateway), *_pool_apis(stack, gateway)]
        missing = [(what, resource) for what, resource in needed if not stack.depends(gateway.resource, resource)]
        for what, resource in missing:
            yield About(
                gateway.resource,
                f"{gateway} does not wait for {what}; made at the same time, it may stay Programmed=False until "
                f'somebody touches it. Add "{resource.name}" to its depends_on.',
            )


def _proxy_subnets(stack: Stack, gateway: Gateway) -> Iterator[tuple[str, Resource]]:
    fact = GATEWAY_CLASSES.get(gateway.class_name or "")
    if fact is None or fact.proxy_only_purpose is None:
        return
    cluster = cluster_of(stack, gateway.resource)
    network = cluster.network(stack) if cluster else None
    found = []
    for subnet in stack.each(Subnetwork):
        if subnet.props.text("purpose") in {fact.proxy_only_purpose, "INTERNAL_HTTPS_LOAD_BALANCER"}:
            other_network = network is not None and subnet.network(stack) not in {None, network}
            other_region = cluster is not None and cluster.region and subnet.region not in {None, cluster.region}
            if not other_network and not other_region:
                found.append(subnet)
    if found and not any(stack.depends(gateway.resource, subnet.resource) for subnet in found):
        yield f'the proxy-only subnet "{found[0].resource.name}"', found[0].resource


def _pool_apis(stack: Stack, gateway: Gateway) -> Iterator[tuple[str, Resource]]:
    to_pools = [link.to_pool for link in links_from(stack, gateway)]
    if to_pools and not any(to_pools):
        return
    for service in stack.of_type(_PROJECT_SERVICE):
        if service.props.text("service") == _API:
            yield f"the API {_API}, which carries the calls to the endpoint picker,", service


@rule(
    "gateway-listener-has-certificate",
    title="An HTTPS listener says where its certificate is",
    breaks="The object is accepted, since the definition does not ask for tls on an HTTPS listener; the listener never "
    "becomes programmed and the gateway answers on no port.",
    fix="Give the listener tls with certificateRefs or, on GKE, options networking.gke.io/cert-manager-certs (regional "
    "classes) or networking.gke.io/pre-shared-certs; a global class may name a certificate map instead.",
    source=_SECURING,
    severity=Severity.HIGH,
    on=Gateway,
)
def listener_has_certificate(gateway: Gateway) -> Iterator[str]:
    mapped = gateway.gke and _CERTIFICATE_MAP in gateway.object.annotations
    if mapped or not gateway.object.metadata.known("annotations"):
        return
    for listener in gateway.listeners:
        if listener.text("protocol") != "HTTPS":
            continue
        name = listener.text("name") or "?"
        tls = listener.section("tls")
        if listener.absent("tls"):
            yield (
                f'{gateway} has the HTTPS listener "{name}" without tls; the listener has no certificate and is never '
                "programmed. Set tls.certificateRefs, or tls.options with networking.gke.io/cert-manager-certs."
            )
        elif _names_no_certificate(tls):
            yield (
                f'{gateway} has the HTTPS listener "{name}" whose tls names no certificate; the API server refuses '
                "it. Set tls.certificateRefs, or tls.options with networking.gke.io/cert-manager-certs."
            )


def _names_no_certificate(tls: Props) -> bool:
    settled = tls.known("certificateRefs") and tls.known("options") and tls.text("mode") in {None, "Terminate"}
    return settled and not tls.size("certificateRefs") and not tls.section("options")


@rule(
    "gateway-certificate-source-supported",
    title="A gateway takes its certificates from a source that its class supports",
    breaks="The annotation is ignored or refused: the HTTPS listener has no certificate and clients get no connection.",
    fix="On a regional class name regional certificates in the listener's tls.options "
    "(networking.gke.io/cert-manager-certs); a certificate map serves global classes only; ManagedCertificate objects "
    "serve Ingress only.",
    source=_SECURING,
    severity=Severity.HIGH,
    on=Gateway,
)
def certificate_source_supported(gateway: Gateway) -> Iterator[str]:
    annotations = gateway.object.annotations
    if gateway.regional and _CERTIFICATE_MAP in annotations:
        yield (
            f"{gateway} of the regional class {gateway.class_name} names the certificate map "
            f'"{annotations[_CERTIFICATE_MAP]}"; certificate maps exist for global load balancers only. '
            "Remove the annotation and set tls.options networking.gke.io/cert-manager-certs on the listener."
        )
    if gateway.gke and _MANAGED_CERTIFICATES in annotations:
        yield (
            f"{gateway} names ManagedCertificate objects, which GKE attaches to Ingresses only; the listener has no "
            "certificate. Use a certificate of Certificate Manager."
        )


@rule(
    "gateway-address-scope-fits",
    title="The reserved address of a gateway has the scope, region and type of its class",
    breaks="The forwarding rule cannot take the address: the Gateway stays Programmed=False with 'address not found' "
    "or 'invalid value for field IPAddress'.",
    fix="Reserve a compute.Address in the cluster's region for a regional class (INTERNAL for gke-l7-rilb), a "
    "compute.GlobalAddress for a global class.",
    source=_DEPLOYING,
    severity=Severity.HIGH,
)
def address_scope_fits(stack: Stack) -> Iterator[About]:
    for gateway in stack.each(Gateway):
        fact = GATEWAY_CLASSES.get(gateway.class_name or "")
        if fact is None or fact.multi_cluster:
            continue
        for entry in gateway.spec.sections("addresses"):
            name = entry.text("value")
            if entry.text("type") != "NamedAddress" or name is None:
                continue
            everywhere = _addresses(stack, _GLOBAL_ADDRESS, name)
            in_region = _addresses(stack, _ADDRESS, name)
            if fact.regional and everywhere and not in_region:
                yield About(gateway.resource, _misfit(gateway, name, "is global", "a compute.Address in its region"))
            elif not fact.regional and in_region and not everywhere:
                yield About(gateway.resource, _misfit(gateway, name, "is regional", "a compute.GlobalAddress"))
            elif fact.regional and len(in_region) == 1:
                for problem, remedy in _regional_misfits(stack, gateway, in_region[0], external=fact.external):
                    yield About(gateway.resource, _misfit(gateway, name, problem, remedy))


def _addresses(stack: Stack, token: str, name: str) -> tuple[Resource, ...]:
    return tuple(address for address in stack.of_type(token) if address.physical_name == name)


def _regional_misfits(
    stack: Stack, gateway: Gateway, address: Resource, *, external: bool
) -> Iterator[tuple[str, str]]:
    cluster = cluster_of(stack, gateway.resource)
    region = address.props.text("region")
    if cluster is not None and cluster.region and region and short_name(region) != cluster.region:
        yield f"lies in {short_name(region)}, the cluster in {cluster.region}", f"an address in {cluster.region}"
    kind = "EXTERNAL" if address.props.absent("addressType") else address.props.text("addressType")
    wanted = "EXTERNAL" if external else "INTERNAL"
    if kind is not None and kind != wanted:
        yield f"is of type {kind}", f"an address of type {wanted}"


def _misfit(gateway: Gateway, name: str, problem: str, remedy: str) -> str:
    return (
        f'{gateway} of class {gateway.class_name} asks for the address "{name}", which {problem}; the forwarding rule '
        f"cannot take it and the gateway gets no address. Name {remedy}."
    )
