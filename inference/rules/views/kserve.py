"""KServe's LLMInferenceService, and the one or two workloads in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from inference.facts.controllers import KSERVE_GROUP
from inference.rules.views.kubernetes import ObjectView
from inference.rules.views.resources import Resource
from inference.rules.views.values import Props

__all__ = ["LlmService", "Workload"]


@dataclass(frozen=True, eq=False)
class LlmService(ObjectView):
    """An LLMInferenceService."""

    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset({(KSERVE_GROUP, "LLMInferenceService")})


@dataclass(frozen=True, eq=False)
class Workload:
    """The decode (or only) workload of a service, or its prefill workload."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:",)

    service: LlmService
    props: Props
    prefill: bool = False

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the workloads of a service."""
        found = []
        for service in resource.view(LlmService.of):
            found.append(cls(service, service.spec))
            if not service.spec.absent("prefill"):
                found.append(cls(service, service.spec.section("prefill"), prefill=True))
        return tuple(found)

    @property
    def parallelism(self) -> Props:
        return self.props.section("parallelism")

    @property
    def group_size(self) -> int | None:
        """Pods of one group as KServe counts them (``GetSize`` in KServe 0.20); ``None`` where that is not known."""
        if not all(self.parallelism.known(key) for key in ("pipeline", "data", "dataLocal")):
            return None
        pipeline, data, local = (self.parallelism.integer(key) for key in ("pipeline", "data", "dataLocal"))
        if (data or 0) > 0 or (local or 0) > 0:
            return max(max(data or 1, 1) // max(local or 1, 1), 1)
        return max(pipeline or 1, 1)

    @property
    def has_worker(self) -> bool:
        """Whether worker pods are described; false where that is not known."""
        return self.props.known("worker") and not self.props.absent("worker")

    def __str__(self) -> str:
        return f"the prefill workload of {self.service}" if self.prefill else str(self.service)
