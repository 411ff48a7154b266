"""Updates that are refused: what they change, only a new object has otherwise, or something that stands lives in it."""

from __future__ import annotations

from collections.abc import Iterator

from inference.facts.fixed_fields import fixed_fields
from inference.rules.views.cloud import Cluster
from inference.rules.views.kserve import Workload
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.resources import Resource
from rehearsal.review.change import StackChange
from rehearsal.review.risks.danger import Danger, Moved, moves

__all__ = ["dangers"]

_SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"


def dangers(change: StackChange) -> Iterator[Danger]:
    """Yield the resources whose update is refused, with what no update changes."""
    for moved in moves(change, _SUBNETWORK):
        yield from _ranges_in_use(change, moved)
    for moved in moves(change, "kubernetes:"):
        if moved.op == "update" and moved.before is not None and moved.after is not None:
            for path in (*_fixed(moved, moved.after), *_group_sizes(moved.before, moved.after)):
                yield _refused(moved, path)


def _ranges_in_use(change: StackChange, moved: Moved) -> Iterator[Danger]:
    """Yield the clusters whose pods and Services are in a secondary range that goes or becomes another."""
    if moved.op != "update" or change.before is None or moved.before is None or moved.after is None:
        return
    stack, subnet = change.before.stack, moved.before
    lost = {name for name, _ in set(_secondary(subnet)) - set(_secondary(moved.after))}
    for cluster in stack.each(Cluster) if lost and moved.after.props.known("secondaryIpRanges") else ():
        policy = cluster.props.section("ipAllocationPolicy")
        used = lost & {policy.text("clusterSecondaryRangeName"), policy.text("servicesSecondaryRangeName")}
        if used and stack.reference(cluster.resource, "subnetwork", among=(subnet,)) is subnet:
            yield Danger(
                kind="refusal",
                urn=moved.entry.urn,
                resource=subnet.name,
                consequence=f"Its range {', '.join(sorted(map(str, used)))} becomes another, and the cluster "
                f'"{cluster.resource.name}" has its pods or Services in it: Google Cloud refuses, and the update fails '
                "there.",
                remedy="Keep the range. Another one needs another cluster: bring up a second stack, move the callers.",
                fails=True,
            )


def _secondary(subnet: Resource) -> Iterator[tuple[str | None, str | None]]:
    for entry in subnet.props.sections("secondaryIpRanges"):
        if entry.known("rangeName") and entry.known("ipCidrRange"):
            yield entry.text("rangeName"), entry.text("ipCidrRange")


def _fixed(moved: Moved, after: Resource) -> Iterator[str]:
    for thing in after.view(KubernetesObject.of):
        yield from (path for path in fixed_fields(thing.api_version, thing.kind) if moved.touches(path))


def _group_sizes(before: Resource, after: Resource) -> Iterator[str]:
    """Yield where the webhook of KServe finds another total size (``validateImmutableParallelism`` of KServe 0.20)."""
    stood = {workload.prefill: workload.group_size for workload in before.view(Workload.of)}
    for workload in after.view(Workload.of):
        sizes = stood.get(workload.prefill), workload.group_size
        if None not in sizes and sizes[0] != sizes[1]:
            yield "spec.prefill.parallelism" if workload.prefill else "spec.parallelism"


def _refused(moved: Moved, path: str) -> Danger:
    state = moved.entry.new
    return Danger(
        kind="refusal",
        urn=moved.entry.urn,
        resource=state.name if state is not None else "",
        consequence=f"{path} changes, and no update changes it: the API server refuses, and the update fails there.",
        remedy=f'Have it replaced: replaceOnChanges ["{path}"] with deleteBeforeReplace, or give the object another '
        "name.",
        fails=True,
    )
