"""Services in front of model servers: whom they select, where they send, and what they put into other pods.

A Service whose selector misses is accepted and has no endpoints; Pulumi waits ten minutes for them and gives up. A
Service is also a set of environment variables in every pod of its namespace, and some names mean something to vLLM.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from inference.facts import controllers
from inference.rules.framework import About, Severity, rule
from inference.rules.views.gateway import InferencePool, Service
from inference.rules.views.helm import HelmRelease
from inference.rules.views.leader_worker_sets import LeaderWorkerSet
from inference.rules.views.pods import PodTemplate
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import completed_elsewhere
from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN, Props

_LWS_LABELS = "https://lws.sigs.k8s.io/docs/reference/labels-annotations-and-environment-variables/"
_SERVICE = "https://kubernetes.io/docs/concepts/services-networking/service/"

_CONTROLLERS_OWN = (
    "statefulset.kubernetes.io/", "apps.kubernetes.io/", "batch.kubernetes.io/", "jobset.sigs.k8s.io/", "ray.io/",
    "pod-template-hash", "controller-uid", "job-name", "serving.kserve.io/", "kserve.io/",
)  # fmt: skip
_CHANGING = frozenset(set(controllers.LWS_LABELS) - {controllers.LWS_NAME_LABEL, controllers.LWS_WORKER_INDEX_LABEL})
_FEW = 50
_TEMPLATES_TELL = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "Pod", "LeaderWorkerSet", "DaemonSet"})


# ------------------------------------------------------------------ selectors


def _comparable(selector: Mapping[str, str]) -> dict[str, str]:
    """Return the part of a selector that templates can answer for: labels that no controller makes up later."""
    return {
        key: value
        for key, value in selector.items()
        if not key.startswith(_CONTROLLERS_OWN)
        and key not in _CHANGING
        and not (key == controllers.LWS_WORKER_INDEX_LABEL and value != "0")
    }


def _labels_settled(pod: PodTemplate) -> bool:
    labels = pod.metadata.section("labels")
    return pod.metadata.known("labels") and all(labels.known(key) for key in labels)


@dataclass(frozen=True, slots=True)
class _Declared:
    """What a stack declares in its namespaces."""

    unsettled: frozenset[str]
    """Namespaces where some labels are not known, or where a controller makes pods of its own."""
    free: Mapping[tuple[str, str, int | str], PodTemplate]
    """A workload that nobody selects, by namespace, label key, and number or name of a port."""
    alike: Mapping[tuple[str, str, int | str], PodTemplate]
    """The same by the value of a label: a key is easily misspelled."""
    apart: Mapping[tuple[str, str], list[PodTemplate]]
    """All workloads that nobody selects, by key and value of a label."""
    groups: Mapping[str, Mapping[str | None, LeaderWorkerSet]]
    """LeaderWorkerSets by namespace and name."""
    group_named: Mapping[str | None, LeaderWorkerSet]


def _declared(stack: Stack) -> _Declared:
    taken = {pod.object.resource.urn for service in stack.each(Service) for pod in service.pods(stack)}
    taken |= {pod.object.resource.urn for pool in stack.each(InferencePool) for pod in pool.pods(stack)}
    unsettled: set[str] = set()
    free: dict[tuple[str, str, int | str], PodTemplate] = {}
    alike: dict[tuple[str, str, int | str], PodTemplate] = {}
    apart: dict[tuple[str, str], list[PodTemplate]] = {}
    for pod in stack.pods():
        if pod.object.kind not in _TEMPLATES_TELL or not _labels_settled(pod):
            unsettled.add(pod.namespace)
        elif pod.object.resource.urn not in taken:
            for key, value in pod.labels.items():
                apart.setdefault((key, value), []).append(pod)
                for port in _ports(pod):
                    free.setdefault((pod.namespace, key, port), pod)
                    alike.setdefault((pod.namespace, value, port), pod)
    groups: dict[str, dict[str | None, LeaderWorkerSet]] = {}
    named: dict[str | None, LeaderWorkerSet] = {}
    for group in stack.each(LeaderWorkerSet):
        groups.setdefault(group.namespace, {})[group.name] = group
        named.setdefault(group.name, group)
    return _Declared(frozenset(unsettled), free, alike, apart, groups, named)


def _with_charts(stack: Stack) -> frozenset[str | None]:
    """Return the namespaces into which charts put pods that nobody sees here; ``None`` where one is not known."""
    return frozenset(release.namespace for release in stack.each(HelmRelease))


@rule(
    "services-selector-matches-pods",
    title="The selector of a Service matches pods that the stack declares",
    breaks="The Service has no endpoints, clients get 'connection refused' or 503, and the accelerators behind it "
    "serve nobody. Pulumi waits ten minutes and says 'Service does not target any Pods'.",
    fix="Build the selector from the workload's own labels; for a LeaderWorkerSet from "
    "leaderworkerset.sigs.k8s.io/name (its metadata.name) and worker-index: '0'.",
    source=_LWS_LABELS,
    severity=Severity.HIGH,
    covers=("LWS-001",),
)
def selector_matches_pods(stack: Stack) -> Iterator[About]:
    for service in stack.each(Service):
        selector = _comparable(service.spec.strings("selector"))
        if not selector or not service.object.metadata.known("namespace") or not service.spec.known("selector"):
            continue
        if service.spec.text("type") == "ExternalName" or stack.pods_matching(selector, service.namespace):
            continue
        declared = stack.view(_declared)
        name = selector.get(controllers.LWS_NAME_LABEL)
        if name is not None:
            said = _about_group(declared, service, name, selector)
        elif stack.view(_with_charts) & {service.namespace, None}:
            said = None
        else:
            said = _about_near_miss(declared, service, selector)
        if said is not None:
            yield About(service.resource, said)


def _about_group(declared: _Declared, service: Service, name: str, selector: Mapping[str, str]) -> str | None:
    groups = declared.groups.get(service.namespace, {})
    group = groups.get(name)
    if group is not None:
        if not all(map(_labels_settled, group.templates)):
            return None
        leader = group.leader.labels if group.leader is not None else {}
        wrong = {key: value for key, value in selector.items() if leader.get(key) != value}
        shown = ", ".join(f"{key}: {value}" for key, value in wrong.items())
        return (
            f"{service} selects pods of {group} with {shown}, and no pod of it has these labels; the Service has no "
            "endpoints. Add them to leaderTemplate.metadata.labels, "
            f'or select {controllers.LWS_WORKER_INDEX_LABEL}: "0".'
        )
    if groups and None not in groups:
        names = " and ".join(f'"{known}"' for known in list(groups)[:3])
        return (
            f'{service} selects pods of a LeaderWorkerSet "{name}", and namespace {service.namespace} has {names}; '
            f"the Service has no endpoints. Set {controllers.LWS_NAME_LABEL} to the name of the set."
        )
    elsewhere = declared.group_named.get(name)
    if groups or elsewhere is None or not elsewhere.object.placed:
        return None
    return (
        f"{service} selects pods of {elsewhere} from namespace {service.namespace}, and they are in "
        f"{elsewhere.namespace}; a Service selects in its own namespace only. Declare both in the same namespace."
    )


def _about_near_miss(declared: _Declared, service: Service, selector: Mapping[str, str]) -> str | None:
    """Judge a Service that selects nothing beside a workload that nobody selects and that listens on its port."""
    if service.namespace in declared.unsettled or not service.selector or not service.ports:
        return None
    target = _target(service.ports[0])
    if target is None:
        return None
    for key, value in selector.items():
        pod = declared.free.get((service.namespace, key, target)) or declared.alike.get(
            (service.namespace, value, target)
        )
        if pod is not None:
            wanted = ", ".join(f"{name}: {value}" for name, value in selector.items())
            has = ", ".join(f"{name}: {pod.labels.get(name, 'absent')}" for name in selector)
            return (
                f"{service} selects {wanted}, which no pod in namespace {service.namespace} has, while {pod} listens "
                f"on its port and has {has}; the Service has no endpoints. Use the same labels on both."
            )
    key, value = next(iter(selector.items()))
    for pod in declared.apart.get((key, value), ())[:_FEW]:
        if selector.items() <= pod.labels.items() and target in _ports(pod) and pod.namespace != service.namespace:
            return (
                f"{service} of namespace {service.namespace} selects the labels of {pod}, which is in namespace "
                f"{pod.namespace}; a Service selects in its own namespace only, and has no endpoints. Declare both in "
                "the same namespace."
            )
    return None


def _target(port: Props) -> int | str | None:
    """Return the number or name to which a Service port sends."""
    if port.absent("targetPort"):
        return port.integer("port")
    number = port.integer("targetPort")
    return number if number is not None else port.text("targetPort")


def _ports(pod: PodTemplate) -> frozenset[int | str]:
    """Return the numbers and names of the ports that the containers of a pod declare."""
    ports = [port for container in pod.containers for port in container.props.sections("ports")]
    numbers = (port.integer("containerPort") for port in ports)
    return frozenset(found for found in (*numbers, *(port.text("name") for port in ports)) if found is not None)


# ------------------------------------------------------------------ leaders and ports


def _traffic(service: Service) -> bool:
    """Whether clients reach pods through it; a headless Service may be there for names only."""
    return not service.headless and service.spec.known("clusterIP") and service.spec.text("type") != "ExternalName"


@rule(
    "services-select-leaders",
    title="A Service in front of a group of pods selects the leaders only",
    breaks="A headless worker opens no port. As soon as its pod runs it is an endpoint, and its share of the requests, "
    "half of them in a group of two, is refused.",
    fix='Add leaderworkerset.sigs.k8s.io/worker-index: "0" to the selector, or a label that only leaderTemplate has.',
    source=_LWS_LABELS,
    severity=Severity.HIGH,
    covers=("LWS-001",),
)
def select_leaders(stack: Stack) -> Iterator[About]:
    for service in stack.each(Service):
        if not service.selector or not _traffic(service):
            continue
        for pod in service.pods(stack):
            servers = [s for s in pod.object.resource.view(ModelServer.of) if s.pod is pod]
            if pod.role == "worker" and servers and not any(server.serves_http for server in servers):
                yield About(
                    service.resource,
                    f"{service} also selects {pod}, which answers no HTTP; a part of the requests is refused. Add "
                    f'{controllers.LWS_WORKER_INDEX_LABEL}: "0" to the selector.',
                )


@rule(
    "services-port-is-served",
    title="A Service sends to a port on which the pods listen",
    breaks="Numbers reach a port where nobody listens ('connection refused'); a name that no container declares leaves "
    "the Service without endpoints for it.",
    fix="Set targetPort to the server's port (--port, 8000 for vLLM), or to the name of its containerPort.",
    source=_SERVICE,
    severity=Severity.HIGH,
)
def port_is_served(stack: Stack) -> Iterator[About]:
    for service in stack.each(Service):
        pods = service.pods(stack) if service.selector else ()
        if not pods or any(completed_elsewhere(pod) for pod in pods):
            continue
        for port in service.ports:
            target = _target(port)
            if target is not None and all(_refuses(pod, target) for pod in pods):
                served = sorted({str(n) for pod in pods for n in _served(pod)} | {n for p in pods for n in _names(p)})
                yield About(
                    service.resource,
                    f"{service} sends to targetPort {target} of {pods[0]}, where nothing listens (there is "
                    f"{', '.join(served) or 'no port'}); requests are refused. Set targetPort to the server's port.",
                )


def _served(pod: PodTemplate) -> frozenset[int]:
    servers = [s for s in pod.object.resource.view(ModelServer.of) if s.pod is pod]
    declared = {number for container in pod.all_containers for number in container.ports}
    return frozenset(declared | {server.port for server in servers if server.port is not None})


def _names(pod: PodTemplate) -> frozenset[str]:
    ports = (port for container in pod.all_containers for port in container.props.sections("ports"))
    return frozenset(name for port in ports if (name := port.text("name")))


def _refuses(pod: PodTemplate, target: int | str) -> bool:
    """Whether certainly nothing in a pod listens on a port."""
    containers = pod.all_containers
    if pod.spec.raw("containers") is UNKNOWN or not all(c.props.known("ports") for c in containers):
        return False
    if isinstance(target, str):
        unnamed = any(not port.known("name") for c in containers for port in c.props.sections("ports"))
        return not unnamed and "$" not in target and target not in _names(pod)
    servers = {s.container: s for s in pod.object.resource.view(ModelServer.of) if s.pod is pod}
    told = all(c.ports or ((s := servers.get(c)) and (s.port is not None or not s.serves_http)) for c in pod.containers)
    multi = any(s.options.switch("data-parallel-multi-port-external-lb") for s in servers.values())
    return bool(servers) and not multi and told and target not in _served(pod)


# ------------------------------------------------------------------ service links

_READ_AS_PORT = (
    "VLLM_PORT",
    "VLLM_DP_MASTER_PORT",
    "VLLM_NIXL_SIDE_CHANNEL_PORT",
    "VLLM_MOONCAKE_BOOTSTRAP_PORT",
)
"""Variables of vLLM of the form that Kubernetes gives to a Service: its name in capitals, and _PORT."""


def _variable(name: str) -> str:
    return f"{name.upper().replace('-', '_')}_PORT"


def _linked_servers(stack: Stack) -> Mapping[str, tuple[ModelServer, ...]]:
    """Return the vLLM servers that get variables of Services, by namespace."""
    found: dict[str, list[ModelServer]] = {}
    for server in stack.each(ModelServer):
        spec = server.pod.spec
        if server.engine == "vllm" and (spec.absent("enableServiceLinks") or spec.flag("enableServiceLinks") is True):
            found.setdefault(server.pod.namespace, []).append(server)
    return {namespace: tuple(servers) for namespace, servers in found.items()}


@rule(
    "services-name-spares-vllm",
    title="No Service beside a vLLM server has a name whose variable vLLM reads as its own",
    breaks="Kubernetes gives every pod of the namespace <NAME>_PORT=tcp://10.…; for a Service called vllm that is "
    "VLLM_PORT, and the server ends at once: 'VLLM_PORT appears to be a URI'. It worked before the Service was there.",
    fix="Rename the Service (vllm-server), or set enableServiceLinks: false on the pods.",
    source="https://github.com/vllm-project/vllm/pull/18209",
    severity=Severity.HIGH,
    covers=("VLLM-013",),
)
def name_spares_vllm(stack: Stack) -> Iterator[About]:
    for service in stack.each(Service):
        name = service.name
        if name is None or _variable(name) not in _READ_AS_PORT or not _traffic(service) or not service.object.placed:
            continue
        variable = _variable(name)
        hit = [
            server
            for server in stack.view(_linked_servers).get(service.namespace, ())
            if variable not in server.container.variable_names
        ]
        if hit:
            yield About(
                service.resource,
                f"{service} puts {variable}=tcp://… into every pod of namespace {service.namespace}, and {hit[0]} "
                f"takes it for a setting of its own and does not start. Rename the Service {name}-server, or set "
                "enableServiceLinks: false on the pods.",
            )
