"""The workloads that serve models, and what an update of each does to its replicas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from inference.estimates.readiness import Readiness, readiness
from inference.facts.controllers import LWS_GROUP
from inference.rules.views.fleet import Site
from inference.rules.views.leader_worker_sets import scaled
from inference.rules.views.pods import PodTemplate
from inference.rules.views.resources import Resource
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import sites_of
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props
from rehearsal.texts import plural

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

    def loading(self, *phases: str) -> str:
        """Say how long it takes until the model answers, of the phases that a restart goes through."""
        estimates = [found for found in readiness(self.stack) if found.server in self.servers]
        seconds = [_seconds(found, phases) for found in estimates]
        least = max((known for known, _ in seconds), default=0)
        if least and all(complete for _, complete in seconds):
            return f"about {_minutes(least)}"
        told = [f"at least {_minutes(least)}"] if least else []
        if allowed := max((found.allowed for found in estimates if found.allowed), default=0):
            told.append(f"its startup probe allows {_minutes(allowed)}")
        return "; ".join(told)

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


def _minutes(seconds: int) -> str:
    return plural(max(round(seconds / 60), 1), "minute")


def _seconds(found: Readiness, phases: tuple[str, ...]) -> tuple[int, bool]:
    """Return what is known of the phases together, and whether that is all of them."""
    wanted = [phase.seconds for phase in found.phases if phase.name in phases]
    return sum(known for known in wanted if known is not None), None not in wanted


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
