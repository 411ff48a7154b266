"""Arm nodes: A4X and A4X Max have Grace CPUs, on which images for x86 do not start.

The GPU is the one people know, the CPU beside it is not. An image without an arm64 build is pulled, and its container
ends at once with 'exec format error', on the dearest node of the cluster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from inference.facts.gke import ACCELERATOR_LABEL, ARCH_LABEL
from inference.facts.machines import MACHINES
from inference.rules.framework import About, Severity, rule
from inference.rules.views.fleet import Fleet
from inference.rules.views.placement import Placement
from inference.rules.views.stack import Stack

_A4X = "https://docs.cloud.google.com/ai-hypercomputer/docs/create/gke-ai-hypercompute-custom-a4x"

_FOR_ARM = re.compile(r"(?:^|[-_./:])(?:arm64|aarch64)(?:[-_./:@]|$)")
_FOR_X86 = re.compile(r"(?:^|[-_./:])(?:amd64|x86[-_]64|x86)(?:[-_./:@]|$)|/nccl-plugin-gib(?:-diagnostic)?(?:[:@]|$)")
"""Images that say for which CPU they are built; the gIB plugin is built for x86 where its name does not say arm64."""


@rule(
    "scheduling-image-fits-architecture",
    title="An image is built for the CPU of the nodes that run it",
    breaks="The container ends at once with 'exec format error' and restarts forever.",
    fix="Use the image for arm64, or one that is built for both, on A4X; the one for amd64 elsewhere.",
    source=_A4X,
    severity=Severity.HIGH,
)
def image_fits_architecture(stack: Stack) -> Iterator[About]:
    fleet = stack.view(Fleet)
    for placement in stack.each(Placement):
        arch = _architecture(fleet, placement)
        wrong = {"arm64": _FOR_X86, "amd64": _FOR_ARM}.get(arch or "")
        if wrong is None:
            continue
        for container in placement.pod.all_containers:
            if wrong.search(container.image or ""):
                yield About(
                    placement.pod.object.resource,
                    f"{container} runs {container.image} on {arch} nodes, for which it is not built; it ends with "
                    f"'exec format error'. Use the image for {arch}.",
                )


def _architecture(fleet: Fleet, placement: Placement) -> str | None:
    """Return the CPU architecture of the nodes, where they all have the same and something asks for it."""
    if (asked := placement.asks(ARCH_LABEL)) is not None:
        return asked
    gpu = placement.asks(ACCELERATOR_LABEL)
    kinds = {machine.arch for machine in MACHINES.values() if gpu and machine.accelerator == gpu}
    if not kinds and placement.settled and placement.keys:
        scope = fleet.around(placement)
        sites = scope.candidates(placement) if scope is not None else ()
        known = all(site.pool.machine is not None for site in sites)
        kinds = {site.pool.machine.arch for site in sites if site.pool.machine} if known else set()
    return kinds.pop() if len(kinds) == 1 else None
