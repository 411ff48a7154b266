"""The verdict of the project's own pack on a plan."""

from __future__ import annotations

from rehearsal.plan import Plan
from rehearsal.verdict import judge, own_pack
from tests.support.stacks import ROOT


def findings(plan: Plan, stack: str = "") -> list[str]:
    """Return every finding, advisory ones included, as one line each."""
    verdict = judge(plan, own_pack(ROOT, stack))
    return [f"{finding.policy}: {finding.message}" for finding in verdict.findings]
