"""KserveController: makes workloads and routes out of LLMInferenceServices.

Owns: its namespace and three Helm releases, pinned: the definitions, the controller with its webhooks, and the presets
that the controller lays objects over. Each waits for the one before: the presets pass through the webhook.
Leaves alone: cert-manager, which issues the webhook's certificate, and the InferencePool's definition, which is GKE's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.helm.v3 import Release

from components._charts import install
from components._kubernetes import create_namespace
from inference.blueprint import NAMESPACE
from inference.facts.controllers import KSERVE_NAMESPACE
from inference.facts.versions import COMPONENTS
from inference.manifests.gateway import GATEWAY_NAME

__all__ = ["KserveController", "KserveControllerArgs"]

TOKEN = "gke-inference:index:KserveController"  # noqa: S105 - a type token

_VALUES: Mapping[str, Mapping[str, Any]] = {
    "kserve-llmisvc-crd": {},
    "kserve-llmisvc-resources": {
        "kserve": {
            "llmisvc": {"createGIECRDs": False, "controller": {"imagePullPolicy": "IfNotPresent"}},
            "controller": {"gateway": {"ingressGateway": {"kserveGateway": f"{NAMESPACE}/{GATEWAY_NAME}"}}},
        }
    },
    "kserve-runtime-configs": {"kserve": {"llmisvcConfigs": {"enabled": True}}},
}
"""The charts in order, with what must differ from their defaults: GKE has its own definition of the InferencePool and
takes no second owner, there is one gateway, and the presets are left out unless asked for."""


@dataclass(frozen=True, kw_only=True)
class KserveControllerArgs:
    """What the component is made of."""

    after: Sequence[pulumi.Resource] = ()
    """What must be there before: cert-manager."""


class KserveController(pulumi.ComponentResource):
    """Creates a namespace and three Helm releases, one after the other."""

    release: Release
    """The last release; every LLMInferenceService depends on it."""

    def __init__(self, name: str, args: KserveControllerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        version = COMPONENTS["kserve-llmisvc-resources"].version
        super().__init__(TOKEN, name, {"version": version}, opts)
        before = create_namespace(self, f"{name}-namespace", KSERVE_NAMESPACE)
        for chart, values in _VALUES.items():
            before = self.release = install(
                self,
                f"{name}-{chart.removeprefix('kserve-')}",
                COMPONENTS[chart],
                release=chart,
                namespace=KSERVE_NAMESPACE,
                values=values,
                after=[before, *args.after],
            )
        self.register_outputs({"version": version})
