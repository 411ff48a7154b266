"""PodMonitorings of Google's Managed Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from inference.rules.views.kubernetes import ObjectView
from inference.rules.views.pods import PodTemplate
from inference.rules.views.traffic import matches
from inference.rules.views.values import Props

__all__ = ["PodMonitoring"]


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
