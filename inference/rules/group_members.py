"""How the pods of one group find each other: addresses, names, and the variables that the controller gives them.

LWS_LEADER_ADDRESS, LWS_GROUP_SIZE and LWS_WORKER_INDEX exist when a pod is made, not before. The kubelet puts $(NAME)
into commands, arguments and later variables; a shell puts $NAME and ${NAME}. What is written the wrong way arrives as
text: a rendezvous with an address nobody has hangs until its timeout, with every GPU of the group allocated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from inference.facts import controllers
from inference.rules.framework import Level, Severity, rule
from inference.rules.views.leader_worker_sets import LeaderWorkerSet
from inference.rules.views.pods import Container, PodTemplate
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import server_in
from inference.rules.views.shell import Command, Script

_LWS_DOCS = "https://lws.sigs.k8s.io/docs/reference/labels-annotations-and-environment-variables/"
_KUBELET = "https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/"
_DNS = "https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-dns-policy"

_ESCAPED = re.compile(r"\$\$\(([A-Za-z_]\w*)\)")
_LITERAL = re.compile(r"\$\{([A-Za-z_]\w*)\}|\$\(([A-Za-z_]\w*)\)|\$([A-Z_][A-Z0-9_]*)")
_TEXT_PROGRAMS = """
    echo printf envsubst sed awk gawk perl trap alias tee cat grep test [ [[ export declare set ssh watch jq xargs find
    parallel
"""
_TAKE_TEXT = frozenset(_TEXT_PROGRAMS.split())
"""Programs for which a dollar sign is text of their own."""


def _literal_names(text: str) -> Iterator[tuple[str, str]]:
    """Yield every reference to a variable that a text still contains, with the name of the variable."""
    for match in _LITERAL.finditer(text[:20_000]):
        yield match[0], match[1] or match[2] or match[3]


@rule(
    "lws-variables-reach-program",
    title="A variable is written so that the kubelet or the shell replaces it",
    breaks="The program gets the text instead of the value: 'LWS_GROUP_SIZE: command not found', an address called "
    "${LWS_LEADER_ADDRESS}, or an option without a value. The containers restart for ever.",
    fix="Write $(NAME) in env values and in arguments that no shell reads; inside a shell's text write ${NAME} or "
    "$(NAME), and neither $$(NAME) nor \\${NAME}.",
    source=_KUBELET,
    severity=Severity.HIGH,
    covers=("LWS-009",),
    on=Container,
)
def variables_reach_program(container: Container) -> Iterator[str]:
    script = Script.of(container)
    server = server_in(container)
    of_group = frozenset(controllers.LWS_ENV) if container.pod.object.kind == "LeaderWorkerSet" else frozenset()
    declared = of_group | container.variable_names
    seen: set[str] = set()
    for name in (match[1] for text in container.command for match in _ESCAPED.finditer(text[:100_000])):
        if name not in seen and (name in declared or name.startswith("LWS_")):
            seen.add(name)
            yield (
                f"{container} writes $$({name}), which the kubelet turns into the text $({name}): a shell then looks "
                f"for a command of that name, and a program gets the text. Write $({name})."
            )
    if of_group:
        yield from _unheard_of(container, script, declared)
    for command in script.commands:
        if command.program in _TAKE_TEXT:
            continue
        serves = _joins_others(command) or (server is not None and server.command in (command, None))
        names = declared if serves else of_group
        for word in command.argv:
            for written, name in _literal_names(word) if word.known and "$" in word else ():
                if name in names and name not in seen:
                    seen.add(name)
                    yield _unreplaced(container, script, written, name)
    if server is not None or container.accelerators:
        yield from _environment(container, script, declared - seen)
    for command in script.commands:
        yield from _emptied(container, command)


def _unreplaced(container: Container, script: Script, written: str, name: str) -> str:
    if script.uses_shell:
        return (
            f"{container} passes {written} to its program as text, because a backslash or single quotes keep the shell "
            f"from replacing it. Write ${{{name}}} in double quotes or bare, or $({name})."
        )
    return (
        f"{container} passes {written} to its program as text: no shell reads these arguments, and the kubelet "
        f"replaces only $({name}). Write $({name})."
    )


def _environment(container: Container, script: Script, names: frozenset[str]) -> Iterator[str]:
    """Judge values of variables: only the kubelet reads them."""
    if any(command.program == "envsubst" for command in script.commands) or "eval " in " ".join(container.command):
        return
    if container.pod.object.kind == "LLMInferenceService":
        return
    for key, value in container.environment.items():
        for written, name in _literal_names(value) if "$" in value else ():
            if name in names and name != key and not written.startswith("$("):
                yield (
                    f"{container} sets {key} to a text with {written}; in the value of a variable only $({name}) is "
                    f"replaced, so the text stays as it is. Write $({name})."
                )
                break


def _unheard_of(container: Container, script: Script, declared: frozenset[str]) -> Iterator[str]:
    if not container.props.absent("envFrom") or not container.props.known("env"):
        return
    for name in sorted({name for text in container.command for name in _OF_GROUP.findall(text[:100_000])}):
        if name not in declared and name not in script.assignments:
            given = ", ".join(controllers.LWS_ENV)
            yield (
                f"{container} reads {name}, which nobody sets: the controller gives {given}. The program gets nothing "
                "or the name itself. Correct the name."
            )


_OF_GROUP = re.compile(r"\$(?:\{(?=LWS_\w+\})|\(|)(LWS_\w+)")
_ADDRESSED = ("--ray_cluster_size=", "--ray_address=", "--ray-cluster-size=", "--ray-address=")


def _emptied(container: Container, command: Command) -> Iterator[str]:
    for word in command.argv:
        if word.known and word in _ADDRESSED:
            yield (
                f"{container} runs {command.program} with {word} and no value, as when a template was filled in before "
                "the variable existed (an unquoted heredoc does that); the script exits. "
                f"Write {word}$({controllers.LWS_SIZE_ENV if 'size' in word else controllers.LWS_LEADER_ENV})."
            )


_LEADER_OPTIONS = {
    "vllm": ("master-addr", "data-parallel-address"),
    "sglang": ("dist-init-addr", "nccl-init-addr"),
    "trtllm": (),
}
_LOCAL = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "::1"})  # noqa: S104 - named to be refused


def _joins_others(command: Command) -> bool:
    return command.program == "ray" or any("multi-node-serving.sh" in word for word in command.argv[:2])


def _ray_addresses(script: Script) -> Iterator[tuple[str, str]]:
    """Yield the options with which Ray is told its head, as far as their values are known."""
    for command in script.commands:
        if not _joins_others(command):
            continue
        for at, word in enumerate(command.argv):
            option, equals, value = word.partition("=")
            if option not in ("--address", "--ray_address", "--ray-address"):
                continue
            if not equals and at + 1 < len(command.argv):
                word, value = command.argv[at + 1], str(command.argv[at + 1])
            if word.known and value and value != "auto":
                yield option, value


@rule(
    "lws-workers-find-leader",
    title="Workers reach their leader by LWS_LEADER_ADDRESS",
    breaks="Every group has a leader of its own, and its name carries the group's number. Workers with a fixed address "
    "join the first group's leader, or none: the group hangs in its rendezvous until a timeout, and starts again.",
    fix="Give $(LWS_LEADER_ADDRESS) as --master-addr, --data-parallel-address or Ray's address.",
    source=_LWS_DOCS,
    severity=Severity.HIGH,
    covers=("OPS-011",),
    on=LeaderWorkerSet,
)
def workers_find_leader(group: LeaderWorkerSet) -> Iterator[str]:
    if not group.spans_pods or group.worker is None:
        return
    for server in group.servers:
        if server.pod is not group.worker:
            continue
        for option in _LEADER_OPTIONS.get(server.engine, ()):
            value = server.options.option(option)
            if value is not None and "$" not in value:
                yield _fixed(server.container, f"--{option}", value)
        missing = _missing_address(server)
        if missing:
            yield (
                f"{server} joins a server on several pods without {missing}, so it looks for the leader on itself "
                f"(127.0.0.1) and waits until a timeout. Add {missing} $({controllers.LWS_LEADER_ENV})."
            )
    for container in group.worker.containers:
        for option, value in _ray_addresses(Script.of(container)):
            if "$" not in value:
                yield _fixed(container, option, value)


def _missing_address(server: ModelServer) -> str | None:
    """Return the option without which a vLLM worker stays alone."""
    options = server.options
    if server.engine != "vllm" or server.ray_worker or server.executor == "ray":
        return None
    if server.nodes is not None and server.nodes > 1 and options.absent("master-addr"):
        return "--master-addr"
    if server.data is None or server.data < 2 or server.nodes != 1 or options.option("data-parallel-backend") == "ray":
        return None
    elsewhere = server.headless or (server.data_local or server.data) < server.data
    return "--data-parallel-address" if elsewhere and options.absent("data-parallel-address") else None


def _fixed(container: Container, option: str, value: str) -> str:
    host = value.removeprefix("tcp://").rpartition(":")[0] or value
    why = "which is the worker itself" if host in _LOCAL else "a fixed address, while every group has its own leader"
    return (
        f"{container} reaches its leader with {option} {value}, {why}; it never joins the group it belongs to. "
        f"Write $({controllers.LWS_LEADER_ENV}) in its place."
    )


_WAITS = re.compile(r"\b(?:until|while|for|sleep|retry|wait|nc|ncat|getent|nslookup|dig|ping|timeout|nohup)\b")


@rule(
    "lws-workers-retry-leader",
    title="A worker that joins Ray waits until its leader is there",
    breaks="Leader and workers start together. A worker whose 'ray start' finds no head yet ends, and its restart "
    "restarts the whole group, which again starts together.",
    fix="Run ray start in a loop ('until ray start …; do sleep 5; done'), or wait for the port first.",
    source="https://github.com/vllm-project/vllm/blob/main/examples/ray_serving/multi-node-serving.sh",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    covers=("OPS-011",),
    on=LeaderWorkerSet,
)
def workers_retry_leader(group: LeaderWorkerSet) -> Iterator[str]:
    if not group.spans_pods or group.worker is None or group.spec.text("startupPolicy") == "LeaderReady":
        return
    if group.worker.init_containers or not group.worker.spec.absent("initContainers"):
        return
    for container in group.worker.containers:
        script = Script.of(container)
        joins = any(
            command.program == "ray"
            and command.argv[1:2] == ("start",)
            and any(word.startswith("--address") for word in command.argv)
            for command in script.commands
        )
        if joins and script.complete and not any(_WAITS.search(text) for text in container.command):
            yield (
                f"{container} runs ray start once and ends where the leader is not up yet, which restarts the group "
                "again and again. "
                f"Write: until ray start --address=$({controllers.LWS_LEADER_ENV}):6379 …; do sleep 5; done."
            )


def _in_group(pod: PodTemplate) -> bool:
    """Whether a pod has to resolve the names of others of its group."""
    thing = pod.object
    if thing.kind == "LeaderWorkerSet":
        return (pod.size or 1) > 1
    return thing.kind == "LLMInferenceService" and bool(pod.metadata.section("worker"))


@rule(
    "lws-pods-resolve-names",
    title="Pods of a group resolve names of the cluster",
    breaks="LWS_LEADER_ADDRESS is a name that only the cluster's DNS knows. With dnsPolicy Default, or on the host's "
    "network without ClusterFirstWithHostNet, a pod asks the node's resolver and never finds its leader.",
    fix="Leave dnsPolicy out; with hostNetwork: true set dnsPolicy: ClusterFirstWithHostNet.",
    source=_DNS,
    severity=Severity.HIGH,
    covers=("OPS-011",),
    on=PodTemplate,
)
def pods_resolve_names(pod: PodTemplate) -> Iterator[str]:
    if not _in_group(pod):
        return
    policy = pod.spec.text("dnsPolicy")
    if policy == "Default":
        yield (
            f"{pod} has dnsPolicy: Default and so asks the resolver of its node, which does not know the leader's "
            "name. Leave dnsPolicy out."
        )
    elif pod.spec.flag("hostNetwork") is True and pod.spec.known("dnsPolicy") and policy in (None, "ClusterFirst"):
        yield (
            f"{pod} runs on the host's network, where dnsPolicy {policy or 'ClusterFirst'} means the node's resolver; "
            "it does not find the leader's name. Set dnsPolicy: ClusterFirstWithHostNet."
        )
