"""Health checks of Google's load balancers, in the objects and resources that they are written in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from inference.facts.gke import NETWORKING_GROUP
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.resources import Resource
from inference.rules.views.values import Props

__all__ = ["HEALTH_CHECK_BLOCKS", "HealthCheck"]

HEALTH_CHECK_BLOCKS = {
    "HTTP": "httpHealthCheck",
    "HTTPS": "httpsHealthCheck",
    "HTTP2": "http2HealthCheck",
    "TCP": "tcpHealthCheck",
    "GRPC": "grpcHealthCheck",
}
"""Type of a check in a HealthCheckPolicy to the block that describes it."""

_COMPUTE = ("gcp:compute/healthCheck:", "gcp:compute/regionHealthCheck:", "gcp:compute/httpHealthCheck:",
            "gcp:compute/httpsHealthCheck:")  # fmt: skip
_PLACES = {
    (NETWORKING_GROUP, "HealthCheckPolicy"): ("spec", "default"),
    ("cloud.google.com", "BackendConfig"): ("spec", "healthCheck"),
}


@dataclass(frozen=True, eq=False)
class HealthCheck:
    """A health check: HealthCheckPolicy, BackendConfig, or a resource of Compute Engine."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:", *_COMPUTE)

    resource: Resource
    label: str
    props: Props
    default: int | None
    """Interval and timeout in seconds where they are left out; ``None`` where that depends."""

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the health check of a resource."""
        if resource.type.startswith(_COMPUTE):
            return (cls(resource, f'The health check "{resource.name}"', resource.props, 5),)
        for thing in resource.view(KubernetesObject.of):
            place = _PLACES.get((thing.group, thing.kind))
            if place is not None and (props := thing.props.section(*place)):
                return (cls(resource, str(thing), props, 5 if thing.kind == "HealthCheckPolicy" else None),)
        return ()

    def seconds(self, key: str) -> float | None:
        """Return interval or timeout, the default where it is left out."""
        return self.default if self.props.absent(key) else self.props.number(key)

    def __str__(self) -> str:
        return self.label
