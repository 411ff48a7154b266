"""Our table of GPUs and the catalog of the llm-d planner (https://github.com/llm-d/llm-d-planner) say the same."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from inference.facts.gpus import GPUS
from tests.support.disagreements import Disagreement, unexplained

pytest.importorskip("planner", reason="llm-d-planner is not installed")

SAME = {
    "A100-40": "nvidia-tesla-a100",
    "A100-80": "nvidia-a100-80gb",
    "B200": "nvidia-b200",
    "H100": "nvidia-h100-80gb",
    "H200": "nvidia-h200-141gb",
    "L4": "nvidia-l4",
}
"""The planner's names to those of GKE."""

ELSEWHERE = {"A10G", "B100", "L20", "L40", "MI300X"}
"""GPUs that Google Cloud does not offer (https://docs.cloud.google.com/compute/docs/gpus, 2026-04-14)."""

KNOWN = {
    "B200 memory": Disagreement(
        theirs=192,
        ours=180,
        why="192 GB is all that the two dies carry; NVIDIA sells 180 of them, and CUDA finds 178.35 GiB",
        source="https://docs.cloud.google.com/compute/docs/gpus, 2026-04-14; https://github.com/pytorch/ao/pull/4002, 2026-03-05",
    )
}


def catalog() -> dict[str, dict[str, object]]:
    text = files("planner").joinpath("data/configuration/gpu_catalog.json").read_text(encoding="utf-8")
    return {row["gpu_type"]: row for row in json.loads(text)["gpu_types"]}


def test_memory_and_compute_capability_are_the_planners_save_for_known_differences() -> None:
    theirs: dict[str, object] = {}
    ours: dict[str, object] = {}
    for name, accelerator in SAME.items():
        row, gpu = catalog()[name], GPUS[accelerator]
        theirs |= {f"{name} memory": row["memory_gb"], f"{name} capability": row["compute_capability"]}
        ours |= {
            f"{name} memory": gpu.memory_gb,
            f"{name} capability": ".".join(str(part) for part in gpu.compute_capability),
        }
    assert not unexplained(theirs, ours, KNOWN)


def test_every_gpu_of_the_planner_is_in_our_table_or_not_on_google_cloud() -> None:
    assert set(catalog()) == SAME.keys() | ELSEWHERE
