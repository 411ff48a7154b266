"""What a workload says of its model in an annotation, so that a plan tells as much as the stack file did.

Any program may write it: the memory of a model that the tables lack is then judged like that of any other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from inference.config_json import reading
from inference.facts.models import Model
from inference.problems import ProblemsError

__all__ = ["ANNOTATION", "WEIGHT_BYTES", "described", "read_annotation", "written"]

ANNOTATION = "gke-inference/model-configuration"
"""On a workload: the keys of the model's config.json that its memory follows from, as JSON."""

WEIGHT_BYTES = "_weight_bytes"
"""Beside them: what the index of the safetensors files says, bytes."""

_LONGEST = 100_000
"""Characters of an annotation; Kubernetes takes 262,144 bytes for all."""


def described(content: object, name: str, where: str) -> Model:
    """Return the model of a config.json, with the size of its weights where that was read too.

    Raises:
        ProblemsError: with every key that is missing or malformed.
    """
    size = content.get(WEIGHT_BYTES) if isinstance(content, Mapping) else None
    return reading.read(content, name, where=where, weight_bytes=size if isinstance(size, int) else None)


def written(content: Mapping[str, Any]) -> str:
    """Return the annotation for a config.json."""
    return json.dumps(_trimmed(content), separators=(",", ":"), sort_keys=True)


def _trimmed(content: Mapping[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in content.items() if v is not None and k in reading.KEYS | {WEIGHT_BYTES}}
    for key in ("vision_config", "audio_config"):
        if isinstance(kept.get(key), dict):
            kept[key] = {}
    return {
        key: _trimmed(value) if key in reading.NESTED and isinstance(value, dict) else value
        for key, value in kept.items()
    }


@lru_cache(maxsize=256)
def read_annotation(text: str, name: str) -> Model | None:
    """Return the model that an annotation describes; ``None`` where it does not."""
    if len(text) > _LONGEST:
        return None
    try:
        return described(json.loads(text), name, ANNOTATION)
    except (ValueError, RecursionError, ProblemsError):
        return None
