"""The cluster: release, addresses, system nodes, maintenance."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from inference import addressing
from inference.derivation import attachment_of, fabric_of, most_nodes
from inference.facts.gke import DEFAULT_PODS_PER_NODE, PROXY_ONLY_MIN_PREFIX, PROXY_ONLY_RECOMMENDED_PREFIX
from inference.facts.machines import machine
from inference.facts.upgrades import MAINTENANCE_HOURS, MAINTENANCE_PERIOD_DAYS
from inference.facts.versions import GKE_MINIMUM, Minimum
from inference.problems import Problem
from inference.settings import StackSettings
from inference.settings.pools import FlexStart, QueuedProvisioning

__all__ = ["check"]


def check(settings: StackSettings) -> Iterator[Problem]:
    """Yield what is wrong with the cluster."""
    yield from _system_pool(settings)
    yield from _release(settings)
    yield from _maintenance(settings)
    yield from _ranges(settings)


def _system_pool(settings: StackSettings) -> Iterator[Problem]:
    pool = settings.cluster.system_pool
    where = "cluster.systemPool"
    if pool.min_nodes > pool.max_nodes:
        yield Problem(
            f"{where}.minNodes",
            f"{pool.min_nodes}, with maxNodes {pool.max_nodes}",
            "the autoscaler needs a lower limit that is not above the upper one",
            f"Set minNodes to at most {pool.max_nodes}, or maxNodes to at least {pool.min_nodes}.",
        )
    found = machine(pool.machine_type)
    if found is None:
        yield Problem(
            f"{where}.machineType",
            f'"{pool.machine_type}"',
            "no such machine type is known, so controllers cannot be sized for it",
            "Write a general-purpose type, for example e2-standard-4.",
        )
    elif found.gpus:
        yield Problem(
            f"{where}.machineType",
            f'"{pool.machine_type}" carries {found.gpus} GPUs',
            "controllers would keep accelerators awake that nobody uses",
            "Write a general-purpose type, for example e2-standard-4.",
        )


def _release(settings: StackSettings) -> Iterator[Problem]:
    needed: dict[str, Minimum] = {}
    if settings.gateway is not None:
        needed["the InferencePool definition that GKE owns needs"] = GKE_MINIMUM["cluster-owned-inference-pool"]
    for name, pool in settings.pools.items():
        if attachment_of(pool) == "dranet":
            needed[f"managed DRANET of pool {name} needs"] = GKE_MINIMUM["dranet"]
        feature = f"flex-start-{pool.kind}"
        if isinstance(pool.capacity, FlexStart | QueuedProvisioning):
            needed[f"{pool.capacity.type} of pool {name} needs"] = GKE_MINIMUM[feature]
    for what, minimum in needed.items():
        if minimum.met_by(settings.cluster.version) is False:
            yield Problem(
                "cluster.version",
                f'"{settings.cluster.version}"',
                f"{what} GKE {minimum} or newer",
                f'Set version: "{minimum.version.major}.{minimum.version.minor + 1}".',
            )


def _maintenance(settings: StackSettings) -> Iterator[Problem]:
    window = settings.cluster.maintenance_window
    hour, minute = (int(part) for part in window.start.split(":"))
    if hour > 23 or minute > 59:
        yield Problem(
            "cluster.maintenanceWindow.start",
            f'"{window.start}"',
            "it is no time of day",
            "Write HH:MM in UTC, 00:00 to 23:59.",
        )
    per_period = len(set(window.days)) * window.hours * (MAINTENANCE_PERIOD_DAYS // 7)
    if per_period < MAINTENANCE_HOURS:
        yield Problem(
            "cluster.maintenanceWindow",
            f"{window.hours} hours on {', '.join(window.days)}, {per_period} hours in {MAINTENANCE_PERIOD_DAYS} days",
            f"GKE refuses windows that leave less than {MAINTENANCE_HOURS} hours in {MAINTENANCE_PERIOD_DAYS} days",
            "Add a day or lengthen the window.",
        )


def _ranges(settings: StackSettings) -> Iterator[Problem]:
    network = settings.cluster.network
    used = {
        "nodes": network.nodes,
        "pods": network.pods,
        "services": network.services,
        "proxies": network.proxies,
        "hostNics": network.host_nics,
        "rdma": network.rdma,
    }
    for one, other in addressing.overlaps(used):
        yield Problem(
            f"cluster.network.{other}",
            f"{used[other]} overlaps {one} ({used[one]})",
            "replies of a node with several NICs would leave through the wrong one, and peering is refused later",
            "Choose disjoint blocks; the defaults are.",
        )
    for name, block in used.items():
        if not IPv4Network(block).is_private:
            yield Problem(
                f"cluster.network.{name}",
                f"{block} is not private",
                "public addresses inside a VPC hide the real owners of those addresses",
                "Use RFC 1918 space: 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16.",
            )
    yield from _sizes(settings)


def _sizes(settings: StackSettings) -> Iterator[Problem]:
    network = settings.cluster.network
    if IPv4Network(network.proxies).prefixlen > PROXY_ONLY_MIN_PREFIX:
        yield Problem(
            "cluster.network.proxies",
            f"{network.proxies} is smaller than a /{PROXY_ONLY_MIN_PREFIX}",
            f"a proxy-only subnet has at least 64 addresses, and a /{PROXY_ONLY_RECOMMENDED_PREFIX} is advised",
            f"Write a /{PROXY_ONLY_RECOMMENDED_PREFIX}, for example 10.1.16.0/{PROXY_ONLY_RECOMMENDED_PREFIX}.",
        )
    nodes = settings.cluster.system_pool.max_nodes + sum(most_nodes(pool) for pool in settings.pools.values())
    if addressing.hosts(network.nodes) < nodes:
        yield Problem(
            "cluster.network.nodes",
            f"{network.nodes} has {addressing.hosts(network.nodes)} addresses for {nodes} nodes",
            "each node takes one address of the subnet",
            "Use a larger block.",
        )
    room = addressing.nodes_with_pods(network.pods, DEFAULT_PODS_PER_NODE)
    if room < nodes:
        yield Problem(
            "cluster.network.pods",
            f"{network.pods} has room for {room} nodes with {DEFAULT_PODS_PER_NODE} pods, the pools for {nodes}",
            "every node takes a /24 of the pod range, and the range cannot be changed later",
            "Use a larger block, for example a /14.",
        )
    yield from _accelerator_subnets(settings)


def _accelerator_subnets(settings: StackSettings) -> Iterator[Problem]:
    network = settings.cluster.network
    for name, pool in settings.pools.items():
        fabric = fabric_of(pool)
        if fabric is None or attachment_of(pool) != "multi-network":
            continue
        blocks = {
            "rdma": (network.rdma, fabric.gpu_networks),
            "hostNics": (network.host_nics, max(fabric.host_networks, 1)),
        }
        for key, (block, parts) in blocks.items():
            try:
                smallest = min(addressing.hosts(part) for part in addressing.split(block, parts))
            except ValueError:
                smallest = 0
            if smallest < most_nodes(pool):
                yield Problem(
                    f"cluster.network.{key}",
                    f"{block} makes {parts} subnet{'s' if parts > 1 else ''} of {smallest} addresses",
                    f"each of the {most_nodes(pool)} nodes of pool {name} takes one address in every one of them",
                    "Use a larger block, for example a /18.",
                )
