from __future__ import annotations

from typing import Any

import pytest

from inference.rules.dranet import (
    cluster_is_fit_for_dranet,
    metal_pods_claim,
    objects_stay_apart,
    pod_goes_one_way,
    pool_stands_in_one_zone,
    profile_stands_alone,
)
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import custom, deployment, findings
from tests.inference.rules.fabric_cases import (
    gpu_pool,
    group,
    host_cluster,
    marked,
    parameters,
    pod_network,
    rdma_container,
    that,
)

LABEL = {"cloud.google.com/gke-networking-dra-driver": "true"}
CLAIM = {"resourceClaims": [{"name": "rdma", "resourceClaimTemplateName": "all-nics"}]}
NO_OBJECTS: dict[str, None] = {
    key: None for i in range(8) for key in (f"parameters_{i}", f"network_{i}", "gvnic_parameters", "gvnic_network")
}


def automatic(props: dict[str, Any] | None = None, profile: Any = "auto") -> Resource:
    return gpu_pool(attached=[], props={"networkConfig": {"acceleratorNetworkProfile": profile}, **(props or {})})


def template(device_class: str = "mrdma.google.com", version: str = "v1") -> Resource:
    exactly = {"deviceClassName": device_class, "allocationMode": "All"}
    request = {"name": "nics", "exactly": exactly} if version == "v1" else {"name": "nics", **exactly}
    return custom(
        f"resource.k8s.io/{version}",
        "ResourceClaimTemplate",
        "all-nics",
        {"spec": {"devices": {"requests": [request]}}},
    )


# profile


def test_a_profile_beside_a_list_of_networks_is_found() -> None:
    [message] = findings(profile_stands_alone, gpu_pool(props={"networkConfig": {"acceleratorNetworkProfile": "auto"}}))

    assert "lists 9 additional networks" in message


def test_a_profile_of_another_name_is_found() -> None:
    assert len(findings(profile_stands_alone, automatic(profile="rdma"))) == 1


@pytest.mark.parametrize("pool", [automatic(), gpu_pool(), automatic(profile=UNKNOWN), automatic(profile=None)])
def test_a_pool_with_one_of_the_two_is_silent(pool: Resource) -> None:
    assert findings(profile_stands_alone, pool) == []


@pytest.mark.parametrize(("zones", "said"), [(["us-central1-a", "us-central1-b"], "2 zones"), (None, "names no zone")])
def test_a_pool_with_a_profile_over_several_zones_is_found(zones: list[str] | None, said: str) -> None:
    [message] = that(pool_stands_in_one_zone, pool=automatic({"nodeLocations": zones}))

    assert said in message


@pytest.mark.parametrize("pool", [automatic(), automatic({"nodeLocations": UNKNOWN}), gpu_pool()])
def test_a_pool_with_a_profile_in_one_zone_is_silent(pool: Resource) -> None:
    assert that(pool_stands_in_one_zone, pool=pool) == []


# cluster


@pytest.mark.parametrize("pool", [automatic(), gpu_pool(attached=[], props={"nodeConfig": {"labels": LABEL}})])
def test_dranet_without_dataplane_v2_is_found(pool: Resource) -> None:
    [message] = that(cluster_is_fit_for_dranet, pool=pool, cluster=host_cluster({"datapathProvider": None}))

    assert "Dataplane V2" in message


@pytest.mark.parametrize(
    ("of_cluster", "of_pool"),
    [("1.33.5-gke.1125000", None), ("1.33", None), (None, "1.34.1-gke.1000"), ("1.36", "1.33")],
)
def test_dranet_on_a_gke_that_does_not_have_it_is_found(of_cluster: str | None, of_pool: str | None) -> None:
    old = host_cluster({"minMasterVersion": of_cluster})

    [message] = that(cluster_is_fit_for_dranet, pool=automatic({"version": of_pool}), cluster=old)

    assert "1.34.1-gke.1829001" in message


@pytest.mark.parametrize("version", ["1.35", "1.34.1-gke.1829001", "1.34", "latest", None, UNKNOWN, 1.33])
def test_dranet_on_a_gke_that_has_it_or_may_have_it_is_silent(version: Any) -> None:
    assert that(cluster_is_fit_for_dranet, pool=automatic(), cluster=host_cluster({"minMasterVersion": version})) == []


def test_a_pool_that_lists_its_networks_needs_no_new_gke() -> None:
    assert that(cluster_is_fit_for_dranet, cluster=host_cluster({"minMasterVersion": "1.32"})) == []


# objects


def test_device_networks_in_a_cluster_whose_pools_have_profiles_are_found() -> None:
    said = that(objects_stay_apart, pool=automatic())

    assert len(said) == 9
    assert 'Network "gvnic-1" is a device network' in said[0]


def test_device_networks_for_a_second_pool_that_lists_them_are_silent() -> None:
    assert that(objects_stay_apart, pool=automatic(), second=gpu_pool(props={"name": "other"})) == []


def test_an_l3_network_beside_a_profile_is_silent() -> None:
    layer_3 = pod_network("tenant", {"type": "L3"})

    assert that(objects_stay_apart, pool=automatic(), tenant=layer_3, **NO_OBJECTS) == []


# pods


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_pod_with_rdma_interfaces_and_a_claim_for_nics_is_found(version: str) -> None:
    said = that(pod_goes_one_way, group=group(pod=CLAIM), claim=template(version=version))

    assert len(said) == 2
    assert "mrdma.google.com" in said[0]


@pytest.mark.parametrize("claim", [template("compute-domain-default-channel.nvidia.com"), None])
def test_a_pod_with_interfaces_and_a_claim_for_something_else_is_silent(claim: Resource | None) -> None:
    assert that(pod_goes_one_way, group=group(pod=CLAIM), claim=claim) == []


def test_interfaces_on_a_pool_with_a_profile_are_found() -> None:
    said = that(pod_goes_one_way, pool=automatic())

    assert "remove the annotation" in said[0].lower()


def test_a_claim_for_nics_on_a_pool_without_dranet_is_found() -> None:
    said = that(pod_goes_one_way, group=group(pod=CLAIM, annotated={}), claim=template())

    assert "has no DRANET driver" in said[0]


@pytest.mark.parametrize(
    "pool",
    [
        automatic(),
        gpu_pool(props={"nodeConfig": {"labels": LABEL}}),
        gpu_pool(props={"nodeConfig": {"labels": UNKNOWN}}),
        gpu_pool(attached=[]),
        None,
    ],
)
def test_a_claim_for_nics_where_dranet_may_be_is_silent(pool: Resource | None) -> None:
    assert that(pod_goes_one_way, pool=pool, group=group(pod=CLAIM, annotated={}), claim=template()) == []


def test_interfaces_on_a_pool_that_lists_networks_are_silent() -> None:
    assert that(pod_goes_one_way) == []


# A4X Max


@pytest.mark.parametrize("kind", ["selector", "affinity"])
def test_interfaces_on_a4x_max_are_found(kind: str) -> None:
    key, value = "cloud.google.com/gke-accelerator", "nvidia-gb300"
    terms = [{"matchExpressions": [{"key": key, "operator": "In", "values": [value]}]}]
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    pod = {"nodeSelector": {key: value}} if kind == "selector" else {"affinity": affinity}
    wrong = deployment(containers=[rdma_container()], pod=pod, annotations=marked())

    [message] = findings(metal_pods_claim, wrong)

    assert "nvidia-gb300" in message


@pytest.mark.parametrize("marks", [marked(), {}])
def test_pods_on_other_machines_or_without_interfaces_are_silent(marks: dict[str, str]) -> None:
    gpu = "nvidia-h200-141gb" if marks else "nvidia-gb300"
    pod = {"nodeSelector": {"cloud.google.com/gke-accelerator": gpu}}

    assert findings(metal_pods_claim, deployment(pod=pod, annotations=marks)) == []


def test_malformed_claims_never_crash() -> None:
    for spec in ({"spec": 5}, {"spec": {"devices": {"requests": "x"}}}, UNKNOWN):
        odd = custom("resource.k8s.io/v1", "ResourceClaimTemplate", "all-nics", {}, {"spec": spec})
        assert that(pod_goes_one_way, group=group(pod=CLAIM, annotated={}), claim=odd) == []


def test_a_parameter_set_alone_is_silent() -> None:
    assert findings(objects_stay_apart, parameters("rdma-0", "rdma", "rdma-sub-0"), automatic()) == []
