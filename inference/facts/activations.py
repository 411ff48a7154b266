"""Memory of one GPU that is neither weights nor KV cache, GiB. Source PLANNER (vLLM 0.19.0, H100, 49 runs).

Constants of the engine and the architecture: neither depends on the context, the batch or the tensor-parallel size.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["activation_gib", "runtime_gib"]

_MEASURED: Mapping[str, float] = MappingProxyType(
    {
        "DeepseekV2ForCausalLM": 1.93,
        "Gemma2ForCausalLM": 3.65,
        "Gemma3ForCausalLM": 3.94,
        "GemmaForCausalLM": 3.63,
        "GraniteForCausalLM": 0.85,
        "LlamaForCausalLM": 1.89,
        "LlavaNextForConditionalGeneration": 0.79,
        "Mistral3ForConditionalGeneration": 2.10,
        "MixtralForCausalLM": 1.21,
        "Phi3ForCausalLM": 1.52,
        "PixtralForConditionalGeneration": 2.10,
        "Qwen2ForCausalLM": 2.25,
        "Qwen2MoeForCausalLM": 2.47,
        "Qwen3ForCausalLM": 2.21,
        "Qwen3MoeForCausalLM": 2.68,
    }
)
_EXPERTS_GIB, _DENSE_GIB = 2.50, 2.00
"""Of architectures that were not measured."""

_ONE_GPU_GIB, _PIPELINE_GIB, _COLLECTIVE_GIB = 0.27, 0.07, 2.10


def activation_gib(architecture: str, *, experts: bool) -> float:
    """Return the peak of activations while the engine profiles itself, GiB, graph capture included."""
    return _MEASURED.get(architecture, _EXPERTS_GIB if experts else _DENSE_GIB)


def runtime_gib(tensor: int, pipeline: int, data: int) -> float:
    """Return what CUDA, NCCL and Python take beside the tensors, GiB.

    Data-parallel ranks that share experts exchange them in every layer, as tensor-parallel ranks do their sums.
    """
    if tensor * data > 1:
        return _COLLECTIVE_GIB
    return _PIPELINE_GIB if pipeline > 1 else _ONE_GPU_GIB
