import ipaddress
import re

import pytest

from inference.facts import controllers, gke


def test_label_and_annotation_keys_are_valid_keys() -> None:
    names = {**vars(gke), **vars(controllers)}
    found = {n: v for n, v in names.items() if n.endswith(("_LABEL", "_ANNOTATION")) and isinstance(v, str)}

    assert len(found) > 25
    for name, key in found.items():
        assert re.fullmatch(r"([a-z0-9.-]+/)?[A-Za-z0-9][A-Za-z0-9._-]{0,62}", key), name
    assert len(set(found.values())) == len(found), "two constants for one key"


def test_taints_are_spelled_for_kubernetes_and_for_the_api() -> None:
    assert gke.GPU_TAINT.api_effect == "NO_SCHEDULE"
    assert gke.GPU_TAINT.toleration == {
        "key": "nvidia.com/gpu",
        "operator": "Equal",
        "value": "present",
        "effect": "NoSchedule",
    }


def test_gke_tolerates_the_accelerator_taints_by_itself() -> None:
    automatic = {taint.key for taint in gke.GKE_TAINTS if taint.automatic_toleration}
    assert automatic == {gke.GPU_RESOURCE, gke.TPU_RESOURCE}


def test_the_reserved_labels_cover_what_gke_sets_on_accelerator_nodes() -> None:
    for label in (gke.ACCELERATOR_LABEL, gke.TPU_ACCELERATOR_LABEL, gke.TPU_TOPOLOGY_LABEL, gke.NODE_POOL_LABEL):
        assert label.startswith(gke.RESERVED_LABEL_PREFIXES)
    for label in (gke.DRANET_LABEL, gke.QUEUED_LABEL):
        assert not label.startswith(gke.RESERVED_LABEL_PREFIXES), "a pool has to set it"


@pytest.mark.parametrize("kind", gke.GATEWAY_CLASSES.values(), ids=lambda kind: kind.name)
def test_a_gateway_class_is_what_its_name_says(kind: gke.GatewayClass) -> None:
    assert kind.multi_cluster == kind.name.endswith("-mc")
    assert kind.regional == ("-regional-external" in kind.name or "rilb" in kind.name)
    assert kind.external == ("external" in kind.name or "gxlb" in kind.name)
    assert (kind.proxy_only_purpose == "REGIONAL_MANAGED_PROXY") == kind.regional


def test_an_inference_pool_goes_behind_the_regional_external_class_and_not_behind_global_ones() -> None:
    answers = {name: kind.inference_pool for name, kind in gke.GATEWAY_CLASSES.items() if not kind.multi_cluster}
    assert answers == {
        "gke-l7-regional-external-managed": True,
        "gke-l7-rilb": None,
        "gke-l7-global-external-managed": False,
        "gke-l7-gxlb": False,
    }
    assert {kind.inference_pool for kind in gke.GATEWAY_CLASSES.values() if kind.multi_cluster} == {None}


def test_probe_ranges_are_networks() -> None:
    assert [ipaddress.ip_network(text).prefixlen for text in gke.PROBE_RANGES] == [22, 16]


def test_a_proxy_only_subnet_is_advised_larger_than_it_must_be() -> None:
    assert gke.PROXY_ONLY_RECOMMENDED_PREFIX < gke.PROXY_ONLY_MIN_PREFIX


def test_every_api_is_a_google_service_and_named_once() -> None:
    apis = [api for group in gke.REQUIRED_APIS.values() for api in group]
    assert all(re.fullmatch(r"[a-z]+\.googleapis\.com", api) for api in apis)
    assert len(apis) == len(set(apis))


@pytest.mark.parametrize(
    ("name", "valid"), [("a", True), ("a3-ultra", True), ("A3", False), ("3a", False), ("a-", False), ("", False)]
)
def test_the_name_pattern_is_that_of_rfc_1035(name: str, *, valid: bool) -> None:
    assert bool(re.fullmatch(gke.NAME_PATTERN, name)) == valid


def test_seven_days_is_the_longest_flex_start() -> None:
    assert gke.FLEX_START_MAX_RUN_S == 7 * 24 * 3600
