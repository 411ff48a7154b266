"""The rules of the house, in the order in which a reader meets them."""

from __future__ import annotations

from inference.rules.framework import Rule

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = ()
