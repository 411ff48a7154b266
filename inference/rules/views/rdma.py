"""What a pod says about the accelerator networks: annotations of multi-networking, or DRA claims."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

from inference.facts.gke import ACCELERATOR_LABEL, DEFAULT_INTERFACE_ANNOTATION, INTERFACES_ANNOTATION
from inference.rules.views.placement import Placement
from inference.rules.views.pods import Container, PodTemplate
from inference.rules.views.resources import Resource

__all__ = ["NetworkedPod", "over_several_nodes"]

_RDMA_NAME = re.compile(r"rdma|roce", re.IGNORECASE)
"""Network objects are named freely; every published recipe says RDMA or RoCE in the name."""


@dataclass(frozen=True, eq=False)
class NetworkedPod:
    """A pod template that lists network interfaces."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:",)

    pod: PodTemplate
    text: str
    """The annotation as written."""

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the pod templates of a resource that carry the annotation."""
        templates = resource.view(PodTemplate.of)
        return tuple(cls(t, text) for t in templates if (text := t.annotations.get(INTERFACES_ANNOTATION)))

    @cached_property
    def entries(self) -> tuple[Mapping[str, object], ...] | None:
        """Entries of the list, ``None`` where it is no JSON list of objects."""
        try:
            found = json.loads(self.text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            return None
        return tuple(found)

    @cached_property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks, in order."""
        return tuple(n for entry in self.entries or () if isinstance(n := entry.get("network"), str))

    @cached_property
    def interfaces(self) -> tuple[str, ...]:
        """Names of the interfaces, in order."""
        return tuple(n for entry in self.entries or () if isinstance(n := entry.get("interfaceName"), str))

    @cached_property
    def rdma(self) -> tuple[str, ...]:
        """Networks whose name says that they are RDMA devices."""
        return tuple(name for name in self.networks if _RDMA_NAME.search(name))

    @cached_property
    def accelerator(self) -> str | None:
        """The one GPU type that its nodes must have, where it asks for one."""
        placements = self.pod.object.resource.view(Placement.of)
        return next((p.asks(ACCELERATOR_LABEL) for p in placements if p.pod is self.pod), None)

    @property
    def default_interface(self) -> str | None:
        """Interface of the default route."""
        return self.pod.annotations.get(DEFAULT_INTERFACE_ANNOTATION)

    @cached_property
    def accelerated(self) -> tuple[Container, ...]:
        """Containers that ask for accelerators."""
        return tuple(c for c in self.pod.containers if c.accelerators)

    def __str__(self) -> str:
        return str(self.pod)


def over_several_nodes(pod: PodTemplate) -> bool:
    """Whether pods of this template serve one model together with others."""
    match pod.object.kind:
        case "LeaderWorkerSet":
            return (pod.size or 0) > 1
        case "LLMInferenceService":
            spec = pod.object.spec.section("prefill") if pod.role.startswith("prefill") else pod.object.spec
            return bool(spec.section("worker"))
        case _:
            return False
