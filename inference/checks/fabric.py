"""The fabrics of accelerator pools: how their nodes are attached, and whether the test of one can be passed."""

from __future__ import annotations

from collections.abc import Iterator

from inference.derivation import INSTALLED_FABRICS, attachment_of, fabric_of, zone_of
from inference.facts.gke import NVLINK_DOMAIN_FAMILIES
from inference.facts.machines import Machine
from inference.problems import Problem
from inference.settings import StackSettings
from inference.settings.pools import GpuPoolSettings

__all__ = ["check", "check_pool"]


def check_pool(pool: GpuPoolSettings, found: Machine, where: str) -> Iterator[Problem]:
    """Yield what is wrong with the fabric of a pool of this machine."""
    yield from _network(pool, where)
    yield from _acceptance(pool, found, where)


def _network(pool: GpuPoolSettings, where: str) -> Iterator[Problem]:
    fabric = fabric_of(pool)
    if pool.network in {None, "default"}:
        return
    if fabric is None:
        yield Problem(
            f"{where}.network",
            f'"{pool.network}"',
            f"{pool.machine_type} has no accelerator network to attach",
            "Leave network out.",
        )
    elif fabric.name not in INSTALLED_FABRICS:
        yield Problem(
            f"{where}.network",
            f'"{pool.network}"',
            f"the software for the {fabric.name} fabric of {pool.machine_type} is not installed by this program",
            "Set network: default and keep each replica on one node, or take a3-megagpu-8g, whose software is.",
        )
    elif pool.network == "multi-network" and not fabric.multi_network:
        yield Problem(
            f"{where}.network",
            '"multi-network"',
            f"GKE attaches the NICs of {pool.machine_type} through DRANET only",
            "Set network: dranet.",
        )
    elif pool.network == "dranet" and not fabric.dranet:
        yield Problem(
            f"{where}.network",
            '"dranet"',
            f"GKE's managed DRANET does not serve {pool.machine_type}",
            "Set network: multi-network.",
        )


def _acceptance(pool: GpuPoolSettings, found: Machine, where: str) -> Iterator[Problem]:
    test, fabric = pool.acceptance, fabric_of(pool)
    if test is None:
        return
    if fabric is None or attachment_of(pool) == "default" or fabric.name != "roce":
        yield Problem(
            f"{where}.acceptance",
            f"on {pool.machine_type}" + ("" if fabric is None else f" with {attachment_of(pool)} network"),
            "the test measures GPUDirect RDMA between nodes, which these nodes do not have",
            "Leave acceptance out.",
        )
        return
    if test.nodes > pool.nodes.max:
        yield Problem(
            f"{where}.acceptance.nodes",
            str(test.nodes),
            f"the pool never has more than {pool.nodes.max}; the test would not start",
            f"Set it to at most {pool.nodes.max}, or raise nodes.max.",
        )
    if found.family in NVLINK_DOMAIN_FAMILIES:
        return
    ranks = test.nodes * found.gpus
    most = fabric.gpu_nics * fabric.nic_gbps / 8 * (ranks - 1) / ranks * test.nodes / (test.nodes - 1)
    if test.minimum_bus_bandwidth > most:
        yield Problem(
            f"{where}.acceptance.minimumBusBandwidth",
            f"{test.minimum_bus_bandwidth:g} GB/s",
            f"{fabric.gpu_nics} NICs of {fabric.nic_gbps} Gbps bring a node the others' part no faster than at a bus "
            f"bandwidth of {most:g} GB/s",
            f"Set it to about {fabric.gpu_nics * fabric.nic_gbps / 8 * 0.75:g}.",
        )


def check(settings: StackSettings) -> Iterator[Problem]:
    """Yield what keeps the pools of a cluster from sharing it."""
    ways: dict[str, list[str]] = {}
    for name, pool in settings.pools.items():
        ways.setdefault(attachment_of(pool), []).append(name)
    if {"multi-network", "dranet"} <= ways.keys():
        yield Problem(
            f"pools.{ways['dranet'][0]}.network",
            f'"dranet", while pool {ways["multi-network"][0]} uses multi-network',
            "GKE supports Network objects or managed DRANET in a cluster, not both",
            "Use the same way for all pools, or two clusters.",
        )

    shared = ways.get("multi-network", [])
    kinds = {(zone_of(settings.cluster, settings.pools[n]), fabric_of(settings.pools[n])) for n in shared}
    if len(kinds) > 1:
        yield Problem(
            f"pools.{shared[1]}",
            f"another fabric or zone than pool {shared[0]}",
            "Network objects such as rdma-0 exist once per cluster and belong to the fabric of one zone",
            "Put all pools with a fabric into one zone and machine family, or use network: dranet.",
        )
