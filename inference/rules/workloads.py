"""Workloads: what keeps a pod alive, how it asks for accelerators, and what makes an API server refuse it.

Kinds that take the pod template as they find it (LeaderWorkerSet, LLMInferenceService) accept what a Deployment would
be refused for, and show it later as an event of a pod that is never made.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.installers import may_bring
from inference.rules.views.pods import Container, PodTemplate, PodTemplateOfUnknownKind
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import completed_elsewhere
from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN, Path, Props, Secret, quantity

_EXTENDED = "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#extended-resources"
_SSA = "https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy"
_TEMPLATE = "https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/"


# ------------------------------------------------------------------ kinds

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_ACCELERATED = ("nvidia.com/gpu", "google.com/tpu", "nvidia.com/mig-", "amd.com/gpu")
_SERVERS = re.compile(r"\bvllm\b|sglang|text-generation-inference|nvcr\.io/nim/|tritonserver|trtllm|llm-d-cuda")


def _at(props: Props, place: str) -> Props:
    path: list[Path] = [int(m[2]) if m[2] is not None else m[1] for m in _STEP.finditer(place)]
    return props.section(*path)


def _concerns_models(spec: Props) -> bool:
    """Whether a pod spec asks for accelerators or runs a model server."""
    for container in (*spec.sections("containers"), *spec.sections("initContainers")):
        resources = {key for part in ("requests", "limits") for key in container.section("resources", part)}
        words = (container.text("image") or "", *container.texts("command"), *container.texts("args"))
        if any(key.startswith(_ACCELERATED) for key in resources) or any(_SERVERS.search(w[:5000]) for w in words):
            return True
    return False


@rule(
    "workloads-kind-is-known",
    title="The kind of a workload is one whose pods these rules can judge",
    breaks="Nothing breaks by this alone. No other rule has looked at the pods of this kind, so a clean verdict says "
    "nothing about them.",
    fix="Judge the pods by hand, or declare them as a Deployment, StatefulSet, LeaderWorkerSet or JobSet.",
    source="https://kubernetes.io/docs/concepts/workloads/",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    on=PodTemplateOfUnknownKind,
)
def kind_is_known(found: PodTemplateOfUnknownKind) -> Iterator[str]:
    last = found.place.rpartition(".")
    template = "template" in found.place.lower() or last[2].lower() in ("podspec", "pod")
    if template or _concerns_models(_at(found.object.props, found.place)):
        yield (
            f"{found.object} ({found.object.api_version}) carries a pod template at {found.place}, and no rule knows "
            "this kind; its pods were not judged. Look at them by hand, or use a kind of Kubernetes itself."
        )


@rule(
    "workloads-server-has-controller",
    title="A model server with an accelerator is run by a controller",
    breaks="A pod by itself is not made again: after a node repair, an upgrade, a preemption or an OOM kill with "
    "restartPolicy Never the service is gone until somebody notices.",
    fix="Declare a Deployment, StatefulSet, LeaderWorkerSet or LLMInferenceService with the same pod template.",
    source="https://kubernetes.io/docs/concepts/workloads/pods/#working-with-pods",
    severity=Severity.MEDIUM,
    covers=("OPS-014",),
    on=PodTemplate,
)
def server_has_controller(pod: PodTemplate) -> Iterator[str]:
    thing = pod.object
    if thing.kind != "Pod" or thing.group or thing.resource.type.endswith("Patch"):
        return
    if not pod.accelerators or thing.metadata.sections("ownerReferences"):
        return
    servers = thing.resource.view(ModelServer.of)
    if servers or any(container.ports for container in pod.containers):
        policy = pod.spec.text("restartPolicy") or "Always"
        yield (
            f"{pod} serves with an accelerator and has no controller (restartPolicy: {policy}); when its node is "
            "repaired or upgraded it is gone for good. Make it the template of a Deployment."
        )


_ALWAYS = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "LeaderWorkerSet"}
)
_ENDING = frozenset({("batch", "Job"), ("batch", "CronJob"), ("jobset.x-k8s.io", "JobSet")})


@rule(
    "workloads-restart-policy-fits",
    title="The restart policy of a pod template is one that its kind takes",
    breaks="The API server refuses it ('Unsupported value'); a LeaderWorkerSet is accepted, and its StatefulSets make "
    "no pods.",
    fix="Leave restartPolicy out for servers; set Never or OnFailure for jobs.",
    source="https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy",
    severity=Severity.HIGH,
    covers=("OPS-014",),
    on=PodTemplate,
)
def restart_policy_fits(pod: PodTemplate) -> Iterator[str]:
    policy, kind = pod.spec.text("restartPolicy"), pod.object.kind
    if completed_elsewhere(pod) or not pod.spec.known("restartPolicy"):
        return
    if kind in _ALWAYS and policy not in (None, "Always"):
        yield (
            f"{pod} has restartPolicy: {policy}, and pods of a {kind} always restart, so it is refused. "
            "Leave restartPolicy out."
        )
    # The webhook of a JobSet fills in OnFailure.
    if (pod.object.group, kind) in _ENDING and policy in (("Always",) if kind == "JobSet" else (None, "Always")):
        yield (
            f"{pod} has restartPolicy: {policy or 'Always, by default'}, which a job does not take, so it is refused. "
            "Set restartPolicy: Never or OnFailure."
        )


# ------------------------------------------------------------------ accelerators


@rule(
    "workloads-accelerators-are-whole",
    title="A container asks for whole accelerators, with a limit, and requests no more and no less than its limit",
    breaks="The API server refuses the pod: 'must be an integer', 'must be equal to limit', 'Limit must be set for non "
    "overcommitable resources'. In a LeaderWorkerSet it is an event, and no pod is made.",
    fix="Write a whole number under resources.limits, and the same or nothing under requests; share a GPU with "
    "gpuSharingConfig on the node pool.",
    source=_EXTENDED,
    severity=Severity.HIGH,
    covers=("VLLM-009",),
    on=Container,
)
def accelerators_are_whole(container: Container) -> Iterator[str]:
    if completed_elsewhere(container.pod):
        return
    resources = container.props.section("resources")
    names = {key for part in ("requests", "limits") for key in resources.section(part)}
    for name in sorted(key for key in names if key.startswith(_ACCELERATED)):
        amounts = [quantity(resources.raw(part, name)) for part in ("requests", "limits")]
        for part, amount in zip(("requests", "limits"), amounts, strict=True):
            if amount is not None and amount != int(min(amount, 1e15)):
                yield (
                    f"{container} has {name}: {resources.raw(part, name)} under {part}; accelerators are given whole, "
                    "so the pod is refused. Write a whole number."
                )
        request, limit = amounts
        if resources.absent("limits", name):
            yield (
                f"{container} requests {name}: {resources.raw('requests', name)} without a limit; extended resources "
                "need one, so the pod is refused. Add it under resources.limits."
            )
        elif request is not None and limit is not None and request != limit:
            yield (
                f"{container} requests {name}: {request:g} with a limit of {limit:g}; for accelerators both must be "
                f"equal, so the pod is refused. Write {limit:g} for both, or leave the request out."
            )


@rule(
    "workloads-service-account-exists",
    title="A pod runs as a service account of its namespace",
    breaks="'serviceaccount not found': the controller makes no pod at all, and says so only in an event.",
    fix="Declare the ServiceAccount in the pod's namespace, or correct serviceAccountName.",
    source="https://kubernetes.io/docs/concepts/security/service-accounts/",
    severity=Severity.HIGH,
)
def service_account_exists(stack: Stack) -> Iterator[About]:
    declared: dict[str, set[str]] = {}
    for thing in stack.objects("ServiceAccount", ""):
        declared.setdefault(thing.namespace, set()).add(thing.name or "")
    if not declared or stack.unnamed("ServiceAccount", ""):
        return
    for pod in stack.pods():
        name, here = pod.spec.text("serviceAccountName"), declared.get(pod.namespace, set())
        if not name or name == "default" or name in here or not pod.object.metadata.known("namespace"):
            continue
        elsewhere = sorted(place for place, names in declared.items() if name in names)
        near = elsewhere or _alike(name, here)
        if near and not may_bring(stack, pod.namespace):
            where = f"in namespace {elsewhere[0]} only" if elsewhere else f'as "{near[0]}"'
            yield About(
                pod.object.resource,
                f'{pod} runs as ServiceAccount "{name}", which the program declares {where}; no pod is made. Declare '
                f"it in namespace {pod.namespace}, or correct serviceAccountName.",
            )


def _alike(name: str, names: set[str]) -> list[str]:
    few = len(names) <= 50 and len(name) < 254  # Letter by letter takes its time.
    return get_close_matches(name, sorted(names), 1, 0.8) if few else []


# ------------------------------------------------------------------ lists with keys


def _twice(values: list[object]) -> list[object]:
    if len(set(values)) == len(values):
        return []
    return [value for value, count in Counter(values).items() if value is not None and count > 1]


@rule(
    "workloads-list-keys-are-unique",
    title="No container, variable, port, volume or mount path is there twice",
    breaks="Server-side apply, with which Pulumi writes, refuses the object: 'duplicate entries for key'. Applied any "
    "other way, the last one wins and nobody sees which that is.",
    fix="Keep one of each: environment variables by name, ports by number and protocol, mounts by path.",
    source=_SSA,
    severity=Severity.HIGH,
    on=PodTemplate,
)
def list_keys_are_unique(pod: PodTemplate) -> Iterator[str]:
    for name in _twice([container.props.text("name") for container in pod.all_containers]):
        yield f'{pod} has two containers called "{name}", so it is refused. Give each a name of its own.'
    for name in _twice([volume.text("name") for volume in pod.spec.sections("volumes")]):
        yield f'{pod} has two volumes called "{name}", so it is refused. Keep one of them.'
    for container in pod.all_containers:
        props = container.props
        for name in _twice([name for name, _ in container.variables]):
            yield (
                f"{container} sets the variable {name} twice; server-side apply refuses it, and otherwise the last one "
                "wins. Keep one of them."
            )
        ports = [(p.integer("containerPort"), p.text("protocol") or "TCP") for p in props.sections("ports")]
        for port in _twice([port for port in ports if port[0] is not None]):
            number, protocol = port if isinstance(port, tuple) else (port, "TCP")
            yield f"{container} declares the port {number} ({protocol}) twice, so it is refused. Keep one of them."
        for name in _twice([port.text("name") for port in props.sections("ports")]):
            yield f'{container} has two ports called "{name}", so it is refused. Give each a name of its own.'
        for path in _twice([mount.text("mountPath") for mount in props.sections("volumeMounts")]):
            yield f"{container} mounts two volumes at {path}, so it is refused. Give each a path of its own."


_PORT_NAME = re.compile(r"(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")
_LABEL = re.compile(r"(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?")


@rule(
    "workloads-template-is-valid",
    title="Names and references inside a pod template are valid",
    breaks="The API server refuses the pod. Where a controller makes it (a LeaderWorkerSet, say) the object is "
    "accepted and an event tells: 'Invalid value', 'volumeMounts[0].name: Not found'.",
    fix="Use DNS labels for containers, names of at most 15 characters for ports, and declare every mounted volume.",
    source=_TEMPLATE,
    severity=Severity.HIGH,
    on=PodTemplate,
)
def template_is_valid(pod: PodTemplate) -> Iterator[str]:
    if completed_elsewhere(pod):
        return
    volumes = _volumes(pod)
    for container in pod.all_containers:
        props = container.props
        if container.name and not _LABEL.fullmatch(container.name):
            yield f"{container} has a name that is no DNS label, so it is refused. Use lower case letters and dashes."
        for port in props.sections("ports"):
            name = port.text("name")
            if name is not None and not _PORT_NAME.fullmatch(name):
                yield (
                    f'{container} has a port called "{name}"; a port name has at most 15 lower case letters, digits '
                    "and single dashes. Shorten it."
                )
        if "" in container.variable_names:
            yield f"{container} has a variable without a name, so it is refused. Name it, or take the entry away."
        for mount in props.sections("volumeMounts") if volumes is not None else ():
            name = mount.text("name")
            if name is not None and volumes is not None and name not in volumes:
                yield (
                    f'{container} mounts the volume "{name}", which the pod does not declare, so it is refused. Add it '
                    "to volumes, or correct the name."
                )


_HANDLERS = ("httpGet", "tcpSocket", "exec", "grpc")


@rule(
    "workloads-probe-is-valid",
    title="A probe has one handler, and thresholds that the API takes",
    breaks="The API server refuses the pod: 'must specify a handler type', 'may not specify more than 1 handler type', "
    "'must be 1'. Where a controller makes it the object is accepted, and an event tells.",
    fix="Give each probe one of httpGet, tcpSocket, exec and grpc; leave successThreshold out of liveness and startup "
    "probes, and terminationGracePeriodSeconds out of readiness probes.",
    source="https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/",
    severity=Severity.HIGH,
    on=Container,
)
def probe_is_valid(container: Container) -> Iterator[str]:
    if completed_elsewhere(container.pod):
        return
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.props.section(name)
        if container.props.size(name) is None:
            continue
        handlers = [handler for handler in _HANDLERS if not probe.absent(handler)]
        if len(handlers) != 1:
            yield (
                f"{container} has a {name} with {' and '.join(handlers) or 'no handler'}; a probe takes exactly one, "
                "so the pod is refused. Keep one of httpGet, tcpSocket, exec and grpc."
            )
        threshold = probe.integer("successThreshold")
        if name != "readinessProbe" and threshold is not None and threshold > 1:
            yield (
                f"{container} has a {name} with successThreshold {threshold}, which must be 1, so the pod is refused. "
                "Leave it out."
            )
        if name == "readinessProbe" and not probe.absent("terminationGracePeriodSeconds"):
            yield (
                f"{container} sets terminationGracePeriodSeconds in its readinessProbe, which never kills, so the pod "
                "is refused. Set it on the pod, or on the livenessProbe."
            )


def _volumes(pod: PodTemplate) -> frozenset[str] | None:
    """Return the names of a pod's volumes and claims; ``None`` where not all are known."""
    places = [pod.spec.raw("volumes"), pod.object.spec.raw("volumeClaimTemplates")]
    places.append(pod.object.spec.raw("leaderWorkerTemplate", "volumeClaimTemplates"))
    names: set[str] = set()
    for place in places:
        if place is UNKNOWN or (place is not None and (not isinstance(place, Sequence) or isinstance(place, str))):
            return None
        for entry in place or ():
            props = Props(entry.value if isinstance(entry, Secret) else entry)
            name = props.raw("name") if props.raw("name") is not None else props.raw("metadata", "name")
            if entry is UNKNOWN or not isinstance(name, str):
                return None
            names.add(name)
    return frozenset(names)
