"""Prefill and decode on servers of their own: how the KV cache goes from one to the other.

A prefill server computes the cache of a prompt, a decode server fetches it over NIXL and generates. A routing sidecar
in front of the decode server asks a prefill server first. When something of this is wrong the decode server usually
computes the prompt itself, and nobody notices but the bill.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from inference.facts import vllm
from inference.facts.vllm import DEPRECATED_KV_ROLES, KV_ROLES, NIXL_SIDE_CHANNEL_HOST_ENV
from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.engines import image_name
from inference.rules.views.pods import Container, PodTemplate
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import completed_elsewhere, version_of
from inference.rules.views.shell import Script
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

_NIXL = "https://docs.vllm.ai/en/latest/features/nixl_connector_usage/"
_KV_CONFIG = "https://github.com/vllm-project/vllm/blob/main/vllm/config/kv_transfer.py"
_SIDECAR = "https://github.com/llm-d/llm-d-router/blob/main/pkg/sidecar/proxy/options.go"
_OPTION = "kv-transfer-config"


def _connectors(server: ModelServer) -> Iterator[Props]:
    """Yield the connectors of a server: its own, and those inside of a MultiConnector."""
    if server.engine != "vllm" or not server.options.has(_OPTION):
        return
    config = server.options.json(_OPTION)
    if config:
        yield config
        yield from config.sections("kv_connector_extra_config", "connectors")


@rule(
    "disagg-connector-has-role",
    title="A KV connector is named together with its role",
    breaks="A connector without a role is refused: 'Please specify kv_role when kv_connector is set'. A role without a "
    "connector transfers nothing, and every decode server computes the prompts itself.",
    fix='Write {"kv_connector": "NixlConnector", "kv_role": "kv_producer"} on prefill and "kv_consumer" on decode.',
    source=_KV_CONFIG,
    severity=Severity.HIGH,
    on=ModelServer,
)
def connector_has_role(server: ModelServer) -> Iterator[str]:
    for config in _connectors(server):
        name, role = config.text("kv_connector"), config.text("kv_role")
        if name is not None and config.absent("kv_role"):
            yield (
                f"{server} transfers its cache with {name} and has no kv_role, so it ends at the start. Add kv_role: "
                "kv_producer on prefill, kv_consumer on decode, kv_both for offloading."
            )
        elif role is not None and role not in KV_ROLES:
            yield (
                f'{server} has kv_role "{role}", which does not exist, so it ends at the start. Use one of '
                f"{', '.join(KV_ROLES)}."
            )
        elif role is not None and config.absent("kv_connector"):
            yield (
                f"{server} has kv_role {role} without kv_connector, so nothing is transferred. Add kv_connector: "
                "NixlConnector."
            )


@rule(
    "disagg-role-is-definite",
    title="A NIXL connector is told whether it produces or consumes",
    breaks="kv_both is deprecated for the NixlConnector: a later version refuses it, and prefill pods hold blocks for "
    "transfers that only go the other way.",
    fix="Set kv_role: kv_producer on prefill and kv_consumer on decode.",
    source=_NIXL,
    severity=Severity.LOW,
    level=Level.ADVISORY,
    on=ModelServer,
)
def role_is_definite(server: ModelServer) -> Iterator[str]:
    version = version_of(server)
    if version is None or version[:2] < tuple(int(part) for part in vllm.VERSION.split(".")):
        return
    for config in _connectors(server):
        name, role = config.text("kv_connector"), config.text("kv_role")
        if name is not None and role in DEPRECATED_KV_ROLES.get(name, frozenset()):
            yield (
                f"{server} has kv_role {role} for {name}, which is deprecated. Set kv_producer on prefill and "
                "kv_consumer on decode."
            )


_LOCAL = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "::1"})  # noqa: S104 - named to be refused


def _uses_nixl(server: ModelServer) -> bool:
    return any((config.text("kv_connector") or "").startswith("Nixl") for config in _connectors(server))


@rule(
    "disagg-nixl-tells-address",
    title="A server with a NIXL connector tells others the address of its pod",
    breaks="The side channel listens on localhost by default. The other stage reads that address from the request, "
    "asks itself, and computes the prompt again: twice the work for the same answer, and no error.",
    fix="Set VLLM_NIXL_SIDE_CHANNEL_HOST from the field status.podIP.",
    source=_NIXL,
    severity=Severity.HIGH,
    on=ModelServer,
)
def nixl_tells_address(server: ModelServer) -> Iterator[str]:
    props, script = server.container.props, server.script
    if not _uses_nixl(server) or completed_elsewhere(server.pod) or not script.complete:
        return
    name = NIXL_SIDE_CHANNEL_HOST_ENV
    value = server.environment.get(name) or script.assignments.get(name) or script.environment.get(name)
    hidden = not props.absent("envFrom") or not server.container.variables_known
    if (value is None and not hidden) or (value is not None and value.known and value in _LOCAL):
        yield (
            f"{server} has a NIXL connector and {name} is {value or 'not set, hence localhost'}; the other stage "
            "cannot fetch its cache. Set it from fieldRef: status.podIP."
        )


# ------------------------------------------------------------------ the sidecar

_SIDECARS: Mapping[str, int | None] = {"llm-d-router-disagg-sidecar": 8200, "llm-d-routing-sidecar": None}
"""Images of the routing sidecar, and the port at which it expects the server where it is not told."""

_FLAG = re.compile(r"--(port|model-server-port|vllm-port|configuration|configuration-file)(?:=(.*))?", re.DOTALL)


def _flags(container: Container) -> dict[str, str | None]:
    """Return the sidecar's options; ``None`` for a value that is not known."""
    found: dict[str, str | None] = {}
    for command in Script.of(container).commands:
        for at, word in enumerate(command.argv):
            match = _FLAG.fullmatch(word)
            if match is not None:
                following = command.argv[at + 1 : at + 2]
                value = match[2] if match[2] is not None else "".join(following)
                known = word.known and (match[2] is not None or all(w.known for w in following))
                found[match[1]] = value if known else None
    return found


def _number(flags: Mapping[str, str | None], names: tuple[str, ...], default: int | None) -> int | None:
    for name in names:
        if name in flags:
            value = flags[name]
            return int(value) if value is not None and value.isdigit() and len(value) < 6 else None
    return default


@rule(
    "disagg-sidecar-reaches-server",
    title="The routing sidecar and the server behind it have two ports, and the sidecar knows the server's",
    breaks="On one port the second of the two ends: 'address already in use'. With the wrong number the sidecar "
    "answers 502 to every request, while both containers look healthy.",
    fix="Let the sidecar listen on 8000 and vLLM on 8200: --port=8000 --model-server-port=8200, and vllm --port 8200.",
    source=_SIDECAR,
    severity=Severity.HIGH,
    on=PodTemplate,
)
def sidecar_reaches_server(pod: PodTemplate) -> Iterator[str]:
    servers = [s for s in pod.object.resource.view(ModelServer.of) if s.pod is pod and s.serves_http]
    if len(servers) != 1 or servers[0].port is None or servers[0].port == 0:
        return
    port = servers[0].port
    for container in pod.all_containers:
        name = image_name(container.image).rpartition("/")[2]
        if name not in _SIDECARS or not Script.of(container).complete:
            continue
        flags = _flags(container)
        if "configuration" in flags or "configuration-file" in flags:
            continue
        listens = _number(flags, ("port",), 8000)
        expects = _number(flags, ("model-server-port", "vllm-port"), _SIDECARS[name])
        if listens == port:
            yield (
                f"{container} listens on port {port}, and so does {servers[0]}; one of them ends. Let the server "
                f"listen on {expects if expects not in (None, port) else 8200}."
            )
        elif expects is not None and expects != port:
            yield (
                f"{container} sends to port {expects}, and the server of its pod listens on {port}; every request "
                f"fails with 502. Set --model-server-port={port}, or --port {expects} on the server."
            )


# ------------------------------------------------------------------ both stages


@rule(
    "disagg-stages-agree",
    title="Prefill and decode servers of a model run the same version and cache format",
    breaks="The handshake compares version, model and cache layout and refuses: every transfer fails, and decode "
    "computes the prompts itself.",
    fix="Give both stages the same image, --kv-cache-dtype, --block-size and --attention-backend; only parallel sizes "
    "may differ.",
    source=_NIXL,
    severity=Severity.HIGH,
)
def stages_agree(stack: Stack) -> Iterator[About]:
    stages: dict[tuple[str, str], dict[str, ModelServer]] = {}
    for server in stack.each(ModelServer):
        if server.pod.role == "worker" or not server.model or not _uses_nixl(server):
            continue
        role = next((r for config in _connectors(server) if (r := config.text("kv_role")) in KV_ROLES[:2]), None)
        if role is not None:
            stages.setdefault((server.pod.namespace, server.model), {}).setdefault(role, server)
    for pair in stages.values():
        if len(pair) == 2:
            yield from _differences(pair["kv_producer"], pair["kv_consumer"])


def _differences(prefill: ModelServer, decode: ModelServer) -> Iterator[About]:
    images = prefill.container.image, decode.container.image
    versions = version_of(prefill), version_of(decode)
    same_engine = image_name(images[0]) == image_name(images[1]) or None not in versions
    differ = versions[0] != versions[1] if None not in versions else images[0] != images[1]
    compared = [("image", *images)] if same_engine and differ else []
    for option in ("kv-cache-dtype", "block-size", "attention-backend"):
        if not (prefill.options.unknown(option) or decode.options.unknown(option)):
            both_seen = prefill.options.complete and decode.options.complete
            mine, theirs = prefill.options.option(option), decode.options.option(option)
            if both_seen or (mine and theirs):
                compared.append((f"--{option}", mine or "auto", theirs or "auto"))
    for name, mine, theirs in compared:
        if mine is not None and theirs is not None and mine != theirs:
            yield About(
                decode.pod.object.resource,
                f"{decode} has {name} {theirs}, and {prefill}, which computes prompts for it, has {mine}; the cache of "
                "one is not accepted by the other. Give both the same.",
            )
