"""All rules of the house, in the order of the concerns."""

from __future__ import annotations

import importlib
import pkgutil

from inference import rules
from inference.rules.framework import Rule

__all__ = ["RULES"]

_FOUNDATION = frozenset({"framework", "judging", "registry", "views"})
"""What rules are made with."""


def _collect() -> tuple[Rule, ...]:
    found: list[Rule] = []
    for name in sorted(info.name for info in pkgutil.iter_modules(rules.__path__)):
        if name not in _FOUNDATION:
            module = importlib.import_module(f"{rules.__name__}.{name}")
            found += [r for r in vars(module).values() if isinstance(r, Rule) and r.check.__module__ == module.__name__]
    return tuple(found)


RULES = _collect()
"""All rules."""
