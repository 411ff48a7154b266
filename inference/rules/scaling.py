"""Growth and change: whether the pools have room for the replicas that autoscalers and rollouts ask for.

Accelerator pools have hard ends: a reservation, a quota, a maximum that somebody chose. A replica beyond them is
Pending at the peak, which is when it was wanted; a rollout that first starts a new pod waits forever where there is no
spare GPU; and a node that is repaired takes one member out of a group that only works whole.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from inference.facts.gke import GPU_RESOURCE, TPU_RESOURCE
from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.autoscalers import Autoscaler
from inference.rules.views.fleet import Site
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.placed import placed
from inference.rules.views.placement import Placement
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

_HPA = "https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/"
_SERVING = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "LeaderWorkerSet"})


@dataclass(frozen=True, eq=False)
class _Scaler:
    """An autoscaler of a workload."""

    object: KubernetesObject
    least: int | None
    most: int | None


@dataclass(frozen=True, eq=False)
class _Load:
    """Pods of one workload with accelerators that may run on the same pools."""

    object: KubernetesObject
    sites: tuple[Site, ...]
    resource: str
    units: int
    """Accelerators of a pod."""
    pods: int
    """Pods of one replica."""
    fixed: int | None
    """Replicas that the workload itself asks for."""
    scaler: _Scaler | None
    slots: int | None
    """Pods of this size for which the pools have room at their largest."""

    @property
    def most(self) -> int | None:
        """Most replicas."""
        return self.scaler.most if self.scaler is not None else self.fixed

    @property
    def least(self) -> int | None:
        """Fewest replicas."""
        return self.scaler.least if self.scaler is not None else self.fixed

    @property
    def where(self) -> str:
        """The pools in words."""
        names = ", ".join(str(site) for site in self.sites[:3])
        return f"the pool {names}" if len(self.sites) == 1 else f"the pools {names}"


def _loads(stack: Stack) -> tuple[_Load, ...]:
    scalers = _scalers(stack)
    room: dict[tuple[int, int], int | None] = {}
    found: dict[tuple[str, bool, int, str, int], _Load] = {}
    for placement, scope in placed(stack):
        thing, units = placement.pod.object, placement.gpus or placement.tpus
        pods, place, sites = _pods_of_a_replica(placement), _counted_at(placement), scope.candidates(placement)
        if place is None or not units or pods is None or not sites:
            continue
        if (id(sites), units) not in room:
            room[id(sites), units] = _slots(sites, units)
        resource = GPU_RESOURCE if placement.gpus else TPU_RESOURCE
        scaler = _own_scaler(thing, place) or scalers.get((thing.namespace, thing.kind, thing.name or ""))
        key = (thing.resource.urn, placement.pod.role.startswith("prefill"), id(sites), resource, units)
        before = found[key].pods if key in found else 0
        fixed = _count(place, "replicas", 1)
        found[key] = _Load(thing, sites, resource, units, before + pods, fixed, scaler, room[id(sites), units])
    return tuple(found.values())


def _counted_at(placement: Placement) -> Props | None:
    """Return the place that says how many replicas there are; ``None`` for kinds that do not serve, or not singly."""
    thing, role = placement.pod.object, placement.pod.role
    if thing.kind in _SERVING:
        return thing.spec
    if thing.kind == "InferenceService" and role == "predictor":
        return thing.spec.section("predictor")
    if thing.kind == "LLMInferenceService" and role in {"", "prefill leader"}:
        place = thing.spec.section("prefill") if role else thing.spec
        return place if place.absent("worker") else None
    return None


def _own_scaler(thing: KubernetesObject, place: Props) -> _Scaler | None:
    """Return the autoscaling that a KServe object describes itself."""
    if thing.kind == "LLMInferenceService" and (scaling := place.section("scaling")):
        return _Scaler(thing, _count(scaling, "minReplicas", 1), scaling.integer("maxReplicas"))
    if thing.kind == "InferenceService" and not place.absent("maxReplicas"):
        return _Scaler(thing, _count(place, "minReplicas", 1), place.integer("maxReplicas"))
    return None


def _count(place: Props, key: str, default: int) -> int | None:
    return default if place.absent(key) else place.integer(key)


def _slots(sites: tuple[Site, ...], units: int) -> int | None:
    total = 0
    for site in sites:
        if site.units is None or site.most_nodes is None:
            return None
        total += site.most_nodes * (site.units // units)
    return total


def _pods_of_a_replica(placement: Placement) -> int | None:
    size = placement.pod.size
    if placement.pod.role == "worker":
        return size - 1 if size is not None else None
    return 1


def _scalers(stack: Stack) -> dict[tuple[str, str, str], _Scaler]:
    found: dict[tuple[str, str, str], _Scaler] = {}
    for scaler in stack.each(Autoscaler):
        key = scaler.namespace, scaler.target_kind or "Deployment", scaler.target_name or ""
        found[key] = _Scaler(scaler.object, scaler.least, scaler.most)
    return found


# ---------------------------------------------------------------- room for replicas


@rule(
    "scaling-replicas-fit-pool",
    title="The most replicas of a workload fit the pools at their largest",
    breaks="At the peak the last replicas stay Pending, and requests queue although the autoscaler did its work. A "
    "KEDA ScaledObject that names no maximum goes up to 100.",
    fix="Raise the pool's maximum, or lower maxReplicas.",
    source=_HPA,
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    covers=("OPS-005",),
)
def replicas_fit_pool(stack: Stack) -> Iterator[About]:
    for load in stack.view(_loads):
        most, slots = load.most, load.slots
        if most is None or slots is None or most * load.pods <= slots:
            continue
        group = f" of {load.pods} pods" if load.pods > 1 else ""
        who = f"{load.scaler.object} lets {load.object} grow to" if load.scaler else f"{load.object} asks for"
        if load.scaler is not None and load.scaler.object is load.object:
            who = f"{load.object} may grow to"
        yield About(
            (load.scaler.object if load.scaler else load.object).resource,
            f"{who} {most} replica{'s' if most > 1 else ''}{group} with {load.units} {load.resource} each, and "
            f"{load.where} has room for {slots} such pod{'s' if slots != 1 else ''} at most; the rest stays Pending. "
            f"Raise the pool's maximum, or go no further than {slots // load.pods}.",
        )


@rule(
    "scaling-workloads-fit-pool",
    title="All workloads of a pool fit it together at their smallest",
    breaks="One of the workloads never starts: its pods stay Pending behind those that came first.",
    fix="Raise the pool's maximum, give a workload a pool of its own, or run fewer replicas.",
    source=_HPA,
    severity=Severity.HIGH,
    level=Level.ADVISORY,
    covers=("OPS-005",),
)
def workloads_fit_pool(stack: Stack) -> Iterator[About]:
    together: dict[tuple[int, str], list[_Load]] = defaultdict(list)
    for load in stack.view(_loads):
        if load.least is not None and not _yields(stack, load.object):
            together[id(load.sites), load.resource].append(load)
    for loads in together.values():
        room = _slots(loads[0].sites, 1)
        asked = sum((load.least or 0) * load.pods * load.units for load in loads)
        alone = any((load.least or 0) * load.pods > (load.slots or 0) for load in loads)
        if len(loads) > 1 and room is not None and asked > room and not alone:
            others = ", ".join(str(load.object) for load in loads[:-1][:3])
            last = loads[-1]
            yield About(
                last.object.resource,
                f"{last.object} shares {last.where} with {others}; together they ask for {asked} {last.resource}, and "
                f"there are {room} at most: some pods stay Pending. Raise the pool's maximum or run fewer replicas.",
            )


def _yields(stack: Stack, thing: KubernetesObject) -> bool:
    """Whether the workload is a placeholder that makes way for others."""
    name = thing.spec.text("template", "spec", "priorityClassName")
    declared = stack.object("PriorityClass", "scheduling.k8s.io", name, None) if name else None
    return declared is not None and (declared.props.number("value") or 0) < 0


# ---------------------------------------------------------------- rollouts and repairs


@rule(
    "scaling-rollout-needs-no-spare",
    title="A rollout of a model server takes an old pod away where no accelerator is free for a new one",
    breaks="The new pod waits for a GPU that the old one holds, and the old one waits for the new one: every rollout "
    "hangs until its deadline. With one to three replicas the default (25 % each) rounds to one more and none less.",
    fix="strategy.rollingUpdate with maxSurge: 0 and maxUnavailable: 1, or type: Recreate, or a larger pool.",
    source="https://kubernetes.io/docs/concepts/workloads/controllers/deployment/",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
)
def rollout_needs_no_spare(stack: Stack) -> Iterator[About]:
    for load in stack.view(_loads):
        count, slots = load.fixed, load.slots
        if load.object.kind != "Deployment" or load.scaler is not None or not count or slots is None:
            continue
        if count <= slots < count + 1 and _only_surges(load.object.spec, count):
            yield About(
                load.object.resource,
                f"{load.object} starts a new pod before it takes an old one away, and {load.where} has room for "
                f"{slots} such pod{'s' if slots > 1 else ''}, all taken: every rollout hangs. Set "
                "strategy.rollingUpdate to maxSurge: 0 and maxUnavailable: 1.",
            )


def _only_surges(spec: Props, count: int) -> bool:
    strategy = spec.section("strategy")
    if not spec.known("strategy", "rollingUpdate") or strategy.text("type") not in {None, "RollingUpdate"}:
        return False
    rolling = strategy.section("rollingUpdate")
    fewer = 0.25 * count if rolling.absent("maxUnavailable") else _amount(rolling, "maxUnavailable", count)
    more = 0.25 * count if rolling.absent("maxSurge") else _amount(rolling, "maxSurge", count)
    return fewer is not None and more is not None and math.floor(fewer) == 0 and more > 0


def _amount(rolling: Props, key: str, count: int) -> float | None:
    text = rolling.text(key) or ""
    if text.endswith("%") and text[:-1].isdigit() and len(text) < 6:
        return int(text[:-1]) / 100 * count
    return rolling.number(key)


@rule(
    "scaling-repair-restarts-group",
    title="A pool whose nodes are repaired carries only groups that restart as a whole",
    breaks="Automatic repair makes one node again. The other pods of the group keep their broken communicators, and "
    "every request over all nodes fails until somebody restarts the group by hand.",
    fix="restartPolicy: RecreateGroupOnPodRestart on the LeaderWorkerSet, or autoRepair: false on the pool.",
    source="https://lws.sigs.k8s.io/docs/concepts/",
    severity=Severity.HIGH,
    level=Level.ADVISORY,
    covers=("NP-018",),
)
def repair_restarts_group(stack: Stack) -> Iterator[About]:
    judged: set[str] = set()
    for placement, scope in placed(stack):
        thing = placement.pod.object
        policy = thing.spec.text("leaderWorkerTemplate", "restartPolicy")
        several = (placement.pod.size or 1) > 1
        if thing.kind != "LeaderWorkerSet" or not several or policy not in {"None", "Default"}:
            continue
        repaired = [site for site in scope.candidates(placement) if site.accelerator and _repaired(site)]
        if repaired and thing.resource.urn not in judged:
            judged.add(thing.resource.urn)
            yield About(
                thing.resource,
                f"{thing} has groups of {placement.pod.size} pods with restartPolicy {policy}, and the pool "
                f"{repaired[0]} repairs its nodes one by one; a repair then leaves a group that answers nobody. "
                "Set restartPolicy: RecreateGroupOnPodRestart, or autoRepair: false on the pool.",
            )


def _repaired(site: Site) -> bool:
    repair = site.pool.props
    return repair.known("management", "autoRepair") and repair.flag("management", "autoRepair") is not False
