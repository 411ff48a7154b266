"""Accelerator pools: the machine, its zone, its accelerators and its nodes."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from inference.checks import capacity, fabric
from inference.derivation import (
    machine_of,
    region_of_cluster,
    split_of,
    stages_of,
    vllm_models,
    zone_of,
)
from inference.facts.gke import MAX_NODE_POOL_NAME, NVLINK_DOMAIN_FAMILIES, NVLINK_DOMAIN_NODES
from inference.facts.machines import ATTACHABLE, GPU_HOSTS, Machine
from inference.facts.offers import zones_with
from inference.facts.tpus import GENERATIONS, Slice, slice_of
from inference.facts.zones import offered, region_of
from inference.problems import Problem
from inference.settings import StackSettings
from inference.settings.cluster import ClusterSettings
from inference.settings.models import MOST_TENSOR_PARALLEL
from inference.settings.pools import AcceleratorPool, GpuPoolSettings, NodeRange, TpuPoolSettings

__all__ = ["check"]

_UNSUPPORTED = {
    "a4x-max": "its bare-metal nodes want huge pages, no shielded nodes, GKE's unified CNI and a daemon for the RDMA "
    "NICs, none of which this program sets up",
}
"""Machine families that are known and not served, and why (source GKECUSTOMMAX)."""

_NAME_SUFFIX = len("-0123456")
"""The engine adds this to a logical name."""


def check(settings: StackSettings, missing: frozenset[str]) -> Iterator[Problem]:
    """Yield what is wrong with the pools."""
    used = {model.pool for model in settings.models.values()}
    used |= {stage.pool for model in vllm_models(settings).values() for _, stage in stages_of(model)}
    blind = "models" in missing or any(path.startswith("models.") for path in missing)
    for name, pool in settings.pools.items():
        where = f"pools.{name}"
        tested = isinstance(pool, GpuPoolSettings) and pool.acceptance is not None
        if name not in used and not tested and not blind:
            yield Problem(
                where,
                "no model names this pool",
                "its nodes would be created, or reserved capacity held, for nobody",
                f"Give a model pool: {name}, or remove the pool.",
            )
        if len(name) + _NAME_SUFFIX > MAX_NODE_POOL_NAME:
            yield Problem(
                where,
                f'"{name}" is {len(name)} characters',
                "GKE allows 40 with the suffix that is added",
                "Shorten it.",
            )
        yield from _zone(settings.cluster, pool, where)
        match pool:
            case GpuPoolSettings():
                yield from _gpu(settings.cluster, pool, where)
            case TpuPoolSettings():
                yield from _tpu(settings, name, pool)
    yield from fabric.check(settings)


def _zone(cluster: ClusterSettings, pool: AcceleratorPool, where: str) -> Iterator[Problem]:
    zone = zone_of(cluster, pool)
    if zone is None:
        yield Problem(
            f"{where}.zone",
            "missing, and the cluster is regional",
            "accelerators are to be had in some zones only, and GKE would start the pool in every zone of the region",
            f"Write the zone, for example {cluster.location}-b.",
        )
    elif region_of(zone) != region_of_cluster(cluster):
        region = region_of_cluster(cluster)
        yield Problem(
            f"{where}.zone",
            f'"{zone}"',
            f"the cluster is in {region}, and a pool cannot leave its cluster's region",
            f"Choose a zone of {region}, or move the cluster with cluster.location: {region_of(zone)}.",
        )


def _range(nodes: NodeRange, where: str) -> Iterator[Problem]:
    if nodes.min > nodes.max:
        yield Problem(
            f"{where}.min",
            f"{nodes.min}, with max {nodes.max}",
            "the autoscaler needs a lower limit that is not above the upper one",
            f"Set min to at most {nodes.max}.",
        )


def _gpu(cluster: ClusterSettings, pool: GpuPoolSettings, where: str) -> Iterator[Problem]:
    yield from _range(pool.nodes, f"{where}.nodes")
    found = machine_of(pool)
    if found is None:
        near = difflib.get_close_matches(pool.machine_type, GPU_HOSTS, 3, 0.4)
        yield Problem(
            f"{where}.machineType",
            f'"{pool.machine_type}"',
            "no such machine type is known; GPUs, NICs, disks and labels are derived from it",
            f"Did you mean {' or '.join(near)}?" if near else "Write one of the accelerator-optimized types.",
        )
        return
    if found.family in _UNSUPPORTED:
        instead = "Use a4x-highgpu-4g, which has the same NVLink domain of 18 nodes, or a4-highgpu-8g."
        yield Problem(f"{where}.machineType", f'"{found.name}"', _UNSUPPORTED[found.family], instead)
        return
    yield from _offered(cluster, pool, found, where)
    yield from _chosen_accelerator(pool, found, where) if found.attachable else _own_accelerator(pool, found, where)
    yield from capacity.check_gpu(pool, found, where)
    yield from _nvlink_domain(pool, found, where)
    yield from fabric.check_pool(pool, found, where)


def _offered(cluster: ClusterSettings, pool: GpuPoolSettings, found: Machine, where: str) -> Iterator[Problem]:
    zone = zone_of(cluster, pool)
    if zone is None:
        return
    attachable = ATTACHABLE.get(pool.accelerator or "")
    offered = found.offered_in(zone)
    if offered is False:
        known = sorted(zones_with(found.name))
        here = [z for z in known if region_of(z) == region_of_cluster(cluster)]
        offers = known or sorted(found.regions or ())
        yield Problem(
            f"{where}.zone" if pool.zone else "cluster.location",
            f'"{zone}" has no {found.name}',
            "GKE would accept the pool and never get a node",
            f"Use {' or '.join(here)}." if here else f"The machine is offered in: {', '.join(offers)}.",
        )
    elif attachable and attachable.regions is not None and region_of(zone) not in attachable.regions:
        yield Problem(
            f"{where}.zone" if pool.zone else "cluster.location",
            f'"{zone}" has no {attachable.accelerator}',
            "GKE would accept the pool and never get a node",
            f"The GPU is offered in: {', '.join(sorted(attachable.regions))}.",
        )


def _own_accelerator(pool: GpuPoolSettings, found: Machine, where: str) -> Iterator[Problem]:
    if not found.gpus:
        yield Problem(
            f"{where}.machineType",
            f'"{found.name}" carries no GPU',
            "a pool of kind gpu needs one",
            "Write an accelerator-optimized type such as g2-standard-12, or an N1 type with accelerator.",
        )
        return
    if pool.accelerator is not None and pool.accelerator != found.accelerator:
        yield Problem(
            f"{where}.accelerator",
            f'"{pool.accelerator}"',
            f"{found.name} comes with {found.accelerator}; the two cannot be combined",
            f"Set accelerator: {found.accelerator}, or leave it out.",
        )
    if pool.gpus_per_node is not None and pool.gpus_per_node != found.gpus:
        why = f"every {found.name} has {found.gpus} GPUs, and GKE refuses another count"
        if found.fabric is not None:
            why += f"; its {found.fabric.gpu_nics} GPU NICs go to one pod together with all {found.gpus} of them"
        yield Problem(
            f"{where}.gpusPerNode", str(pool.gpus_per_node), why, f"Set gpusPerNode: {found.gpus}, or leave it out."
        )


def _chosen_accelerator(pool: GpuPoolSettings, found: Machine, where: str) -> Iterator[Problem]:
    choice = ATTACHABLE.get(pool.accelerator or "")
    if choice is None:
        near = difflib.get_close_matches(pool.accelerator or "", ATTACHABLE, 1, 0.7)
        remedy = f"Write one of {', '.join(ATTACHABLE)}."
        yield Problem(
            f"{where}.accelerator",
            f'"{pool.accelerator}"' if pool.accelerator else "missing",
            f"{found.name} has no GPU of its own, one must be attached"
            + (", and no GPU of this name can be" if pool.accelerator else ""),
            f"Did you mean {near[0]}? {remedy}" if near else remedy,
        )
        return
    count = pool.gpus_per_node or 1
    if count not in choice.counts:
        yield Problem(
            f"{where}.gpusPerNode",
            str(count),
            f"{choice.accelerator} is attached in counts of {', '.join(map(str, choice.counts))}",
            f"Set one of {', '.join(map(str, choice.counts))}.",
        )
    elif choice.max_vcpus and found.vcpus > choice.max_vcpus[count]:
        yield Problem(
            f"{where}.machineType",
            f'"{found.name}" has {found.vcpus} vCPUs',
            f"with {count} × {choice.accelerator} a machine has at most {choice.max_vcpus[count]}",
            "Take a smaller machine or more GPUs.",
        )


def _nvlink_domain(pool: GpuPoolSettings, found: Machine, where: str) -> Iterator[Problem]:
    if found.family in NVLINK_DOMAIN_FAMILIES and pool.nodes.max > NVLINK_DOMAIN_NODES:
        yield Problem(
            f"{where}.nodes.max",
            str(pool.nodes.max),
            f"NVLink joins {NVLINK_DOMAIN_NODES} {found.name} at most, and a pool is one such domain",
            f"Set max to at most {NVLINK_DOMAIN_NODES} and add a pool for each further domain.",
        )


def _whole_slice(settings: StackSettings, name: str, found: Slice, where: str) -> Iterator[Problem]:
    for model_name, model in vllm_models(settings).items():
        split = split_of(model)
        if model.pool == name and (split.tensor, split.devices) != (found.chips, found.chips):
            yield Problem(
                f"models.{model_name}.parallelism",
                f"{split} = {split.devices}",
                f"a replica takes the whole {found.topology} slice of {where}, whose {found.chips} chips on "
                f"{found.nodes} hosts vLLM drives as one",
                f"Set tensor: {found.chips} and nothing else, or a topology of one host.",
            )


def _tpu(settings: StackSettings, name: str, pool: TpuPoolSettings) -> Iterator[Problem]:
    cluster, where = settings.cluster, f"pools.{name}"
    yield from _range(pool.slices, f"{where}.slices")
    if pool.generation not in GENERATIONS:
        yield Problem(
            f"{where}.generation",
            f'"{pool.generation}"',
            "no such TPU generation is known; machines, topologies and labels are derived from it",
            f"Write one of {', '.join(GENERATIONS)}.",
        )
        return
    try:
        found = slice_of(pool.generation, pool.topology, pool.machine_type)
    except ValueError as error:
        why, _, choices = str(error).partition(": ")
        key, value = (
            ("machineType", pool.machine_type) if why.startswith("machine type") else ("topology", pool.topology)
        )
        remedy = f"{choices[:1].upper()}{choices[1:]}." if choices else "Write one of the topologies of the generation."
        yield Problem(f"{where}.{key}", f'"{value}"', why, remedy)
        return
    if found.multi_host and pool.slices.max > 1:
        yield Problem(
            f"{where}.slices.max",
            str(pool.slices.max),
            f"a {pool.topology} slice is {found.nodes} nodes that GKE makes and removes as one pool",
            "Set max: 1 and add a pool for each further slice.",
        )
    zone = zone_of(cluster, pool)
    generation = found.generation
    if zone and offered(zone, zones=generation.zones, regions=generation.regions) is False:
        yield Problem(
            f"{where}.zone" if pool.zone else "cluster.location",
            f'"{zone}" has no TPU {pool.generation}',
            "GKE would accept the pool and never get a node",
            f"It is offered in: {', '.join(sorted(generation.zones or generation.regions or ()))}.",
        )
    if found.chips > MOST_TENSOR_PARALLEL:
        yield Problem(
            f"{where}.topology",
            f'"{pool.topology}" has {found.chips} chips',
            f"a replica takes the whole slice, and no model is cut into more than {MOST_TENSOR_PARALLEL} parts",
            f"Take a topology of at most {MOST_TENSOR_PARALLEL} chips, and a pool of it for each replica.",
        )
    elif found.multi_host:
        yield from _whole_slice(settings, name, found, where)
    yield from capacity.check_tpu(pool, generation, where)
