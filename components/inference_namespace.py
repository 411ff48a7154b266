"""InferenceNamespace: where models, pickers and routes live, with the secrets that they read.

Owns: the namespace, and copies of Secret Manager versions as Kubernetes Secrets, secret from the first line.
Leaves alone: the secrets in Secret Manager, which outlive the stack.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components._kubernetes import create
from inference.blueprint import NAMESPACE
from inference.manifests.objects import metadata, object_
from inference.settings.secrets import SecretSource

__all__ = ["InferenceNamespace", "InferenceNamespaceArgs"]

TOKEN = "gke-inference:index:InferenceNamespace"  # noqa: S105 - a type token


@dataclass(frozen=True, kw_only=True)
class InferenceNamespaceArgs:
    """What the component is made of."""

    project: str
    secrets: Mapping[str, tuple[str, SecretSource]]
    """Copies to make: key and Secret Manager version, by the name of the Kubernetes Secret."""
    after: Sequence[pulumi.Resource] = ()
    """What must be there before Secret Manager is asked."""


class InferenceNamespace(pulumi.ComponentResource):
    """Creates a namespace and one Secret for each copy."""

    def __init__(self, name: str, args: InferenceNamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, {"secrets": sorted(args.secrets)}, opts)
        namespace = create(
            f"{name}-namespace",
            object_("v1", "Namespace", metadata(NAMESPACE, namespace=None)),
            pulumi.ResourceOptions(parent=self),
        )
        for secret, (key, source) in args.secrets.items():
            found = gcp.secretmanager.get_secret_version_access_output(
                project=args.project,
                secret=source.secret,
                version=source.version,
                opts=pulumi.InvokeOutputOptions(parent=self, depends_on=list(args.after)),
            )
            create(
                f"{name}-{secret}",
                object_(
                    "v1",
                    "Secret",
                    metadata(secret),
                    type="Opaque",
                    stringData={key: pulumi.Output.secret(found.secret_data)},
                ),
                pulumi.ResourceOptions(parent=self, depends_on=[namespace]),
            )
        self.register_outputs({"namespace": NAMESPACE})
