"""The node pools of a program as the scheduler sees them: labels, taints, zones, sizes, and who may run where."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeVar, cast

from inference.facts import gke
from inference.facts.machines import allocatable
from inference.facts.tpus import TpuGeneration, generation_of_machine
from inference.facts.zones import is_zone, region_of
from inference.rules.views.cloud import Cluster, NodePool, Taint
from inference.rules.views.hosting import cluster_of
from inference.rules.views.placement import Demand, Placement, built_in
from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN

__all__ = ["OPEN", "Fleet", "Scope", "Site", "Sites"]

T = TypeVar("T")

OPEN: Final = frozenset({"?"})
"""Stands for the values of a label that the program does not tell."""

_NONE: Final[frozenset[str]] = frozenset()
_TRUE: Final = frozenset({"true"})


@dataclass(frozen=True, eq=False)
class Site:
    """A node pool, and what its cluster adds."""

    pool: NodePool
    cluster: Cluster | None

    @cached_property
    def zones(self) -> tuple[str, ...] | None:
        """Zones of the nodes where they are known: the pool's own, else the cluster's."""
        if self.pool.zones is not None or not self.pool.props.absent("nodeLocations"):
            return self.pool.zones
        if self.cluster is None or not self.cluster.props.known("nodeLocations"):
            return None
        named = self.cluster.props.texts("nodeLocations")
        if self.cluster.location and is_zone(self.cluster.location):
            return tuple(dict.fromkeys((self.cluster.location, *named)))
        return named or None

    @property
    def inherits_zones(self) -> bool:
        """Whether neither the pool nor its cluster names zones, so that GKE chooses those of the region."""
        if self.cluster is None or self.pool.zones is not None:
            return False
        silent = self.pool.props.absent("nodeLocations") and self.cluster.props.absent("nodeLocations")
        return silent and self.cluster.regional is True

    @property
    def zone_count(self) -> int | None:
        """How many zones the nodes stand in."""
        if self.zones is not None:
            return len(self.zones)
        return gke.ZONES_OF_A_REGION if self.inherits_zones else None

    @cached_property
    def most_nodes(self) -> int | None:
        """The most nodes that the pool can have."""
        if self.pool.props.integer("autoscaling", "totalMaxNodeCount"):
            return self.pool.max_nodes()
        return None if self.zone_count is None else self.pool.max_nodes(self.zone_count)

    @cached_property
    def generation(self) -> TpuGeneration | None:
        """TPU generation."""
        return generation_of_machine(self.pool.machine_type) if self.pool.machine_type else None

    @cached_property
    def accelerator(self) -> str | None:
        """The extended resource of its nodes; empty for none, ``None`` where that is not known."""
        if self.pool.gpu:
            return gke.GPU_RESOURCE
        if self.pool.tpu:
            return gke.TPU_RESOURCE
        settled = self.pool.machine is not None or self.pool.config.absent("machineType")
        return "" if settled and self.pool.config.known("guestAccelerators") else None

    @property
    def chips(self) -> int | None:
        """TPU chips of a node."""
        return self.generation.machine_types.get(self.pool.machine_type or "") if self.generation else None

    @cached_property
    def shared(self) -> bool:
        """Whether several containers share a GPU: time-sharing, MPS or MIG."""
        return any(
            a.text("gpuPartitionSize") or a.section("gpuSharingConfig")
            for a in self.pool.config.sections("guestAccelerators")
        )

    @cached_property
    def units(self) -> int | None:
        """Accelerators that a node offers to pods; ``None`` where that is not known, or depends on sharing."""
        if self.accelerator == gke.TPU_RESOURCE:
            return self.chips
        return None if self.shared else self.pool.gpus_per_node

    @cached_property
    def room(self) -> tuple[float, float] | None:
        """CPU cores and GiB of memory that a node has for pods, at most; ``None`` where that is not known."""
        if self.pool.machine is not None:
            return allocatable(self.pool.machine)
        return self.generation.host_shapes.get(self.pool.machine_type or "") if self.generation else None

    @cached_property
    def taints(self) -> tuple[Taint, ...]:
        """Taints of its nodes: declared, and those that GKE puts on accelerator and Arm nodes."""
        own = list(self.pool.taints)
        keys = {taint.key for taint in own}
        if self.accelerator == gke.GPU_RESOURCE and gke.GPU_TAINT.key not in keys:
            own.append(_taint(gke.GPU_TAINT))
        if self.accelerator == gke.TPU_RESOURCE and gke.TPU_TAINT.key not in keys:
            own.append(_taint(gke.TPU_TAINT))
        behavior = self.pool.config.raw("taintConfig", "architectureTaintBehavior")
        arm = self.pool.machine is not None and self.pool.machine.arch == "arm64"
        if arm and behavior not in {"NONE", UNKNOWN} and gke.ARM_TAINT.key not in keys:
            own.append(_taint(gke.ARM_TAINT))
        return tuple(own)

    def label(self, key: str) -> frozenset[str]:
        """Return the values that a label may have here: empty where the nodes lack it, ``OPEN`` where nobody knows."""
        if key in self.pool.labels:
            return frozenset({self.pool.labels[key]})
        if not self.pool.config.known("labels") or not self.pool.config.known("labels", key):
            return OPEN
        return self._given(key) if built_in(key) else _NONE

    def _given(self, key: str) -> frozenset[str]:
        pool = self.pool
        match key:
            case gke.NODE_POOL_LABEL:
                return _one(pool.name)
            case gke.ACCELERATOR_LABEL:
                return _one(pool.gpu_type) if self.accelerator == gke.GPU_RESOURCE else self._without_accelerator()
            case gke.GPU_COUNT_LABEL if self.accelerator == gke.GPU_RESOURCE:
                return OPEN if self.shared else _one(pool.gpus_per_node)
            case gke.TPU_ACCELERATOR_LABEL if self.accelerator == gke.TPU_RESOURCE:
                return self._tpu_label()
            case gke.TPU_TOPOLOGY_LABEL if self.accelerator == gke.TPU_RESOURCE:
                return self._topology()
            case gke.TPU_ACCELERATOR_LABEL | gke.TPU_TOPOLOGY_LABEL | gke.GPU_COUNT_LABEL:
                return self._without_accelerator()
            case gke.SPOT_LABEL:
                return _TRUE if pool.config.flag("spot") else (_NONE if pool.config.known("spot") else OPEN)
            case gke.FLEX_START_LABEL:
                return _TRUE if pool.flex_start else (_NONE if pool.config.known("flexStart") else OPEN)
            case gke.ARCH_LABEL | "beta.kubernetes.io/arch":
                return _one(pool.machine.arch if pool.machine else "amd64" if pool.tpu else None)
            case gke.ZONE_LABEL | "failure-domain.beta.kubernetes.io/zone":
                return frozenset(self.zones) if self.zones else OPEN
            case "topology.kubernetes.io/region" | "failure-domain.beta.kubernetes.io/region":
                return _one(self._region)
            case "node.kubernetes.io/instance-type" | "beta.kubernetes.io/instance-type":
                return _one(pool.machine_type)
            case "cloud.google.com/machine-family":
                return _one(pool.machine_type.partition("-")[0] if pool.machine_type else None)
            case _:
                return OPEN

    def _without_accelerator(self) -> frozenset[str]:
        return OPEN if self.accelerator is None else _NONE

    def _tpu_label(self) -> frozenset[str]:
        if self.generation is None:
            return OPEN
        names = {self.generation.accelerator}
        return frozenset(names | ({"tpu-v5-lite-device"} if self.generation.name == "v5e" else set()))

    def _topology(self) -> frozenset[str]:
        placement = self.pool.props.section("placementPolicy")
        if placement.raw("tpuTopology") not in (None, ""):
            return _one(placement.text("tpuTopology"))
        if self.generation is None or self.chips is None or placement.raw("policyName") not in (None, ""):
            return OPEN
        single = self.generation.single_host_topology(self.chips)
        return OPEN if single is None or not self.pool.props.known("placementPolicy") else frozenset({single})

    @property
    def _region(self) -> str | None:
        if self.zones and is_zone(self.zones[0]):
            return region_of(self.zones[0])
        return self.cluster.region if self.cluster else None

    def meets(self, demand: Demand) -> bool:
        """Whether its nodes may have such a label, as far as is known."""
        values = self.label(demand.key)
        if values is OPEN:
            return True
        match demand.operator:
            case "In":
                return bool(values & demand.values)
            case "NotIn":
                return not values or bool(values - demand.values)
            case "Exists":
                return bool(values)
            case "DoesNotExist":
                return not values
            case _:
                return True

    def __str__(self) -> str:
        return f'"{self.pool.name or self.pool.resource.name}"'


def _one(value: object) -> frozenset[str]:
    return OPEN if value is None else frozenset({str(value)})


def _taint(fact: gke.Taint) -> Taint:
    return Taint(fact.key, fact.value, fact.effect)


class Sites(tuple[Site, ...]):
    """Pools on which pods may run. Many pods share them, so what is asked about all of them is worked out once."""

    def told(self, what: Callable[..., T], *circumstances: Hashable) -> T:
        """Return what a function of these pools, and of nothing but the circumstances, answers."""
        answers: dict[Hashable, Any] = self.__dict__.setdefault("answers", {})
        asked = (what, *circumstances)
        if asked not in answers:
            answers[asked] = what(self, *circumstances)
        return cast("T", answers[asked])

    def distinct(self, what: Callable[[Site], Hashable]) -> tuple[Site, ...]:
        """Return one pool for each answer to a question about single pools."""
        return self.told(_distinct, what)


def _distinct(sites: Sites, what: Callable[[Site], Hashable]) -> tuple[Site, ...]:
    return tuple({what(site): site for site in reversed(sites)}.values())[::-1]


@dataclass(frozen=True, eq=False)
class Scope:
    """The pools among which a pod finds its node."""

    cluster: Cluster | None
    sites: tuple[Site, ...]
    _met: dict[Demand, frozenset[int]] = field(default_factory=dict, repr=False)
    _values: dict[str, dict[str, set[int]]] = field(default_factory=dict, repr=False)
    _kin: dict[str, frozenset[int]] = field(default_factory=dict, repr=False)
    _sets: dict[tuple[int, ...], Sites] = field(default_factory=dict, repr=False)
    _found: dict[tuple[frozenset[int], tuple[tuple[Demand, ...], ...]], Sites] = field(default_factory=dict, repr=False)

    @cached_property
    def complete(self) -> bool:
        """Whether the cluster has no other pools than these: it is declared, and nothing makes pools by itself."""
        if self.cluster is None or self.cluster.autopilot:
            return False
        autoscaling = self.cluster.props.section("clusterAutoscaling")
        known = self.cluster.props.known("enableAutopilot") and self.cluster.props.known("clusterAutoscaling")
        quiet = not autoscaling.flag("enabled") and not autoscaling.flag("defaultComputeClassEnabled")
        return known and quiet and autoscaling.known("enabled")

    @cached_property
    def default_pool(self) -> bool:
        """Whether the cluster may have a default pool of which the program says nothing."""
        if self.cluster is None:
            return True
        named = any(site.pool.inline for site in self.sites)
        return self.cluster.props.flag("removeDefaultNodePool") is not True and not named

    def meeting(self, demand: Demand) -> frozenset[int]:
        """Return the pools whose nodes meet a demand, or may."""
        if demand not in self._met:
            if demand.operator == "In":
                table = self._table(demand.key)
                found = set(table.get("?", ())).union(*(table.get(value, ()) for value in demand.values))
            else:
                found = {i for i, site in enumerate(self.sites) if site.meets(demand)}
            self._met[demand] = frozenset(found)
        return self._met[demand]

    def _table(self, key: str) -> dict[str, set[int]]:
        if key not in self._values:
            table: dict[str, set[int]] = {}
            for position, site in enumerate(self.sites):
                for value in site.label(key):
                    table.setdefault(value, set()).add(position)
            self._values[key] = table
        return self._values[key]

    def kin(self, placement: Placement) -> frozenset[int]:
        """Return the pools with the accelerators that a pod asks for; all pools for a pod that asks for none."""
        resource = gke.GPU_RESOURCE if placement.gpus else gke.TPU_RESOURCE if placement.tpus else ""
        return self.with_accelerator(resource)

    def with_accelerator(self, resource: str) -> frozenset[int]:
        """Return the pools whose nodes offer this extended resource, or may; all pools where it is empty."""
        if resource not in self._kin:
            fitting = (i for i, s in enumerate(self.sites) if not resource or s.accelerator in {resource, None})
            self._kin[resource] = frozenset(fitting)
        return self._kin[resource]

    @cached_property
    def only_gpus(self) -> bool:
        """Whether every node of the cluster carries GPUs; GKE then sets no GPU taint."""
        return not self.default_pool and all(site.accelerator == gke.GPU_RESOURCE for site in self.sites)

    def candidates(self, placement: Placement) -> Sites:
        """Return the pools on which a pod may run by selectors and accelerators; taints and sizes left aside.

        The same pools are always the same object.
        """
        kin = self.kin(placement)
        asked = (kin, placement.alternatives)
        if asked not in self._found:
            found: set[int] = set()
            for demands in placement.alternatives:
                remaining = kin
                for demand in demands:
                    remaining &= self.meeting(demand)
                found |= remaining
            places = tuple(sorted(found))
            self._found[asked] = self._sets.setdefault(places, Sites(self.sites[i] for i in places))
        return self._found[asked]


class Fleet:
    """All pools of a program. Made once: ``stack.view(Fleet)``."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        clusters = {cluster.resource.urn: cluster for cluster in stack.each(Cluster)}
        sites = tuple(_sites(stack, clusters))
        self._scopes = _grouped(clusters, sites)
        self._strangers = Scope(None, tuple(site for site in sites if site.cluster is None))
        self.sites = sites

    @property
    def scopes(self) -> Iterable[Scope]:
        """The pools of each declared cluster, and of those that are not declared."""
        return (*self._scopes.values(), self._strangers)

    def around(self, placement: Placement) -> Scope | None:
        """Return the pools of the cluster that a pod belongs to, ``None`` where that is not to be told."""
        resource = placement.pod.object.resource
        cluster = cluster_of(self._stack, resource)
        if cluster is None:
            return None if self._scopes else self._strangers
        if self._strangers.sites and not self._stack.depends(resource, cluster.resource):
            return None
        return self._scopes[cluster.resource.urn]


def _grouped(clusters: Mapping[str, Cluster], sites: tuple[Site, ...]) -> dict[str, Scope]:
    members: dict[str, list[Site]] = {urn: [] for urn in clusters}
    for site in sites:
        if site.cluster is not None:
            members[site.cluster.resource.urn].append(site)
    return {urn: Scope(clusters[urn], tuple(found)) for urn, found in members.items()}


def _sites(stack: Stack, clusters: Mapping[str, Cluster]) -> Iterator[Site]:
    """Yield every pool once: the state of a cluster repeats those that are resources of their own."""
    inline: list[Site] = []
    separate: list[Site] = []
    for pool in stack.each(NodePool):
        owner = pool.cluster(stack)
        site = Site(pool, clusters.get(owner.urn) if owner is not None else None)
        (inline if pool.inline else separate).append(site)
    named = {(site.cluster, site.pool.name) for site in separate if site.pool.name is not None}
    with_own = {site.cluster for site in separate}
    for site in inline:
        emptied = site.cluster is not None and site.cluster.props.flag("removeDefaultNodePool") is True
        if (emptied and site.cluster in with_own) or (site.cluster, site.pool.name) in named:
            continue
        if site.pool.name is not None:
            named.add((site.cluster, site.pool.name))
        yield site
    yield from separate
