"""DRANET: GKE makes the accelerator networks of a pool itself, and pods claim NICs instead of listing interfaces.

An accelerator network profile on the pool takes the place of VPCs, subnets and Network objects, and the two ways do
not mix. It needs a new enough GKE, Dataplane V2 and a pool in one zone. A4X Max knows no other way. A pod that has
neither interfaces nor a claim runs all the same: NCCL then uses TCP over the host's NIC.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.facts import gke
from inference.facts.machines import MACHINES
from inference.facts.versions import GKE_MINIMUM, GkeVersion
from inference.rules.framework import About, Severity, rule
from inference.rules.views.cloud import NodePool
from inference.rules.views.fabric import NetworkClaims, PodNetwork
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.hosting import cluster_of
from inference.rules.views.placement import Placement
from inference.rules.views.rdma import NetworkedPod
from inference.rules.views.stack import Stack

_AUTOMATIC = "https://docs.cloud.google.com/kubernetes-engine/docs/how-to/config-auto-net-for-accelerators"
_ALLOCATE = "https://docs.cloud.google.com/kubernetes-engine/docs/how-to/allocate-network-resources-dra"
_A4X_MAX = "https://docs.cloud.google.com/ai-hypercomputer/docs/create/gke-ai-hypercompute-custom-a4x-max"

_NETWORKS = ("networkConfig", "additionalNodeNetworkConfigs")
_PROFILE = ("networkConfig", "acceleratorNetworkProfile")
_CLAIMS_ONLY = frozenset(
    m.accelerator for m in MACHINES.values() if m.fabric is not None and not m.fabric.multi_network and m.accelerator
)


@rule(
    "dranet-pool-alone",
    title="A pool with an accelerator network profile lists no networks of its own",
    breaks="With the profile GKE makes the networks of the pool and attaches them; a list beside it is refused.",
    fix="Remove additionalNodeNetworkConfigs, or the profile.",
    source=_AUTOMATIC,
    severity=Severity.HIGH,
    on=NodePool,
)
def profile_stands_alone(pool: NodePool) -> Iterator[str]:
    profile, count = pool.props.text(*_PROFILE), pool.props.size(*_NETWORKS)
    if profile and count:
        yield (
            f'{pool} has the accelerator network profile "{profile}" and lists {count} additional networks; with the '
            "profile GKE makes and attaches the networks itself, and the pool is refused. "
            "Remove additionalNodeNetworkConfigs, or the profile."
        )
    if profile and profile != gke.NETWORK_PROFILE_AUTO:
        yield (
            f'{pool} has the accelerator network profile "{profile}"; the only one is "{gke.NETWORK_PROFILE_AUTO}". '
            f"Set networkConfig.acceleratorNetworkProfile: {gke.NETWORK_PROFILE_AUTO}."
        )


@rule(
    "dranet-pool-zone",
    title="A pool with an accelerator network profile stands in one zone",
    breaks="The networks that GKE makes belong to one zone; a pool over several is refused.",
    fix="Set nodeLocations to one zone.",
    source=_AUTOMATIC,
    severity=Severity.HIGH,
)
def pool_stands_in_one_zone(stack: Stack) -> Iterator[About]:
    for site in stack.view(Fleet).sites:
        if not site.pool.dranet:
            continue
        count = len(site.zones) if site.zones is not None else None
        if count is not None and count > 1:
            said = f"places nodes in {count} zones ({', '.join(site.zones or ())})"
        elif site.inherits_zones:
            said = "names no zone and would be spread over the region"
        else:
            continue
        yield About(
            site.pool.resource,
            f"{site.pool} has an accelerator network profile and {said}; its networks belong to one zone, and the pool "
            "is refused. Set nodeLocations to one zone.",
        )


@rule(
    "dranet-cluster-fitness",
    title="The cluster of a pool with DRANET uses Dataplane V2 and a GKE version that has it",
    breaks="The pool is refused, or comes up without the driver that hands out NICs, and claims stay pending. "
    "Dataplane V2 can be chosen only when the cluster is made.",
    fix="Set datapathProvider to ADVANCED_DATAPATH and a version of at least "
    f"{GKE_MINIMUM['dranet']} for cluster and pool.",
    source=_ALLOCATE,
    severity=Severity.HIGH,
)
def cluster_is_fit_for_dranet(stack: Stack) -> Iterator[About]:
    minimum = GKE_MINIMUM["dranet"]
    for site in stack.view(Fleet).sites:
        if not _uses_dranet(site.pool):
            continue
        if site.cluster is not None and site.cluster.dataplane_v2 is False:
            yield About(
                site.pool.resource,
                f'{site.pool} uses DRANET, and its cluster "{site.cluster.resource.name}" does not use Dataplane V2, '
                f"which can be chosen only when a cluster is made. Set datapathProvider: {gke.DATAPATH_V2}.",
            )
        if (version := _version(site)) is not None and minimum.met_by(version) is False:
            yield About(
                site.pool.resource,
                f"{site.pool} uses DRANET on GKE {version}; the driver is there from {minimum} on, and claims for NICs "
                "stay pending. Raise the version of cluster and pool.",
            )


def _uses_dranet(pool: NodePool) -> bool:
    return pool.dranet or pool.labels.get(gke.DRANET_LABEL) == "true"


def _version(site: Site) -> GkeVersion | None:
    text = site.pool.props.text("version") if not site.pool.inline else None
    if text is None and site.cluster is not None and site.pool.props.known("version"):
        text = site.cluster.version
    try:
        return GkeVersion.parse(text) if text else None
    except ValueError:
        return None


@rule(
    "dranet-objects-apart",
    title="Device networks and accelerator network profiles are not mixed",
    breaks="Network objects describe NICs that the pool lists; with the profile there are none, so that pods which "
    "name them wait forever.",
    fix="Remove Network and GKENetworkParamSet objects and claim NICs by a ResourceClaimTemplate, or give up the "
    "profile and list the networks in the pool.",
    source=_AUTOMATIC,
    severity=Severity.HIGH,
)
def objects_stay_apart(stack: Stack) -> Iterator[About]:
    sites = stack.view(Fleet).sites
    automatic = [site for site in sites if site.pool.dranet]
    if not automatic or any(_lists_networks(site.pool) for site in sites):
        return
    for network in stack.each(PodNetwork):
        if not network.device:
            continue
        host = cluster_of(stack, network.resource)
        with_profile = next((s for s in automatic if host is None or s.cluster is None or s.cluster is host), None)
        if with_profile is not None:
            yield About(
                network.resource,
                f'{network} is a device network, and no pool lists networks; the pool "{with_profile.pool.name}" has '
                "an accelerator network profile, whose NICs are claimed. Pods that name the network stay Pending. "
                "Remove it and claim NICs by a ResourceClaimTemplate.",
            )


@rule(
    "dranet-pod-one-way",
    title="A pod reaches the fabric by interfaces or by a claim, not by both, and by the way its node offers",
    breaks="Interfaces need networks that the pool lists, claims need DRANET on the nodes: the other kind is never "
    "satisfied, and the pod stays Pending.",
    fix="Keep networking.gke.io/interfaces on pools that list networks, and resourceClaims on pools with DRANET.",
    source=_ALLOCATE,
    severity=Severity.HIGH,
)
def pod_goes_one_way(stack: Stack) -> Iterator[About]:
    claims = stack.view(NetworkClaims)
    fleet = stack.view(Fleet)
    for placement in stack.each(Placement):
        pod = placement.pod
        listed = gke.INTERFACES_ANNOTATION in pod.annotations
        claimed = claims.classes(pod)
        if not listed and not claimed:
            continue
        resource = pod.object.resource
        if claimed and any(network.rdma for network in resource.view(NetworkedPod.of) if network.pod is pod):
            yield About(
                resource,
                f"{placement} lists RDMA networks in networking.gke.io/interfaces and claims NICs of the class "
                f"{', '.join(sorted(claimed))} as well; no node offers both. Keep one of the two.",
            )
            continue
        scope = fleet.around(placement)
        sites = scope.candidates(placement) if scope is not None and placement.settled else ()
        if not sites or not pod.accelerators:
            continue
        names = ", ".join(str(site) for site in sites)
        if listed and all(site.pool.dranet for site in sites):
            yield About(
                resource,
                f"{placement} lists interfaces in networking.gke.io/interfaces and runs on the pool {names}, whose "
                "accelerator network profile has no networks of that name; the pod stays Pending. "
                "Remove the annotation and claim the NICs by a ResourceClaimTemplate.",
            )
        elif claimed and all(_multi_networked(site.pool) for site in sites):
            yield About(
                resource,
                f"{placement} claims NICs of the class {', '.join(sorted(claimed))} and runs on the pool {names}, "
                "which has no DRANET driver; the claim stays pending. List the networks in "
                "networking.gke.io/interfaces, or make a pool with an accelerator network profile.",
            )


def _lists_networks(pool: NodePool) -> bool:
    """Whether the pool lists networks, or may."""
    return bool(pool.props.size(*_NETWORKS)) or not pool.props.known(*_NETWORKS)


def _multi_networked(pool: NodePool) -> bool:
    return bool(pool.props.size(*_NETWORKS)) and pool.config.known("labels") and not _uses_dranet(pool)


@rule(
    "dranet-metal-claims",
    title="Pods on A4X Max claim their NICs",
    breaks="A4X Max knows no Network objects: a pod that lists interfaces waits forever.",
    fix="Claim 8 devices of the class mrdma.google.com by a ResourceClaimTemplate, and remove the annotation.",
    source=_A4X_MAX,
    severity=Severity.HIGH,
    on=Placement,
)
def metal_pods_claim(placement: Placement) -> Iterator[str]:
    asked = placement.asks(gke.ACCELERATOR_LABEL)
    if asked in _CLAIMS_ONLY and gke.INTERFACES_ANNOTATION in placement.pod.annotations:
        yield (
            f"{placement} asks for {asked} nodes and lists interfaces in networking.gke.io/interfaces; these nodes "
            "know no Network objects, and the pod stays Pending. Remove the annotation and claim NICs of the class "
            "mrdma.google.com by a ResourceClaimTemplate."
        )
