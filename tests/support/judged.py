"""The verdict of the project's own pack on a plan."""

from __future__ import annotations

from rehearsal import ownpack
from rehearsal.plan import Plan
from tests.support.stacks import ROOT


def findings(plan: Plan, stack: str = "") -> list[str]:
    """Return every finding, advisory ones included, as one line each."""
    return [f"{finding.policy}: {finding.message}" for finding in ownpack.judge(ROOT, stack, plan).findings]
