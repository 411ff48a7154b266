"""Models that the stack file describes by a ``config.json``: the file is read at load, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inference.config_json.annotation import ANNOTATION, WEIGHT_BYTES, described, written
from inference.facts.models import Model, find
from inference.problems import Problem, ProblemsError
from inference.settings.models import VllmModel
from inference.settings.nim import NimModelSettings
from inference.settings.stack import StackSettings

__all__ = ["annotation_of", "known_of", "read"]

_INDEX = "model.safetensors.index.json"
_MODELOPT = "hf_quant_config.json"

_MOST_BYTES = 10_000_000


def read(settings: StackSettings, folder: Path) -> Iterator[Problem]:
    """Read the files that models point to, relative to ``folder``; yield what is wrong with them."""
    for name, model in settings.models.items():
        if isinstance(model, NimModelSettings) or model.configuration is None:
            continue
        where = f"models.{name}.configuration"
        try:
            content = _content(folder, model.configuration, where)
            described(content, model.model, where)
        except ProblemsError as error:
            yield from error.problems
        else:
            model.describe(content)


def known_of(model: VllmModel) -> Model | None:
    """Return what is known of a model: what its own config.json says, else what the tables say."""
    if model.description is not None:
        return described(model.description, model.model, model.configuration or "config.json")
    return find(model.model)


def annotation_of(model: VllmModel) -> dict[str, str]:
    """Return the annotation by which a plan says what the stack file said; none for models of the tables."""
    if model.description is None:
        return {}
    return {ANNOTATION: written(model.description)}


def _content(folder: Path, path: str, where: str) -> dict[str, Any]:
    file = folder / path
    content = _json(file, path, where)
    if not isinstance(content, dict):
        what = f'"{path}" holds {type(content).__name__}'
        raise ProblemsError(path, [Problem(where, what, "a map of keys belongs there", "Point to a config.json.")])
    content.pop(WEIGHT_BYTES, None)
    beside = file.parent / _MODELOPT
    if "quantization_config" not in content and beside.is_file():
        content["quantization_config"] = _json(beside, str(Path(path).parent / _MODELOPT), where)
    index = file.parent / _INDEX
    if index.is_file():
        found = _json(index, str(Path(path).parent / _INDEX), where)
        size = found.get("metadata", {}).get("total_size") if isinstance(found, dict) else None
        if isinstance(size, int | float) and size > 0:
            content[WEIGHT_BYTES] = int(size)
    return content


def _json(file: Path, shown: str, where: str) -> Any:
    try:
        if file.stat().st_size > _MOST_BYTES:
            problem = Problem(where, f'"{shown}" is larger than 10 MB', "no such file is", "Point to a config.json.")
            raise ProblemsError(shown, [problem])
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        why = f"the file cannot be read ({error.strerror or error}); the path starts at the project's folder"
        remedy = "Put the model's config.json there, from its page on the Hub."
        raise ProblemsError(shown, [Problem(where, f'"{shown}"', why, remedy)]) from None
    except (ValueError, RecursionError) as error:
        problem = Problem(where, f'"{shown}"', f"it is not JSON ({error})", "Point to a config.json, unchanged.")
        raise ProblemsError(shown, [problem]) from None
