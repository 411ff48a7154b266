from __future__ import annotations

import pytest

from inference.rules import scheduling
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import (
    cluster,
    container,
    deployment,
    findings,
    leader_worker_set,
    node_pool,
)

GPU = "cloud.google.com/gke-accelerator"
FITS, WHOLE = scheduling.pod_fits_machine, scheduling.extended_resources_are_whole


def wanting(**resources: object) -> Resource:
    return deployment(containers=[container({"resources": {"requests": resources, "limits": resources}})])


# ---------------------------------------------------------------- devices


@pytest.mark.parametrize(
    ("requests", "limits"),
    [
        ({"nvidia.com/gpu": 1}, {}),
        ({"nvidia.com/gpu": "1"}, {"nvidia.com/gpu": "2"}),
        ({}, {"nvidia.com/gpu": "0.5"}),
        ({}, {"nvidia.com/gpu": "500m"}),
        ({"google.com/tpu": "4"}, {"google.com/tpu": "8"}),
        ({"rdma/hca": 1}, {}),
    ],
)
@pytest.mark.parametrize("place", ["containers", "initContainers"])
def test_devices_in_parts_or_without_equal_limit_are_found(requests: dict, limits: dict, place: str) -> None:
    server = {"name": "vllm", "image": "vllm", "resources": {"requests": requests, "limits": limits}}
    pod = {place: [server]} if place == "containers" else {"containers": [{"name": "a"}], place: [server]}
    for thing in (deployment(pod=pod), leader_worker_set(leader=pod, worker={"containers": [{"name": "b"}]})):
        assert len(findings(WHOLE, thing)) == 1


@pytest.mark.parametrize(
    ("requests", "limits"),
    [
        ({"nvidia.com/gpu": 1, "cpu": "500m"}, {"nvidia.com/gpu": "1.0"}),
        ({}, {"nvidia.com/gpu": 8.0}),
        ({"nvidia.com/gpu": UNKNOWN}, {"nvidia.com/gpu": "1"}),
        (UNKNOWN, {"nvidia.com/gpu": "1"}),
        ({"memory": "1Gi", "cpu": 2}, {"memory": "2Gi"}),
        ({"nvidia.com/gpu": "0"}, {"nvidia.com/gpu": "0"}),
        (None, None),
    ],
)
def test_whole_devices_are_silent(requests: object, limits: object) -> None:
    server = {"name": "vllm", "image": "vllm", "resources": {"requests": requests, "limits": limits}}
    assert not findings(WHOLE, deployment(pod={"containers": [server]}))


# ---------------------------------------------------------------- room


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"nvidia.com/gpu": "2"}, "2 GPUs"),
        ({"cpu": "12"}, "12 CPUs"),
        ({"cpu": 11.99}, "CPUs"),
        ({"memory": "48Gi"}, "48.0 GiB"),
        ({"memory": "47000M"}, "GiB"),
        ({"memory": 51539607552}, "48.0 GiB"),
    ],
)
def test_a_pod_that_is_larger_than_the_machine_is_found(resources: dict, words: str) -> None:
    found = findings(
        FITS, cluster(), node_pool(), wanting(**{"nvidia.com/gpu": "1", "cpu": "4", "memory": "16Gi", **resources})
    )
    assert len(found) == 1
    assert words in found[0]


def test_sixteen_gib_do_not_fit_on_a_machine_with_sixteen() -> None:
    small = node_pool("l4", {"nodeConfig": {"machineType": "g2-standard-4"}})
    assert findings(FITS, cluster(), small, wanting(**{"nvidia.com/gpu": "1", "cpu": "2", "memory": "16Gi"}))
    assert not findings(FITS, cluster(), small, wanting(**{"nvidia.com/gpu": "1", "cpu": "2", "memory": "12Gi"}))


def test_a_pod_that_fits_one_of_its_pools_is_silent() -> None:
    assert not findings(FITS, cluster(), node_pool(), deployment())
    large = node_pool("large", {"nodeConfig": {"machineType": "g2-standard-96", "guestAccelerators": None}})
    pod = wanting(**{"nvidia.com/gpu": "8", "cpu": "80", "memory": "300Gi"})
    assert not findings(FITS, cluster(), node_pool(), large, pod)
    assert findings(FITS, cluster(), node_pool(), pod)


def test_containers_of_a_pod_are_summed() -> None:
    side = {"name": "side", "image": "x", "resources": {"requests": {"cpu": "9"}}}
    assert findings(FITS, cluster(), node_pool(), deployment(containers=[container(), side]))
    prepared = deployment(pod={"initContainers": [side]})
    assert not findings(FITS, cluster(), node_pool(), prepared)


def test_machines_that_are_not_known_are_silent() -> None:
    future = node_pool("x", {"nodeConfig": {"machineType": "a9-future-1g"}})
    assert not findings(FITS, cluster(), future, wanting(cpu="4000", memory="16Gi"))
    assert not findings(FITS, cluster(), node_pool(), wanting(cpu=UNKNOWN, memory=UNKNOWN))
    parts = {"type": "nvidia-tesla-a100", "count": 1, "gpuPartitionSize": "1g.5gb"}
    split = node_pool("x", {"nodeConfig": {"machineType": "a2-highgpu-1g", "guestAccelerators": [parts]}})
    assert not findings(FITS, cluster(), split, wanting(**{"nvidia.com/gpu": "7", "cpu": "1", "memory": "1Gi"}))


@pytest.mark.parametrize(
    ("gpu", "count", "found"),
    [("nvidia-h200-141gb", 16, True), ("nvidia-tesla-t4", 8, True), ("nvidia-l4", 8, False), ("nvidia-x", 99, False)],
)
def test_more_gpus_than_any_machine_has_are_found_without_a_pool(gpu: str, count: int, found: bool) -> None:
    limits = {"limits": {"nvidia.com/gpu": count}}
    pod = deployment(containers=[{"name": "v", "image": "v", "resources": limits}], pod={"nodeSelector": {GPU: gpu}})
    assert bool(findings(scheduling.gpus_fit_any_machine, pod)) is found


def test_two_gpus_of_a_shared_pool_are_found() -> None:
    rule = scheduling.shared_gpu_is_one
    sharing = {"gpuSharingConfig": {"gpuSharingStrategy": "TIME_SHARING", "maxSharedClientsPerGpu": 4}}
    shared = node_pool("x", {"nodeConfig": {"guestAccelerators": [{"type": "nvidia-l4", "count": 1, **sharing}]}})
    assert findings(rule, cluster(), shared, wanting(**{"nvidia.com/gpu": 2}))
    assert not findings(rule, cluster(), shared, deployment())
    assert not findings(rule, cluster(), shared, node_pool("free"), wanting(**{"nvidia.com/gpu": 2}))


def test_one_thread_a_core_with_pods_for_both_is_found() -> None:
    rule = scheduling.threads_leave_cpus
    config = {"machineType": "a3-ultragpu-8g", "guestAccelerators": None}
    halved = node_pool("h200", {"nodeConfig": {**config, "advancedMachineFeatures": {"threadsPerCore": 1.0}}})
    large = wanting(**{"nvidia.com/gpu": 8, "cpu": "200", "memory": "1Ti"})
    found = findings(rule, cluster(), halved, large)
    assert len(found) == 1
    assert "112 vCPUs" in found[0]
    assert not findings(rule, cluster(), halved, wanting(**{"nvidia.com/gpu": 8, "cpu": "100"}))
    assert not findings(rule, cluster(), node_pool("h200", {"nodeConfig": config}), large)
    assert not findings(rule, cluster(), halved)
    two = node_pool("h200", {"nodeConfig": {**config, "advancedMachineFeatures": {"threadsPerCore": 2}}})
    assert not findings(rule, cluster(), two, large)
