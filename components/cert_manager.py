"""CertManager: issues the certificates of webhooks.

Owns: its namespace and Helm release, pinned, with the definitions. Leaves alone: issuers and certificates, which belong
to whoever wants them.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.helm.v3 import Release

from components._charts import install_apart
from inference.facts.versions import COMPONENTS

__all__ = ["CertManager", "CertManagerArgs"]

TOKEN = "gke-inference:index:CertManager"  # noqa: S105 - a type token
_NAMESPACE = "cert-manager"


@dataclass(frozen=True, kw_only=True)
class CertManagerArgs:
    """What the component is made of."""

    replicas: int = 1
    """Copies of the controller and of its webhook; one controller works, the others stand by."""


class CertManager(pulumi.ComponentResource):
    """Creates a namespace and a Helm release, which is there only when its webhook answers."""

    release: Release
    """The release; whatever has a certificate depends on it."""

    def __init__(self, name: str, args: CertManagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        chart = COMPONENTS["cert-manager"]
        super().__init__(TOKEN, name, {"version": chart.version, "replicas": args.replicas}, opts)
        self.release = install_apart(
            self,
            name,
            chart,
            release="cert-manager",
            namespace=_NAMESPACE,
            values={
                "crds": {"enabled": True},
                "replicaCount": args.replicas,
                "webhook": {"replicaCount": args.replicas},
                "global": {"leaderElection": {"namespace": _NAMESPACE}},
            },
        )
        self.register_outputs({"version": chart.version})
