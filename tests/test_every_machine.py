"""Every machine, every TPU slice and every way to buy them: it works as a whole program, or is refused with a reason."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from inference.facts.gpus import GPUS
from inference.facts.machines import ATTACHABLE, MACHINES, Machine, machine
from inference.facts.tpus import GENERATIONS, slice_of
from inference.facts.vllm import MIN_COMPUTE_CAPABILITY
from inference.settings.models import MOST_TENSOR_PARALLEL
from tests.support.generated import CAPACITIES, first_choice, problems, stack, written, zone_of
from tests.support.judged import findings
from tests.support.placement import place
from tests.support.references import dangling
from tests.support.rehearsed import inputs, rehearsed

POOL = "gcp:container/nodePool:NodePool"
NODES = {"min": 0, "max": 2}


def gpu_pool(found: Machine, **more: Any) -> dict[str, Any]:
    return {"kind": "gpu", "machineType": found.name, "nodes": NODES, "capacity": first_choice(found), **more}


def works(sections: dict[str, Any], folder: Path) -> Any:
    """Rehearse a stack; returns its accelerator pool. Nothing is found, nothing dangles, every pod has a node."""
    plan = rehearsed(written(sections, folder))
    assert not findings(plan)
    assert not dangling(plan)
    placed = place(plan)
    assert not placed.pending, str(placed)
    (pool,) = (each for each in inputs(plan, POOL) if "gke-inference/pool" in each["nodeConfig"].get("labels", {}))  # type: ignore[attr-defined]
    return pool


REFUSED_MACHINES = {
    **dict.fromkeys(("g4-standard-6", "g4-standard-12", "g4-standard-24"), "carries no GPU"),
    **dict.fromkeys(("a4x-maxgpu-4g-metal", "a4x-maxgpu-4g-metal-nolssd"), "a4x-maxgpu-4g-metal"),
}


@pytest.mark.parametrize("name", MACHINES)
def test_every_machine_serves_a_model_or_is_refused_with_its_name(name: str, tmp_path: Path) -> None:
    found = MACHINES[name]
    sections = stack(zone_of(found), gpu_pool(found))
    if name in REFUSED_MACHINES:
        (problem,) = problems(sections)
        assert problem.where == "pools.pool.machineType"
        assert name in problem.what
        assert REFUSED_MACHINES[name] in problem.what
        return
    assert not problems(sections)
    pool = works(sections, tmp_path)
    (guest,) = pool["nodeConfig"]["guestAccelerators"]
    assert (guest["type"], guest["count"]) == (found.accelerator, found.gpus)


FABRICS = {name: found for name, found in MACHINES.items() if found.fabric is not None}


@pytest.mark.parametrize(
    ("name", "network"), [*itertools.product(FABRICS, (None, "multi-network", "dranet", "default"))], ids=str
)
def test_a_model_over_two_nodes_uses_the_fabric_or_is_refused(name: str, network: str | None) -> None:
    found = FABRICS[name]
    fabric = found.fabric
    assert fabric is not None
    sizes = {"tensor": 4, "pipeline": 2 * found.gpus // 4}
    pool = gpu_pool(found) | ({"network": network} if network else {})
    said = problems(stack(zone_of(found), pool, parallelism=sizes))
    served = name not in REFUSED_MACHINES and fabric.name != "tcpx"
    offered = {None: True, "multi-network": fabric.multi_network, "dranet": fabric.dranet, "default": False}[network]
    assert (not said) == (served and offered), said
    assert not any("RDMA" in p.why and fabric.name == "tcpx" for p in said), "A3 High has no RDMA"


ATTACHED = [(name, count) for name, choice in ATTACHABLE.items() for count in choice.counts]


@pytest.mark.parametrize(("accelerator", "count"), ATTACHED)
def test_every_gpu_beside_an_n1_machine_serves_a_model_or_is_too_old(
    accelerator: str, count: int, tmp_path: Path
) -> None:
    n1 = machine("n1-standard-4")
    assert n1 is not None
    sections = stack("us-central1-a", gpu_pool(n1, accelerator=accelerator, gpusPerNode=count))
    said = problems(sections)
    if GPUS[accelerator].compute_capability < MIN_COMPUTE_CAPABILITY:
        assert any(problem.where == "models.model.pool" and "compute capability" in problem.what for problem in said)
    else:
        assert not said
        works(sections, tmp_path)


SLICES = [(name, topology) for name, generation in GENERATIONS.items() for topology in generation.listed]


@pytest.mark.parametrize(("name", "topology"), SLICES)
def test_every_listed_slice_serves_a_model_as_a_whole_or_is_too_large_for_any(name: str, topology: str) -> None:
    found = slice_of(name, topology)
    said = problems(tpu_stack(name, topology))
    if found.chips > MOST_TENSOR_PARALLEL:
        assert [problem.where for problem in said] == ["pools.pool.topology"]
    else:
        assert not said


def tpu_stack(name: str, topology: str, capacity: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a stack whose model takes the whole slice: one that fits, and has a head for each device."""
    found = slice_of(name, topology)
    pool = {"kind": "tpu", "generation": name, "topology": topology, "capacity": capacity or CAPACITIES["on-demand"]}
    tensor = min(found.chips, MOST_TENSOR_PARALLEL)
    sizes, ranks = {"tensor": tensor}, tensor * found.generation.devices_per_chip
    fitting = {2: "Qwen/Qwen2.5-1.5B-Instruct", 8: "Qwen/Qwen3-8B", 64: "meta-llama/Llama-3.3-70B-Instruct"}
    wide = (fit for most, fit in fitting.items() if ranks <= most and (most == 64 or not found.multi_host))
    model = next(wide, "meta-llama/Llama-3.1-405B-Instruct")
    weights = {"source": "bucket", "bucket": "my-weights", "path": "model"}
    more = {"parallelism": sizes, "dtype": "auto", "model": model, "weights": weights, "memoryUtilization": 0.9}
    return stack(zone_of(found.generation), pool, **more)


@pytest.mark.parametrize(("name", "topology"), [("v5e", "2x2"), ("v6e", "2x4"), ("tpu7x", "2x2x1")])
def test_a_model_that_would_leave_chips_of_a_host_idle_is_refused(name: str, topology: str) -> None:
    sections = tpu_stack(name, topology)
    sections["models"]["model"]["parallelism"] = {"tensor": 2}
    (problem,) = problems(sections)
    assert problem.where == "models.model.parallelism.tensor"
    assert "all" in problem.why
    assert f"tensor: {slice_of(name, topology).chips}" in problem.remedy


def test_a_tpu7x_chip_counts_twice_where_heads_are_shared() -> None:
    sections = tpu_stack("tpu7x", "2x2x1")
    sections["models"]["model"] |= {"model": "Qwen/Qwen2.5-1.5B-Instruct", "parallelism": {"tensor": 4}}
    (problem,) = problems(sections)
    assert problem.where == "models.model.parallelism.tensor"
    assert "12 attention heads" in problem.why
    assert "8 devices of 4 chips" in problem.why
    assert problem.remedy == "Use one of 1, 2."
    sections["pools"]["pool"] |= {"generation": "v5p"}
    sections["cluster"]["location"] = "us-central1-a"
    assert not problems(sections)


REHEARSED = [("v4", "2x2x2"), ("v5e", "1x1"), ("v5e", "2x4"), ("v5e", "4x8"), ("v5p", "2x2x1"), ("v5p", "2x2x2")]
REHEARSED += [
    ("v6e", "1x1"),
    ("v6e", "2x4"),
    ("v6e", "4x8"),
    ("tpu7x", "1x1x1"),
    ("tpu7x", "2x2x1"),
    ("tpu7x", "2x2x4"),
]
"""One slice of each shape: a chip, a host, several hosts."""


@pytest.mark.parametrize(("name", "topology"), REHEARSED)
def test_a_slice_of_each_shape_works(name: str, topology: str, tmp_path: Path) -> None:
    found = slice_of(name, topology)
    pool = works(tpu_stack(name, topology), tmp_path)
    assert pool["nodeConfig"]["machineType"] == found.machine_type
    assert ("placementPolicy" in pool) == found.multi_host


FAMILIES = {
    found.family: found
    for found in sorted(MACHINES.values(), key=lambda m: -m.gpus)
    if found.name not in REFUSED_MACHINES
} | {"a3-high small": MACHINES["a3-highgpu-1g"], "a3-high": MACHINES["a3-highgpu-8g"]}


def sold(found: Machine, way: str) -> bool:
    """Whether a machine is sold in a way."""
    reserved = way in {"reservation", "block", "sub-block", "calendar"}
    if reserved:
        return found.reservable
    return not found.reservation_only and (way != "on-demand" or found.on_demand)


@pytest.mark.parametrize(("family", "way"), [*itertools.product(FAMILIES, CAPACITIES)])
def test_every_family_is_bought_in_every_way_that_it_is_sold_in(family: str, way: str) -> None:
    found = FAMILIES[family]
    said = problems(stack(zone_of(found), gpu_pool(found, capacity=CAPACITIES[way])))
    if sold(found, way):
        assert not said
    else:
        (problem,) = said
        assert problem.where == "pools.pool.capacity.type"
        assert found.name in problem.why


@pytest.mark.parametrize(("name", "way"), [*itertools.product(GENERATIONS, CAPACITIES)])
def test_every_tpu_generation_is_bought_in_every_way_that_it_is_sold_in(name: str, way: str) -> None:
    whole = next(t for t in GENERATIONS[name].listed if not slice_of(name, t).multi_host)
    said = problems(tpu_stack(name, whole, CAPACITIES[way]))
    if way in {"flex-start", "queued-provisioning"} and GENERATIONS[name].flex_start_zones == frozenset():
        assert [problem.where for problem in said] == ["pools.pool.capacity.type"]
    else:
        assert not said


DEMANDED: dict[str, dict[str, Any]] = {
    "on-demand": {"consumeReservationType": "NO_RESERVATION"},
    "spot": {"consumeReservationType": "NO_RESERVATION", "spot": True},
    "reservation": {"consumeReservationType": "SPECIFIC_RESERVATION"},
    "block": {"consumeReservationType": "SPECIFIC_RESERVATION"},
    "sub-block": {"consumeReservationType": "SPECIFIC_RESERVATION"},
    "calendar": {"consumeReservationType": "SPECIFIC_RESERVATION"},
    "flex-start": {"consumeReservationType": "NO_RESERVATION", "flexStart": True, "maxRunDuration": "86400s"},
    "queued-provisioning": {"consumeReservationType": "NO_RESERVATION", "flexStart": True, "maxRunDuration": "86400s"},
}
MACHINES_TO_BUY = [("g2", way) for way in ("on-demand", "spot", "flex-start", "queued-provisioning")]
MACHINES_TO_BUY += [("a3-ultra", way) for way in CAPACITIES if way != "on-demand"]
MACHINES_TO_BUY += [("a4x", "sub-block"), ("a3-high small", "queued-provisioning")]


@pytest.mark.parametrize(("family", "way"), MACHINES_TO_BUY)
def test_a_pool_has_the_settings_that_its_way_demands_and_none_that_it_forbids(
    family: str, way: str, tmp_path: Path
) -> None:
    found = FAMILIES[family]
    pool = works(stack(zone_of(found), gpu_pool(found, capacity=CAPACITIES[way])), tmp_path)
    node, transient = pool["nodeConfig"], way in {"flex-start", "queued-provisioning"}
    bought = {"consumeReservationType": node["reservationAffinity"]["consumeReservationType"]}
    bought |= {key: node[key] for key in ("spot", "flexStart", "maxRunDuration") if key in node}
    assert bought == DEMANDED[way]
    assert ("values" in node["reservationAffinity"]) == (bought["consumeReservationType"] == "SPECIFIC_RESERVATION")
    assert ("queuedProvisioning" in pool) == (way == "queued-provisioning")
    assert pool["management"]["autoRepair"] is not transient
    assert pool["initialNodeCount"] == pool["autoscaling"]["totalMinNodeCount"] == 0
    assert "nodeCount" not in pool
