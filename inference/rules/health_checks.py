"""Health checks of load balancers: where they ask a model server, and how often.

Google's load balancers do not use readiness probes. Without a HealthCheckPolicy they ask for ``/``, where a model
server answers 404, and call Ready pods unhealthy: 503 'no healthy upstream'. The policy has to name the backend of the
route, a path that the engine serves, a port on which it listens, and times that the API takes.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.exposure import Ingress, backend_config
from inference.rules.views.gateway import TargetedPolicy
from inference.rules.views.health_checks import HEALTH_CHECK_BLOCKS, HealthCheck
from inference.rules.views.model_backends import chart_brings_policies, model_backends, subject
from inference.rules.views.routing import Backend, pods_behind, policies_for, servers_in
from inference.rules.views.servers import ModelServer
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

_HEALTH_DOC = (
    "https://docs.cloud.google.com/kubernetes-engine/docs/how-to/configure-gateway-resources#configure_health_check"
)
_POLICY_CRDS = "https://github.com/GoogleCloudPlatform/gke-gateway-api/tree/main/config/crd"
_ANSWERS_ON_ROOT = frozenset({"tgi", "huggingface"})
"""Engines that answer 200, or may, where the load balancer asks by default."""
_FURTHER_PATHS = {
    "vllm": frozenset({"/health", "/ping", "/version", "/load", "/metrics", "/v1/models"}),
    "sglang": frozenset({"/health", "/health_generate", "/v1/models", "/metrics", "/get_model_info"}),
}
"""Paths besides the health path on which an engine answers 200."""


@rule(
    "backend-health-check-declared",
    title="A model behind a GKE gateway has a health check of its own",
    breaks="The load balancer asks for / and gets 404 from the model server: the endpoints are UNHEALTHY and clients "
    "get 503 'no healthy upstream', while all pods are Ready. Readiness probes are not used.",
    fix="Declare a HealthCheckPolicy whose targetRef names the backend: type HTTP, requestPath /health, "
    "portSpecification USE_FIXED_PORT with the server's port.",
    source=_HEALTH_DOC,
    severity=Severity.HIGH,
    covers=("GW-003",),
)
def health_check_declared(stack: Stack) -> Iterator[About]:
    for backend, link in model_backends(stack):
        servers = [server for server in servers_in(link.pods) if server.serves_http]
        on_root = any(server.engine in _ANSWERS_ON_ROOT or "/" in _probed(server) for server in servers)
        if policies_for(stack, "HealthCheckPolicy", backend) or on_root or chart_brings_policies(stack, backend):
            continue
        label = f'{backend.kind} "{backend.name}"'
        path = servers[0].health_path if servers else "/health"
        yield About(
            subject(stack, backend, link),
            f"{label} is reached through {link.gateway} and has no HealthCheckPolicy; the load balancer asks for /, "
            f"which the model server answers with 404, and calls every endpoint unhealthy. Declare a HealthCheckPolicy "
            f"that targets {label}, with requestPath: {path} and portSpecification: USE_FIXED_PORT.",
        )


def _probed(server: ModelServer) -> set[str]:
    """Return the paths that the server's own probes ask for."""
    probes = (
        server.container.props.section(f"{kind}Probe", "httpGet") for kind in ("startup", "readiness", "liveness")
    )
    return {path for probe in probes if (path := probe.text("path"))}


@rule(
    "health-check-path-served",
    title="The load balancer asks a model server for a path that it serves",
    breaks="404 for every probe: the endpoints are UNHEALTHY and clients get 503 while all pods are Ready.",
    fix="Set httpHealthCheck.requestPath to the engine's health path: /health for vLLM and SGLang, /v1/health/ready "
    "for NIM, /v2/health/ready for Triton.",
    source=_HEALTH_DOC,
    severity=Severity.HIGH,
    covers=("GW-003",),
)
def health_check_path_served(stack: Stack) -> Iterator[About]:
    for policy, block, servers in _http_checks(stack):
        path = "/" if block.absent("requestPath") else block.text("requestPath")
        if path is None:
            continue
        bare = path.partition("?")[0].rstrip("/") or "/"
        for server in servers:
            if not _serves(server, bare):
                yield About(
                    policy.resource,
                    f"{policy} lets the load balancer ask for {path}, and {server} serves {server.engine}, which "
                    f"answers 404 there; the endpoints stay unhealthy. Set requestPath: {server.health_path}.",
                )
                break


def _serves(server: ModelServer, path: str) -> bool:
    if server.engine in _ANSWERS_ON_ROOT or server.engine not in {"vllm", "sglang", "nim", "triton", "trtllm"}:
        return True
    if server.options.has("root-path") or path in {probed.rstrip("/") or "/" for probed in _probed(server)}:
        return True
    if server.engine == "nim":
        return path.startswith("/v1/")
    if server.engine == "triton":
        return path.startswith("/v2/")
    return path == server.health_path or path in _FURTHER_PATHS.get(
        server.engine, {"/version", "/v1/models", "/metrics"}
    )


@rule(
    "health-check-port-served",
    title="The load balancer asks a model server on a port that it listens on",
    breaks="Connection refused for every probe: the endpoints are UNHEALTHY and clients get 503 while all pods are "
    "Ready.",
    fix="Set port in the HealthCheckPolicy to the port of the model server, not that of the Service or of the picker.",
    source=_HEALTH_DOC,
    severity=Severity.HIGH,
    covers=("GW-003",),
)
def health_check_port_served(stack: Stack) -> Iterator[About]:
    for policy, block, servers in _http_checks(stack):
        port = block.integer("port")
        if port is None:
            continue
        for server in servers:
            open_ports = {p for container in server.pod.all_containers for p in container.ports}
            if server.port is not None:
                open_ports.add(server.port)
            settled = server.port is not None or server.container.ports
            if settled and port not in open_ports and not server.options.has("data-parallel-multi-port-external-lb"):
                yield About(
                    policy.resource,
                    f"{policy} lets the load balancer ask on port {port}, and {server} listens on "
                    f"{', '.join(map(str, sorted(open_ports)))}; every probe is refused and the endpoints stay "
                    f"unhealthy. Set port: {server.port or min(open_ports)}.",
                )
                break


def _http_checks(stack: Stack) -> Iterator[tuple[TargetedPolicy, Props, tuple[ModelServer, ...]]]:
    """Yield HealthCheckPolicies that ask by HTTP, with their block and the HTTP servers behind their target."""
    for policy in stack.each(TargetedPolicy):
        if policy.kind != "HealthCheckPolicy":
            continue
        kind, name = policy.spec.text("targetRef", "kind"), policy.spec.text("targetRef", "name")
        config = policy.default.section("config")
        written = "HTTP" if config.absent("type") else config.text("type")
        if kind not in {"Service", "InferencePool"} or name is None or written not in {"HTTP", "HTTPS", "HTTP2"}:
            continue
        pods = pods_behind(stack, Backend(kind, policy.namespace, name))
        servers = tuple(server for server in servers_in(pods) if server.serves_http)
        if servers and policy.spec.known("default") and policy.default.known("config"):
            yield policy, config.section(HEALTH_CHECK_BLOCKS[written]), servers


@rule(
    "health-check-timeout-within-interval",
    title="A health check gives up before the next one starts",
    breaks="'TimeoutSec should be less than checkIntervalSec': the API refuses the health check, so the backend is "
    "never made, or the admission refuses the policy.",
    fix="Set timeoutSec to at most checkIntervalSec; what is left out counts as 5 seconds.",
    source="https://github.com/bitnami/charts/issues/9313",
    severity=Severity.HIGH,
    covers=("GW-005",),
    on=HealthCheck,
)
def timeout_within_interval(check: HealthCheck) -> Iterator[str]:
    interval, timeout = check.seconds("checkIntervalSec"), check.seconds("timeoutSec")
    if interval is not None and timeout is not None and timeout > interval:
        yield (
            f"{check} waits {timeout:.0f} s for an answer and asks every {interval:.0f} s; the load balancer refuses "
            f"a timeout above the interval. Set checkIntervalSec: {timeout:.0f} or more, or a shorter timeoutSec."
        )


@rule(
    "health-check-config-valid",
    title="A HealthCheckPolicy describes its check as the definition wants it",
    breaks="The API server refuses the object with a rule of the definition; without the policy the load balancer asks "
    "for / and calls the model servers unhealthy.",
    fix="Write one block, the one named for the type, and what its portSpecification takes.",
    source=_POLICY_CRDS,
    severity=Severity.HIGH,
    covers=("GW-003",),
    on=TargetedPolicy,
)
def health_check_config_valid(policy: TargetedPolicy) -> Iterator[str]:
    config = policy.default.section("config")
    if policy.kind != "HealthCheckPolicy" or not config:
        return
    kind = config.text("type")
    blocks = [block for block in HEALTH_CHECK_BLOCKS.values() if not config.absent(block)]
    if kind is None and config.absent("type"):
        yield f"{policy} sets config without a type; the definition asks for both. Set config.type: HTTP."
    elif kind in HEALTH_CHECK_BLOCKS and blocks != [HEALTH_CHECK_BLOCKS[kind]]:
        yield (
            f"{policy} is of type {kind} and describes {' and '.join(blocks) or 'no check'}; the definition asks for "
            f"one block, named for the type. Write {HEALTH_CHECK_BLOCKS[kind]}."
        )
    for block in blocks:
        for problem in _port_problems(config.section(block)):
            yield f"{policy} sets {block} {problem}"


def _port_problems(block: Props) -> Iterator[str]:
    if not block.known("portSpecification") or not block.known("port") or not block.known("portName"):
        return
    port, name = block.integer("port"), block.text("portName")
    wanted = f"Set portSpecification: USE_FIXED_PORT and port: {port or 8000}."
    match block.text("portSpecification"):
        case "USE_FIXED_PORT" if port is None or name is not None:
            yield f"with portSpecification USE_FIXED_PORT, which takes a port and no portName. {wanted}"
        case "USE_NAMED_PORT" if name is None or port is not None:
            yield f"with portSpecification USE_NAMED_PORT, which takes a portName and no port. {wanted}"
        case "USE_SERVING_PORT" if name is not None or port is not None:
            yield f"with portSpecification USE_SERVING_PORT, which takes neither port nor portName. {wanted}"


@rule(
    "health-check-asks-server",
    title="The load balancer asks a model server whether it answers, not only whether its port is open",
    breaks="The port stays open after the engine has died or hangs, and the load balancer goes on sending it requests.",
    fix="Write type: HTTP with requestPath /health (vLLM, SGLang) or /v1/health/ready (NIM).",
    source=_HEALTH_DOC,
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    covers=("GW-003",),
)
def health_check_asks_server(stack: Stack) -> Iterator[About]:
    for policy in stack.each(TargetedPolicy):
        kind, name = policy.spec.text("targetRef", "kind"), policy.spec.text("targetRef", "name")
        if policy.kind != "HealthCheckPolicy" or policy.default.text("config", "type") != "TCP":
            continue
        if kind not in {"Service", "InferencePool"} or name is None:
            continue
        for server in servers_in(pods_behind(stack, Backend(kind, policy.namespace, name)))[:1]:
            if server.serves_http:
                yield About(
                    policy.resource,
                    f"{policy} only opens a connection to {server}; a dead engine stays healthy. Set type: HTTP with "
                    f"httpHealthCheck.requestPath: {server.health_path}.",
                )


@rule(
    "health-check-port-specified",
    title="A HealthCheckPolicy says how its port is meant",
    breaks="A newer definition of the object than that of v1.4.0 has a rule that reads portSpecification, and refuses "
    "every check that leaves it out; an older one takes the port as fixed. A cluster that is upgraded then refuses the "
    "next change of the policy.",
    fix="Set portSpecification: USE_FIXED_PORT beside port; every version takes that.",
    source=_POLICY_CRDS,
    severity=Severity.LOW,
    level=Level.ADVISORY,
    covers=("GW-003",),
    on=TargetedPolicy,
)
def port_specified(policy: TargetedPolicy) -> Iterator[str]:
    config = policy.default.section("config")
    if policy.kind != "HealthCheckPolicy":
        return
    for name in HEALTH_CHECK_BLOCKS.values():
        block = config.section(name)
        if block and block.absent("portSpecification"):
            port = block.integer("port") or 8000
            yield (
                f"{policy} sets {name} without portSpecification; the newer definition of the object refuses that. "
                f"Set portSpecification: USE_FIXED_PORT and port: {port}."
            )


@rule(
    "health-check-from-readiness-valid",
    title="A readiness probe from which an Ingress makes its health check gives up before the next one",
    breaks="'TimeoutSec should be less than checkIntervalSec' in the Ingress's events; the backend is never made.",
    fix="Set timeoutSeconds of the readiness probe to at most its periodSeconds, or a BackendConfig with a "
    "healthCheck.",
    source="https://github.com/bitnami/charts/issues/9313",
    severity=Severity.HIGH,
    covers=("GW-005",),
)
def from_readiness_valid(stack: Stack) -> Iterator[About]:
    for ingress in stack.each(Ingress):
        for service in ingress.services(stack) if ingress.gce else ():
            config = backend_config(stack, service)
            if config is not None and config.spec.section("healthCheck"):
                continue
            for container in (c for pod in service.pods(stack) for c in pod.containers):
                probe = container.props.section("readinessProbe")
                period = 10.0 if probe.absent("periodSeconds") else probe.number("periodSeconds")
                timeout = 1.0 if probe.absent("timeoutSeconds") else probe.number("timeoutSeconds")
                if probe.section("httpGet") and period is not None and timeout is not None and timeout > period:
                    yield About(
                        container.pod.object.resource,
                        f"{container} is behind {ingress} and its readiness probe waits {timeout:.0f} s every "
                        f"{period:.0f} s; the load balancer refuses such a health check. Set timeoutSeconds: "
                        f"{period:.0f} or less.",
                    )
