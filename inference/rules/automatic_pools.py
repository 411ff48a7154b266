"""Pools that GKE makes itself: Autopilot, and node auto-provisioning in a Standard cluster.

In an Autopilot cluster nobody else may make a pool: accelerators are asked for by the pods, or by a ComputeClass. In a
Standard cluster GKE makes pools within limits that somebody has to state.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.rules.framework import About, Severity, rule
from inference.rules.views.cloud import Cluster
from inference.rules.views.fleet import Fleet
from inference.rules.views.stack import Stack

_AUTOPILOT = "https://cloud.google.com/kubernetes-engine/docs/concepts/autopilot-overview"
_PROCESSOR_AND_MEMORY = ("cpu", "memory")


@rule(
    "autopilot-cluster-is-regional",
    title="An Autopilot cluster is regional",
    breaks="GKE refuses the cluster: Autopilot clusters must be regional.",
    fix="Set location to a region.",
    source=_AUTOPILOT,
    severity=Severity.HIGH,
    on=Cluster,
)
def cluster_is_regional(cluster: Cluster) -> Iterator[str]:
    if cluster.autopilot and cluster.regional is False:
        yield (
            f"{cluster} is an Autopilot cluster in the zone {cluster.location}; there are regional ones only, and GKE "
            f"refuses it. Set location: {cluster.region}."
        )


@rule(
    "autopilot-pools-are-gke-own",
    title="An Autopilot cluster gets no node pools from the program",
    breaks="GKE refuses the pool: node pools of an Autopilot cluster are managed by GKE.",
    fix="Ask for accelerators in the pods (nodeSelector cloud.google.com/gke-accelerator) or by a ComputeClass; or "
    "make the cluster Standard, which is another cluster.",
    source=_AUTOPILOT,
    severity=Severity.HIGH,
)
def pools_are_gke_own(stack: Stack) -> Iterator[About]:
    for site in stack.view(Fleet).sites:
        if site.cluster is not None and site.cluster.autopilot and not site.pool.inline:
            yield About(
                site.pool.resource,
                f'{site.pool} belongs to the Autopilot cluster "{site.cluster.resource.name}", whose pools GKE makes '
                "itself; it refuses this one. Describe the machine in a ComputeClass, and remove the pool.",
            )


@rule(
    "provisioning-limits-are-stated",
    title="Node auto-provisioning has limits for CPU and memory",
    breaks="GKE refuses the cluster: 'Resource limits for cpu, memory must be specified when enabling node "
    "autoprovisioning'.",
    fix="Add resourceLimits of the types cpu and memory, and one for each accelerator that GKE may buy.",
    source="https://github.com/hashicorp/terraform-provider-google/issues/24232",
    severity=Severity.HIGH,
    on=Cluster,
)
def limits_are_stated(cluster: Cluster) -> Iterator[str]:
    scaling = cluster.props.section("clusterAutoscaling")
    if cluster.autopilot or scaling.flag("enabled") is not True or not cluster.props.known("enableAutopilot"):
        return
    limits = scaling.sections("resourceLimits")
    settled = scaling.known("resourceLimits") and len(limits) == (scaling.size("resourceLimits") or 0)
    if not settled or not all(limit.known("resourceType") for limit in limits):
        return
    named = {limit.text("resourceType") for limit in limits}
    if missing := [kind for kind in _PROCESSOR_AND_MEMORY if kind not in named]:
        yield (
            f"{cluster} lets GKE make node pools and states no limit for {' and '.join(missing)}; GKE refuses that. "
            f"Add resourceLimits for {' and '.join(missing)} to clusterAutoscaling."
        )
