"""Policies of a backend behind a GKE gateway: how the load balancer probes it and how long it waits.

Without a HealthCheckPolicy the balancer asks for ``/``, where a model server answers 404, and calls Ready pods
unhealthy: 503 'no healthy upstream'. Without a GCPBackendPolicy it cuts every answer that takes longer than 30 seconds,
after the accelerator has done its work. Readiness probes and the timeouts of routes change neither. A policy counts
only if its ``targetRef`` names the very object that the route names: the InferencePool, not the Service beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from inference.facts.endpoint_picker import POOL_GROUP
from inference.facts.gke import BACKEND_TIMEOUT_DEFAULT_S
from inference.rules.framework import About, Severity, rule
from inference.rules.views.gateway import TargetedPolicy
from inference.rules.views.health_checks import HEALTH_CHECK_BLOCKS, HealthCheck
from inference.rules.views.helm import HelmRelease
from inference.rules.views.resources import Resource
from inference.rules.views.routing import (
    ROUTER_CHARTS,
    Backend,
    Link,
    backends,
    declared,
    pods_behind,
    policies_for,
    servers_in,
)
from inference.rules.views.servers import ModelServer
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

_HEALTH_DOC = (
    "https://docs.cloud.google.com/kubernetes-engine/docs/how-to/configure-gateway-resources#configure_health_check"
)
_TIMEOUT_DOC = (
    "https://docs.cloud.google.com/kubernetes-engine/docs/how-to/configure-gateway-resources#configure_timeout"
)
_POLICY_CRDS = "https://github.com/GoogleCloudPlatform/gke-gateway-api/tree/main/config/crd"
_ANSWERS_ON_ROOT = frozenset({"tgi", "huggingface"})
"""Engines that answer 200, or may, where the load balancer asks by default."""
_FURTHER_PATHS = {
    "vllm": frozenset({"/health", "/ping", "/version", "/load", "/metrics", "/v1/models"}),
    "sglang": frozenset({"/health", "/health_generate", "/v1/models", "/metrics", "/get_model_info"}),
}
"""Paths besides the health path on which an engine answers 200."""


@dataclass(frozen=True, slots=True)
class LongestAnswer:
    """What a team may set for the timeout rule."""

    seconds: int = 300
    """Longest time that one answer may take, streaming included."""


@rule(
    "backend-timeout-covers-answers",
    title="A model behind a GKE gateway has a backend timeout that covers its longest answer",
    breaks="HTTP 504 or a reset stream after 30 seconds, the default, for long prompts and long answers only: tests "
    "with short ones pass, and the accelerators' work on the others is thrown away.",
    fix="Declare a GCPBackendPolicy whose targetRef names the backend, with default.timeoutSec of at least 300 (900 "
    "to 3600 for long context).",
    source=_TIMEOUT_DOC,
    severity=Severity.HIGH,
    covers=("GW-001",),
    parameters=LongestAnswer,
)
def timeout_covers_answers(stack: Stack, longest: LongestAnswer) -> Iterator[About]:
    for backend, link in _model_backends(stack):
        policies = policies_for(stack, "GCPBackendPolicy", backend)
        label = f'{backend.kind} "{backend.name}"'
        if not policies and not _chart_brings_policies(stack, backend):
            yield About(
                _subject(stack, backend, link),
                f"{label} is reached through {link.gateway} and has no GCPBackendPolicy; the load balancer cuts every "
                f"answer after {BACKEND_TIMEOUT_DEFAULT_S} s. Declare a GCPBackendPolicy that targets {label}, with "
                f"default.timeoutSec: {longest.seconds} or more.",
            )
        for policy in policies:
            seconds = (
                float(BACKEND_TIMEOUT_DEFAULT_S)
                if policy.default.absent("timeoutSec")
                else policy.default.number("timeoutSec")
            )
            if seconds is not None and seconds < longest.seconds and policy.spec.known("default"):
                how = "no timeoutSec" if policy.default.absent("timeoutSec") else "timeoutSec"
                yield About(
                    policy.resource,
                    f"{policy} of {label} sets {how}, so that answers are cut after {seconds:.0f} s; generation may "
                    f"take {longest.seconds} s. Set default.timeoutSec: {longest.seconds} or more.",
                )


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
    for backend, link in _model_backends(stack):
        servers = [server for server in servers_in(link.pods) if server.serves_http]
        on_root = any(server.engine in _ANSWERS_ON_ROOT or "/" in _probed(server) for server in servers)
        if policies_for(stack, "HealthCheckPolicy", backend) or on_root or _chart_brings_policies(stack, backend):
            continue
        label = f'{backend.kind} "{backend.name}"'
        path = servers[0].health_path if servers else "/health"
        yield About(
            _subject(stack, backend, link),
            f"{label} is reached through {link.gateway} and has no HealthCheckPolicy; the load balancer asks for /, "
            f"which the model server answers with 404, and calls every endpoint unhealthy. Declare a HealthCheckPolicy "
            f"that targets {label}, with requestPath: {path} and portSpecification: USE_FIXED_PORT.",
        )


def _model_backends(stack: Stack) -> Iterator[tuple[Backend, Link]]:
    """Yield the backends of models behind GKE's single-cluster gateways, with one way to each."""
    for backend, ways in backends(stack).items():
        ours = [way for way in ways if way.gateway.gke and not way.gateway.multi_cluster]
        found = next((way for way in ours if way.serves_models), None)
        if found is not None and (declared(stack, backend) or found.pods or _made_here(stack, backend, found)):
            yield backend, found


def _made_here(stack: Stack, backend: Backend, link: Link) -> bool:
    """Whether the program causes the backend, so that its policies belong to the program too."""
    return link.route is None or _router_release(stack, backend) is not None


def _router_release(stack: Stack, backend: Backend) -> HelmRelease | None:
    return stack.view(_router_releases).get((backend.namespace, backend.name))


def _router_releases(stack: Stack) -> dict[tuple[str | None, str | None], HelmRelease]:
    return {(r.namespace, r.name): r for r in stack.each(HelmRelease) if r.chart in ROUTER_CHARTS}


def _chart_brings_policies(stack: Stack, backend: Backend) -> bool:
    release = _router_release(stack, backend) if backend.kind == "InferencePool" else None
    if release is None:
        return False
    provider = release.values.text("provider", "name")
    return not release.whole or not release.values.known("provider") or (provider or "").lower() == "gke"


def _subject(stack: Stack, backend: Backend, link: Link) -> Resource:
    thing = declared(stack, backend)
    return thing.resource if thing is not None else link.source


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
    fix="Write one block, the one named for the type, with portSpecification: USE_FIXED_PORT and port.",
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
        case None if block.absent("portSpecification"):
            yield f"without portSpecification; the definition's rule refuses it. {wanted}"
        case "USE_FIXED_PORT" if port is None or name is not None:
            yield f"with portSpecification USE_FIXED_PORT, which takes a port and no portName. {wanted}"
        case "USE_NAMED_PORT" if name is None or port is not None:
            yield f"with portSpecification USE_NAMED_PORT, which takes a portName and no port. {wanted}"
        case "USE_SERVING_PORT" if name is not None or port is not None:
            yield f"with portSpecification USE_SERVING_PORT, which takes neither port nor portName. {wanted}"


@rule(
    "backend-policy-target-group",
    title="The targetRef of a policy names its target with the right API group",
    breaks="The policy attaches to nothing, and nothing says so where anybody looks: the defaults stay in force.",
    fix="Set targetRef.group: inference.networking.k8s.io for an InferencePool, '' for a Service.",
    source=_POLICY_CRDS,
    severity=Severity.HIGH,
    covers=("GW-006", "GW-007"),
    on=TargetedPolicy,
)
def policy_target_group(policy: TargetedPolicy) -> Iterator[str]:
    target = policy.spec.section("targetRef")
    group = "" if target.absent("group") else target.text("group")
    wanted = {"InferencePool": POOL_GROUP, "Service": "", "Gateway": "gateway.networking.k8s.io"}.get(
        target.text("kind") or ""
    )
    if wanted is not None and group is not None and group != wanted:
        yield (
            f'{policy} targets {target.text("kind")} "{target.text("name")}" in group "{group}"; no such kind is there '
            f'and the policy attaches to nothing. Set targetRef.group: "{wanted}".'
        )
