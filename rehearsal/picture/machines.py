"""Clusters and node pools: what they consist of, how many nodes, how they are bought."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inference.facts.gke import COMPUTE_CLASS_LABEL, GPU_RESOURCE, TPU_RESOURCE
from inference.rules.views.buying import mode_of, reserving
from inference.rules.views.cloud import Cluster
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.nodes import counts, counts_of_zone
from inference.rules.views.resources import short_name
from inference.rules.views.stack import Stack
from rehearsal.naming import called, called_pool
from rehearsal.picture.graph import Key, Kind, Line, Node
from rehearsal.texts import plural

__all__ = ["ELSEWHERE", "cluster_key", "clusters", "pool_keys", "pools"]

ELSEWHERE: Key = ("", "cluster")
"""Stands for the cluster that the program does not declare."""


def cluster_key(cluster: Cluster | None) -> Key:
    """Return what stands for a cluster."""
    return ELSEWHERE if cluster is None else (cluster.resource.urn, "")


def pool_keys(stack: Stack) -> Mapping[Site, Key]:
    """Return what stands for each pool."""
    return {
        site: (site.pool.resource.urn, f"pool:{site.pool.name}" if site.pool.inline else "")
        for site in stack.view(Fleet).sites
    }


def clusters(stack: Stack) -> Iterator[Node]:
    """Yield every cluster that the program declares."""
    for cluster in stack.each(Cluster):
        yield Node(
            key=cluster_key(cluster),
            kind=Kind.CLUSTER,
            title=called(cluster.resource),
            lines=tuple(_of_cluster(cluster)),
            urns=(cluster.resource.urn,),
        )


def _of_cluster(cluster: Cluster) -> Iterator[Line]:
    mode = "Autopilot cluster" if cluster.autopilot else "GKE cluster"
    yield Line("place", f"{mode} in {cluster.location or 'a place that is unknown'}")
    version = f"version {cluster.version}" if cluster.version else ""
    channel = f"channel {cluster.release_channel}" if cluster.release_channel else ""
    if text := ", ".join(part for part in (version, channel) if part):
        yield Line("version", text)


def pools(stack: Stack) -> Iterator[Node]:
    """Yield every node pool, in its cluster."""
    keys = pool_keys(stack)
    for site in stack.view(Fleet).sites:
        pool = site.pool
        yield Node(
            key=keys[site],
            kind=Kind.POOL,
            title=called_pool(site),
            lines=tuple(_of_pool(site)),
            urns=() if pool.inline else (pool.resource.urn,),
            inside=cluster_key(site.cluster),
            rank=0 if site.accelerator else 1,
        )


def _of_pool(site: Site) -> Iterator[Line]:
    yield Line("machine", _machine(site))
    if accelerators := _accelerators(site):
        yield Line("accelerators", accelerators)
    yield Line("nodes", f"{_count(site)}{_place(site)}")
    yield Line("capacity", _capacity(site))
    if asked := site.pool.labels.get(COMPUTE_CLASS_LABEL):
        yield Line("class", f"of the ComputeClass {asked}")
    if nics := _nics(site):
        yield Line("nics", nics)


def _machine(site: Site) -> str:
    if site.pool.machine_type:
        return site.pool.machine_type
    return "GKE's default machine" if site.pool.config.absent("machineType") else "machine type unknown"


def _accelerators(site: Site) -> str:
    if site.accelerator == GPU_RESOURCE:
        count = site.pool.gpus_per_node
        shared = ", shared by several containers" if site.shared else ""
        return f"{'?' if count is None else count} × {site.pool.gpu_type or 'GPU of unknown type'}{shared}"
    if site.accelerator == TPU_RESOURCE:
        name = site.generation.name.removeprefix("tpu") if site.generation else ""
        generation = f"TPU {name}".rstrip()
        topology = site.pool.props.text("placementPolicy", "tpuTopology")
        slices = f", slices of {topology}" if topology else ""
        return f"{'?' if site.chips is None else site.chips} × {generation}{slices}"
    return ""


def _count(site: Site) -> str:
    """Return how many nodes a pool has, from the fewest to the most."""
    (fewest, most), each = counts(site), ""
    if most is None and site.zone_count is None:
        (fewest, most), each = counts_of_zone(site.pool), " in each zone"
    if fewest is None and most is None:
        return "nodes unknown"
    if fewest == most and most is not None:
        return plural(most, "node") + each
    return f"{'?' if fewest is None else fewest}–{'?' if most is None else most} nodes{each}"


def _place(site: Site) -> str:
    if site.zones:
        return f" in {', '.join(site.zones)}"
    if site.inherits_zones and site.cluster is not None and site.cluster.region:
        return f" in {site.zone_count} zones of {site.cluster.region}"
    return ""


def _capacity(site: Site) -> str:
    pool = site.pool
    if reserving(pool):
        names = [short_name(value) for value in pool.config.texts("reservationAffinity", "values")]
        named = f"reservation {', '.join(names)}" if names else "any reservation"
        return named if pool.reservation_type != "ANY_RESERVATION" else f"{named}, else on demand"
    if pool.queued:
        return "flex-start, queued" if pool.flex_start else "queued provisioning"
    return (mode_of(pool) or "consumption mode unknown").replace("on-demand", "on demand")


def _nics(site: Site) -> str:
    """Return how many NICs a node has, where it has more than that of the cluster."""
    pool = site.pool
    if pool.dranet:
        fabric = pool.machine.fabric if pool.machine else None
        gpu = f": {plural(fabric.nics, 'NIC')} a node" if fabric else ""
        return f"GKE attaches the accelerator networks{gpu}"
    if not pool.props.known("networkConfig", "additionalNodeNetworkConfigs"):
        return "further NICs unknown"
    further = len(pool.additional_networks)
    return f"{plural(1 + further, 'NIC')} a node" if further else ""
