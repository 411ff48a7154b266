"""The workloads that serve models, and what an update of each does to its replicas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from inference.rules.views.fleet import Site
from inference.rules.views.leader_worker_sets import LWS_GROUP, scaled
from inference.rules.views.pods import PodTemplate
from inference.rules.views.resources import Resource
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import sites_of
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

__all__ = ["Workload", "workloads"]

_WEIGHTS = "/weights/"
"""Where weights are mounted, as a rule; the rest of the path names the model."""
_QUARTER = "25%"
"""Default of maxSurge and maxUnavailable of a Deployment (apps/v1 API reference, RollingUpdateDeployment)."""


@dataclass(frozen=True, eq=False)
class Workload:
    """A Kubernetes object whose pods serve models."""

    stack: Stack
    resource: Resource
    servers: tuple[ModelServer, ...]

    @property
    def pod(self) -> PodTemplate:
        """The first pod template that serves."""
        return self.servers[0].pod

    @property
    def label(self) -> str:
        """The model, where it is known."""
        models = dict.fromkeys(server.model.removeprefix(_WEIGHTS) for server in self.servers if server.model)
        return ", ".join(models) or self.name

    @property
    def name(self) -> str:
        """Name of the object."""
        return self.pod.object.name or self.resource.name

    @property
    def replicas(self) -> int | None:
        """Copies, or groups; ``None`` where not known."""
        return self.pod.replicas

    @cached_property
    def _rolling(self) -> Props:
        spec = self.pod.object.spec
        match self.pod.object.kind:
            case "LeaderWorkerSet":
                return spec.section("rolloutStrategy", "rollingUpdateConfiguration")
            case "StatefulSet":
                return spec.section("updateStrategy", "rollingUpdate")
            case _:
                return spec.section("strategy", "rollingUpdate")

    @property
    def surge(self) -> int | None:
        """Copies that an update starts before any stops; ``None`` where not known."""
        match self.pod.object.kind:
            case "Deployment":
                if self.pod.object.spec.text("strategy", "type") == "Recreate":
                    return 0
                return self._part("maxSurge", _QUARTER, up=True)
            case "LeaderWorkerSet":
                return self._part("maxSurge", 0, up=True)
            case "StatefulSet" | "Pod" | "DaemonSet":
                return 0
            case _:
                return None

    @property
    def away(self) -> int | None:
        """Copies that an update takes away at once; ``None`` where not known."""
        if self.replicas is None:
            return None
        match self.pod.object.kind:
            case "Deployment":
                if self.pod.object.spec.text("strategy", "type") == "Recreate":
                    return self.replicas
                away = self._part("maxUnavailable", _QUARTER, up=False)
                # The API server makes one of none and none, or nothing could ever be updated.
                return 1 if away == 0 and self.surge == 0 else away
            case "LeaderWorkerSet" | "StatefulSet":
                return self._part("maxUnavailable", 1, up=False)
            case "Pod":
                return 1
            case _:
                return None

    def _part(self, key: str, default: int | str, *, up: bool) -> int | None:
        if not self._rolling.known(key):
            return None
        value = default if self._rolling.absent(key) else self._rolling.raw(key)
        return scaled(value, self.replicas, up=up)

    @property
    def members(self) -> int | None:
        """Pods of one copy."""
        return self.pod.size

    @property
    def sites(self) -> tuple[Site, ...]:
        """Pools that it runs on; empty where that is not certain."""
        return sites_of(self.stack, self.pod)

    @property
    def budget_minutes(self) -> int | None:
        """How long its startup probe waits for it to load, in minutes."""
        probe = self.servers[0].container.props.section("startupProbe")
        if not probe:
            return None
        period = probe.integer("periodSeconds") or 10
        failures = probe.integer("failureThreshold") or 3
        return -(-((probe.integer("initialDelaySeconds") or 0) + period * failures) // 60)

    @property
    def templates(self) -> tuple[str, ...]:
        """Paths of the properties that describe its pods: their change makes new ones."""
        match self.pod.object.group, self.pod.object.kind:
            case (group, "LeaderWorkerSet") if group == LWS_GROUP:
                return ("spec.leaderWorkerTemplate",)
            case _, "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet":
                return ("spec.template",)
            case _:
                return ("spec",)


def workloads(stack: Stack) -> Iterator[Workload]:
    """Yield every object whose pods serve models."""
    found: dict[str, list[ModelServer]] = {}
    resources: dict[str, Resource] = {}
    for server in stack.each(ModelServer):
        resource = server.pod.object.resource
        resources[resource.urn] = resource
        found.setdefault(resource.urn, []).append(server)
    for urn, servers in found.items():
        yield Workload(stack, resources[urn], tuple(servers))
