from __future__ import annotations

import json
from typing import Any

import pytest

from inference.rules.rdma import (
    claim_locks_memory,
    container_locks_memory,
    group_uses_fabric,
    interfaces_on_template,
    pod_interfaces_are_readable,
    pod_networks_are_declared,
    pod_takes_all_gpus,
    pod_takes_all_interfaces,
)
from inference.rules.views.resources import Provider, Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import changed, container, custom, deployment, findings, leader_worker_set, workload
from tests.inference.rules.fabric_cases import (
    ANNOTATIONS,
    INTERFACES,
    gpu_pool,
    group,
    host_cluster,
    interfaces,
    marked,
    parameters,
    pod_network,
    rdma_container,
    that,
)

H200 = {"nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-h200-141gb"}}
GB200 = {"nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-gb200"}}
FOUR_GPUS = {"resources": {"requests": {"nvidia.com/gpu": 4}, "limits": {"nvidia.com/gpu": 4}}}
FOUR = marked([f"rdma-{i}" for i in range(4)])


def kinds(changes: dict[str, Any], marks: dict[str, Any], pod: dict[str, Any] | None = None) -> list[Resource]:
    """Make the same RDMA pod as several kinds of workload."""
    spec = {"containers": [rdma_container(changes)], **(pod or {})}
    template = {"metadata": {"annotations": marks}, "spec": spec}
    job = {"template": template}
    replicated = {"replicatedJobs": [{"name": "w", "template": {"spec": job}}]}
    return [
        deployment(containers=[rdma_container(changes)], annotations=marks, pod=pod),
        workload("kubernetes:apps/v1:StatefulSet", "apps/v1", "StatefulSet", "s", job, None),
        workload("kubernetes:batch/v1:Job", "batch/v1", "Job", "j", job, None),
        workload("kubernetes:batch/v1:CronJob", "batch/v1", "CronJob", "c", {"jobTemplate": {"spec": job}}, None),
        workload("kubernetes:core/v1:Pod", "v1", "Pod", "p", spec, {"metadata": {"annotations": marks}}),
        custom("jobset.x-k8s.io/v1alpha2", "JobSet", "js", replicated),
    ]


def test_interfaces_on_the_object_itself_reach_no_pod() -> None:
    for annotated in (deployment, leader_worker_set):
        made = annotated(containers=[rdma_container()], props={"metadata": {"annotations": marked()}})
        assert all("pod template" in said for said in findings(interfaces_on_template, made))
        assert findings(interfaces_on_template, made)


def test_interfaces_on_the_template_are_silent() -> None:
    for made in (*kinds({}, marked()), group()):
        assert findings(interfaces_on_template, made) == []
    served = custom(
        "serving.kserve.io/v1beta1",
        "InferenceService",
        "llama",
        {"predictor": {"containers": [rdma_container()]}},
        {"metadata": {"annotations": marked()}},
    )
    assert findings(interfaces_on_template, served) == []
    both = deployment(
        containers=[rdma_container()], annotations=marked(), props={"metadata": {"annotations": marked()}}
    )
    assert findings(interfaces_on_template, both) == []


# the list of interfaces


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        ({INTERFACES: "eth0=default"}, "no JSON list"),
        ({INTERFACES: '{"interfaceName": "eth0"}'}, "no JSON list"),
        ({INTERFACES: '["eth0"]'}, "no JSON list"),
        ({INTERFACES: '[{"interfaceName": "eth1"}]'}, "without a network"),
        ({ANNOTATIONS: None}, "which of them is the default"),
        ({ANNOTATIONS: "eth2"}, "not on the network default"),
        ({INTERFACES: json.dumps([{"interfaceName": "eth1", "network": "gvnic-1"}])}, "without the network default"),
    ],
)
def test_interfaces_that_gke_cannot_use_are_found(marks: dict[str, Any], said: str) -> None:
    for made in kinds({}, changed(marked(), marks)):
        [message] = findings(pod_interfaces_are_readable, made)
        assert said in message


@pytest.mark.parametrize(
    "marks",
    [
        marked(),
        marked(["gvnic-1"], first=1),
        changed(marked(), {ANNOTATIONS: UNKNOWN}),
        {INTERFACES: UNKNOWN},
    ],
)
def test_a_right_list_of_interfaces_is_silent(marks: dict[str, Any]) -> None:
    for made in kinds({}, marks):
        assert findings(pod_interfaces_are_readable, made) == []


def test_a_pod_without_interfaces_is_silent() -> None:
    assert findings(pod_interfaces_are_readable, deployment(annotations={ANNOTATIONS: "eth0"})) == []


# all interfaces


@pytest.mark.parametrize("count", [1, 3, 7])
def test_a_pod_with_some_of_the_rdma_networks_is_found_in_every_kind(count: int) -> None:
    for made in kinds({}, marked([f"rdma-{i}" for i in range(count)])):
        [message] = findings(pod_takes_all_interfaces, made)
        assert f"lists {count} of the 8 RDMA networks" in message


def test_both_templates_of_a_group_are_judged() -> None:
    assert len(findings(pod_takes_all_interfaces, group(annotated=marked(["rdma-0"])))) == 2


@pytest.mark.parametrize("pod", [H200, None])
def test_four_networks_beside_eight_gpus_are_found(pod: dict[str, Any] | None) -> None:
    for made in kinds({}, FOUR, pod):
        [message] = findings(pod_takes_all_interfaces, made)
        assert "rdma-4, rdma-5, rdma-6, rdma-7" in message


def test_eight_networks_on_a4x_are_found() -> None:
    for made in kinds(FOUR_GPUS, marked(), GB200):
        [message] = findings(pod_takes_all_interfaces, made)
        assert "its nodes have 4" in message


@pytest.mark.parametrize("names", [["rdma-0"] * 2 + [f"rdma-{i}" for i in range(1, 8)]])
def test_a_network_that_is_listed_twice_is_found(names: list[str]) -> None:
    for made in kinds({}, marked(names)):
        assert "twice" in findings(pod_takes_all_interfaces, made)[0]


def test_an_interface_that_is_used_twice_is_found() -> None:
    listed = json.loads(interfaces([f"rdma-{i}" for i in range(8)]))
    listed[-1]["interfaceName"] = "eth2"

    for made in kinds({}, {**marked(), INTERFACES: json.dumps(listed)}):
        assert "twice" in findings(pod_takes_all_interfaces, made)[0]


@pytest.mark.parametrize(
    ("changes", "marks", "pod"),
    [
        ({}, marked(), None),
        ({}, marked(["gvnic-1", *[f"rdma-{i}" for i in range(8)]], first=1), H200),
        ({}, marked([f"roce-{i}" for i in range(8)]), None),
        (FOUR_GPUS, FOUR, GB200),
        (FOUR_GPUS, FOUR, None),
        ({}, marked([f"vpc{i}" for i in range(1, 9)], first=1), None),
        ({}, marked(["storage"]), None),
        ({}, {INTERFACES: UNKNOWN}, None),
    ],
)
def test_a_pod_with_all_or_no_rdma_networks_is_silent(
    changes: dict[str, Any], marks: dict[str, Any], pod: dict[str, Any] | None
) -> None:
    for made in kinds(changes, marks, pod):
        assert findings(pod_takes_all_interfaces, made) == []


# all GPUs


@pytest.mark.parametrize("amount", [1, 4, "2", 4.0])
def test_an_rdma_pod_with_a_part_of_the_gpus_is_found(amount: Any) -> None:
    some = {"resources": {"requests": {"nvidia.com/gpu": amount}, "limits": {"nvidia.com/gpu": amount}}}

    for made in kinds(some, marked(), H200):
        [message] = findings(pod_takes_all_gpus, made)
        assert "of the 8 GPUs" in message


def test_an_rdma_pod_with_two_of_the_four_gpus_of_a4x_is_found() -> None:
    two = {"resources": {"requests": {"nvidia.com/gpu": 2}, "limits": {"nvidia.com/gpu": 2}}}

    for made in kinds(two, FOUR, GB200):
        assert "of the 4 GPUs" in findings(pod_takes_all_gpus, made)[0]


@pytest.mark.parametrize(
    ("changes", "marks"),
    [
        ({}, marked()),
        ({"resources": {"requests": None, "limits": {"nvidia.com/gpu": "8"}}}, marked()),
        (
            {"resources": {"requests": {"nvidia.com/gpu": UNKNOWN}, "limits": {"nvidia.com/gpu": UNKNOWN}}},
            marked(),
        ),
        (FOUR_GPUS, FOUR),
        ({"resources": {"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": 1}}}, marked(["gvnic-1"])),
    ],
)
def test_an_rdma_pod_with_all_gpus_is_silent(changes: dict[str, Any], marks: dict[str, Any]) -> None:
    for made in kinds(changes, marks):
        assert findings(pod_takes_all_gpus, made) == []


def test_gpus_over_two_containers_are_added_up() -> None:
    halves = [rdma_container({**FOUR_GPUS, "name": name}) for name in ("one", "other")]

    assert findings(pod_takes_all_gpus, deployment(containers=halves, annotations=marked())) == []


# locked memory


@pytest.mark.parametrize(
    "context",
    [
        None,
        {"capabilities": {"add": ["SYS_NICE"]}},
        {"capabilities": None, "privileged": False},
        {"capabilities": {"add": []}},
    ],
)
def test_an_rdma_container_that_may_not_lock_memory_is_found(context: dict[str, Any] | None) -> None:
    for made in kinds({"securityContext": context}, marked()):
        [message] = findings(container_locks_memory, made)
        assert 'The container "vllm"' in message


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"capabilities": {"add": ["CAP_IPC_LOCK"]}},
        {"capabilities": {"add": ["ALL"]}},
        {"capabilities": None, "privileged": True},
        {"capabilities": None, "privileged": "true"},
        {"capabilities": UNKNOWN},
        {"privileged": UNKNOWN, "capabilities": None},
    ],
)
def test_an_rdma_container_that_may_lock_memory_is_silent(context: dict[str, Any]) -> None:
    for made in kinds({"securityContext": context}, marked()):
        assert findings(container_locks_memory, made) == []


def test_a_sidecar_without_gpus_needs_no_capability() -> None:
    proxy = {"name": "proxy", "image": "envoyproxy/envoy:v1.33.0"}
    made = deployment(containers=[rdma_container(), proxy], annotations=marked())

    assert findings(container_locks_memory, made) == []


def test_a_pod_without_gpus_on_the_one_rdma_nic_of_its_node_is_silent() -> None:
    for made in kinds({"resources": None, "image": "intel/oneapi-hpckit:2025.0.0"}, marked(["rdma-0"])):
        assert findings(pod_takes_all_interfaces, made) == []


@pytest.mark.parametrize("image", ["nccl-plugin-gib-diagnostic", "nccl-gib-a4x-max-arm64"])
def test_the_published_nccl_test_runs_without_the_capability(image: str) -> None:
    reference = f"us-docker.pkg.dev/gce-ai-infra/gpudirect-gib/{image}:v1.1.0"
    for made in kinds({"securityContext": None, "image": reference}, marked()):
        assert findings(container_locks_memory, made) == []


CLAIM = {"resourceClaims": [{"name": "rdma", "resourceClaimTemplateName": "nics"}]}


def claim(device_class: str = "mrdma.google.com") -> Resource:
    requests = [{"name": "nics", "exactly": {"deviceClassName": device_class, "allocationMode": "All"}}]
    return custom("resource.k8s.io/v1", "ResourceClaimTemplate", "nics", {"spec": {"devices": {"requests": requests}}})


def test_a_container_that_claims_rdma_nics_and_may_not_lock_memory_is_found() -> None:
    for made in kinds({"securityContext": None}, {}, CLAIM):
        [message] = findings(claim_locks_memory, made, claim())
        assert "IPC_LOCK" in message


@pytest.mark.parametrize(
    ("context", "of_class"),
    [({}, "mrdma.google.com"), (None, "netdev.google.com"), ({"capabilities": UNKNOWN}, "mrdma.google.com")],
)
def test_a_container_that_may_lock_memory_or_claims_other_nics_is_silent(context: Any, of_class: str) -> None:
    for made in kinds({"securityContext": context}, {}, CLAIM):
        assert findings(claim_locks_memory, made, claim(of_class)) == []


# declared networks


def test_a_network_that_nobody_declares_is_found() -> None:
    [message] = that(pod_networks_are_declared, other=deployment(annotations=marked(["rdma-0", "rdma-08"])))

    assert "rdma-08" in message


@pytest.mark.parametrize("extra", [custom("networking.gke.io/v1", "Network", "x", {}, {"metadata": {"name": UNKNOWN}})])
def test_a_network_with_a_name_not_known_yet_silences_a_miss(extra: Resource) -> None:
    missing = deployment(annotations=marked(["rdma-08"]))

    assert that(pod_networks_are_declared, other=missing, extra=extra) == []


def test_networks_that_are_declared_nowhere_in_the_program_are_silent() -> None:
    assert findings(pod_networks_are_declared, group(), parameters("rdma-0", "rdma", "rdma-sub-0")) == []


def test_networks_of_another_cluster_are_silent() -> None:
    one, two = (Provider("pulumi:providers:kubernetes", name, f"urn:{name}") for name in ("one", "two"))

    assert findings(pod_networks_are_declared, pod_network("vpc1", provider=one), group(provider=two)) == []


# groups over several nodes


def test_a_group_on_a_pool_without_gpu_networks_is_found() -> None:
    said = that(group_uses_fabric, pool=gpu_pool(attached=[]))

    assert len(said) == 2
    assert "attaches no GPU networks" in said[0]


def test_a_group_on_a_pool_with_its_host_network_only_is_found() -> None:
    assert len(that(group_uses_fabric, pool=gpu_pool(attached=[("gvnic", "gvnic-0")]))) == 2


@pytest.mark.parametrize("profile", [{}, {"networkConfig": {"acceleratorNetworkProfile": "auto"}}])
def test_a_group_that_asks_for_no_network_of_its_nodes_is_found(profile: dict[str, Any]) -> None:
    pool = gpu_pool(attached=[] if profile else None, props=profile)

    said = that(group_uses_fabric, pool=pool, group=group(annotated={}))

    assert "asks for none of its GPU networks" in said[0]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"group": group(annotated={INTERFACES: UNKNOWN})},
        {"group": group(annotated={}, pod={"resourceClaims": [{"name": "rdma"}]})},
        {"group": group(annotated={}, pod={"hostNetwork": True})},
        {"group": group(annotated={}, size=1)},
        {"group": group(FOUR_GPUS, annotated={})},
        {"pool": gpu_pool(attached=[], props={"networkConfig": UNKNOWN})},
        {"pool": gpu_pool("a2-ultragpu-8g", "nvidia-a100-80gb", [])},
        {"pool": None},
        {"pool": gpu_pool(attached=[]), "cluster": None, "group": deployment(containers=[rdma_container()], pod=H200)},
    ],
)
def test_a_group_that_uses_the_fabric_or_needs_none_is_silent(changes: dict[str, Resource | None]) -> None:
    assert that(group_uses_fabric, **changes) == []


def test_a_server_on_one_node_needs_no_fabric() -> None:
    single = deployment(containers=[container({"resources": rdma_container()["resources"]})], pod=H200)

    assert that(group_uses_fabric, pool=gpu_pool(attached=[]), group=single) == []


def test_a_group_that_may_run_on_a_pool_without_a_fabric_is_silent() -> None:
    anywhere = leader_worker_set()
    second = gpu_pool("a2-ultragpu-8g", "nvidia-a100-80gb", [], {"name": "a100"})

    assert that(group_uses_fabric, second=second, group=anywhere, cluster=host_cluster()) == []
