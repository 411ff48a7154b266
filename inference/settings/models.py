"""Models: what to serve, on which pool, over how many accelerators, with weights from where."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr

from inference.settings.secrets import SecretSource
from inference.settings.vocabulary import BucketName, DnsLabel, Section

__all__ = [
    "MOST_TENSOR_PARALLEL",
    "BucketWeights",
    "HubWeights",
    "ModelSettings",
    "Parallelism",
    "PrefillSettings",
    "VllmModel",
    "Weights",
]


MOST_TENSOR_PARALLEL = 64
"""No model that is known has its layers cut into more parts: it has no more attention heads, or hardly."""


class Parallelism(Section):
    """How one replica is split. The product of the sizes is the number of accelerators of a replica."""

    tensor: Annotated[int, Field(ge=1, le=MOST_TENSOR_PARALLEL)] = 1
    """Tensor parallel size: slices of every layer; stays inside one node."""
    pipeline: Annotated[int, Field(ge=1, le=32)] = 1
    """Pipeline parallel size: groups of layers; one per node."""
    data: Annotated[int, Field(ge=1, le=256)] = 1
    """Data parallel size, for mixtures of experts: ranks that answer requests of their own and share the experts.

    Each rank holds all of the attention and the ``data``-th part of the experts (expert parallelism).
    """


class HubWeights(Section):
    """Weights downloaded from the Hugging Face Hub at every start; for small models."""

    source: Literal["hub"]
    """Tag of this source."""
    token: SecretSource | None = None
    """Access token; needed for gated models."""


class BucketWeights(Section):
    """Weights read from a Cloud Storage bucket through Cloud Storage FUSE; filled once, outliving the stack."""

    source: Literal["bucket"]
    """Tag of this source."""
    bucket: BucketName
    """Bucket that holds the model's files, in the pool's region."""
    path: Annotated[str, Field(pattern=r"^[^/\s][^\s]*[^/\s]$", examples=["moonshotai/Kimi-K2-Instruct-0905"])]
    """Folder of the model's files in the bucket."""


Weights = Annotated[HubWeights | BucketWeights, Field(discriminator="source")]


class PrefillSettings(Section):
    """Servers that only read prompts; those that the model itself describes then write the answers.

    The cache of a prompt goes from the one to the other through NIXL, over the RDMA NICs where each takes whole nodes.
    """

    replicas: Annotated[int, Field(ge=1, le=1000)] = 1
    """Independent copies."""
    pool: DnsLabel | None = None
    """Name of the pool in ``pools`` that runs them; left out, the model's own."""
    parallelism: Parallelism | None = None
    """How one copy is split; left out, like the model itself. Its tensor parallel size is at most the model's."""
    min_uncached_tokens: Annotated[int, Field(ge=1, le=10_485_760)] = 16
    """Shorter prompts are read where they are answered; what is cached there already does not count."""


class VllmModel(Section):
    """What vLLM serves and how, whoever makes its pods."""

    model: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$", examples=["Qwen/Qwen2.5-1.5B-Instruct"])]
    """Hugging Face id; also the name that clients ask for."""
    configuration: Annotated[
        str | None, Field(pattern=r"^[^/\s][^\s]*\.json$", examples=["models/my-model/config.json"])
    ] = None
    """The model's ``config.json``, as a path from the project's folder, for a model that the project does not know.

    Its memory is then judged like that of any other. The index of the safetensors files beside it tells the size of
    the weights; without it the size is computed from the shapes.
    """
    pool: DnsLabel
    """Name of the pool in ``pools`` that runs it."""
    replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """Independent copies."""
    gpus: Annotated[int | None, Field(ge=1, le=16)] = None
    """Accelerators of each pod. Follows from the parallel sizes; stated, it is checked against them."""
    parallelism: Parallelism = Parallelism()
    """How one replica is split over accelerators and nodes."""
    context_length: Annotated[int, Field(ge=256, le=10_485_760)]
    """Longest prompt and answer together, tokens (``--max-model-len``)."""
    max_concurrent_sequences: Annotated[int | None, Field(ge=1, le=8192)] = None
    """Sequences in one batch (``--max-num-seqs``); left out, vLLM's default."""
    memory_utilization: Annotated[float, Field(ge=0.1, le=0.98, strict=False)] = 0.9
    """Share of the device memory that vLLM may take (``--gpu-memory-utilization``)."""
    dtype: Literal["auto", "half", "bfloat16"] = "auto"
    """Type of the activations; a T4 has no bfloat16."""
    kv_cache_dtype: Literal["auto", "fp8"] = "auto"
    """Type of the KV cache."""
    weights: Weights
    """Where the weights come from."""
    image: Annotated[str | None, Field(examples=["vllm/vllm-openai:v0.32.0"])] = None
    """Container image of the server, pinned; left out, the version that the project is tested with."""
    extra_args: dict[Annotated[str, Field(pattern=r"^--[a-z][a-z0-9-]*$")], str | int | float | bool] = Field(
        default={}, examples=[{"--enable-prefix-caching": True}]
    )
    """More options of ``vllm serve``; true for an option without a value."""
    _description: dict[str, Any] | None = PrivateAttr(default=None)

    @property
    def description(self) -> dict[str, Any] | None:
        """What ``configuration`` holds, once it was read."""
        return self._description

    def describe(self, content: dict[str, Any]) -> None:
        """Keep what ``configuration`` holds."""
        self._description = content


class ModelSettings(VllmModel):
    """One model behind one OpenAI-compatible endpoint, served by vLLM."""

    engine: Literal["vllm"] = "vllm"
    """Tag of this engine; it may be left out."""
    prefill: PrefillSettings | None = None
    """Separate servers for reading prompts (prefill/decode disaggregation); the gateway's picker pairs the two."""
