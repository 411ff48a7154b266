"""Which declared cluster the Kubernetes objects of a program go to."""

from __future__ import annotations

from inference.rules.views.cloud import Cluster
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack

__all__ = ["cluster_of"]

_OTHER_CLOUDS = ("aws:", "eks:", "awsx:", "azure:", "azure-native:", "digitalocean:")


def cluster_of(stack: Stack, resource: Resource) -> Cluster | None:
    """Return the cluster that an object goes to, ``None`` where that is not to be told.

    The one that it depends on, through its provider as a rule; else the only one of the program.
    """
    clusters = stack.view(_clusters)
    if len(clusters) == 1 and not stack.view(_other_clouds):
        return clusters[0]
    reached = [cluster for cluster in clusters if stack.depends(resource, cluster.resource)]
    return reached[0] if len(reached) == 1 else None


def _clusters(stack: Stack) -> tuple[Cluster, ...]:
    return tuple(stack.each(Cluster))


def _other_clouds(stack: Stack) -> bool:
    return any(resource.type.startswith(_OTHER_CLOUDS) for resource in stack.resources)
