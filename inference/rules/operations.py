"""Day two: rollouts, drains, node upgrades and logs of model servers.

A server answers for minutes and loads for many more. Whatever ends it early cuts answers off in the middle; whatever
waits for a spare accelerator waits for ever where the pool has none; whatever forbids every disruption makes each node
upgrade wait its hour and then evict by force.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.autoscalers import Autoscaler
from inference.rules.views.fleet import Sites
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.leader_worker_sets import LeaderWorkerSet, scaled
from inference.rules.views.pods import Container, PodTemplate
from inference.rules.views.resources import Resource
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import completed_elsewhere, server_in, sites_of, variables_in_force
from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN, Props

_DRAIN = "https://github.com/kserve/kserve/pull/5485"
_PDB = "https://kubernetes.io/docs/tasks/run-application/configure-pdb/"
_UPGRADES = "https://cloud.google.com/kubernetes-engine/docs/concepts/node-pool-upgrade-strategies"
_DEPLOYMENT = "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment"

_LEAST_SLEEP, _LEAST_GRACE = 15, 60
_SPOT_GRACE = range(15, 26)
"""Grace periods written for a spot node, whose pods get 25 seconds at most however much they ask for."""

_SLEEP = re.compile(r"\bsleep\s+(\d{1,6}(?:\.\d+)?)([smh]?)\b")
_UNIT = {"": 1, "s": 1, "m": 60, "h": 3600}


def _sleep_of(hook: Props) -> float | None:
    """Return the seconds for which a preStop hook waits; ``None`` for a hook that does something else."""
    if not hook.absent("sleep"):
        return hook.number("sleep", "seconds")
    found = _SLEEP.findall(" ".join(hook.texts("exec", "command")))
    return sum(float(amount) * _UNIT[unit] for amount, unit in found) if found else None


@rule(
    "operations-server-drains",
    title="A model server keeps serving until no more requests come, and then finishes those it has",
    breaks="A pod that is deleted gets its signal while gateways still send it requests, and generations take longer "
    "than 30 seconds: every rollout, scale-in and preemption cuts answers off with connection errors.",
    fix="Add lifecycle.preStop.exec sleep 15, --shutdown-timeout 45 (vLLM 0.18 and newer) and "
    "terminationGracePeriodSeconds: 75, at least the sum of both and never less than 60.",
    source=_DRAIN,
    severity=Severity.MEDIUM,
    covers=("OPS-001",),
    level=Level.ADVISORY,
    on=ModelServer,
)
def server_drains(server: ModelServer) -> Iterator[str]:
    container, pod = server.container, server.pod
    if not server.serves_http or not container.accelerators or completed_elsewhere(pod) or pod.ends:
        return
    if container.props.absent("lifecycle", "preStop"):
        yield (
            f"{server} has no preStop hook: it stops while gateways still send it requests, and every rollout cuts "
            "answers off. Add lifecycle.preStop.exec.command: [sleep, '15']."
        )
        return
    sleep = _sleep_of(container.props.section("lifecycle", "preStop"))
    unstated = pod.spec.absent("terminationGracePeriodSeconds")
    grace = 30 if unstated else pod.spec.integer("terminationGracePeriodSeconds")
    if sleep is None or grace is None or server.options.unknown("shutdown-timeout"):
        return
    needed = sleep + (server.options.integer("shutdown-timeout") or 0)
    for_spot = grace in _SPOT_GRACE and 0 < needed <= grace
    if sleep < _LEAST_SLEEP and not for_spot:
        yield (
            f"{server} waits {sleep:g} s in its preStop hook, and gateways take up to {_LEAST_SLEEP} s to stop sending "
            f"it requests; the last ones fail. Sleep at least {_LEAST_SLEEP} s."
        )
    if (grace < max(needed, _LEAST_GRACE) or grace <= sleep) and not for_spot:
        stated = "the default of 30" if unstated else f"{grace}"
        yield (
            f"{server} is killed after terminationGracePeriodSeconds ({stated} s), while preStop and the shutdown take "
            f"{needed:g} s and generations longer. Set it to {max(int(needed) + 15, 75)}."
        )


# ------------------------------------------------------------------ disruption budgets


def _scalers(stack: Stack) -> Mapping[tuple[str, str, str], int | None]:
    """Return the fewest replicas that an autoscaler keeps, by kind, namespace and name of its target."""
    found: dict[tuple[str, str, str], int | None] = {}
    for scaler in stack.each(Autoscaler):
        if scaler.target_name is not None:
            found[scaler.target_kind or "Deployment", scaler.namespace, scaler.target_name] = scaler.least
    return found


_COUNTED = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "LeaderWorkerSet", "Rollout"})


def _pods_made(stack: Stack, pod: PodTemplate) -> int | None:
    """Return how many pods are made of a template at the least; ``None`` where not known."""
    thing = pod.object
    if thing.kind == "Pod":
        return 1
    if thing.kind not in _COUNTED:
        return None
    scalers = stack.view(_scalers)
    key = (thing.kind, thing.namespace, thing.name or "")
    replicas = scalers.get(key, pod.replicas)
    if replicas is None or pod.size is None:
        return None
    return replicas * (pod.size - 1 if pod.role == "worker" else 1)


def _requirements_meet(selector: Props, pod: PodTemplate) -> bool:
    for requirement in selector.sections("matchExpressions"):
        value = pod.labels.get(requirement.text("key") or "")
        values = requirement.texts("values")
        meets = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }.get(requirement.text("operator") or "", False)
        if not meets:
            return False
    return True


def _by_namespace(stack: Stack) -> Mapping[str, tuple[PodTemplate, ...]]:
    found: dict[str, list[PodTemplate]] = {}
    for pod in stack.pods():
        found.setdefault(pod.namespace, []).append(pod)
    return {namespace: tuple(pods) for namespace, pods in found.items()}


def _selected(stack: Stack, budget: KubernetesObject) -> tuple[PodTemplate, ...]:
    selector = budget.spec.section("selector")
    labels = selector.strings("matchLabels")
    if not selector.known("matchLabels") or len(labels) != len(tuple(selector.section("matchLabels"))):
        return ()
    if labels:
        candidates = stack.pods_matching(labels, budget.namespace)
    elif budget.spec.absent("selector"):
        return ()
    else:
        candidates = stack.view(_by_namespace).get(budget.namespace, ())
    return tuple(pod for pod in candidates if _requirements_meet(selector, pod))


@rule(
    "operations-budget-allows-drain",
    title="A disruption budget lets at least one pod of a model go",
    breaks="No pod may be evicted, so a node upgrade or repair waits an hour for every node and then evicts by force, "
    "at a time that nobody chose. A budget on the only replica always blocks.",
    fix="Use maxUnavailable: 1, or a minAvailable below the number of replicas; take the budget of a single replica "
    "away.",
    source=_UPGRADES,
    severity=Severity.MEDIUM,
    covers=("OPS-004",),
)
def budget_allows_drain(stack: Stack) -> Iterator[About]:
    for budget in stack.objects("PodDisruptionBudget", "policy"):
        pods = _selected(stack, budget)
        if not any(pod.accelerators for pod in pods):
            continue
        counts = [_pods_made(stack, pod) for pod in pods]
        total = sum(count for count in counts if count is not None) if None not in counts else None
        if (said := _blocks(budget.spec, total)) is not None and total != 0:
            yield About(
                budget.resource,
                f"{budget} {said} of {_names(pods)}, so no pod may ever be evicted: each node upgrade waits an hour "
                "and then evicts by force. Set maxUnavailable: 1 in its place, or take the budget of a single replica "
                "away.",
            )


def _blocks(spec: Props, total: int | None) -> str | None:
    """Return what a budget says where it allows no disruption."""
    most, least = spec.raw("maxUnavailable"), spec.raw("minAvailable")
    if most is not None:
        return f"has maxUnavailable: {_plain(most)}" if scaled(most, total, up=True) == 0 else None
    if least is None or least is UNKNOWN:
        return None
    kept = scaled(least, total, up=True)
    if least == "100%" or (kept is not None and total is not None and kept >= total):
        count = "" if total is None else f" for the {total} pod{'s' if total != 1 else ''}"
        return f"has minAvailable: {_plain(least)}{count}"
    return None


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _names(pods: tuple[PodTemplate, ...]) -> str:
    return " and ".join(sorted({str(pod.object) for pod in pods})[:3])


# ------------------------------------------------------------------ room for rollouts


@dataclass(frozen=True, slots=True)
class _Rollout:
    """What an update of a workload needs beside what runs."""

    resource: Resource
    label: str
    pods: tuple[PodTemplate, ...]
    replicas: int
    surge: int
    per_replica: int
    """Pods of one replica."""
    stuck: bool
    """Whether it cannot go on without the extra pods."""


def _rollouts(stack: Stack) -> Iterator[_Rollout]:
    for thing in stack.objects("Deployment", "apps"):
        pods = tuple(pod for pod in thing.resource.view(PodTemplate.of) if pod.accelerators)
        strategy, replicas = thing.spec.section("strategy"), pods[0].replicas if pods else None
        if replicas is None or strategy.text("type") == "Recreate" or not thing.spec.known("strategy"):
            continue
        if thing.resource.type.endswith("Patch"):
            continue
        rolling = strategy.section("rollingUpdate")
        surge = scaled("25%" if rolling.absent("maxSurge") else rolling.raw("maxSurge"), replicas, up=True)
        lost = scaled("25%" if rolling.absent("maxUnavailable") else rolling.raw("maxUnavailable"), replicas, up=False)
        if surge and lost is not None:
            yield _Rollout(thing.resource, str(thing), pods, replicas, surge, 1, stuck=lost == 0)
    for group in stack.each(LeaderWorkerSet):
        pods = tuple(pod for pod in group.templates if pod.accelerators)
        rolling = group.spec.section("rolloutStrategy", "rollingUpdateConfiguration")
        surge = scaled(rolling.raw("maxSurge"), group.replicas, up=True)
        if pods and surge and group.replicas is not None and group.size:
            yield _Rollout(group.resource, str(group), pods, group.replicas, surge, group.size, stuck=True)


def _room(stack: Stack, pods: tuple[PodTemplate, ...]) -> int | None:
    """Return how many pods like these the node pools can hold; ``None`` where not known."""
    found: set[int] = set()
    for pod in pods:
        total = sites_of(stack, pod).told(_pods_on, pod.accelerators)
        if total is None:
            return None
        found.add(total)
    return min(found, default=None)


def _pods_on(sites: Sites, accelerators: int) -> int | None:
    """Return how many pods of so many accelerators there is room for; ``None`` where not known, or nowhere."""
    total = 0
    for site in sites:
        if site.units is None or site.most_nodes is None:
            return None
        total += site.most_nodes * (site.units // accelerators)
    return total if sites else None


@rule(
    "operations-rollout-has-room",
    title="An update that adds pods before it removes others has accelerators for them",
    breaks="The additional pods stay Pending, because the pool cannot grow any more, and the update waits for them: "
    "'ProgressDeadlineExceeded' and the old version keeps serving.",
    fix="Set maxSurge: 0 and maxUnavailable: 1, or raise the pool's maximum by the surge.",
    source=_DEPLOYMENT,
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    covers=("LWS-011",),
)
def rollout_has_room(stack: Stack) -> Iterator[About]:
    for rollout in _rollouts(stack):
        if not rollout.stuck or rollout.replicas < 1:
            continue
        room = _room(stack, rollout.pods)
        running = rollout.replicas * rollout.per_replica
        wanted = running + rollout.surge * rollout.per_replica
        if room is not None and running <= room < wanted:
            yield About(
                rollout.resource,
                f"{rollout.label} has {running} pods and adds {wanted - running} before it removes any (maxSurge "
                f"{rollout.surge}), and its node pools hold {room}; the rollout never ends. "
                "Set maxSurge: 0 and maxUnavailable: 1.",
            )


@rule(
    "operations-rollout-is-accepted",
    title="A rollout of a Deployment may take a pod away or add one",
    breaks="The API server refuses the object: 'maxUnavailable may not be 0 when maxSurge is 0', or 'may not be "
    "specified when strategy type is Recreate'.",
    fix="Set maxUnavailable: 1 where no accelerator is free for another pod, and maxSurge: 1 where one is.",
    source=_DEPLOYMENT,
    severity=Severity.HIGH,
    on=PodTemplate,
)
def rollout_is_accepted(pod: PodTemplate) -> Iterator[str]:
    strategy = pod.object.spec.section("strategy")
    if not pod.object.is_a("Deployment", "apps") or strategy.absent("rollingUpdate"):
        return
    if strategy.text("type") == "Recreate":
        yield f"{pod} has the strategy Recreate together with rollingUpdate, so it is refused. Remove rollingUpdate."
        return
    limits = [strategy.raw("rollingUpdate", key) for key in ("maxSurge", "maxUnavailable")]
    if all(str(limit).removesuffix("%") in ("0", "0.0") for limit in limits):
        yield (
            f"{pod} has maxSurge {limits[0]} and maxUnavailable {limits[1]}, so that no pod may come or go; the API "
            "server refuses it. Set maxUnavailable: 1."
        )


# ------------------------------------------------------------------ logs


@dataclass(frozen=True, slots=True)
class Environment:
    """What the judged stacks are for."""

    environment: str = "production"
    """Anything but production (and prod, live) allows debug settings."""


_PRODUCTION = frozenset({"production", "prod", "live"})
_TRIAL_STACK = re.compile(
    r"(?:^|[-_.])(?:dev|devel|development|test|testing|sandbox|staging|qa|ci|demo|local|lab|preview)(?:[-_.\d]|$)"
)
_LOUD: Mapping[str, tuple[str, ...]] = {
    "NCCL_DEBUG": ("INFO", "TRACE"),
    "VLLM_LOGGING_LEVEL": ("DEBUG", "TRACE"),
    "VLLM_TRACE_FUNCTION": ("1",),
    "CUDA_LAUNCH_BLOCKING": ("1",),
    "TORCH_DISTRIBUTED_DEBUG": ("DETAIL",),
    "NVSHMEM_DEBUG": ("TRACE",),
    "UCX_LOG_LEVEL": ("DEBUG", "TRACE"),
}
_QUIET = {"NCCL_DEBUG": "WARN", "VLLM_LOGGING_LEVEL": "INFO", "NVSHMEM_DEBUG": "WARN", "UCX_LOG_LEVEL": "WARN"}


@rule(
    "operations-production-is-quiet",
    title="Servers in production run without debug settings",
    breaks="NCCL and the engine write thousands of lines a minute from every rank: a bill for logging, slower serving, "
    "and no chance to find the line that matters.",
    fix="Set NCCL_DEBUG to WARN or leave it out; leave VLLM_LOGGING_LEVEL at INFO.",
    source="https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/env.html#nccl-debug",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    covers=("OPS-013",),
    on=Container,
    parameters=Environment,
)
def production_is_quiet(container: Container, stack: Environment) -> Iterator[str]:
    pod = container.pod
    name = pod.object.resource.urn.partition("::")[0].removeprefix("urn:pulumi:")
    if stack.environment.lower() not in _PRODUCTION or _TRIAL_STACK.search(name):
        return
    server = server_in(container)
    if server is None and (not container.accelerators or pod.ends):
        return
    values = variables_in_force(container)
    for variable, loud in _LOUD.items():
        value = values.get(variable)
        if value is not None and value.upper() in loud:
            yield (
                f"{container} runs with {variable}={value}, which floods the logs of production and slows serving. "
                + (f"Set {variable}={_QUIET[variable]}." if variable in _QUIET else f"Take {variable} away.")
            )
    level = server.options.option("uvicorn-log-level") if server else None
    if level is not None and level.lower() in ("debug", "trace"):
        yield f"{container} logs every request in detail (--uvicorn-log-level {level}). Leave the option out."
