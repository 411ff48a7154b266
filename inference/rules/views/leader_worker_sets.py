"""LeaderWorkerSets: groups of pods that serve one model together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from inference.facts.controllers import LWS_GROUP
from inference.rules.views.kubernetes import ObjectView
from inference.rules.views.pods import PodTemplate
from inference.rules.views.servers import ModelServer
from inference.rules.views.values import Props

__all__ = ["LeaderWorkerSet", "scaled"]


def scaled(value: Any, total: int | None, *, up: bool) -> int | None:
    """Return an absolute number or a percentage of ``total`` in pieces; ``None`` where that is not known."""
    number = Props({"value": value}).integer("value")
    if number is not None:
        return number
    if not isinstance(value, str) or not value.endswith("%") or not value[:-1].isdigit() or len(value) > 9:
        return None
    percent = int(value[:-1])
    if percent == 0:
        return 0
    if total is None:
        return None
    exact = percent * total / 100
    return math.ceil(exact) if up else math.floor(exact)


@dataclass(frozen=True, eq=False)
class LeaderWorkerSet(ObjectView):
    """A LeaderWorkerSet."""

    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset({(LWS_GROUP, "LeaderWorkerSet")})

    @cached_property
    def group(self) -> Props:
        """``leaderWorkerTemplate``."""
        return self.spec.section("leaderWorkerTemplate")

    @property
    def size(self) -> int | None:
        """Pods of one group; ``None`` where not known."""
        return 1 if self.spec.absent("leaderWorkerTemplate", "size") else self.group.integer("size")

    @property
    def replicas(self) -> int | None:
        """Groups; ``None`` where not known."""
        return 1 if self.spec.absent("replicas") else self.spec.integer("replicas")

    @property
    def spans_pods(self) -> bool:
        """Whether a group certainly has workers beside its leader."""
        return self.size is not None and self.size > 1

    @property
    def templates(self) -> tuple[PodTemplate, ...]:
        """Template of the leader, then of the workers."""
        return self.resource.view(PodTemplate.of)

    @cached_property
    def leader(self) -> PodTemplate | None:
        return next((pod for pod in self.templates if pod.role == "leader"), None)

    @cached_property
    def worker(self) -> PodTemplate | None:
        """Template of the workers; ``None`` for a group of one."""
        return next((pod for pod in self.templates if pod.role == "worker"), None)

    @cached_property
    def servers(self) -> tuple[ModelServer, ...]:
        """Model servers of both templates."""
        return self.resource.view(ModelServer.of)

    @cached_property
    def collective(self) -> bool:
        """Whether its pods hold accelerators or parts of one server, so that none of them works alone."""
        held = (pod.accelerators or pod.spec.sections("resourceClaims") for pod in self.templates)
        return bool(self.servers) or any(held)
