"""Autoscalers of replicas: HorizontalPodAutoscaler, and KEDA's ScaledObject."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from inference.facts.controllers import KSERVE_GROUP, LWS_GROUP
from inference.rules.views.kubernetes import KubernetesObject, ObjectView, group_of
from inference.rules.views.stack import Stack

__all__ = ["Autoscaler"]

_BOUNDS = {
    "HorizontalPodAutoscaler": (("minReplicas", 1), ("maxReplicas", None)),
    "ScaledObject": (("minReplicaCount", 0), ("maxReplicaCount", 100)),
}
"""Properties of the fewest and the most replicas, and what holds where an object is silent.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/ and
https://keda.sh/docs/latest/reference/scaledobject-spec/
"""


@dataclass(frozen=True, eq=False)
class Autoscaler(ObjectView):
    """An object that sets the replicas of a workload."""

    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset(
        {("autoscaling", "HorizontalPodAutoscaler"), ("keda.sh", "ScaledObject")}
    )

    @property
    def target_kind(self) -> str | None:
        """Kind of the workload; KEDA's default is a Deployment."""
        target = self.spec.section("scaleTargetRef")
        if self.kind == "ScaledObject" and target.absent("kind"):
            return "Deployment"
        return target.text("kind")

    @property
    def target_name(self) -> str | None:
        return self.spec.text("scaleTargetRef", "name")

    @property
    def least(self) -> int | None:
        """The fewest replicas that it keeps; ``None`` where that is not known."""
        return self._bound(0)

    @property
    def most(self) -> int | None:
        """The most replicas; ``None`` where that is not known."""
        return self._bound(1)

    def _bound(self, which: int) -> int | None:
        name, default = _BOUNDS[self.kind][which]
        return default if self.spec.absent(name) else self.spec.integer(name)

    @property
    def processor_metrics(self) -> tuple[str, ...]:
        """``CPU`` and ``memory``, where it scales by them; without any metric, CPU."""
        found = [
            metric.text("resource", "name") or metric.text("containerResource", "name") or ""
            for metric in self.spec.sections("metrics")
        ]
        found += [trigger.text("type") or "" for trigger in self.spec.sections("triggers")]
        if not self.spec.absent("targetCPUUtilizationPercentage"):
            found.append("cpu")
        if self.kind == "HorizontalPodAutoscaler" and self.spec.absent("metrics"):
            found.append("cpu")
        return tuple(dict.fromkeys("CPU" if name == "cpu" else name for name in found if name in {"cpu", "memory"}))

    @property
    def other_metrics(self) -> bool:
        """Whether it scales by something else too, or may."""
        metrics, triggers = self.spec.sections("metrics"), self.spec.sections("triggers")
        known = self.spec.known("metrics") and self.spec.known("triggers")
        own = any(metric.text("type") not in {"Resource", "ContainerResource"} for metric in metrics)
        return not known or own or any(trigger.text("type") not in {"cpu", "memory"} for trigger in triggers)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names and queries of the metrics that it asks for, processors aside."""
        found = [
            metric.text(place, "metric", "name")
            for metric in self.spec.sections("metrics")
            for place in ("pods", "external", "object")
        ]
        for trigger in self.spec.sections("triggers"):
            metadata = trigger.section("metadata")
            found += [metadata.text(key) for key in ("query", "filter", "metricName")]
        return tuple(name for name in found if name)

    def target(self, stack: Stack) -> KubernetesObject | None:
        """Return the workload, where the stack declares it."""
        version = self.spec.text("scaleTargetRef", "apiVersion")
        groups = (group_of(version),) if version else ("apps", LWS_GROUP, KSERVE_GROUP)
        found = (stack.object(self.target_kind or "", group, self.target_name, self.namespace) for group in groups)
        return next((thing for thing in found if thing is not None), None)
