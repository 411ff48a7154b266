"""What a locked stack refuses, whichever way the change is asked for, and says so before anything is touched."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from inference.settings import NAMESPACE
from tests.support import variants
from tests.support.onengine import Stage
from tests.support.rehearsed import standing

pytestmark = pytest.mark.engine

POOL, CLUSTER = "NodePool::t4-nodes", "Cluster::inference-cluster"


def larger_machine(config: Any) -> None:
    config[f"{NAMESPACE}:pools"]["t4"]["machineType"] = "n1-standard-8"


def another_zone(config: Any) -> None:
    config[f"{NAMESPACE}:cluster"]["location"] = "us-central1-b"


def another_range(config: Any) -> None:
    config[f"{NAMESPACE}:cluster"]["network"] = {"nodes": "10.64.0.0/20"}


def another_pool(config: Any) -> None:
    config[f"{NAMESPACE}:pools"] = {"other": config[f"{NAMESPACE}:pools"]["t4"]}
    for model in config[f"{NAMESPACE}:models"].values():
        model["pool"] = "other"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stage, variants.Config]:
    """The dev stack, locked and deployed."""
    config = variants.locked(variants.read(standing("dev")), is_locked=True)
    stage = Stage(tmp_path_factory.mktemp("locked"), "dev")
    stage.configure(config)
    assert stage.run("up", "--skip-preview").status == 0
    return stage, config


@pytest.mark.parametrize(
    ("change", "named", "words"),
    [
        (larger_machine, POOL, "unable to replace resource"),
        (another_zone, CLUSTER, "unable to replace resource"),
        (another_range, CLUSTER, "unable to replace resource"),
        (another_pool, POOL, "cannot be deleted"),
    ],
)
def test_a_change_that_gives_capacity_back_is_refused_by_name(
    running: tuple[Stage, variants.Config], change: Callable[[Any], None], named: str, words: str
) -> None:
    stage, config = running
    changed = copy.deepcopy(config)
    change(changed)
    assert variants.accepted(changed), "the settings are right; what is refused is the change"
    stage.configure(changed)
    for command in (["preview"], ["up"]):
        done = stage.run(*command)
        assert done.status != 0, done.text
        assert named in done.text
        assert words in done.text
        assert "protect" in done.text
        assert not done.changed()
