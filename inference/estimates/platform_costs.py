"""What a stack costs beside its nodes: clusters, load balancers, NAT, addresses, disks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from inference.estimates.pricing import Agreement, Line
from inference.facts import prices
from inference.facts.controllers import LWS_GROUP
from inference.facts.prices import FIRST_RULES, FREE_CLUSTER, NAT_CAPPED_VMS
from inference.facts.zones import is_region, is_zone, region_of
from inference.rules.views.cloud import Cluster
from inference.rules.views.fleet import Fleet
from inference.rules.views.gateway import Gateway, Service
from inference.rules.views.hosting import cluster_of
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.nodes import region_of_nodes
from inference.rules.views.resources import Resource, short_name
from inference.rules.views.stack import Stack
from inference.rules.views.storage_classes import disk_type
from inference.rules.views.values import Props, quantity

__all__ = ["platform_lines", "uncounted"]

_ROUTER_NAT = "gcp:compute/routerNat:RouterNat"
_ADDRESSES = ("gcp:compute/address:Address", "gcp:compute/globalAddress:GlobalAddress")
_DISKS = ("gcp:compute/disk:Disk", "gcp:compute/regionDisk:RegionDisk")
_BUCKET = "gcp:storage/bucket:Bucket"

_FREE = (
    f"the first zonal or Autopilot cluster of a billing account is credited {FREE_CLUSTER:.2f} a month "
    "(https://cloud.google.com/kubernetes-engine/pricing); the credit is not taken off here"
)
_UNPRICED = {
    "gcp:compute/instance:Instance": "virtual machines outside the cluster",
    "gcp:filestore/instance:Instance": "Filestore instances",
    "gcp:parallelstore/instance:Instance": "Parallelstore instances",
    "gcp:managedlustre/instance:Instance": "Lustre instances",
    "gcp:sql/databaseInstance:DatabaseInstance": "databases",
    "gcp:redis/instance:Instance": "Redis instances",
    "gcp:compute/forwardingRule:ForwardingRule": "forwarding rules outside the cluster",
    "gcp:compute/globalForwardingRule:GlobalForwardingRule": "forwarding rules outside the cluster",
}
"""Resources that cost money and are not priced."""


def platform_lines(stack: Stack, agreed: Agreement, idle_vms: Counter[str], most_vms: Counter[str]) -> Iterator[Line]:
    """Yield the lines; nodes by region decide what NAT costs, where a region that is not known is empty."""
    for cluster in stack.each(Cluster):
        yield from _cluster(cluster, agreed)
    yield from _load_balancers(stack, agreed)
    yield from _nat(stack, agreed, idle_vms, most_vms)
    yield from _addresses(stack, agreed)
    yield from _disks(stack, agreed)


def uncounted(stack: Stack) -> Iterator[str]:
    """Yield what is billed by use, or by sizes that no program tells."""
    yield "traffic: egress, data through load balancers and NAT, between zones and regions"
    if any(True for _ in stack.each(Gateway)):
        yield "the load balancers' proxy instances"
    buckets = stack.of_type(_BUCKET)
    if buckets:
        yield f"what {len(buckets)} bucket{'s' * (len(buckets) > 1)} hold and serve"
    yield "logs, metrics, snapshots, image storage"
    for token, what in _UNPRICED.items():
        if stack.of_type(token):
            yield what
    for cluster in stack.each(Cluster):
        if cluster.release_channel == "EXTENDED":
            yield f"extended support of {cluster}, once its minor version is past standard support"
        if cluster.props.flag("clusterAutoscaling", "enabled"):
            yield f"nodes that auto-provisioning adds to {cluster}"


def _line(resource: Resource, kind: str, group: str, what: str, **more: object) -> Line:
    fields: dict[str, object] = {"rate": None, "idle": 1, "most": 1, **more}
    return Line(resource=resource, kind=kind, group=group, what=what, **fields)  # type: ignore[arg-type]


def _cluster(cluster: Cluster, agreed: Agreement) -> Iterator[Line]:
    group = f"cluster {cluster.resource.name}"
    rate = agreed.rate("gke-cluster", "", "cluster-hour", prices.service("gke-cluster"))
    zonal = cluster.autopilot or cluster.regional is False
    yield _line(cluster.resource, "cluster", group, "management fee", rate=rate, notes=(_FREE,) if zonal else ())
    if cluster.autopilot:
        yield _line(cluster.resource, "nodes", group, "pods in Autopilot", idle=None, most=None)
        return
    props = cluster.props
    own_pools = props.section("nodeConfig") or props.sections("nodePools")
    count = props.integer("initialNodeCount")
    if not own_pools and count and props.flag("removeDefaultNodePool") is not True and props.known("nodePools"):
        yield _line(cluster.resource, "nodes", group, "nodes of the default pool")


def _load_balancers(stack: Stack, agreed: Agreement) -> Iterator[Line]:
    regional: Counter[str] = Counter()
    first: dict[str, Resource] = {}
    for resource, rules, where in _forwarding_rules(stack):
        regional[where] += rules
        first.setdefault(where, resource)
    for where, rules in regional.items():
        if where == "global":
            yield from _global_rules(first[where], rules, agreed)
            continue
        listed = prices.service("regional-forwarding-rules", where or None)
        rate = agreed.rate("forwarding-rules", "", "first five rules of a region, hour", listed)
        what = f"forwarding rules in {where or 'an unknown region'}, up to five"
        fives = 1 if rules <= FIRST_RULES else None
        yield _line(first[where], "network", "load balancers", what, rate=rate, idle=fives, most=fives, region=where)


def _global_rules(resource: Resource, rules: int, agreed: Agreement) -> Iterator[Line]:
    rate = agreed.rate("forwarding-rules", "", "first five rules, hour", prices.service("global-forwarding-rules"))
    yield _line(resource, "network", "load balancers", "global forwarding rules, up to five", rate=rate)
    if more := max(rules - FIRST_RULES, 0):
        name = "global-forwarding-rule-beyond-five"
        further = agreed.rate(name, "", "rule-hour", prices.service(name))
        what = "global forwarding rules beyond five"
        yield _line(resource, "network", "load balancers", what, rate=further, idle=more, most=more)


def _forwarding_rules(stack: Stack) -> Iterator[tuple[Resource, int, str]]:
    """Yield how many forwarding rules an object makes, and where: a region, ``global``, or empty for unknown."""
    for gateway in stack.each(Gateway):
        if not gateway.gke:
            continue
        ports = {listener.integer("port") for listener in gateway.listeners} or {None}
        yield gateway.resource, len(ports), _region_of(stack, gateway.resource) if gateway.regional else "global"
    for service in stack.each(Service):
        if service.spec.text("type") == "LoadBalancer":
            yield service.resource, max(len(service.ports), 1), _region_of(stack, service.resource)


def _region_of(stack: Stack, resource: Resource) -> str:
    cluster = cluster_of(stack, resource)
    if cluster is not None and cluster.region:
        return cluster.region
    places = {region_of_nodes(site) for site in stack.view(Fleet).sites}
    return (places.pop() or "") if len(places) == 1 else ""


def _nat(stack: Stack, agreed: Agreement, idle: Counter[str], most: Counter[str]) -> Iterator[Line]:
    gateways = stack.of_type(_ROUTER_NAT)
    regions = Counter(short_name(nat.props.text("region") or "") for nat in gateways)
    for nat in gateways:
        where = short_name(nat.props.text("region") or "")
        group = f"NAT {nat.name}"
        vms = [None if not where or regions[where] > 1 or "" in of else of[where] for of in (idle, most)]
        billed = [0 if count is not None and count >= NAT_CAPPED_VMS else count for count in vms]
        capped = [int(count is not None and count >= NAT_CAPPED_VMS) for count in vms]
        each = agreed.rate("nat-vm", "", "VM-hour", prices.service("nat-vm"))
        yield _line(nat, "network", group, "VMs behind it", rate=each, idle=billed[0], most=billed[1], region=where)
        if any(capped):
            cap = agreed.rate("nat-gateway-cap", "", "gateway-hour", prices.service("nat-gateway-cap"))
            what = f"gateway with {NAT_CAPPED_VMS} VMs or more"
            yield _line(nat, "network", group, what, rate=cap, idle=capped[0], most=capped[1], region=where)
        addresses = len(nat.props.texts("natIps"))
        rate = agreed.rate("nat-address", "", "address-hour", prices.service("nat-address"))
        automatic = () if addresses else ("at least one; Cloud NAT adds addresses as it needs them",)
        number = addresses or 1
        yield _line(nat, "network", group, "addresses", rate=rate, idle=number, most=number, notes=automatic)


def _addresses(stack: Stack, agreed: Agreement) -> Iterator[Line]:
    for address in stack.of_type(*_ADDRESSES):
        props = address.props
        if props.text("addressType") == "INTERNAL" or props.text("purpose") in {"VPC_PEERING", "GCE_ENDPOINT"}:
            continue
        rate = agreed.agreed("external-address", "", "address-hour")
        what = f"external address {address.name}"
        unused = ("a reserved address that nothing uses costs more than one in use",)
        yield _line(address, "network", "addresses", what, rate=rate, notes=unused)


def _disks(stack: Stack, agreed: Agreement) -> Iterator[Line]:
    for disk in stack.of_type(*_DISKS):
        place = disk.props.text("zone") or disk.props.text("region") or ""
        kind = short_name(disk.props.text("type") or ("" if not disk.props.absent("type") else "pd-standard"))
        kind = f"regional-{kind}" if disk.type == _DISKS[1] else kind
        group = f"disk {disk.name}"
        yield _volume(disk, group, kind, disk.props.number("size"), _region(short_name(place)), agreed)
    for claim in stack.objects("PersistentVolumeClaim", ""):
        if claim.spec.absent("volumeName"):
            yield _claimed(stack, claim, f"claim {claim.name or claim.resource.name}", claim.spec, 1, agreed)
    for owner in (*stack.objects("StatefulSet", "apps"), *stack.objects("LeaderWorkerSet", LWS_GROUP)):
        replicas = 1 if owner.spec.absent("replicas") else owner.spec.integer("replicas")
        size = 1 if owner.kind == "StatefulSet" else owner.spec.integer("leaderWorkerTemplate", "size")
        places = (("volumeClaimTemplates",), ("leaderWorkerTemplate", "volumeClaimTemplates"))
        for template in (t for place in places for t in owner.spec.sections(*place)):
            copies = None if replicas is None or size is None else replicas * size
            yield _claimed(stack, owner, f"claims of {owner}", template.section("spec"), copies, agreed)


def _claimed(
    stack: Stack, thing: KubernetesObject, group: str, spec: Props, copies: int | None, agreed: Agreement
) -> Line:
    size = quantity(spec.raw("resources", "requests", "storage"))
    gib = None if size is None or copies is None else size / 2**30 * copies
    named = spec.text("storageClassName")
    kind = disk_type(stack, named) if named or spec.absent("storageClassName") else None
    return _volume(thing.resource, group, kind or "", gib, _region_of(stack, thing.resource), agreed)


def _volume(resource: Resource, group: str, kind: str, gib: float | None, where: str, agreed: Agreement) -> Line:
    rate = agreed.rate(kind, "", "GiB-month", prices.storage(kind, where or None)) if kind else None
    what = f"GiB of {kind or 'unknown storage'}"
    return _line(resource, "disks", group, what, rate=rate, idle=gib, most=gib, region=where)


def _region(place: str) -> str:
    if is_zone(place):
        return region_of(place)
    return place if is_region(place) else ""
