"""The project's own policy pack, asked in this process."""

from __future__ import annotations

from pathlib import Path

from inference.rules.registry import RULES
from policies import configuration
from policies.servicer import in_process_servicer
from rehearsal import verdict
from rehearsal.plan import Plan
from rehearsal.verdict import Analyzer, Verdict

__all__ = ["judge"]


def judge(root: Path, stack: str, plan: Plan) -> Verdict:
    """Ask the pack of the project in a folder, with the levels and parameters of ``policies/config.<stack>.json``.

    A project without a pack is not judged.

    Raises:
        ProblemsError: where that file is wrong.
    """
    if not (root / "policies" / "servicer.py").is_file():
        return Verdict()
    path = root / "policies" / f"config.{stack}.json"
    analyzer: Analyzer = in_process_servicer(configuration.load(path, RULES) if path.is_file() else {})
    return verdict.judge(plan, analyzer)
