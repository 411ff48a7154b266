"""The program, run once for each stack file and mode, for all tests that ask about its resources."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from rehearsal import project, stackfiles
from rehearsal.plan import Plan
from rehearsal.program import run
from tests.support.stacks import ROOT


@cache
def rehearsed(path: Path, *, preview: bool = False) -> Plan:
    """Return what the program registers for a stack file."""
    house = project.find(ROOT)
    file = stackfiles.read(path, house, stackfiles.stack_of(path))
    return run(
        house.main, house.name, file.stack, file.config, secret_keys=file.secret_keys, root=ROOT, preview=preview
    )


def standing(stack: str) -> Path:
    """Return the path of a standing stack file."""
    return ROOT / f"Pulumi.{stack}.yaml"


def inputs(plan: Plan, token: str) -> list[Mapping[str, object]]:
    """Return the inputs of all resources of a type."""
    return [state.inputs for state in plan.of_type(token)]
