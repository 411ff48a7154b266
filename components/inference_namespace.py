"""InferenceNamespace: where models, pickers and routes live, with the secrets that they read.

Owns: the namespace, and copies of Secret Manager versions as Kubernetes Secrets, secret from the first line, also in
the form that pulls images.
Leaves alone: the secrets in Secret Manager, which outlive the stack.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import pulumi
import pulumi_gcp as gcp

from components._kubernetes import create, create_namespace
from inference.blueprint import NAMESPACE, Blueprint
from inference.facts import nim
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
    pull_secrets: Mapping[str, SecretSource]
    """Copies that pull images from NVIDIA's registry, by the name of the Kubernetes Secret."""
    after: Sequence[pulumi.Resource] = ()
    """What must be there before Secret Manager is asked."""

    @classmethod
    def of(cls, plan: Blueprint, after: Sequence[pulumi.Resource]) -> Self:
        """Return the arguments of a stack."""
        project = plan.settings.cluster.project
        return cls(project=project, secrets=plan.secrets, pull_secrets=plan.pull_secrets, after=after)


class InferenceNamespace(pulumi.ComponentResource):
    """Creates a namespace and one Secret for each copy."""

    def __init__(self, name: str, args: InferenceNamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, {"secrets": sorted({**args.secrets, **args.pull_secrets})}, opts)
        namespace = create_namespace(self, f"{name}-namespace", NAMESPACE)
        self._after = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        for secret, (key, source) in args.secrets.items():
            self._copy(f"{name}-{secret}", secret, "Opaque", {key: self._read(args, source)}, source)
        for secret, source in args.pull_secrets.items():
            login = self._read(args, source).apply(_login)
            content = {".dockerconfigjson": login}
            self._copy(f"{name}-{secret}", secret, "kubernetes.io/dockerconfigjson", content, source)
        self.register_outputs({"namespace": NAMESPACE})

    def _read(self, args: InferenceNamespaceArgs, source: SecretSource) -> pulumi.Output[str]:
        found = gcp.secretmanager.get_secret_version_access_output(
            project=args.project,
            secret=source.secret,
            version=source.version,
            opts=pulumi.InvokeOutputOptions(parent=self, depends_on=list(args.after)),
        )
        return pulumi.Output.secret(found.secret_data)

    def _copy(
        self, name: str, secret: str, kind: str, values: Mapping[str, pulumi.Output[str]], source: SecretSource
    ) -> None:
        # Previews and reviews hide the content: that it is copied from elsewhere now would be seen nowhere.
        meta = metadata(secret, annotations={"gke-inference/source": source.path})
        create(name, object_("v1", "Secret", meta, type=kind, stringData=dict(values)), self._after)


def _login(key: str) -> str:
    """Return the login of a key of NGC, as a container runtime reads it."""
    pair = base64.b64encode(f"{nim.REGISTRY_USER}:{key}".encode()).decode()
    return json.dumps({"auths": {nim.REGISTRY: {"username": nim.REGISTRY_USER, "password": key, "auth": pair}}})
