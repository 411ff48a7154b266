"""The options of a model server, read as its own argument parser reads them.

The last of several values wins. A name may be given with dashes or underscores, with or without leading dashes. What
cannot be known is present and has no value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from inference.facts import vllm
from inference.rules.views.shell import Word
from inference.rules.views.values import UNKNOWN, Props

__all__ = ["HUGGING_FACE", "SGLANG", "TGI", "TRTLLM", "VLLM", "Dialect", "Given", "Options", "read_options"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one engine spells its options."""

    names: Mapping[str, str] = field(default_factory=dict)
    """Other names, short ones with one dash and long ones without, to the name used here."""
    switches: frozenset[str] = frozenset()
    """Options without a value."""
    lists: frozenset[str] = frozenset()
    """Options that take all words up to the next option."""
    known: frozenset[str] = frozenset()
    """All long options where they are known, so that an abbreviation can be told."""
    foreign: frozenset[str] = frozenset()
    """Options of a program around the engine, which the engine never sees."""

    def is_switch(self, name: str) -> bool:
        """Whether an option takes no value."""
        return name in self.switches or (
            name.startswith(("enable-", "disable-")) and name != "disable-access-log-for-endpoints"
        )

    def name(self, written: str) -> str:
        """Return the name of an option; what follows a dot stays as it is."""
        head, dot, rest = written.partition(".")
        if not head.startswith("--"):
            return self.names.get(head, head) + dot + rest
        head = head[2:].replace("_", "-")
        head = self.names.get(head, head)
        if self.known and head not in self.known and f"--{head}" not in vllm.REMOVED and len(head) > 3:
            # Python's argument parser takes any unambiguous beginning of an option for the option.
            fitting = [name for name in self.known if name.startswith(head)]
            head = fitting[0] if len(fitting) == 1 else head
        return head + dot + rest


_VLLM_SWITCHES = """
    aggregate-engine-logging allow-credentials allow-deprecated-quantization async-scheduling calculate-kv-scales
    cohere-is-reasoning-model cudagraph-metrics data-parallel-external-lb data-parallel-hybrid-lb
    data-parallel-multi-port-external-lb dry-run enforce-eager engine-use-ray eplb-log-balancedness
    exclude-tools-when-tool-choice-none fail-on-environ-validation fully-sharded-loras grpc headless help
    interleave-mm-strings jit-monitor-verbose kv-cache-metrics kv-sharing-fast-prefill language-model-only
    log-error-stack mm-device-do-normalize mm-encoder-only multi-step-stream-outputs numa-bind
    per-request-spec-decode-metrics ray-workers-use-nsight return-sampling-mask return-tokens-as-token-ids
    scheduler-reserve-full-isl skip-mm-profiling skip-tokenizer-init specialize-active-lora tokens-only
    trust-remote-code trust-request-chat-template trust-request-mm-kwargs use-fp64-gumbel use-replayssm
    use-tqdm-on-load use-v2-block-manager version worker-use-ray
"""
_VLLM_LISTS = """
    allowed-media-domains api-key cpu-offload-params cuda-graph-sizes cudagraph-capture-sizes ignore-patterns
    kv-cache-dtype-skip-layers logits-processors lora-modules lora-target-modules numa-bind-cpus numa-bind-nodes
    offload-params served-model-name
"""
_VLLM_SHORT = {short: name.removeprefix("--") for short, name in vllm.ALIASES.items()} | {"-dc": "diffusion-config"}

VLLM = Dialect(
    names=_VLLM_SHORT,
    switches=frozenset(_VLLM_SWITCHES.split()),
    lists=frozenset(_VLLM_LISTS.split()),
    known=frozenset(flag.removeprefix("--") for flag in vllm.FLAGS),
)
"""vLLM; which options are switches and lists is read off vllm/engine/arg_utils.py and vllm/entrypoints/openai."""

_HUGGING_FACE_OWN = """
    access-log-format backend configure-logging disable-log-requests disable-lower-case disable-special-tokens
    enable-docs-url enable-grpc enable-latency-logging grpc-max-receive-message-length grpc-port max-asyncio-workers
    max-threads model-dir predictor-host predictor-protocol predictor-request-retries
    predictor-request-timeout-seconds predictor-use-ssl return-offsets-mapping return-probabilities return-raw-logits
    return-token-type-ids task tensor-input-names workers
"""
HUGGING_FACE = Dialect(
    names={
        **VLLM.names, "model-id": "model", "model-name": "served-model-name", "max-length": "max-model-len",
        "http-port": "port", "model-revision": "revision",
    },
    switches=VLLM.switches | {"return-offsets-mapping", "return-probabilities", "return-raw-logits"},
    lists=VLLM.lists,
    known=VLLM.known | frozenset(_HUGGING_FACE_OWN.split()),
    foreign=frozenset(_HUGGING_FACE_OWN.split()),
)  # fmt: skip
"""KServe's huggingfaceserver, which hands on what it does not know to vLLM."""

SGLANG = Dialect(
    names={
        "tp": "tensor-parallel-size", "tp-size": "tensor-parallel-size",
        "pp": "pipeline-parallel-size", "pp-size": "pipeline-parallel-size",
        "dp": "data-parallel-size", "dp-size": "data-parallel-size",
        "model-path": "model", "context-length": "max-model-len", "mem-fraction-static": "gpu-memory-utilization",
    },
    switches=frozenset({"trust-remote-code", "skip-server-warmup"}),
)  # fmt: skip
TGI = Dialect(
    names={
        "model-id": "model", "num-shard": "tensor-parallel-size", "max-total-tokens": "max-model-len",
        "quantize": "quantization", "cuda-memory-fraction": "gpu-memory-utilization", "-p": "port",
    },
    switches=frozenset({"trust-remote-code"}),
)  # fmt: skip
TRTLLM = Dialect(
    names={
        "tp-size": "tensor-parallel-size", "pp-size": "pipeline-parallel-size", "max-seq-len": "max-model-len",
        "kv-cache-free-gpu-memory-fraction": "gpu-memory-utilization",
    },
    switches=frozenset({"trust-remote-code"}),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Given:
    """One option as it is given."""

    name: str
    """Name without leading dashes; a key of a JSON option follows after a dot."""
    values: tuple[Word, ...] = ()
    negated: bool = False
    """Whether it is the ``--no-`` form."""

    @property
    def flag(self) -> str:
        """The option as one writes it, normalized."""
        dashes = "" if self.name.startswith("-") else "--"
        return f"{dashes}{'no-' if self.negated else ''}{self.name}"


_MOST_WORDS = 5_000
_FLAG = re.compile(r"--?[A-Za-z][\w.+-]*")
_NUMBER = re.compile(r"-(\d+|\d*\.\d+)")
_MODEL_VARIABLE = re.compile(r"\$[({]?\w*(MODEL|REPO|CHECKPOINT|WEIGHTS)\w*[)}]?", re.IGNORECASE)
_SCALED = re.compile(r"(\d+(?:\.\d+)?)([kmgtKMGT])")
_SCALES = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_UNRESOLVED = re.compile(r"[$`]")
_BARE_SCALED = re.compile(r'("(?:[^"\\]|\\.)*")|\b\d+(?:\.\d+)?[kmgtKMGT]\b')


@dataclass(frozen=True, eq=False)
class Options:
    """The options of one server."""

    given: tuple[Given, ...] = ()
    positional: tuple[Word, ...] = ()
    complete: bool = True
    """Whether all options are seen; otherwise one that is not seen may still be there."""
    foreign: frozenset[str] = frozenset()
    """Names of options that the engine never sees."""

    @cached_property
    def _last(self) -> Mapping[str, Given]:
        return {option.name: option for option in self.given}

    @cached_property
    def _objects(self) -> frozenset[str]:
        """Names of the options that are given key by key."""
        return frozenset(name.partition(".")[0] for name in self._last if "." in name)

    @property
    def flags(self) -> tuple[str, ...]:
        """Every option that the engine sees in order, with dashes, long names and without values."""
        return tuple(option.flag for option in self.given if option.name not in self.foreign)

    def _get(self, name: str) -> Given | None:
        return self._last.get(name.lstrip("-").replace("_", "-"))

    def has(self, name: str) -> bool:
        """Whether an option is given in any form: with a value, as a switch, negated, or key by key."""
        key = name.lstrip("-").replace("_", "-")
        return key in self._last or key in self._objects

    def absent(self, name: str) -> bool:
        """Whether an option is certainly not given."""
        return self.complete and not self.has(name)

    def unknown(self, name: str) -> bool:
        """Whether an option is given with a value that cannot be known."""
        option = self._get(name)
        return option is not None and any(not value.known for value in option.values)

    def option(self, name: str) -> str | None:
        """Return the value of an option."""
        option = self._get(name)
        if option is None or not option.values or not option.values[0].known:
            return None
        return str(option.values[0])

    def values(self, name: str) -> tuple[str, ...]:
        """Return the known values of an option that takes several."""
        option = self._get(name)
        return tuple(str(value) for value in option.values if value.known) if option else ()

    def switch(self, name: str) -> bool | None:
        """Return whether a switch is on; ``None`` where it is not given or cannot be known."""
        option = self._get(name)
        if option is None:
            return None
        if not option.values:
            return not option.negated
        return {"true": True, "false": False, "1": True, "0": False}.get(option.values[0].lower())

    def integer(self, name: str) -> int | None:
        """Return a whole number; ``32k`` is 32000 and ``32K`` is 32768, as in vLLM."""
        text = (self.option(name) or "").strip()
        if match := _SCALED.fullmatch(text[:30]):
            return int(float(match[1]) * _SCALES[match[2]])
        return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else None

    def number(self, name: str) -> float | None:
        """Return a number."""
        try:
            value = float((self.option(name) or "")[:40])
        except ValueError:
            return None
        return value if abs(value) < 1e300 else None

    def json(self, name: str) -> Props:
        """Return an option whose value is a JSON object, also where it is given key by key; empty where it is none."""
        key = name.lstrip("-").replace("_", "-")
        if keys := [option for option in self.given if option.name.startswith(f"{key}.")]:
            # Keys given one by one come last on vLLM's inner command line, so they replace a whole object.
            return Props(_nested(keys))
        option = self._last.get(key)
        if option is None or not option.values:
            return Props({})
        text = option.values[0]
        value = _loaded(text)
        if text.known:
            return Props(value)
        return Props(_with_unknowns(value) if isinstance(value, dict) else UNKNOWN)


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(_BARE_SCALED.sub(lambda m: m[1] or str(_scaled(m[0])), text[:100_000]))
    except (ValueError, RecursionError):
        return None


def _scaled(text: str) -> int:
    match = _SCALED.fullmatch(text)
    return int(float(match[1][:20]) * _SCALES[match[2]]) if match else 0


def _with_unknowns(value: Any, depth: int = 0) -> Any:
    """Return a JSON value in which every text with an unresolved variable is unknown."""
    if isinstance(value, str):
        return UNKNOWN if _UNRESOLVED.search(value) else value
    if depth > 20:
        return UNKNOWN
    if isinstance(value, dict):
        return {key: _with_unknowns(item, depth + 1) for key, item in value.items()}
    return [_with_unknowns(item, depth + 1) for item in value] if isinstance(value, list) else value


def _nested(options: Iterable[Given]) -> dict[str, Any]:
    """Return the object that options such as ``--config.key.inner value`` make."""
    made: dict[str, Any] = {}
    for option in options:
        path = option.name.split(".")[1:]
        if len(path) > 20:
            continue
        place = made
        for step in path[:-1]:
            inner = place.setdefault(step, {})
            if not isinstance(inner, dict):
                inner = place[step] = {}
            place = inner
        last, value = path[-1], _value(option)
        if last.endswith("+"):
            before = place.get(last[:-1])
            value = value.split(",") if isinstance(value, str) else [value]
            place[last[:-1]] = [*(before if isinstance(before, list) else []), *value]
        else:
            place[last] = value
    return made


def _value(option: Given) -> Any:
    if not option.values:
        return None
    if not option.values[0].known:
        return UNKNOWN
    loaded = _loaded(option.values[0])
    return str(option.values[0]) if loaded is None else loaded


def read_options(words: Sequence[Word], dialect: Dialect = VLLM, *, complete: bool = True) -> Options:
    """Read the words after the program."""
    given: list[Given] = []
    positional: list[Word] = []
    at = 0
    loose = False
    complete = complete and len(words) <= _MOST_WORDS
    words = words[:_MOST_WORDS]
    while at < len(words):
        word = words[at]
        at += 1
        if word == "--" and word.known:
            positional += words[at:]
            break
        flag, attached = _split(word, dialect)
        if flag is None:
            if word.known:
                positional += [] if loose else [word]
            elif at == 1 and (not word or _MODEL_VARIABLE.fullmatch(word)):
                positional.append(word)
                complete = complete and bool(word)
            else:
                complete, loose = False, True
            continue
        loose = False
        name = dialect.name(flag)
        negated = name.startswith("no-") and name not in dialect.known
        name = name.removeprefix("no-") if negated else name
        values = [] if attached is None else [attached]
        if attached is None and not negated:
            values = _taken(words, at, name, dialect)
            at += len(values)
        given.append(Given(name, tuple(values), negated))
    complete = complete and not any(option.name == "config" for option in given)
    return Options(tuple(given), tuple(positional), complete, dialect.foreign)


def _split(word: Word, dialect: Dialect) -> tuple[str | None, Word | None]:
    """Return the option that a word is, with a value attached to it."""
    if not word.startswith("-") or _NUMBER.fullmatch(word) or (word.known and " " in word.partition("=")[0]):
        return None, None
    flag, equals, value = word.partition("=")
    if not _FLAG.fullmatch(flag):
        return (flag, None) if word.known and len(flag) > 1 else (None, None)
    if not flag.startswith("--") and flag.partition(".")[0] not in dialect.names and flag[:2] in dialect.names:
        return flag[:2], Word(word[2:].removeprefix("="), known=word.known)
    if not equals:
        return (flag, None) if word.known else (None, None)
    return flag, Word(value, known=word.known)


def _taken(words: Sequence[Word], at: int, name: str, dialect: Dialect) -> list[Word]:
    """Return the words that an option takes as its values."""
    if dialect.is_switch(name):
        return [word for word in words[at : at + 1] if word.lower() in ("true", "false")]
    taken: list[Word] = []
    for index in range(at, len(words)):
        word = words[index]
        if _split(word, dialect)[0] is not None or (taken and name not in dialect.lists):
            break
        taken.append(word)
    return taken
