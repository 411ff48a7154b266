"""The section on the time to ready says what a change does to it, and whether a probe is too impatient."""

from __future__ import annotations

import json
from typing import Any

from rehearsal.diffs import compare
from rehearsal.plan import Plan, ResourceState, Step
from rehearsal.review.change import Side, StackChange
from rehearsal.review.document import Fold, Items, Section, Standing, Table
from rehearsal.review.sections.readiness import section
from rehearsal.verdict import Verdict

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
PATIENT = {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 10, "failureThreshold": 120}


def server(model: str = LLAMA, *, name: str = "llama", probe: dict[str, Any] | None = None) -> Step:
    amount = {"nvidia.com/gpu": 1}
    made = {
        "name": "vllm",
        "image": "vllm/vllm-openai:v0.32.0",
        "command": ["vllm", "serve", model],
        "resources": {"requests": amount, "limits": amount},
        "startupProbe": probe or PATIENT,
    }
    spec = {"containers": [made], "nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-l4"}}
    inputs = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "inference"},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": spec},
        },
    }
    urn = f"urn:pulumi:dev::project::kubernetes:apps/v1:Deployment::{name}"
    return Step("create", ResourceState(urn=urn, custom=True, inputs=inputs))


def made(before: list[Step] | None, after: list[Step] | None) -> Section:
    plans = [None if steps is None else Plan(tuple(steps)) for steps in (before, after)]
    diff = compare(plans[0] or Plan(()), plans[1] or Plan(()))
    sides = [None if plan is None else Side(plan) for plan in plans]
    found = section(StackChange("dev", sides[0], sides[1], diff, Verdict(())))
    assert found is not None
    json.dumps(found.data, allow_nan=False)
    return found


def cells(found: Section, row: int = 0) -> list[str]:
    table = found.blocks[0]
    assert isinstance(table, Table)
    assert all(len(entry) == len(table.header) for entry in table.rows)
    return [cell if isinstance(cell, str) else "".join(cell) for cell in table.rows[row]]


def test_a_program_without_models_has_no_section() -> None:
    empty = Plan(())
    assert section(StackChange("dev", Side(empty), Side(empty), compare(empty, empty), Verdict(()))) is None


def test_a_new_model_has_its_phases_and_what_they_assume() -> None:
    found = made(None, [server()])
    assert cells(found) == [f"{LLAMA} in llama (new)", "unknown", "4 min", "81 s", "3 min", "at least 8 min", "20 min"]
    fold = found.blocks[-1]
    assert isinstance(fold, Fold)
    (items,) = fold.blocks
    assert isinstance(items, Items)
    texts = [str(entry) for entry in items.entries]
    assert any(text.startswith("Weights: 16 GB from the Hugging Face Hub at 200 MB/s") for text in texts)
    assert any("https://github.com/llm-d/llm-d/pull/1902" in text for text in texts)


def test_what_stays_is_said_once_and_a_larger_model_is_slower() -> None:
    assert "→" not in "".join(cells(made([server()], [server()])))
    found = made([server()], [server("Qwen/Qwen3-32B")])
    assert cells(found)[0].endswith(": slower")
    assert cells(found)[3] == "81 s → 5 min"
    assert "1 got slower." in found.headline
    assert found.standing is Standing.SAFE


def test_a_probe_that_gives_up_too_early_is_a_risk_with_what_to_do() -> None:
    short = {**PATIENT, "failureThreshold": 12}
    found = made([server()], [server(probe=short)])
    assert found.standing is Standing.RISKY
    assert "llama" in found.reason
    assert cells(found)[0].endswith(": probe too short")
    assert cells(found)[6] == "20 min → 2 min"
    assert "Raise its failureThreshold" in "".join(str(block) for block in found.blocks)


def test_a_model_that_goes_is_named_and_no_risk() -> None:
    found = made([server(probe={**PATIENT, "failureThreshold": 1})], [])
    assert (found.standing, found.headline) == (Standing.SAFE, "No model is left.")
    assert cells(found)[0].endswith("(goes)")


def test_many_models_make_a_bounded_table() -> None:
    found = made(None, [server(name=f"m{i}") for i in range(200)])
    table = found.blocks[0]
    assert isinstance(table, Table)
    assert len(table.rows) == 61
