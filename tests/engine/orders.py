"""In which order things have to go, as ranks of what the journal saw deleted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from rehearsal import urns
from rehearsal.providers.journal import Entry
from rehearsal.providers.served import CHARTS
from rehearsal.providers.world import Record

__all__ = ["disorders", "orphans", "rank"]

RANKS = ("gateway", "workload", "controller", "pool", "cluster", "network")
_BEFORE_FABRIC = "accelerators"
PAIRS = [*combinations(RANKS, 2), (_BEFORE_FABRIC, "fabric")]
"""What has to be gone before what; the networks between accelerators wait for the pools of these alone."""

_RANKED = {
    "gcp:container/nodePool:NodePool": "pool",
    "gcp:container/cluster:Cluster": "cluster",
    "kubernetes:helm.sh/v3:Release": "controller",
}
_HOLDERS = frozenset({"Gateway", "HTTPRoute", "Ingress", "PersistentVolumeClaim"})
_SERVERS = frozenset(
    {"Deployment", "InferenceService", "Job", "LLMInferenceService", "LeaderWorkerSet", "NIMService", "StatefulSet"}
)


def rank(urn: str) -> str:
    """Return the rank of a resource; empty where it has none."""
    parts = urns.parse(urn)
    kind = parts.type.rpartition(":")[2]
    if "InferenceGateway$" in parts.qualified_type or kind in _HOLDERS:
        return "gateway"
    if parts.type in _RANKED:
        return _RANKED[parts.type]
    if kind in _SERVERS:
        return "workload"
    if kind == "DaemonSet":
        return "controller"
    if "PlatformNetwork$" in parts.qualified_type:
        return "network"
    return "fabric" if "RdmaNetwork$gcp:" in parts.qualified_type else ""


def disorders(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield each pair of ranks of which something of the later one went before all of the earlier one was gone."""
    begun: dict[str, list[tuple[int, str]]] = defaultdict(list)
    ended: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for place, entry in enumerate(entries):
        if entry.operation == "delete" and (ranked := rank(entry.urn)):
            met = {"begin": begun, "end": ended, "fail": ended}[entry.phase]
            met[ranked].append((place, entry.urn))
            if ranked == "pool" and "InferenceCluster$" not in entry.urn:
                met[_BEFORE_FABRIC].append((place, entry.urn))
    for earlier, later in PAIRS:
        if ended[earlier] and begun[later]:
            last, first = max(ended[earlier]), min(begun[later])
            if first < last:
                yield f"{first[1]} ({later}) began to go before {last[1]} ({earlier}) was gone"


def orphans(entries: Sequence[Entry], releases: Sequence[Record]) -> Iterator[str]:
    """Yield each custom resource that went after the release that serves it began to go."""
    for release in releases:
        groups = CHARTS.get(str(release.inputs.get("chart")).rpartition("/")[2], ())
        began = [place for place, e in enumerate(entries) if e.urn == release.urn and e.phase == "begin"]
        for place, entry in enumerate(entries):
            group = entry.type.split(":")[1].partition("/")[0] if entry.type.startswith("kubernetes:") else ""
            if entry.operation == "delete" and entry.phase == "end" and group in groups and place > min(began):
                yield f"{entry.urn} went after {release.urn}"
