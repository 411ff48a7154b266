"""Resource options that must travel together, each bundle with its reason."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from inference.facts.fixed_fields import fixed_fields
from inference.manifests.objects import Manifest

__all__ = ["accelerator_pool", "cluster", "fixed_object", "loading_workload"]


def cluster(parent: pulumi.Resource, *, locked: bool) -> pulumi.ResourceOptions:
    """Return the options of a cluster.

    Replacing a cluster takes everything on it along, so it is protected where the stack is locked. The node count of
    the default pool, which is removed at once, never matters again; a change of it would replace the cluster.
    """
    return pulumi.ResourceOptions(
        parent=parent,
        protect=locked,
        ignore_changes=["initialNodeCount"],
        custom_timeouts=pulumi.CustomTimeouts(create="60m", update="120m", delete="60m"),
    )


def accelerator_pool(
    parent: pulumi.Resource, *, locked: bool, depends_on: Sequence[pulumi.Resource]
) -> pulumi.ResourceOptions:
    """Return the options of an accelerator pool.

    A replacement gives capacity back that may not come again: it is protected where the stack is locked, and deletes
    first where it is not, because a second pool of the same machines is not to be had meanwhile. Another machine type
    is such a replacement too: GKE would take it in place, past the lock, and give every node back on the way. The
    initial node count only matters at creation, and a change of it would replace the pool. Creation waits for capacity.
    """
    return pulumi.ResourceOptions(
        parent=parent,
        protect=locked,
        delete_before_replace=True,
        replace_on_changes=["nodeConfig.machineType"],
        ignore_changes=["initialNodeCount"],
        depends_on=list(depends_on),
        custom_timeouts=pulumi.CustomTimeouts(create="90m", update="240m", delete="60m"),
    )


def fixed_object(
    parent: pulumi.Resource, manifest: Manifest, *, depends_on: Sequence[pulumi.Resource] = ()
) -> pulumi.ResourceOptions:
    """Return the options of an object with fields that no update can change.

    The provider would send an update, and the API server refuse it. A new object has the same name, so the old one
    has to go first.
    """
    return pulumi.ResourceOptions(
        parent=parent,
        delete_before_replace=True,
        replace_on_changes=list(fixed_fields(manifest["apiVersion"], manifest["kind"])),
        depends_on=list(depends_on),
    )


def loading_workload(
    parent: pulumi.Resource, *, budget_seconds: int, depends_on: Sequence[pulumi.Resource] = ()
) -> pulumi.ResourceOptions:
    """Return the options of a workload that loads a model.

    It becomes ready after a node has come, an image of 10 GB was pulled and the weights were read; the engine's own
    limit of ten minutes would call that a failure.
    """
    minutes = budget_seconds // 60 + 45
    timeout = f"{minutes}m"
    return pulumi.ResourceOptions(
        parent=parent,
        depends_on=list(depends_on),
        custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout, delete="15m"),
    )
