"""What a changed property does: nothing, an update in place, or a new resource; and which of two goes first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from inference.facts.wire import UNKNOWN
from rehearsal.providers.forcing import documented
from rehearsal.values import Secret
from tests.rehearsal.providers.conftest import CLUSTER, NETWORK, POOL, Cloud, urn

SERVER: Mapping[str, Any] = {"metadata": {"name": "qwen", "namespace": "inference"}}
NONE, SOME = provider_pb2.DiffResponse.DIFF_NONE, provider_pb2.DiffResponse.DIFF_SOME


def nested(path: str, value: object) -> dict[str, object]:
    *way, last = path.split(".")
    made: dict[str, object] = {last: value}
    for step in reversed(way):
        made = {step: made}
    return made


def test_the_same_inputs_are_no_change(cloud: Cloud) -> None:
    inputs = {"name": "a", "flag": True, "count": 1, "list": [{"a": 1}], "text": "1"}
    assert cloud.gcp.diff(urn(NETWORK), inputs, dict(inputs)).changes == NONE


def test_a_number_and_its_text_differ_and_so_do_a_number_and_a_truth(cloud: Cloud) -> None:
    assert set(cloud.gcp.diff(urn(NETWORK), {"a": 1, "b": 1}, {"a": "1", "b": True}).diffs) == {"a", "b"}


@pytest.mark.parametrize(
    "path",
    ["nodeConfig.machineType", "nodeConfig.labels", "autoscaling.totalMaxNodeCount", "upgradeSettings.maxSurge"],
)
def test_a_pool_changes_in_place(cloud: Cloud, path: str) -> None:
    found = cloud.gcp.diff(urn(POOL), nested(path, 1), nested(path, 2))
    assert found.changes == SOME
    assert not found.replaces
    assert found.detailedDiff[path].kind == provider_pb2.PropertyDiff.UPDATE


@pytest.mark.parametrize(
    ("token", "path"),
    [
        (POOL, "nodeConfig.guestAccelerators"),
        (POOL, "nodeConfig.spot"),
        (POOL, "networkConfig.additionalNodeNetworkConfigs"),
        (POOL, "initialNodeCount"),
        (CLUSTER, "location"),
        (CLUSTER, "ipAllocationPolicy.clusterSecondaryRangeName"),
        (NETWORK, "networkProfile"),
        ("gcp:compute/subnetwork:Subnetwork", "ipv6AccessType"),
    ],
)
def test_a_cloud_resource_is_made_anew(cloud: Cloud, token: str, path: str) -> None:
    found = cloud.gcp.diff(urn(token), nested(path, "a"), nested(path, "b"))
    assert found.replaces == [path.partition(".")[0]]
    assert found.detailedDiff[path].kind == provider_pb2.PropertyDiff.UPDATE_REPLACE


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("apps/v1:Deployment", "spec.selector.matchLabels.app"),
        ("apps/v1:StatefulSet", "spec.serviceName"),
        ("batch/v1:Job", "spec.template.spec.restartPolicy"),
        ("batch/v1:Job", "spec.completions"),
        ("core/v1:PersistentVolume", "spec.csi.volumeHandle"),
        ("core/v1:Pod", "spec.containers.image"),
        ("core/v1:ResourceQuota", "spec.scopes"),
        ("apps/v1:StatefulSet", "spec.revisionHistoryLimit"),
        ("core/v1:Service", "spec.clusterIP"),
        ("core/v1:ConfigMap", "data.key"),
        ("core/v1:Secret", "type"),
        ("rbac.authorization.k8s.io/v1:RoleBinding", "roleRef.name"),
        ("leaderworkerset.x-k8s.io/v1:LeaderWorkerSet", "metadata.namespace"),
    ],
)
def test_an_immutable_field_makes_an_object_anew(cloud: Cloud, kind: str, path: str) -> None:
    found = cloud.kubernetes.diff(urn(f"kubernetes:{kind}"), nested(path, "a"), nested(path, "b"))
    assert found.replaces
    assert found.detailedDiff[path].kind == provider_pb2.PropertyDiff.UPDATE_REPLACE


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("apps/v1:Deployment", "spec.replicas"),
        ("apps/v1:Deployment", "spec.template.metadata.labels.app"),
        ("core/v1:Service", "spec.selector.app"),
        ("leaderworkerset.x-k8s.io/v1:LeaderWorkerSet", "spec.leaderWorkerTemplate.size"),
    ],
)
def test_another_field_of_an_object_changes_in_place(cloud: Cloud, kind: str, path: str) -> None:
    found = cloud.kubernetes.diff(urn(f"kubernetes:{kind}"), nested(path, "1"), nested(path, "2"))
    assert found.changes == SOME
    assert not found.replaces


def test_a_subnetwork_grows_in_place_and_is_made_anew_where_it_shrinks_or_moves(cloud: Cloud) -> None:
    token = urn("gcp:compute/subnetwork:Subnetwork")
    old = {"ipCidrRange": "10.0.0.0/20"}
    grown, shrunk, moved = ({"ipCidrRange": block} for block in ("10.0.0.0/16", "10.0.0.0/24", "10.8.0.0/20"))
    assert not cloud.gcp.diff(token, old, grown).replaces
    for new in (shrunk, moved):
        assert cloud.gcp.diff(token, old, new).replaces == ["ipCidrRange"]
    assert not cloud.gcp.diff(token, old, {"ipCidrRange": UNKNOWN}).replaces


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_content_that_the_provider_is_told_to_change_in_place_does(cloud: Cloud, kind: str) -> None:
    cloud.kubernetes.configure(kubeconfig="{}", **{f"enable{kind}Mutable": "true"})
    token = urn(f"kubernetes:core/v1:{kind}")
    assert not cloud.kubernetes.diff(token, nested("data.key", "a"), nested("data.key", "b")).replaces
    assert cloud.kubernetes.diff(token, nested("metadata.name", "a"), nested("metadata.name", "b")).replaces


def test_the_type_of_a_secret_changes_in_a_new_one_whatever_the_provider_is_told(cloud: Cloud) -> None:
    cloud.kubernetes.configure(kubeconfig="{}", enableSecretMutable="true")
    assert cloud.kubernetes.diff(urn("kubernetes:core/v1:Secret"), {"type": "Opaque"}, {"type": "other"}).replaces


def test_an_added_and_a_removed_property_say_so(cloud: Cloud) -> None:
    found = cloud.gcp.diff(urn(POOL), {"a": 1, "placementPolicy": {"type": "COMPACT"}}, {"b": 2}).detailedDiff
    kinds = {path: diff.kind for path, diff in found.items()}
    change = provider_pb2.PropertyDiff
    assert kinds == {"a": change.DELETE, "b": change.ADD, "placementPolicy": change.DELETE_REPLACE}


def test_a_value_that_is_not_known_yet_counts_as_changed(cloud: Cloud) -> None:
    assert cloud.gcp.diff(urn(POOL), {"cluster": "one"}, {"cluster": UNKNOWN}).replaces == ["cluster"]
    assert not cloud.gcp.diff(urn(POOL), {"version": "1"}, {"version": UNKNOWN}).replaces


def test_a_secret_is_compared_by_its_value(cloud: Cloud) -> None:
    token = urn("kubernetes:core/v1:Secret")
    old = {"stringData": Secret({"key": "value"})}
    assert cloud.kubernetes.diff(token, old, {"stringData": {"key": Secret("value")}}).changes == NONE
    assert cloud.kubernetes.diff(token, old, {"stringData": {"key": Secret("other")}}).changes == SOME


def test_a_new_resource_of_the_same_name_waits_for_the_old_one_to_go(cloud: Cloud) -> None:
    named = {"name": "inference", "location": "a"}
    assert cloud.gcp.diff(urn(CLUSTER), named, {**named, "location": "b"}).deleteBeforeReplace
    labels = {"spec": {"selector": {"matchLabels": {"a": "b"}}}}
    found = cloud.kubernetes.diff(urn("kubernetes:apps/v1:Deployment"), {**SERVER, **labels}, {**SERVER, "spec": {}})
    assert found.deleteBeforeReplace


def test_a_new_resource_of_an_automatic_name_comes_first(cloud: Cloud) -> None:
    named = {"name": "pool-1234567", "__defaults": ["name"], "cluster": "a"}
    found = cloud.gcp.diff(urn(POOL), named, {**named, "cluster": "b"})
    assert found.replaces
    assert not found.deleteBeforeReplace


def test_an_object_that_moves_to_another_namespace_is_made_before_the_old_one_goes(cloud: Cloud) -> None:
    moved = {"metadata": {"name": "qwen", "namespace": "other"}}
    found = cloud.kubernetes.diff(urn("kubernetes:apps/v1:Deployment"), SERVER, moved)
    assert found.replaces
    assert not found.deleteBeforeReplace


KUBECONFIG = '{"current-context":"c","contexts":[{"name":"c","context":{"cluster":"k"}}],"clusters":[{"name":"k","cluster":{"server":"%s"}}]}'


@pytest.mark.parametrize(
    ("old", "new", "anew"),
    [
        ({"kubeconfig": KUBECONFIG % "a"}, {"kubeconfig": KUBECONFIG % "b"}, True),
        ({"kubeconfig": KUBECONFIG % "a"}, {"kubeconfig": KUBECONFIG % "a" + " "}, False),
        ({"kubeconfig": KUBECONFIG % "a"}, {"kubeconfig": UNKNOWN}, True),
        ({"kubeconfig": "1", "clusterIdentifier": "x"}, {"kubeconfig": UNKNOWN, "clusterIdentifier": "x"}, False),
        ({"kubeconfig": "1", "clusterIdentifier": "x"}, {"kubeconfig": "1", "clusterIdentifier": "y"}, True),
        ({"kubeconfig": "1", "clusterIdentifier": "x"}, {"kubeconfig": "1", "clusterIdentifier": UNKNOWN}, True),
        ({"kubeconfig": "1"}, {"kubeconfig": "1", "enableServerSideApply": "true"}, False),
    ],
)
def test_another_cluster_makes_the_provider_anew(
    cloud: Cloud, old: Mapping[str, object], new: Mapping[str, object], anew: bool
) -> None:
    assert bool(cloud.kubernetes.diff(urn("pulumi:providers:kubernetes"), old, new, config=True).replaces) is anew


def test_another_region_leaves_the_provider_of_google_cloud_standing(cloud: Cloud) -> None:
    found = cloud.gcp.diff(urn("pulumi:providers:gcp"), {"region": "a"}, {"region": "b"}, config=True)
    assert list(found.diffs) == ["region"]
    assert not found.replaces


@pytest.mark.parametrize(
    ("token", "path", "forces"),
    [
        ("gcp:serviceaccount/account:Account", "accountId", True),
        ("gcp:serviceaccount/account:Account", "displayName", False),
        ("gcp:container/nodePool:NodePool", "initialNodeCount", True),
        ("gcp:container/nodePool:NodePool", "nodeConfig.machineType", False),
        ("gcp:container/nodePool:NodePool", "nodeConfig.nothing.at.all", False),
        ("gcp:compute/subnetwork:Subnetwork", "params.resourceManagerTags", True),
        ("gcp:nowhere/nothing:Nothing", "name", False),
    ],
)
def test_the_documentation_of_the_sdk_says_what_forces_a_new_resource(token: str, path: str, forces: bool) -> None:
    assert documented(token, path) is forces
