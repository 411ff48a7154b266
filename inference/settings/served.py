"""A model by the engine that serves it; vLLM where none is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from inference.settings.kserve import KserveModelSettings
from inference.settings.models import ModelSettings
from inference.settings.nim import NimModelSettings

__all__ = ["DEFAULT_ENGINE", "ServedModel", "VllmServed"]

DEFAULT_ENGINE = "vllm"


def engine(value: Any) -> Any:
    """Return the engine of a model: of one that is read, or of one that is there. Its name is the tag's."""
    if isinstance(value, Mapping):
        return value.get("engine", DEFAULT_ENGINE)
    return getattr(value, "engine", DEFAULT_ENGINE)


VllmServed = ModelSettings | KserveModelSettings
"""A model whose server is vLLM."""

ServedModel = Annotated[
    Annotated[ModelSettings, Tag("vllm")]
    | Annotated[KserveModelSettings, Tag("kserve")]
    | Annotated[NimModelSettings, Tag("nim")],
    Discriminator(engine),
]
