"""The standing stack files as raw configuration, to be edited in one place by a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
STANDING = ("dev", "prod")


def raw(stack: str) -> dict[str, Any]:
    """Return the project's sections of a standing stack, or of an example."""
    standing = ROOT / f"Pulumi.{stack}.yaml"
    return sections(standing if standing.is_file() else ROOT / "examples" / f"{stack}.yaml")


def sections(path: Path) -> dict[str, Any]:
    """Return the project's sections of a stack file."""
    config = yaml.safe_load(path.read_text(encoding="utf-8"))["config"]
    return {key.partition(":")[2]: value for key, value in config.items() if key.startswith("gke-inference:")}


DELETE = object()
"""Stands for a key to remove."""


def edited(stack: str, **edits: Any) -> dict[str, Any]:
    """Return a standing stack or an example with values replaced by path, dots written as double underscores."""
    config = raw(stack)
    for path, value in edits.items():
        *way, last = path.split("__")
        place = config
        for key in way:
            place = place.setdefault(key, {})
        if value is DELETE:
            place.pop(last)
        else:
            place[last] = value
    return config
