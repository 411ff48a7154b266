"""What lets packets in and out: firewall rules, APIs of the gateway, the way to the Internet, the host's network.

None of this is refused. A firewall rule that is too wide exposes GPU nodes silently; private nodes without NAT fail
at the first image; a missing API leaves the gateway without an answer; a pod on the host's network loses everything
that Kubernetes does for pods.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, collapse_addresses

from inference.facts.gke import ACCELERATOR_LABEL, INTERFACES_ANNOTATION, NETWORKING_GROUP, REQUIRED_APIS
from inference.facts.machines import MACHINES
from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.cloud import Cluster, Firewall, Network, ranges
from inference.rules.views.fleet import Fleet
from inference.rules.views.gateway import Gateway, HttpRoute
from inference.rules.views.hosting import cluster_of
from inference.rules.views.images import registry_of
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.placement import Placement
from inference.rules.views.pods import PodTemplate
from inference.rules.views.resources import short_name
from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN
from inference.rules.views.vpc import Vpcs

_FIREWALLS = "https://docs.cloud.google.com/firewall/docs/firewalls"
_GATEWAY = "https://docs.cloud.google.com/kubernetes-engine/docs/how-to/deploy-gke-inference-gateway"
_NAT = "https://docs.cloud.google.com/kubernetes-engine/docs/how-to/private-clusters"
_KUBERNETES = "https://kubernetes.io/docs/concepts/services-networking/"
_DNS = "https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/"

# ------------------------------------------------------------------ firewall

_ALL_PORTS = frozenset({"0-65535", "1-65535", "1-65534"})


@rule(
    "network-firewall-sources",
    title="A rule that allows everything names the subnets of its own network and nothing wider",
    breaks="No error. Proxies, peers and whatever else has an address in the wider range reaches every port of the "
    "GPU nodes, and NCCL and the engines authenticate nobody.",
    fix="Set sourceRanges to the ranges of the network's subnets.",
    source=_FIREWALLS,
    severity=Severity.MEDIUM,
    covers=("NET-009",),
)
def sources_are_own_subnets(stack: Stack) -> Iterator[About]:
    vpcs = stack.view(Vpcs)
    for firewall in stack.each(Firewall):
        vpc = vpcs.vpc(firewall.resource, "network")
        subnets = vpcs.within(vpc)
        if not subnets or not _allows_everything(firewall) or (isinstance(vpc, Network) and vpc.rdma):
            continue
        if any(not s.props.known("ipCidrRange") or not s.props.known("secondaryIpRanges") for s in subnets):
            continue
        own = tuple(collapse_addresses(block for subnet in subnets for block in subnet.ranges))
        for source in _sources(firewall):
            inside = [block for block in own if block.subnet_of(source)]
            if inside and sum(block.num_addresses for block in inside) < source.num_addresses:
                strangers = _others(vpcs, firewall, source)
                yield About(
                    firewall.resource,
                    f"{firewall} allows every port from {source}, and the subnets of its network have "
                    f"{_written(inside)} of that{strangers}; whatever else has an address there reaches the GPU nodes. "
                    f"Set sourceRanges: [{_written(inside)}].",
                )


def _sources(firewall: Firewall) -> tuple[IPv4Network, ...]:
    """Return where the traffic may come from; a rule that names no source at all means everywhere."""
    named = [firewall.props.raw(key) for key in ("sourceRanges", "sourceTags", "sourceServiceAccounts")]
    if all(value is None or value == [] for value in named):
        return (IPv4Network("0.0.0.0/0"),)
    return ranges(firewall.props.texts("sourceRanges"))


def _allows_everything(firewall: Firewall) -> bool:
    props = firewall.props
    if props.text("direction") == "EGRESS" or props.flag("disabled") is True:
        return False
    for allow in props.sections("allows"):
        protocol = (allow.text("protocol") or "").lower()
        if protocol == "all":
            return True
        if protocol in {"tcp", "udp", "6", "17"} and (
            allow.absent("ports") or allow.size("ports") == 0 or _ALL_PORTS & set(allow.texts("ports"))
        ):
            return True
    return False


def _others(vpcs: Vpcs, firewall: Firewall, source: IPv4Network) -> str:
    home = vpcs.vpc(firewall.resource, "network")
    names = [
        subnet.resource.name
        for subnet in vpcs.subnets
        if vpcs.of(subnet) not in {home, None} and any(block.overlaps(source) for block in subnet.ranges)
    ]
    return f" ({', '.join(names[:3])} of other networks lie in it too)" if names else ""


def _written(blocks: Iterable[IPv4Network]) -> str:
    return ", ".join(str(block) for block in blocks)


# ------------------------------------------------------------------ APIs

_SERVICE = "gcp:projects/service:Service"
_EXTENSIONS = ("GCPTrafficExtension", "GCPRoutingExtension")


@rule(
    "network-gateway-api",
    title="A program that enables the project's APIs and routes to InferencePools enables Network Services",
    breaks="The endpoint picker is called through an extension of the load balancer: the Gateway reports "
    "'NetworkServices API is not enabled', and requests are answered 'fault filter abort'.",
    fix="Declare a projects.Service for networkservices.googleapis.com with disableOnDestroy false, and let the "
    "Gateway depend on it.",
    source=_GATEWAY,
    severity=Severity.HIGH,
    covers=("NET-005",),
)
def network_services_is_enabled(stack: Stack) -> Iterator[About]:
    services = stack.of_type(_SERVICE)
    enabled = {service.props.text("service") for service in services}
    wanted = REQUIRED_APIS["inference-gateway"]
    if None in enabled or enabled.isdisjoint(REQUIRED_APIS["cluster"]) or enabled.issuperset(wanted):
        return
    for thing, label in _extended(stack):
        yield About(
            thing.resource,
            f"{label} through a GKE Gateway, whose load balancer calls the endpoint picker by the API {wanted[0]}; the "
            f"program enables {', '.join(sorted(str(name) for name in enabled)[:6])} and not that one, and every "
            f"request fails. Declare a projects.Service for {wanted[0]}.",
        )


def _extended(stack: Stack) -> Iterator[tuple[KubernetesObject, str]]:
    """Yield what makes GKE attach an extension to a load balancer."""
    for route in stack.each(HttpRoute):
        to_pool = any(backend.kind == "InferencePool" for backend in route.backends)
        if to_pool and any(gateway.gke for gateway in route.parents(stack)):
            yield route.object, f"{route} leads to an InferencePool"
    for kind in _EXTENSIONS:
        for extension in stack.objects(kind, NETWORKING_GROUP):
            if any(gateway.gke for gateway in stack.each(Gateway)):
                yield extension, f"{extension} extends requests"


# ------------------------------------------------------------------ the way to the Internet

_PUBLIC_REGISTRIES = frozenset({"docker.io", "ghcr.io", "nvcr.io", "quay.io", "public.ecr.aws", "mcr.microsoft.com"})
_NAT_TYPE, _ROUTER = "gcp:compute/routerNat:RouterNat", "gcp:compute/router:Router"
_OTHER_WAYS_OUT = (
    "gcp:compute/vPNTunnel:VPNTunnel",
    "gcp:compute/interconnectAttachment:InterconnectAttachment",
    "gcp:compute/networkPeering:NetworkPeering",
    "gcp:networkservices/gateway:Gateway",
    "gcp:networkconnectivity/spoke:Spoke",
    "gcp:compute/routerPeer:RouterPeer",
)
_ROUTE = "gcp:compute/route:Route"


@rule(
    "network-private-nodes-nat",
    title="Private nodes that pull images from the Internet have a way there",
    breaks="Nodes without external addresses reach Google's registries only. Pods stay in ImagePullBackOff with "
    "'i/o timeout', or the server cannot download its model, while the GPUs are paid for.",
    fix="Declare a Router and a RouterNat in the VPC and region of the cluster, or pull through Artifact Registry.",
    source=_NAT,
    severity=Severity.HIGH,
    level=Level.ADVISORY,
)
def private_nodes_reach_registries(stack: Stack) -> Iterator[About]:
    if stack.of_type(*_OTHER_WAYS_OUT) or any(_leads_out(stack, route.urn) for route in stack.of_type(_ROUTE)):
        return
    vpcs = stack.view(Vpcs)
    lonely = {
        id(cluster): cluster
        for cluster in stack.each(Cluster)
        if cluster.props.flag("privateClusterConfig", "enablePrivateNodes") is True
        and isinstance(vpcs.home(cluster), Network)
        and not _translated(stack, vpcs, cluster)
    }
    for pod in stack.pods() if lonely else ():
        cluster = cluster_of(stack, pod.object.resource)
        foreign = next((c.image for c in pod.all_containers if _from_internet(c.image)), None)
        if cluster is None or id(cluster) not in lonely or foreign is None or _on_public_pool(stack, pod):
            continue
        yield About(
            pod.object.resource,
            f'{pod} pulls {foreign} from the Internet to the private nodes of the cluster "{cluster.resource.name}", '
            "for whose VPC and region the program makes no NAT; the pull ends in a timeout. Declare a RouterNat there, "
            "or pull through an Artifact Registry repository.",
        )


def _translated(stack: Stack, vpcs: Vpcs, cluster: Cluster) -> bool:
    """Whether a NAT serves the VPC and the region of a cluster, or may."""
    routers = stack.of_type(_ROUTER)
    for nat in stack.of_type(_NAT_TYPE):
        router = stack.reference(nat, "router", among=routers)
        if router is None:
            return True
        vpc = vpcs.vpc(router, "network")
        region = nat.props.text("region") or router.props.text("region")
        here = region is None or cluster.region is None or short_name(region) == cluster.region
        if here and vpc in (None, vpcs.home(cluster)):
            return True
    return False


def _leads_out(stack: Stack, urn: str) -> bool:
    route = stack.get(urn)
    target = route.props.text("destRange") if route is not None else None
    return target is None or target in {"0.0.0.0/0", "::/0"}


def _from_internet(image: str | None) -> bool:
    if not image or "$" in image:
        return False
    return registry_of(image) in _PUBLIC_REGISTRIES


def _on_public_pool(stack: Stack, pod: PodTemplate) -> bool:
    """Whether the pod may run on a pool whose nodes have external addresses after all."""
    fleet = stack.view(Fleet)
    placement = next((p for p in pod.object.resource.view(Placement.of) if p.pod is pod), None)
    scope = fleet.around(placement) if placement is not None else None
    sites = scope.candidates(placement) if scope is not None and placement is not None else ()
    return any(
        not site.pool.props.absent("networkConfig", "enablePrivateNodes")
        and site.pool.props.flag("networkConfig", "enablePrivateNodes") is not True
        for site in sites
    )


# ------------------------------------------------------------------ pods on the host's network


@rule(
    "network-host-interfaces",
    title="A pod with interfaces of its own is not on the host's network",
    breaks="GKE ignores the list of interfaces of a pod on the host's network: it sees the NICs of the node and no "
    "RDMA device, and NetworkPolicies do not apply to it.",
    fix="Set hostNetwork to false.",
    source=_KUBERNETES,
    severity=Severity.HIGH,
    covers=("OPS-012",),
    on=PodTemplate,
)
def pod_with_interfaces_is_not_on_host(pod: PodTemplate) -> Iterator[str]:
    if pod.spec.flag("hostNetwork") is True and pod.annotations.get(INTERFACES_ANNOTATION):
        yield (
            f"{pod} sets hostNetwork and lists interfaces in {INTERFACES_ANNOTATION}; on the host's network they are "
            "ignored, and the pod gets no device of its own. Set hostNetwork: false."
        )


@rule(
    "network-host-group-dns",
    title="A group of pods on the host's network resolves names of the cluster",
    breaks="A pod on the host's network asks the DNS of the node unless it is told otherwise: workers do not find the "
    "address of their leader, and the group never forms.",
    fix="Set dnsPolicy to ClusterFirstWithHostNet, or hostNetwork to false.",
    source=_DNS,
    severity=Severity.HIGH,
    covers=("OPS-012",),
    on=PodTemplate,
)
def group_on_host_resolves_names(pod: PodTemplate) -> Iterator[str]:
    group = pod.object.kind == "LeaderWorkerSet" and (pod.size or 0) > 1
    policy = "ClusterFirst" if pod.spec.absent("dnsPolicy") else pod.spec.text("dnsPolicy")
    if group and pod.spec.flag("hostNetwork") is True and policy in {"ClusterFirst", "Default"}:
        yield (
            f"{pod} is on the host's network with the dnsPolicy {policy}, hence asks the DNS of the node; it does not "
            "find LWS_LEADER_ADDRESS, and the group never forms. Set dnsPolicy: ClusterFirstWithHostNet."
        )


@rule(
    "network-host-one-per-node",
    title="Model pods on the host's network, or with a hostPort, cannot meet on a node",
    breaks="The second pod on a node finds the port taken: it stays Pending, or ends with 'address already in use', "
    "although GPUs are free beside the first.",
    fix="Set hostNetwork to false and remove hostPort; or let each pod take all GPUs of the node, or keep the pods "
    "apart by podAntiAffinity on kubernetes.io/hostname.",
    source=_KUBERNETES,
    severity=Severity.MEDIUM,
    covers=("OPS-012",),
)
def pods_on_host_stay_apart(stack: Stack) -> Iterator[About]:
    fleet = stack.view(Fleet)
    for placement in stack.each(Placement):
        pod, gpus = placement.pod, placement.gpus
        how = _on_host(pod)
        if how is None or not gpus or pod.object.kind in {"DaemonSet", "Pod"} or _kept_apart(pod):
            continue
        if (pod.replicas or 0) * (pod.size or 0) < 2:
            continue
        room = _most_gpus(fleet, placement)
        if room is not None and room >= 2 * gpus:
            yield About(
                pod.object.resource,
                f"{placement} {how} and asks for {gpus} of the {room} GPUs that a node may have, so that two of its "
                "pods may come to one node and want the same port; the second does not start. "
                "Set hostNetwork: false without hostPort, or keep the pods apart by podAntiAffinity.",
            )


_USUAL_GPUS = 8


def _most_gpus(fleet: Fleet, placement: Placement) -> int | None:
    """Return the most GPUs of a node on which the pods may run: of the declared pools, else of any such machine."""
    scope = fleet.around(placement)
    sites = scope.candidates(placement) if scope is not None else ()
    if sites:
        counts = [site.pool.gpus_per_node for site in sites]
        return max((count for count in counts if count), default=None) if None not in counts else None
    if fleet.sites or not placement.settled:
        return None
    accelerator = placement.asks(ACCELERATOR_LABEL)
    return max((m.gpus for m in MACHINES.values() if m.accelerator == accelerator), default=_USUAL_GPUS)


def _on_host(pod: PodTemplate) -> str | None:
    if pod.spec.flag("hostNetwork") is True:
        return "is on the host's network"
    ports = (port for container in pod.containers for port in container.props.sections("ports"))
    return "takes a hostPort" if any(port.integer("hostPort") for port in ports) else None


def _kept_apart(pod: PodTemplate) -> bool:
    affinity = pod.spec.section("affinity", "podAntiAffinity")
    required = affinity.raw("requiredDuringSchedulingIgnoredDuringExecution")
    spread = pod.spec.raw("topologySpreadConstraints")
    return not affinity.known() or required is UNKNOWN or bool(required) or spread is UNKNOWN
