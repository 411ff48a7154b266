"""Accelerator pools: what is refused, what each way to buy them makes, what follows from a TPU topology."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from inference.blueprint import TpuPoolPlan, design
from inference.facts.tpus import GENERATIONS, slice_of
from inference.manifests import servers
from inference.problems import ProblemsError
from inference.stackfile import load
from tests.support.judged import findings
from tests.support.rehearsed import inputs, rehearsed
from tests.support.stacks import ROOT, edited, sections

POOL = "gcp:container/nodePool:NodePool"
NO_RESERVATION = {"consumeReservationType": "NO_RESERVATION"}
WAYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "on-demand": ({"type": "on-demand"}, {"reservationAffinity": NO_RESERVATION}),
    "spot": ({"type": "spot"}, {"spot": True, "reservationAffinity": NO_RESERVATION}),
    "flex-start": (
        {"type": "flex-start", "maxRunHours": 24},
        {"flexStart": True, "maxRunDuration": "86400s", "reservationAffinity": NO_RESERVATION},
    ),
    "queued-provisioning": (
        {"type": "queued-provisioning"},
        {"flexStart": True, "maxRunDuration": "604800s", "reservationAffinity": NO_RESERVATION},
    ),
    "reservation": ({"type": "reservation", "name": "r"}, {"path": "projects/my-project/reservations/r"}),
    "shared": (
        {"type": "reservation", "name": "r", "project": "owner-project"},
        {"path": "projects/owner-project/reservations/r"},
    ),
    "block": (
        {"type": "reservation", "name": "r", "block": "b"},
        {"path": "projects/my-project/reservations/r/reservationBlocks/b"},
    ),
    "sub-block": (
        {"type": "reservation", "name": "r", "block": "b", "subBlock": "s"},
        {"path": "projects/my-project/reservations/r/reservationBlocks/b/reservationSubBlocks/s"},
    ),
    "calendar": ({"type": "calendar", "name": "booked"}, {"path": "projects/my-project/reservations/booked"}),
}


def g4(tmp_path: Path, **pool: Any) -> Path:
    """Return the G4 example with its pool changed."""
    content = yaml.safe_load((ROOT / "examples" / "g4.yaml").read_text(encoding="utf-8"))
    content["config"]["gke-inference:pools"]["rtx"].update(pool)
    path = tmp_path / "g4.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def pools_of(path: Path) -> list[Any]:
    return [pool for pool in inputs(rehearsed(path), POOL) if "guestAccelerators" in pool["nodeConfig"]]  # type: ignore[operator]


@pytest.mark.parametrize("way", WAYS)
def test_a_pool_is_bought_as_its_stack_file_says_and_draws_no_finding(way: str, tmp_path: Path) -> None:
    capacity, wanted = WAYS[way]
    path = g4(tmp_path, capacity=capacity)
    (pool,) = pools_of(path)
    if "path" in wanted:
        wanted = {
            "reservationAffinity": {
                "consumeReservationType": "SPECIFIC_RESERVATION",
                "key": "compute.googleapis.com/reservation-name",
                "values": [wanted["path"]],
            }
        }
    bought = {key: pool["nodeConfig"].get(key) for key in wanted}
    assert bought == wanted
    forbidden = {"spot", "flexStart", "maxRunDuration"} - wanted.keys()
    assert not forbidden & pool["nodeConfig"].keys()
    assert ("queuedProvisioning" in pool) == (way == "queued-provisioning")
    assert pool["management"]["autoRepair"] == ("flexStart" not in wanted)
    assert not findings(rehearsed(path))


def test_ways_in_order_become_pools_of_one_class(tmp_path: Path) -> None:
    reserved = {"type": "reservation", "name": "r"}
    path = g4(tmp_path, capacity=reserved, fallback=[{"type": "flex-start"}, {"type": "spot"}])
    plan = rehearsed(path)
    pools = pools_of(path)
    (made,) = inputs(plan, "kubernetes:cloud.google.com/v1:ComputeClass")
    priorities: Any = made["spec"]["priorities"]  # type: ignore[index]
    assert [priority["nodepools"] for priority in priorities] == [[pool["name"]] for pool in pools]
    assert [bool(pool["nodeConfig"].get("spot")) for pool in pools] == [False, False, True]
    key = "cloud.google.com/compute-class"
    assert {pool["nodeConfig"]["labels"][key] for pool in pools} == {"rtx"}
    assert all({"key": key, "value": "rtx", "effect": "NO_SCHEDULE"} in pool["nodeConfig"]["taints"] for pool in pools)
    (server,) = inputs(plan, "kubernetes:apps/v1:Deployment")
    pod: Any = server["spec"]["template"]["spec"]  # type: ignore[index]
    assert pod["nodeSelector"] == {key: "rtx"}
    assert not findings(plan)


REFUSED: list[tuple[dict[str, Any], str, tuple[str, ...]]] = [
    ({"fallback": [{"type": "reservation", "name": "x"}]}, "fallback[0].type", ("a second time",)),
    ({"fallback": [{"type": "queued-provisioning"}]}, "fallback[0].type", ("queued workload", "flex-start")),
    ({"fallback": [{"type": "on-demand"}]}, "fallback[0].type", ("cannot be had on demand",)),
    ({"acceptance": {"nodes": 5, "minimumBusBandwidth": 300}}, "acceptance.nodes", ("5", "more than 4")),
    (
        {"acceptance": {"nodes": 2, "minimumBusBandwidth": 800}},
        "acceptance.minimumBusBandwidth",
        ("800 GB/s", "8 NICs of 400 Gbps", "750 GB/s"),
    ),
    (
        {"machineType": "a3-highgpu-8g", "zone": "us-central1-a", "network": "multi-network"},
        "network",
        ("tcpx", "not installed"),
    ),
    (
        {"machineType": "a3-megagpu-8g", "zone": "us-central1-a", "acceptance": {"minimumBusBandwidth": 100}},
        "acceptance",
        ("GPUDirect RDMA", "Leave acceptance out"),
    ),
    (
        {"machineType": "a4x-highgpu-4g", "nodes": {"min": 0, "max": 19}},
        "nodes.max",
        ("19", "18 a4x-highgpu-4g", "a pool for each"),
    ),
]


@pytest.mark.parametrize(("pool", "place", "words"), REFUSED, ids=[row[1] for row in REFUSED])
def test_a_pool_that_cannot_work_is_refused_where_it_stands(
    pool: dict[str, Any], place: str, words: tuple[str, ...]
) -> None:
    edits = {f"pools__h200__{key}": value for key, value in pool.items()}
    with pytest.raises(ProblemsError) as caught:
        load(edited("prod", **edits), "prod")
    said = [str(problem) for problem in caught.value.problems if problem.where == f"pools.h200.{place}"]
    assert any(all(word in text for word in words) for text in said), str(caught.value)


def test_a_pool_that_is_only_tested_counts_as_used() -> None:
    config = edited("prod", pools__h200__acceptance={"minimumBusBandwidth": 300})
    del config["models"], config["gateway"]
    assert "h200" in load(config, "prod").pools


def test_weights_that_would_fill_the_boot_disk_are_refused() -> None:
    config = sections(ROOT / "examples" / "g4.yaml")
    config["pools"]["rtx"]["bootDiskGb"] = 100
    with pytest.raises(ProblemsError, match=r"pools\.rtx\.bootDiskGb — 100(.|\n)*downloads 65 GB(.|\n)*at least 120"):
        load(config, "g4")


def tpu(topology: str, **model: Any) -> dict[str, Any]:
    config = sections(ROOT / "examples" / "tpu-v6e-multi-host.yaml")
    config["pools"]["v6e"]["topology"] = topology
    config["models"]["llama-70b"].update(model)
    return config


@given(st.sampled_from(["2x4", "4x4", "4x8", "8x8"]), st.booleans())
def test_node_count_group_and_environment_follow_from_one_topology(topology: str, one_host: bool) -> None:
    chips = {"2x4": 8, "4x4": 16, "4x8": 32, "8x8": 64}[topology]
    config = tpu(topology, parallelism={"tensor": chips})
    if topology == "2x4" and not one_host:
        config["pools"]["v6e"]["machineType"] = "ct6e-standard-4t"
    plan = design(load(config, "tpu"), "tpu")
    pool, model = plan.pools["v6e"], plan.models["llama-70b"]
    assert isinstance(pool, TpuPoolPlan)
    assert pool.max_nodes * pool.per_node == chips
    assert model.group_size * model.per_pod == chips
    if not model.multi_node:
        return
    group = servers.leader_worker_set(model)["spec"]["leaderWorkerTemplate"]
    assert group["size"] == pool.max_nodes
    for role in ("leaderTemplate", "workerTemplate"):
        (container,) = group[role]["spec"]["containers"]
        told = {entry["name"]: entry.get("value") for entry in container["env"]}
        assert (
            told["TPU_TOPOLOGY"] == topology == group[role]["spec"]["nodeSelector"]["cloud.google.com/gke-tpu-topology"]
        )
        assert told["TPU_ACCELERATOR_TYPE"] == f"v6e-{chips}"
        assert container["resources"]["limits"] == {"google.com/tpu": "4"}
    leader = group["leaderTemplate"]["spec"]["containers"][0]["args"][0]
    assert f"< {pool.max_nodes}:" in leader
    assert f"--tensor-parallel-size {chips} " in leader
    assert "--distributed-executor-backend ray" in leader


def test_a_replica_that_leaves_chips_of_a_slice_idle_is_refused() -> None:
    with pytest.raises(ProblemsError, match=r"models\.llama-70b\.parallelism(.|\n)*16 chips on 4 hosts"):
        load(tpu("4x4", parallelism={"tensor": 8}), "tpu")


def test_every_generation_names_the_type_of_its_slices() -> None:
    named = {
        name: slice_of(name, "4x4" if generation.dimensions == 2 else "2x2x2").accelerator_type
        for name, generation in GENERATIONS.items()
    }
    assert named == {"v4": "v4-16", "v5e": "v5litepod-16", "v5p": "v5p-16", "v6e": "v6e-16", "tpu7x": "tpu7x-16"}


def test_vllm_counts_two_devices_of_each_tpu7x_chip() -> None:
    plan = design(load(sections(ROOT / "examples" / "tpu7x.yaml"), "tpu7x"), "tpu7x")
    group = servers.leader_worker_set(plan.models["qwen3-coder"])["spec"]["leaderWorkerTemplate"]
    assert "--tensor-parallel-size 16 " in group["leaderTemplate"]["spec"]["containers"][0]["args"][0]
