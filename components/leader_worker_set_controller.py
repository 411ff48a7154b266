"""LeaderWorkerSetController: makes groups of pods out of LeaderWorkerSets.

Owns: its namespace and Helm release, pinned. Leaves alone: the definitions on upgrade, which Helm never touches
(they lie in the chart's crds/ folder); docs/operations.md says how to upgrade them.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.helm.v3 import Release

from components._kubernetes import create
from inference.facts.versions import COMPONENTS
from inference.manifests.objects import metadata, object_

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
        namespace = create(
            f"{name}-namespace",
            object_("v1", "Namespace", metadata(_NAMESPACE, namespace=None)),
            pulumi.ResourceOptions(parent=self),
        )
        self.release = Release(
            f"{name}-release",
            name="lws",
            chart=chart.artifact,
            version=chart.version,
            namespace=_NAMESPACE,
            atomic=True,
            timeout=600,
            values={"replicaCount": args.replicas},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[namespace]),
        )
        self.register_outputs({"version": chart.version})
