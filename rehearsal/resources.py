"""A plan as the rules and estimates see it: the same views of the same messages."""

from __future__ import annotations

from inference.rules.views.stack import Stack
from policies import decoding
from rehearsal.plan import Plan
from rehearsal.verdict import stack_resource

__all__ = ["stack"]


def stack(plan: Plan) -> Stack:
    """Return the resources of a plan with their relations."""
    return Stack(decoding.resource(stack_resource(state, plan)) for state in plan)
