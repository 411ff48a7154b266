from __future__ import annotations

import pytest

from inference.rules import tpu
from inference.rules.framework import Rule
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import (
    changed,
    cluster,
    container,
    custom,
    deployment,
    findings,
    leader_worker_set,
    node_pool,
    resource,
    workload,
)

LABEL, SHAPE = "cloud.google.com/gke-tpu-accelerator", "cloud.google.com/gke-tpu-topology"


def pool(machine: object, topology: object = None, placement: dict | None = None, **props: object) -> Resource:
    where = {"type": "COMPACT", "tpuTopology": topology, **(placement or {})} if topology or placement else None
    limits = {"totalMinNodeCount": None, "totalMaxNodeCount": None, "minNodeCount": 0}
    base = {
        "nodeLocations": ["us-east5-b"],
        "placementPolicy": where,
        "nodeConfig": {"machineType": machine, "guestAccelerators": None, "diskType": "hyperdisk-balanced"},
        "autoscaling": limits,
    }
    return node_pool(
        "tpus",
        {
            **changed(base, props),
            **({"autoscaling": None} if "autoscaling" in props and props["autoscaling"] is None else {}),
        },
    )


def tpus(count: object, limit: object = "same") -> dict:
    limits = {"google.com/tpu": count if limit == "same" else limit}
    return container(
        {
            "resources": {
                "requests": {"nvidia.com/gpu": None, "google.com/tpu": count},
                "limits": {"nvidia.com/gpu": None, **limits},
            }
        }
    )


def pod(count: object = "4", selector: object = ("tpu-v6e-slice", "2x2"), **kw: object) -> Resource:
    labels = dict(zip((LABEL, SHAPE), selector, strict=True)) if isinstance(selector, tuple) else selector
    return deployment(containers=[tpus(count)], pod={"nodeSelector": labels, **kw})


# ---------------------------------------------------------------- topology of a pool


@pytest.mark.parametrize(
    ("machine", "topology"),
    [
        ("ct6e-standard-4t", "2x2x2"),
        ("ct6e-standard-4t", "3x3"),
        ("ct5lp-hightpu-4t", "4x2"),
        ("ct5p-hightpu-4t", "4x4"),
        ("ct4p-hightpu-4t", "2x3x4"),
        ("tpu7x-standard-4t", "4x4"),
        ("ct6e-standard-1t", "4x4"),
        ("ct6e-standard-8t", "4x4"),
        ("g2-standard-12", "2x2"),
    ],
)
def test_a_topology_that_the_machine_cannot_make_is_found(machine: str, topology: str) -> None:
    found = findings(tpu.pool_topology_exists, pool(machine, topology))
    assert len(found) == 1
    assert topology in found[0]


@pytest.mark.parametrize(
    ("machine", "topology"),
    [
        ("ct6e-standard-4t", "4x4"),
        ("ct6e-standard-4t", "16x16"),
        ("ct5p-hightpu-4t", "2x2x2"),
        ("ct5p-hightpu-4t", "4x8x12"),
        ("ct6e-standard-4t", None),
        ("ct9x-future-4t", "5x5"),
        ("ct6e-standard-4t", UNKNOWN),
        (UNKNOWN, "5x5"),
    ],
)
def test_a_topology_of_the_machine_is_silent(machine: object, topology: object) -> None:
    assert not findings(tpu.pool_topology_exists, pool(machine, topology))


# ---------------------------------------------------------------- size of a pool

SIZE = tpu.pool_size_fits_topology


@pytest.mark.parametrize(
    ("props", "words"),
    [
        ({"autoscaling": {"maxNodeCount": 8}}, "maxNodeCount 8"),
        ({"autoscaling": {"maxNodeCount": "2"}}, "maxNodeCount 2"),
        ({"autoscaling": {"maxNodeCount": 4, "minNodeCount": 1}}, "minNodeCount 1"),
        ({"autoscaling": {"minNodeCount": None, "totalMaxNodeCount": 4}}, "totalMaxNodeCount"),
        ({"autoscaling": None, "nodeCount": 3.0}, "nodeCount 3"),
        ({"autoscaling": {"maxNodeCount": 4}, "initialNodeCount": 1}, "initialNodeCount 1"),
        ({"autoscaling": {"maxNodeCount": 4}, "nodeLocations": ["us-east5-a", "us-east5-b"]}, "us-east5-a"),
    ],
)
def test_a_slice_with_another_number_of_nodes_is_found(props: dict, words: str) -> None:
    found = findings(SIZE, pool("ct6e-standard-4t", "4x4", **props))
    assert len(found) == 1, found
    assert words in found[0]


@pytest.mark.parametrize(
    ("machine", "topology", "props"),
    [
        ("ct6e-standard-4t", "4x4", {"autoscaling": {"maxNodeCount": 4}}),
        ("ct6e-standard-4t", "4x4", {"autoscaling": {"minNodeCount": 4, "maxNodeCount": 4}, "initialNodeCount": 4}),
        ("ct6e-standard-4t", "2x4", {"autoscaling": {"maxNodeCount": 2}}),
        ("ct5p-hightpu-4t", "2x2x2", {"autoscaling": None, "nodeCount": 2}),
        ("ct6e-standard-4t", "4x4", {"autoscaling": {"maxNodeCount": 4, "totalMaxNodeCount": 0}}),
        ("ct6e-standard-4t", "4x4", {"autoscaling": UNKNOWN, "nodeCount": UNKNOWN}),
        ("ct6e-standard-4t", None, {"autoscaling": {"totalMaxNodeCount": 7}}),
    ],
)
def test_a_slice_of_all_its_nodes_is_silent(machine: str, topology: object, props: dict) -> None:
    assert not findings(SIZE, pool(machine, topology, **props))


def test_a_single_host_with_placement_is_found() -> None:
    rule = tpu.single_host_has_no_placement
    assert findings(rule, pool("ct6e-standard-4t", "2x2"))
    assert findings(rule, pool("ct5p-hightpu-4t", "2x2x1"))
    assert not findings(rule, pool("ct6e-standard-4t"), pool("ct6e-standard-4t", "2x4"))


@pytest.mark.parametrize(
    "key",
    [LABEL, SHAPE, "cloud.google.com/gke-accelerator", "cloud.google.com/gke-accelerator-count", "cloud.google.com/gke-nodepool"],
)  # fmt: skip
def test_labels_of_gke_itself_are_found(key: str) -> None:
    labeled = pool("ct6e-standard-4t", nodeConfig={"labels": {key: "x", "team": "ml"}})
    assert key in findings(tpu.pool_labels_are_gke_own, labeled)[0]


def test_labels_that_a_pool_may_set_are_silent() -> None:
    own = {
        "workload": "llm",
        "cloud.google.com/gke-queued": "true",
        "cloud.google.com/gke-networking-dra-driver": "true",
    }
    assert not findings(tpu.pool_labels_are_gke_own, pool("ct6e-standard-4t", nodeConfig={"labels": own}))
    assert not findings(tpu.pool_labels_are_gke_own, pool("ct6e-standard-4t", nodeConfig={"labels": UNKNOWN}))


# ---------------------------------------------------------------- tpu7x


def policy(kind: object = "HIGH_THROUGHPUT", topology: object = "2x2x2", **props: object) -> Resource:
    workload_policy = changed({"type": kind, "acceleratorTopology": topology}, {})
    base = {"name": "slice", "workloadPolicy": workload_policy, **props}
    return resource("gcp:compute/resourcePolicy:ResourcePolicy", "slice", base)


def test_a_tpu7x_slice_by_compact_placement_is_found() -> None:
    rule = tpu.slice_follows_workload_policy
    assert findings(rule, pool("tpu7x-standard-4t", "2x2x2"))
    assert findings(rule, pool("tpu7x-standard-4t", placement={"type": "COMPACT"}))
    assert findings(rule, pool("tpu7x-standard-4t", "2x2x2", {"type": "", "policyName": ""}))


def test_a_tpu7x_slice_by_policy_and_single_hosts_are_silent() -> None:
    rule = tpu.slice_follows_workload_policy
    assert not findings(
        rule,
        pool("tpu7x-standard-4t", "2x2x2", {"type": "", "policyName": "slice"}),
        pool("tpu7x-standard-4t", "2x2x2", {"type": "COMPACT", "policyName": "slice"}),
        pool("tpu7x-standard-4t", "2x2x2", {"type": "", "policyName": UNKNOWN}),
        pool("tpu7x-standard-4t"),
        pool("ct6e-standard-4t", "4x4"),
    )


@pytest.mark.parametrize(
    ("policies", "words"),
    [
        (policy("HIGH_AVAILABILITY", None), "HIGH_AVAILABILITY"),
        (policy(workloadPolicy=None), "no workload policy"),
        (policy(topology="4x4x4"), "4x4x4"),
    ],
)
def test_a_policy_that_does_not_fit_its_pool_is_found(policies: Resource, words: str) -> None:
    rule = tpu.workload_policy_fits_pool
    placed = pool("tpu7x-standard-4t", "2x2x2", {"type": "", "policyName": "slice"})
    found = findings(rule, policies, placed)
    assert len(found) == 1
    assert words in found[0]


def test_a_policy_without_topology_on_the_pool_counts_chips() -> None:
    rule = tpu.workload_policy_fits_pool
    right = pool("tpu7x-standard-4t", placement={"type": "", "policyName": "slice"}, autoscaling={"maxNodeCount": 2})
    wrong = pool("tpu7x-standard-4t", placement={"type": "", "policyName": "slice"}, autoscaling={"maxNodeCount": 4})
    assert not findings(rule, policy(), right)
    assert findings(rule, policy(), wrong)
    assert not findings(rule, policy(topology="axbxc"), wrong)


# ---------------------------------------------------------------- pods

NAMES, EXISTS, WHOLE = tpu.pod_names_slice, tpu.pod_topology_exists, tpu.pod_takes_whole_host


@pytest.mark.parametrize(
    "selector", [None, {LABEL: "tpu-v6e-slice"}, {SHAPE: "2x2"}, {"cloud.google.com/gke-nodepool": "x"}]
)
def test_a_pod_that_does_not_name_its_slice_is_found(selector: object) -> None:
    assert len(findings(NAMES, pod(selector=selector))) == 1


def test_every_kind_of_workload_names_its_slice() -> None:
    bare = {"containers": [tpus("4")]}
    job = workload("kubernetes:batch/v1:Job", "batch/v1", "Job", "j", {"template": {"spec": bare}}, None)
    group = leader_worker_set(containers=[tpus("4")])
    service = custom("serving.kserve.io/v1alpha1", "LLMInferenceService", "llm", {"template": bare})
    jobs = {"replicatedJobs": [{"name": "w", "template": {"spec": {"template": {"spec": bare}}}}]}
    for thing in (job, group, service, custom("jobset.x-k8s.io/v1alpha2", "JobSet", "s", jobs)):
        assert findings(NAMES, thing), thing.type


def test_a_pod_whose_slice_is_named_otherwise_is_silent() -> None:
    expressions = [{"key": LABEL, "operator": "In", "values": ["tpu-v6e-slice"]}, {"key": SHAPE, "operator": "Exists"}]
    terms = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    queued = deployment(containers=[tpus("4")], props={"metadata": {"labels": {"kueue.x-k8s.io/queue-name": "tpu"}}})
    assert not findings(NAMES, pod())
    assert not findings(NAMES, pod(selector={}, affinity=affinity))
    assert not findings(NAMES, pod(selector={"cloud.google.com/compute-class": "tpu"}))
    assert not findings(NAMES, pod(selector=UNKNOWN))
    assert not findings(NAMES, queued)
    assert not findings(NAMES, deployment())


@pytest.mark.parametrize(
    "selector",
    [("tpu-v6e-slice", "2x2x1"), ("tpu-v5p-slice", "4x4"), ("tpu-v5-lite-podslice", "3x3"), ("tpu7x", "2x2")],
)
def test_a_pod_that_selects_no_real_slice_is_found(selector: tuple[str, str]) -> None:
    assert len(findings(EXISTS, pod(selector=selector))) == 1


@pytest.mark.parametrize(
    ("label", "meant"),
    [("tpu-v6e", "tpu-v6e-slice"), ("v6e", "tpu-v6e-slice"), ("tpu-v5e-podslice", "tpu-v5-lite-podslice")],
)
def test_a_pod_that_misspells_its_accelerator_is_told_the_label(label: str, meant: str) -> None:
    (found,) = findings(EXISTS, pod(selector=(label, "2x2")))
    assert found.endswith(f"Write {meant}.")


@pytest.mark.parametrize("label", ["tpu-v3-slice", "tpu-v5-lite-device", "tpu9x"])
def test_an_accelerator_that_is_not_known_is_silent(label: str) -> None:
    assert not findings(EXISTS, pod(selector=(label, "2x2")))


@pytest.mark.parametrize(
    "selector",
    [("tpu-v6e-slice", "4x4"), ("tpu-v5p-slice", "2x2x2"), ("tpu-v5-lite-device", "2x2"), ("tpu-v9-slice", "9x9")],
)
def test_a_pod_that_selects_a_real_slice_is_silent(selector: tuple[str, str]) -> None:
    assert not findings(EXISTS, pod(selector=selector))


@pytest.mark.parametrize(("count", "found"), [("4", False), (4.0, False), ("8", True), ("1", True), (UNKNOWN, False)])
def test_a_pod_takes_the_chips_of_the_host_that_makes_its_slice(count: object, found: bool) -> None:
    assert bool(findings(WHOLE, pod(count))) is found


def test_a_pod_takes_the_chips_of_its_pool() -> None:
    eight = pool("ct6e-standard-8t")
    selector = ("tpu-v6e-slice", "2x4")
    assert "has 8" in findings(WHOLE, cluster(), eight, pod("4", selector))[0]
    assert not findings(WHOLE, cluster(), eight, pod("8", selector))
    assert not findings(WHOLE, pod("4", selector))
    assert not findings(WHOLE, pod("8", selector))


def test_chips_are_summed_over_the_containers_of_a_pod() -> None:
    labels = {LABEL: "tpu-v6e-slice", SHAPE: "2x2"}
    two = deployment(containers=[tpus("2"), {**tpus("2"), "name": "second"}], pod={"nodeSelector": labels})
    assert not findings(WHOLE, two)


@pytest.mark.parametrize("rule", [NAMES, EXISTS, WHOLE])
def test_gpu_pods_are_none_of_these_rules_business(rule: Rule) -> None:
    assert not findings(rule, cluster(), node_pool(), deployment())


# ---------------------------------------------------------------- servers on several hosts


FILLS = tpu.server_fills_slice
SLICE = {"nodeSelector": {LABEL: "tpu-v6e-slice", SHAPE: "4x4"}}


def slice_group(size: int) -> Resource:
    return leader_worker_set(size=size, containers=[tpus("4")], leader=SLICE, worker=SLICE)


def test_a_server_with_fewer_pods_than_its_slice_has_hosts_is_found() -> None:
    assert "size: 4" in findings(FILLS, pod(selector=("tpu-v6e-slice", "4x4")))[0]
    assert len(findings(FILLS, slice_group(2))) == 1
    assert len(findings(FILLS, slice_group(8))) == 1


def test_a_server_that_fills_its_slice_or_may_is_silent() -> None:
    four = deployment(containers=[tpus("4")], pod=SLICE, spec={"replicas": 4})
    unknown = deployment(containers=[tpus("4")], pod=SLICE, spec={"replicas": UNKNOWN})
    for silent in (slice_group(4), pod(), pod("8", selector=("tpu-v6e-slice", "2x4")), four, unknown):
        assert findings(FILLS, silent) == []
    training = {"command": ["python", "train.py"], "image": "acme/train:v1", "args": None}
    assert findings(FILLS, deployment(containers=[tpus("4") | training], pod=SLICE)) == []
