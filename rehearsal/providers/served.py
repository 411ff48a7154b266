"""Which custom kinds the API server of a cluster knows: GKE's own, and those that a release brings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from inference.facts.controllers import KSERVE_GROUP, LWS_GROUP
from inference.facts.endpoint_picker import POOL_GROUP
from inference.facts.gke import GATEWAY_GROUP
from rehearsal.cloud.model import at
from rehearsal.providers.world import Record

__all__ = ["CHARTS", "served"]

Inputs = Mapping[str, object]


def _gateways(cluster: Inputs) -> bool:
    return at(cluster, "gatewayApiConfig", "channel") == "CHANNEL_STANDARD"


def _prometheus(cluster: Inputs) -> bool:
    return at(cluster, "monitoringConfig", "managedPrometheus", "enabled") is True


_GKE: Mapping[str, Callable[[Inputs], bool]] = {
    GATEWAY_GROUP: _gateways,
    POOL_GROUP: _gateways,
    "monitoring.googleapis.com": _prometheus,
}
"""Groups that GKE serves, and when.

https://cloud.google.com/kubernetes-engine/docs/how-to/deploying-gateways,
https://cloud.google.com/kubernetes-engine/docs/how-to/deploy-gke-inference-gateway,
https://cloud.google.com/stackdriver/docs/managed-prometheus/setup-managed
"""

CHARTS: Mapping[str, tuple[str, ...]] = {
    "cert-manager": ("acme.cert-manager.io", "cert-manager.io"),
    "jobset": ("jobset.x-k8s.io",),
    "keda": ("keda.sh",),
    "kserve-crd": (KSERVE_GROUP,),
    "kserve-llmisvc-crd": (KSERVE_GROUP,),
    "kueue": ("kueue.x-k8s.io",),
    "lws": (LWS_GROUP,),
}
"""Groups that a chart's definitions serve, by the chart's name."""

_OF_CHARTS = frozenset(group for groups in CHARTS.values() for group in groups)


def served(group: str, cluster: Inputs, releases: Iterable[Record]) -> bool:
    """Whether a cluster serves the kinds of an API group. Groups of which nothing is known are taken to be served.

    Args:
        group: for example ``leaderworkerset.x-k8s.io``.
        cluster: inputs of the cluster.
        releases: Helm releases in it.
    """
    if group in _GKE:
        return _GKE[group](cluster)
    if group not in _OF_CHARTS:
        return True
    return any(group in CHARTS.get(str(release.inputs.get("chart")).rpartition("/")[2], ()) for release in releases)
