"""ModelIdentity: who the pods of a model are, and what they may read.

Owns: the Kubernetes service account, and its right to read the bucket with the weights through workload identity.
Leaves alone: the bucket, which is filled once and outlives the stack.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from components._kubernetes import create
from inference.blueprint import NAMESPACE, ModelPlan
from inference.manifests.servers import service_account
from inference.settings.models import BucketWeights

__all__ = ["ModelIdentity", "ModelIdentityArgs"]

TOKEN = "gke-inference:index:ModelIdentity"  # noqa: S105 - a type token


@dataclass(frozen=True, kw_only=True)
class ModelIdentityArgs:
    """What the component is made of."""

    model: ModelPlan
    project: str


class ModelIdentity(pulumi.ComponentResource):
    """Creates a service account, and a bucket binding where the weights are in a bucket."""

    def __init__(self, name: str, args: ModelIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TOKEN, name, {"model": args.model.name, "source": args.model.settings.weights.source}, opts)
        child = pulumi.ResourceOptions(parent=self)
        create(f"{name}-account", service_account(args.model), child)
        if isinstance(args.model.settings.weights, BucketWeights):
            project = gcp.organizations.get_project_output(
                project_id=args.project, opts=pulumi.InvokeOutputOptions(parent=self)
            )
            pool = f"locations/global/workloadIdentityPools/{args.project}.svc.id.goog"
            subject = f"subject/ns/{NAMESPACE}/sa/{args.model.service_account}"
            gcp.storage.BucketIAMMember(
                f"{name}-weights",
                bucket=args.model.settings.weights.bucket,
                role="roles/storage.objectViewer",
                member=project.number.apply(
                    lambda number: f"principal://iam.googleapis.com/projects/{number}/{pool}/{subject}"
                ),
                opts=child,
            )
        self.register_outputs({})
