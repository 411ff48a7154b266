"""What every pool of accelerators takes from its stack and its cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import pulumi

from components.inference_cluster import InferenceCluster
from inference.blueprint import Blueprint

__all__ = ["PoolHome"]


@dataclass(frozen=True, kw_only=True)
class PoolHome:
    """The cluster of a pool, and what it means for the pool."""

    cluster: pulumi.Input[str]
    """ID of the cluster."""
    location: str
    """Zone or region of the cluster."""
    region: str
    node_identity: pulumi.Input[str]
    """Email of the nodes' service account."""
    project: str
    locked: bool
    """Whether deletion and replacement are refused."""
    after: Sequence[pulumi.Resource] = ()
    """What must outlive the pool besides its inputs."""

    @classmethod
    def of(cls, plan: Blueprint, cluster: InferenceCluster) -> Self:
        """Return the home of the pools of a stack."""
        return cls(
            cluster=cluster.cluster.id,
            location=plan.settings.cluster.location,
            region=plan.region,
            node_identity=cluster.node_identity,
            project=plan.settings.cluster.project,
            locked=plan.locked,
            after=[cluster.system_pool],
        )
