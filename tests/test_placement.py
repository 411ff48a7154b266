"""Every pod of every stack finds a node: which one, and how much of each accelerator stays free, is a reviewed file."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from rehearsal.plan import Plan, Step
from tests.conftest import Golden
from tests.support.placement import place
from tests.support.references import dangling
from tests.support.rehearsed import rehearsed, standing
from tests.support.stacks import ROOT, STANDING

STACKS = {path.stem: path for path in sorted((ROOT / "examples").glob("*.yaml"))}
STACKS |= {name: standing(name) for name in STANDING}
GOLDENS = ROOT / "tests" / "goldens"

stack = pytest.mark.parametrize("name", STACKS)


@stack
def test_every_pod_of_a_stack_finds_its_node(name: str, golden: Golden) -> None:
    found = place(rehearsed(STACKS[name]))
    assert not found.pending, str(found)
    assert not found.unused, str(found)
    golden(GOLDENS / name / "placement.txt", str(found))


@stack
def test_every_selector_meets_a_pod_and_every_reference_an_object(name: str) -> None:
    assert not dangling(rehearsed(STACKS[name]))


Edit = Callable[[dict[str, Any]], None]


def broken(name: str, kind: str, edit: Edit) -> Plan:
    """Return the plan of a stack with every resource of a kind edited."""
    plan = rehearsed(STACKS[name])

    def edited(step: Step) -> Step:
        if step.state.type.rpartition(":")[2] != kind or step.state.type.startswith("gcp:projects"):
            return step
        inputs: dict[str, Any] = copy.deepcopy({**step.state.inputs})
        edit(inputs)
        return replace(step, state=replace(step.state, inputs=inputs))

    return Plan(tuple(edited(step) for step in plan.steps))


def worker(group: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = group["spec"]["leaderWorkerTemplate"]["workerTemplate"]["spec"]
    return spec


def server(deployment: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


def accelerator_pool(edit: Edit) -> Edit:
    return lambda pool: edit(pool) if pool["nodeConfig"].get("guestAccelerators") else None


UNPLACED: dict[str, tuple[str, str, Edit, str]] = {
    "another label": (
        "prod",
        "LeaderWorkerSet",
        lambda g: worker(g)["nodeSelector"].update({"gke-inference/pool": "b200"}),
        "label gke-inference/pool=b200",
    ),
    "no toleration": ("prod", "LeaderWorkerSet", lambda g: worker(g).update(tolerations=[]), "taint nvidia.com/gpu"),
    "no toleration of the architecture": (
        "a4x-gb200",
        "LeaderWorkerSet",
        lambda g: worker(g)["tolerations"].pop(),
        "taint kubernetes.io/arch=arm64",
    ),
    "too many replicas": (
        "a4-b200",
        "LeaderWorkerSet",
        lambda g: g["spec"].update(replicas=2),
        "nvidia.com/gpu 8 of 0",
    ),
    "too much memory": (
        "g4",
        "Deployment",
        lambda d: server(d)["containers"][0]["resources"]["requests"].update(memory="400Gi"),
        "memory",
    ),
    "a network that no pool attaches": (
        "prod",
        "NodePool",
        accelerator_pool(lambda pool: pool["networkConfig"]["additionalNodeNetworkConfigs"].pop()),
        "network/rdma-7 1 of 0",
    ),
    "no devices to claim": (
        "a4x-gb200",
        "NodePool",
        accelerator_pool(lambda pool: pool["nodeConfig"]["labels"].pop("cloud.google.com/gke-networking-dra-driver")),
        "device/mrdma.google.com 4 of 0",
    ),
    "a smaller slice": (
        "tpu-v6e-multi-host",
        "NodePool",
        lambda pool: pool["placementPolicy"].update(tpuTopology="2x4") if "placementPolicy" in pool else None,
        "label cloud.google.com/gke-tpu-topology=4x4",
    ),
}


@pytest.mark.parametrize("why", UNPLACED)
def test_a_pod_that_no_node_suits_stays_pending_and_says_why(why: str) -> None:
    name, kind, edit, reason = UNPLACED[why]
    found = place(broken(name, kind, edit))
    assert found.pending
    assert any(reason in text for _, reasons in found.pending for text in reasons), str(found)


def test_a_group_of_exclusive_topology_stays_in_one_domain_and_alone() -> None:
    def exclusive(group: dict[str, Any]) -> None:
        group["spec"]["replicas"] = 2
        for template in ("leaderTemplate", "workerTemplate"):
            metadata = group["spec"]["leaderWorkerTemplate"][template]["metadata"]
            key = "leaderworkerset.sigs.k8s.io/exclusive-topology"
            metadata.setdefault("annotations", {})[key] = "cloud.google.com/gke-nodepool"

    found = place(broken("prod", "LeaderWorkerSet", exclusive))
    groups = {pod.group for node in found.nodes for pod in node.pods if pod.kind == "LeaderWorkerSet"}
    assert groups == {("kimi", "0")}
    assert len(found.pending) == 2


def test_a_daemon_set_without_nodes_is_reported() -> None:
    def elsewhere(daemon: dict[str, Any]) -> None:
        server(daemon)["nodeSelector"] = {"kubernetes.io/arch": "s390x"}

    assert place(broken("prod", "DaemonSet", elsewhere)).unused == ("DaemonSet kube-system/nccl-rdma-installer",)


DANGLING: dict[str, tuple[str, str, Edit, str]] = {
    "a selector": ("dev", "Service", lambda s: s["spec"]["selector"].update(x="y"), "which no pod has"),
    "a pool's picker": (
        "dev",
        "InferencePool",
        lambda p: p["spec"]["endpointPickerRef"].update(name="gone"),
        "Service gone, which is not there",
    ),
    "a route's pool": (
        "dev",
        "HTTPRoute",
        lambda r: r["spec"]["rules"][0]["backendRefs"][0].update(name="gone"),
        "InferencePool gone",
    ),
    "a secret": (
        "dev",
        "Secret",
        lambda s: s["metadata"].update(name="other"),
        "Secret model-api-key, which is not there",
    ),
    "a port": ("dev", "PodMonitoring", lambda m: m["spec"]["endpoints"][0].update(port="gone"), "no such port"),
    "a node pool": (
        "capacity-fallback",
        "ComputeClass",
        lambda c: c["spec"]["priorities"][0].update(nodepools=["gone"]),
        "NodePool gone",
    ),
    "a claim": (
        "a4x-gb200",
        "ResourceClaimTemplate",
        lambda c: c["metadata"].update(name="other"),
        "ResourceClaimTemplate gb200-rdma",
    ),
}


@pytest.mark.parametrize("what", DANGLING)
def test_a_reference_that_meets_nothing_is_reported(what: str) -> None:
    name, kind, edit, words = DANGLING[what]
    assert any(words in line for line in dangling(broken(name, kind, edit)))
