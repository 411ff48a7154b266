"""Whether a stack serves users or is for trying things out, as far as it says so."""

from __future__ import annotations

import re
from typing import Literal

from inference.rules.views.resources import Resource

__all__ = ["Environment", "environment_of"]

Environment = Literal["production", "development"]

_PRODUCTION = frozenset({"prod", "production", "prd", "live"})
_DEVELOPMENT = frozenset(
    {
        "ci", "demo", "dev", "develop", "development", "ephemeral", "playground", "pr", "preview", "review", "sandbox",
        "sbx", "test", "testing", "tmp",
    }
)  # fmt: skip
_LABELS = ("env", "environment", "stage", "tier")


def environment_of(resource: Resource, said: str = "") -> Environment | None:
    """Return the environment: as said, else by the resource's labels, else by the name of the stack."""
    if said:
        return _named(said)
    for place in ("resourceLabels", "labels"):
        labels = resource.props.strings(place)
        for key in _LABELS:
            if key in labels:
                return _named(labels[key])
    return _named(_stack_name(resource.urn))


def _stack_name(urn: str) -> str:
    return urn.removeprefix("urn:pulumi:").partition("::")[0].rpartition("/")[2]


def _named(text: str) -> Environment | None:
    words = set(re.split(r"[^a-z]+", text.lower()))
    production, development = bool(words & _PRODUCTION), bool(words & _DEVELOPMENT)
    if production == development or "non" in words:
        return None
    return "production" if production else "development"
