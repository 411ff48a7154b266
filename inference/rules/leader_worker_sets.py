"""LeaderWorkerSets: what the controller accepts, and how a group starts, restarts and is updated as one.

A leader and its workers serve one model: none of them works without the others. The definition hardly checks what is
written, so a mistake shows late: as a refusal by the webhook, as pods that are never made, or as a group that hangs
with all of its GPUs. How its pods find each other is in ``group_members``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from inference.facts import controllers
from inference.rules.framework import About, Severity, rule
from inference.rules.views.helm import HelmRelease
from inference.rules.views.leader_worker_sets import LeaderWorkerSet, scaled
from inference.rules.views.pods import Container
from inference.rules.views.resources import Resource
from inference.rules.views.servers import ModelServer
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

_WEBHOOK = "https://github.com/kubernetes-sigs/lws/blob/main/pkg/webhooks/leaderworkerset_webhook.go"
_TYPES = "https://github.com/kubernetes-sigs/lws/blob/main/api/leaderworkerset/v1/leaderworkerset_types.go"
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_WHOLE = "RecreateGroupOnPodRestart"


@rule(
    "lws-name-fits",
    title="The name of a LeaderWorkerSet is a DNS label of at most 50 characters",
    breaks="Pods and labels are named after the set with suffixes. From 51 characters on the StatefulSets are made and "
    "their pods are refused, so the set exists and nothing runs; a name that is no DNS label is refused at once.",
    fix="Shorten the name; give the long one as a label.",
    source=_WEBHOOK,
    severity=Severity.HIGH,
    on=LeaderWorkerSet,
)
def name_fits(group: LeaderWorkerSet) -> Iterator[str]:
    if group.name is None:
        return
    if len(group.name) > controllers.MAX_LWS_NAME:
        yield (
            f"{group} has a name of {len(group.name)} characters; names of its pods and their labels become too long, "
            f"and no pod is made. Use at most {controllers.MAX_LWS_NAME} characters."
        )
    elif not _NAME.fullmatch(group.name):
        yield (
            f"{group} has a name that cannot be the name of its headless Service, so the webhook refuses it. Use lower "
            "case letters, digits and dashes, beginning with a letter."
        )


@rule(
    "lws-group-restarts-together",
    title="A group that serves one model restarts as a whole",
    breaks="A worker that restarts alone finds the others in an old communicator. The leader stays ready, requests "
    "hang, and the GPUs of the whole group idle until somebody deletes the pods.",
    fix="Set leaderWorkerTemplate.restartPolicy to RecreateGroupOnPodRestart, or leave it out with LWS 0.4 and newer.",
    source=_TYPES,
    severity=Severity.HIGH,
    covers=("LWS-005",),
    on=LeaderWorkerSet,
)
def group_restarts_together(group: LeaderWorkerSet) -> Iterator[str]:
    policy = group.group.text("restartPolicy")
    if policy is None:
        return
    if policy not in controllers.LWS_RESTART_POLICIES:
        yield (
            f'{group} has the restart policy "{policy}", which does not exist, so it is refused. Set '
            f"leaderWorkerTemplate.restartPolicy: {_WHOLE}."
        )
    elif policy in ("None", "Default") and group.spans_pods and group.collective:
        yield (
            f'{group} has the restart policy "{policy}" for groups of {group.size} pods; when one pod restarts the '
            "others keep a dead communicator and requests hang. "
            f"Set leaderWorkerTemplate.restartPolicy: {_WHOLE}."
        )


def _probed(container: Container) -> bool:
    """Whether the pod is ready only when the container answers."""
    return any(container.props.section(probe) for probe in ("readinessProbe", "startupProbe"))


def _waits_for_workers(container: Container, server: ModelServer | None) -> bool:
    """Whether a leader's server answers only after the workers have joined it."""
    text = " ".join(container.command)
    if controllers.LWS_SIZE_ENV in text or "ray_cluster_size" in text:
        return True
    if server is None:
        return False
    if server.nodes is not None and server.nodes > 1:
        return True
    return bool(container.accelerators) and (server.world_size or 0) > container.accelerators


@rule(
    "lws-startup-makes-workers",
    title="Workers are created with the leader where the leader's readiness needs them",
    breaks="With LeaderReady the controller makes the workers when the leader is ready, and a leader that loads one "
    "model together with its workers is ready when they have joined. Neither happens; the leader's GPUs wait.",
    fix="Set startupPolicy to LeaderCreated, or leave it out; let the workers wait for the leader.",
    source="https://github.com/kubernetes-sigs/lws/issues/135",
    severity=Severity.HIGH,
    covers=("LWS-006",),
    on=LeaderWorkerSet,
)
def startup_makes_workers(group: LeaderWorkerSet) -> Iterator[str]:
    if group.spec.text("startupPolicy") != "LeaderReady" or not group.spans_pods or group.leader is None:
        return
    servers = {server.container: server for server in group.servers}
    for container in group.leader.containers:
        if _probed(container) and _waits_for_workers(container, servers.get(container)):
            yield (
                f"{container} becomes ready when the workers have joined, and startupPolicy: LeaderReady creates the "
                "workers when it is ready; neither ever happens. Set startupPolicy: LeaderCreated."
            )


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


@rule(
    "lws-rollout-moves",
    title="An update of a LeaderWorkerSet may take a group away or add one",
    breaks="The webhook refuses the set: 'must not be 0 when `maxSurge` is 0'. A percentage counts after rounding: "
    "10% of one replica is no replica.",
    fix="Set maxUnavailable: 1 and maxSurge: 0; a surge needs a whole group of spare nodes.",
    source=_WEBHOOK,
    severity=Severity.HIGH,
    covers=("LWS-011",),
    on=LeaderWorkerSet,
)
def rollout_moves(group: LeaderWorkerSet) -> Iterator[str]:
    rolling = group.spec.section("rolloutStrategy", "rollingUpdateConfiguration")
    if not rolling or group.replicas == 0:
        return
    written = {}
    for name, default in (("maxUnavailable", 1), ("maxSurge", 0)):
        written[name] = default if rolling.absent(name) else rolling.raw(name)
        value = scaled(written[name], 100, up=True)
        percent = isinstance(written[name], str) and str(written[name]).endswith("%")
        if value is not None and (value < 0 or (percent and value > 100)):
            yield (
                f"{group} has {name}: {_plain(written[name])}, which the webhook refuses. Use a number from 0, or a "
                "percentage up to 100%."
            )
    unavailable = scaled(written["maxUnavailable"], group.replicas, up=False)
    surge = scaled(written["maxSurge"], group.replicas, up=True)
    if unavailable == 0 and surge == 0:
        shown = ", ".join(f"{name}: {_plain(value)}" for name, value in written.items())
        of = f" of {group.replicas} replicas" if "%" in shown else ""
        yield (
            f"{group} has {shown}{of}: an update can neither remove nor add a group, so the webhook refuses it. "
            "Write maxUnavailable: 1."
        )


@rule(
    "lws-subgroups-divide-group",
    title="Subgroups divide the group",
    breaks="The webhook refuses the set: 'size or size - 1 must be divisible by subGroupSize'. A subgroup size is "
    "fixed when the set is made; adding or removing it later is refused as well.",
    fix="Choose a subGroupSize that divides size or size - 1 (size - 1 for LeaderExcluded) before the set is made.",
    source=_WEBHOOK,
    severity=Severity.HIGH,
    covers=("LWS-010",),
    on=LeaderWorkerSet,
)
def subgroups_divide_group(group: LeaderWorkerSet) -> Iterator[str]:
    exclusive = controllers.LWS_SUBGROUP_EXCLUSIVE_TOPOLOGY_ANNOTATION
    if group.spec.absent("leaderWorkerTemplate", "subGroupPolicy"):
        if exclusive in group.object.annotations:
            yield (
                f"{group} carries the annotation {exclusive} and has no subgroups, so the webhook refuses it. Set "
                "leaderWorkerTemplate.subGroupPolicy.subGroupSize, or take the annotation away."
            )
        return
    policy = group.group.section("subGroupPolicy")
    part, size = policy.integer("subGroupSize"), group.size
    if part is None or size is None:
        return
    if part < 1 or part > size:
        yield (
            f"{group} has subgroups of {part} pods in groups of {size}, which the webhook refuses. Set subGroupSize to "
            f"a divisor of {size} or {size - 1}."
        )
    elif policy.text("subGroupPolicyType") == "LeaderExcluded" and (size - 1) % part:
        yield (
            f"{group} leaves its leader out of the subgroups, and {part} does not divide the {size - 1} workers, so "
            f"the webhook refuses it. Set subGroupSize to a divisor of {size - 1}."
        )
    elif size % part and (size - 1) % part:
        yield (
            f"{group} has subgroups of {part} pods, which divides neither its {size} pods nor its {size - 1} workers, "
            f"so the webhook refuses it. Set subGroupSize to a divisor of {size} or {size - 1}."
        )


@dataclass(frozen=True, slots=True)
class _Installation:
    """A resource that installs the controller."""

    resource: Resource
    version: tuple[int, int]
    label: str

    @property
    def place(self) -> str:
        """The provider, which stands for the cluster."""
        return self.resource.provider.urn if self.resource.provider is not None else ""


_VERSION = re.compile(r"[v~^=>\s]*(\d{1,4})\.(\d{1,4})")
_ADDRESS = re.compile(
    r"(?:kubernetes-sigs/lws/releases/download/|kubernetes-sigs/lws\S*[?&]ref=|lws/lws:|lws-chart-)v?(\d{1,4})\.(\d{1,4})"
)
_SINCE: Mapping[str, tuple[int, int]] = {controllers.LWS_SIZE_ENV: (0, 4), controllers.LWS_WORKER_INDEX_ENV: (0, 6)}
"""Variables to the version of the controller that brought them (facts: versions.MATCHES)."""


def _installations(stack: Stack) -> tuple[_Installation, ...]:
    return tuple(_found_installations(stack))


def _found_installations(stack: Stack) -> Iterator[_Installation]:
    for release in stack.each(HelmRelease):
        if release.chart != "lws":
            continue
        match = _VERSION.match(release.version or "") or _ADDRESS.search(release.reference or "")
        if match is not None:
            yield _Installation(release.resource, (int(match[1]), int(match[2])), str(release))
    for container in stack.each(Container):
        if match := _ADDRESS.search(container.image or ""):
            thing = container.pod.object
            yield _Installation(thing.resource, (int(match[1]), int(match[2])), str(thing))
    for resource in stack.resources:
        if resource.type.startswith(("kubernetes:yaml", "kubernetes:kustomize", "command:")):
            for text in _texts(resource.props):
                if match := _ADDRESS.search(text):
                    yield _Installation(resource, (int(match[1]), int(match[2])), f'"{resource.name}"')
                    break


def _texts(props: Props) -> Iterator[str]:
    for key in ("file", "files", "directory", "create", "update", "yaml"):
        if (text := props.text(key)) is not None:
            yield text[:100_000]
        yield from props.texts(key)[:1_000]


def _variables(group: LeaderWorkerSet) -> frozenset[str]:
    """Return the controller's variables that a set uses."""
    texts = [
        text
        for pod in group.templates
        for container in pod.all_containers
        for text in (*container.command, *container.environment.values())
    ]
    return frozenset(name for name in _SINCE if any(name in text for text in texts))


@rule(
    "lws-version-knows-variables",
    title="A cluster runs one version of the LeaderWorkerSet controller, new enough for the variables in use",
    breaks="LWS_GROUP_SIZE came with 0.4 and LWS_WORKER_INDEX with 0.6. Before, they are empty: '--nnodes' stands "
    "without its value, the leader exits, and the pods of the group restart for ever. Before 0.4 a worker that crashes "
    "does not restart its group either. Of two versions in one cluster, the one that was applied last wins.",
    fix="Install one version from 0.7 on, for example chart oci://registry.k8s.io/lws/charts/lws 0.10.0.",
    source="https://github.com/kubernetes-sigs/lws/releases",
    severity=Severity.HIGH,
    covers=("LWS-002",),
)
def version_knows_variables(stack: Stack) -> Iterator[About]:
    installations = stack.view(_installations)
    if not installations:
        return
    groups = tuple(stack.each(LeaderWorkerSet))
    for found in installations:
        shown = f"{found.version[0]}.{found.version[1]}"
        for name, since in _SINCE.items():
            user = next((group for group in groups if found.version < since and name in _variables(group)), None)
            if user is not None:
                yield About(
                    found.resource,
                    f"{found.label} installs LeaderWorkerSet {shown}, and {user} uses the variable {name}, which came "
                    f"with {since[0]}.{since[1]}; it is empty, and the server exits over an option without value. "
                    "Install 0.7 or newer.",
                )
        other = next(
            (o for o in installations if o.place == found.place and o.version != found.version and o is not found), None
        )
        if other is not None:
            yield About(
                found.resource,
                f"{found.label} installs LeaderWorkerSet {shown}, and {other.label} installs {other.version[0]}."
                f"{other.version[1]} in the same cluster; the one that comes last wins, with its own definition and "
                "defaults. Keep one of them.",
            )


@rule(
    "lws-service-name-free",
    title="No Service has the name that a LeaderWorkerSet's own headless Service takes",
    breaks="The controller makes a headless Service of the set's name for the names of its pods. Where one exists it "
    "makes none: the workers do not resolve LWS_LEADER_ADDRESS. Where its own exists, the other is refused: 'already "
    "exists'.",
    fix="Give the Service another name, for example <set>-leader.",
    source="https://github.com/kubernetes-sigs/lws/blob/main/pkg/utils/controller/controller_utils.go",
    severity=Severity.HIGH,
)
def service_name_free(stack: Stack) -> Iterator[About]:
    for group in stack.each(LeaderWorkerSet):
        if group.name is None:
            continue
        unique = group.spec.text("networkConfig", "subdomainPolicy") == "UniquePerReplica"
        names = [f"{group.name}-{index}" for index in range(min(group.replicas or 0, 100))] if unique else [group.name]
        for name in names:
            service = stack.object("Service", "", name, group.namespace)
            if service is not None and service.placed:
                yield About(
                    service.resource,
                    f"{service} has the name of the headless Service that the controller makes for {group}; one of the "
                    "two is not made, and the pods of the group do not find each other. "
                    f"Name the Service {group.name}-leader, for example.",
                )
