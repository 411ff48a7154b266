"""NetworkPolicies around model servers: who must still get through.

A policy that selects a pod denies all that no policy allows, in its direction. Load balancers of Google come from two
probe ranges and, for regional classes, from the proxy-only subnet; none of them can be named by a pod or namespace
selector. And a policy is only text where no data plane enforces it.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.facts.gke import DATAPATH_V2, GATEWAY_CLASSES, PROBE_RANGES
from inference.rules.framework import About, Severity, rule
from inference.rules.views.cloud import Cluster, Subnetwork
from inference.rules.views.gateway import Gateway, InferencePool, Service
from inference.rules.views.hosting import cluster_of
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.picker import Picker
from inference.rules.views.pods import PodTemplate
from inference.rules.views.routing import Link, declared, links
from inference.rules.views.servers import ModelServer
from inference.rules.views.stack import Stack
from inference.rules.views.traffic import NetworkPolicy, Port, allows_block, allows_pods, policies_on, reaches_public

_PROBES = "https://cloud.google.com/load-balancing/docs/health-check-concepts#ip-ranges"
_DNS = Port(53, protocol="UDP")
_HTTPS = Port(443)
_BY_NAME = frozenset({"FQDNNetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"})
"""Kinds that let traffic out by the name of the destination, beside NetworkPolicies."""
_OFFLINE = frozenset({"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT", "https_proxy", "HTTPS_PROXY"})


@rule(
    "netpol-load-balancer-admitted",
    title="The policies on pods behind a gateway admit the load balancer and the picker",
    breaks="The endpoints are UNHEALTHY, or every request gets 503, while all pods are Ready; or the picker cannot "
    "read "
    "the metrics it ranks by.",
    fix="Admit ipBlock 130.211.0.0/22 and 35.191.0.0/16, the range of the proxy-only subnet and the picker's pods on "
    "the "
    "serving port; the proxies on 9002 of the picker.",
    source=_PROBES,
    severity=Severity.HIGH,
    covers=("GW-020",),
)
def load_balancer_admitted(stack: Stack) -> Iterator[About]:
    for link in links(stack):
        if not link.gateway.gke:
            continue
        proxies = stack.view(_proxy_ranges) if _uses_proxies(link.gateway) else ()
        pickers = _pickers_of(stack, link)
        for pod in link.pods:
            policies = policies_on(stack, pod, "Ingress")
            port = _serving_port(stack, link, pod)
            missing = [
                *(f"{block} (health checks)" for block in PROBE_RANGES if not allows_block(policies, block, port)),
                *(f"{block} (the proxy-only subnet)" for block in proxies if not allows_block(policies, block, port)),
                *(
                    f"the pods of {picker.pod}"
                    for picker in pickers
                    if not allows_pods(policies, picker.pod, _namespace_labels(stack, picker.pod), port)
                ),
            ]
            yield from _blocked(policies, missing, pod, port, f"behind {link.gateway}")
        for picker in pickers:
            policies = policies_on(stack, picker.pod, "Ingress")
            port = Port(picker.ext_proc_port, frozenset({"grpc", "grpc-ext-proc"}))
            missing = [
                f"{block} (the proxy-only subnet)" for block in proxies if not allows_block(policies, block, port)
            ]
            yield from _blocked(policies, missing, picker.pod, port, f"asked by {link.gateway}")


def _blocked(
    policies: tuple[NetworkPolicy, ...], missing: list[str], pod: PodTemplate, port: Port, where: str
) -> Iterator[About]:
    if policies and missing:
        at = f"port {port.number}" if port.number is not None else "its port"
        yield About(
            policies[0].resource,
            f"{policies[0]} restricts who reaches {pod}, which is {where}, and nothing admits {', '.join(missing)} on "
            f"{at}; requests fail while the pods are Ready. Add them to ingress.from.",
        )


def _uses_proxies(gateway: Gateway) -> bool:
    fact = GATEWAY_CLASSES.get(gateway.class_name or "")
    return fact is not None and fact.proxy_only_purpose is not None


def _proxy_ranges(stack: Stack) -> tuple[str, ...]:
    """Return the ranges of the proxy-only subnets, where it is clear which one counts."""
    found = {str(block) for subnet in stack.each(Subnetwork) if subnet.proxy_only for block in subnet.ranges}
    return tuple(found) if len(found) == 1 else ()


def _pickers_of(stack: Stack, link: Link) -> tuple[Picker, ...]:
    pool = declared(stack, link.backend) if link.to_pool else None
    if pool is None:
        return ()
    name = pool.resource.view(InferencePool.of)[0].picker.text("name")
    service = stack.object("Service", "", name, pool.namespace)
    pods = service.resource.view(Service.of)[0].pods(stack) if service is not None else ()
    return tuple(p for pod in pods for p in pod.object.resource.view(Picker.of) if p.pod is pod)


def _serving_port(stack: Stack, link: Link, pod: PodTemplate) -> Port:
    """Return the port on which the gateway reaches a pod, any port where that is not known."""
    number = None
    thing = declared(stack, link.backend)
    if thing is not None and link.to_pool:
        ports = thing.resource.view(InferencePool.of)[0].target_ports
        number = ports[0] if ports else None
    else:
        servers = [server for server in pod.object.resource.view(ModelServer.of) if server.pod is pod]
        number = servers[0].port if servers else None
    names = frozenset(
        name
        for container in pod.all_containers
        for port in container.props.sections("ports")
        if port.integer("containerPort") == number and (name := port.text("name"))
    )
    return Port(number, names)


def _namespace_labels(stack: Stack, pod: PodTemplate) -> dict[str, str]:
    namespace = stack.object("Namespace", "", pod.namespace, None)
    labels = namespace.labels if namespace is not None else {}
    return {**labels, "kubernetes.io/metadata.name": pod.namespace}


@rule(
    "netpol-downloads-possible",
    title="A model server that downloads its weights may ask for names and leave the cluster",
    breaks="'Temporary failure in name resolution' or a time-out from huggingface.co or nvcr.io: the server retries on "
    "its accelerator node and never gets ready.",
    fix="Allow UDP and TCP 53 to kube-system, and TCP 443 to an ipBlock (0.0.0.0/0 without the private ranges) or by "
    "an "
    "FQDNNetworkPolicy.",
    source="https://docs.cloud.google.com/kubernetes-engine/docs/how-to/network-policy",
    severity=Severity.HIGH,
    covers=("GW-021",),
)
def downloads_possible(stack: Stack) -> Iterator[About]:
    by_name = stack.view(_allowed_by_name)
    for server in stack.each(ModelServer):
        policies = policies_on(stack, server.pod, "Egress")
        if not policies or not _downloads(server):
            continue
        if not reaches_public(policies, _DNS, internet=False):
            yield About(
                policies[0].resource,
                f"{policies[0]} restricts what {server.pod} reaches, and nothing allows it UDP 53; it resolves no name "
                "and never gets its weights. Allow UDP and TCP 53 to the DNS of kube-system.",
            )
        if server.pod.namespace not in by_name and not reaches_public(policies, _HTTPS, internet=True):
            yield About(
                policies[0].resource,
                f"{policies[0]} restricts what {server.pod} reaches, and nothing allows it TCP 443 outside of the "
                "cluster (selectors match pods only); it never gets its weights. Allow 443 to an ipBlock.",
            )


def _downloads(server: ModelServer) -> bool:
    """Whether a server gets its weights over the network, as far as its model tells."""
    if server.container.variable_names & _OFFLINE or not server.container.props.known("env"):
        return False
    model = server.model
    return model is not None and not model.startswith(("/", ".", "$", "gs://", "s3://", "pvc://", "oci://"))


def _allowed_by_name(stack: Stack) -> frozenset[str]:
    return frozenset(thing.namespace for thing in stack.each(KubernetesObject) if thing.kind in _BY_NAME)


@rule(
    "netpol-data-plane-enforces",
    title="A cluster enforces NetworkPolicies in exactly one way",
    breaks="Without Dataplane V2 or the Calico add-on the policies are stored and ignored: everything is open. With "
    "both "
    "the API refuses the cluster.",
    fix="Set datapathProvider: ADVANCED_DATAPATH and leave networkPolicy out.",
    source="https://docs.cloud.google.com/kubernetes-engine/docs/concepts/dataplane-v2",
    severity=Severity.HIGH,
    covers=("GW-022",),
)
def data_plane_enforces(stack: Stack) -> Iterator[About]:
    first = stack.view(_first_policies)
    for cluster in stack.each(Cluster):
        calico = cluster.props.flag("networkPolicy", "enabled")
        if cluster.dataplane_v2 is True and calico is True and not cluster.autopilot:
            yield About(
                cluster.resource,
                f"{cluster} sets datapathProvider: {DATAPATH_V2} and networkPolicy.enabled; the API refuses both "
                "together. Remove networkPolicy.",
            )
        policy = first.get(cluster.resource.urn)
        settled = cluster.props.known("networkPolicy", "enabled") and cluster.props.known("enableAutopilot")
        if policy is not None and settled and cluster.dataplane_v2 is False and calico is not True:
            yield About(
                cluster.resource,
                f"{cluster} has neither Dataplane V2 nor networkPolicy.enabled, and {policy} is declared for it; "
                "nothing "
                f"enforces it. Set datapathProvider: {DATAPATH_V2}.",
            )


def _first_policies(stack: Stack) -> dict[str, NetworkPolicy]:
    """Return a NetworkPolicy of each cluster that has one."""
    found: dict[str, NetworkPolicy] = {}
    for policy in stack.each(NetworkPolicy):
        cluster = cluster_of(stack, policy.resource)
        if cluster is not None:
            found.setdefault(cluster.resource.urn, policy)
    return found
