"""What goes wrong with LLM inference on GKE, as rules over the resources of any Pulumi program.

Every module is a concern and reads as a reference of it. ``RULES`` lists all rules in the order of the concerns.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from inference.rules.framework import Rule

__all__ = ["RULES"]

_FOUNDATION = frozenset({"framework", "judging", "views"})
"""What rules are made with."""


def _collect() -> tuple[Rule, ...]:
    found: list[Rule] = []
    for name in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        if name not in _FOUNDATION and not name.startswith("_"):
            module = importlib.import_module(f"{__name__}.{name}")
            found += [r for r in vars(module).values() if isinstance(r, Rule) and r.check.__module__ == module.__name__]
    return tuple(found)


if TYPE_CHECKING:
    RULES: tuple[Rule, ...]
    """All rules."""


def __getattr__(name: str) -> tuple[Rule, ...]:
    """Return ``RULES``, collected when somebody first asks: rules use estimates, and estimates the views here."""
    if name != "RULES":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = _collect()
    return found
