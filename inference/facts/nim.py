"""NVIDIA NIM for large language models: images, paths, variables and limits of the 2.x line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = [
    "API_KEY_ENV",
    "CACHE_PATH",
    "GROUP",
    "LIVE_PATH",
    "METRICS_PATH",
    "READY_PATH",
    "REGISTRY",
    "REGISTRY_USER",
    "RELEASES",
    "STARTUP_SECONDS",
    "USER",
    "UTILIZATION",
    "Release",
    "image",
]

REGISTRY = "nvcr.io"
REGISTRY_USER = "$oauthtoken"
"""NGC's registry, and the user of every API key there; the dollar sign belongs to it (source NIMDOC; NIMDEPLOY)."""

API_KEY_ENV = "NGC_API_KEY"
CACHE_PATH = "/opt/nim/.cache"
"""Variable that the model is downloaded with, and the folder it goes to; HOME of the image is the folder above
(sources NIMDOC)."""

LIVE_PATH = "/v1/health/live"
READY_PATH = "/v1/health/ready"
METRICS_PATH = "/v1/metrics"
"""Live answers as soon as the process runs, ready once the model does; the first releases had ``/metrics``
(source NIMDOC)."""

USER = 1000
GROUP = 0
"""Any user will do, in group 0, from 2.0.3 on; a volume gets the file-system group 1000 (sources NIMDOC; NIMDEPLOY)."""

STARTUP_SECONDS = 1800
"""What NVIDIA's own chart allows for the download and the start, 180 probes of 10 seconds (source NIMDEPLOY)."""

UTILIZATION = 0.9
"""Share of the device memory that the vLLM in it takes unless told otherwise (source NIMDOC; VLLM)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The release of a model's NIM that this project runs."""

    model: str
    version: str
    """Tag of the image."""
    engine: str
    """What serves in it."""
    source: str

    @property
    def image(self) -> str:
        """The image with its tag."""
        return f"{REGISTRY}/nim/{self.model}:{self.version}"


_ROWS = (
    Release(
        model="meta/llama-3.1-8b-instruct", version="2.0.12", engine="vLLM 0.27.1", source="NIMDOC:2.0.12; NIMTAGS"
    ),
)

RELEASES: Mapping[str, Release] = MappingProxyType({row.model: row for row in _ROWS})
"""Known releases by NVIDIA's name of the model."""


def image(model: str) -> str | None:
    """Return the pinned image of a model; None for one whose releases are not known."""
    found = RELEASES.get(model)
    return found.image if found else None
