"""Which changed property of a Google Cloud resource forces a new one, by the SDK's own documentation.

Each property's documentation stands in the docstring of the class that takes it, for example "Changing this forces a
new resource to be created". It is read only when something changed: importing the SDK takes a second.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

__all__ = ["documented"]

_PROPERTY = re.compile(
    r"^\s*:param (?P<type>.+?) (?P<name>\w+): (?P<text>.*?)(?=^\s*:param |\Z)", re.MULTILINE | re.DOTALL
)
_ARGUMENTS = re.compile(r"'(\w+Args)'")
_FORCES = re.compile(
    r"\b(?:chang(?:e|es|ing)|modifying)\b[^.]*\b(?:forces?|will force|trigger|will trigger|recreates?|will recreate)\b"
    r"[^.]*\b(?:new|recreat\w*|resource)\b"
    r"|\bforces? (?:a )?(?:new|recreation)"
    r"|\bcauses? resource replacement"
    r"|\bimmutable\b"
    r"|\bcannot be (?:changed|updated|modified)\b(?! in-place)",
    re.IGNORECASE,
)
_UNLESS = re.compile(
    r"\bimmutable_|\bif (?:upsizing|downsizing)|\bat any other time|\bno effect on existing", re.IGNORECASE
)
"""Sentences with the words of a forcing change that speak of something else, or of some changes only."""


class _Property(NamedTuple):
    forces: bool
    arguments: str
    """Class of the nested properties; empty where there are none."""


def documented(token: str, path: str) -> bool:
    """Whether the SDK says that a change of a property makes a new resource.

    Args:
        token: type of the resource, such as ``gcp:container/nodePool:NodePool``.
        path: one value's property, as in ``nodeConfig.guestAccelerators[0].type``.
    """
    module, _, name = token.removeprefix("gcp:").rpartition(":")
    package = f"pulumi_gcp.{module.partition('/')[0].lower()}"
    arguments = f"{name}Args"
    for step in re.sub(r"\[[^\]]*\]", "", path).split("."):
        found = _properties(package, arguments).get(step.lower())
        if found is None:
            return False
        if found.forces:
            return True
        arguments = found.arguments
    return False


@lru_cache(maxsize=512)
def _properties(package: str, arguments: str) -> Mapping[str, _Property]:
    """Return the properties of a class by name, in lower case without underscores."""
    if not arguments:
        return {}
    try:
        made = getattr(importlib.import_module(package), arguments)
    except (ImportError, AttributeError):
        return {}
    documentation = made.__init__.__doc__ or ""
    return {
        match["name"].replace("_", ""): _Property(_forces(match["text"]), _nested(match["type"]))
        for match in _PROPERTY.finditer(documentation)
    }


def _forces(text: str) -> bool:
    joined = " ".join(text.split())
    return any(_FORCES.search(part) and not _UNLESS.search(part) for part in re.split(r"(?<=\.)\s", joined))


def _nested(declared: str) -> str:
    found = _ARGUMENTS.search(declared)
    return found[1] if found else ""
