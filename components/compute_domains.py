"""ComputeDomains: memory that GPUs of different nodes share over NVLink (A4X).

Owns: NVIDIA's DRA driver, pinned, in a namespace of its own, and one ComputeDomain for each pool. Leaves alone: the
nodes, the NICs, and the claims, which the driver makes out of each domain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components import _options
from components._charts import install
from components._kubernetes import create, create_namespace
from inference.blueprint import GpuPoolPlan
from inference.facts.versions import COMPONENTS
from inference.manifests import compute_domain as manifests

__all__ = ["ComputeDomains", "ComputeDomainsArgs"]

TOKEN = "gke-inference:index:ComputeDomains"  # noqa: S105 - a type token


@dataclass(frozen=True, kw_only=True)
class ComputeDomainsArgs:
    """What the component is made of."""

    pools: Sequence[GpuPoolPlan]
    """Pools whose nodes share NVLink."""


class ComputeDomains(pulumi.ComponentResource):
    """Creates a namespace with its quota, a Helm release, and a ComputeDomain for each pool."""

    def __init__(self, name: str, args: ComputeDomainsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        chart = COMPONENTS["nvidia-dra-driver-ngc"]
        super().__init__(TOKEN, name, {"version": chart.version, "pools": [pool.name for pool in args.pools]}, opts)
        namespace = create_namespace(self, f"{name}-namespace", manifests.DRIVER_NAMESPACE)
        after_namespace = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        quota = create(f"{name}-quota", manifests.quota(), after_namespace)
        release = install(
            self,
            f"{name}-driver",
            chart,
            release="nvidia-dra-driver-gpu",
            namespace=manifests.DRIVER_NAMESPACE,
            values=manifests.driver_values(args.pools),
            after=[namespace, quota],
        )
        for pool in args.pools:
            domain = manifests.compute_domain(pool)
            create(f"{name}-{pool.name}", domain, _options.fixed_object(self, domain, depends_on=[release]))
        self.register_outputs({"version": chart.version})
