"""Accelerators that a change gives back, and that may not come again."""

from __future__ import annotations

from collections.abc import Iterator

from inference.rules.views.buying import scarce
from inference.rules.views.cloud import NodePool
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.nodes import counts
from inference.rules.views.resources import Resource, short_name
from inference.rules.views.stack import Stack
from rehearsal.naming import called, called_pool
from rehearsal.review.change import StackChange
from rehearsal.review.risks.danger import Danger, Moved, forcing, moves
from rehearsal.texts import plural

__all__ = ["dangers", "machines", "site_of"]

_NODE_POOL = "gcp:container/nodePool:NodePool"
_RESERVATIONS = ("gcp:compute/reservation:Reservation", "gcp:compute/futureReservation:FutureReservation")
_COUNTS = (("specificReservation", "count"), ("specificSkuProperties", "totalCount"))

_BESIDE = (
    "Make the new pool beside the old one under another name, move the model over, and delete the old pool last; "
    "or do it when the model may be away."
)


def dangers(change: StackChange) -> Iterator[Danger]:
    """Yield pools and reservations that go, shrink or are bought anew."""
    for moved in moves(change, _NODE_POOL):
        before = site_of(change.before.stack, moved.before) if change.before and moved.before else None
        if before is None or not before.accelerator:
            continue
        after = site_of(change.after.stack, moved.after) if change.after and moved.after else None
        if moved.lost:
            yield _given_back(moved, before, after)
        elif after is not None:
            yield from _shrunk(moved, before, after)
    for moved in moves(change, *_RESERVATIONS):
        yield from _reservation(moved)


def site_of(stack: Stack, resource: Resource) -> Site | None:
    """Return the pool of a resource with what its cluster adds."""
    return next((site for site in stack.view(Fleet).sites if site.pool.resource is resource), None)


def machines(site: Site) -> str:
    """Return what a pool is made of: ``2–4 × a3-ultragpu-8g with 8 nvidia-h200-141gb``."""
    least, most = counts(site)
    count = "an unknown number of"
    if most is not None:
        count = f"{most} ×" if least == most else f"{'?' if least is None else least}–{most} ×"
    each = site.pool.gpus_per_node if site.pool.gpu else site.chips
    kind = site.pool.gpu_type if site.pool.gpu else "TPU chips"
    with_ = f" with {each} {kind}" if each and kind else ""
    return f"{count} {site.pool.machine_type or 'the default machine'}{with_}"


def _reservations(pool: NodePool) -> str:
    return ", ".join(short_name(value) for value in pool.config.texts("reservationAffinity", "values"))


def _bought(pool: NodePool) -> str:
    if pool.reserved:
        return f"from the reservation {_reservations(pool) or '(unknown)'}"
    if pool.flex_start:
        return "with flex-start"
    if pool.queued:
        return "by queued provisioning"
    return "as spot" if pool.spot else "on demand"


def _given_back(moved: Moved, before: Site, after: Site | None) -> Danger:
    pool = before.pool
    grave = scarce(pool) or pool.flex_start or pool.queued or pool.reserved
    word = "is replaced" if moved.op == "replace" else "is deleted"
    why = f" ({reason})" if moved.op == "replace" and (reason := forcing(moved.entry)) else ""
    consequence = f"The pool {word}{why}: {machines(before)}, bought {_bought(pool)}, are given back. {_fate(pool)}"
    if after is not None and _bought(after.pool) != _bought(pool):
        consequence += f" The new pool is bought {_bought(after.pool)}."
    remedy = _BESIDE if moved.op == "replace" else "Delete it only if nothing will need these accelerators again soon."
    return Danger(
        kind="capacity",
        urn=moved.entry.urn,
        resource=called_pool(before),
        consequence=consequence,
        remedy=remedy,
        grave=grave,
    )


def _fate(pool: NodePool) -> str:
    if pool.reserved:
        return "The reservation keeps them, but gives them to whoever asks first meanwhile."
    if pool.flex_start or pool.queued:
        return "To have them again is a new request, which waits for as long as it takes."
    if scarce(pool):
        return "Such machines are seldom there when they are asked for."
    return "They come again only if the zone has some then."


def _shrunk(moved: Moved, before: Site, after: Site) -> Iterator[Danger]:
    (least, most), (now_least, now_most) = counts(before), counts(after)
    if most is not None and now_most is not None and now_most < most:
        fate = f"at most {now_most} instead of {plural(most, 'node')}; nodes beyond that go when they are idle"
        if before.pool.props.absent("autoscaling"):
            fate = f"{now_most} instead of {plural(most, 'node')}; the others are given back at once"
    elif least is not None and now_least is not None and now_least < least:
        fate = f"at least {now_least} instead of {plural(least, 'node')}; the autoscaler gives idle ones back"
    else:
        return
    yield Danger(
        kind="capacity",
        urn=moved.entry.urn,
        resource=called_pool(before),
        consequence=f"The pool of {before.pool.machine_type or 'unknown machines'}, bought {_bought(before.pool)}, "
        f"shrinks: {fate}. {_fate(before.pool)}",
        remedy="Shrink it only if the load will not need these nodes again soon.",
        grave=scarce(before.pool) or before.pool.flex_start or before.pool.queued,
    )


def _reservation(moved: Moved) -> Iterator[Danger]:
    if moved.before is None:
        return
    if moved.lost:
        word = "replaced" if moved.op == "replace" else "deleted"
        consequence = f"The reservation is {word}: its machines go back to Google Cloud and may not be had again."
    else:
        counts = [
            (old, new)
            for path in _COUNTS
            if moved.after is not None
            and (old := moved.before.props.integer(*path)) is not None
            and (new := moved.after.props.integer(*path)) is not None
            and new < old
        ]
        if not counts:
            return
        consequence = f"The reservation shrinks from {counts[0][0]} to {plural(counts[0][1], 'machine')}."
    yield Danger(
        kind="capacity",
        urn=moved.entry.urn,
        resource=called(moved.before),
        consequence=consequence,
        remedy="Make the new reservation first, and let the old one go when its machines are no longer needed.",
    )
