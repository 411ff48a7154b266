"""Google Cloud resources: clusters, node pools, networks."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

from inference.facts.machines import Machine, machine
from inference.facts.zones import is_zone, region_of
from inference.rules.views.resources import Resource, short_name
from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN, Props

__all__ = ["Cluster", "Firewall", "Network", "NodePool", "Subnetwork", "Taint", "ranges"]

_CLUSTER = "gcp:container/cluster:Cluster"
_NODE_POOL = "gcp:container/nodePool:NodePool"
_NETWORK = "gcp:compute/network:Network"
_SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
_FIREWALL = "gcp:compute/firewall:Firewall"


def ranges(values: Iterable[str | None]) -> tuple[ipaddress.IPv4Network, ...]:
    """Return those values that are IPv4 blocks."""
    found = []
    for value in values:
        try:
            found.append(ipaddress.IPv4Network(value or ""))
        except ValueError:
            continue
    return tuple(found)


@dataclass(frozen=True, eq=False)
class _CloudView:
    resource: Resource

    types: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the view of a resource of this type."""
        return (cls(resource),)

    @property
    def props(self) -> Props:
        return self.resource.props


@dataclass(frozen=True, eq=False)
class Network(_CloudView):
    """A VPC."""

    types: ClassVar[tuple[str, ...]] = (_NETWORK,)

    @cached_property
    def profile(self) -> str | None:
        """Short name of the network profile, such as ``us-central1-b-vpc-roce``."""
        value = self.props.text("networkProfile")
        return short_name(value) if value else None

    @property
    def rdma(self) -> bool:
        """Whether the profile makes it an RDMA network (RoCE or Falcon)."""
        return self.profile is not None and any(part in self.profile for part in ("-vpc-roce", "-vpc-falcon"))

    @property
    def profile_zone(self) -> str | None:
        """Zone that the profile binds the network to."""
        zone = (self.profile or "").rpartition("-vpc-")[0]
        return zone if is_zone(zone) else None

    def __str__(self) -> str:
        return f'The network "{self.resource.name}"'


@dataclass(frozen=True, eq=False)
class Subnetwork(_CloudView):
    """A subnet."""

    types: ClassVar[tuple[str, ...]] = (_SUBNETWORK,)

    def network(self, stack: Stack) -> Network | None:
        """Return the VPC it lies in, where the stack declares it."""
        return _referred(stack, self.resource, Network, "network")

    @property
    def region(self) -> str | None:
        value = self.props.text("region")
        return short_name(value) if value else None

    @property
    def proxy_only(self) -> bool:
        """Whether it is reserved for the proxies of a regional load balancer."""
        return self.props.text("purpose") in {"REGIONAL_MANAGED_PROXY", "INTERNAL_HTTPS_LOAD_BALANCER"}

    @cached_property
    def ranges(self) -> tuple[ipaddress.IPv4Network, ...]:
        """Primary and secondary IPv4 ranges that are known."""
        secondary = (r.text("ipCidrRange") for r in self.props.sections("secondaryIpRanges"))
        return ranges([self.props.text("ipCidrRange"), *secondary])

    def __str__(self) -> str:
        return f'The subnet "{self.resource.name}"'


@dataclass(frozen=True, eq=False)
class Firewall(_CloudView):
    """A VPC firewall rule."""

    types: ClassVar[tuple[str, ...]] = (_FIREWALL,)

    def network(self, stack: Stack) -> Network | None:
        """Return the VPC it applies to, where the stack declares it."""
        return _referred(stack, self.resource, Network, "network")

    def __str__(self) -> str:
        return f'The firewall rule "{self.resource.name}"'


@dataclass(frozen=True, eq=False)
class Cluster(_CloudView):
    """A GKE cluster."""

    types: ClassVar[tuple[str, ...]] = (_CLUSTER,)

    @property
    def autopilot(self) -> bool:
        return self.props.flag("enableAutopilot") is True

    @property
    def location(self) -> str | None:
        """Zone or region."""
        return self.props.text("location")

    @property
    def region(self) -> str | None:
        """Region of the cluster."""
        return (region_of(self.location) if is_zone(self.location) else self.location) if self.location else None

    @property
    def regional(self) -> bool | None:
        """Whether the control plane is regional."""
        return None if self.location is None else not is_zone(self.location)

    @property
    def dataplane_v2(self) -> bool | None:
        """Whether Dataplane V2 is on; ``None`` where it is not known."""
        if self.autopilot:
            return True
        if not self.props.known("datapathProvider"):
            return None
        return self.props.text("datapathProvider") == "ADVANCED_DATAPATH"

    @property
    def release_channel(self) -> str | None:
        """Release channel; GKE enrolls a cluster that names none in REGULAR."""
        if self.props.absent("releaseChannel", "channel"):
            return "REGULAR"
        return self.props.text("releaseChannel", "channel")

    @property
    def version(self) -> str | None:
        """Control plane version asked for."""
        return self.props.text("minMasterVersion")

    def network(self, stack: Stack) -> Network | None:
        """Return its VPC, where the stack declares it."""
        return _referred(stack, self.resource, Network, "network")

    def pools(self, stack: Stack) -> tuple[NodePool, ...]:
        """Return its node pools: separate resources and those written inside the cluster."""
        return tuple(pool for pool in stack.each(NodePool) if pool.cluster(stack) is self.resource)

    def __str__(self) -> str:
        return f'The cluster "{self.resource.name}"'


@dataclass(frozen=True, slots=True)
class Taint:
    """A taint of a node."""

    key: str
    value: str
    effect: str
    """As Kubernetes spells it: ``NoSchedule``, ``PreferNoSchedule``, ``NoExecute``."""


_EFFECTS = {"NO_SCHEDULE": "NoSchedule", "PREFER_NO_SCHEDULE": "PreferNoSchedule", "NO_EXECUTE": "NoExecute"}


@dataclass(frozen=True, eq=False)
class NodePool:
    """A node pool: a resource of its own, or one written inside a cluster."""

    types: ClassVar[tuple[str, ...]] = (_NODE_POOL, _CLUSTER)

    resource: Resource
    props: Props
    inline: bool = False

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the pool of a NodePool, or those that a Cluster declares in itself; Autopilot makes its own."""
        if resource.type == _NODE_POOL:
            return (cls(resource, resource.props),)
        if resource.props.flag("enableAutopilot") is True:
            return ()
        pools = [cls(resource, props, inline=True) for props in resource.props.sections("nodePools")]
        if resource.props.section("nodeConfig") and resource.props.flag("removeDefaultNodePool") is not True:
            pools.append(cls(resource, resource.props, inline=True))
        return tuple(pools)

    @property
    def config(self) -> Props:
        """``nodeConfig``."""
        return self.props.section("nodeConfig")

    @property
    def machine_type(self) -> str | None:
        return self.config.text("machineType")

    @cached_property
    def machine(self) -> Machine | None:
        """What is known of the machine type."""
        return machine(self.machine_type) if self.machine_type else None

    @cached_property
    def accelerators(self) -> tuple[tuple[str | None, int | None], ...]:
        """Declared GPU types and counts."""
        return tuple((a.text("type"), a.integer("count")) for a in self.config.sections("guestAccelerators"))

    @property
    def tpu(self) -> bool:
        """Whether the machine carries TPU chips."""
        return bool(self.machine_type and self.machine_type.startswith(("ct", "tpu")))

    @property
    def gpu(self) -> bool:
        """Whether the nodes carry GPUs."""
        declared = any(count is None or count > 0 for _, count in self.accelerators)
        return declared or bool(self.machine and self.machine.gpus)

    @property
    def gpu_type(self) -> str | None:
        """GPU type: declared, else the machine's."""
        declared = next((kind for kind, _ in self.accelerators if kind), None)
        return declared or (self.machine.accelerator if self.machine else None)

    @property
    def gpus_per_node(self) -> int | None:
        """GPUs of a node: the machine's, else declared."""
        if self.machine and self.machine.gpus:
            return self.machine.gpus
        return next((count for _, count in self.accelerators if count is not None), None)

    @property
    def spot(self) -> bool:
        """Spot or its predecessor, preemptible."""
        return self.config.flag("spot") is True or self.config.flag("preemptible") is True

    @property
    def flex_start(self) -> bool:
        return self.config.flag("flexStart") is True

    @property
    def queued(self) -> bool:
        """Queued provisioning."""
        return self.props.flag("queuedProvisioning", "enabled") is True

    @property
    def reservation_type(self) -> str | None:
        """``consumeReservationType``."""
        return self.config.text("reservationAffinity", "consumeReservationType")

    @property
    def reserved(self) -> bool:
        """Whether the nodes come from a specific reservation."""
        return self.reservation_type == "SPECIFIC_RESERVATION"

    @cached_property
    def zones(self) -> tuple[str, ...] | None:
        """Zones of the nodes, ``None`` where the cluster decides or they are not known."""
        written = self.props.raw("nodeLocations")
        if written is UNKNOWN or (isinstance(written, list | tuple) and UNKNOWN in written):
            return None
        if zones := self.props.texts("nodeLocations"):
            return zones
        location = self.props.text("location")
        return (location,) if location and is_zone(location) else None

    def max_nodes(self, zones: int = 1) -> int | None:
        """Return the most nodes that the pool can have over this many zones, where that is known."""
        autoscaling = self.props.section("autoscaling")
        if total := autoscaling.integer("totalMaxNodeCount"):
            return total
        if (per_zone := autoscaling.integer("maxNodeCount")) is not None:
            return per_zone * zones
        if autoscaling or not self.props.known("autoscaling"):
            return None
        counts = [self.props.integer(key) for key in ("nodeCount", "initialNodeCount")]
        static = next((count for count in counts if count is not None), None)
        return None if static is None else static * zones

    @cached_property
    def labels(self) -> dict[str, str]:
        """Kubernetes labels that the pool declares for its nodes."""
        return self.config.strings("labels")

    @cached_property
    def taints(self) -> tuple[Taint, ...]:
        """Taints that the pool declares."""
        return tuple(
            Taint(key, t.text("value") or "", _EFFECTS.get(t.text("effect") or "", t.text("effect") or ""))
            for t in self.config.sections("taints")
            if (key := t.text("key"))
        )

    @property
    def additional_networks(self) -> tuple[Props, ...]:
        """Networks beside the cluster's own, in NIC order."""
        return self.props.sections("networkConfig", "additionalNodeNetworkConfigs")

    @property
    def dranet(self) -> bool:
        """Whether GKE attaches the accelerator networks itself (accelerator network profile)."""
        return self.props.text("networkConfig", "acceleratorNetworkProfile") == "auto"

    @cached_property
    def name(self) -> str | None:
        """Name of the pool, where known."""
        return self.props.text("name") if not self.inline or self.props is not self.resource.props else "default-pool"

    def cluster(self, stack: Stack) -> Resource | None:
        """Return the cluster it belongs to, where the stack declares it."""
        if self.inline:
            return self.resource
        clusters = stack.of_type(_CLUSTER)
        here = self.props.text("location")
        found = None
        if len(clusters) > 1 and here is not None:  # the clusters of two regions may have the same name
            near = [cluster for cluster in clusters if cluster.props.text("location") == here]
            found = stack.reference(self.resource, "cluster", among=near)
        found = found or stack.reference(self.resource, "cluster", among=clusters)
        if found is None and not self.props.known("cluster") and len(clusters) == 1:
            return clusters[0]
        return found

    def __str__(self) -> str:
        if self.inline:
            return f'The node pool "{self.name or "?"}" inside the cluster "{self.resource.name}"'
        return f'The node pool "{self.name or self.resource.name}"'


def _referred(stack: Stack, source: Resource, view: type[Network], *path: str) -> Network | None:
    found = stack.reference(source, *path, among=stack.of_type(_NETWORK))
    return found.view(view.of)[0] if found is not None else None
