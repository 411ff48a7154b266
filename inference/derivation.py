"""Small answers that follow from a stack file and the facts; ``None`` where they cannot be given."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from inference.facts.fabrics import Fabric
from inference.facts.gpus import GPUS, Gpu
from inference.facts.machines import Machine, machine
from inference.facts.models import Model, find
from inference.facts.tpus import Slice, slice_of
from inference.facts.zones import is_zone, region_of
from inference.fit import GIB, Device, Fit, Split, fit
from inference.settings.cluster import ClusterSettings
from inference.settings.models import VllmModel
from inference.settings.nim import NimModelSettings
from inference.settings.pools import AcceleratorPool, GpuPoolSettings, TpuPoolSettings
from inference.settings.served import VllmServed
from inference.settings.stack import StackSettings

__all__ = [
    "INSTALLED_FABRICS",
    "accelerators_per_node",
    "attachment_of",
    "device_of",
    "fabric_of",
    "fit_of",
    "gpu_of",
    "image_version",
    "machine_of",
    "most_nodes",
    "nim_cache_gib",
    "nim_models",
    "nodes_per_replica",
    "pods_accelerators",
    "ranks_of",
    "region_of_cluster",
    "slice_of_pool",
    "split_of",
    "stages_of",
    "vllm_models",
    "zone_of",
]


INSTALLED_FABRICS = frozenset({"roce", "tcpxo"})
"""Fabrics whose software the program puts on the nodes."""


def region_of_cluster(cluster: ClusterSettings) -> str:
    """Return the region of the cluster's control plane."""
    return region_of(cluster.location) if is_zone(cluster.location) else cluster.location


def zone_of(cluster: ClusterSettings, pool: AcceleratorPool) -> str | None:
    """Return the zone of a pool's nodes."""
    return pool.zone or (cluster.location if is_zone(cluster.location) else None)


def slice_of_pool(pool: TpuPoolSettings) -> Slice | None:
    """Return the TPU slice that the topology makes."""
    try:
        return slice_of(pool.generation, pool.topology, pool.machine_type)
    except ValueError:
        return None


def machine_of(pool: AcceleratorPool) -> Machine | None:
    """Return what is known of a GPU pool's machine."""
    return machine(pool.machine_type) if isinstance(pool, GpuPoolSettings) else None


def _accelerator_of(pool: GpuPoolSettings) -> str | None:
    """Return the GPU type of a pool: the machine's own, or the chosen one of an N1 machine."""
    found = machine_of(pool)
    return found.accelerator if found is not None and found.accelerator else pool.accelerator


def gpu_of(pool: AcceleratorPool) -> Gpu | None:
    """Return what is known of a pool's GPU."""
    return GPUS.get(_accelerator_of(pool) or "") if isinstance(pool, GpuPoolSettings) else None


def accelerators_per_node(pool: AcceleratorPool) -> int | None:
    """Return GPUs or TPU chips of one node."""
    if isinstance(pool, TpuPoolSettings):
        found = slice_of_pool(pool)
        return found.chips_per_node if found else None
    model = machine_of(pool)
    return model.gpus if model is not None and model.gpus else pool.gpus_per_node or 1


def most_nodes(pool: AcceleratorPool) -> int:
    """Return the most nodes that a pool can have."""
    if isinstance(pool, GpuPoolSettings):
        return pool.nodes.max * (1 + len(pool.fallback))
    found = slice_of_pool(pool)
    return pool.slices.max * (found.nodes if found else 1)


def fabric_of(pool: AcceleratorPool) -> Fabric | None:
    """Return the accelerator fabric of a pool's machine."""
    found = machine_of(pool)
    return found.fabric if found is not None else None


def attachment_of(pool: AcceleratorPool) -> str:
    """Return how pods of a pool reach the fabric: ``multi-network``, ``dranet`` or ``default`` (not at all)."""
    if isinstance(pool, TpuPoolSettings):
        return "default"
    if pool.network is not None:
        return pool.network
    fabric = fabric_of(pool)
    if fabric is None or fabric.name not in INSTALLED_FABRICS:
        return "default"
    return "multi-network" if fabric.multi_network else "dranet"


def device_of(pool: AcceleratorPool) -> Device | None:
    """Return the memory of one accelerator of a pool, as a rank of vLLM has it: of a TPU7x chip, one of two halves."""
    gpu = gpu_of(pool)
    if gpu is not None:
        return Device(gpu.name, gpu.memory_gib)
    found = slice_of_pool(pool) if isinstance(pool, TpuPoolSettings) else None
    if found is None:
        return None
    shown = found.generation.devices_per_chip
    name = f"TPU {found.generation.name}" if shown == 1 else f"device of a TPU {found.generation.name} chip"
    return Device(name, found.generation.hbm_gib / shown)


def vllm_models(settings: StackSettings) -> dict[str, VllmServed]:
    """Return the models that vLLM serves, also those under KServe."""
    return {name: model for name, model in settings.models.items() if not isinstance(model, NimModelSettings)}


def nim_models(settings: StackSettings) -> dict[str, NimModelSettings]:
    """Return the models that a NIM serves."""
    return {name: model for name, model in settings.models.items() if isinstance(model, NimModelSettings)}


_BUILDS = 2
_CACHE_ROOM_GIB = 20
"""The cache of a NIM holds the build in use and the one before it, and what the engine compiles."""


def nim_cache_gib(model: NimModelSettings) -> int | None:
    """Return the disk of each pod of a NIM, GiB; ``None`` where neither the setting nor the model's size tells."""
    known = find(model.model)
    if model.cache_gib is not None or known is None or known.weight_bytes is None:
        return model.cache_gib
    return math.ceil(_BUILDS * known.weight_bytes / GIB / 10) * 10 + _CACHE_ROOM_GIB


def split_of(model: VllmModel) -> Split:
    """Return how one replica of a model is split."""
    sizes = model.parallelism
    return Split(sizes.tensor, sizes.pipeline, sizes.data)


def ranks_of(split: Split, pool: AcceleratorPool) -> Split:
    """Return a split as vLLM counts it: in devices, of which a TPU7x chip shows two."""
    found = slice_of_pool(pool) if isinstance(pool, TpuPoolSettings) else None
    return split if found is None else replace(split, tensor=split.tensor * found.generation.devices_per_chip)


def stages_of(model: VllmServed) -> Iterator[tuple[str, VllmServed]]:
    """Yield the servers of a model, each as a model of its own: itself, and ``prefill`` where that is separate."""
    yield "", model
    if model.prefill is not None:
        sizes, pool = model.prefill.parallelism, model.prefill.pool
        own = {"replicas": model.prefill.replicas, "pool": pool or model.pool, "prefill": None}
        own |= {"parallelism": sizes, "gpus": None} if sizes is not None else {}
        yield "prefill", model.model_copy(update=own)


def pods_accelerators(model: VllmModel, pool: AcceleratorPool) -> int | None:
    """Return the accelerators of each pod: all of one replica where a node holds them, else a whole node."""
    per_node = accelerators_per_node(pool)
    if model.gpus is not None:
        return model.gpus
    return min(split_of(model).devices, per_node) if per_node else None


def nodes_per_replica(model: VllmModel, pool: AcceleratorPool) -> int:
    """Return the pods, one a node, of one replica."""
    per_pod = pods_accelerators(model, pool) or 1
    return max(1, -(-split_of(model).devices // per_pod))


def fit_of(
    model: VllmModel,
    known: Model,
    pool: AcceleratorPool,
    *,
    device: Device | None = None,
    split: Split | None = None,
) -> Fit | None:
    """Return the memory sum of a model on a pool, or on another device or split; ``None`` where it is not known."""
    split = split or split_of(model)
    if device is None:
        device, split = device_of(pool), ranks_of(split, pool)
    if device is None:
        return None
    return fit(
        known,
        device,
        split,
        context=model.context_length,
        utilization=model.memory_utilization,
        cache_bytes_per_element=1.0 if model.kv_cache_dtype == "fp8" else 2.0,
    )


def image_version(image: str) -> tuple[str, str | None, str | None]:
    """Return repository, tag and digest of an image reference."""
    rest, _, digest = image.partition("@")
    slash = rest.rfind("/")
    name, colon, tag = rest[slash + 1 :].partition(":")
    return rest[: slash + 1] + name, tag if colon else None, digest or None
