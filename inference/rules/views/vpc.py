"""VPCs and subnets by every name they go by, and what clusters and node pools attach to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from inference.rules.views.cloud import Cluster, Network, NodePool, Subnetwork
from inference.rules.views.resources import Resource, short_name
from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN, Path, Props

__all__ = ["Attachment", "Vpc", "Vpcs"]

_NETWORK = "gcp:compute/network:Network"
_SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"

Vpc: TypeAlias = Network | str
"""A VPC: one that the program declares, or the bare name of one that it does not."""

V = TypeVar("V", bound=Network | Subnetwork)


@dataclass(frozen=True, eq=False)
class Attachment:
    """One of the networks that the nodes of a pool have beside the cluster's own."""

    props: Props
    network: Vpc | None
    """Its VPC; ``None`` where nothing can be said."""
    subnet: Subnetwork | None
    """Its subnet, where the program declares it."""

    @property
    def declared(self) -> Network | None:
        """The VPC where the program declares it."""
        return self.network if isinstance(self.network, Network) else None


class _Register(Generic[V]):
    def __init__(self, views: Iterable[V]) -> None:
        self.views: tuple[V, ...] = tuple(views)
        self.open = any(not view.props.known("name") for view in self.views)
        """Whether some name is not known yet: then a name that is not found may still be among them."""
        self._named: dict[str, list[V]] = defaultdict(list)
        for view in self.views:
            for name in _names(view.resource):
                self._named[name].append(view)

    def find(self, value: str, project: str | None) -> tuple[V, ...]:
        named = self._named.get(value) or self._named.get(short_name(value)) or []
        return tuple(view for view in named if _agrees(view.props, value, project))


def _names(resource: Resource) -> set[str]:
    full = {resource.physical_id, resource.props.text("id"), resource.props.text("selfLink")}
    own = resource.props.text("name") or resource.name
    return {own, *(name for name in full if name)}


def _agrees(props: Props, value: str, project: str | None) -> bool:
    parts = value.split("/")
    for word, key in (("projects", "project"), ("regions", "region")):
        asked = parts[parts.index(word) + 1] if word in parts[:-1] else project if key == "project" else None
        own = props.text(key)
        if asked and own and asked != short_name(own):
            return False
    return True


def _key(pool: NodePool) -> str:
    """Return the property of a resource in which a pool lists its networks."""
    return "nodePools" if pool.inline and pool.props is not pool.resource.props else "networkConfig"


class Vpcs:
    """The networks and subnets of a program. Made once: ``stack.view(Vpcs)``."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._networks: _Register[Network] = _Register(stack.each(Network))
        self._subnets: _Register[Subnetwork] = _Register(stack.each(Subnetwork))
        self._within: dict[Vpc, list[Subnetwork]] = defaultdict(list)
        for subnet in self._subnets.views:
            if (vpc := self.of(subnet)) is not None:
                self._within[vpc].append(subnet)
        placed = sum(len(found) for found in self._within.values()) == len(self.subnets)
        self._settled = placed and all(subnet.props.text("name") is not None for subnet in self.subnets)

    @property
    def networks(self) -> tuple[Network, ...]:
        """Every VPC that the program declares."""
        return self._networks.views

    @property
    def subnets(self) -> tuple[Subnetwork, ...]:
        """Every subnet that the program declares."""
        return self._subnets.views

    def within(self, vpc: Vpc | None) -> tuple[Subnetwork, ...]:
        """Return the subnets that the program declares in a VPC."""
        return () if vpc is None else tuple(self._within.get(vpc, ()))

    def complete(self, vpc: Vpc | None) -> bool:
        """Whether the subnets of a VPC are evidently all declared, with names that are known."""
        if not isinstance(vpc, Network) or not self._settled or not self.within(vpc):
            return False
        return vpc.props.flag("autoCreateSubnetworks") is False

    def vpc(self, source: Resource, *path: Path) -> Vpc | None:
        """Return the VPC that a property names, ``None`` where nothing is said or nothing can be said."""
        return self._vpc(source.props.raw(*path), source, str(path[0]))

    def subnet(self, source: Resource, *path: Path) -> Subnetwork | None:
        """Return the subnet that a property names, where the program declares it."""
        return self._subnet(source.props.raw(*path), source, str(path[0]))

    def of(self, subnet: Subnetwork) -> Vpc | None:
        """Return the VPC of a subnet."""
        return self.vpc(subnet.resource, "network")

    def home(self, cluster: Cluster) -> Vpc | None:
        """Return the VPC of a cluster: ``default`` for one that names none."""
        if not cluster.props.absent("network"):
            return self.vpc(cluster.resource, "network")
        if cluster.props.absent("subnetwork"):
            return "default"
        subnet = self.subnet(cluster.resource, "subnetwork")
        return self.of(subnet) if subnet is not None else None

    def attachments(self, pool: NodePool) -> tuple[Attachment, ...]:
        """Return the networks of a pool's nodes beside the cluster's own, in NIC order."""
        key = _key(pool)
        found = []
        for entry in pool.additional_networks:
            subnet = self._subnet(entry.raw("subnetwork"), pool.resource, key)
            vpc = self._vpc(entry.raw("network"), pool.resource, key)
            if vpc is None and subnet is not None:
                vpc = self.of(subnet)
            found.append(Attachment(entry, vpc, subnet))
        return tuple(found)

    def attached(self, pool: NodePool) -> tuple[Network, ...]:
        """Return the declared VPCs that a pool attaches, also those that only the edges of the pool tell."""
        found = [a.declared for a in self.attachments(pool)]
        raw = [(entry.raw("network"), entry.raw("subnetwork")) for entry in pool.additional_networks]
        if any(UNKNOWN in pair for pair in raw) or not pool.props.known(
            "networkConfig", "additionalNodeNetworkConfigs"
        ):
            for urn in pool.resource.origins(_key(pool)):
                resource = self._stack.get(urn)
                if resource is not None and resource.type == _SUBNETWORK:
                    vpc = self.of(resource.view(Subnetwork.of)[0])
                    found.append(vpc if isinstance(vpc, Network) else None)
                elif resource is not None and resource.type == _NETWORK:
                    found.append(resource.view(Network.of)[0])
        return tuple(dict.fromkeys(network for network in found if network is not None))

    def named(self, name: str | None) -> Network | None:
        """Return the one declared VPC of a name or path."""
        found = self._networks.find(name, None) if name else ()
        return found[0] if len(found) == 1 else None

    def _vpc(self, value: Any, source: Resource, key: str) -> Vpc | None:
        if isinstance(value, str) and value:
            found = self._networks.find(value, source.props.text("project"))
            if len(found) == 1:
                return found[0]
            return None if found or self._networks.open else short_name(value)
        linked = self._linked(value, source, key, _NETWORK)
        return linked.view(Network.of)[0] if linked is not None else None

    def _subnet(self, value: Any, source: Resource, key: str) -> Subnetwork | None:
        if isinstance(value, str) and value:
            found = self._subnets.find(value, source.props.text("project"))
            return found[0] if len(found) == 1 else None
        linked = self._linked(value, source, key, _SUBNETWORK)
        return linked.view(Subnetwork.of)[0] if linked is not None else None

    def _linked(self, value: Any, source: Resource, key: str, token: str) -> Resource | None:
        """Return the one resource of a type that a value not known yet comes from."""
        if value is not UNKNOWN:
            return None
        edges = dict.fromkeys(source.property_dependencies.get(key) or source.dependencies)
        found = [r for urn in edges if (r := self._stack.get(urn)) is not None and r.type == token]
        return found[0] if len(found) == 1 else None
