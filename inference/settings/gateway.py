"""The inference gateway: who may call, over which name, and how requests are spread."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from inference.settings.secrets import SecretSource
from inference.settings.vocabulary import Hostname, Section

__all__ = ["GatewaySettings", "PickerSettings", "ScorerWeights", "TlsSettings"]


class TlsSettings(Section):
    """Server certificate of the gateway."""

    certificate: Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$", examples=["llm-example-com"])]
    """Name of a regional certificate in Certificate Manager, in the cluster's region."""


class ScorerWeights(Section):
    """What counts how much when the endpoint picker chooses a replica."""

    prefix_cache: Annotated[float, Field(ge=0, le=100, strict=False)] = 3
    """Prompt prefix already in the replica's KV cache."""
    kv_cache_utilization: Annotated[float, Field(ge=0, le=100, strict=False)] = 2
    """Free KV cache."""
    queue: Annotated[float, Field(ge=0, le=100, strict=False)] = 2
    """Short waiting queue."""


class PickerSettings(Section):
    """The endpoint picker in front of each model."""

    weights: ScorerWeights = ScorerWeights()
    """Weights of its scorers."""
    prefix_cache: Literal["approximate", "precise"] = "approximate"
    """How it knows which replica has a prompt's prefix in its cache.

    ``approximate``: from where it sent such prompts before. ``precise``: from the events of the servers' own caches;
    a tokenizer beside the picker turns prompts into the tokens that the events speak of.
    """
    cpu: Annotated[int, Field(ge=1, le=64)] = 1
    """CPU request, cores; 0.5 to 1 core per request and second of long prompts."""
    memory_gib: Annotated[int, Field(ge=1, le=256)] = 2
    """Memory request, GiB; the limit is twice that."""


class GatewaySettings(Section):
    """One GKE gateway for all models of the stack."""

    exposure: Literal["external", "internal"]
    """``external``: an address on the Internet; ``internal``: one in the VPC."""
    hostname: Hostname
    """Name that clients use; its certificate is ``tls.certificate``."""
    tls: TlsSettings
    """Server certificate."""
    api_key: SecretSource
    """Key that clients send as bearer token; the model servers check it."""
    request_timeout_seconds: Annotated[int, Field(ge=30, le=86_400)] = 900
    """Longest time for one answer, streaming included."""
    picker: PickerSettings = PickerSettings()
    """The endpoint pickers."""
