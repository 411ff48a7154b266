"""Models under KServe: what to serve is said as for vLLM, and KServe's controller makes pods and route of it."""

from __future__ import annotations

from typing import ClassVar, Literal

from inference.settings.models import VllmModel

__all__ = ["KserveModelSettings"]


class KserveModelSettings(VllmModel):
    """One model served by vLLM as an LLMInferenceService of KServe; each replica on one node."""

    engine: Literal["kserve"]
    """Tag of this engine."""
    prefill: ClassVar[None] = None
    """KServe's own presets for it are for other pickers."""
