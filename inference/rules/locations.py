"""Where accelerators are asked for, and how many of them: zones and quotas.

Accelerators are offered in a few zones each. A regional cluster spreads every pool over three zones unless the pool
names its own, and counts nodes by the zone: one node asked for is three nodes billed, or two stockouts. Quotas cap what
a region gives, and an autoscaler that meets one only writes an event.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from inference.facts.gke import ZONES_OF_A_REGION
from inference.facts.machines import ATTACHABLE
from inference.facts.offers import zones_with
from inference.facts.tpus import GENERATIONS, generation_of_machine
from inference.facts.zones import is_region, is_zone, offered, region_of
from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.buying import first_nodes_of_zone
from inference.rules.views.cloud import Cluster, NodePool
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.nodes import boot_disk
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

_GPU_ZONES = "https://cloud.google.com/compute/docs/gpus/gpu-regions-zones"
_QUOTAS = "https://cloud.google.com/compute/resource-usage"


@dataclass(frozen=True, eq=False)
class Spread:
    """A cluster or a pool, which may name the zones of its nodes."""

    types: ClassVar[tuple[str, ...]] = NodePool.types

    label: str
    props: Props

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the view of the resource."""
        view = Cluster(resource) if resource.type in Cluster.types else NodePool(resource, resource.props)
        return (cls(str(view), resource.props),)


@rule(
    "capacity-nodes-stay-in-region",
    title="The nodes of a cluster stand in zones of its region",
    breaks="GKE refuses the pool or the cluster: nodeLocations takes zones of the region of the cluster, and no "
    "regions.",
    fix="Name zones of the cluster's region in nodeLocations; another region takes another cluster.",
    source="https://cloud.google.com/kubernetes-engine/docs/concepts/types-of-clusters",
    severity=Severity.HIGH,
    on=Spread,
)
def nodes_stay_in_region(spread: Spread) -> Iterator[str]:
    zones, location = spread.props.texts("nodeLocations"), spread.props.text("location") or ""
    region = region_of(location) if is_zone(location) else location if is_region(location) else None
    for zone in zones:
        if is_region(zone):
            yield f"{spread.label} names {zone} in nodeLocations, which is a region. Name its zones, such as {zone}-b."
        elif is_zone(zone) and region is not None and region_of(zone) != region:
            yield (
                f"{spread.label} lies in {location} and places nodes in {zone}, which is in another region; GKE "
                f"refuses that. Name zones of {region}."
            )


@rule(
    "capacity-pool-lies-with-cluster",
    title="A pool has the location of its cluster",
    breaks="GKE looks for the cluster where the pool says and answers 'Not found: projects/…/clusters/…'. The pools of "
    "a regional cluster have the region as location, and their zones in nodeLocations.",
    fix="Take location from the cluster, and write zones into nodeLocations.",
    source="https://www.pulumi.com/registry/packages/gcp/api-docs/container/nodepool/",
    severity=Severity.HIGH,
)
def pool_lies_with_cluster(stack: Stack) -> Iterator[About]:
    for site in stack.view(Fleet).sites:
        own = site.pool.props.text("location")
        home = site.cluster.location if site.cluster is not None else None
        if site.pool.inline or not own or not home or own == home:
            continue
        hint = f" and nodeLocations: [{own}]" if is_zone(own) and is_region(home) else ""
        yield About(
            site.pool.resource,
            f"{site.pool} has the location {own}, and its cluster lies in {home}; GKE finds no such cluster there. "
            f"Set location: {home}{hint}.",
        )


def _offer(pool: NodePool, zone: str) -> bool | None:
    """Tell whether a zone offers what the pool is made of; ``None`` where that is not known."""
    if not is_zone(zone):
        return None
    if pool.machine is not None and pool.machine.gpus:
        return pool.machine.offered_in(zone)
    if generation := generation_of_machine(pool.machine_type or ""):
        return generation.offered_in(zone)
    chosen = ATTACHABLE.get(pool.gpu_type or "")
    return offered(zone, zones=None, regions=chosen.regions) if chosen is not None else None


def _elsewhere(pool: NodePool, zone: str) -> str:
    """Say where else the machine is, the same region first."""
    known = zones_with(pool.machine_type or "")
    if not known and (chosen := ATTACHABLE.get(pool.gpu_type or "")):
        known = chosen.zones_seen
    near = sorted(known, key=lambda other: (region_of(other) != region_of(zone), other))[:3]
    return f" Zones that have it are for example {', '.join(near)}." if near else ""


@rule(
    "capacity-zone-offers-machine",
    title="Every zone of an accelerator pool offers its machine",
    breaks="GKE refuses the pool, or it never gets a node in that zone (ZONE_RESOURCE_POOL_EXHAUSTED), although the "
    "machine is there in a neighboring zone.",
    fix="Choose zones from the machine's list. The lists known here age: overrule this rule for a zone that is new.",
    source=_GPU_ZONES,
    severity=Severity.HIGH,
    level=Level.ADVISORY,
    on=NodePool,
)
def zone_offers_machine(pool: NodePool) -> Iterator[str]:
    for zone in pool.zones or ():
        if _offer(pool, zone) is False:
            yield (
                f"{pool} asks for {_what(pool)} in {zone}, which does not offer it; its nodes never come there."
                f"{_elsewhere(pool, zone)}"
            )


@rule(
    "capacity-cluster-zone-offers-machine",
    title="A pool that takes its zones from its cluster finds its machine there",
    breaks="The pool inherits zones that do not offer its accelerator: it is refused, or gets no node there.",
    fix="Set nodeLocations on the pool to a zone of the cluster's region that offers the machine.",
    source=_GPU_ZONES,
    severity=Severity.HIGH,
    level=Level.ADVISORY,
)
def cluster_zone_offers_machine(stack: Stack) -> Iterator[About]:
    for site in stack.view(Fleet).sites:
        if site.pool.zones is not None or site.cluster is None:
            continue
        refused = [zone for zone in site.zones or () if _offer(site.pool, zone) is False]
        region = site.cluster.region if site.inherits_zones else None
        if refused or (region and _nowhere(site.pool, region)):
            place = ", ".join(refused) or f"the region {region}"
            hint = _elsewhere(site.pool, refused[0] if refused else f"{region}-a")
            message = f"{site.pool} takes its zones from its cluster and asks for {_what(site.pool)} in {place}"
            yield About(site.pool.resource, f"{message}, which does not offer it.{hint} Set nodeLocations.")


def _nowhere(pool: NodePool, region: str) -> bool:
    return all(_offer(pool, f"{region}-{letter}") is False for letter in "abcdf")


def _what(pool: NodePool) -> str:
    attached = pool.machine is not None and not pool.machine.gpus and pool.gpu_type
    return f"{pool.machine_type} with {pool.gpu_type}" if attached else str(pool.machine_type)


@rule(
    "capacity-accelerator-pool-names-zones",
    title="An accelerator pool of a regional cluster that starts with nodes names its zones",
    breaks="Counts are per zone: the pool starts with three times the nodes that were meant, is billed for them, and "
    "runs into stockouts in zones that do not have the accelerator.",
    fix="Set nodeLocations to the zone that has the accelerator; over several zones, count with totalMinNodeCount.",
    source="https://cloud.google.com/kubernetes-engine/docs/concepts/regional-clusters",
    severity=Severity.HIGH,
    covers=("NP-008",),
)
def accelerator_pool_names_zones(stack: Stack) -> Iterator[About]:
    for site in stack.view(Fleet).sites:
        pool = site.pool
        count = first_nodes_of_zone(pool)
        if site.accelerator and count and _regional_without_zones(site):
            yield About(
                pool.resource,
                f"{pool} starts with {count} node{'s' if count > 1 else ''} of {_what(pool)} and names no zones; a "
                f"regional cluster makes that many in each of three zones, {ZONES_OF_A_REGION * count} in all. "
                "Set nodeLocations to the zone that offers the accelerator.",
            )


def _regional_without_zones(site: Site) -> bool:
    location = site.pool.props.text("location")
    if site.cluster is not None:
        return site.inherits_zones
    return site.pool.props.absent("nodeLocations") and location is not None and not is_zone(location)


@dataclass(frozen=True)
class Quotas:
    """What the project may have."""

    quotas: tuple[str, ...] = ()
    """Limits as ``<region> <what> <number>``, for example ``us-central1 h200 16``, ``us-central1 v6e 32``,
    ``us-central1 hyperdisk-balanced 4000`` (GB), ``us-central1 SSD_TOTAL_GB 8000``, ``global GPUS_ALL_REGIONS 32``.
    Accelerators go by GKE type, short name or the name of the Compute Engine quota."""


@rule(
    "capacity-pools-fit-quota",
    title="All pools at their largest fit the quotas of the project",
    breaks="Creation fails with 'Quota NVIDIA_H200_GPUS exceeded', or, later and quietly, the autoscaler stops and "
    "pods stay Pending.",
    fix="Ask for quota, or lower the pools' maxima. Give the quotas of the project in the policy configuration.",
    source=_QUOTAS,
    severity=Severity.MEDIUM,
    covers=("PGCP-007",),
    parameters=Quotas,
)
def pools_fit_quota(stack: Stack, parameters: Quotas) -> Iterator[About]:
    limits = list(filter(None, map(_limit, parameters.quotas)))
    if not limits:
        return
    used: dict[tuple[str, str], float] = defaultdict(float)
    largest: dict[tuple[str, str], tuple[float, NodePool]] = {}
    for site in stack.view(Fleet).sites:
        for key, amount in _most(site).items():
            used[key] += amount
            if key not in largest or amount > largest[key][0]:
                largest[key] = (amount, site.pool)
    for region, what, limit in limits:
        asked = used.get((region, what), 0)
        if asked > limit:
            pool = largest[region, what][1]
            yield About(
                pool.resource,
                f"{pool} and the other pools may ask for {asked:g} of {what} in {region}, and the quota is {limit:g}; "
                "beyond it the autoscaler stops and pods stay Pending. Raise the quota or lower the maxima.",
            )


def _limit(text: str) -> tuple[str, str, float] | None:
    parts = [part for part in re.split(r"[\s/=:,]+", text.strip()) if part]
    try:
        region, what, number = parts
        return region.lower(), _short(what), float(number)
    except ValueError:
        return None


_TPU_FAMILIES: Mapping[str, str] = {
    machine.partition("-")[0]: name for name, found in GENERATIONS.items() for machine in found.machine_types
}
"""First part of a TPU machine type to the generation."""


def _short(what: str) -> str:
    """Return one name for all spellings: ``nvidia-h200-141gb``, ``NVIDIA_H200_GPUS`` and ``h200`` are the same."""
    name = what.lower().replace("_", "-")
    name = re.sub(r"^(nvidia-)?(tesla-)?|^tpu-(?=v)", "", name)
    name = re.sub(r"(-gpus|-total-gb|-gb)$", "", name)
    if name != "a100-80gb":
        name = re.sub(r"-\d+gb$", "", name)
    return _TPU_FAMILIES.get(name, name)


def _most(site: Site) -> dict[tuple[str, str], float]:
    """Return what the pool takes of every quota at its largest; nothing where that is not known."""
    nodes, zone = site.most_nodes, next(iter(site.zones or ()), None)
    region = region_of(zone) if zone and is_zone(zone) else (site.cluster.region if site.cluster else None)
    if nodes is None or region is None:
        return {}
    found: dict[tuple[str, str], float] = {}
    per_node = site.pool.gpus_per_node if site.pool.gpu else site.chips
    kind = site.pool.gpu_type if site.pool.gpu else site.generation.name if site.generation else None
    if per_node and kind:
        found[region, _short(kind)] = nodes * per_node
    if site.pool.gpu and per_node:
        found["global", "gpus-all-regions"] = nodes * per_node
    disk, size = boot_disk(site.pool)
    if disk is None or size is None:
        return found
    found[region, disk] = nodes * size
    group = {"pd-ssd": "ssd", "pd-balanced": "ssd", "pd-standard": "disks"}.get(disk)
    if group:
        found[region, group] = nodes * size
    return found
