"""An update that does not end as it should: no capacity, no electricity."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rehearsal import urns
from rehearsal.providers.faults import FAIL_CREATE, HOLD_CREATE, LOSE_CREATE
from rehearsal.providers.journal import Entry
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
    assert "Traceback" not in failed.text, "nothing hides what failed"
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


@pytest.mark.parametrize("held", ["platform-vpc", "inference-cluster", "t4-nodes", "qwen-server"])
def test_a_killed_update_is_taken_up_where_it_was(held: str, undisturbed: tuple[Any, Any], tmp_path: Path) -> None:
    stage = staged(tmp_path, "dev")
    _end_while_creating(stage, held, "begin", HOLD_CREATE)
    done = {entry.urn for entry in stage.home.journal.read() if (entry.phase, entry.operation) == ("end", "create")}
    locked = stage.run("up", "--skip-preview")
    assert locked.status != 0
    assert "pulumi cancel" in locked.text
    assert not locked.changed()
    assert stage.run("cancel", "--yes").status == 0
    resumed = stage.run("up", "--skip-preview")
    assert resumed.status == 0, resumed.text
    assert f"{held}, interrupted while creating" in resumed.text
    assert not done & {urn for _, urn in resumed.changed("create")}
    assert stage.normal() == undisturbed


def test_an_interrupted_update_ends_in_good_order_and_is_taken_up(undisturbed: tuple[Any, Any], tmp_path: Path) -> None:
    stage = staged(tmp_path, "dev")

    def interrupt(process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) != 0

    _end_while_creating(stage, "inference-cluster", "begin", HOLD_CREATE, interrupt)
    resumed = stage.run("up", "--skip-preview")
    assert resumed.status == 0, resumed.text
    assert "interrupted while" not in resumed.text
    assert stage.normal() == undisturbed


def test_what_the_cloud_finished_after_the_kill_is_imported(undisturbed: tuple[Any, Any], tmp_path: Path) -> None:
    stage = staged(tmp_path, "dev")
    made = _end_while_creating(stage, "inference-cluster", "end", LOSE_CREATE)
    assert stage.run("cancel", "--yes").status == 0
    refused = stage.run("up", "--skip-preview")
    assert refused.status != 0
    assert f"Already Exists: {made.id}" in refused.text
    assert "Traceback" not in refused.text
    before, _, _ = made.urn.rpartition("$")
    options = ["--parent", f"above={before}::inference", "--provider", f"gcp={_provider(stage)}"]
    kept = ["--yes", "--skip-preview", "--generate-code=false", "--protect=false"]
    imported = stage.run("import", made.type, "inference-cluster", made.id, *options, *kept)
    assert imported.status == 0, imported.text
    resumed = stage.run("up", "--skip-preview")
    assert resumed.status == 0, resumed.text
    assert made.urn not in {urn for _, urn in resumed.changed()}
    assert stage.normal() == undisturbed


def _provider(stage: Stage) -> str:
    (found,) = (str(r["urn"]) for r in stage.state() if r["type"] == "pulumi:providers:gcp")
    return found


def _end_while_creating(
    stage: Stage, name: str, phase: str, fault: str, end: Callable[[subprocess.Popen[str]], None] = kill
) -> Entry:
    """End an update when the creation of a resource has come to a phase; returns the entry that says so."""
    process = stage.start("up", "--skip-preview", **{fault: f"::{name}$"})
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for entry in stage.home.journal.read():
                if entry.operation == "create" and entry.phase == phase and urns.parse(entry.urn).name == name:
                    _settle(stage)
                    return entry
            time.sleep(0.1)
        raise AssertionError(f"the creation of {name} never began")
    finally:
        end(process)


def _settle(stage: Stage) -> None:
    """Wait until the engine has nothing under way but what is held: only that shall be lost."""
    seen = -1
    while seen != (now := len(stage.home.journal.read())):
        seen = now
        time.sleep(2)
