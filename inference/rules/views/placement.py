"""Where a pod asks to run: node selectors, required node affinity, tolerations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

from inference.facts.controllers import KUEUE_QUEUE_LABEL
from inference.facts.gke import ARCH_LABEL, COMPUTE_CLASS_LABEL, GPU_RESOURCE, GPU_TAINT, TPU_RESOURCE, TPU_TAINT
from inference.rules.views.cloud import Taint
from inference.rules.views.pods import PodTemplate
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN, Props

__all__ = ["Demand", "Placement", "built_in"]

_BUILT_IN = ("kubernetes.io", "k8s.io", "cloud.google.com", "gke.io", "networks.io", "nvidia.com", "google.com")
"""Owners of label keys that GKE, Kubernetes or an operator puts on nodes; all others are a team's own."""

_ELSEWHERE = ("amazonaws.com/", "eksctl.io/", "karpenter.sh/", "karpenter.k8s.aws/", "azure.com/", "digitalocean.com/")
"""Parts of label keys that only nodes of other clouds carry."""

_AFFINITY = ("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")


def built_in(key: str) -> bool:
    """Whether a label key belongs to GKE, Kubernetes or NVIDIA rather than to the team."""
    owner = key.partition("/")[0] if "/" in key else ""
    return owner.endswith(_BUILT_IN)


@dataclass(frozen=True, slots=True)
class Demand:
    """What one label of a node has to be."""

    key: str
    operator: str
    """``In``, ``NotIn``, ``Exists``, ``DoesNotExist``, ``Gt``, ``Lt``."""
    values: frozenset[str] = frozenset()

    def __str__(self) -> str:
        if self.operator == "In":
            return f"{self.key}={' or '.join(sorted(self.values))}"
        return f"{self.key} {self.operator} {' '.join(sorted(self.values))}".rstrip()


@dataclass(frozen=True, eq=False)
class Placement:
    """What a pod template says about its nodes."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:",)

    pod: PodTemplate
    alternatives: tuple[tuple[Demand, ...], ...]
    """Any of these will do, each of them whole; what is not known yet is left out."""

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the placement of every pod template of a resource."""
        return tuple(cls(pod, tuple(_alternatives(pod.spec))) for pod in resource.view(PodTemplate.of))

    @cached_property
    def gpus(self) -> int:
        """GPUs of the pod."""
        return int(min(self.pod.requested(GPU_RESOURCE), 1e6))

    @cached_property
    def tpus(self) -> int:
        """TPU chips of the pod."""
        return int(min(self.pod.requested(TPU_RESOURCE), 1e6))

    @cached_property
    def queued(self) -> bool:
        """Whether Kueue admits it, and adds selectors and tolerations of its flavor then."""
        return KUEUE_QUEUE_LABEL in self.pod.labels or KUEUE_QUEUE_LABEL in self.pod.object.labels

    @cached_property
    def settled(self) -> bool:
        """Whether all that it says about nodes is known, and about nodes of GKE."""
        spec = self.pod.spec
        selector = spec.raw("nodeSelector")
        if not spec.known(*_AFFINITY) or _partly_unknown(selector):
            return False
        return not any(part in key for key in self.keys for part in _ELSEWHERE)

    @cached_property
    def keys(self) -> frozenset[str]:
        """Label keys that it names."""
        return frozenset(demand.key for demands in self.alternatives for demand in demands)

    @cached_property
    def compute_class(self) -> bool:
        """Whether a ComputeClass chooses, and perhaps makes, its nodes."""
        return COMPUTE_CLASS_LABEL in self.keys

    def asks(self, key: str) -> str | None:
        """Return the one value that it requires of a label."""
        return self._answers[key] if key in self._answers else self._answers.setdefault(key, self._asked(key))

    @cached_property
    def _answers(self) -> dict[str, str | None]:
        return {}

    def _asked(self, key: str) -> str | None:
        found = {
            next((next(iter(d.values)) for d in demands if d.key == key and len(d.values) == 1), None)
            for demands in self.alternatives
        }
        return found.pop() if len(found) == 1 else None

    def tolerates(self, taint: Taint) -> bool:
        """Whether the taint keeps no such pod away, as far as is known."""
        if taint.effect == "PreferNoSchedule":
            return True
        if taint.key == GPU_TAINT.key and self.gpus:
            return True
        if taint.key == TPU_TAINT.key and self.tpus:
            return True
        if taint.key == ARCH_LABEL and self.asks(ARCH_LABEL) == taint.value:
            return True
        if _partly_unknown(self.pod.spec.raw("tolerations")):
            return True
        return any(_covers(toleration, taint) for toleration in self.pod.spec.sections("tolerations"))

    def __str__(self) -> str:
        return str(self.pod)


def _partly_unknown(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(part is UNKNOWN for part in value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(part is UNKNOWN for part in value)
    return value is UNKNOWN


def _covers(toleration: Props, taint: Taint) -> bool:
    if not all(toleration.known(part) for part in ("key", "operator", "value", "effect")):
        return True
    key, effect = toleration.text("key") or "", toleration.text("effect") or ""
    if effect and effect != taint.effect:
        return False
    if toleration.text("operator") == "Exists":
        return key in {"", taint.key}
    return key == taint.key and (toleration.strings().get("value", "")) == taint.value


def _alternatives(spec: Props) -> Iterator[tuple[Demand, ...]]:
    selector = tuple(
        Demand(key, "In", frozenset({value})) for key, value in sorted(spec.strings("nodeSelector").items())
    )
    terms = spec.sections(*_AFFINITY, "nodeSelectorTerms")[:50]
    for term in terms:
        yield (*selector, *_expressions(term))
    if not terms:
        yield selector


def _expressions(term: Props) -> Iterator[Demand]:
    for expression in term.sections("matchExpressions"):
        key, operator = expression.text("key"), expression.text("operator")
        if key and operator and not _partly_unknown(expression.raw("values")):
            yield Demand(key, operator, frozenset(expression.texts("values")))
