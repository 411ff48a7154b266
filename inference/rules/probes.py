"""Probes of model servers: when a pod counts as ready, and when the kubelet kills what it takes for dead.

A server opens its port early and answers minutes later, after it has read tens or hundreds of gigabytes and captured
its graphs. A probe that is content too early sends requests to a model that is not there; one that loses patience
kills the load, which then begins again, for ever. Of a server on several nodes only the leader answers at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from inference.facts import gke, vllm
from inference.facts.loading import ENGINES
from inference.facts.models import find
from inference.rules.framework import Level, Severity, rule
from inference.rules.views.pods import Container
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import completed_elsewhere, server_in
from inference.rules.views.values import Props
from inference.startup import LARGE_PARAMETERS

_KUBERNETES = "https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/"
_PROBES = ("readinessProbe", "livenessProbe", "startupProbe")


def _hint(server: ModelServer) -> str:
    port = server.port if server.port is not None else "<port>"
    return f"{{httpGet: {{path: {server.health_path}, port: {port}}}}}"


def _serves_requests(container: Container) -> bool:
    """Whether a container without a known server looks as if it answered requests with an accelerator."""
    pod = container.pod
    if container.init or not container.accelerators or pod.role.endswith("worker") or pod.object.kind == "DaemonSet":
        return False
    ports = (p for p in container.props.sections("ports") if not re.search("metric|prom", p.text("name") or ""))
    return any(port.integer("containerPort") is not None for port in ports)


@rule(
    "probes-server-tells-readiness",
    title="A model server has a readiness probe",
    breaks="The pod is ready as soon as its process runs, minutes before the model is loaded. Gateway and Service send "
    "it requests: connection refused and 503, on every rollout and every scale-up.",
    fix="Add readinessProbe.httpGet with path /health (vLLM, SGLang, TGI) or /v1/health/ready (NIM).",
    source="https://docs.vllm.ai/en/latest/deployment/k8s/",
    severity=Severity.HIGH,
    covers=("VLLM-015",),
    on=Container,
)
def server_tells_readiness(container: Container) -> Iterator[str]:
    pod = container.pod
    if completed_elsewhere(pod) or pod.ends or not container.props.absent("readinessProbe"):
        return
    server = server_in(container)
    if server is not None and server.serves_http:
        yield (
            f"{container} serves a model without a readinessProbe; it gets requests minutes before the model is "
            f"loaded. Add readinessProbe: {_hint(server)}."
        )
    elif server is None and _serves_requests(container):
        yield (
            f"{container} has an accelerator, a port and no readinessProbe; it gets requests before it can answer. Add "
            "a readinessProbe with httpGet on the path that tells that the model is loaded."
        )


_PORT_CHECK = re.compile(r"\b(?:nc|ncat|netcat)\b.*-\w*z|/dev/tcp/")
_ASKS_NOBODY = re.compile(r"(?:\S*/)?true|:|exit 0|.*\b(?:pgrep|pidof)\b.*|.*\bps\b[^|]*\|\s*grep\b.*", re.DOTALL)
_LONGEST_COMMAND = 2000
_SHELL = re.compile(r"(?:\S*/)?(?:ba|da|z)?sh\s+-\w*c\s+")


def _asks_nobody(command: str) -> bool:
    asks = re.search(r"curl|wget|http|grpc|python", command)
    return (
        0 < len(command) < _LONGEST_COMMAND
        and asks is None
        and bool(_ASKS_NOBODY.fullmatch(_SHELL.sub("", command).strip()))
    )


def _only_connects(probe: Props) -> bool:
    if not probe.absent("tcpSocket"):
        return True
    return bool(_PORT_CHECK.search(" ".join(probe.texts("exec", "command"))))


@rule(
    "probes-readiness-asks-server",
    title="Readiness asks the server, not only whether its port is open",
    breaks="The port is open while the model still loads, and stays open after the engine has died: the pod is ready "
    "and every request fails. With Ray the port may belong to a leader whose workers never came.",
    fix="Use httpGet: /health (vLLM, SGLang, TGI), /v1/health/ready (NIM).",
    source="https://github.com/vllm-project/vllm/issues/53157",
    severity=Severity.HIGH,
    covers=("LWS-008",),
    on=ModelServer,
)
def readiness_asks_server(server: ModelServer) -> Iterator[str]:
    for name in ("readinessProbe", "startupProbe"):
        if server.serves_http and _only_connects(server.container.props.section(name)):
            yield (
                f"{server} has a {name} that only opens a TCP connection; the port is open before the model is loaded "
                f"and after the engine has died. Write {name}: {_hint(server)}."
            )
        written = " ".join(server.container.props.texts(name, "exec", "command"))
        if server.serves_http and _asks_nobody(written):
            yield (
                f"{server} has a {name} that asks nobody ({written}); it succeeds before the model is loaded and after "
                f"the engine has died. Write {name}: {_hint(server)}."
            )


def _port_of(container: Container, handler: Props) -> int | None:
    """Return the number of a probe's port; a name stands for a port of the same container."""
    number = handler.integer("port")
    if number is not None:
        return number
    name = handler.text("port")
    named = (p for p in container.props.sections("ports") if name is not None and p.text("name") == name)
    return next((p.integer("containerPort") for p in named), None)


def _elsewhere(container: Container) -> frozenset[int]:
    """Return the ports of the other containers of the pod."""
    others = (other.ports for other in container.pod.all_containers if other is not container)
    return frozenset(port for ports in others for port in ports)


_NOT_VLLM = frozenset(
    {"/", "", "/healthz", "/readyz", "/livez", "/ready", "/live", "/v1/health/ready", "/v1/health/live", "/v1/health"}
    | {"/v2/health/ready", "/v2/health/live", "/api/health", "/status", "/healthcheck"}
)
_NOT_NIM = frozenset({"/", "", "/healthz", "/readyz", "/livez", "/ready", "/live", "/v2/health/ready", "/api/health"})
_NOT_TRITON = frozenset({"/", "", "/health", "/healthz", "/ready", "/v1/health/ready", "/v1/models", "/ping"})
_NOT_THERE = {"vllm": _NOT_VLLM, "nim": _NOT_NIM, "triton": _NOT_TRITON}
_PLAIN = frozenset({"vllm", "sglang", "tgi"})
"""Engines that speak plain HTTP unless they are given a certificate."""
_CERTIFICATES = ("ssl-certfile", "ssl-keyfile")


@rule(
    "probes-path-answers",
    title="A probe asks a path that the server answers with 200",
    breaks="The probe fails for ever, with 404 on a path that the engine does not have, with 401 below /v1 when an API "
    "key is set, or in the TLS handshake: the pod never becomes ready, or is killed again and again.",
    fix="Probe /health, which needs no key; add scheme: HTTPS where the server has a certificate.",
    source="https://docs.vllm.ai/en/latest/serving/openai_compatible_server/",
    severity=Severity.HIGH,
    covers=("LWS-008",),
    on=ModelServer,
)
def path_answers(server: ModelServer) -> Iterator[str]:
    container = server.container
    if not server.serves_http or server.front:
        return
    keyed = server.options.has("api-key") or vllm.API_KEY_ENV in container.variable_names
    for name in _PROBES:
        call = container.props.section(name, "grpc")
        if call and server.engine in _PLAIN and call.integer("port") == server.port:
            yield (
                f"{server} has a {name} that speaks gRPC, and the server speaks HTTP on port {server.port}; the probe "
                f"never succeeds. Write {name}: {_hint(server)}."
            )
        handler = container.props.section(name, "httpGet")
        port = _port_of(container, handler)
        if not handler or port is None or port != server.port or not handler.known("path"):
            continue
        path = (handler.text("path") or "/").partition("?")[0]
        if path in _NOT_THERE.get(server.engine, frozenset()):
            yield (
                f"{server} has a {name} on the path {path}, which the server answers with 404, so the probe never "
                f"succeeds. Use {server.health_path}."
            )
        elif (
            server.engine == "vllm"
            and keyed
            and path.startswith(vllm.GUARDED_PREFIX)
            and not handler.sections("httpHeaders")
        ):
            yield (
                f"{server} has a {name} on {path}, and an API key guards everything below {vllm.GUARDED_PREFIX}; the "
                f"probe gets 401. Use {server.health_path}, which needs no key."
            )
        certified = any(server.options.has(option) for option in _CERTIFICATES)
        if (
            server.engine in _PLAIN
            and not certified
            and server.options.complete
            and handler.text("scheme") == "HTTPS"
            and not completed_elsewhere(server.pod)
        ):
            yield (
                f"{server} has a {name} with scheme HTTPS, and the server is given no certificate; the handshake fails "
                "every time. Remove the scheme, or give --ssl-certfile and --ssl-keyfile."
            )
        if server.engine == "vllm" and server.options.has("ssl-certfile") and _speaks_plainly(handler):
            yield (
                f"{server} serves TLS (--ssl-certfile) and its {name} speaks plain HTTP, so it never succeeds. Add "
                "httpGet.scheme: HTTPS."
            )


def _speaks_plainly(handler: Props) -> bool:
    return handler.absent("scheme") or handler.text("scheme") == "HTTP"


@rule(
    "probes-port-exists",
    title="A probe asks a port that somebody listens on",
    breaks="The kubelet finds no such port, or is refused: the pod never becomes ready, and a liveness probe kills the "
    "load again and again.",
    fix="Probe the server's own port (--port, 8000 for vLLM), by number or by the name of a port of this container.",
    source=_KUBERNETES,
    severity=Severity.HIGH,
    on=Container,
)
def port_exists(container: Container) -> Iterator[str]:
    server = server_in(container)
    for name in _PROBES:
        probe = container.props.section(name)
        handler = probe.section("httpGet") or probe.section("tcpSocket")
        written = handler.text("port")
        if written is not None and not written.isdigit():
            names = [port.text("name") for port in container.props.sections("ports")]
            settled = container.props.known("ports") and all(p.known("name") for p in container.props.sections("ports"))
            if settled and written not in names and not completed_elsewhere(container.pod):
                yield (
                    f'{container} has a {name} on the port "{written}", and none of its ports has this name; the probe '
                    f"fails. Name the port {written}, or write its number."
                )
        elif server is not None and _nobody_listens(server, handler.integer("port")):
            yield (
                f"{container} has a {name} on port {handler.integer('port')}, and its server listens on {server.port}; "
                f"the probe is refused. Set the port of the probe to {server.port}."
            )


def _nobody_listens(server: ModelServer, port: int | None) -> bool:
    if port is None or server.port is None or port == server.port or not server.serves_http:
        return False
    beside = completed_elsewhere(server.pod) or port in _elsewhere(server.container)
    if beside or server.options.switch("data-parallel-multi-port-external-lb"):
        return False
    return not server.script.mentions(str(port)) and str(port) not in server.environment.values()


@dataclass(frozen=True, slots=True)
class LoadTime:
    """How long a load may take before it is taken for dead."""

    seconds: int = ENGINES["one"].floor_seconds
    """For a model on one node."""
    large_seconds: int = ENGINES["group"].floor_seconds
    """For more than 100 billion parameters, or several nodes."""


def _budget(probe: Props, *, period: int = 10, failures: int = 3) -> int | None:
    """Return the seconds until a probe has failed for good; ``None`` where not known."""
    values = []
    for name, default in (("initialDelaySeconds", 0), ("periodSeconds", period), ("failureThreshold", failures)):
        value = default if probe.absent(name) else probe.integer(name)
        if value is None:
            return None
        values.append(value)
    delay, every, times = values
    return delay + every * times


def _large(server: ModelServer) -> str | None:
    """Return why a load takes long."""
    pods = server.pod.size or 1
    if pods > 1 or (server.nodes or 1) > 1:
        return f"a server on {max(pods, server.nodes or 1)} nodes"
    known = find(server.model or "")
    if known is not None and known.parameters > LARGE_PARAMETERS:
        return f"{known.parameters / 1e9:.0f} billion parameters"
    return None


@rule(
    "probes-load-may-finish",
    title="The kubelet waits for the model to load before it kills the server",
    breaks="Reading and compiling take longer than the probe allows. The kubelet kills the container shortly before it "
    "would have answered, the download starts again, and the pod restarts for ever while its GPUs are paid for.",
    fix="Add a startupProbe on /health whose periodSeconds × failureThreshold is at least 600 seconds (1800 for more "
    "than 100 billion parameters or several nodes); the liveness probe begins after it.",
    source="https://github.com/kserve/kserve/issues/5062",
    severity=Severity.HIGH,
    covers=("VLLM-014",),
    on=ModelServer,
    parameters=LoadTime,
)
def load_may_finish(server: ModelServer, load: LoadTime) -> Iterator[str]:
    container, pod = server.container, server.pod
    if not server.serves_http or container.requested(gke.TPU_RESOURCE) or not _accelerated(container):
        return
    reason = _large(server)
    needed = load.large_seconds if reason and not completed_elsewhere(pod) else load.seconds
    why = f"for {reason}" if reason else "for a model on one node"
    startup, liveness = container.props.section("startupProbe"), container.props.section("livenessProbe")
    if startup:
        templated = pod.object.kind == "LLMInferenceService"
        budget = _budget(startup, failures=60 if templated else 3)
        if budget is not None and budget < needed:
            yield (
                f"{server} is killed when its startupProbe has failed for {budget} s, and loading may take {needed} s "
                f"{why}. Set periodSeconds: 10 and failureThreshold: {-(-needed // 10)}."
            )
    elif liveness and container.props.absent("startupProbe") and not completed_elsewhere(pod):
        budget = _budget(liveness)
        if budget is not None and budget < needed:
            yield (
                f"{server} has no startupProbe, so its livenessProbe kills it {budget} s after the start, while "
                f"loading may take {needed} s {why}. Add startupProbe: {_hint(server)[:-1]}, periodSeconds: 10, "
                f"failureThreshold: {-(-needed // 10)}}}."
            )


def _accelerated(container: Container) -> bool:
    return bool(container.accelerators) or bool(container.props.sections("resources", "claims"))


@rule(
    "probes-workers-unasked",
    title="Pods that serve no HTTP have no probes that ask for it",
    breaks="A headless or Ray worker opens no port and has no /health. Its probe never succeeds: the worker is killed "
    "in the middle of the load, and its restart takes the whole group with it.",
    fix="Take the probes from the worker template; the leader's readiness stands for the group.",
    source="https://docs.vllm.ai/en/latest/serving/parallelism_scaling/",
    severity=Severity.HIGH,
    on=ModelServer,
)
def workers_unasked(server: ModelServer) -> Iterator[str]:
    if server.serves_http or not (server.headless or server.ray_worker or server.pod.role.endswith("worker")):
        return
    container = server.container
    for name in _PROBES:
        probe = container.props.section(name)
        handler = probe.section("httpGet") or probe.section("tcpSocket") or probe.section("grpc")
        port = _port_of(container, handler)
        if handler and port not in _elsewhere(container):
            what = "joins a Ray cluster" if server.ray_worker else "runs without an API (headless)"
            yield (
                f"{server} {what} and answers nothing, so its {name} on port {port or handler.text('port')} never "
                "succeeds and the group restarts for ever. Take the probe away."
            )


def _drain_order(server: ModelServer) -> tuple[int, int] | None:
    props = server.container.props
    liveness, readiness = props.section("livenessProbe"), props.section("readinessProbe")
    if not liveness or not readiness:
        return None
    budgets = [
        _budget(Props({k: v for k, v in probe.items() if k != "initialDelaySeconds"}))
        for probe in (liveness, readiness)
    ]
    return (budgets[0], budgets[1]) if budgets[0] is not None and budgets[1] is not None else None


@rule(
    "probes-liveness-is-last",
    title="A slow server is taken out of service before it is killed",
    breaks="Under load /health answers late. Where liveness gives up before readiness does, the server is killed with "
    "every request in flight, and the next load takes minutes, instead of getting no new requests for a while.",
    fix="Give liveness more failures than readiness, for example failureThreshold 6 against 3.",
    source=_KUBERNETES,
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    on=ModelServer,
)
def liveness_is_last(server: ModelServer) -> Iterator[str]:
    budgets = _drain_order(server)
    if budgets is not None and budgets[0] < budgets[1] and not completed_elsewhere(server.pod):
        yield (
            f"{server} is killed after {budgets[0]} s without an answer and taken out of service only after "
            f"{budgets[1]} s; a slow moment costs all requests and a new load. Raise livenessProbe.failureThreshold."
        )
