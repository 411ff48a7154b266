"""The section on fit says what a change does to the room that models have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rehearsal.diffs import compare
from rehearsal.plan import Plan, ResourceState, Step
from rehearsal.review.change import Side, StackChange
from rehearsal.review.document import Section, Standing, Table
from rehearsal.review.sections.fit import section
from rehearsal.verdict import Verdict

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


def server(*args: str, model: str = LLAMA, gpu: str = "nvidia-l4", name: str = "llama", count: int = 1) -> Step:
    amount = {"nvidia.com/gpu": count}
    made = {
        "name": "vllm",
        "image": "vllm/vllm-openai:v0.32.0",
        "command": ["vllm", "serve", model],
        "args": list(args),
        "resources": {"requests": amount, "limits": amount},
    }
    spec = {"containers": [made], "nodeSelector": {"cloud.google.com/gke-accelerator": gpu}}
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    inputs = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "inference"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template},
    }
    urn = f"urn:pulumi:dev::project::kubernetes:apps/v1:Deployment::{name}"
    return Step("create", ResourceState(urn=urn, custom=True, inputs=inputs))


def change(before: list[Step] | None, after: list[Step] | None) -> Section | None:
    plans = [None if steps is None else Plan(tuple(steps)) for steps in (before, after)]
    diff = compare(plans[0] or Plan(()), plans[1] or Plan(()))
    sides = [None if plan is None else Side(plan) for plan in plans]
    return section(StackChange("dev", sides[0], sides[1], diff, Verdict(())))


def table(found: Section) -> Table:
    first = found.blocks[0]
    assert isinstance(first, Table)
    return first


def cells(found: Section, row: int = 0) -> list[str]:
    return [cell if isinstance(cell, str) else "".join(cell) for cell in table(found).rows[row]]


def made(before: list[Step] | None, after: list[Step] | None) -> Section:
    found = change(before, after)
    assert found is not None
    for row in table(found).rows:
        assert len(row) == len(table(found).header)
    json.dumps(found.data, allow_nan=False)
    return found


def test_a_program_without_models_has_no_section() -> None:
    assert change([], []) is None


def test_what_stays_is_said_once() -> None:
    found = made([server("--max-model-len=8192")], [server("--max-model-len=8192")])
    assert found.standing is Standing.SAFE
    assert found.headline == "The model fits."
    assert not any("→" in cell for cell in cells(found))
    assert cells(found)[:3] == [LLAMA, "1 × NVIDIA L4", "15.0"]


def test_a_longer_context_holds_fewer_sequences_and_is_marked_tighter() -> None:
    found = made([server("--max-model-len=4096")], [server("--max-model-len=8192")])
    assert cells(found)[0] == f"{LLAMA}: tighter"
    assert cells(found)[6] == "0.50 → 1.0"
    assert cells(found)[9] == "6 → 3"
    assert found.headline == "The model fits; 1 got tighter."


def test_half_of_the_sequences_gone_is_a_risk() -> None:
    found = made([server("--max-model-len=2048")], [server("--max-model-len=16384")])
    assert found.standing is Standing.RISKY
    assert "fewer sequences" in found.reason


def test_a_model_that_does_not_fit_breaks_the_stack() -> None:
    found = made([server("--max-model-len=8192")], [server("--max-model-len=131072")])
    assert found.standing is Standing.BROKEN
    assert found.reason == f"{LLAMA} does not fit its accelerators"
    assert "does not fit" in cells(found)[0]
    assert "1 does not fit" in found.headline


def test_a_sum_that_is_close_is_a_risk() -> None:
    assert made(None, [server("--max-model-len=32768")]).standing is Standing.RISKY


def test_another_model_and_another_gpu_are_named_on_both_sides() -> None:
    old = [server("--max-model-len=4096")]
    found = made(old, [server("--max-model-len=4096", model="Qwen/Qwen3-32B", gpu="nvidia-h100-80gb")])
    assert cells(found)[0].startswith(f"{LLAMA} → Qwen/Qwen3-32B")
    assert cells(found)[1] == "1 × NVIDIA L4 → 1 × NVIDIA H100 80GB"


def test_an_unknown_model_is_named_with_the_reason_and_breaks_nothing() -> None:
    found = made(None, [server("--max-model-len=4096", model="some/unheard-of")])
    assert found.standing is Standing.SAFE
    assert cells(found)[2] == "unknown"
    assert "some/unheard-of is not among the known models" in str(found.blocks[1])


def test_a_stack_that_goes_is_no_risk_whatever_its_models_were() -> None:
    found = made([server("--max-model-len=131072")], None)
    assert (found.standing, found.headline) == (Standing.SAFE, "The models go.")


def test_a_server_that_goes_is_no_risk_either() -> None:
    found = made([server("--max-model-len=131072"), server("--max-model-len=4096", name="b")], [server(
        "--max-model-len=4096", name="b")])  # fmt: skip
    assert found.standing is Standing.SAFE
    assert any("(goes)" in cells(found, row)[0] for row in range(len(table(found).rows)))


def test_two_servers_of_one_model_are_told_apart() -> None:
    found = made(None, [server("--max-model-len=4096"), server("--max-model-len=4096", name="again")])
    assert {cells(found, row)[0] for row in (0, 1)} == {f"{LLAMA} in llama (new)", f"{LLAMA} in again (new)"}


@pytest.mark.parametrize("count", [500])
def test_many_models_make_a_bounded_table_and_complete_data(count: int) -> None:
    steps = [server("--max-model-len=4096", name=f"m{i}") for i in range(count)]
    found = made(None, steps)
    assert len(table(found).rows) < 100
    assert "440 more" in cells(found, -1)[0]
    servers: Any = found.data["servers"]
    assert len(servers) == count
