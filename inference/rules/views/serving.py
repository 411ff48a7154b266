"""Where model servers run: what completes their pods, and which accelerators hold their model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from inference.facts import gke
from inference.facts.controllers import KSERVE_GROUP
from inference.facts.gpus import GPUS, Gpu
from inference.facts.tpus import generation_of_accelerator
from inference.rules.views.engines import image_name
from inference.rules.views.fleet import Fleet, Site, Sites
from inference.rules.views.placement import Placement
from inference.rules.views.pods import Container, PodTemplate
from inference.rules.views.servers import ModelServer
from inference.rules.views.shell import Script
from inference.rules.views.stack import Stack

__all__ = [
    "NEWEST",
    "Accelerator",
    "accelerators_of",
    "at_least",
    "completed_elsewhere",
    "own_accelerator",
    "server_in",
    "sites_of",
    "upstream",
    "variables_in_force",
    "version_of",
]

NEWEST = (9999, 0, 0)
"""Stands for the version of a tag that moves, such as ``latest``."""

_NOWHERE = Sites()
_COMPLETED = frozenset({KSERVE_GROUP, "ray.io", "serving.knative.dev"})


def server_in(container: Container) -> ModelServer | None:
    """Return the model server that a container is."""
    servers = container.pod.object.resource.view(ModelServer.of)
    return next((server for server in servers if server.container is container), None)


def variables_in_force(container: Container) -> dict[str, str]:
    """Return the known values of all variables: declared, set by the container's script, set for its server."""
    script, server = Script.of(container), server_in(container)
    found = {**script.environment, **script.assignments, **(server.environment if server else {})}
    return {name: str(value) for name, value in found.items() if value.known}


def upstream(server: ModelServer) -> bool:
    """Whether the image is vLLM's own for GPUs, or a copy of it under the same name."""
    return server.engine == "vllm" and image_name(server.container.image).rpartition("/")[2] == "vllm-openai"


def version_of(server: ModelServer) -> tuple[int, int, int] | None:
    """Return the version of vLLM as the image's tag tells it; ``NEWEST`` for a tag that moves with the releases."""
    if server.image_version is not None or not upstream(server):
        return server.image_version
    image = server.container.image or ""
    tag = image.rpartition("/")[2].partition(":")[2]
    return NEWEST if "@" not in image and tag in ("", "latest", "nightly", "main") else None


_LLM_D = re.compile(r"llm-d(?:-cuda|-gke|-aws|-dev)*")
_LLM_D_TAG = re.compile(r"v(\d{1,3})\.(\d{1,3})\b.*")


def at_least(server: ModelServer) -> tuple[int, int, int] | None:
    """Return a version of vLLM that the image certainly reaches.

    Images of llm-d carry a number of their own; from their 0.8 on they hold vLLM 0.17.1 or newer
    (https://github.com/llm-d/llm-d/issues/1063).
    """
    name, _, tag = (server.container.image or "").partition("@")[0].rpartition("/")[2].partition(":")
    match = _LLM_D_TAG.fullmatch(tag) if server.engine == "vllm" and _LLM_D.fullmatch(name) else None
    if match is not None and (int(match[1]), int(match[2])) >= (0, 8):
        return (0, 17, 1)
    return version_of(server)


def completed_elsewhere(pod: PodTemplate) -> bool:
    """Whether a controller fills in probes, volumes and more, so that what is not written is not therefore missing."""
    return pod.object.group in _COMPLETED or pod.object.resource.type.endswith("Patch")


@dataclass(frozen=True, slots=True)
class Accelerator:
    """The accelerator under a model."""

    name: str
    memory_gib: float
    gpu: Gpu | None = None
    """What is known of it where it is a GPU."""
    site: Site | None = None
    """The node pool that tells it; ``None`` where the pod's own selector does."""


def _gpu(kind: str | None, site: Site | None = None) -> Accelerator | None:
    gpu = GPUS.get(kind or "")
    return Accelerator(gpu.name, gpu.memory_gib, gpu, site) if gpu else None


def own_accelerator(pod: PodTemplate) -> Accelerator | None:
    """Return the accelerator that a pod's own selector names."""
    placements = pod.object.resource.view(Placement.of)
    placement = next((p for p in placements if p.pod is pod), None)
    if placement is None:
        return None
    if placement.gpus:
        return _gpu(placement.asks(gke.ACCELERATOR_LABEL))
    if placement.tpus and (label := placement.asks(gke.TPU_ACCELERATOR_LABEL)):
        generation = generation_of_accelerator(label)
        return Accelerator(f"TPU {generation.name}", generation.hbm_gib) if generation else None
    return None


def sites_of(stack: Stack, pod: PodTemplate) -> Sites:
    """Return the node pools on which a pod runs, as its selectors say; empty where that is not certain."""
    placement = next((p for p in pod.object.resource.view(Placement.of) if p.pod is pod), None)
    if placement is None or not placement.settled or placement.compute_class:
        return _NOWHERE
    scope = stack.view(Fleet).around(placement)
    if scope is None or not (placement.gpus or placement.tpus):
        return _NOWHERE
    sites = scope.candidates(placement).told(_of_size, placement.gpus or placement.tpus)
    return sites if scope.complete or sites.told(_declared, *_names(placement)) else _NOWHERE


def _of_size(sites: Sites, accelerators: int) -> Sites:
    return Sites(site for site in sites if site.units is None or site.units >= accelerators)


def _names(placement: Placement) -> Iterator[tuple[str, str | None]]:
    """Yield the labels that a pod names, with the one value that it asks for."""
    for key in sorted(placement.keys):
        yield key, placement.asks(key)


def _declared(sites: Sites, *names: tuple[str, str | None]) -> bool:
    """Whether a pod names one of the pools, or a label that one of them declares."""
    return any(
        (key == gke.NODE_POOL_LABEL and site.pool.name is not None and value == site.pool.name)
        or (key in site.pool.labels and site.pool.labels[key] == value)
        for site in sites
        for key, value in names
    )


def accelerators_of(stack: Stack, pod: PodTemplate) -> tuple[Accelerator, ...]:
    """Return the accelerators that a pod may get by its node pools; none where one of the pools is not known."""
    return sites_of(stack, pod).told(_accelerators)


def _accelerators(sites: Sites) -> tuple[Accelerator, ...]:
    found: dict[str, Accelerator] = {}
    for site in sites:
        accelerator = _of_site(site)
        if accelerator is None:
            return ()
        found.setdefault(accelerator.name, accelerator)
    return tuple(found.values())


def _of_site(site: Site) -> Accelerator | None:
    if site.accelerator == gke.TPU_RESOURCE and site.generation is not None:
        return Accelerator(f"TPU {site.generation.name}", site.generation.hbm_gib, None, site)
    if site.accelerator == gke.GPU_RESOURCE and not site.shared:
        return _gpu(site.pool.gpu_type, site)
    return None
