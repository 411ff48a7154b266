"""What the stand-in cloud refuses, and what goes along with a resource that goes: the order that the real one enforces.

A small model: it knows the ties that a stack of this kind can get wrong, and refuses nothing that it does not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_network

from inference.facts.fixed_fields import fixed_fields
from inference.facts.wire import UNKNOWN
from rehearsal.cloud.kubernetes import CLUSTER_SCOPED
from rehearsal.cloud.model import at
from rehearsal.providers.served import served
from rehearsal.providers.world import Record, World

__all__ = ["creation_refusal", "deletion_refusal", "remove", "update_refusal"]

_NETWORK = "gcp:compute/network:Network"
_SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
_CLUSTER = "gcp:container/cluster:Cluster"
_POOL = "gcp:container/nodePool:NodePool"
_POLICY = "gcp:compute/resourcePolicy:ResourcePolicy"
_LEFTOVER = "gcp:compute/forwardingRule:ForwardingRule"
_NAMESPACE = "kubernetes:core/v1:Namespace"
_SERVICE = "kubernetes:core/v1:Service"
_RELEASE = "kubernetes:helm.sh/v3:Release"
_PARAMS = "kubernetes:networking.gke.io/v1:GKENetworkParamSet"
_GKE_NETWORK = "kubernetes:networking.gke.io/v1:Network"

_IN_NETWORK = ("gcp:compute/firewall:Firewall", "gcp:compute/router:Router", _CLUSTER, _LEFTOVER, _SUBNETWORK)
_SHARED = ("gcp:projects/service:service", "iammember")
"""Endings of types, in lower case, that several owners may ask for: APIs that are on, rights that are granted."""
_INITIAL = frozenset({"default", "kube-node-lease", "kube-public", "kube-system"})
"""Namespaces of a new cluster; GKE makes its own beside them."""
_OF_GKE = "gke-", "gmp-"
_WORKLOADS = frozenset({"DaemonSet", "Deployment", "Job", "LeaderWorkerSet", "Pod", "Release", "StatefulSet"})


def creation_refusal(record: Record, standing: Record | None, world: World) -> str:
    """Return why a resource cannot be created; empty where it can.

    Args:
        record: the resource.
        standing: what already has its id.
        world: the stand-in cloud.
    """
    if standing is not None and not record.type.lower().endswith(_SHARED):
        return f"Error 409: Already Exists: {record.id}"
    if record.type == _POOL and not _refers_to_any(record.inputs.get("cluster"), world.of_type(_CLUSTER)):
        return f"Error 404: Not found: {record.inputs.get('cluster')}"
    if record.type == _SUBNETWORK:
        return _overlap(record, world)
    if not record.type.startswith("kubernetes:") or not record.cluster:
        return ""
    return _object_refusal(record, world)


def update_refusal(standing: Record, inputs: Mapping[str, object], world: World) -> str:
    """Return why a resource cannot get other inputs; empty where it can."""
    if standing.type == _SUBNETWORK:
        return _ranges_in_use(standing, inputs, world)
    if not standing.type.startswith("kubernetes:"):
        return ""
    _, api_version, kind = standing.type.split(":", 2)
    for path in fixed_fields(api_version, kind):
        steps = path.split(".")
        if at(standing.inputs, *steps) != at(inputs, *steps):
            return f'{kind} "{standing.name}" is invalid: {path}: Invalid value: field is immutable'
    return ""


def _object_refusal(record: Record, world: World) -> str:
    inside = [other for other in world if other.cluster == record.cluster]
    kind = record.type.rpartition(":")[2]
    cluster = world.find(_CLUSTER, record.cluster)
    namespace = _namespace(record)
    known = namespace in _INITIAL or str(namespace).startswith(_OF_GKE)
    if namespace and not known and not any(o.type == _NAMESPACE and o.name == namespace for o in inside):
        return f'namespaces "{namespace}" not found'
    group = record.type.split(":")[1].partition("/")[0]
    if cluster is not None and not served(group, cluster.inputs, [o for o in inside if o.type == _RELEASE]):
        return (
            "the API server reported that the apiVersion for this resource does not exist: "
            f'no matches for kind "{kind}" in group "{group}"'
        )
    pools = [pool for pool in world.of_type(_POOL) if _refers(pool.inputs.get("cluster"), cluster)] if cluster else []
    if kind in _WORKLOADS and kind != "DaemonSet" and not pools and not _autopilot(cluster):
        return f"{kind} {record.id} did not become ready: 0/0 nodes are available: the cluster has no node pool"
    return ""


def deletion_refusal(record: Record, world: World) -> str:
    """Return why a resource cannot be deleted; empty where it can."""
    match record.type:
        case "gcp:container/cluster:Cluster" if record.inputs.get("deletionProtection", True) is not False:
            return (
                "Cannot destroy cluster because deletion_protection is set to true. "
                "Set it to false to proceed with cluster deletion."
            )
        case "gcp:compute/network:Network":
            users = (o for o in world.of_type(*_IN_NETWORK) if _refers(o.inputs.get("network"), record))
            return _in_use(record, users, "network")
        case "gcp:compute/subnetwork:Subnetwork":
            return _in_use(record, _users_of_subnetwork(record, world), "subnetwork")
        case "gcp:compute/resourcePolicy:ResourcePolicy":
            pools = (p for p in world.of_type(_POOL) if at(p.inputs, "placementPolicy", "policyName") == record.name)
            return _in_use(record, pools, "resource policy")
        case "kubernetes:networking.gke.io/v1:GKENetworkParamSet":
            networks = (
                network
                for network in world.of_type(_GKE_NETWORK)
                if network.cluster == record.cluster
                and at(network.inputs, "spec", "parametersRef", "name") == record.name
            )
            return _in_use(record, networks, "GKENetworkParamSet")
        case _:
            return ""


def remove(record: Record, world: World) -> None:
    """Remove a resource and what goes with it: of a cluster its pools and objects, of a namespace its objects.

    A load balancer that nobody told to go stays behind, as it does in Google Cloud.
    """
    for other in list(world):
        if not _goes_along(other, record):
            continue
        if record.type == _CLUSTER and _balances(other):
            left = replace(other, type=_LEFTOVER, id=f"{record.id}/leftovers/{other.name}", cluster="")
            world.keep(replace(left, inputs={"network": record.inputs.get("network")}))
        world.remove(other)
    world.remove(record)


def _goes_along(other: Record, record: Record) -> bool:
    if record.type == _CLUSTER:
        pool = other.type == _POOL and _refers(other.inputs.get("cluster"), record)
        return pool or other.cluster == record.id
    if record.type == _NAMESPACE and other.cluster == record.cluster:
        return other.type != _NAMESPACE and _namespace(other) == record.name
    return False


def _users_of_subnetwork(record: Record, world: World) -> Iterator[Record]:
    yield from (other for other in world.of_type(_CLUSTER) if _refers(other.inputs.get("subnetwork"), record))
    for pool in world.of_type(_POOL):
        attached = at(pool.inputs, "networkConfig", "additionalNodeNetworkConfigs")
        if isinstance(attached, list) and any(_refers(at(entry, "subnetwork"), record) for entry in attached):
            yield pool
    if record.inputs.get("purpose") == "REGIONAL_MANAGED_PROXY":
        network = record.inputs.get("network")
        homes = {c.id for c in world.of_type(_CLUSTER) if _same_place(c.inputs.get("network"), network)}
        yield from (other for other in world if other.cluster in homes and other.type.endswith(":Gateway"))
        yield from (o for o in world.of_type(_LEFTOVER) if _same_place(o.inputs.get("network"), network))


def _overlap(record: Record, world: World) -> str:
    """Return why the ranges of a new subnetwork cannot be: another one of its network has some of their addresses."""
    for other in world.of_type(_SUBNETWORK):
        if not _same_place(other.inputs.get("network"), record.inputs.get("network")):
            continue
        taken = list(_blocks(other.inputs))
        for block in _blocks(record.inputs):
            if any(block.version == each.version and block.overlaps(each) for each in taken):
                return f"Error 400: Invalid IPCidrRange: {block} conflicts with existing subnetwork '{other.name}'"
    return ""


def _ranges_in_use(standing: Record, inputs: Mapping[str, object], world: World) -> str:
    """Return why the secondary ranges of a subnetwork cannot change: the pods and Services of a cluster are in them."""
    kept = {_named_range(entry) for entry in _listed(inputs.get("secondaryIpRanges"))}
    lost = [entry for entry in _listed(standing.inputs.get("secondaryIpRanges")) if _named_range(entry) not in kept]
    users = (c for c in world.of_type(_CLUSTER) if _refers(c.inputs.get("subnetwork"), standing))
    return _in_use(standing, users, "subnetwork") if lost else ""


def _named_range(entry: object) -> tuple[object, object]:
    return at(entry, "rangeName"), at(entry, "ipCidrRange")


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _blocks(inputs: Mapping[str, object]) -> Iterator[IPv4Network | IPv6Network]:
    secondary = (at(entry, "ipCidrRange") for entry in _listed(inputs.get("secondaryIpRanges")))
    for text in (inputs.get("ipCidrRange"), *secondary):
        with suppress(ValueError):
            yield ip_network(str(text), strict=False)


def _in_use(record: Record, users: Iterator[Record], noun: str) -> str:
    user = next(users, None)
    return f"Error 400: The {noun} resource '{record.id}' is already being used by '{user.id}'" if user else ""


def _refers(reference: object, record: Record) -> bool:
    """Whether a reference, by id, by link or by name, means a resource."""
    if not isinstance(reference, str) or reference == UNKNOWN:
        return False
    return reference in (record.id, record.name) or reference.endswith(f"/{record.id}")


def _refers_to_any(reference: object, records: list[Record]) -> bool:
    return any(_refers(reference, record) for record in records)


def _same_place(one: object, other: object) -> bool:
    return str(one).rpartition("/")[2] == str(other).rpartition("/")[2]


def _namespace(record: Record) -> object:
    kind = record.type.rpartition(":")[2]
    if record.type == _RELEASE:
        return "" if record.inputs.get("createNamespace") is True else record.inputs.get("namespace") or "default"
    return "" if kind in CLUSTER_SCOPED else at(record.inputs, "metadata", "namespace") or "default"


def _balances(record: Record) -> bool:
    balanced = record.type == _SERVICE and at(record.inputs, "spec", "type") == "LoadBalancer"
    return balanced or record.type.endswith((":Gateway", ":Ingress"))


def _autopilot(cluster: Record | None) -> bool:
    inputs: Mapping[str, object] = cluster.inputs if cluster else {"enableAutopilot": True}
    return inputs.get("enableAutopilot") is True
