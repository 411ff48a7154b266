"""Credentials whose content changes under the servers that read them."""

from __future__ import annotations

from collections.abc import Iterator

from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.names import pod_references
from rehearsal.review.change import StackChange
from rehearsal.review.risks.danger import Danger, Moved, moves
from rehearsal.review.risks.serving import Workload, workloads

__all__ = ["dangers"]

_SECRET = "kubernetes:core/v1:Secret"  # noqa: S105 - a type token
_SOURCE = 'metadata.annotations["gke-inference/source"]'
"""Where a copy says which version of which secret it was made of."""


def dangers(change: StackChange) -> Iterator[Danger]:
    """Yield Secrets with another content that servers before and after the change read."""
    if change.before is None or change.after is None:
        return
    stood = {workload.resource.urn for workload in workloads(change.before.stack)}
    serving = [workload for workload in workloads(change.after.stack) if workload.resource.urn in stood]
    for moved in moves(change, _SECRET):
        if moved.before is None or moved.after is None or not moved.touches("data", "stringData", _SOURCE):
            continue
        (secret,) = moved.after.view(KubernetesObject.of) or (None,)
        readers = [workload for workload in serving if secret is not None and _reads(workload, secret)]
        if secret is None or not readers:
            continue
        told = f"Its content changes{_between(moved)}. "
        remedy = "Give the callers the new credential together with the update"
        if staying := [workload for workload in readers if not _restarts(workload, change)]:
            named = ", ".join(workload.name for workload in staying[:3])
            more = f" and {len(staying) - 3:,} more" if len(staying) > 3 else ""
            told += f"Pods of {named}{more} that run keep the old one until they restart, and those that start later "
            told += "have the new one: a caller knows one of the two."
            remedy += ", and restart the pods then: kubectl rollout restart; of a LeaderWorkerSet delete the leader."
        else:
            told += "What reads it restarts with the update, and refuses whoever comes with the old one."
            remedy += "."
        name = secret.name or moved.after.name
        yield Danger(kind="secret", urn=moved.entry.urn, resource=name, consequence=told, remedy=remedy)


def _restarts(workload: Workload, change: StackChange) -> bool:
    return any(
        moved.entry.urn == workload.resource.urn and (moved.op == "replace" or moved.touches(*workload.templates))
        for moved in moves(change, workload.resource.type)
    )


def _reads(workload: Workload, secret: KubernetesObject) -> bool:
    pod = workload.pod
    return pod.namespace == secret.namespace and any(
        reference.kind == "Secret" and reference.name == secret.name for reference in pod_references(pod)
    )


def _between(moved: Moved) -> str:
    source = next((prop for prop in moved.entry.properties if prop.path == _SOURCE), None)
    return f" from {source.old} to {source.new}" if source is not None and source.old and source.new else ""
