"""Whether a model fits its accelerators, and whether they can compute in its number formats.

vLLM takes a share of the memory (``--gpu-memory-utilization``), puts weights, activations and its own runtime into it
and keeps the rest for the KV cache. A server whose cache cannot hold one sequence of the longest context refuses to
start; what CUDA graphs need comes on top, out of the share that is left. All of it shows only after the weights have
been read, ten or twenty minutes into the life of a GPU node.

The GPU is the one that the pod's own selector names, so that nothing is created; else the one of the node pools on
which it runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from inference.alternatives import Situation, alternatives, highest_utilization
from inference.estimates.fits import known_model, memory, tolerance_gib, utilization_of
from inference.fit import OUTSIDE_RESERVE_GIB, Fit
from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import Accelerator, accelerators_of, own_accelerator
from inference.rules.views.stack import Stack

_CONSERVE = "https://docs.vllm.ai/en/latest/configuration/conserving_memory/"
_QUANTIZATION = "https://docs.vllm.ai/en/latest/features/quantization/"

_USUAL_GPUS = 8
"""Accelerators of a node where its pool does not tell; the larger machines have as many."""

_Judgment = Callable[[ModelServer, Accelerator], Iterator[str]]


def _fit(server: ModelServer, accelerator: Accelerator) -> Fit | None:
    found = memory(server, accelerator) if server.engine == "vllm" else ""
    return None if isinstance(found, str) else found


def _would_fit(server: ModelServer, accelerator: Accelerator, found: Fit) -> str:
    """Say what would fit, the nearest first."""
    known = known_model(server)
    if known is None:
        return ""
    site = accelerator.site
    per_chip = round(accelerator.memory_gib / found.device.memory_gib)
    units = site.units if site is not None and site.units else _USUAL_GPUS
    place = Situation(
        model=known,
        fit=found,
        gpu=accelerator.gpu,
        per_node=units * per_chip,
        per_chip=per_chip,
        fp8_cache=(server.kv_cache_dtype or "").startswith("fp8"),
        fixed_dtype=server.dtype in ("half", "float16"),
    )
    flags = [alternative.flags for alternative in alternatives(place)]
    return f"Use {', or '.join(flags)}." if flags else "Use a smaller or quantized model."


def _sum(found: Fit) -> str:
    return (
        f"each {found.device.name} gives vLLM {found.budget:.1f} GiB ({found.utilization:g} of "
        f"{found.device.memory_gib:.1f}), and weights take {found.weights:.1f}, activations about "
        f"{found.activation:.1f}, the runtime {found.runtime:.1f}"
    )


def _weights_fit(server: ModelServer, accelerator: Accelerator) -> Iterator[str]:
    found = _fit(server, accelerator)
    if found is not None and found.cache < -tolerance_gib(found):
        yield (
            f"{server} does not fit: {_sum(found)}, {-found.cache:.1f} GiB too much. "
            f"{_would_fit(server, accelerator, found)}"
        )


def _context_fits(server: ModelServer, accelerator: Accelerator) -> Iterator[str]:
    found = _fit(server, accelerator)
    if found is None or found.sequence is None:
        return
    tolerance = tolerance_gib(found)
    if found.cache < -tolerance or found.sequence - max(found.cache, 0.0) <= tolerance:
        return
    own = f"no --max-model-len, so the model's own {found.context} tokens count"
    yield (
        f"{server} has {f'--max-model-len {server.max_model_len}' if server.max_model_len else own}: {_sum(found)}; "
        f"{max(found.cache, 0.0):.1f} GiB are left for the KV cache, and one such sequence takes {found.sequence:.1f}. "
        f"The server refuses to start. {_would_fit(server, accelerator, found)}"
    )


def _graphs_fit(server: ModelServer, accelerator: Accelerator) -> Iterator[str]:
    utilization, length = utilization_of(server), server.max_model_len
    if server.engine != "vllm" or utilization is None or accelerator.gpu is None or accelerator.memory_gib > 16:
        return
    eager = server.options.switch("enforce-eager") is True or server.options.has("compilation-config")
    outside = (1 - utilization) * accelerator.memory_gib
    short = length is not None and length < 4096
    if eager or short or outside >= OUTSIDE_RESERVE_GIB or server.options.has("optimization-level"):
        return
    given = f"{utilization:g}" if server.memory_utilization is not None else f"the default of {utilization:g}"
    yield (
        f"{server} takes {given} of the {accelerator.memory_gib:.2f} GiB of a {accelerator.name} and leaves "
        f"{outside:.2f} GiB for the capture of CUDA graphs, which runs out of memory. Set --gpu-memory-utilization "
        f"{highest_utilization(accelerator.memory_gib):g} and --max-model-len 2048, or --enforce-eager."
    )


# ------------------------------------------------------------------ number formats

_NO_HALF = re.compile(r"google/gemma-[23]-.+", re.IGNORECASE)
"""Models that vLLM refuses to run in float16, for numerical instability (vllm/config/model.py)."""

_FP8_NAME = re.compile(r"[-_]fp8(?![a-z0-9])", re.IGNORECASE)


def _dtype_runs(server: ModelServer, accelerator: Accelerator) -> Iterator[str]:
    gpu, dtype = accelerator.gpu, server.dtype
    if server.engine != "vllm" or gpu is None or gpu.bf16 or server.options.unknown("dtype"):
        return
    model = server.model or ""
    known = known_model(server)
    native = known.dtype if known is not None else None
    if dtype in ("bfloat16", "bf16"):
        yield (
            f"{server} asks for --dtype {dtype}, and a {gpu.name} (compute capability {_capability(accelerator)}) has "
            "no bfloat16, which needs 8.0; the server ends. Set --dtype half, or use an L4 or newer."
        )
    elif _NO_HALF.fullmatch(model) and dtype != "float32":
        yield (
            f"{server} serves {model} on a {gpu.name}, which has no bfloat16, and the model is unstable in float16, so "
            "vLLM refuses it. Use an L4 or newer, or another model."
        )
    elif dtype in (None, "auto") and native == "bfloat16" and (dtype or server.options.complete):
        yield (
            f"{server} serves {model} in its own type, bfloat16, on a {gpu.name}, which does not have it. Set "
            "--dtype half, or use an L4 or newer."
        )


def _capability(accelerator: Accelerator) -> str:
    return ".".join(map(str, accelerator.gpu.compute_capability)) if accelerator.gpu else "unknown"


def _fp8_weights(server: ModelServer) -> bool:
    known = known_model(server)
    if (server.quantization or "").startswith("fp8") or (known is not None and known.quantization == "fp8"):
        return True
    return known is None and bool(_FP8_NAME.search(server.model or ""))


def _formats_run(server: ModelServer, accelerator: Accelerator) -> Iterator[str]:
    gpu, known = accelerator.gpu, known_model(server)
    if server.engine != "vllm" or gpu is None:
        return
    if _fp8_weights(server) and gpu.compute_capability < (7, 5):
        yield (
            f"{server} serves FP8 weights on a {gpu.name} (compute capability {_capability(accelerator)}), for which "
            "there are no kernels; the server ends. Use AWQ or GPTQ weights, or an L4 or newer."
        )
    if (server.kv_cache_dtype or "").startswith("fp8") and not gpu.bf16:
        yield (
            f"{server} asks for --kv-cache-dtype {server.kv_cache_dtype} on a {gpu.name}, which cannot hold an FP8 "
            "cache; the server ends. Leave --kv-cache-dtype out."
        )
    if known is not None and known.quantization == "mxfp4" and not gpu.bf16:
        yield (
            f"{server} serves {known.id} in MXFP4 on a {gpu.name}; vLLM needs compute capability 8.0 for it, and ends. "
            "Use an L4 or newer."
        )


def _fp8_computes(server: ModelServer, accelerator: Accelerator) -> Iterator[str]:
    gpu = accelerator.gpu
    if server.engine != "vllm" or gpu is None or gpu.fp8 or gpu.compute_capability < (7, 5):
        return
    if _fp8_weights(server):
        yield (
            f"{server} serves FP8 weights on a {gpu.name}, which computes in 16 bits only: the weights are unpacked at "
            "every use, slower than expected. Use INT4 (AWQ, GPTQ) weights or an L4 or newer, or acknowledge the model "
            "in the policy configuration."
        )


# ------------------------------------------------------------------ rules of one resource


def _own(server: ModelServer, judge: _Judgment) -> Iterator[str]:
    accelerator = None if server.ray_worker or server.pod.role == "worker" else own_accelerator(server.pod)
    if accelerator is not None:
        yield from judge(server, accelerator)


@rule(
    "vllm-memory-graphs-fit",
    title="A small GPU keeps memory free for CUDA graphs",
    breaks="'torch.OutOfMemoryError: CUDA out of memory' while graphs are captured, five to ten minutes after the "
    "start, 28 MiB short on a T4 at 0.90; the pod restarts for ever.",
    fix="On a T4 use --gpu-memory-utilization 0.85 and --max-model-len 2048, or --enforce-eager.",
    source=_CONSERVE,
    severity=Severity.HIGH,
    covers=("VLLM-001",),
    on=ModelServer,
)
def memory_graphs_fit(server: ModelServer) -> Iterator[str]:
    yield from _own(server, _graphs_fit)


@rule(
    "vllm-memory-weights-fit",
    title="The weights fit the GPUs",
    breaks="'No available memory for the cache blocks' or 'CUDA out of memory', ten to twenty minutes after the start: "
    "first everything is downloaded.",
    fix="Use more GPUs (tensor, pipeline), a quantized model, or a GPU with more memory.",
    source=_CONSERVE,
    severity=Severity.HIGH,
    covers=("VLLM-002",),
    on=ModelServer,
)
def memory_weights_fit(server: ModelServer) -> Iterator[str]:
    yield from _own(server, _weights_fit)


@rule(
    "vllm-memory-context-fits",
    title="The KV cache holds one sequence of the longest context",
    breaks="'The model's max seq len (32768) is larger than the maximum number of tokens that can be stored in KV "
    "cache': the server refuses to start after it has read all weights. Left out, the model's own length counts.",
    fix="Set --max-model-len to what is needed; --kv-cache-dtype fp8 or more GPUs make room for more.",
    source=_CONSERVE,
    severity=Severity.HIGH,
    covers=("VLLM-003",),
    on=ModelServer,
)
def memory_context_fits(server: ModelServer) -> Iterator[str]:
    yield from _own(server, _context_fits)


@rule(
    "vllm-gpu-runs-dtype",
    title="A GPU without bfloat16 is told to use float16",
    breaks="'Bfloat16 is only supported on GPUs with compute capability of at least 8.0': T4, V100, P100 and P4 have "
    "less.",
    fix="Set --dtype half (not for Gemma 2 and 3, which are unstable in it), or use an L4 or newer.",
    source="https://github.com/vllm-project/vllm/issues/1157",
    severity=Severity.HIGH,
    covers=("VLLM-011",),
    on=ModelServer,
)
def gpu_runs_dtype(server: ModelServer) -> Iterator[str]:
    yield from _own(server, _dtype_runs)


@rule(
    "vllm-dtype-suits-model",
    title="A model that is unstable in float16 is not told to use it",
    breaks="'The model type gemma3 does not support float16. Reason: Numerical instability': the server ends.",
    fix="Leave --dtype out, or set bfloat16, on an L4 or newer.",
    source="https://github.com/vllm-project/vllm/blob/main/vllm/config/model.py",
    severity=Severity.HIGH,
    covers=("VLLM-011",),
    on=ModelServer,
)
def dtype_suits_model(server: ModelServer) -> Iterator[str]:
    if server.engine == "vllm" and server.dtype in ("half", "float16") and _NO_HALF.fullmatch(server.model or ""):
        yield (
            f"{server} runs {server.model} with --dtype {server.dtype}, in which it is unstable, so vLLM refuses it. "
            "Leave --dtype out, on a GPU with bfloat16."
        )


@rule(
    "vllm-gpu-runs-formats",
    title="The GPU has kernels for the number formats of weights and cache",
    breaks="'The quantization method fp8 is not supported for the current GPU': the server ends before it loads.",
    fix="Use AWQ or GPTQ weights on older GPUs and leave the KV cache at 16 bits; FP8 wants an L4 or newer.",
    source=_QUANTIZATION,
    severity=Severity.HIGH,
    covers=("VLLM-012",),
    on=ModelServer,
)
def gpu_runs_formats(server: ModelServer) -> Iterator[str]:
    yield from _own(server, _formats_run)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What a team accepts with open eyes."""

    models: tuple[str, ...] = ()
    """Models whose FP8 weights may run on GPUs without FP8."""


@rule(
    "vllm-gpu-computes-fp8",
    title="FP8 weights run on a GPU that computes in FP8",
    breaks="A T4 or A100 stores FP8 weights and computes in 16 bits: it works, saves memory, and is slower than the "
    "same model in INT4.",
    fix="Use an L4, H100 or newer; or INT4 weights; or list the model under models in the policy configuration.",
    source=_QUANTIZATION,
    severity=Severity.LOW,
    level=Level.ADVISORY,
    covers=("VLLM-012",),
    on=ModelServer,
    parameters=Acknowledged,
)
def gpu_computes_fp8(server: ModelServer, acknowledged: Acknowledged) -> Iterator[str]:
    if server.model not in acknowledged.models:
        yield from _own(server, _fp8_computes)


# ------------------------------------------------------------------ rules of the stack


def _by_pool(stack: Stack, *judgments: _Judgment, but: tuple[str, ...] = ()) -> Iterator[About]:
    """Judge servers whose pods do not name their GPU by the node pools on which they run: all have to fail."""
    for server in stack.each(ModelServer):
        if server.model in but or server.engine != "vllm" or server.ray_worker or server.pod.role == "worker":
            continue
        if own_accelerator(server.pod) is not None:
            continue
        accelerators = accelerators_of(stack, server.pod)
        for judge in judgments:
            said = [next(judge(server, accelerator), None) for accelerator in accelerators]
            if said and said[0] is not None and None not in said:
                yield About(server.pod.object.resource, said[0])


@rule(
    "vllm-pool-holds-model",
    title="The GPUs of the node pool hold the model",
    breaks="As for a pod that names its GPU: out of memory, or 'max seq len is larger than …', after the weights have "
    "been read.",
    fix="Use a pool with larger or more GPUs, a shorter --max-model-len, or a quantized model.",
    source=_CONSERVE,
    severity=Severity.HIGH,
    covers=("VLLM-001", "VLLM-002", "VLLM-003"),
)
def pool_holds_model(stack: Stack) -> Iterator[About]:
    yield from _by_pool(stack, _graphs_fit, _weights_fit, _context_fits)


@rule(
    "vllm-pool-runs-formats",
    title="The GPUs of the node pool compute in the model's number formats",
    breaks="As for a pod that names its GPU: the server ends, because the GPU has no bfloat16 or no FP8.",
    fix="Set --dtype half on a T4, or use a pool of L4 or newer GPUs.",
    source=_QUANTIZATION,
    severity=Severity.HIGH,
    covers=("VLLM-011", "VLLM-012"),
)
def pool_runs_formats(stack: Stack) -> Iterator[About]:
    yield from _by_pool(stack, _dtype_runs, _formats_run)


@rule(
    "vllm-pool-computes-fp8",
    title="FP8 weights run on a node pool whose GPUs compute in FP8",
    breaks="As for a pod that names its GPU: it works, in 16 bits, slower than the same model in INT4.",
    fix="Use a pool of L4, H100 or newer; or list the model under models in the policy configuration.",
    source=_QUANTIZATION,
    severity=Severity.LOW,
    level=Level.ADVISORY,
    covers=("VLLM-012",),
    parameters=Acknowledged,
)
def pool_computes_fp8(stack: Stack, acknowledged: Acknowledged) -> Iterator[About]:
    yield from _by_pool(stack, _fp8_computes, but=acknowledged.models)
