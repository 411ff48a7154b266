"""A whole stack file as one typed value."""

from __future__ import annotations

from pydantic import Field

from inference.settings.cluster import ClusterSettings
from inference.settings.costs import CostSettings
from inference.settings.gateway import GatewaySettings
from inference.settings.pools import AcceleratorPool
from inference.settings.served import ServedModel
from inference.settings.vocabulary import DnsLabel, Section

__all__ = ["NAMESPACE", "SECTIONS", "StackSettings"]

NAMESPACE = "gke-inference"
"""Namespace of the project's keys in Pulumi's configuration; equal to the project's name."""


class StackSettings(Section):
    """What should run. How follows from the facts."""

    cluster: ClusterSettings
    """The cluster."""
    pools: dict[DnsLabel, AcceleratorPool] = Field(default={})
    """Accelerator pools by name."""
    models: dict[DnsLabel, ServedModel] = Field(default={})
    """Models by name."""
    gateway: GatewaySettings | None = None
    """The gateway; left out, the models are reachable inside the cluster only."""
    costs: CostSettings | None = None
    """Budgets, agreed prices and measured throughput; left out, list prices count and there is no budget."""


SECTIONS = tuple(StackSettings.model_fields)
"""The configuration keys, each an object."""
