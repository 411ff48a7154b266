"""Models of NVIDIA NIM: a container that brings server and model, chooses the build for the GPU, and keeps a cache."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from inference.settings.secrets import SecretSource
from inference.settings.vocabulary import DnsLabel, Section

__all__ = ["NimModelSettings"]


class NimModelSettings(Section):
    """One model served by an NVIDIA NIM, for clients inside the cluster: a NIM asks nobody for a key."""

    engine: Literal["nim"]
    """Tag of this engine."""
    model: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$", examples=["meta/llama-3.1-8b-instruct"])]
    """NVIDIA's name of the model: that of the image below ``nvcr.io/nim``, and the one that clients ask for."""
    pool: DnsLabel
    """Name of the pool in ``pools`` that runs it."""
    replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """Independent copies, each with a cache of its own."""
    gpus: Annotated[int, Field(ge=1, le=16)] = 1
    """GPUs of each copy; the NIM takes a profile for as many."""
    context_length: Annotated[int, Field(ge=256, le=10_485_760)]
    """Longest prompt and answer together, tokens (``NIM_MAX_MODEL_LEN``)."""
    profile: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$")] = None
    """Build of the model (``NIM_MODEL_PROFILE``); left out, the NIM chooses one for the GPU."""
    cache_gib: Annotated[int | None, Field(ge=10, le=65_536)] = None
    """Disk of each copy for the downloaded model, GiB; left out, what two builds of the model take."""
    ngc_api_key: SecretSource
    """API key of NVIDIA's NGC; it pulls the image and downloads the model."""
    image: Annotated[str | None, Field(examples=["nvcr.io/nim/meta/llama-3.1-8b-instruct:2.0.12"])] = None
    """Container image, pinned; left out, the release of this model that the project knows."""
