"""vLLM's command line: options that the version has, values that it can read, models that it can fetch.

The server reads its arguments before anything else. What it does not know or cannot read ends it within seconds: the
pod restarts for ever on a GPU node that was bought for it. Sizes are in ``vllm_parallelism``, memory in
``vllm_memory``, what the container brings along in ``vllm_runtime``.
"""

from __future__ import annotations

import difflib
import fnmatch
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from inference.facts import gke, vllm
from inference.facts.models import find, sizes_beside
from inference.rules.framework import Severity, rule
from inference.rules.views.options import Given
from inference.rules.views.pods import Container
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import NEWEST, at_least, completed_elsewhere, upstream, version_of
from inference.rules.views.shell import Script
from inference.rules.views.values import UNKNOWN, Props

_ARGUMENTS = "https://docs.vllm.ai/en/latest/configuration/engine_args/"
_DESCRIBED = tuple(int(part) for part in vllm.VERSION.split("."))
_OPTION = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _shown(version: tuple[int, int, int]) -> str:
    return "this image, whose tag moves," if version == NEWEST else f"vLLM {'.'.join(map(str, version))}"


@cache
def _slip(flag: str) -> str | None:
    """Return the option that a word is one letter away from, or that it begins with, as --max-model-length does."""
    close = (known for known in sorted(vllm.FLAGS) if _one_letter(flag, known))
    longer = (known for known in sorted(vllm.FLAGS) if flag.startswith(known) and flag[len(known) :].isalpha())
    return next(close, None) or next(longer, None)


def _one_letter(written: str, known: str) -> bool:
    if abs(len(written) - len(known)) > 1 or written == known:
        return False
    start = next((i for i, (a, b) in enumerate(zip(written, known, strict=False)) if a != b), len(written))
    a, b = written[start:], known[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])


def _options(server: ModelServer) -> Iterator[tuple[Given, str]]:
    """Yield the options of a server with the flag in its long form, without keys that follow a dot."""
    for option in server.options.given:
        name = option.name.partition(".")[0]
        if _OPTION.fullmatch(name):
            yield option, f"--{name}"


@rule(
    "vllm-options-exist",
    title="Every option is one that this version of vLLM has",
    breaks="The server ends at once: 'vllm: error: unrecognized arguments'. Manifests outlive options: a new image tag "
    "is enough.",
    fix="Take the option away, or write the one that took its place; see `vllm serve --help=all` of the image.",
    source=_ARGUMENTS,
    severity=Severity.HIGH,
    covers=("OPS-010",),
    on=ModelServer,
)
def options_exist(server: ModelServer) -> Iterator[str]:
    if server.engine != "vllm" or server.front:
        return
    version = version_of(server)
    for option, flag in _options(server):
        removed, since = vllm.REMOVED.get(flag), vllm.FLAG_SINCE.get(flag)
        if removed is not None:
            reached = at_least(server)
            if reached is not None and reached >= _version(removed):
                yield (
                    f"{server} has the option {option.flag}, which is gone since vLLM {removed}; "
                    f"{_shown(reached)} ends with 'unrecognized arguments'. Take it away."
                )
        elif since is not None:
            if version is not None and version < _version(since):
                yield (
                    f"{server} has the option {option.flag}, which came with vLLM {since}; {_shown(version)} ends with "
                    f"'unrecognized arguments'. Use an image from {since} on, or take it away."
                )
        elif flag not in vllm.FLAGS:
            yield from _unknown(server, option, flag, version)


def _unknown(server: ModelServer, option: Given, flag: str, version: tuple[int, int, int] | None) -> Iterator[str]:
    slip = _slip(flag)
    if version is not None and version[:2] == _DESCRIBED:
        close = slip or next(iter(difflib.get_close_matches(flag, vllm.FLAGS, 1, 0.8)), None)
        hint = f"Did you mean {close}?" if close else "Take it away."
        yield (
            f"{server} has the option {option.flag}, which vLLM {vllm.VERSION} does not know; it ends with "
            f"'unrecognized arguments'. {hint}"
        )
    elif slip is not None:
        yield (
            f"{server} has the option {option.flag}, which no version of vLLM is known to have; it ends with "
            f"'unrecognized arguments'. Write {slip}."
        )


_VALUED = frozenset(
    {
        "tensor-parallel-size", "pipeline-parallel-size", "data-parallel-size", "data-parallel-size-local", "nnodes",
        "data-parallel-start-rank", "data-parallel-rank", "data-parallel-address", "node-rank", "master-addr",
        "master-port", "max-model-len", "max-num-seqs", "port", "host", "gpu-memory-utilization", "dtype",
        "served-model-name", "distributed-executor-backend", "kv-transfer-config", "kv-cache-dtype",
    }
)  # fmt: skip


@rule(
    "vllm-options-have-values",
    title="An option that takes a value has one",
    breaks="A variable that is empty, or was put in when the manifest was written, leaves '--pipeline-parallel-size' "
    "with nothing behind it: 'expected one argument', or the next option is taken for the value.",
    fix="Write the value, or the variable in the form that is replaced when the pod is made: $(LWS_GROUP_SIZE).",
    source=_ARGUMENTS,
    severity=Severity.HIGH,
    covers=("LWS-002", "LWS-009"),
    on=ModelServer,
)
def options_have_values(server: ModelServer) -> Iterator[str]:
    if server.engine != "vllm":
        return
    for option in server.options.given:
        empty = not option.values or (option.values[0].known and not option.values[0].strip())
        if option.name in _VALUED and empty and not option.negated:
            yield (
                f"{server} has the option --{option.name} without a value, so it ends with 'expected one argument'. "
                "Write its value, for example $(LWS_GROUP_SIZE) for the size of a group."
            )


_JSON = frozenset(
    {
        "speculative-config", "kv-transfer-config", "kv-events-config", "compilation-config", "hf-overrides",
        "override-generation-config", "limit-mm-per-prompt", "mm-processor-kwargs", "eplb-config", "additional-config",
        "ec-transfer-config", "default-chat-template-kwargs", "attention-config", "structured-outputs-config",
    }
)  # fmt: skip


@rule(
    "vllm-json-options-parse",
    title="An option that takes a JSON object gets one",
    breaks="A shell takes the double quotes of an unquoted object away, and single quotes inside are no JSON: 'Value … "
    "cannot be converted', and the server ends.",
    fix="Put the whole object in single quotes in a shell, or pass it as one argument without a shell.",
    source=_ARGUMENTS,
    severity=Severity.HIGH,
    on=ModelServer,
)
def json_options_parse(server: ModelServer) -> Iterator[str]:
    if server.engine != "vllm":
        return
    for option in server.options.given:
        value = option.values[0] if option.values else None
        if option.name in _JSON and value is not None and value.known and value.startswith("{") and not _parses(value):
            shown = value if len(value) < 60 else f"{value[:57]}…"
            yield (
                f"{server} gets --{option.name} {shown}, which is no JSON, so it ends at once. Quote the object as a "
                "whole, with double quotes inside."
            )


_SCALED = re.compile(r"(?<=[:\s,\[])\d+(?:\.\d+)?[kmgtKMGT](?=[\s,}\]])")


def _parses(text: str) -> bool:
    try:
        json.loads(_SCALED.sub("0", text))
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


_DRAFTED = frozenset({"eagle", "eagle3", "draft_model", "medusa", "mlp_speculator"})


@rule(
    "vllm-speculation-is-complete",
    title="Speculative decoding is told what drafts, and how many tokens",
    breaks="'num_speculative_tokens must be provided' or 'Either speculative model or method must be provided', at the "
    "start of the server.",
    fix='Write {"method": "eagle3", "model": "<draft>", "num_speculative_tokens": 3}; method ngram needs no model.',
    source="https://docs.vllm.ai/en/latest/features/spec_decode/",
    severity=Severity.HIGH,
    on=ModelServer,
)
def speculation_is_complete(server: ModelServer) -> Iterator[str]:
    config = server.options.json("speculative-config")
    if server.engine != "vllm" or not config:
        return
    method, model = config.text("method"), config.text("model")
    if config.absent("method") and config.absent("model"):
        yield f'{server} has a speculative-config with neither "model" nor "method", so it ends. Add one of them.'
    elif method in _DRAFTED and config.absent("model"):
        yield f'{server} drafts with {method} and names no draft model, so it ends. Add "model" to speculative-config.'
    if (method == "ngram" or model == "[ngram]") and config.absent("num_speculative_tokens"):
        yield f"{server} drafts with ngram and has no num_speculative_tokens, so it ends. Add it, for example 3."


@rule(
    "vllm-ray-is-there",
    title="A server that needs Ray runs an image that has it",
    breaks="The images of vLLM have no Ray since 0.19: 'ray: command not found', 'Ray is not installed'. Leader and "
    "workers restart for ever.",
    fix="Use vLLM's own way over nodes: --nnodes $(LWS_GROUP_SIZE) --node-rank $(LWS_WORKER_INDEX) --master-addr "
    "$(LWS_LEADER_ADDRESS), workers with --headless; or install ray[default] in an image of your own.",
    source="https://github.com/kubernetes-sigs/lws/issues/835",
    severity=Severity.HIGH,
    on=Container,
)
def ray_is_there(container: Container) -> Iterator[str]:
    server = next((s for s in container.pod.object.resource.view(ModelServer.of) if s.container is container), None)
    if server is None or not upstream(server) or container.requested(gke.TPU_RESOURCE):
        return
    version, script = version_of(server), server.script
    if version is None or version < _version(vllm.RAY_BUNDLED_BEFORE):
        return
    why = _needs_ray(server, script)
    if why is not None and not _installs_ray(script):
        yield (
            f"{container} needs Ray ({why}), and {_shown(version)} has none (since {vllm.RAY_BUNDLED_BEFORE}); it ends "
            "at once. Use --nnodes, --node-rank and --master-addr with headless workers in its place."
        )


def _needs_ray(server: ModelServer, script: Script) -> str | None:
    if any(command.program == "ray" for command in script.commands):
        return "ray start"
    if script.mentions("multi-node-serving.sh"):
        return "multi-node-serving.sh"
    for option in ("distributed-executor-backend", "data-parallel-backend"):
        if server.options.option(option) == "ray":
            return f"--{option} ray"
    return None


def _installs_ray(script: Script) -> bool:
    installs = (command for command in script.commands if "install" in command.argv)
    return any(re.match(r"ray\b", word) for command in installs for word in command.argv)


# ------------------------------------------------------------------ models


@dataclass(frozen=True, slots=True)
class AllowedModels:
    """Which models a team serves."""

    models: tuple[str, ...] = ()
    """Hugging Face ids or paths, with * and ?; empty allows all."""


@rule(
    "vllm-model-exists",
    title="The model is one that exists and that the team serves",
    breaks="The Hub answers 404 RepositoryNotFound and the server ends, after the node has come up for it. A model "
    "that nobody agreed to serve brings its license and its memory with it.",
    fix="Take the id from the model's page; list what may be served in the policy configuration (models).",
    source="https://huggingface.co/models",
    severity=Severity.HIGH,
    covers=("VLLM-022",),
    on=ModelServer,
    parameters=AllowedModels,
)
def model_exists(server: ModelServer, allowed: AllowedModels) -> Iterator[str]:
    model = server.model
    if model is None or server.engine == "nim":
        return
    if allowed.models and not any(fnmatch.fnmatchcase(model, pattern) for pattern in allowed.models):
        yield (
            f'{server} serves "{model}", which is not among the models that the policy allows '
            f"({', '.join(allowed.models[:5])}). Serve one of them, or add it to the list."
        )
        return
    if sizes := sizes_beside(model):
        yield f'{server} serves "{model}", which does not exist: this family has {", ".join(sizes)}. Correct the id.'


_GATED = re.compile(r"meta-llama/.+|google/(?:code|pali)?gemma-(?:\db|1\.1|2-|3-|3n-).+|mistralai/.+", re.IGNORECASE)
"""Families whose models ask for an accepted license; used where nothing is known of the very model."""

_TOKENS = frozenset({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN", "HF_API_TOKEN", "HF_TOKEN_PATH"})
_ELSEWHERE = frozenset({"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT", "VLLM_USE_MODELSCOPE"})
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")


@rule(
    "vllm-gated-model-has-token",
    title="A server of a gated model has a token for the Hub",
    breaks="'401 Client Error: Cannot access gated repo', one or two minutes after the start; the pod restarts for "
    "ever on its GPU.",
    fix="Add the variable HF_TOKEN with valueFrom.secretKeyRef, of an account that has accepted the license; or serve "
    "the files from a bucket or volume.",
    source="https://huggingface.co/docs/hub/models-gated",
    severity=Severity.HIGH,
    covers=("VLLM-021",),
    on=ModelServer,
)
def gated_model_has_token(server: ModelServer) -> Iterator[str]:
    model, container = server.model, server.container
    if server.engine not in ("vllm", "sglang", "tgi") or model is None or not _HUB_ID.fullmatch(model):
        return
    known = find(model)
    gated = known.gated if known is not None and known.gated is not None else bool(_GATED.fullmatch(model))
    if gated and not completed_elsewhere(server.pod) and not _has_token(server) and not _cached(container):
        yield (
            f'{server} downloads "{model}", which is gated, without a token; the Hub answers 401 and the server ends. '
            "Add HF_TOKEN from a Secret."
        )


def _has_token(server: ModelServer) -> bool:
    props = server.container.props
    if not props.absent("envFrom") or not props.known("env") or server.options.has("hf-token"):
        return True
    empty = {name for name, value in server.container.variables if value == ""}
    names = {entry.raw("name") for entry in props.sections("env")} | set(server.environment)
    names -= empty
    names |= set(server.script.assignments)
    return bool(names & (_TOKENS | _ELSEWHERE)) or UNKNOWN in names or server.script.mentions("login")


def _cached(container: Container) -> bool:
    """Whether the files may be there already: something other than an empty directory lies where they go."""
    volumes = {v.text("name"): v for v in container.pod.spec.sections("volumes")}
    environment = container.environment
    places = [environment[name] for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") if name in environment]
    places = places or [f"{environment.get('HOME', '/root')}/.cache/huggingface"]
    for mount in container.props.sections("volumeMounts"):
        volume = volumes.get(mount.text("name"), Props({}))
        path = (mount.text("mountPath") or "").rstrip("/")
        covers = any(place == path or place.startswith(f"{path}/") for place in places)
        if covers and volume.absent("emptyDir"):
            return True
    return False


@rule(
    "vllm-context-within-model",
    title="The longest sequence is one that the model was made for",
    breaks="The server refuses to start: 'User-specified max_model_len is greater than the derived max_model_len'.",
    fix="Lower --max-model-len to the model's own length, or extend it with --hf-overrides (rope scaling).",
    source=_ARGUMENTS,
    severity=Severity.HIGH,
    on=ModelServer,
)
def context_within_model(server: ModelServer) -> Iterator[str]:
    known = find(server.model or "")
    length = server.max_model_len
    if server.engine != "vllm" or known is None or length is None or length <= known.max_position_embeddings:
        return
    extended = any(server.options.has(name) for name in ("hf-overrides", "rope-scaling", "rope-theta"))
    if not extended and "VLLM_ALLOW_LONG_MAX_MODEL_LEN" not in server.environment:
        yield (
            f"{server} serves {known.id} with --max-model-len {length}, and the model was made for "
            f"{known.max_position_embeddings} tokens; the server refuses to start. Use at most that."
        )
