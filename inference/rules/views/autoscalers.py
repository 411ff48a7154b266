"""Autoscalers of replicas: HorizontalPodAutoscaler, and KEDA's ScaledObject."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from inference.rules.views.kubernetes import KubernetesObject, ObjectView, group_of
from inference.rules.views.stack import Stack

__all__ = ["Autoscaler"]


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

    def target(self, stack: Stack) -> KubernetesObject | None:
        """Return the workload, where the stack declares it."""
        version = self.spec.text("scaleTargetRef", "apiVersion")
        groups = (group_of(version),) if version else ("apps", "leaderworkerset.x-k8s.io", "serving.kserve.io")
        found = (stack.object(self.target_kind or "", group, self.target_name, self.namespace) for group in groups)
        return next((thing for thing in found if thing is not None), None)
