"""Whether a program brings the NVIDIA driver to its nodes itself."""

from __future__ import annotations

from collections.abc import Iterator

from inference.rules.views.installers import installed, manifest_addresses
from inference.rules.views.pods import Container
from inference.rules.views.stack import Stack

__all__ = ["installs_driver"]

_MARKS = ("gpu-operator", "driver-installer", "nvidia-driver", "nvidia-gpu-driver")
"""What the names, images and addresses of drivers' installers have in common."""


def installs_driver(stack: Stack) -> bool:
    """Whether a chart, file or DaemonSet of the program installs a GPU driver."""
    found = installed(stack)
    if "GPU Operator" in found.controllers or stack.objects("ClusterPolicy", "nvidia.com"):
        return True
    return any(mark in text for text in _texts(stack) for mark in _MARKS)


def _texts(stack: Stack) -> Iterator[str]:
    for resource in stack.resources:
        if resource.type.startswith(("kubernetes:yaml", "kubernetes:helm.sh/", "kubernetes:kustomize")):
            yield " ".join((resource.name, *manifest_addresses(resource)))
    for container in stack.each(Container):
        if container.pod.object.kind == "DaemonSet":
            yield f"{container.pod.object.name} {container.name} {container.image}"
