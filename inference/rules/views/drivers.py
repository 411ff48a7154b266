"""Whether a program brings the NVIDIA driver to its nodes itself."""

from __future__ import annotations

from collections.abc import Iterator

from inference.rules.views.helm import HelmRelease
from inference.rules.views.pods import Container
from inference.rules.views.stack import Stack

__all__ = ["installs_driver"]

_MARKS = ("gpu-operator", "driver-installer", "nvidia-driver", "nvidia-gpu-driver")
"""What the names, images and addresses of drivers' installers have in common."""


def installs_driver(stack: Stack) -> bool:
    """Whether some chart, file or DaemonSet of the program installs a GPU driver."""
    return any(mark in text for text in _texts(stack) for mark in _MARKS)


def _texts(stack: Stack) -> Iterator[str]:
    for release in stack.each(HelmRelease):
        yield f"{release.chart} {release.reference} {release.name}"
    for resource in stack.resources:
        if resource.type.startswith(("kubernetes:yaml", "kubernetes:helm.sh/", "kubernetes:kustomize")):
            files = resource.props.texts("files") or (resource.props.text("files") or "",)
            yield " ".join(
                (resource.name, resource.props.text("file") or "", resource.props.text("directory") or "", *files)
            )
    for container in stack.each(Container):
        if container.pod.object.kind == "DaemonSet":
            yield f"{container.pod.object.name} {container.name} {container.image}"
    for thing in (
        *stack.objects("Application", "argoproj.io"),
        *stack.objects("HelmRelease", "helm.toolkit.fluxcd.io"),
    ):
        yield " ".join(
            text or ""
            for text in (
                thing.name,
                thing.spec.text("source", "chart"),
                thing.spec.text("source", "path"),
                thing.spec.text("chart", "spec", "chart"),
            )
        )
    for thing in stack.objects("ClusterPolicy", "nvidia.com"):
        yield f"gpu-operator {thing.name}"
