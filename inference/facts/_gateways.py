"""The GatewayClasses of GKE, and what a regional one needs around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["GATEWAY_CLASSES", "GatewayClass"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayClass:
    """One GatewayClass of the GKE Gateway controller."""

    name: str
    regional: bool
    external: bool
    multi_cluster: bool
    inference_pool: bool | None
    """Takes an InferencePool as backend; None where the sources contradict each other or are silent."""
    proxy_only_purpose: str | None
    """``purpose`` of the proxy-only subnet it needs in the cluster's VPC; None for the global classes."""
    note: str
    source: str


_REGIONAL = "REGIONAL_MANAGED_PROXY"
_CROSS_REGIONAL = "GLOBAL_MANAGED_PROXY"
_ONLY_REGIONAL = "the published guides list the regional classes only"


def _class(
    name: str, note: str, source: str, *, pool: bool | None, regional: bool, external: bool, purpose: str | None
) -> tuple[str, GatewayClass]:
    return name, GatewayClass(
        name=name,
        regional=regional,
        external=external,
        multi_cluster=name.endswith("-mc"),
        inference_pool=pool,
        proxy_only_purpose=purpose,
        note=note,
        source=source,
    )


GATEWAY_CLASSES: Mapping[str, GatewayClass] = MappingProxyType(
    dict(
        (
            _class("gke-l7-regional-external-managed", "conformance report and end-to-end tests",
                   "GAIE15; GIECONF; LLMDGW", pool=True, regional=True, external=True, purpose=_REGIONAL),
            _class("gke-l7-rilb", "used in recipes, denied by one llm-d guide: test before relying on it",
                   "LLMDGW; GWGKE; LLMDWIDE", pool=None, regional=True, external=False, purpose=_REGIONAL),
            _class("gke-l7-global-external-managed", _ONLY_REGIONAL, "GWGKE; LLMDGW",
                   pool=False, regional=False, external=True, purpose=None),
            _class("gke-l7-gxlb", _ONLY_REGIONAL, "GWGKE; LLMDGW",
                   pool=False, regional=False, external=True, purpose=None),
            _class("gke-l7-cross-regional-internal-managed-mc", "through GCPInferencePoolImport (preview)",
                   "GWCAPS", pool=None, regional=False, external=False, purpose=_CROSS_REGIONAL),
            _class("gke-l7-regional-external-managed-mc", "imported pools", "GWCAPS",
                   pool=None, regional=True, external=True, purpose=_REGIONAL),
            _class("gke-l7-rilb-mc", "imported pools", "GWCAPS",
                   pool=None, regional=True, external=False, purpose=_REGIONAL),
            _class("gke-l7-global-external-managed-mc", "imported pools", "GWCAPS",
                   pool=None, regional=False, external=True, purpose=None),
            _class("gke-l7-gxlb-mc", "imported pools", "GWCAPS",
                   pool=None, regional=False, external=True, purpose=None),
        )
    )
)  # fmt: skip
"""Every GatewayClass of GKE by its name."""
