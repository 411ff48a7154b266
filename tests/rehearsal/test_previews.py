"""A real preview: the engine's own word on each step, whatever our tables would say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inference.problems import ProblemsError
from rehearsal import previews

POOL = "urn:pulumi:dev::house::gcp:container/nodePool:NodePool::pool"
BUCKET = "urn:pulumi:dev::house::gcp:storage/bucket:Bucket::bucket"


def state(urn: str, **inputs: Any) -> dict[str, Any]:
    return {"urn": urn, "custom": True, "type": urn.split("::")[2], "inputs": inputs}


def written(tmp_path: Path, *steps: dict[str, Any], **more: Any) -> Path:
    path = tmp_path / "preview.json"
    path.write_text(json.dumps({"steps": steps, **more}), encoding="utf-8")
    return path


def test_the_three_steps_of_a_replacement_are_one_change_with_the_engines_reasons(tmp_path: Path) -> None:
    old, new = state(POOL, diskSize=1, label="a"), state(POOL, diskSize=2, label="b")
    steps = [
        {"op": "create-replacement", "urn": POOL, "oldState": old, "newState": new, "replaceReasons": ["diskSize"]},
        {"op": "replace", "urn": POOL, "oldState": old, "newState": new, "replaceReasons": ["diskSize"]},
        {"op": "delete-replaced", "urn": POOL, "oldState": old},
    ]
    before, after, diff = previews.load(written(tmp_path, *steps))

    (change,) = diff.changes
    assert change.op == "replace"
    assert {prop.path: prop.replaces for prop in change.properties} == {"diskSize": True, "label": False}
    assert [found.inputs["diskSize"] for plan in (before, after) for found in (plan.by_urn[POOL],)] == [1, 2]


def test_a_reason_that_shows_no_other_value_is_still_a_reason(tmp_path: Path) -> None:
    same = state(POOL, cluster="c")
    step = {"op": "replace", "urn": POOL, "oldState": same, "newState": same}
    step["detailedDiff"] = {"cluster": {"kind": "update-replace", "inputDiff": True}}
    _, _, diff = previews.load(written(tmp_path, step))
    assert [(prop.path, prop.replaces) for prop in diff.changes[0].properties] == [("cluster", True)]


def test_our_tables_do_not_overrule_the_engine(tmp_path: Path) -> None:
    step = {
        "op": "update",
        "urn": BUCKET,
        "oldState": state(BUCKET, location="US"),
        "newState": state(BUCKET, location="EU"),
    }
    _, _, diff = previews.load(written(tmp_path, step))
    (change,) = diff.changes
    assert change.op == "update"
    assert [prop.replaces for prop in change.properties] == [False]


def test_creations_and_deletions_have_one_side(tmp_path: Path) -> None:
    steps = [
        {"op": "create", "urn": POOL, "newState": state(POOL)},
        {"op": "delete", "urn": BUCKET, "oldState": state(BUCKET)},
    ]
    before, after, diff = previews.load(written(tmp_path, *steps))
    assert {change.urn: change.op for change in diff.changes} == {POOL: "create", BUCKET: "delete"}
    assert (list(before.by_urn), list(after.by_urn)) == ([BUCKET], [POOL])


def test_a_preview_that_leaves_out_what_stays_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match="show-sames"):
        previews.load(written(tmp_path, changeSummary={"same": 3}))


@pytest.mark.parametrize("steps", ["text", [7], [{}], [{"op": "create"}], [{"op": "create", "urn": "x"}]])
def test_what_is_no_preview_is_refused_in_words(tmp_path: Path, steps: Any) -> None:
    path = tmp_path / "preview.json"
    path.write_text(json.dumps({"steps": steps}), encoding="utf-8")
    with pytest.raises(ProblemsError, match="not a plan"):
        previews.load(path)


def test_a_preview_without_steps_changes_nothing(tmp_path: Path) -> None:
    assert not previews.load(written(tmp_path))[2].changes
