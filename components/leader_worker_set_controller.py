"""LeaderWorkerSetController: makes groups of pods out of LeaderWorkerSets.

Owns: its namespace and Helm release, pinned. Leaves alone: the definitions on upgrade, which Helm never touches
(they lie in the chart's crds/ folder); docs/operations.md says how to upgrade them.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.helm.v3 import Release

from components._charts import install_apart
from inference.facts.versions import COMPONENTS

__all__ = ["LeaderWorkerSetController", "LeaderWorkerSetControllerArgs"]

TOKEN = "gke-inference:index:LeaderWorkerSetController"  # noqa: S105 - a type token
_NAMESPACE = "lws-system"


@dataclass(frozen=True, kw_only=True)
class LeaderWorkerSetControllerArgs:
    """What the component is made of."""

    replicas: int = 1
    """Copies of the controller; one works, the others stand by."""


class LeaderWorkerSetController(pulumi.ComponentResource):
    """Creates a namespace and a Helm release."""

    release: Release
    """The release; whatever is a LeaderWorkerSet depends on it."""

    def __init__(
        self, name: str, args: LeaderWorkerSetControllerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        chart = COMPONENTS["lws"]
        super().__init__(TOKEN, name, {"version": chart.version, "replicas": args.replicas}, opts)
        self.release = install_apart(
            self, name, chart, release="lws", namespace=_NAMESPACE, values={"replicaCount": args.replicas}
        )
        self.register_outputs({"version": chart.version})
