"""Models behind GKE's gateways, and the policies that the program brings for them."""

from __future__ import annotations

from collections.abc import Iterator

from inference.rules.views.helm import HelmRelease
from inference.rules.views.resources import Resource
from inference.rules.views.routing import ROUTER_CHARTS, Backend, Link, backends, declared
from inference.rules.views.stack import Stack

__all__ = ["chart_brings_policies", "model_backends", "subject"]


def model_backends(stack: Stack) -> Iterator[tuple[Backend, Link]]:
    """Yield the backends of models behind GKE's single-cluster gateways, with one way to each."""
    for backend, ways in backends(stack).items():
        ours = [way for way in ways if way.gateway.gke and not way.gateway.multi_cluster]
        found = next((way for way in ours if way.serves_models), None)
        if found is not None and (declared(stack, backend) or found.pods or _made_here(stack, backend, found)):
            yield backend, found


def _made_here(stack: Stack, backend: Backend, link: Link) -> bool:
    """Whether the program causes the backend, so that its policies belong to the program too."""
    return link.route is None or _router_release(stack, backend) is not None


def _router_release(stack: Stack, backend: Backend) -> HelmRelease | None:
    return stack.view(_router_releases).get((backend.namespace, backend.name))


def _router_releases(stack: Stack) -> dict[tuple[str | None, str | None], HelmRelease]:
    return {(r.namespace, r.name): r for r in stack.each(HelmRelease) if r.chart in ROUTER_CHARTS}


def chart_brings_policies(stack: Stack, backend: Backend) -> bool:
    """Whether a router chart brings health check and backend policy of a pool, or may."""
    release = _router_release(stack, backend) if backend.kind == "InferencePool" else None
    if release is None:
        return False
    provider = release.values.text("provider", "name")
    return not release.whole or not release.values.known("provider") or (provider or "").lower() == "gke"


def subject(stack: Stack, backend: Backend, link: Link) -> Resource:
    """Return the resource to which a finding about a backend belongs."""
    thing = declared(stack, backend)
    return thing.resource if thing is not None else link.source
