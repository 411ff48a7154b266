"""What a preview shows of a resource that does not stand yet, or is about to change."""

from __future__ import annotations

from typing import Any

from inference.facts.wire import UNKNOWN
from rehearsal.values import Secret
from tests.rehearsal.providers.conftest import CLUSTER, NETWORK, SUBNETWORK, Cloud, urn

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway"


def test_what_only_the_cloud_knows_is_unknown(cloud: Cloud) -> None:
    foreseen = cloud.gcp.create(urn(NETWORK), {"name": "vpc", "mtu": 1460}, preview=True)
    assert foreseen["name"] == "vpc"
    assert foreseen["mtu"] == 1460
    assert foreseen["selfLink"] == foreseen["numericId"] == UNKNOWN
    assert cloud.gcp.known[urn(NETWORK)][0] == ""


def test_it_is_unknown_inside_a_given_block_too(cloud: Cloud) -> None:
    given = {"controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": True}}}
    foreseen: Any = cloud.gcp.create(urn(CLUSTER), {"name": "c", "location": "us-central1", **given}, preview=True)
    endpoint = foreseen["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]
    assert endpoint == {"allowExternalTraffic": True, "endpoint": UNKNOWN}


def test_a_preview_creates_nothing_and_is_not_journaled(cloud: Cloud) -> None:
    cloud.gcp.create(urn(NETWORK), {"name": "vpc"}, preview=True)
    assert not list(cloud.world)
    assert not cloud.world.journal.read()


def test_an_update_keeps_what_the_cloud_computed(cloud: Cloud) -> None:
    made = cloud.gcp.create(urn(CLUSTER), {"name": "c", "location": "us-central1"})
    foreseen = cloud.gcp.update(
        urn(CLUSTER), {"name": "c", "location": "us-central1", "description": "d"}, preview=True
    )
    assert foreseen["endpoint"] == made["endpoint"] != UNKNOWN
    assert foreseen["description"] == "d"


def test_what_follows_from_an_unknown_input_is_unknown_in_an_update(cloud: Cloud) -> None:
    inputs = {"accountId": "nodes", "project": "p"}
    account = urn("gcp:serviceaccount/account:Account")
    cloud.gcp.create(account, inputs)
    assert cloud.gcp.update(account, {**inputs, "accountId": UNKNOWN}, preview=True)["email"] == UNKNOWN


def test_a_dry_run_knows_an_object_but_not_its_status(cloud: Cloud) -> None:
    foreseen: Any = cloud.kubernetes.create(urn(GATEWAY), {"metadata": {"name": "g", "namespace": "n"}}, preview=True)
    assert "status" not in foreseen
    assert foreseen["metadata"]["name"] == "g"
    assert foreseen["metadata"]["uid"] == UNKNOWN


def test_an_object_with_an_unknown_field_is_shown_as_asked(cloud: Cloud) -> None:
    inputs = {"metadata": {"name": "a"}, "spec": {"replicas": UNKNOWN, "more": [{"a": UNKNOWN}]}}
    assert cloud.kubernetes.create(urn(DEPLOYMENT), inputs, preview=True) == inputs


def test_an_object_counts_its_changes(cloud: Cloud) -> None:
    inputs = {"metadata": {"name": "a"}, "spec": {"replicas": 1}}
    made: Any = cloud.kubernetes.create(urn(DEPLOYMENT), inputs)
    changed: Any = cloud.kubernetes.update(urn(DEPLOYMENT), {**inputs, "spec": {"replicas": 2}})
    assert (made["metadata"]["generation"], changed["metadata"]["generation"]) == (1, 2)
    assert made["metadata"]["uid"] == changed["metadata"]["uid"]


def test_another_resource_of_the_same_urn_is_another(cloud: Cloud) -> None:
    first = cloud.gcp.create(urn(CLUSTER), {"name": "a", "location": "us-central1", "deletionProtection": False})
    cloud.gcp.delete(CLUSTER, "it")
    second = cloud.gcp.create(urn(CLUSTER), {"name": "a", "location": "us-central1"})
    assert first["endpoint"] != second["endpoint"]


def test_secret_inputs_make_secret_outputs(cloud: Cloud) -> None:
    made = cloud.gcp.create(
        urn(SUBNETWORK), {"name": "a", "ipCidrRange": Secret("10.0.0.0/20"), "project": Secret("p")}
    )
    assert made["ipCidrRange"] == Secret("10.0.0.0/20")
    assert made["project"] == Secret("p")


def test_what_the_real_provider_marks_secret_is_secret(cloud: Cloud) -> None:
    made: Any = cloud.gcp.create(urn(CLUSTER), {"name": "a", "location": "us-central1"})
    assert isinstance(made["masterAuth"]["clientKey"], Secret)
    assert isinstance(made["masterAuth"]["clusterCaCertificate"], str)


def test_the_content_of_a_secret_is_secret_even_where_the_program_forgot(cloud: Cloud) -> None:
    token = urn("kubernetes:core/v1:Secret")
    checked = cloud.kubernetes.check(token, {"metadata": {"name": "s"}, "stringData": {"key": "value"}})
    assert checked["stringData"] == Secret({"key": "value"})
    assert cloud.kubernetes.create(token, checked)["data"] == Secret({"key": "dmFsdWU="})


def test_the_stand_in_cloud_itself_writes_no_secret_down(cloud: Cloud) -> None:
    token = urn("kubernetes:core/v1:Secret")
    cloud.kubernetes.create(token, {"metadata": {"name": "s"}, "stringData": Secret({"key": "value"})})
    (record,) = cloud.world
    assert record.inputs["stringData"] == {"key": "[secret]"}
