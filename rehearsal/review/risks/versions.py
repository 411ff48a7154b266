"""Versions that change, and those that no longer go together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from inference.facts.upgrades import CHANNELS_FROM_SLOW_TO_FAST, NODE_LAG
from inference.rules.views.cloud import Cluster
from inference.rules.views.helm import HelmRelease
from inference.rules.views.images import ImageUse
from inference.rules.views.kubernetes import CustomResourceDefinition
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import NEWEST, version_of
from inference.rules.views.stack import Stack
from rehearsal.naming import called
from rehearsal.review.change import StackChange
from rehearsal.review.risks.danger import Danger, Moved, moves
from rehearsal.review.risks.serving import workloads

__all__ = ["dangers"]

_CLUSTER = "gcp:container/cluster:Cluster"
_NODE_POOL = "gcp:container/nodePool:NodePool"
_NUMBER = re.compile(r"v?(\d{1,4})(?:\.(\d{1,4}))?(?:\.(\d{1,4}))?(?![\d.]*[a-f])")


class _Version(NamedTuple):
    major: int
    minor: int
    patch: int


def dangers(change: StackChange) -> Iterator[Danger]:
    """Yield upgrades, downgrades and skews."""
    for moved in moves(change):
        if moved.before is None or moved.after is None:
            continue
        if moved.after.type == _CLUSTER:
            yield from _cluster(moved)
        yield from _chart(moved)
        yield from _images(moved)
        yield from _definition(moved)
    yield from _nodes(change)
    yield from _fleet(change)


def _parsed(text: str | None) -> _Version | None:
    match = _NUMBER.match(text or "")
    return _Version(int(match[1]), int(match[2] or 0), int(match[3] or 0)) if match else None


def _danger(moved: Moved, name: str, consequence: str, remedy: str, *, grave: bool = True) -> Danger:
    return Danger(
        kind="version", urn=moved.entry.urn, resource=name, consequence=consequence, remedy=remedy, grave=grave
    )


def _cluster(moved: Moved) -> Iterator[Danger]:
    assert moved.before is not None  # noqa: S101 - the caller has looked
    assert moved.after is not None  # noqa: S101
    (before,), (after,) = moved.before.view(Cluster.of), moved.after.view(Cluster.of)
    name = moved.after.physical_name or moved.after.name
    old, new = _parsed(before.version), _parsed(after.version)
    if old and new and before.version != after.version and moved.op == "update":
        told = f"The control plane goes from {before.version} to {after.version}"
        if new < old:
            yield _danger(moved, name, f"{told}: GKE refuses to go back.", "Keep the version that stands.")
        elif (new.major, new.minor) != (old.major, old.minor):
            steps = f"; GKE goes one minor version at a time, so {new.minor - old.minor} upgrades" * (
                new.minor > old.minor + 1
            )
            fate = "cannot be undone, and node pools follow by themselves where auto-upgrade is on, node by node"
            remedy = (
                "Read the release notes of GKE and Kubernetes, and try it in another stack first; set a maintenance"
            )
            yield _danger(moved, name, f"{told}{steps}. It {fate}.", f"{remedy} window.")
        else:
            yield _danger(moved, name, f"{told}.", "Nothing, as a rule.", grave=False)
    if before.release_channel and after.release_channel and before.release_channel != after.release_channel:
        order = CHANNELS_FROM_SLOW_TO_FAST
        known = before.release_channel in order and after.release_channel in order
        faster = known and order.index(after.release_channel) > order.index(before.release_channel)
        told = f"The release channel changes from {before.release_channel} to {after.release_channel}"
        fate = (
            "GKE may upgrade control plane and nodes soon"
            if faster
            else ("the versions that stand may be newer than the channel's, and then wait for it")
        )
        yield _danger(moved, name, f"{told}: {fate}.", "Set a maintenance window, and see which versions it offers.")


def _chart(moved: Moved) -> Iterator[Danger]:
    assert moved.before is not None  # noqa: S101
    assert moved.after is not None  # noqa: S101
    old_views, new_views = moved.before.view(HelmRelease.of), moved.after.view(HelmRelease.of)
    if not old_views or not new_views or old_views[0].version == new_views[0].version:
        return
    old, new = old_views[0].version, new_views[0].version
    before, after = _parsed(old), _parsed(new)
    told = f"The chart {new_views[0].chart} goes from {old or 'its newest'} to {new or 'its newest'}"
    name = new_views[0].name or new_views[0].resource.name
    if before is None or after is None:
        yield _danger(moved, name, f"{told}, whatever that is on the day.", "Name a version.")
        return
    leap = before.major != after.major or (after.major == 0 and before.minor != after.minor)
    told += ", back to an older one" if after < before else ""
    fate = "Helm does not update the chart's custom resource definitions on the way"
    remedy = "Read the chart's release notes, and apply its definitions first."
    yield _danger(moved, name, f"{told}: {fate}.", remedy, grave=leap or after < before)


def _images(moved: Moved) -> Iterator[Danger]:
    assert moved.before is not None  # noqa: S101
    assert moved.after is not None  # noqa: S101
    if moved.before.view(HelmRelease.of):
        return
    before = {use.name: use for use in moved.before.view(ImageUse.of)}
    serving = {server.container.image for server in _servers(moved)}
    for use in dict.fromkeys(moved.after.view(ImageUse.of)):
        was = before.get(use.name)
        if was is None or was.reference == use.reference:
            continue
        old, new = _parsed(was.tag), _parsed(use.tag)
        told = f"{use.name} goes from {was.tag or 'no tag'} to {use.tag or 'no tag'}"
        if old and new and old[:2] == new[:2]:
            told = f"{told} ({'a patch' if new != old else 'another build'})"
            yield _danger(moved, use.label, f"{told}.", "Nothing, as a rule.", grave=False)
            continue
        told += ", back to an older one" if old and new and new < old else ""
        if use.reference in serving:
            fate = "options, defaults and memory needs of an engine change between such versions"
            remedy = "Try it in another stack first, with the same model, accelerator and context length."
        else:
            fate, remedy = "what it does may change", "Read its release notes."
        yield _danger(moved, use.label, f"{told}: {fate}.", remedy, grave=use.reference in serving)


def _servers(moved: Moved) -> tuple[ModelServer, ...]:
    return moved.after.view(ModelServer.of) if moved.after is not None else ()


def _definition(moved: Moved) -> Iterator[Danger]:
    assert moved.before is not None  # noqa: S101
    assert moved.after is not None  # noqa: S101
    old_views, new_views = moved.before.view(CustomResourceDefinition.of), moved.after.view(CustomResourceDefinition.of)
    if not old_views or not new_views:
        return
    old, new = ({v.text("name") for v in view[0].spec.sections("versions")} for view in (old_views, new_views))
    gone = sorted(str(name) for name in old - new)
    name = new_views[0].name or moved.after.name
    if gone:
        told = (
            f"The definition no longer knows {', '.join(gone)}: objects written in it cannot be read any more, and the"
        )
        told += " API server refuses the change while some are stored."
        yield _danger(moved, name, told, "Migrate the stored objects first, then drop the version.")


def _nodes(change: StackChange) -> Iterator[Danger]:
    """Yield pools that a new control plane leaves too far behind."""
    if change.after is None:
        return
    changed = {moved.entry.urn: moved for moved in moves(change, _CLUSTER, _NODE_POOL)}
    for cluster in change.after.stack.each(Cluster):
        master = _parsed(cluster.version)
        for pool in cluster.pools(change.after.stack) if master else ():
            node = _parsed(pool.props.text("version"))
            moved = changed.get(pool.resource.urn) or changed.get(cluster.resource.urn)
            if moved is None or node is None or master is None or pool.inline:
                continue
            behind = master.minor - node.minor
            if behind > NODE_LAG or behind < 0:
                told = f"Its nodes run {pool.props.text('version')} under a control plane of {cluster.version}: "
                told += f"{behind} minor versions behind" if behind > 0 else "newer than it"
                remedy = "Bring control plane and nodes together; first the control plane, then the pools."
                yield _danger(moved, called(pool.resource), f"{told}, which Kubernetes does not support.", remedy)


def _fleet(change: StackChange) -> Iterator[Danger]:
    """Yield models whose servers a change lets run different versions, between which caches and groups do not work."""
    if change.after is None:
        return
    changed = {moved.entry.urn: moved for moved in moves(change)}
    before = _mixed(change.before.stack) if change.before else {}
    for model, versions in _mixed(change.after.stack).items():
        moved = next((changed[urn] for urns in versions.values() for urn in urns if urn in changed), None)
        if moved is None or model in before:
            continue
        told = ", ".join(".".join(map(str, version)) for version in sorted(versions))
        yield _danger(
            moved,
            model,
            f"Its servers run different versions of vLLM ({told}): the members of one group, and prefill and decode, "
            "only understand their own.",
            "Change all of them together.",
        )


def _mixed(stack: Stack) -> dict[str, dict[tuple[int, int, int], list[str]]]:
    found: dict[str, dict[tuple[int, int, int], list[str]]] = {}
    for workload in workloads(stack):
        for server in workload.servers:
            version = version_of(server)
            if server.model and version and version != NEWEST:
                found.setdefault(server.model, {}).setdefault(version, []).append(workload.resource.urn)
    return {model: versions for model, versions in found.items() if len(versions) > 1}
