"""An update that does not end as it should: no capacity, no electricity."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from rehearsal import urns
from rehearsal.providers.faults import FAIL_CREATE, HOLD_CREATE
from tests.support import variants
from tests.support.onengine import Stage, kill
from tests.support.rehearsed import standing

pytestmark = pytest.mark.engine

POOL = "gcp:container/nodePool:NodePool"


def staged(folder: Path, stack: str) -> Stage:
    stage = Stage(folder, stack)
    stage.configure(variants.read(standing(stack)))
    return stage


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """State and stand-in cloud after an update that nothing disturbed."""
    stage = staged(tmp_path_factory.mktemp("undisturbed"), "dev")
    assert stage.run("up", "--skip-preview").status == 0
    return stage.normal()


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_pool_for_which_there_is_no_capacity_fails_alone_and_the_next_update_goes_on(
    stack: str, tmp_path: Path
) -> None:
    stage = staged(tmp_path, stack)
    failed = stage.run("up", "--skip-preview", **{FAIL_CREATE: "GpuNodePool.*nodes$"})
    assert failed.status != 0
    assert "GCE_STOCKOUT" in failed.text
    assert "does not have enough resources" in failed.text
    (pool,) = {entry.urn for entry in failed.entries if entry.phase == "fail"}
    assert urns.resource_type(pool) == POOL
    made = {urn for _, urn in failed.changed("create")}
    continued = stage.run("up", "--skip-preview")
    assert continued.status == 0, continued.text
    assert not continued.changed("update", "delete")
    later = [urn for _, urn in continued.changed("create")]
    assert pool in later
    assert not made & set(later)
    assert stage.run("preview", "--expect-no-changes").status == 0


@pytest.mark.parametrize("held", ["platform-vpc", "inference-cluster", "qwen-server"])
def test_a_killed_update_is_taken_up_where_it_was(held: str, undisturbed: tuple[Any, Any], tmp_path: Path) -> None:
    stage = staged(tmp_path, "dev")
    process = stage.start("up", "--skip-preview", **{HOLD_CREATE: f"::{held}$"})
    try:
        _await_creation(stage, held)
    finally:
        kill(process)
    done = {entry.urn for entry in stage.home.journal.read() if (entry.phase, entry.operation) == ("end", "create")}
    assert stage.run("cancel", "--yes").status == 0
    resumed = stage.run("up", "--skip-preview")
    assert resumed.status == 0, resumed.text
    assert f"{held}, interrupted while creating" in resumed.text
    assert not done & {urn for _, urn in resumed.changed("create")}
    assert stage.normal() == undisturbed


def _await_creation(stage: Stage, name: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if any(urns.parse(e.urn).name == name for e in stage.home.journal.read() if e.operation == "create"):
            return
        time.sleep(0.1)
    raise AssertionError(f"the creation of {name} never began")
