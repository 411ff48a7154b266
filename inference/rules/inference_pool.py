"""InferencePools: the replicas of one model, and the endpoint picker that chooses among them.

A pool is three references that nothing checks when they are written: labels that pods of its namespace must carry, a
port on which those pods must listen, and the Service of a picker with the port of its gRPC endpoint. A slip in any of
them leaves a pool that exists and serves nobody. The API moved from ``inference.networking.x-k8s.io`` to
``inference.networking.k8s.io``: the two are different kinds to every controller.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.facts.endpoint_picker import (
    FAILURE_MODES,
    POOL_GROUP,
    POOL_TARGET_PORTS_MAX,
    PORTS,
)
from inference.rules.framework import About, Severity, rule
from inference.rules.views.gateway import InferencePool, Service
from inference.rules.views.installers import may_bring
from inference.rules.views.picker import Picker
from inference.rules.views.pods import PodTemplate
from inference.rules.views.pools import PoolReference, RetiredObject
from inference.rules.views.routing import servers_in
from inference.rules.views.servers import ModelServer
from inference.rules.views.stack import Stack

_POOL_TYPES = (
    "https://github.com/kubernetes-sigs/gateway-api-inference-extension/blob/main/api/v1/inferencepool_types.go"
)

_PROXY = "sidecar"
"""Part of the images of proxies that listen in the place of the server; their port may be given by an option only."""


@rule(
    "pool-api-current",
    title="Pools are of the API group that GKE and the routers read",
    breaks="The group inference.networking.x-k8s.io is another kind to the gateway: 'InferencePool not found', "
    "BackendNotFound, 503. InferenceModel went before v1.0 and no controller reads it.",
    fix="Declare apiVersion: inference.networking.k8s.io/v1, kind: InferencePool; InferenceObjective instead of "
    "InferenceModel.",
    source="https://github.com/kubernetes-sigs/gateway-api-inference-extension/issues/1530",
    severity=Severity.HIGH,
    covers=("GW-006",),
    on=RetiredObject,
)
def api_current(thing: RetiredObject) -> Iterator[str]:
    if thing.kind == "InferenceModel":
        yield (
            f"{thing} is of a kind that was removed before v1.0 of the inference extension; no controller reads it. "
            "Declare an InferenceObjective for priorities, and let the HTTPRoute match models."
        )
    else:
        yield (
            f"{thing} is of {thing.object.api_version}, the API before v1; gateways and pickers look for it in "
            f"{POOL_GROUP} and find nothing. Set apiVersion: {POOL_GROUP}/v1, with selector.matchLabels, targetPorts "
            "and endpointPickerRef."
        )


@rule(
    "pool-reference-group",
    title="A reference to an InferencePool names its API group",
    breaks="Without a group the controller looks for an InferencePool among the core kinds, with the old group among "
    "kinds that are gone: BackendNotFound, 503.",
    fix="Set group: inference.networking.k8s.io beside kind: InferencePool.",
    source="https://github.com/kubernetes-sigs/gateway-api-inference-extension/pull/1527",
    severity=Severity.HIGH,
    covers=("GW-007", "GW-006"),
    on=PoolReference,
)
def reference_group(reference: PoolReference) -> Iterator[str]:
    group = reference.group
    if group is not None and group != POOL_GROUP:
        written = f"of group {group}" if group else "without a group"
        yield (
            f'{reference} names InferencePool "{reference.name}" {written}; '
            f"no such kind is served, and the backend is not found. Set group: {POOL_GROUP}."
        )


@rule(
    "pool-selects-model-servers",
    title="The selector of a pool matches the model servers, and only pods that answer",
    breaks="'no pods available' in the picker's log and 503 for every request, while the accelerators idle; or "
    "requests go to the headless workers of a group and fail now and then.",
    fix="Build the selector from the labels of the pod template, in the pool's namespace; for a LeaderWorkerSet add "
    'leaderworkerset.sigs.k8s.io/worker-index: "0".',
    source=_POOL_TYPES,
    severity=Severity.HIGH,
    covers=("GW-010",),
)
def selects_model_servers(stack: Stack) -> Iterator[About]:
    for pool in stack.each(InferencePool):
        if not pool.selector or not pool.object.placed:
            continue
        pods = pool.pods(stack)
        written = ", ".join(f"{key}={value}" for key, value in sorted(pool.selector.items()))
        if not pods:
            candidates = _model_pods(stack, pool.namespace)
            elsewhere = [p for p in _model_pods(stack, None) if pool.selector.items() <= p.labels.items()]
            if elsewhere and not may_bring(stack, pool.namespace):
                yield About(
                    pool.resource,
                    f"{pool} selects {written} in namespace {pool.namespace}, and the model server with these labels, "
                    f"{elsewhere[0]}, lies in {elsewhere[0].namespace}; a pool selects in its own namespace only. "
                    "Put both into one namespace.",
                )
            elif candidates and all(_settled(pod) for pod in candidates) and not may_bring(stack, pool.namespace):
                labels = ", ".join(f"{key}={value}" for key, value in sorted(candidates[0].labels.items())) or "none"
                yield About(
                    pool.resource,
                    f"{pool} selects {written}, which no pod of namespace {pool.namespace} carries; it has no "
                    f"endpoints. {candidates[0]} has the labels {labels}: select those.",
                )
        elif (candidates := _model_pods(stack, pool.namespace)) and _serve_no_model(pool, pods):
            labels = ", ".join(f"{key}={value}" for key, value in sorted(candidates[0].labels.items())) or "none"
            yield About(
                pool.resource,
                f"{pool} selects {written}, which {pods[0]} carries and no model server; requests go to pods that "
                f"serve no model. {candidates[0]} has the labels {labels}: select those.",
            )
        elif any(server.serves_http for server in servers_in(pods)):
            silent = [server for server in servers_in(pods) if server.headless or server.pod.role == "worker"]
            for server in silent[:1]:
                if not server.serves_http:
                    yield About(
                        pool.resource,
                        f"{pool} selects {written}, which {server.pod} carries too; workers answer no requests, and "
                        "those sent to them fail. Add leaderworkerset.sigs.k8s.io/worker-index: "
                        '"0" to selector.matchLabels.',
                    )


def _serve_no_model(pool: InferencePool, pods: tuple[PodTemplate, ...]) -> bool:
    """Whether pods certainly listen on other ports than the pool's, and none of them is a known server."""
    containers = [container for pod in pods for container in pod.all_containers]
    told = all(container.props.known("ports") and container.ports for container in containers)
    ports = {port for container in containers for port in container.ports}
    return told and not servers_in(pods) and bool(pool.target_ports) and not ports & set(pool.target_ports)


def _model_pods(stack: Stack, namespace: str | None) -> tuple[PodTemplate, ...]:
    """Return the pod templates of model servers in a namespace, or in all."""
    found = stack.view(_model_pods_by_namespace)
    return found.get(namespace, ()) if namespace else tuple(pod for pods in found.values() for pod in pods)


def _model_pods_by_namespace(stack: Stack) -> dict[str, tuple[PodTemplate, ...]]:
    found: dict[str, list[PodTemplate]] = {}
    for server in stack.each(ModelServer):
        if server.serves_http and server.pod.object.kind not in {"LLMInferenceService", "InferenceService"}:
            found.setdefault(server.pod.namespace, []).append(server.pod)
    return {namespace: tuple(dict.fromkeys(pods)) for namespace, pods in found.items()}


def _settled(pod: PodTemplate) -> bool:
    metadata = pod.metadata
    known = metadata.known("labels") and len(metadata.strings("labels")) == len(tuple(metadata.section("labels")))
    return known and pod.object.metadata.known("namespace")


@rule(
    "pool-target-port-served",
    title="The target ports of a pool are ports on which its pods listen",
    breaks="The picker sends requests to a port where nobody listens: 503 with connection refused.",
    fix="Set targetPorts to the port of the model server (vLLM: --port, 8000 where it is not given).",
    source=_POOL_TYPES,
    severity=Severity.HIGH,
    covers=("GW-010",),
)
def target_port_served(stack: Stack) -> Iterator[About]:
    for pool in stack.each(InferencePool):
        wanted = pool.target_ports
        servers = [server for server in servers_in(pool.pods(stack)) if server.serves_http] if wanted else []
        for server in servers:
            others = [c for c in server.pod.all_containers if c is not server.container]
            ports = {port for container in others for port in container.ports}
            ports |= server.container.ports if server.port is None else {server.port}
            unsettled = (server.port is None and not server.container.ports) or any(
                _PROXY in (c.image or "") for c in others
            )
            if unsettled or ports & set(wanted):
                continue
            listed = ", ".join(map(str, sorted(ports)))
            yield About(
                pool.resource,
                f"{pool} sends requests to port {', '.join(map(str, wanted))}, and {server} listens on {listed}; every "
                f"request is refused. Set targetPorts: [{{number: {server.port or min(server.container.ports)}}}].",
            )
            break


@rule(
    "pool-definition-respected",
    title="A pool is written as its definition wants it, with an endpoint picker",
    breaks="The API server refuses the object ('port is required when kind is Service', 'port number must be unique'); "
    "without any picker it is accepted, and the gateway has nobody to ask for an endpoint.",
    fix="Set endpointPickerRef with the name of the picker's Service, port.number: 9002 and failureMode FailOpen or "
    "FailClose; list one to eight different targetPorts.",
    source=_POOL_TYPES,
    severity=Severity.HIGH,
    covers=("GW-015",),
    on=InferencePool,
)
def definition_respected(pool: InferencePool) -> Iterator[str]:
    field = "endpointPickerRef" if pool.object.group == POOL_GROUP else "extensionRef"
    picker = pool.picker
    if pool.spec.absent("endpointPickerRef") and pool.spec.absent("extensionRef"):
        yield (
            f"{pool} names no endpoint picker; the gateway cannot choose among its pods and routes nothing to them. "
            f"Set {field} with the name of the picker's Service and port.number: {PORTS['ext_proc']}."
        )
    kind = "Service" if picker.absent("kind") else picker.text("kind")
    if picker and kind == "Service" and pool.object.group == POOL_GROUP:
        group = "" if picker.absent("group") else picker.text("group")
        if picker.absent("port", "number"):
            yield (
                f"{pool} names its picker without a port; 'port is required when kind is Service'. "
                f"Set {field}.port.number: {PORTS['ext_proc']}."
            )
        if group:
            yield f'{pool} looks for its picker\'s Service in group "{group}"; Services are core. Remove {field}.group.'
    mode = picker.text("failureMode")
    if mode is not None and mode not in FAILURE_MODES:
        yield (
            f"{pool} sets failureMode: {mode}, which the definition does not know. "
            f"Set failureMode: {' or '.join(FAILURE_MODES)}."
        )
    ports = pool.target_ports
    if len(set(ports)) != len(ports):
        yield f"{pool} lists a target port twice; 'port number must be unique'. List each port once."
    if len(ports) > POOL_TARGET_PORTS_MAX:
        yield (
            f"{pool} lists {len(ports)} target ports; the definition takes {POOL_TARGET_PORTS_MAX}. "
            "Spread the ranks over more pods."
        )


@rule(
    "pool-picker-resolves",
    title="The picker that a pool names is a Service of its namespace, reached on the picker's gRPC port",
    breaks="'Invalid backend reference' and Programmed=False on the gateway, or every request fails because the call "
    "to the picker goes to its metrics or health port.",
    fix="Name the picker's Service and the port of that Service (not the target port) that leads to the picker's "
    "--grpc-port, 9002.",
    source="https://github.com/kubernetes-sigs/gateway-api-inference-extension/pull/959",
    severity=Severity.HIGH,
    covers=("GW-015",),
)
def picker_resolves(stack: Stack) -> Iterator[About]:
    for pool in stack.each(InferencePool):
        name, port = pool.picker.text("name"), pool.picker.integer("port", "number")
        kind = "Service" if pool.picker.absent("kind") else pool.picker.text("kind")
        if name is None or kind != "Service" or not pool.object.placed:
            continue
        found = stack.object("Service", "", name, pool.namespace)
        if found is None:
            problems = _lost_picker(stack, pool, name)
        else:
            problems = _wrong_picker_port(stack, found.resource.view(Service.of)[0], port)
        for problem in problems:
            yield About(pool.resource, f"{pool} {problem}")


def _lost_picker(stack: Stack, pool: InferencePool, name: str) -> Iterator[str]:
    if may_bring(stack, pool.namespace) or stack.unnamed("Service", ""):
        return
    namesake = stack.object("Service", "", name, None)
    pickers = [picker for picker in stack.each(Picker) if picker.pod.namespace == pool.namespace]
    if namesake is not None:
        yield (
            f'names the picker Service "{name}", which lies in namespace {namesake.namespace}; a pool looks in its own '
            f"namespace, {pool.namespace}. Put both into one namespace."
        )
    elif pickers:
        yield (
            f'names the picker Service "{name}", which is not declared in namespace {pool.namespace}, where '
            f"{pickers[0].pod} runs the picker; the gateway finds nobody to ask. Declare the Service, or name the one "
            "that leads to the picker."
        )


def _wrong_picker_port(stack: Stack, service: Service, number: int | None) -> Iterator[str]:
    if service.spec.text("type") == "ExternalName":
        yield f"names {service} of type ExternalName as its picker, which gateways must not follow. Use ClusterIP."
        return
    ports = [port.integer("port") for port in service.ports]
    if number is None or not ports or None in ports:
        return
    port = service.port(number)
    if port is None:
        targets = [p.integer("targetPort") for p in service.ports]
        hint = ", which is a target port" if number in targets else ""
        yield (
            f"names port {number} of {service}{hint}; the Service has {', '.join(map(str, ports))}. "
            "Set port.number to the port of the Service that leads to the picker's gRPC port."
        )
        return
    for picker in (p for pod in service.pods(stack) for p in pod.object.resource.view(Picker.of) if p.pod is pod):
        target = number if port.absent("targetPort") else port.integer("targetPort")
        if target is None and (label := port.text("targetPort")):
            named = [p for p in picker.container.props.sections("ports") if p.text("name") == label]
            target = named[0].integer("containerPort") if named else None
        if target is not None and picker.ext_proc_port is not None and target != picker.ext_proc_port:
            yield (
                f"is led by port {number} of {service} to port {target} of {picker.pod}, and the picker takes calls on "
                f"{picker.ext_proc_port}; every request fails. Set targetPort: {picker.ext_proc_port}."
            )
