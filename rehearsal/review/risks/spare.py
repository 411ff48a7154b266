"""Updates that start something new before the old one stops, where no accelerator is free for it."""

from __future__ import annotations

from collections.abc import Iterator

from inference.facts.upgrades import RENEWING
from inference.rules.views.buying import first_nodes, scarce
from inference.rules.views.fleet import Site
from inference.rules.views.nodes import surge
from inference.rules.views.pods import PodTemplate
from inference.rules.views.serving import sites_of
from inference.rules.views.stack import Stack
from rehearsal.naming import called_pool
from rehearsal.review.change import StackChange
from rehearsal.review.risks.capacity import machines, site_of
from rehearsal.review.risks.danger import Danger, Moved, moves
from rehearsal.review.risks.serving import Workload, workloads
from rehearsal.texts import plural

__all__ = ["dangers"]

_NODE_POOL = "gcp:container/nodePool:NodePool"


def dangers(change: StackChange) -> Iterator[Danger]:
    """Yield updates that wait for an accelerator that is not there."""
    if change.before is None or change.after is None:
        return
    stack = change.after.stack
    moved = {entry.entry.urn: entry for entry in moves(change)}
    for workload in workloads(stack):
        entry = moved.get(workload.resource.urn)
        if entry is not None and entry.op == "update" and entry.touches(*workload.templates):
            yield from _surging(stack, workload)
    for entry in moved.values():
        if entry.entry.new is not None and entry.entry.new.type == _NODE_POOL and entry.op == "update":
            yield from _renewed(stack, entry)


def _surging(stack: Stack, workload: Workload) -> Iterator[Danger]:
    """Compare what the pools can hold with what stands and what an update adds."""
    each = workload.pod.accelerators * (workload.members or 1)
    if not workload.surge or not each or workload.members is None:
        return
    room = _room(workload.sites)
    taken = _taken(stack, workload.sites)
    if room is None or taken is None or taken + workload.surge * each <= room:
        return
    yield Danger(
        kind="spare",
        urn=workload.resource.urn,
        resource=workload.name,
        consequence=f"The update first starts {plural(workload.surge, 'replica')} more on {plural(each, 'accelerator')}"
        f"{' each' if workload.surge > 1 else ''}, but of the {room} of its pools {taken} are taken: it never goes on.",
        remedy="Set maxSurge: 0 and maxUnavailable: 1, or give the pool one more node.",
    )


def _room(sites: tuple[Site, ...]) -> int | None:
    """Return the accelerators of pools at their largest; ``None`` where that is not known, or there are none."""
    found = 0
    for site in sites:
        if site.most_nodes is None or site.units is None:
            return None
        found += site.most_nodes * site.units
    return found if sites else None


def _taken(stack: Stack, sites: tuple[Site, ...]) -> int | None:
    """Return the accelerators that all workloads on these pools ask for; ``None`` where one is not known."""
    pools = {site.pool.resource.urn for site in sites}
    found = 0
    for pod in stack.pods():
        if not pod.accelerators or not pools & {site.pool.resource.urn for site in sites_of(stack, pod)}:
            continue
        count = _copies(pod)
        if count is None:
            return None
        found += count * pod.accelerators
    return found


def _copies(pod: PodTemplate) -> int | None:
    """Return how many pods of a template run: of a group, one leader and the rest workers."""
    if pod.replicas is None or pod.size is None:
        return None
    if pod.object.kind == "LeaderWorkerSet":
        return pod.replicas * (1 if pod.role == "leader" else pod.size - 1)
    return pod.replicas


def _renewed(stack: Stack, moved: Moved) -> Iterator[Danger]:
    site = site_of(stack, moved.after) if moved.after else None
    if site is None or not site.accelerator or not moved.touches(*RENEWING):
        return
    more = surge(site.pool)
    what = next(path for path in moved.paths if path.startswith(RENEWING))
    name = called_pool(site)
    busy = first_nodes(site.pool) > 0
    if more:
        yield Danger(
            kind="spare",
            urn=moved.entry.urn,
            resource=name,
            consequence=f"A changed {what} renews every node ({machines(site)}), and for each GKE first asks for"
            f" {more} more: without spare capacity it waits, and the pool stays half renewed.",
            remedy="Set upgradeSettings to maxSurge: 0 and maxUnavailable: 1, or have a spare node in the reservation.",
            grave=scarce(site.pool) and busy,
        )
    elif more == 0:
        yield Danger(
            kind="spare",
            urn=moved.entry.urn,
            resource=name,
            consequence=f"A changed {what} renews every node ({machines(site)}), one after the other: each stops what"
            " runs on it and comes back only if its machine is still to be had.",
            remedy="Do it when the models on the pool may be away.",
            grave=scarce(site.pool) and busy,
        )
