"""Libraries in a GPU container: where the loader looks, and whether it finds the driver there.

GKE mounts the driver of the node at /usr/local/nvidia. Images made for GPUs name that directory in LD_LIBRARY_PATH;
whoever sets the variable, or takes a plain image, has to name it again. A directory that is misspelt or belongs to
another processor is passed over in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from inference.facts.gke import (
    ACCELERATOR_LABEL,
    ARCH_LABEL,
    CONTAINER_NVIDIA,
    DRIVER_LIBRARY_PATH,
    GPU_RESOURCE,
    HOST_NVIDIA,
)
from inference.facts.machines import MACHINES
from inference.rules.framework import About, Severity, rule
from inference.rules.views.engines import image_name
from inference.rules.views.fleet import Fleet
from inference.rules.views.placement import Placement
from inference.rules.views.pods import Container
from inference.rules.views.resources import Resource
from inference.rules.views.shell import Script
from inference.rules.views.stack import Stack

_GKE_GPUS = "https://cloud.google.com/kubernetes-engine/docs/how-to/gpus"
_FROM_SCRATCH = "https://github.com/maci0/gke-inference-from-scratch/commit"

_ARCH_OF = {m.accelerator: m.arch for m in MACHINES.values() if m.accelerator}
_PLAIN_IMAGES = frozenset({"python", "ubuntu", "debian", "rockylinux", "fedora", "continuumio/miniconda3"})
"""Base images without CUDA, whose environment does not name the directory of the driver."""


def _placement(resource: Resource, container: Container) -> Placement | None:
    return next((p for p in resource.view(Placement.of) if p.pod is container.pod), None)


_TRIPLE = re.compile(r"/([A-Za-z0-9_-]{1,40}?)-linux-gnu(?![A-Za-z0-9_])")
_ARCHES = {"x86_64": "amd64", "aarch64": "arm64"}
_OTHER_ARCHES = frozenset({"i386", "i686", "powerpc64le", "ppc64le", "s390x", "riscv64", "arm", "mips64el"})


def _known(architecture: str) -> bool:
    last = architecture.rpartition("-")[2]
    return last in _ARCHES or last in _OTHER_ARCHES


def _library_paths(container: Container) -> dict[str, str]:
    """Return the library paths that a container sets, by variable: the script's last word, else the declared one."""
    script = Script.of(container)
    found = dict(container.environment)
    found.update({name: str(value) for name, value in script.assignments.items()})
    return {name: value for name, value in found.items() if "/" in value}


@rule(
    "gpu-library-path-spelled",
    title="Library directories name the architecture of the node, spelled right",
    breaks="The loader passes over a directory that does not exist: libnccl-net or libibverbs is not found, and NCCL "
    "falls back to sockets without a word.",
    fix="Write /usr/lib/x86_64-linux-gnu, or /usr/lib/aarch64-linux-gnu on A4X.",
    source=f"{_FROM_SCRATCH}/14df792",
    severity=Severity.HIGH,
    covers=("RDMA-010",),
    on=Container,
)
def library_path_is_spelled(container: Container) -> Iterator[str]:
    placement = _placement(container.pod.object.resource, container)
    arch = None
    if placement is not None:
        arch = placement.asks(ARCH_LABEL) or _ARCH_OF.get(placement.asks(ACCELERATOR_LABEL) or "")
    for name, value in _library_paths(container).items():
        triples = [found.rpartition("-")[2] if _known(found) else found for found in _TRIPLE.findall(value)]
        for wrong in dict.fromkeys(t for t in triples if not _known(t)):
            yield (
                f'{container} names the directory "{wrong}-linux-gnu" in {name}; there is no such architecture, the '
                "loader finds nothing there, and NCCL falls back to sockets. Write x86_64-linux-gnu, or "
                "aarch64-linux-gnu on Arm nodes."
            )
    yield from _of_another_architecture(container, arch)


def _of_another_architecture(container: Container, arch: str | None) -> Iterator[str]:
    triples = _TRIPLE.findall(_library_paths(container).get("LD_LIBRARY_PATH", ""))
    named = {_ARCHES[last] for found in triples if (last := found.rpartition("-")[2]) in _ARCHES}
    right = next((triple for triple, value in _ARCHES.items() if value == arch), None)
    if right and named and arch not in named:
        yield (
            f"{container} runs on {arch} nodes and names libraries of {', '.join(sorted(named))} in LD_LIBRARY_PATH; "
            f"the loader passes over them. Write /usr/lib/{right}-linux-gnu."
        )


@rule(
    "gpu-library-path-pool",
    title="Library directories name the architecture of the pool that a pod runs on",
    breaks="The loader passes over the directories of another processor: the plugin is not found, and NCCL falls back "
    "to sockets without a word.",
    fix="Write /usr/lib/aarch64-linux-gnu for pods on A4X, /usr/lib/x86_64-linux-gnu elsewhere.",
    source=f"{_FROM_SCRATCH}/14df792",
    severity=Severity.HIGH,
    covers=("RDMA-010",),
)
def library_path_fits_pool(stack: Stack) -> Iterator[About]:
    fleet = stack.view(Fleet)
    for placement in stack.each(Placement):
        told = placement.asks(ARCH_LABEL) or placement.asks(ACCELERATOR_LABEL)
        scope = fleet.around(placement) if placement.gpus and not told else None
        machines = [site.pool.machine for site in scope.candidates(placement)] if scope is not None else []
        arches = {machine.arch if machine is not None else None for machine in machines}
        if len(arches) == 1 and (arch := arches.pop()) is not None:
            for container in placement.pod.all_containers:
                for sentence in _of_another_architecture(container, arch):
                    yield About(placement.pod.object.resource, sentence)


@rule(
    "gpu-driver-libraries",
    title="A GPU container that sets LD_LIBRARY_PATH keeps the driver's directory in it",
    breaks="GKE mounts the driver at /usr/local/nvidia, and only this variable makes the loader look there. The "
    "server starts and sees no GPU: 'No platform detected', 'Device string must not be empty', "
    "torch.cuda.is_available() False.",
    fix="Put /usr/local/nvidia/lib64 into LD_LIBRARY_PATH, before the libraries of CUDA.",
    source=_GKE_GPUS,
    severity=Severity.HIGH,
    covers=("VLLM-031",),
    on=Container,
)
def driver_libraries_are_reachable(container: Container) -> Iterator[str]:
    placement = _placement(container.pod.object.resource, container)
    if not container.requested(GPU_RESOURCE) or placement is None or not placement.settled:
        return
    script = Script.of(container)
    value = script.assignments.get("LD_LIBRARY_PATH", script.environment.get("LD_LIBRARY_PATH"))
    if not script.complete or script.mentions(f"{CONTAINER_NVIDIA}/"):
        return
    if value is None:
        yield from _plain_image(container)
        return
    if not value.known or "$" in value:
        return
    parts = [part.rstrip("/") for part in value.split(":")]
    if not any(part in _driver_places(container) for part in parts):
        yield (
            f'{container} sets LD_LIBRARY_PATH to "{value}", without the directory of the GPU driver; the server finds '
            f"no GPU and does not start. Write LD_LIBRARY_PATH={':'.join([DRIVER_LIBRARY_PATH, *filter(None, parts)])}."
        )


def _plain_image(container: Container) -> Iterator[str]:
    """Yield a container whose image was made without a GPU in mind, and that is not told where the driver is."""
    name = image_name(container.image).removeprefix("docker.io/").removeprefix("library/")
    if name in _PLAIN_IMAGES and container.props.known("env") and container.props.absent("envFrom"):
        yield (
            f"{container} runs {container.image}, an image that does not know where GKE mounts the GPU driver; the "
            f"server finds no GPU and does not start. Set LD_LIBRARY_PATH={DRIVER_LIBRARY_PATH}."
        )


def _driver_places(container: Container) -> set[str]:
    """Return the directories in which the driver's libraries are mounted."""
    volumes = {
        volume.text("name"): (volume.text("hostPath", "path") or "").rstrip("/")
        for volume in container.pod.spec.sections("volumes")
    }
    places = {DRIVER_LIBRARY_PATH}
    for mount in container.props.sections("volumeMounts"):
        host, place = volumes.get(mount.text("name"), ""), (mount.text("mountPath") or "").rstrip("/")
        if host == HOST_NVIDIA:
            places.add(f"{place}/lib64")
        elif host.startswith(f"{HOST_NVIDIA}/"):
            places.add(place)
    return places
