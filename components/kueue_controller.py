"""KueueController: lets a workload wait until the nodes for it are there.

Owns: its namespace and Helm release, pinned, with the definitions. Leaves alone: the queues, which belong to pools
(ProvisioningQueue), and every namespace but that of the models.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.helm.v3 import Release

from components._charts import install_apart
from inference.facts.versions import COMPONENTS
from inference.manifests.provisioning_queue import controller_values

__all__ = ["KueueController", "KueueControllerArgs"]

TOKEN = "gke-inference:index:KueueController"  # noqa: S105 - a type token
_NAMESPACE = "kueue-system"


@dataclass(frozen=True, kw_only=True)
class KueueControllerArgs:
    """What the component is made of."""

    replicas: int = 1
    """Copies of the controller; one decides, the others answer webhooks and stand by."""


class KueueController(pulumi.ComponentResource):
    """Creates a namespace and a Helm release, which is there only when its webhooks answer."""

    release: Release
    """The release; whatever is a queue depends on it."""

    def __init__(self, name: str, args: KueueControllerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        chart = COMPONENTS["kueue"]
        super().__init__(TOKEN, name, {"version": chart.version, "replicas": args.replicas}, opts)
        self.release = install_apart(
            self, name, chart, release="kueue", namespace=_NAMESPACE, values=controller_values(args.replicas)
        )
        self.register_outputs({"version": chart.version})
