"""The memory of every model server of a program: what each accelerator holds, and what fits beside it.

One server that may run on several kinds of accelerators has one estimate for each. What is not known has no figure,
and the reason stands in its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from inference.config_json.annotation import ANNOTATION, read_annotation
from inference.facts import nim, vllm
from inference.facts.models import Model, find
from inference.facts.tpus import GENERATIONS
from inference.fit import OUTSIDE_RESERVE_GIB, Device, Fit, Split, fit, longest_context
from inference.rules.views.placement import Placement
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import Accelerator, accelerators_of, own_accelerator
from inference.rules.views.stack import Stack

__all__ = ["Outcome", "ServerFit", "fits", "known_model", "memory", "serves", "tolerance_gib", "utilization_of"]

_TOLERANCE_GIB, _TPU_TOLERANCE = 1.5, 0.2
"""By how much a sum has to exceed the memory, in GiB and for TPUs as a part of it: activations and the runtime are
estimates, made on GPUs."""

_CHANGES_MEMORY = (
    "cpu-offload-gb", "kv-cache-memory-bytes", "num-gpu-blocks-override", "hf-overrides", "offload-backend",
)  # fmt: skip

_MODELED = ("vllm", "nim")

_PER_CHIP = {f"TPU {row.name}": row.devices_per_chip for row in GENERATIONS.values()}


class Outcome(Enum):
    """Whether a server would start."""

    FITS = "fits"
    CLOSE = "close"
    """The sum is over by less than the estimate may be wrong, or CUDA graphs have little room."""
    TOO_LARGE = "too large"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFit:
    """The memory of one model server on one kind of accelerator."""

    server: ModelServer
    accelerator: Accelerator | None
    """``None`` where it is not known on what it runs."""
    known: Model | None
    """What is known of the model."""
    fit: Fit | None
    """The sum; ``None`` where ``reason`` says why there is none."""
    reason: str = ""
    """Why something is unknown; empty where nothing is."""
    chosen: bool = False
    """Whether the server chooses its context at the start, so that the longest that fits is the configured one."""

    @property
    def key(self) -> str:
        """What tells the server from all others of a program, across revisions."""
        return f"{self.server.pod.object.resource.urn} {self.server.pod.role} {self.server.container.name}".strip()

    @property
    def workload(self) -> str:
        """What runs the server's pods, by name."""
        thing = self.server.pod.object
        return thing.name or thing.resource.name

    @property
    def model(self) -> str:
        """The model by its name on the Hub, else as the server names it."""
        if self.known is not None and find(self.known.id) is not None:
            return self.known.id
        return self.server.model or "a model that is not known yet"

    @property
    def longest(self) -> int | None:
        """Longest context that leaves room for one sequence, tokens, at most what the model was trained for."""
        if self.fit is None or self.fit.keeps is None or self.known is None:
            return None
        return min(longest_context(self.fit), self.known.max_position_embeddings)

    @property
    def concurrent(self) -> float | None:
        """Sequences of the configured context that one replica holds at once, in all its data-parallel ranks."""
        if self.fit is None or self.fit.sequences is None:
            return None
        most = self.server.options.integer("max-num-seqs")
        held = self.fit.sequences if most is None else min(self.fit.sequences, float(most))
        return held * self.fit.split.data

    @property
    def outcome(self) -> Outcome:
        """Whether the server would start."""
        found = self.fit
        if found is None:
            return Outcome.UNKNOWN
        if found.headroom is not None and found.headroom < 0:
            return Outcome.TOO_LARGE if -found.headroom > tolerance_gib(found) else Outcome.CLOSE
        small = self.accelerator is not None and self.accelerator.gpu is not None and found.device.memory_gib <= 16
        return Outcome.CLOSE if small and found.outside < OUTSIDE_RESERVE_GIB else Outcome.FITS


def tolerance_gib(found: Fit) -> float:
    """Return by how much a sum may be over before it certainly does not fit, GiB."""
    return _TPU_TOLERANCE * found.device.memory_gib if found.device.name.startswith("TPU") else _TOLERANCE_GIB


def known_model(server: ModelServer) -> Model | None:
    """Return what is known of the model: what the workload's annotation says, else what the tables say.

    Weights in a folder or a bucket are those of the model whose name on the Hub the path ends with, or that the server
    answers for.
    """
    text = server.pod.object.annotations.get(ANNOTATION) or server.pod.annotations.get(ANNOTATION)
    name = server.model or ""
    if text and (told := read_annotation(text, name)) is not None:
        return told
    if (found := find(name)) is not None or not name.startswith(("/", "gs://", "s3://", "pvc://")):
        return found
    candidates = ("/".join(name.rstrip("/").split("/")[-2:]), *server.served_names)
    return next((found for candidate in candidates if (found := find(candidate)) is not None), None)


def utilization_of(server: ModelServer) -> float | None:
    """Return the share of the memory that the engine takes: the stated one, else its default."""
    if any(server.options.has(name) for name in ("gpu-memory-utilization", "device-memory-utilization")):
        return server.memory_utilization
    if server.engine == "nim":
        return nim.UTILIZATION
    return vllm.GPU_MEMORY_UTILIZATION if server.options.complete else None


def memory(server: ModelServer, accelerator: Accelerator) -> Fit | str:
    """Return the memory sum of a server, or why there is none; of a context that is chosen at the start, one token."""
    if server.engine not in _MODELED:
        return f"it runs {server.engine}, whose memory is not modeled"
    known = _weights(server)
    if isinstance(known, str):
        return known
    utilization, split = utilization_of(server), _split(server)
    if utilization is None or not 0.05 <= utilization <= 1:
        return "the share of the memory that it takes is not known"
    if split is None:
        return "its parallel sizes are not known"
    if server.options.absent("max-model-len"):
        context = known.max_position_embeddings
    else:
        context = min(server.max_model_len or 1, 2**40)
    devices = _PER_CHIP.get(accelerator.name, 1)
    found = fit(
        known,
        Device(accelerator.name, accelerator.memory_gib / devices),
        split,
        context=context,
        utilization=utilization,
        cache_bytes_per_element=1.0 if (server.kv_cache_dtype or "auto").startswith("fp8") else 2.0,
        whole_windows=server.options.switch("disable-hybrid-kv-cache-manager") is True,
    )
    return found or f"how many of the weights of {known.id} each accelerator holds is not known"


def _weights(server: ModelServer) -> Model | str:
    """Return what is known of the model, with the weights as the server holds them."""
    known = known_model(server)
    if known is None:
        return (
            f"{server.model} is not among the known models; the annotation {ANNOTATION} can describe it"
            if server.model
            else "the model is not known yet"
        )
    if known.weight_bytes is None:
        return next((doubt for doubt in known.unverified if "weight" in doubt), "the size of its weights is not known")
    if known.weights_disputed:
        return "sources disagree on the number format of its weights"
    if changed := next((name for name in _CHANGES_MEMORY if server.options.has(name)), None):
        return f"--{changed} changes what lies in the memory"
    if server.dtype in ("float32", "float") or server.options.option("load-format") in ("dummy", "bitsandbytes"):
        return "the weights are loaded in another format than they are stored in"
    if server.options.has("quantization") and known.quantization is None:
        if server.quantization != "fp8":
            return f"--quantization {server.quantization} changes the weights"
        return replace(known, weight_bytes=known.weight_bytes // 2)
    return known


def _split(server: ModelServer) -> Split | None:
    sizes = [server.tensor, server.pipeline, server.data]
    if server.engine == "nim" and server.tensor is None:
        placement = next((p for p in server.pod.object.resource.view(Placement.of) if p.pod is server.pod), None)
        sizes = [placement.gpus or None if placement else None, 1, 1]
    if any(size is None or not 1 <= size <= 4096 for size in sizes):
        return None
    tensor, pipeline, data = (size or 1 for size in sizes)
    return Split(tensor, pipeline, data)


def serves(server: ModelServer) -> bool:
    """Whether a server is one to judge, and no part of one that another pod speaks for."""
    return not server.ray_worker and not server.pod.role.endswith("worker")


def fits(stack: Stack) -> tuple[ServerFit, ...]:
    """Return the memory of every model server, on every kind of accelerator that it may get."""
    return stack.view(_fits)


def _fits(stack: Stack) -> tuple[ServerFit, ...]:
    servers = (server for server in stack.each(ModelServer) if serves(server))
    return tuple(found for server in servers for found in _of(stack, server))


def _of(stack: Stack, server: ModelServer) -> Iterator[ServerFit]:
    known, own = known_model(server), own_accelerator(server.pod)
    accelerators = [own] if own is not None else list(accelerators_of(stack, server.pod))
    if not accelerators:
        reason = "it is not known on which accelerator it runs"
        yield ServerFit(server=server, accelerator=None, known=known, fit=None, reason=reason)
    for accelerator in accelerators:
        found = memory(server, accelerator)
        if isinstance(found, str):
            yield ServerFit(server=server, accelerator=accelerator, known=known, fit=None, reason=found)
            continue
        chosen = server.max_model_len is None and not server.options.absent("max-model-len")
        if chosen and known is not None and found.keeps is not None:
            found = replace(found, context=max(min(longest_context(found), known.max_position_embeddings), 1))
        unknown = "" if found.keeps is not None else _cache_doubt(known)
        yield ServerFit(server=server, accelerator=accelerator, known=known, fit=found, reason=unknown, chosen=chosen)


def _cache_doubt(known: Model | None) -> str:
    doubts = known.unverified if known is not None else ()
    return next((doubt for doubt in doubts if "KV cache" in doubt), "how much cache a token takes is not known")
