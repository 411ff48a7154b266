"""PodMonitorings of Google's Managed Prometheus."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from inference.rules.views.kubernetes import ObjectView
from inference.rules.views.pods import PodTemplate
from inference.rules.views.selecting import Selecting, matches
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

__all__ = ["PodMonitoring", "monitorings_of"]


@dataclass(frozen=True, eq=False)
class PodMonitoring(ObjectView):
    """A PodMonitoring or ClusterPodMonitoring."""

    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset(
        ("monitoring.googleapis.com", kind) for kind in ("PodMonitoring", "ClusterPodMonitoring")
    )

    @property
    def everywhere(self) -> bool:
        """Whether it selects pods of all namespaces."""
        return self.kind == "ClusterPodMonitoring"

    @property
    def only_in(self) -> str | None:
        """The only namespace whose pods it selects, where there is one and it is known."""
        return None if self.everywhere or not self.object.metadata.known("namespace") else self.namespace

    @cached_property
    def endpoints(self) -> tuple[Props, ...]:
        return self.spec.sections("endpoints")

    @property
    def settled(self) -> bool:
        """Whether its selector is known."""
        labels = self.spec.section("selector", "matchLabels")
        return self.spec.known("selector", "matchLabels") and all(labels.known(key) for key in labels)

    def selects(self, pod: PodTemplate) -> bool:
        """Whether it certainly selects these pods."""
        return matches(self.spec.section("selector"), pod.labels) is True

    def pods(self, stack: Stack) -> tuple[PodTemplate, ...]:
        """Return the pods of its namespace that it certainly selects."""
        if self.only_in is None:
            return ()
        wanted = self.spec.strings("selector", "matchLabels")
        candidates = stack.pods_matching(wanted, self.only_in) if wanted else stack.view(_pods).get(self.only_in, ())
        return tuple(pod for pod in candidates if self.selects(pod))

    @property
    def written_labels(self) -> Iterator[str]:
        """Labels that it writes onto series."""
        for endpoint in self.endpoints:
            for relabeling in endpoint.sections("metricRelabeling"):
                if label := relabeling.text("targetLabel"):
                    yield label
        for entry in self.spec.sections("targetLabels", "fromPod"):
            if label := entry.text("to") or entry.text("from"):
                yield label


def monitorings_of(stack: Stack, pod: PodTemplate) -> tuple[PodMonitoring, ...]:
    """Return the PodMonitorings that select these pods, or may."""
    candidates = stack.view(_monitorings).candidates(pod)
    return tuple(m for m in candidates if m.selects(pod) or not m.settled)


def _pods(stack: Stack) -> dict[str, list[PodTemplate]]:
    found: dict[str, list[PodTemplate]] = defaultdict(list)
    for pod in stack.pods():
        found[pod.namespace].append(pod)
    return found


def _monitorings(stack: Stack) -> Selecting[PodMonitoring]:
    return Selecting((m, m.spec.section("selector"), m.only_in) for m in stack.each(PodMonitoring))
