"""What a program needs of Google Cloud: accelerators, and quotas by name, at its smallest and at its largest.

Counted are nodes (GPUs, TPU chips, vCPUs, local SSDs, boot disks, VMs and their groups), claims, addresses, forwarding
rules of Gateways, and networks. Nodes of a specific reservation take no accelerator quota, because the reservation
took it when it was made. Left out is what GKE makes for itself beside them, such as its firewall rules.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from inference.estimates import pieces
from inference.estimates.pieces import Use, project_of
from inference.facts import quotas
from inference.facts.quotas import Quota
from inference.rules.views.buying import mode_of, scarce
from inference.rules.views.cloud import Cluster
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.nodes import boot_disk, counts, local_ssds, region_of_nodes, surge
from inference.rules.views.stack import Stack

__all__ = ["Accelerators", "Need", "accelerators", "needs", "open_ends"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerators:
    """Accelerators of one kind that are bought in one way."""

    kind: str
    """GKE accelerator type, or ``TPU v6e``."""
    mode: str
    """``on-demand``, ``spot``, ``flex-start``, ``reservation``, or ``unknown``."""
    region: str
    """Region, or ``unknown``."""
    scarce: bool
    """Seldom there when it is asked for: a TPU, an H100 or newer."""
    least: int | None
    """At the start and when idle; None where that is not known."""
    most: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """All that one quota of a project has to cover."""

    project: str | None
    region: str
    """Region, or ``global``."""
    quota: Quota
    instead: Quota | None
    """What Google Cloud takes from where the project has nothing of the quota (preemptible ones only)."""
    uses: tuple[Use, ...]

    @property
    def least(self) -> float | None:
        """At the start and when idle; None where part of it is not known."""
        return _sum(use.least for use in self.uses)

    @property
    def most(self) -> float | None:
        """At the largest; None where part of it is not known."""
        return _sum(use.most for use in self.uses)

    @property
    def peak(self) -> float | None:
        """At the largest while one pool is upgraded: the nodes that a surge adds."""
        extra = [None if use.peak is None or use.most is None else use.peak - use.most for use in self.uses]
        most = self.most
        return None if most is None or None in extra else most + max(filter(None, extra), default=0)

    @property
    def at_least(self) -> float:
        """The known part of what it needs at the largest."""
        return sum(use.most if use.most is not None else use.least or 0 for use in self.uses)

    @property
    def key(self) -> tuple[str, str, Quota]:
        """What makes it comparable with that of another revision."""
        return self.project or "", self.region, self.quota


def _sum(amounts: Iterable[float | None]) -> float | None:
    found = list(amounts)
    return None if None in found else sum(amount for amount in found if amount is not None)


def accelerators(stack: Stack) -> tuple[Accelerators, ...]:
    """Return the accelerators of all pools, largest first."""
    found: dict[tuple[str, str, str], list[tuple[int | None, int | None]]] = defaultdict(list)
    rare: set[tuple[str, str, str]] = set()
    for site in _sites(stack):
        kind, units = _kind(site)
        if kind is None:
            continue
        mode = mode_of(site.pool) or "unknown"
        place = region_of_nodes(site) or "unknown"
        fewest, most = counts(site)
        found[kind, mode, place].append((_times(fewest, units), _times(most, units)))
        if scarce(site.pool):
            rare.add((kind, mode, place))
    rows = [
        Accelerators(
            kind=key[0],
            mode=key[1],
            region=key[2],
            scarce=key in rare,
            least=_total(row[0] for row in amounts),
            most=_total(row[1] for row in amounts),
        )
        for key, amounts in found.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-(row.most or 0), row.kind, row.region, row.mode)))


def _times(nodes: int | None, units: int | None) -> int | None:
    return None if nodes is None or units is None else nodes * units


def _total(amounts: Iterable[int | None]) -> int | None:
    total = _sum(amounts)
    return None if total is None else int(total)


def _kind(site: Site) -> tuple[str | None, int | None]:
    """Return kind and number of the accelerators of a node."""
    if site.pool.gpu:
        return site.pool.gpu_type or "GPU of unknown type", site.pool.gpus_per_node
    if site.pool.tpu:
        return (f"TPU {site.generation.name}" if site.generation else "TPU of unknown generation"), site.chips
    return None, None


def _sites(stack: Stack) -> Iterator[Site]:
    for site in stack.view(Fleet).sites:
        if site.cluster is None or not site.cluster.autopilot:
            yield site


def needs(stack: Stack) -> tuple[Need, ...]:
    """Return what the program takes of each quota, accelerators first."""
    found: dict[tuple[str | None, str, Quota, Quota | None], list[Use]] = defaultdict(list)
    for take in _takes(stack):
        found[take.project, take.region, take.quota, take.instead].append(take.use)
    made = [
        Need(project=project, region=region, quota=quota, instead=instead, uses=tuple(uses))
        for (project, region, quota, instead), uses in found.items()
        if any(use.most != 0 or use.least != 0 for use in uses)
    ]
    return tuple(sorted(made, key=lambda need: (_UNITS.get(need.quota.unit, 9), need.region, str(need.quota))))


_UNITS = {"GPUs": 0, "chips": 1, "vCPUs": 2, "GB": 3, "VMs": 4, "addresses": 5}
"""What a reader looks for first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Take:
    project: str | None
    region: str
    quota: Quota
    instead: Quota | None = None
    use: Use


def _takes(stack: Stack) -> Iterator[_Take]:
    for site in _sites(stack):
        yield from _of_site(site)
    for found in pieces.pieces(stack):
        yield _Take(project=found.project, region=found.region, quota=found.quota, use=found.use)
    for found in pieces.reserved(stack):
        yield _Take(project=found.project, region=found.region, quota=found.quota, use=found.use)


def _of_site(site: Site) -> Iterator[_Take]:
    region, mode = region_of_nodes(site), mode_of(site.pool)
    if region is None:
        return
    project = project_of(site.pool.resource) or (project_of(site.cluster.resource) if site.cluster else None)
    fewest, most = counts(site)
    peak = _peak(site, mode, most)

    def take(quota: Quota | None, units: float | None, instead: Quota | None = None) -> Iterator[_Take]:
        if quota is None or units == 0:
            return
        amounts = (None if nodes is None or units is None else nodes * units for nodes in (fewest, most, peak))
        use = Use(site.pool.resource, f'the pool "{site.pool.resource.name}"', *amounts)
        place = "global" if quota.scope == "global" else region
        yield _Take(project=project, region=place, quota=quota, instead=instead, use=use)

    if mode not in {"reservation", None}:
        for standard, preemptible, units in _shared_with_reservations(site):
            spare = preemptible if mode in {"spot", "flex-start"} else None
            yield from take(spare or standard, units, standard if spare else None)
        if site.pool.gpu:
            yield from take(quotas.GPUS_ALL_REGIONS, site.pool.gpus_per_node)
        if (machine := site.pool.machine) is not None and quotas.cpus(machine.family) is not None:
            yield from take(quotas.CPUS_ALL_REGIONS, machine.vcpus)
    kind, size = boot_disk(site.pool)
    yield from take(quotas.disk(kind) if kind else None, size)
    yield from take(quotas.INSTANCES, 1)
    if pieces.public_nodes(site):
        yield from take(quotas.IN_USE_ADDRESSES, 1)
    zones = site.zone_count
    groups = None if zones is None else float(zones)
    use = Use(site.pool.resource, f'the pool "{site.pool.resource.name}"', groups, groups, groups)
    yield _Take(project=project, region=region, quota=quotas.INSTANCE_GROUP_MANAGERS, use=use)
    yield _Take(project=project, region="global", quota=quotas.INSTANCE_TEMPLATES, use=use)


def _shared_with_reservations(site: Site) -> Iterator[tuple[Quota | None, Quota | None, float | None]]:
    """Yield what a node takes of quotas that a reservation takes from too: standard, preemptible, and how much."""
    pool, machine = site.pool, site.pool.machine
    if pool.gpu and (kind := pool.gpu_type):
        yield quotas.gpus(kind), quotas.gpus(kind, preemptible=True), pool.gpus_per_node
    if site.generation is not None:
        name = site.generation.name
        yield quotas.tpus(name), quotas.tpus(name, preemptible=True), site.chips
    if machine is not None:
        family = machine.family
        yield quotas.cpus(family), quotas.cpus(family, preemptible=True), machine.vcpus
        if disks := local_ssds(site.pool):
            size = disks * machine.local_ssd_gib
            yield quotas.local_ssd(family), quotas.local_ssd(family, preemptible=True), size


def _peak(site: Site, mode: str | None, most: int | None) -> int | None:
    """Return the most nodes while the pool is upgraded."""
    settings = site.pool.props.section("upgradeSettings")
    slice_of_hosts = site.pool.tpu and not site.pool.props.absent("placementPolicy", "tpuTopology")
    if most is None or mode == "flex-start" or slice_of_hosts:
        # Such nodes are made anew in their own place: there is no spare to surge into.
        return most
    if settings.text("strategy") == "BLUE_GREEN":
        return 2 * most
    more = surge(site.pool)
    return None if more is None else most + more


def open_ends(stack: Stack) -> tuple[str, ...]:
    """Return in sentences what the figures leave out, because nobody can tell it from the program."""
    found = []
    for cluster in stack.each(Cluster):
        scaling = cluster.props.section("clusterAutoscaling")
        limits = ", ".join(
            f"{limit.text('resourceType')} up to {limit.integer('maximum')}"
            for limit in scaling.sections("resourceLimits")
            if limit.text("resourceType") and limit.integer("maximum") is not None
        )
        if cluster.autopilot:
            found.append(f"{cluster} is in Autopilot: its nodes follow the pods, and are not counted.")
        elif scaling.flag("enabled") or limits:
            found.append(
                f"{cluster} makes node pools by itself{f' ({limits})' if limits else ''}; they are not counted."
            )
    found += [
        f"{thing} makes node pools by itself; they are not counted."
        for thing in stack.objects("ComputeClass", "cloud.google.com")
        if thing.spec.flag("nodePoolAutoCreation", "enabled")
    ]
    for site in _sites(stack):
        if region_of_nodes(site) is None:
            found.append(f"{site.pool} stands in a region that is not known; it is not counted.")
        elif mode_of(site.pool) is None:
            found.append(f"How {site.pool} is bought is not known; its accelerators and vCPUs are not counted.")
        elif site.pool.machine is None and site.generation is None:
            found.append(
                f"The machine type {site.pool.machine_type or '?'} of {site.pool} is not known; so are its vCPUs."
            )
    return tuple(found)
