"""Models that stop answering, and how long until they answer again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inference.estimates.readiness import PHASES
from rehearsal.naming import called_pool
from rehearsal.review.change import StackChange
from rehearsal.review.risks.danger import Danger, Moved, forcing, moves
from rehearsal.review.risks.serving import Workload, workloads
from rehearsal.texts import plural

__all__ = ["dangers"]

_RELOADING = ("weights", "engine")
"""What a new pod on a node that stays goes through; a changed image comes on top."""


def dangers(change: StackChange) -> Iterator[Danger]:
    """Yield every model that is away for a while, or for good."""
    if change.before is None:
        return
    moved = {entry.entry.urn: entry for entry in moves(change)}
    renamed = {entry.entry.old.urn: entry for entry in moved.values() if entry.entry.old}
    after = {w.resource.urn: w for w in workloads(change.after.stack)} if change.after else {}
    served = {model for workload in after.values() if workload.replicas != 0 for model in _models(workload)}
    for workload in workloads(change.before.stack):
        if workload.replicas == 0:
            continue
        entry = renamed.get(workload.resource.urn) or moved.get(workload.resource.urn)
        successor = after.get(entry.entry.urn if entry else workload.resource.urn)
        yield from _of(workload, successor, entry, served, moved)


def _models(workload: Workload) -> Iterator[str]:
    yield from (name for server in workload.servers for name in (server.model, *server.served_names) if name)


def _of(
    before: Workload,
    after: Workload | None,
    entry: Moved | None,
    served: set[str],
    moved: Mapping[str, Moved],
) -> Iterator[Danger]:
    urn = before.resource.urn
    if after is None or (entry is not None and entry.op == "delete"):
        elsewhere = any(model in served for model in _models(before))
        told = (
            "The workload is deleted; another one in this stack serves the model."
            if elsewhere
            else ("The workload is deleted: the model stops answering.")
        )
        remedy = "Delete it only when the other one is ready." if elsewhere else "Take its callers away first."
        yield _danger(urn, before, told, remedy)
        return
    if after.replicas == 0:
        yield _danger(urn, before, "No replica is left: the model stops answering.", "Keep one replica.")
        return
    yield from _renamed(urn, before, after, served)
    lost = [site for site in before.sites if _gone(moved.get(site.pool.resource.urn))]
    uprooted = bool(lost) and len(lost) == len(before.sites)
    anew = f"until new nodes have come and loaded it{_in_parentheses(after.loading(*PHASES))}"
    if entry is not None and entry.op == "replace":
        reason = forcing(entry.entry)
        told = f"The workload is replaced{f' ({reason})' if reason else ''}: the model stops answering "
        told += f"{anew if uprooted else _until(entry, after)}."
        yield _danger(urn, before, told, "Do it when the model may be away, or bring up a second workload first.")
        return
    if uprooted:
        pools = ", ".join(called_pool(site) for site in lost)
        verb = "go" if len(lost) > 1 else "goes"
        told = f"Its node pool {pools} {verb} away under it: the model stops answering {anew}."
        yield _danger(urn, before, told, "Make the new pool first under another name and move the model over.")
        return
    if entry is not None and entry.touches(*after.templates) and _restarts(entry, after):
        yield from _updated(urn, before, after, _until(entry, after))


def _renamed(urn: str, before: Workload, after: Workload, served: set[str]) -> Iterator[Danger]:
    """Yield the names under which a model was asked for and nothing answers any more."""
    new = {name for server in after.servers for name in server.served_names}
    gone = {name for server in before.servers for name in server.served_names} - served - new
    if not gone or not all(server.served_names for server in after.servers):
        return
    told = f"Nothing answers to the name {_names(gone)} any more: requests for it fail. It answers to {_names(new)}."
    yield _danger(urn, before, told, "Move the callers with it, or keep the old name as another served model name.")


def _names(names: set[str]) -> str:
    return " or ".join(sorted(names))


def _gone(moved: Moved | None) -> bool:
    return moved is not None and moved.lost


def _restarts(entry: Moved, workload: Workload) -> bool:
    """Whether the change makes new pods; of a kind with its own controller, replicas are no part of the pod."""
    if workload.templates != ("spec",):
        return True
    return any(path.startswith("spec.") and not path.endswith("replicas") for path in entry.paths)


def _updated(urn: str, before: Workload, after: Workload, until: str) -> Iterator[Danger]:
    replicas, away, surge = before.replicas, after.away, after.surge
    group = " The whole group restarts." if (after.members or 1) > 1 else ""
    if after.pod.object.spec.text("updateStrategy", "type") == "OnDelete":
        told = "Its pods change only when somebody deletes them: what was reviewed does not run until then."
        yield _danger(urn, before, told, "Delete the pods one by one.", grave=False)
    elif replicas is None or away is None:
        told = f"Its pods are made anew by a strategy that is not known here; each is away {until}.{group}"
        yield _danger(urn, before, told, "See that one replica answers while another is away.", grave=False)
    elif away >= replicas:
        ways = "all replicas stop before new ones start" if replicas > 1 else "its only replica stops first"
        told = f"Its pods change, and {ways}: the model stops answering {until}.{group}"
        yield _danger(urn, before, told, "Do it when the model may be away, or run a second replica meanwhile.")
    elif away:
        told = f"It is updated {plural(away, 'replica')} at a time; {replicas - away} of {replicas} answer meanwhile."
        told += group
        yield _danger(urn, before, told, "Do it when the load is low.", grave=False)
    elif surge:
        told = f"New pods start before old ones stop: it goes on answering, and the change shows {until}."
        yield _danger(urn, before, told, "Nothing, where the spare accelerators are there.", grave=False)


def _in_parentheses(text: str) -> str:
    return f" ({text})" if text else ""


def _until(entry: Moved, workload: Workload) -> str:
    """Say until when it is away, on nodes that stay."""
    pulled = ("image",) if any(path.endswith(".image") for path in entry.paths) else ()
    return f"until the model is loaded again{_in_parentheses(workload.loading(*pulled, *_RELOADING))}"


def _danger(urn: str, workload: Workload, consequence: str, remedy: str, *, grave: bool = True) -> Danger:
    label = workload.name if workload.label == workload.name else f"{workload.name} ({workload.label})"
    return Danger(kind="downtime", urn=urn, resource=label, consequence=consequence, remedy=remedy, grave=grave)
