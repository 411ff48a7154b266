"""What a plan costs, by the prices and measurements that its own configuration states."""

from __future__ import annotations

import json

from inference.estimates.costs import Estimate, estimate
from inference.estimates.pricing import Agreement
from inference.settings import NAMESPACE
from rehearsal import resources
from rehearsal.plan import Plan

__all__ = ["agreement", "of_plan"]

_KEY = f"{NAMESPACE}:costs"


def agreement(plan: Plan) -> Agreement:
    """Return what a plan's configuration says about costs; nothing where it is no JSON, or where there is none."""
    try:
        return Agreement.of(json.loads(plan.config.get(_KEY, "")))
    except (ValueError, RecursionError):
        return Agreement()


def of_plan(plan: Plan) -> Estimate:
    """Return the cost lines of a plan."""
    return estimate(resources.stack(plan), agreement(plan))
