"""Quotas by the names that Google Cloud gives them: held against the list of its own client library."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from inference.facts import permissions, quotas
from inference.facts.gpus import GPUS
from inference.facts.machines import MACHINES, machine
from inference.facts.quotas import Quota
from inference.facts.sources import SOURCES, keys
from inference.facts.tpus import GENERATIONS

NEWER_THAN_THE_ENUM = {
    "HDML_TOTAL_GB",
    "HDT_TOTAL_GB",
    "HDX_TOTAL_GB",
    "TPU_V5P",
    "PREEMPTIBLE_TPU_V5P",
    "PREEMPTIBLE_TPU_V6E",
    "PREEMPTIBLE_TPU_TPU7X",
    "PREEMPTIBLE_NVIDIA_H100_MEGA_GPUS",
    "PREEMPTIBLE_NVIDIA_H200_GPUS",
    "PREEMPTIBLE_NVIDIA_B200_GPUS",
    "PREEMPTIBLE_NVIDIA_GB200_GPUS",
    "PREEMPTIBLE_NVIDIA_GB300_GPUS",
    "PREEMPTIBLE_NVIDIA_RTX_PRO_6000_GPUS",
}
"""The library lists the metrics of some years ago; these are read off live projects or, where marked, assumed."""

FAMILIES = ("n1", "e2", "n2", "n2d", "c2", "c2d", "c3", "c3d", "c4", "n4", "t2a", "t2d")


def every() -> Iterator[Quota]:
    both = (False, True)
    yield from (q for name in GPUS for spare in both if (q := quotas.gpus(name, preemptible=spare)))
    yield from (q for name in GENERATIONS for spare in both if (q := quotas.tpus(name, preemptible=spare)))
    yield from (q for name in FAMILIES for spare in both if (q := quotas.cpus(name, preemptible=spare)))
    yield from (quotas.local_ssd("a3-ultra", preemptible=spare) for spare in both)
    yield from (q for name in ("pd-standard", "pd-balanced", "hyperdisk-balanced", "hyperdisk-ml",
                               "hyperdisk-throughput", "hyperdisk-extreme") if (q := quotas.disk(name)))  # fmt: skip
    yield from quotas.OF_RESOURCE.values()
    yield from (quotas.GPUS_ALL_REGIONS, quotas.CPUS_ALL_REGIONS, quotas.INSTANCES, quotas.INSTANCE_GROUP_MANAGERS)
    yield from (quotas.INSTANCE_TEMPLATES, quotas.IN_USE_ADDRESSES, quotas.REGIONAL_EXTERNAL_FORWARDING_RULES)


EVERY = sorted(set(every()), key=str)


def test_every_metric_is_one_that_the_client_library_knows_or_is_known_to_be_newer() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compute = pytest.importorskip("google.cloud.compute_v1", reason="google-cloud-compute is not installed")
    known = {metric.name for metric in compute.Quota.Metric}

    named = {quota.metric for quota in EVERY if quota.metric}

    assert len(named) > 40
    assert named - known == NEWER_THAN_THE_ENUM


@pytest.mark.parametrize("quota", EVERY, ids=str)
def test_an_id_ends_with_its_scope_and_has_hyphens_only(quota: Quota) -> None:
    assert quota.id.endswith("-per-project" if quota.scope == "global" else "-per-project-region")
    assert "_" not in quota.id
    assert quota.metric is None or quota.id.startswith(quota.metric.replace("_", "-"))


@pytest.mark.parametrize("quota", EVERY, ids=str)
def test_a_quota_without_a_metric_is_told_apart_by_a_dimension(quota: Quota) -> None:
    assert bool(quota.dimensions) is (quota.metric is None)


def test_every_quota_and_requirement_has_a_source() -> None:
    sources = [quota.source for quota in EVERY] + [found.source for found in permissions.OF_TOKEN.values()]
    assert not {key for source in sources for key in keys(source) if key not in SOURCES}


def test_every_gpu_and_tpu_has_both_quotas() -> None:
    assert all(quotas.gpus(name, preemptible=spare) for name in GPUS for spare in (False, True))
    assert all(quotas.tpus(name, preemptible=spare) for name in GENERATIONS for spare in (False, True))


def test_what_is_not_known_has_no_quota() -> None:
    assert quotas.gpus("nvidia-h999") is None
    assert quotas.tpus("v99") is None
    assert quotas.disk("pd-future") is None


@pytest.mark.parametrize(
    ("accelerator", "name"),
    [
        ("nvidia-l4", "NVIDIA_L4_GPUS"),
        ("nvidia-a100-80gb", "NVIDIA_A100_80GB_GPUS"),
        ("nvidia-h200-141gb", "GPUS-PER-GPU-FAMILY gpu_family=NVIDIA_H200"),
    ],
)
def test_a_gpu_goes_by_the_name_that_google_cloud_shows(accelerator: str, name: str) -> None:
    assert str(quotas.gpus(accelerator)) == name


def test_machines_with_their_own_gpus_take_no_vcpus() -> None:
    assert {quotas.cpus(found.family) for found in MACHINES.values()} == {None}


def test_the_gpus_of_n1_come_with_vcpus() -> None:
    found = machine("n1-standard-8")
    assert found is not None
    assert str(quotas.cpus(found.family)) == "CPUS"
    assert str(quotas.cpus(found.family, preemptible=True)) == "PREEMPTIBLE_CPUS"


def test_tpu_quotas_are_those_of_compute_engine() -> None:
    assert not [quota for quota in EVERY if "TPUAPI" in quota.id.upper()]
    assert str(quotas.tpus("v6e")) == "TPUS-PER-TPU-FAMILY tpu_family=CT6E"
    assert str(quotas.tpus("v5e")) == "TPU_LITE_PODSLICE_V5"


@pytest.mark.parametrize("token", ["gcp:compute/firewall:Firewall", "gcp:compute/route:Route"])
def test_what_steers_the_packets_of_a_network_asks_the_network_too(token: str) -> None:
    assert "compute.networks.updatePolicy" in permissions.OF_TOKEN[token].permissions


def test_names_that_no_source_has_are_marked() -> None:
    assert {name for name in GPUS if (q := quotas.gpus(name)) and q.assumed} == {"nvidia-gb200", "nvidia-gb300"}
    assert {name for name in GPUS if (q := quotas.gpus(name, preemptible=True)) and q.assumed} == {
        "nvidia-gb200",
        "nvidia-gb300",
    }
    assert {name for name in GENERATIONS if (q := quotas.tpus(name, preemptible=True)) and q.assumed} == {"tpu7x"}
    assert {str(quota) for quota in EVERY if quota.assumed and quota.unit == "GB"} == {
        "LOCAL-SSD-TOTAL-GB-PER-VM-FAMILY vm_family=A3",
        "HDT_TOTAL_GB",
        "HDX_TOTAL_GB",
    }


def test_permissions_are_of_the_service_that_they_name() -> None:
    assert all(name.count(".") == 2 for found in permissions.OF_TOKEN.values() for name in found.permissions)
    assert permissions.requirement("kubernetes:apps/v1:Deployment") is not None
    assert permissions.requirement("gcp:bigquery/table:Table") is None
