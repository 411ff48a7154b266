"""What a change endangers: each danger is told where it is one, and not where it is none."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rehearsal.review.document import Standing
from rehearsal.review.sections import risk
from tests.rehearsal.review.changes import State, between, cluster, deployment, gateway, pool, resource


def told(before: list[State] | None, after: list[State] | None) -> list[tuple[str, str, bool]]:
    """Return kind, resource and whether it is grave, of each danger."""
    section = risk.section(between(before, after))
    if section is None:
        return []
    dangers: Any = section.data["dangers"]
    return [(danger["kind"], danger["resource"], danger["grave"]) for danger in dangers]


def said(before: list[State], after: list[State]) -> str:
    """Return all consequences."""
    section = risk.section(between(before, after))
    assert section is not None
    dangers: Any = section.data["dangers"]
    return "\n".join(danger["consequence"] for danger in dangers)


RESERVED = {
    "reservationAffinity": {"consumeReservationType": "SPECIFIC_RESERVATION", "values": ["projects/p/reservations/r"]}
}
SERVICE = "kubernetes:core/v1:Service"
BUCKET = "gcp:storage/bucket:Bucket"


def kubernetes(kind: str, group: str, name: str, spec: dict[str, Any], **metadata: Any) -> State:
    version = group.replace("core/", "")
    inputs = {"apiVersion": version, "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}
    return resource(f"kubernetes:{group}:{kind}", name, inputs)


# Capacity


def test_a_deleted_pool_of_scarce_machines_gives_them_back() -> None:
    assert told([cluster(), pool()], [cluster()]) == [("capacity", "gpus", True)]
    assert "2 × a3-ultragpu-8g with 8 nvidia-h200-141gb, bought on demand" in said([cluster(), pool()], [cluster()])


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (RESERVED, "from the reservation r"),
        ({"flexStart": True}, "with flex-start"),
        ({"spot": True}, "as spot"),
    ],
)
def test_how_the_machines_were_bought_says_how_they_come_again(config: dict[str, Any], words: str) -> None:
    assert f"bought {words}" in said([cluster(), pool(config=config)], [cluster()])


def test_another_reservation_replaces_the_pool_and_names_the_property() -> None:
    other = {"reservationAffinity": {**RESERVED["reservationAffinity"], "values": ["projects/p/reservations/s"]}}
    text = said([cluster(), pool(config=RESERVED)], [cluster(), pool(config=other)])
    assert "forced by nodeConfig.reservationAffinity.values[0]" in text
    assert "The new pool is bought from the reservation s." in text


def test_a_smaller_pool_gives_nodes_back_and_a_larger_one_does_not() -> None:
    assert told([cluster(), pool(nodes=4)], [cluster(), pool(nodes=2)]) == [("capacity", "gpus", True)]
    assert told([cluster(), pool(nodes=2)], [cluster(), pool(nodes=4)]) == []


def test_a_pool_without_accelerators_is_no_scarce_capacity() -> None:
    plain = {"machineType": "e2-standard-4", "guestAccelerators": []}
    assert told([cluster(), pool(config=plain)], [cluster()]) == []


def test_a_pool_that_the_program_only_lets_go_of_stays() -> None:
    assert told([cluster(), pool(retainOnDelete=True)], [cluster()]) == []


def test_a_reservation_that_goes_or_shrinks_is_capacity_too() -> None:
    kind = "gcp:compute/reservation:Reservation"
    three, two = ({"name": "r", "specificReservation": {"count": count}} for count in (3, 2))
    assert told([resource(kind, "r", three)], []) == [("capacity", "r", True)]
    assert told([resource(kind, "r", three)], [resource(kind, "r", two)]) == [("capacity", "r", True)]
    assert told([resource(kind, "r", two)], [resource(kind, "r", three)]) == []


# Downtime

NONE_SPARE = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}


def test_a_single_replica_that_is_updated_in_place_is_away_while_it_loads() -> None:
    stack = [cluster(), pool()]
    before, after = deployment(strategy=NONE_SPARE), deployment(strategy=NONE_SPARE, arguments=["--max-model-len=9"])
    assert told([*stack, before], [*stack, after]) == [("downtime", "model (acme/model)", True)]
    assert "its startup probe allows 15 minutes" in said([*stack, before], [*stack, after])


def test_a_changed_image_is_pulled_before_the_model_loads_again() -> None:
    newer = "vllm/vllm-openai:v0.11.1"
    site = [cluster(), pool()]
    reloaded = said([*site, deployment()], [*site, deployment(arguments=["--max-num-seqs=8"])])
    pulled = said([*site, deployment()], [*site, deployment(image=newer)])
    assert _least(pulled) > _least(reloaded)


def test_a_workload_that_is_replaced_with_its_pool_waits_for_new_nodes() -> None:
    before, after = ([cluster(), pool(config=config), deployment()] for config in (RESERVED, {"spot": True}))
    after[-1]["inputs"]["metadata"]["name"] = "other"
    assert "The workload is replaced" in said(before, after)
    assert "until new nodes have come and loaded it" in said(before, after)


def _least(text: str) -> int:
    found = re.search(r"at least (\d+) minute", text)
    assert found, text
    return int(found[1])


def test_a_model_that_answers_to_another_name_loses_its_callers() -> None:
    names = [["--served-model-name", *served] for served in (("old",), ("new",), ("new", "old"))]
    old, new, both = ([cluster(), pool(), deployment(arguments=arguments, replicas=2)] for arguments in names)
    assert "Nothing answers to the name old any more" in said(old, new)
    assert ("downtime", "model (acme/model)", True) in told(old, new)
    assert "Nothing answers" not in said(old, both)


def test_of_two_replicas_one_answers_meanwhile() -> None:
    stack = [cluster(), pool()]
    before = deployment(replicas=2, strategy=NONE_SPARE)
    after = deployment(replicas=2, strategy=NONE_SPARE, arguments=["--max-model-len=9"])
    assert told([*stack, before], [*stack, after]) == [("downtime", "model (acme/model)", False)]


def test_recreate_stops_all_replicas_at_once() -> None:
    stack = [cluster(), pool()]
    before = deployment(replicas=2, strategy={"type": "Recreate"})
    after = deployment(replicas=2, strategy={"type": "Recreate"}, arguments=["--max-model-len=9"])
    assert "all replicas stop before new ones start" in said([*stack, before], [*stack, after])


def test_no_replica_and_no_workload_both_end_the_model() -> None:
    stack = [cluster(), pool()]
    assert told([*stack, deployment()], [*stack, deployment(replicas=0)]) == [("downtime", "model (acme/model)", True)]
    assert told([*stack, deployment()], stack) == [("downtime", "model (acme/model)", True)]


def test_more_replicas_endanger_nothing() -> None:
    assert told([cluster(), pool(), deployment()], [cluster(), pool(), deployment(replicas=2)]) == []


def test_a_replaced_pool_takes_its_model_along() -> None:
    other = pool(config={"machineType": "a4-highgpu-8g", "guestAccelerators": [{"type": "nvidia-b200", "count": 8}]})
    found = told([cluster(), pool(), deployment()], [cluster(), other, deployment()])
    assert ("downtime", "model (acme/model)", True) in found
    assert ("capacity", "gpus", True) in found


# A spare accelerator


def test_a_surge_without_room_never_goes_on_and_one_with_room_does() -> None:
    for nodes, expected in ((1, {"spare", "downtime"}), (2, {"downtime"})):
        stack = [cluster(), pool(nodes=nodes)]
        found = told([*stack, deployment()], [*stack, deployment(arguments=["--max-model-len=9"])])
        assert {kind for kind, _, _ in found} == expected
    assert all(not grave for kind, _, grave in found if kind == "downtime")


def test_renewed_nodes_want_a_spare_one() -> None:
    before, after = (pool(version=version) for version in ("1.34.1-gke.1", "1.34.2-gke.1"))
    assert ("spare", "gpus", True) in told([cluster(), before], [cluster(), after])
    streaming = pool(config={"gcfsConfig": {"enabled": True}})
    assert ("spare", "gpus", True) in told([cluster(), pool()], [cluster(), streaming])


# Data


@pytest.mark.parametrize(
    ("token", "name"),
    [
        ("gcp:compute/disk:Disk", "disk"),
        ("gcp:filestore/instance:Instance", "files"),
        ("gcp:secretmanager/secret:Secret", "secret"),
        ("gcp:sql/databaseInstance:DatabaseInstance", "db"),
    ],
)
def test_what_holds_data_is_lost_with_it_unless_it_is_kept(token: str, name: str) -> None:
    assert told([resource(token, name)], []) == [("data", name, True)]
    assert told([resource(token, name, retainOnDelete=True)], []) == []


def test_a_bucket_loses_its_objects_only_where_that_is_forced() -> None:
    assert "all objects" in said([resource(BUCKET, "b", {"forceDestroy": True})], [])
    assert "fails while the bucket holds objects" in said([resource(BUCKET, "b")], [])
    assert told([resource(BUCKET, "b")], [resource(BUCKET, "b", {"forceDestroy": True})]) == [("data", "b", True)]


def test_claims_of_a_stateful_set_stay_or_go_by_its_policy() -> None:
    spec: dict[str, Any] = {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}
    assert told([kubernetes("StatefulSet", "apps/v1", "db", spec)], []) == [("data", "db", False)]
    spec["persistentVolumeClaimRetentionPolicy"] = {"whenDeleted": "Delete"}
    assert told([kubernetes("StatefulSet", "apps/v1", "db", spec)], []) == [("data", "db", True)]


def test_claims_and_namespaces_take_their_content_along() -> None:
    assert told([kubernetes("PersistentVolumeClaim", "core/v1", "cache", {})], []) == [("data", "cache", True)]
    assert told([kubernetes("Namespace", "core/v1", "inference", {})], []) == [("data", "inference", True)]


# Exposure


def test_a_gateway_that_goes_out_is_a_danger_and_one_that_comes_in_loses_its_address() -> None:
    inside, outside = gateway("gke-l7-rilb"), gateway("gke-l7-regional-external-managed")
    assert "leaves the VPC for the Internet" in said([inside], [outside])
    assert "another load balancer" in said([outside], [inside])
    assert told([], [outside]) == [("exposure", "front", True)]
    assert told(None, [outside]) == [("exposure", "front", False)], "all of a new stack is new"
    assert told([inside], [inside]) == []


def listening(*hosts: str) -> State:
    state = gateway("gke-l7-rilb")
    listeners = [{"name": f"l{i}", "protocol": "HTTPS", "port": 443, "hostname": h} for i, h in enumerate(hosts)]
    return {**state, "inputs": {**state["inputs"], "spec": {**state["inputs"]["spec"], "listeners": listeners}}}


def test_a_gateway_that_is_deleted_takes_its_callers_address_along() -> None:
    assert told([listening("llm.example.com")], []) == [("exposure", "front", True)]
    assert "The gateway, llm.example.com, is deleted" in said([listening("llm.example.com")], [])


def test_a_host_name_that_is_no_longer_answered_is_told_and_one_that_a_wildcard_covers_is_not() -> None:
    before = [listening("a.example.com", "b.example.com")]
    assert "no longer answers to b.example.com, but to a.example.com" in said(before, [listening("a.example.com")])
    assert told(before, [listening("*.example.com")]) == []
    assert told(before, [gateway("gke-l7-rilb")]) == []
    assert told([listening("a.example.com")], before) == []


def test_a_load_balancer_is_public_unless_it_says_otherwise() -> None:
    inside = kubernetes("Service", "core/v1", "model", {"type": "ClusterIP"})
    outside = kubernetes("Service", "core/v1", "model", {"type": "LoadBalancer"})
    internal = {"networking.gke.io/load-balancer-type": "Internal"}
    private = kubernetes("Service", "core/v1", "model", {"type": "LoadBalancer"}, annotations=internal)
    assert told([inside], [outside]) == [("exposure", "model", True)]
    assert told([inside], [private]) == []
    assert told([private], [outside]) == [("exposure", "model", True)]


def test_everybody_as_a_member_is_a_danger() -> None:
    kind = "gcp:storage/bucketIAMMember:BucketIAMMember"
    anybody, one = (
        {"bucket": "b", "role": "roles/storage.objectViewer", "member": m} for m in ("allUsers", "user:a@b.c")
    )
    assert told([], [resource(kind, "grant", anybody)]) == [("exposure", "grant", True)]
    assert told([], [resource(kind, "grant", one)]) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"masterAuthorizedNetworksConfig": {"cidrBlocks": [{"cidrBlock": "10.0.0.0/8"}]}}, {}),
        (
            {"masterAuthorizedNetworksConfig": {"cidrBlocks": [{"cidrBlock": "10.0.0.0/8"}]}},
            {"masterAuthorizedNetworksConfig": {"cidrBlocks": [{"cidrBlock": "0.0.0.0/0"}]}},
        ),
        (
            {"privateClusterConfig": {"enablePrivateEndpoint": True}},
            {"privateClusterConfig": {"enablePrivateEndpoint": False}},
        ),
    ],
)
def test_a_control_plane_that_opens_is_a_danger(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert told([cluster(**before)], [cluster(**after)]) == [("exposure", "main", True)]
    assert told([cluster(**after)], [cluster(**before)]) == []


def test_a_key_that_is_taken_away_is_a_danger() -> None:
    key = {"name": "VLLM_API_KEY", "valueFrom": {"secretKeyRef": {"name": "key", "key": "key"}}}
    stack = [cluster(), pool()]
    assert ("exposure", "model", True) in told([*stack, deployment(env=[key])], [*stack, deployment()])
    assert ("exposure", "model", True) not in told([*stack, deployment()], [*stack, deployment(env=[key])])


# Versions


def test_a_minor_version_of_the_cluster_is_weighed_and_a_patch_is_not() -> None:
    old, minor, patch = (cluster(minMasterVersion=v) for v in ("1.34.1-gke.1", "1.35.0-gke.1", "1.34.2-gke.1"))
    assert told([old], [minor]) == [("version", "main", True)]
    assert told([old], [patch]) == [("version", "main", False)]
    assert "GKE refuses to go back" in said([minor], [old])


def test_an_engine_that_changes_its_minor_version_is_weighed() -> None:
    stack = [cluster(), pool()]
    label = 'The container "vllm" of Deployment "model"'
    for tag, grave in (("v0.12.0", True), ("v0.11.2", False)):
        found = told([*stack, deployment()], [*stack, deployment(image=f"vllm/vllm-openai:{tag}")])
        assert ("version", label, grave) in found


def test_a_chart_that_leaps_is_weighed() -> None:
    kind = "kubernetes:helm.sh/v3:Release"
    old, leap, step = (
        resource(kind, "lws", {"name": "lws", "chart": "lws", "version": v}) for v in ("0.7.0", "0.8.0", "0.7.1")
    )
    assert told([old], [leap]) == [("version", "lws", True)]
    assert told([old], [step]) == [("version", "lws", False)]


def test_nodes_too_far_behind_the_control_plane_are_a_skew() -> None:
    before, after = cluster(minMasterVersion="1.34.0"), cluster(minMasterVersion="1.35.0")
    assert "4 minor versions behind" in said([before, pool(version="1.31.0")], [after, pool(version="1.31.0")])


# Credentials

KEY = {"name": "VLLM_API_KEY", "valueFrom": {"secretKeyRef": {"name": "key", "key": "api-key"}}}


def copied(source: str) -> State:
    return kubernetes("Secret", "core/v1", "key", {}, annotations={"gke-inference/source": source})


def test_another_secret_under_a_server_is_a_danger_and_under_nobody_it_is_none() -> None:
    before, after = copied("old/versions/1"), copied("new/versions/1")
    keyed = deployment(env=[KEY])
    assert told([keyed, before], [keyed, after]) == [("secret", "key", True)]
    assert "changes from old/versions/1 to new/versions/1. Pods of model" in said([keyed, before], [keyed, after])
    assert told([deployment(), before], [deployment(), after]) == []
    assert told([keyed, before], [keyed, copied("old/versions/1")]) == []
    restarted = deployment(env=[KEY, {"name": "KEY_VERSION", "value": "2"}])
    assert "restarts with the update, and refuses" in said([keyed, before], [restarted, after])


# Locks and places


def test_a_protected_resource_that_would_be_replaced_breaks_the_change() -> None:
    section = risk.section(between([cluster(), pool(protect=True)], [cluster(), pool(config=RESERVED, protect=True)]))
    assert section is not None
    assert section.standing is Standing.BROKEN
    assert section.reason == "cannot be applied: gpus – it is protected, and the change would replace it, and 1 more"
    assert section.headline == "The update cannot be applied as it is. 1 more to weigh before merging."


def test_a_protection_that_is_lifted_in_the_same_update_lets_a_replacement_pass_and_no_deletion() -> None:
    locked, open_ = pool(protect=True), pool(config=RESERVED)
    assert ("protection", "gpus", True) in told([cluster(), locked], [cluster(), open_]), "that it is lifted is told"
    replaced = risk.section(between([cluster(), locked], [cluster(), open_]))
    deleted = risk.section(between([cluster(), locked], [cluster()]))
    assert replaced is not None
    assert deleted is not None
    assert replaced.standing is Standing.RISKY
    assert deleted.standing is Standing.BROKEN
    assert "would delete it: the engine refuses" in said([cluster(), locked], [cluster()])


def test_a_lock_that_is_taken_off_is_told_although_nothing_else_changes() -> None:
    assert told([cluster(), pool(protect=True)], [cluster(), pool()]) == [("protection", "gpus", True)]
    assert told([cluster(), pool()], [cluster(), pool(protect=True)]) == []


def test_a_cluster_that_moves_takes_everything_along() -> None:
    found = told([cluster()], [cluster(location="europe-west4")])
    assert found == [("place", "main", True)]
    assert "moves from us-central1 to europe-west4" in said([cluster()], [cluster(location="europe-west4")])


def test_nothing_that_changes_is_nothing_to_say() -> None:
    stack = [cluster(), pool(), deployment(), gateway("gke-l7-rilb")]
    assert risk.section(between(stack, stack)) is None


# Malformed properties


@pytest.mark.parametrize("junk", [None, [], {}, "text", 7, [None], {"spec": []}, [[]]])
def test_no_malformed_property_makes_it_fail(junk: Any) -> None:
    stack = [cluster(), pool(), deployment(), gateway("gke-l7-rilb"), resource(BUCKET, "b")]
    broken = [{**state, "inputs": dict.fromkeys(state["inputs"], junk)} for state in stack]
    for before, after in ((stack, broken), (broken, stack), (broken, []), ([], broken)):
        risk.section(between(before, after))
