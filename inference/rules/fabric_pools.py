"""Node pools on the accelerator fabric: the NICs that a node attaches, and what pool and cluster need for them.

There are two ways. With multi-networking the pool lists its networks: on A3 Ultra and A4 one for the host and eight
for RDMA, on A3 Mega eight and on A3 High four ordinary VPCs. With DRANET (an accelerator network profile) GKE makes
the networks itself and the pool lists none. Most of this is fixed when pool and cluster are made, so that a mistake
is mended by replacing a pool of GPUs that may not be had a second time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from inference.facts import gke
from inference.facts.fabrics import Fabric
from inference.facts.versions import GKE_MINIMUM, GkeVersion
from inference.rules.framework import About, Severity, rule
from inference.rules.views.cloud import Cluster, Network, NodePool
from inference.rules.views.fabric import ParameterSet, PodNetwork
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.hosting import cluster_of
from inference.rules.views.resources import short_name
from inference.rules.views.stack import Stack
from inference.rules.views.vpc import Attachment, Vpcs

_CUSTOM_CLUSTER = "https://docs.cloud.google.com/ai-hypercomputer/docs/create/gke-ai-hypercompute-custom"
_MULTI_NETWORK = "https://docs.cloud.google.com/kubernetes-engine/docs/how-to/setup-multinetwork-support-for-pods"
_PROFILES = "https://docs.cloud.google.com/vpc/docs/rdma-network-profiles"
_TOOLKIT = "https://github.com/GoogleCloudPlatform/cluster-toolkit/blob/main"

_NETWORKS = ("networkConfig", "additionalNodeNetworkConfigs")


def _fabric(pool: NodePool) -> Fabric | None:
    return pool.machine.fabric if pool.machine is not None else None


def _wanted(fabric: Fabric) -> str:
    if fabric.host_networks:
        return f"{fabric.host_networks} gVNIC network and {fabric.gpu_networks} RDMA subnets"
    return f"{fabric.gpu_networks} VPCs for the GPUs"


@rule(
    "fabric-cluster-dataplane",
    title="A cluster with multi-networking uses Dataplane V2 and VPC-native routing",
    breaks="The cluster is refused. Dataplane V2 cannot be switched on later: the cluster is replaced with all of its "
    "GPU pools.",
    fix="Set datapathProvider to ADVANCED_DATAPATH and networkingMode to VPC_NATIVE.",
    source=_MULTI_NETWORK,
    severity=Severity.CRITICAL,
    covers=("RDMA-014",),
    on=Cluster,
)
def cluster_uses_dataplane_v2(cluster: Cluster) -> Iterator[str]:
    if cluster.props.flag("enableMultiNetworking") is not True:
        return
    if cluster.dataplane_v2 is False:
        provider = cluster.props.text("datapathProvider") or "left out"
        yield (
            f"{cluster} enables multi-networking, and datapathProvider is {provider}; multi-networking needs "
            "Dataplane V2, the cluster is refused, and switching it on later replaces the cluster with every GPU pool. "
            f"Set datapathProvider: {gke.DATAPATH_V2}."
        )
    if cluster.props.text("networkingMode") == "ROUTES":
        yield (
            f"{cluster} enables multi-networking with networkingMode ROUTES; only VPC-native clusters have it, and the "
            "mode cannot be changed later. Set networkingMode: VPC_NATIVE."
        )
    if cluster.props.text("ipAllocationPolicy", "stackType") == "IPV4_IPV6":
        yield (
            f"{cluster} enables multi-networking with the stack type IPV4_IPV6; multi-networking does not work on "
            "dual-stack clusters. Set ipAllocationPolicy.stackType: IPV4, or leave it out."
        )


@rule(
    "fabric-cluster-multi-networking",
    title="A cluster whose nodes or pods have further networks enables multi-networking",
    breaks="The node pool is refused, and the kinds Network and GKENetworkParamSet do not exist in the cluster: "
    "'no matches for kind'.",
    fix="Set enableMultiNetworking to true on the cluster, with datapathProvider ADVANCED_DATAPATH.",
    source=f"{_TOOLKIT}/modules/scheduler/gke-cluster/main.tf",
    severity=Severity.HIGH,
    covers=("RDMA-015",),
)
def cluster_enables_multi_networking(stack: Stack) -> Iterator[About]:
    for site in stack.view(Fleet).sites:
        pool, fabric = site.pool, _fabric(site.pool)
        by_claims = pool.labels.get(gke.DRANET_LABEL) == "true" or (fabric is not None and not fabric.multi_network)
        if not pool.props.size(*_NETWORKS) or by_claims or not pool.config.known("machineType"):
            continue
        if site.cluster is not None and _without_multi_networking(site.cluster):
            yield About(
                pool.resource,
                f"{pool} attaches {pool.props.size(*_NETWORKS)} additional networks, and {_lower(site.cluster)} does "
                "not enable multi-networking; the pool is refused. Set enableMultiNetworking: true on the cluster.",
            )
    lacking = {cluster.resource.urn for cluster in stack.each(Cluster) if _without_multi_networking(cluster)}
    for thing in (*stack.each(PodNetwork), *stack.each(ParameterSet)) if lacking else ():
        cluster = cluster_of(stack, thing.resource)
        if cluster is None or cluster.resource.urn not in lacking:
            continue
        lacking.remove(cluster.resource.urn)
        yield About(
            thing.resource,
            f"{thing} goes to {_lower(cluster)}, which does not enable multi-networking and does not know the kind: "
            f"'no matches for kind \"{thing.kind}\"'. Set enableMultiNetworking: true on the cluster.",
        )


def _without_multi_networking(cluster: Cluster) -> bool:
    enabled = cluster.props.flag("enableMultiNetworking")
    return enabled is False or cluster.props.absent("enableMultiNetworking")


def _lower(thing: object) -> str:
    text = str(thing)
    return text[:1].lower() + text[1:]


@rule(
    "fabric-pool-whole-fabric",
    title="A pool that attaches networks of the fabric attaches all of them, each by a subnet of its own",
    breaks="GPUs whose NIC is missing send their traffic through another one: the pool comes up, NCCL reports fewer "
    "devices, and a part of the bandwidth that is paid for is never used. Pods that ask for the missing network stay "
    "Pending. The list cannot be changed later; the pool is replaced.",
    fix="List one gVNIC network and 8 RDMA subnets on A3 Ultra and A4 (4 on A4X), 8 VPCs on A3 Mega, 4 on A3 High. "
    "A server that stays on one node needs none.",
    source=_CUSTOM_CLUSTER,
    severity=Severity.HIGH,
    covers=("RDMA-004",),
    on=NodePool,
)
def pool_attaches_whole_fabric(pool: NodePool) -> Iterator[str]:
    count = pool.props.size(*_NETWORKS)
    if not count or not pool.config.known("machineType"):
        return
    fabric = _fabric(pool)
    host_only = fabric is not None and count == fabric.host_networks
    if fabric is not None and not host_only and count != fabric.host_networks + fabric.gpu_networks:
        yield (
            f"{pool} attaches {count} additional networks to {pool.machine_type}, which needs {_wanted(fabric)}; NICs "
            "without a network stay unused, and pods that ask for one of them never start. "
            f"List {fabric.host_networks + fabric.gpu_networks} entries in additionalNodeNetworkConfigs."
        )
    elif count >= gke.NODE_NETWORKS_MAX:
        yield (
            f"{pool} attaches {count} additional networks; a node has at most {gke.NODE_NETWORKS_MAX} with the "
            f"cluster's own, and the pool is refused. List at most {gke.NODE_NETWORKS_MAX - 1}."
        )
    if "-metal" not in (pool.machine_type or ""):
        named = Counter(short_name(n) for entry in pool.additional_networks if (n := entry.text("subnetwork")))
        for name, times in named.items():
            if times > 1:
                yield (
                    f'{pool} attaches the subnet "{name}" {times} times; every NIC needs a subnet of its '
                    "own, and the pool is refused. Give each entry another subnet."
                )


@rule(
    "fabric-pool-network-kinds",
    title="RDMA NICs are attached to RDMA networks and all others to ordinary VPCs, beside the cluster's own",
    breaks="The pool is refused: an RDMA network takes RDMA NICs only, and an RDMA NIC nothing else. GPU NICs of A3 "
    "Mega and A3 High need a VPC each.",
    fix="Attach the host NIC to an ordinary VPC and the GPU NICs to the subnets of one network with an RDMA profile, "
    "none of them to the VPC of the cluster.",
    source=_PROFILES,
    severity=Severity.HIGH,
    covers=("RDMA-004",),
)
def pool_networks_are_of_their_kind(stack: Stack) -> Iterator[About]:
    vpcs = stack.view(Vpcs)
    for site in stack.view(Fleet).sites:
        attached = vpcs.attachments(site.pool)
        if not attached or site.pool.machine is None:
            continue
        for sentence in _wrong_kinds(site, vpcs, attached):
            yield About(site.pool.resource, f"{site.pool} {sentence}")


def _wrong_kinds(site: Site, vpcs: Vpcs, attached: tuple[Attachment, ...]) -> Iterator[str]:
    fabric, machine = _fabric(site.pool), site.pool.machine_type
    rdma = [a for a in attached if a.declared is not None and a.declared.rdma]
    if fabric is None or fabric.nic_type != "MRDMA":
        if rdma:
            yield (
                f'attaches the RDMA network "{short_name(rdma[0].declared.resource.name if rdma[0].declared else "")}" '
                f"to {machine}, which has no RDMA NICs; the pool is refused. Attach ordinary VPCs."
            )
    elif len(attached) == fabric.host_networks + fabric.gpu_networks and all(_settled(a) for a in attached):
        if len(rdma) != fabric.gpu_networks:
            yield (
                f"attaches {len(rdma)} RDMA subnets and {len(attached) - len(rdma)} ordinary ones to {machine}, which "
                f"needs {_wanted(fabric)}; the pool is refused. Take the GPU networks from a network with the profile "
                f"<zone>-{fabric.network_profile_suffix}."
            )
        elif any(
            not (a.declared and str(a.declared.profile).endswith(f"-{fabric.network_profile_suffix}")) for a in rdma
        ):
            yield (
                f"attaches RDMA networks with another profile than {machine} needs; the pool is refused. Use a network "
                f"with the profile <zone>-{fabric.network_profile_suffix}."
            )
    if fabric is not None and fabric.nic_type == "GVNIC":
        for vpc, times in Counter(a.network for a in attached if a.network is not None).items():
            if times > 1:
                name = vpc.resource.name if isinstance(vpc, Network) else vpc
                yield (
                    f'attaches the network "{name}" to {times} NICs of {machine}; each GPU NIC needs a VPC of its own, '
                    "and the pool is refused. Declare one VPC with one subnet for each of them."
                )
    home = vpcs.home(site.cluster) if site.cluster is not None else None
    if fabric is not None and home is not None and any(a.network == home for a in attached):
        name = home.resource.name if isinstance(home, Network) else home
        yield (
            f'attaches "{name}", the VPC of the cluster itself, as an additional network; a device network cannot use '
            "it, and its pods never get the interface. Attach a VPC of its own."
        )
    for attachment in attached:
        belongs = vpcs.of(attachment.subnet) if attachment.subnet is not None else None
        if belongs is not None and attachment.network is not None and belongs != attachment.network:
            name = attachment.subnet.resource.name if attachment.subnet is not None else ""
            other = attachment.declared.resource.name if attachment.declared else attachment.network
            yield (
                f'attaches the network "{other}" by the subnet "{name}", which lies in another network; the pool is '
                "refused. Name the network of the subnet."
            )


def _settled(attachment: Attachment) -> bool:
    """Whether it is known what kind of network it is."""
    network = attachment.declared
    return network is not None and network.props.known("networkProfile")


@rule(
    "fabric-pool-zone",
    title="The nodes of a pool on an RDMA network stand in the zone of its profile, and in no other",
    breaks="An RDMA network reaches machines of one zone. Nodes elsewhere cannot be made, and a pool over several "
    "zones fails in all but one of them.",
    fix="Set nodeLocations to the one zone of the network profile.",
    source=_PROFILES,
    severity=Severity.HIGH,
)
def pool_stands_in_zone(stack: Stack) -> Iterator[About]:
    vpcs = stack.view(Vpcs)
    for site in stack.view(Fleet).sites:
        networks = vpcs.attached(site.pool)
        zones = {network.profile_zone for network in networks if network.rdma and network.profile_zone}
        if not zones:
            yield from _over_zones(site)
            continue
        wanted = ", ".join(sorted(zones))
        if len(zones) > 1:
            yield About(
                site.pool.resource,
                f"{site.pool} attaches RDMA networks of different zones ({wanted}); a node stands in one zone only. "
                "Attach the subnets of one network.",
            )
        elif site.zones is not None and set(site.zones) != zones:
            yield About(
                site.pool.resource,
                f"{site.pool} places nodes in {', '.join(site.zones)}, and its RDMA network has a profile of the zone "
                f"{wanted}; nodes outside that zone cannot attach it. Set nodeLocations: [{wanted}].",
            )
        elif site.inherits_zones:
            yield About(
                site.pool.resource,
                f"{site.pool} names no zone and would be spread over the region, and its RDMA network has a profile of "
                f"the zone {wanted} only. Set nodeLocations: [{wanted}].",
            )


def _over_zones(site: Site) -> Iterator[About]:
    """Yield a pool on RDMA networks made elsewhere whose nodes stand in more zones than such a network has."""
    fabric, count = _fabric(site.pool), site.pool.props.size(*_NETWORKS) or 0
    if fabric is None or fabric.nic_type != "MRDMA" or count <= fabric.host_networks:
        return
    if site.zones is not None and len(site.zones) > 1:
        yield About(
            site.pool.resource,
            f"{site.pool} attaches RDMA networks and places nodes in {', '.join(site.zones)}; an RDMA network reaches "
            "one zone only, and nodes elsewhere cannot be made. Set nodeLocations to the zone of the network profile.",
        )


@rule(
    "fabric-pool-image",
    title="Nodes on a GPU fabric run Container-Optimized OS",
    breaks="The drivers and plugins of GPUDirect are built for Container-Optimized OS: on Ubuntu or Windows nodes the "
    "installer fails, and NCCL has no fabric.",
    fix="Set imageType to COS_CONTAINERD, or leave it out.",
    source=_CUSTOM_CLUSTER,
    severity=Severity.HIGH,
    on=NodePool,
)
def pool_runs_cos(pool: NodePool) -> Iterator[str]:
    image, fabric = pool.config.text("imageType"), _fabric(pool)
    on_fabric = bool(pool.props.size(*_NETWORKS)) or pool.dranet
    if image and fabric is not None and on_fabric and not image.upper().startswith("COS"):
        yield (
            f"{pool} runs {image} on {pool.machine_type} with its GPU networks, and GPUDirect needs "
            f"Container-Optimized OS; NCCL finds no plugin for the fabric. Set imageType: {gke.IMAGE_TYPE}."
        )


_MINIMUM = {"a3-ultra": "gpudirect-rdma-a3-ultra", "a4": "gpudirect-rdma-a4", "a3-mega": "tcpxo", "a3-high": "tcpx"}
"""Machine family to the feature whose GKE version its fabric needs."""


@rule(
    "fabric-pool-version",
    title="A pool that attaches its GPU fabric runs a GKE version that supports it",
    breaks="The nodes come up without the devices of the fabric, and pods that ask for them stay Pending.",
    fix="Raise minMasterVersion of the cluster and the version of the pool.",
    source=_CUSTOM_CLUSTER,
    severity=Severity.HIGH,
)
def version_supports_fabric(stack: Stack) -> Iterator[About]:
    for site in stack.view(Fleet).sites:
        pool = site.pool
        feature = _MINIMUM.get(pool.machine.family) if pool.machine is not None and pool.machine.fabric else None
        if feature is None or not pool.props.size(*_NETWORKS):
            continue
        texts = (pool.props.text("version"), site.cluster.version if site.cluster is not None else None)
        version = _parsed(next((text for text in texts if text), None)) if pool.props.known("version") else None
        if version is not None and GKE_MINIMUM[feature].met_by(version) is False:
            yield About(
                pool.resource,
                f"{pool} attaches the GPU networks of {pool.machine_type} on GKE {version}; they are supported from "
                f"{GKE_MINIMUM[feature]} on, and pods that ask for them stay Pending. Raise the version.",
            )


def _parsed(text: str | None) -> GkeVersion | None:
    try:
        return GkeVersion.parse(text) if text else None
    except ValueError:
        return None


@rule(
    "fabric-pool-mtu",
    title="The GPU networks of A3 Mega and A3 High have an MTU of 8244",
    breaks="GPUDirect-TCPXO and TCPX move data in pages that fit an MTU of 8244. With the default of 1460 it works, "
    "slowly, and nothing says so.",
    fix="Set mtu to 8244 on each GPU VPC.",
    source=f"{_TOOLKIT}/examples/gke-a3-megagpu/gke-a3-megagpu.yaml",
    severity=Severity.MEDIUM,
    covers=("RDMA-019",),
)
def gpu_networks_have_mtu(stack: Stack) -> Iterator[About]:
    vpcs = stack.view(Vpcs)
    for site in stack.view(Fleet).sites:
        fabric = _fabric(site.pool)
        if fabric is None or fabric.nic_type != "GVNIC":
            continue
        for network in vpcs.attached(site.pool):
            if network.rdma or not network.props.known("mtu"):
                continue
            mtu = network.props.integer("mtu")
            if (mtu or 1460) != fabric.mtu:
                said = f"an MTU of {mtu}" if mtu else "no mtu, hence 1460"
                yield About(
                    network.resource,
                    f"{network} carries the GPU traffic of {_lower(site.pool)} ({site.pool.machine_type}) and has "
                    f"{said}; transfers between nodes are slow without a message. Set mtu: {fabric.mtu}.",
                )
