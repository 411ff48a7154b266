"""NimModel: a model that an NVIDIA NIM serves to clients inside the cluster.

Owns: the StatefulSet with a disk for each pod, the class of those disks, its Services, its identity and its scrape
target. Leaves alone: nodes, and the secrets that pull the image and download the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components import _options
from components._kubernetes import create
from inference.blueprint import NimPlan
from inference.manifests import nim

__all__ = ["NimModel", "NimModelArgs"]

TOKEN = "gke-inference:index:NimModel"  # noqa: S105 - a type token


@dataclass(frozen=True, kw_only=True)
class NimModelArgs:
    """What the component is made of."""

    model: NimPlan
    after: Sequence[pulumi.Resource] = ()
    """What must be there before, and outlive, the pods."""


class NimModel(pulumi.ComponentResource):
    """Creates a StatefulSet and five objects around it."""

    def __init__(self, name: str, args: NimModelArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        model = args.model
        props = {"model": model.settings.model, "accelerators": model.settings.gpus}
        super().__init__(TOKEN, name, {**props, "replicas": model.settings.replicas}, opts)
        early = pulumi.ResourceOptions(parent=self, depends_on=list(args.after))
        before = [
            create(f"{name}-account", nim.service_account(model), early),
            create(f"{name}-disks", nim.storage_class(model), early),
            create(f"{name}-pods", nim.headless_service(model), early),
        ]
        workload = create(
            f"{name}-server",
            nim.stateful_set(model),
            _options.loading_workload(
                self, budget_seconds=model.startup.budget_seconds, depends_on=[*args.after, *before]
            ),
        )
        after = pulumi.ResourceOptions(parent=self, depends_on=[workload])
        create(f"{name}-service", nim.service(model), after)
        create(f"{name}-metrics", nim.pod_monitoring(model), after)
        self.register_outputs({"service": model.service})
