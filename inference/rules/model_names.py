"""The name of a model, in all the places that have to agree on it: server, routes, rewrites, clients.

A server answers only for the names it was given (``--served-model-name``, else the model's own, and LoRA adapters).
Asked for another it says 404 'The model … does not exist', which looks like a broken server and is a typo.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from inference.facts.endpoint_picker import POOL_GROUP_DEPRECATED
from inference.rules.framework import About, Severity, rule
from inference.rules.views.gateway import POOL_GROUPS, HttpRoute, InferencePool, Service
from inference.rules.views.kubernetes import KubernetesObject, ObjectView
from inference.rules.views.options import Options
from inference.rules.views.pods import Container, PodTemplate
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import server_in
from inference.rules.views.shell import Script
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

_OPENAI = "https://docs.vllm.ai/en/latest/serving/openai_compatible_server/"
_REWRITE_GROUPS = ("llm-d.ai", POOL_GROUP_DEPRECATED)


# ------------------------------------------------------------------ what is served


def _adapters(options: Options) -> Iterator[str]:
    """Yield the names of LoRA adapters: ``name=path``, or a JSON object."""
    for value in options.values("lora-modules"):
        match = re.search(r'"name"\s*:\s*"([^"]+)"', value[:2000])
        if match is not None:
            yield match[1]
        elif "=" in value:
            yield value.partition("=")[0]


def _served(pods: Iterable[PodTemplate]) -> frozenset[str] | None:
    """Return every name that the servers of these pods answer for; ``None`` where not all are known."""
    names: set[str] = set()
    for pod in pods:
        servers = [s for s in pod.object.resource.view(ModelServer.of) if s.pod is pod and s.serves_http]
        if len(servers) != 1 or not servers[0].served_names or servers[0].options.unknown("lora-modules"):
            return None
        server = servers[0]
        if "VLLM_ALLOW_RUNTIME_LORA_UPDATING" in server.environment or not server.script.complete:
            return None
        names.update(server.served_names)
        names.update(_adapters(server.options))
        if pod.object.kind == "LLMInferenceService":
            names.update(f"publishers/{pod.namespace}/models/{name}" for name in server.served_names)
    return frozenset(names) or None


def _listed(names: frozenset[str]) -> str:
    return " or ".join(f'"{name}"' for name in sorted(names)[:3])


def _pool_pods(stack: Stack, name: str | None, namespace: str) -> tuple[PodTemplate, ...]:
    for group in POOL_GROUPS:
        pool = stack.object("InferencePool", group, name, namespace)
        if pool is not None:
            return pool.resource.view(InferencePool.of)[0].pods(stack)
    return ()


def _service_pods(stack: Stack, name: str | None, namespace: str) -> tuple[PodTemplate, ...]:
    service = stack.object("Service", "", name, namespace)
    return service.resource.view(Service.of)[0].pods(stack) if service is not None else ()


# ------------------------------------------------------------------ routes and rewrites

_MODEL_HEADERS = frozenset({"x-gateway-model-name", "x-gateway-base-model-name"})


def _rewritten(stack: Stack) -> frozenset[str]:
    """Return the namespaces in which model names are rewritten on their way."""
    kinds = [thing for kind in ("InferenceModelRewrite", "InferenceModel") for thing in _of_kind(stack, kind)]
    return frozenset(thing.namespace for thing in kinds)


def _of_kind(stack: Stack, kind: str) -> Iterator[KubernetesObject]:
    for group in _REWRITE_GROUPS:
        yield from stack.objects(kind, group)


def _header_values(rule_: Props) -> Iterator[str]:
    for match in rule_.sections("matches"):
        for header in match.sections("headers"):
            exact = header.absent("type") or header.text("type") == "Exact"
            value = header.text("value")
            if exact and value is not None and (header.text("name") or "").lower() in _MODEL_HEADERS:
                yield value


@rule(
    "models-route-names-served-model",
    title="A route by model name leads to servers of that model",
    breaks="Requests for the model reach servers that answer 404 'The model … does not exist'.",
    fix="Use one value for the header match, --served-model-name and the clients.",
    source="https://docs.cloud.google.com/kubernetes-engine/docs/how-to/customize-gke-inference-gateway-configurations",
    severity=Severity.HIGH,
    covers=("LWS-015",),
)
def route_names_served_model(stack: Stack) -> Iterator[About]:
    for route in stack.each(HttpRoute):
        if route.namespace in stack.view(_rewritten):
            continue
        for rule_ in route.spec.sections("rules"):
            wanted = set(_header_values(rule_))
            pods = _backends(stack, route, rule_) if wanted else ()
            names = _served(pods) if pods else None
            for name in sorted(wanted - names) if names is not None else ():
                yield About(
                    route.resource,
                    f'{route} sends requests for the model "{name}" to servers of {_listed(names or frozenset())}; '
                    "they answer 404. Use the same name in the header match and --served-model-name.",
                )


def _backends(stack: Stack, route: HttpRoute, rule_: Props) -> tuple[PodTemplate, ...]:
    """Return the pods behind a rule; empty where some backend is not declared."""
    pods: list[PodTemplate] = []
    for reference in rule_.sections("backendRefs"):
        namespace = reference.text("namespace") or route.namespace
        kind = reference.text("kind") or "Service"
        find = _pool_pods if kind == "InferencePool" else _service_pods
        found = find(stack, reference.text("name"), namespace)
        if not found:
            return ()
        pods += found
    return tuple(pods)


class _Rewrite(ObjectView):
    """An object that says which names the servers of a pool are asked for."""

    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset(
        (group, kind) for group in _REWRITE_GROUPS for kind in ("InferenceModelRewrite", "InferenceModel")
    )

    @property
    def targets(self) -> Iterator[str]:
        """Names that servers get."""
        for rule_ in self.spec.sections("rules"):
            yield from (name for t in rule_.sections("targets") if (name := t.text("modelRewrite")))
        targets = [name for t in self.spec.sections("targetModels") if (name := t.text("name"))]
        model = self.spec.text("modelName")
        yield from targets
        if not targets and self.spec.absent("targetModels") and model is not None:
            yield model


@rule(
    "models-rewrite-names-served-model",
    title="A model name is rewritten to one that the pool's servers answer for",
    breaks="Every request that the rewrite touches ends with 404 'The model … does not exist'.",
    fix="Name the model as the servers do: --served-model-name, or an adapter of --lora-modules.",
    source="https://github.com/llm-d/llm-d-router",
    severity=Severity.HIGH,
    covers=("LWS-015",),
)
def rewrite_names_served_model(stack: Stack) -> Iterator[About]:
    for rewrite in stack.each(_Rewrite):
        pods = _pool_pods(stack, rewrite.spec.text("poolRef", "name"), rewrite.namespace)
        names = _served(pods) if pods else None
        for name in dict.fromkeys(rewrite.targets) if names is not None else ():
            if names is not None and name not in names:
                yield About(
                    rewrite.resource,
                    f'{rewrite} asks the servers of its pool for "{name}", and they serve {_listed(names)}; they '
                    "answer "
                    "404. Use a name that they serve.",
                )


# ------------------------------------------------------------------ clients

_URL = re.compile(r"https?://([a-z0-9][a-z0-9.-]*|[^\s\"'/:]+)(?::\d+)?", re.IGNORECASE)
_JSON_MODEL = re.compile(r'\\?"model\\?"\s*:\s*\\?"([^"\\]{1,200})\\?"')
_MODEL_VARIABLES = frozenset(
    {
        "MODEL",
        "MODEL_NAME",
        "MODEL_ID",
        "LLM_MODEL",
        "LLM_MODEL_NAME",
        "OPENAI_MODEL",
        "OPENAI_MODEL_NAME",
        "VLLM_MODEL",
    }
    | {"DEFAULT_MODEL", "SERVED_MODEL_NAME"}
)
_ADDRESSED = ("--base-url", "--url", "--target", "--host", "--endpoint-url", "--api-base", "--backend-url")


def _asked(container: Container) -> frozenset[str]:
    """Return the models that a client asks for, as far as they are written out."""
    texts = [text for text in (*container.command, *container.environment.values()) if "model" in text]
    found = {match[1] for text in texts for match in _JSON_MODEL.finditer(text[:50_000])}
    found |= {value for name, value in container.environment.items() if name in _MODEL_VARIABLES and value}
    for command in Script.of(container).commands:
        if not any(word.partition("=")[0] in _ADDRESSED for word in command.argv):
            continue
        given = {flag: value for flag, value in _options(command.argv) if flag in ("--model", "--served-model-name")}
        chosen = given.get("--served-model-name") or given.get("--model")
        found |= {chosen} if chosen else set()
    return frozenset(name for name in found if not re.search(r"[$`{}]", name))


def _options(argv: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for at, word in enumerate(argv):
        flag, equals, value = word.partition("=")
        if flag.startswith("--"):
            yield flag, value if equals else "".join(argv[at + 1 : at + 2])


def _hosts(container: Container) -> frozenset[str]:
    texts = (*container.command, *container.environment.values())
    hosts = {match[1].lower() for text in texts for match in _URL.finditer(text[:50_000])}
    for command in Script.of(container).commands:
        hosts |= {value.lower() for flag, value in _options(command.argv) if flag == "--host" and value}
    return frozenset(host for host in hosts if not host.startswith(("huggingface.co", "hf.co")))


def _asked_servers(stack: Stack, container: Container) -> tuple[PodTemplate, ...]:
    """Return the pods behind the Services that a client calls; empty where one of them is not declared."""
    pods: list[PodTemplate] = []
    for host in _hosts(container):
        name, _, rest = host.partition(".")
        parts = rest.split(".") if rest else []
        if parts[1:] not in ([], ["svc"], ["svc", "cluster", "local"]):
            return ()
        found = _service_pods(stack, name, parts[0] if parts else container.pod.namespace)
        if not found:
            return ()
        pods += found
    return tuple(pods)


def _serving(stack: Stack) -> Mapping[str, int]:
    """Return how many model servers each namespace has; clients matter only where there are some."""
    found: dict[str, int] = {}
    for server in stack.each(ModelServer):
        found[server.pod.namespace] = found.get(server.pod.namespace, 0) + 1
    return found


def _probes(server: ModelServer) -> Iterator[About]:
    """Judge probes of a server that ask it for a completion."""
    names = _served((server.pod,))
    if names is None:
        return
    for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
        text = " ".join(server.container.props.texts(probe, "exec", "command"))[:50_000]
        for name in dict.fromkeys(match[1] for match in _JSON_MODEL.finditer(text)):
            if name not in names and not re.search(r"[$`{}]", name):
                yield About(
                    server.pod.object.resource,
                    f'{server} has a {probe} that asks for the model "{name}", and it serves {_listed(names)}; the '
                    "probe gets 404. Use the name that it serves.",
                )


@rule(
    "models-client-asks-served-name",
    title="Clients ask for a model under a name that its servers answer for",
    breaks="404 'The model … does not exist' from a healthy server: a smoke test that fails for no reason, or a client "
    "that never worked.",
    fix="Take the name from one place for server and clients: --served-model-name, else the model's own id.",
    source=_OPENAI,
    severity=Severity.MEDIUM,
    covers=("LWS-015",),
)
def client_asks_served_name(stack: Stack) -> Iterator[About]:
    if not stack.view(_serving):
        return
    for server in stack.each(ModelServer):
        yield from _probes(server)
    for container in stack.each(Container):
        asked = _asked(container) if server_in(container) is None else frozenset()
        pods = _asked_servers(stack, container) if asked else ()
        names = _served(pods) if pods else None
        for name in sorted(asked - names) if names is not None else ():
            yield About(
                container.pod.object.resource,
                f'{container} asks for the model "{name}", and the servers it calls serve '
                f"{_listed(names or frozenset())}; they answer 404. Use the name that they serve.",
            )
