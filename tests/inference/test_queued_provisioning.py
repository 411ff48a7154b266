"""Queued provisioning: who may wait in a queue, what the queue asks for, and in which order it all comes and goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.blueprint import design
from inference.facts.machines import MACHINES
from inference.manifests import provisioning_queue as manifests
from inference.problems import ProblemsError
from inference.stackfile import load
from rehearsal.plan import Plan
from tests.support.generated import CAPACITIES, problems, stack, written, zone_of
from tests.support.rehearsed import inputs, rehearsed
from tests.support.stacks import ROOT, sections
from tests.test_stacks import reached

EXAMPLE = ROOT / "examples" / "queued-provisioning.yaml"
QUEUED = CAPACITIES["queued-provisioning"]


def queued(name: str) -> dict[str, Any]:
    """Return an example with every pool behind a queue and scaled from zero."""
    config = sections(ROOT / "examples" / f"{name}.yaml")
    for pool in config["pools"].values():
        pool["capacity"] = QUEUED
        pool.pop("fallback", None)
        key = "slices" if pool["kind"] == "tpu" else "nodes"
        if key in pool:
            pool[key]["min"] = 0
    return config


REFUSED = {
    "vllm-multi-node": ("models.kimi spans 2 nodes", "leader and workers", "flex-start"),
    "llm-d-pattern-4": ("models.deepseek spans 2 nodes", "gives a group up for good"),
    "tpu-v6e-multi-host": ("models.llama-70b spans 4 nodes", "flex-start"),
    "nim-l4": ("StatefulSet", "scale"),
    "kserve-tpu-v6e": ("KServe", "name no queue"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_not_outlive_its_nodes_may_not_wait_in_a_queue(name: str) -> None:
    config = queued(name)
    pool = next(iter(config["pools"]))
    with pytest.raises(ProblemsError) as caught:
        load(config, name)
    (problem,) = (each for each in caught.value.problems if each.where == f"pools.{pool}.capacity.type")
    assert all(word in str(problem) for word in REFUSED[name]), str(problem)


def test_nodes_that_leave_after_their_test_are_not_tested() -> None:
    found = MACHINES["a3-ultragpu-8g"]
    pool = {"kind": "gpu", "machineType": found.name, "nodes": {"min": 0, "max": 2}, "capacity": QUEUED}
    (problem,) = problems(stack(zone_of(found), pool | {"acceptance": {"minimumBusBandwidth": 300}}))
    assert problem.where == "pools.pool.acceptance"
    assert "nodes of its own" in problem.why


def test_the_servers_of_prompts_and_those_of_answers_may_both_wait(tmp_path: Path) -> None:
    config = queued("llm-d-pattern-5")
    plan = rehearsed(written(config, tmp_path))
    names = {each["metadata"]["labels"].get("kueue.x-k8s.io/queue-name") for each in deployments(plan)}
    assert names == {None, *config["pools"]}


def deployments(plan: Plan) -> list[Any]:
    return list(inputs(plan, "kubernetes:apps/v1:Deployment"))


@given(
    nodes=st.integers(1, 1000), hours=st.integers(1, 168), machine=st.sampled_from(["g2-standard-48", "a4-highgpu-8g"])
)
def test_the_quota_is_the_pool_and_the_time_is_that_of_its_nodes(nodes: int, hours: int, machine: str) -> None:
    found = MACHINES[machine]
    capacity = {**QUEUED, "maxRunHours": hours}
    pool = {"kind": "gpu", "machineType": machine, "nodes": {"min": 0, "max": nodes}, "capacity": capacity}
    config = stack(zone_of(found), pool)
    plan = design(load(config, "generated"), "generated").pools["pool"]
    (group,) = manifests.cluster_queue(plan)["spec"]["resourceGroups"]
    assert group["flavors"][0]["resources"] == [{"name": "nvidia.com/gpu", "nominalQuota": nodes * found.gpus}]
    assert manifests.provisioning_config(plan)["spec"]["parameters"] == {"maxRunDurationSeconds": str(hours * 3600)}


def test_kueue_looks_at_nothing_but_the_deployments_of_the_models() -> None:
    (release,) = inputs(rehearsed(EXAMPLE), "kubernetes:helm.sh/v3:Release")
    values: Any = release["values"]
    configuration = json.loads(values["managerConfig"]["controllerManagerConfigYaml"])
    assert configuration["managedJobsNamespaceSelector"] == {
        "matchLabels": {"kubernetes.io/metadata.name": "inference"}
    }
    assert configuration["integrations"]["frameworks"] == ["pod", "deployment"]
    assert "waitForPodsReady" not in configuration
    assert values["controllerManager"]["replicas"] == 2


def test_a_server_waits_for_its_queue_and_the_queue_for_kueue_and_its_pool() -> None:
    plan = rehearsed(EXAMPLE)
    (server,) = plan.of_type("kubernetes:apps/v1:Deployment")
    (entrance,) = plan.of_type("kubernetes:kueue.x-k8s.io/v1beta2:LocalQueue")
    (release,) = plan.of_type("kubernetes:helm.sh/v3:Release")
    pools = {state.urn for state in plan.of_type("gcp:container/nodePool:NodePool")}
    assert entrance.urn in reached(plan, server)
    assert {release.urn, *pools} <= reached(plan, entrance)
    for kind in ("ResourceFlavor", "ProvisioningRequestConfig", "AdmissionCheck", "ClusterQueue"):
        (made,) = plan.of_type(f"kubernetes:kueue.x-k8s.io/v1beta2:{kind}")
        assert made.urn in reached(plan, entrance)
        assert release.urn in reached(plan, made)


def test_an_update_does_not_wait_for_capacity_that_may_take_days() -> None:
    (server,) = deployments(rehearsed(EXAMPLE))
    assert server["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"
    (other,) = deployments(rehearsed(ROOT / "examples" / "g4.yaml"))
    assert "annotations" not in other["metadata"]


def test_the_pods_bear_what_gke_puts_on_queued_nodes() -> None:
    (server,) = deployments(rehearsed(EXAMPLE))
    tolerated = {each["key"] for each in server["spec"]["template"]["spec"]["tolerations"]}
    assert tolerated == {"nvidia.com/gpu", "cloud.google.com/gke-queued"}
