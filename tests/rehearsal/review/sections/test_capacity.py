"""The review's answer on capacity: what changed first, risky where more scarce capacity is needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from rehearsal import diffs
from rehearsal.plan import Plan, ResourceState, Step
from rehearsal.review.change import Side, StackChange
from rehearsal.review.document import Block, Code, Fold, Items, Paragraph, Section, Standing, Table, Text
from rehearsal.review.sections import capacity
from rehearsal.verdict import Verdict
from tests.support.rehearsed import rehearsed, standing
from tests.support.stacks import ROOT

POOL = "gcp:container/nodePool:NodePool"


def edited(plan: Plan, name: str, **changes: Any) -> Plan:
    """Return a plan in which inputs and outputs of one resource are laid over."""

    def step(old: Step) -> Step:
        if old.state.name != name or old.state.type != POOL:
            return old
        state: ResourceState = old.state
        inputs, outputs = _over(state.inputs, changes), _over(state.outputs, changes)
        return replace(old, state=replace(state, inputs=inputs, outputs=outputs, wire=None))

    return Plan(tuple(step(old) for old in plan.steps))


def _over(base: Any, changes: dict[str, Any]) -> dict[str, Any]:
    return {**base, **{k: {**base.get(k, {}), **v} if isinstance(v, dict) else v for k, v in changes.items()}}


def answer(before: Plan | None, after: Plan | None) -> Section | None:
    sides = [Side(plan) if plan else None for plan in (before, after)]
    diff = diffs.compare(before or Plan(()), after or Plan(()))
    return capacity.section(StackChange(name="prod", before=sides[0], after=sides[1], diff=diff, verdict=Verdict()))


@cache
def prod() -> Plan:
    return rehearsed(standing("prod"))


def flat(text: Text) -> str:
    return text if isinstance(text, str) else "".join(text)


def lines(blocks: Any) -> Iterator[str]:
    for block in blocks:
        match block:
            case Table():
                yield from (" | ".join(flat(cell) for cell in row) for row in block.rows)
            case Fold():
                yield from (f"  {line}" for line in lines(block.blocks))
            case Items():
                yield from (flat(entry) for entry in block.entries)
            case Paragraph():
                yield flat(block.text)
            case _:
                raise AssertionError(f"{block} is no block of this section")


def open_lines(section: Section) -> list[str]:
    shown: list[Block] = [block for block in section.blocks if not isinstance(block, Fold)]
    return list(lines(shown))


def made(before: Plan | None, after: Plan | None) -> Section:
    found = answer(before, after)
    assert found is not None
    return found


def test_an_unchanged_stack_is_safe_and_says_so_in_one_line() -> None:
    found = made(prod(), prod())
    assert found.standing is Standing.SAFE
    assert found.headline == "Unchanged: 16–32 nvidia-h200-141gb (reservation, us-central1)."
    assert open_lines(found) == [], "what did not change is folded"


def test_more_scarce_nodes_are_risky_with_the_request_to_make() -> None:
    grown = edited(prod(), "h200-nodes", autoscaling={"totalMaxNodeCount": 6})
    found = made(prod(), grown)
    assert found.standing is Standing.RISKY
    assert found.reason == ("it needs more scarce capacity: nvidia-h200-141gb (reservation, us-central1) 16–32 → 16–48")
    shown = open_lines(found)
    assert "--vm-count=6" in shown[0]
    assert "nvidia-h200-141gb | reservation | us-central1 | 16 | 32 → 48" in shown
    assert "HDB_TOTAL_GB | us-central1 | GB | 200 | 400 → 600" in shown
    assert not [line for line in shown if line.startswith("NETWORKS")]


def test_fewer_nodes_are_safe() -> None:
    found = made(edited(prod(), "h200-nodes", autoscaling={"totalMaxNodeCount": 6}), prod())
    assert found.standing is Standing.SAFE
    assert "16–48 → 16–32" in flat(found.headline)


def test_capacity_bought_another_way_is_scarce_anew_and_its_quota_is_asked_for() -> None:
    spot = edited(prod(), "h200-nodes", nodeConfig={"spot": True, "reservationAffinity": {}})
    found = made(prod(), spot)
    assert found.standing is Standing.RISKY
    assert "(spot, us-central1)" in found.reason
    assert "--quota-id=PREEMPTIBLE-NVIDIA-H200-GPUS-per-project-region --preferred-value=32" in "\n".join(
        open_lines(found)
    )


def test_more_of_what_is_not_scarce_is_safe() -> None:
    dev = rehearsed(standing("dev"))
    (name,) = [state.name for state in dev.of_type(POOL) if "t4" in state.name]
    found = made(dev, edited(dev, name, autoscaling={"totalMaxNodeCount": 5}))
    assert found.standing is Standing.SAFE
    assert any("0 | 3 → 5" in line for line in open_lines(found))


def test_a_new_stack_shows_its_whole_need() -> None:
    found = made(None, prod())
    assert found.headline == "Needs 16–32 nvidia-h200-141gb (reservation, us-central1)."
    assert found.reason.startswith("it needs scarce capacity: nvidia-h200-141gb")
    assert "→" not in "\n".join(lines(found.blocks))


def test_a_stack_that_goes_needs_nothing_more() -> None:
    found = made(prod(), None)
    assert found.standing is Standing.SAFE
    assert any("16 → none | 32 → none" in line for line in open_lines(found))
    assert found.data["after"] is None


def test_a_stack_without_cloud_resources_has_no_such_section() -> None:
    assert answer(Plan(()), Plan(())) is None


def test_an_unknown_size_is_said_and_not_guessed() -> None:
    found = made(prod(), edited(prod(), "h200-nodes", autoscaling={"totalMaxNodeCount": None}))
    assert found.standing is Standing.RISKY
    assert any("32 → unknown" in line for line in open_lines(found))


@pytest.mark.parametrize("example", sorted(path.stem for path in (ROOT / "examples").glob("tpu-v6e*.yaml")))
def test_every_row_is_as_long_as_its_header(example: str) -> None:
    found = made(None, rehearsed(ROOT / "examples" / f"{example}.yaml"))

    def tables(blocks: Any) -> Iterator[Table]:
        for block in blocks:
            if isinstance(block, Table):
                yield block
            elif isinstance(block, Fold):
                yield from tables(block.blocks)

    assert list(tables(found.blocks))
    assert all(len(row) == len(table.header) for table in tables(found.blocks) for row in table.rows)


def test_names_of_a_program_are_marked_as_code() -> None:
    found = made(None, prod())
    cells = [piece for line in found.blocks if isinstance(line, Table) for row in line.rows for piece in row[0]]
    assert Code("nvidia-h200-141gb") in cells
    assert all(isinstance(piece, Code) for piece in cells if piece.startswith(("nvidia", "h200")))
