"""Our tables of machines and slices and that of xpk (https://github.com/AI-Hypercomputer/xpk) say the same.

xpk pins what it needs so tightly that it cannot be installed beside this project; ``make`` installs it without that,
because only its table is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from inference.facts.machines import MACHINES, machine
from inference.facts.tpus import GENERATIONS, Slice, generation_of_machine, slice_of
from tests.support.disagreements import Disagreement, unexplained

xpk = pytest.importorskip(
    "xpk.core.system_characteristics", reason="xpk is not installed (pip install --no-deps 'xpk~=1.16')"
)

FABRICS = {"fastrak": None, "rdma": "roce", "tcpx": "tcpx", "tcpxo": "tcpxo"}
"""Fabric of a machine by xpk's name; ``fastrak`` is its word for none."""

KNOWN = {
    "tpu7-standard-1t": Disagreement(
        theirs="tpu7",
        ours=None,
        why="xpk lists the machine under this name, too; GKE documents tpu7x-standard-1t and -4t only",
        source="https://docs.cloud.google.com/kubernetes-engine/docs/how-to/tpu-ironwood, 2026",
    ),
    "tpu7-standard-4t": Disagreement(
        theirs="tpu7",
        ours=None,
        why="as for tpu7-standard-1t",
        source="https://docs.cloud.google.com/kubernetes-engine/docs/how-to/tpu-ironwood, 2026",
    ),
}


def rows(kind: str) -> Iterator[tuple[str, Any]]:
    """Yield xpk's name and row of every accelerator of a kind."""
    for name, row in xpk.UserFacingNameToSystemCharacteristics.items():
        if row.accelerator_type.name == kind:
            yield name, row


def test_accelerators_gpus_architecture_and_fabric_of_gpu_machines_are_xpks() -> None:
    theirs: dict[str, object] = {
        row.gce_machine_type: (
            row.gke_accelerator,
            row.chips_per_vm,
            row.docker_platform.value,
            FABRICS[row.gpu_config.gpu_direct_name],
        )
        for _, row in rows("GPU")
    }
    ours: dict[str, object] = {}
    for name in theirs:
        if made := machine(name):
            fabric = made.fabric.name if made.fabric else None
            ours[name] = (made.accelerator, made.gpus, f"linux/{made.arch}", fabric)
    assert len(theirs) >= 14
    assert theirs.keys() <= MACHINES.keys()
    assert not unexplained(theirs, ours, {})


def test_accelerators_of_tpu_machines_are_xpks_save_for_known_differences() -> None:
    theirs: dict[str, object] = {row.gce_machine_type: row.gke_accelerator for _, row in rows("TPU")}
    found = {name: generation_of_machine(name) for name in theirs}
    ours: dict[str, object] = {name: made.accelerator if made else None for name, made in found.items()}
    assert {made.name for made in found.values() if made} == set(GENERATIONS)
    assert not unexplained(theirs, ours, KNOWN)


def is_written(topology: str) -> bool:
    """Whether GKE writes a topology so: with rising sides, save for one small one.

    https://docs.cloud.google.com/kubernetes-engine/docs/concepts/plan-tpus, 2026
    """
    sides = [int(side) for side in topology.split("x")]
    return topology == "2x2x1" or sides == sorted(sides)


def slices() -> Iterator[tuple[str, Any, Slice]]:
    """Yield xpk's name and row of every slice that is known here, and ours."""
    for name, row in rows("TPU"):
        generation = generation_of_machine(row.gce_machine_type)
        if generation is not None and is_written(row.topology):
            yield name, row, slice_of(generation, row.topology, row.gce_machine_type)


def test_nodes_chips_and_placement_of_slices_are_xpks() -> None:
    theirs: dict[str, object] = {}
    ours: dict[str, object] = {}
    for name, row, made in slices():
        theirs[name] = (row.vms_per_slice, row.chips_per_vm, row.requires_workload_policy)
        policy = made.multi_host and made.generation.placement == "workload-policy"
        ours[name] = (made.nodes, made.chips_per_node, policy)
    assert len(theirs) > 1000
    assert not unexplained(theirs, ours, {})


def test_types_of_slices_by_their_size_are_xpks() -> None:
    theirs: dict[str, object] = {}
    ours: dict[str, object] = {}
    for name, row, made in slices():
        if "x" not in name.rpartition("-")[2]:
            place = f"{row.topology} of {row.gce_machine_type}"
            theirs[place], ours[place] = name, made.accelerator_type
    assert len(theirs) > 100
    assert not unexplained(theirs, ours, {})


def test_only_for_v4_does_xpk_write_sides_that_do_not_rise() -> None:
    falling = {row.gce_machine_type for _, row in rows("TPU") if not is_written(row.topology)}
    assert falling == {"ct4p-hightpu-4t"}
