from __future__ import annotations

import pytest

from inference.rules import scheduling
from inference.rules.framework import Rule
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import (
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

POOL, GPU = "cloud.google.com/gke-nodepool", "cloud.google.com/gke-accelerator"
FINDS, LABEL, TAINTS = scheduling.selector_finds_pool, scheduling.label_is_declared, scheduling.taints_are_tolerated
FITS = scheduling.pod_fits_machine

CPU = {"machineType": "e2-standard-4", "guestAccelerators": None}


def system(**kw: object) -> Resource:
    return node_pool("system", {"nodeConfig": CPU}, **kw)


def selecting(key: str, value: object, **kw: object) -> Resource:
    return deployment(pod={"nodeSelector": {key: value}, **kw})


def affine(*terms: list[dict]) -> Resource:
    required = {"nodeSelectorTerms": [{"matchExpressions": term} for term in terms]}
    return deployment(pod={"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}})


CPU_POD = [container({"resources": {"requests": {"nvidia.com/gpu": None}, "limits": {"nvidia.com/gpu": None}}})]


# ---------------------------------------------------------------- selectors


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (POOL, "l4"),
        (GPU, "nvidia-l4"),
        ("topology.kubernetes.io/zone", "us-central1-a"),
        ("node.kubernetes.io/instance-type", "g2-standard-12"),
        ("kubernetes.io/arch", "amd64"),
        ("cloud.google.com/machine-family", "g2"),
        ("cloud.google.com/gke-gpu-driver-version", "latest"),
        ("nvidia.com/gpu.product", "NVIDIA-L4"),
        (POOL, UNKNOWN),
    ],
)
def test_a_selector_that_a_pool_meets_is_silent(key: str, value: object) -> None:
    assert not findings(FINDS, cluster(), node_pool(), selecting(key, value))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (POOL, "h200-pool"),
        (GPU, "nvidia-h100-80gb"),
        (GPU, "nvidia-tesla-l4"),
        ("topology.kubernetes.io/zone", "us-central1-b"),
        ("node.kubernetes.io/instance-type", "g2-standard-24"),
        ("kubernetes.io/arch", "arm64"),
        ("cloud.google.com/gke-spot", "true"),
        ("cloud.google.com/gke-flex-start", "true"),
    ],
)
def test_a_selector_that_no_pool_meets_is_found(key: str, value: str) -> None:
    found = findings(FINDS, cluster(), node_pool(), system(), selecting(key, value))
    assert len(found) == 1
    assert value in found[0]


def test_every_workload_and_template_is_judged() -> None:
    wrong = {"nodeSelector": {POOL: "gone"}}
    pod = {"containers": [container()], **wrong}
    things = [
        leader_worker_set(leader=wrong, worker=wrong),
        workload("kubernetes:apps/v1:StatefulSet", "apps/v1", "StatefulSet", "s", {"template": {"spec": pod}}, None),
        workload("kubernetes:batch/v1:Job", "batch/v1", "Job", "j", {"template": {"spec": pod}}, None),
        workload("kubernetes:core/v1:Pod", "v1", "Pod", "p", pod, None),
        custom("serving.kserve.io/v1alpha1", "LLMInferenceService", "k", {"template": pod}),
        custom("serving.kserve.io/v1beta1", "InferenceService", "i", {"predictor": pod}),
    ]
    for thing in things:
        assert findings(FINDS, cluster(), node_pool(), thing), thing.type
    assert len(findings(FINDS, cluster(), node_pool(), things[0])) == 2


def test_labels_that_no_single_pool_has_together_are_found() -> None:
    other = node_pool("far", {"nodeLocations": ["us-central1-c"], "nodeConfig": {"spot": True}})
    both = deployment(pod={"nodeSelector": {POOL: "l4", "cloud.google.com/gke-spot": "true"}})
    assert findings(FINDS, cluster(), node_pool(), other, both)


def test_required_affinity_is_a_choice() -> None:
    gone = [{"key": POOL, "operator": "In", "values": ["gone"]}]
    here = [{"key": POOL, "operator": "In", "values": ["gone", "l4"]}]
    assert findings(FINDS, cluster(), node_pool(), affine(gone))
    assert not findings(FINDS, cluster(), node_pool(), affine(here))
    assert not findings(FINDS, cluster(), node_pool(), affine(gone, here))
    assert findings(FINDS, cluster(), node_pool(), affine([{"key": POOL, "operator": "NotIn", "values": ["l4"]}]))
    assert findings(
        FINDS, cluster(), node_pool(), affine([{"key": "cloud.google.com/gke-tpu-topology", "operator": "Exists"}])
    )
    assert not findings(FINDS, cluster(), node_pool(), affine([{"key": GPU, "operator": "Exists"}]))


def test_tpu_labels_are_compared_with_the_slice_of_the_pool() -> None:
    config = {"machineType": "ct6e-standard-4t", "guestAccelerators": None}
    tpu = [container({"resources": {"requests": None, "limits": {"nvidia.com/gpu": None, "google.com/tpu": "4"}}})]

    def pod(topology: str) -> Resource:
        labels = {
            "cloud.google.com/gke-tpu-accelerator": "tpu-v6e-slice",
            "cloud.google.com/gke-tpu-topology": topology,
        }
        return deployment(containers=tpu, pod={"nodeSelector": labels})

    single = node_pool("tpu", {"nodeConfig": config})
    wide = node_pool("tpu", {"nodeConfig": config, "placementPolicy": {"type": "COMPACT", "tpuTopology": "4x4"}})
    told = node_pool(
        "tpu", {"nodeConfig": config, "placementPolicy": {"type": "", "policyName": "", "tpuTopology": ""}}
    )
    assert not findings(FINDS, cluster(), single, pod("2x2"))
    assert not findings(FINDS, cluster(), told, pod("2x2")), "the API's answer names no topology as an empty text"
    assert findings(FINDS, cluster(), single, pod("4x4"))
    assert not findings(FINDS, cluster(), wide, pod("4x4"))


def test_a_logical_name_in_place_of_an_automatic_one_is_found() -> None:
    unnamed = node_pool("h200", {"name": None})
    assert "seven more" in findings(FINDS, cluster(), unnamed, selecting(POOL, "h200"))[0]
    assert not findings(FINDS, cluster(), unnamed, selecting(POOL, "h200-1a2b3c4"))
    linked = deployment(pod={"nodeSelector": {POOL: "h200"}}, property_dependencies={"spec": [unnamed]})
    assert not findings(FINDS, cluster(), unnamed, linked)


def test_gpus_in_a_cluster_without_gpus_are_found() -> None:
    assert "no node pool" in findings(FINDS, cluster(), system(), deployment())[0]


@pytest.mark.parametrize(
    "platform",
    [
        cluster(props={"enableAutopilot": True}),
        cluster(props={"clusterAutoscaling": {"enabled": True}}),
        cluster(props={"clusterAutoscaling": {"defaultComputeClassEnabled": True}}),
        cluster(props={"clusterAutoscaling": UNKNOWN}),
        cluster(props={"enableAutopilot": UNKNOWN}),
    ],
)
@pytest.mark.parametrize("rule", [FINDS, LABEL, FITS])
def test_clusters_that_make_pools_themselves_are_silent(platform: Resource, rule: Rule) -> None:
    assert not findings(rule, platform, node_pool(), selecting(POOL, "gone"), selecting("team", "ml"))


def test_pods_that_may_find_other_nodes_are_silent() -> None:
    kept = cluster(props={"removeDefaultNodePool": None})
    on_cpu = deployment(containers=CPU_POD, pod={"nodeSelector": {POOL: "default-pool"}})
    assert not findings(FINDS, kept, node_pool(), on_cpu)
    assert not findings(FINDS, node_pool(), deployment(containers=CPU_POD, pod={"nodeSelector": {POOL: "system"}}))
    assert not findings(FINDS, cluster(), selecting(POOL, "gone"))
    assert not findings(FINDS, selecting(POOL, "gone"))
    classed = deployment(pod={"nodeSelector": {"cloud.google.com/compute-class": "gpus", GPU: "nvidia-b200"}})
    assert not findings(FINDS, cluster(), node_pool(), classed)
    by_default = {"metadata": {"labels": {"cloud.google.com/default-compute-class": "gpus"}}}
    space = workload("kubernetes:core/v1:Namespace", "v1", "Namespace", "serving", {}, by_default)
    assert not findings(FINDS, cluster(), node_pool(), space, selecting(POOL, "gone"))
    spec = {"template": {"spec": {"containers": CPU_POD, "nodeSelector": {POOL: "gone"}}}}
    daemons = workload("kubernetes:apps/v1:DaemonSet", "apps/v1", "DaemonSet", "d", spec, None)
    assert not findings(FINDS, cluster(), node_pool(), daemons)


def test_pods_of_other_clouds_are_silent() -> None:
    eks = resource("aws:eks/cluster:Cluster", "eks", {})
    assert not findings(FINDS, cluster(), node_pool(), eks, selecting(POOL, "gone"))
    assert not findings(FINDS, cluster(), node_pool(), selecting("eks.amazonaws.com/nodegroup", "gpus"))
    platform = cluster()
    here = deployment(pod={"nodeSelector": {POOL: "gone"}}, dependencies=[platform])
    assert findings(FINDS, platform, node_pool(), eks, here)


def test_pods_are_compared_with_the_pools_of_their_own_cluster() -> None:
    one, two = cluster("one"), cluster("two")
    first, second = node_pool("a", {"cluster": "one"}), node_pool("b", {"cluster": "two"})
    there = deployment(pod={"nodeSelector": {POOL: "b"}}, dependencies=[one])
    assert findings(FINDS, one, two, first, second, there)
    assert not findings(
        FINDS, one, two, first, second, deployment(pod={"nodeSelector": {POOL: "b"}}, dependencies=[two])
    )
    assert not findings(FINDS, one, two, first, second, selecting(POOL, "gone"))


def test_pools_inside_a_cluster_are_pools() -> None:
    config = {"machineType": "g2-standard-12", "guestAccelerators": [{"type": "nvidia-l4", "count": 1}]}
    inside = cluster(props={"nodePools": [{"name": "inner", "nodeConfig": config}], "removeDefaultNodePool": None})
    assert not findings(FINDS, inside, selecting(POOL, "inner"))
    assert findings(FINDS, inside, selecting(POOL, "outer"))


# ---------------------------------------------------------------- labels of the team


def test_a_label_that_the_pool_lacks_is_found() -> None:
    found = findings(LABEL, cluster(), node_pool(), selecting("workload", "llm-inference"))
    assert len(found) == 1
    assert "workload=llm-inference" in found[0]
    other = node_pool("l4", {"nodeConfig": {"labels": {"workload": "training"}}})
    assert findings(LABEL, cluster(), other, selecting("workload", "llm-inference"))


def test_a_label_of_another_pool_does_not_help() -> None:
    labeled = node_pool("system", {"nodeConfig": {**CPU, "labels": {"workload": "llm"}}})
    assert findings(LABEL, cluster(), node_pool(), labeled, selecting("workload", "llm"))


def test_a_label_that_the_pool_declares_or_may_declare_is_silent() -> None:
    for labels in ({"workload": "llm"}, UNKNOWN, {"workload": UNKNOWN}):
        pool = node_pool("l4", {"nodeConfig": {"labels": labels}})
        assert not findings(LABEL, cluster(), pool, selecting("workload", "llm"))
    numbered = node_pool("l4", {"nodeConfig": {"labels": {"tier": 1.0}}})
    assert not findings(LABEL, cluster(), numbered, selecting("tier", "1"))
    assert not findings(LABEL, cluster(), node_pool(), selecting(POOL, "gone"))


# ---------------------------------------------------------------- taints

TAINT = [{"key": "workload", "value": "llm", "effect": "NO_SCHEDULE"}]


def tainted(taints: object = None) -> Resource:
    return node_pool("l4", {"nodeConfig": {"taints": TAINT if taints is None else taints}})


def tolerant(*tolerations: object) -> Resource:
    return deployment(pod={"tolerations": list(tolerations)})


@pytest.mark.parametrize(
    "pod",
    [
        deployment(),
        tolerant({"key": "nvidia.com/gpu", "operator": "Exists"}),
        tolerant({"key": "workload", "operator": "Equal", "value": "training"}),
        tolerant({"key": "workload", "operator": "Exists", "effect": "NoExecute"}),
        tolerant({"key": "workload"}),
    ],
)
def test_a_taint_that_the_pod_does_not_tolerate_is_found(pod: Resource) -> None:
    found = findings(TAINTS, cluster(), tainted(), pod)
    assert len(found) == 1
    assert "workload=llm:NoSchedule" in found[0]


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": "workload", "operator": "Equal", "value": "llm", "effect": "NoSchedule"},
        {"key": "workload", "value": "llm"},
        {"key": "workload", "operator": "Exists"},
        {"operator": "Exists"},
        {"key": "workload", "operator": UNKNOWN},
        UNKNOWN,
    ],
)
def test_a_tolerated_taint_is_silent(toleration: object) -> None:
    assert not findings(TAINTS, cluster(), tainted(), tolerant(toleration))


def test_taints_that_keep_no_gpu_pod_away_are_silent() -> None:
    gpu = [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}]
    soft = [{"key": "workload", "value": "llm", "effect": "PREFER_NO_SCHEDULE"}]
    for taints in (gpu, soft, UNKNOWN, []):
        assert not findings(TAINTS, cluster(), tainted(taints), deployment())
    assert not findings(TAINTS, cluster(), tainted(), node_pool("free"), deployment())
    admitted = deployment(props={"metadata": {"labels": {"kueue.x-k8s.io/queue-name": "gpus"}}})
    assert not findings(TAINTS, cluster(), tainted(), admitted)


def test_a_pod_without_gpu_on_gpu_nodes_needs_the_toleration() -> None:
    here = {"nodeSelector": {POOL: "l4"}}
    without = deployment(containers=CPU_POD, pod=here)
    with_it = deployment(
        containers=CPU_POD, pod={**here, "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]}
    )
    assert "nvidia.com/gpu" in findings(TAINTS, cluster(), node_pool(), system(), without)[0]
    assert not findings(TAINTS, cluster(), node_pool(), system(), with_it)
    assert not findings(TAINTS, cluster(), node_pool(), system(), deployment(containers=CPU_POD))
    assert not findings(TAINTS, cluster(), node_pool(), without)


@pytest.mark.parametrize("part", ["model", "huggingface", "triton"])
def test_gpus_of_a_predictor_without_containers_bring_the_toleration(part: str) -> None:
    def service(**resources: object) -> Resource:
        predictor = {"nodeSelector": {POOL: "l4"}, part: {"resources": {"limits": resources}}}
        return custom("serving.kserve.io/v1beta1", "InferenceService", "i", {"predictor": predictor})

    with_gpu, without = service(**{"nvidia.com/gpu": "1"}), service(cpu="2")
    assert not findings(TAINTS, cluster(), node_pool(), system(), with_gpu)
    assert findings(TAINTS, cluster(), node_pool(), system(), without)
    assert findings(FITS, cluster(), node_pool(), service(**{"nvidia.com/gpu": "4"}))


def test_arm_nodes_need_the_toleration_or_the_selector() -> None:
    a4x = {"machineType": "a4x-highgpu-4g", "guestAccelerators": [{"type": "nvidia-gb200", "count": 4}]}
    pool = node_pool("a4x", {"nodeConfig": a4x})
    assert "kubernetes.io/arch=arm64" in findings(TAINTS, cluster(), pool, system(), deployment())[0]
    assert not findings(TAINTS, cluster(), pool, system(), selecting("kubernetes.io/arch", "arm64"))
    assert not findings(
        TAINTS, cluster(), pool, system(), tolerant({"key": "kubernetes.io/arch", "operator": "Exists"})
    )
    untainted = node_pool("a4x", {"nodeConfig": {**a4x, "taintConfig": {"architectureTaintBehavior": "NONE"}}})
    assert not findings(TAINTS, cluster(), untainted, system(), deployment())
