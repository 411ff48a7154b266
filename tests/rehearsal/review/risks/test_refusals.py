"""An update that the API server refuses is told before it is tried."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.review.document import Standing
from rehearsal.review.risks import refusals
from rehearsal.review.sections import risk
from tests.rehearsal.review.changes import State, between, resource


def custom(group: str, kind: str, spec: dict[str, Any], **more: Any) -> State:
    inputs = {"apiVersion": group, "kind": kind, "metadata": {"name": "thing", "namespace": "llm"}, "spec": spec}
    return resource(f"kubernetes:{group}:{kind}", "thing", inputs, **more)


def kserve(spec: dict[str, Any]) -> State:
    return custom("serving.kserve.io/v1alpha1", "LLMInferenceService", spec)


def template(count: int, **more: Any) -> State:
    return custom("resource.k8s.io/v1", "ResourceClaimTemplate", {"spec": {"count": count}}, **more)


def refused(before: State, after: State) -> list[str]:
    return [danger.consequence for danger in refusals.dangers(between([before], [after]))]


@pytest.mark.parametrize(
    ("before", "after", "number"),
    [
        ({"pipeline": 2}, {"pipeline": 4}, 1),
        ({"tensor": 8}, {"pipeline": 2, "tensor": 8}, 1),
        ({"data": 16, "dataLocal": 8}, {"data": 32, "dataLocal": 8}, 1),
        ({"data": 16, "dataLocal": 8}, {"data": 32, "dataLocal": 16}, 0),
        ({"tensor": 4}, {"tensor": 8}, 0),
    ],
)
def test_another_number_of_nodes_of_a_kserve_group_is_refused(
    before: dict[str, Any], after: dict[str, Any], number: int
) -> None:
    assert len(refused(kserve({"parallelism": before}), kserve({"parallelism": after}))) == number
    prefills = [kserve({"prefill": {"parallelism": sizes}}) for sizes in (before, after)]
    assert len(refused(*prefills)) == number
    assert not refused(kserve({}), kserve({"prefill": {"parallelism": after}})), "a new stage has no older size"


def test_a_field_that_no_update_changes_breaks_the_change() -> None:
    (told,) = refused(template(4), template(8))
    assert told.startswith("spec changes, and no update changes it")
    section = risk.section(between([template(4)], [template(8)]))
    assert section is not None
    assert section.standing is Standing.BROKEN


def test_a_program_that_asks_for_the_replacement_is_not_refused() -> None:
    assert not refused(template(4), template(8, replaceOnChanges=["spec"]))


def subnet(**ranges: str) -> State:
    listed = [{"rangeName": name, "ipCidrRange": block} for name, block in ranges.items()]
    inputs = {"name": "nodes", "ipCidrRange": "10.0.0.0/20", "secondaryIpRanges": listed}
    return resource("gcp:compute/subnetwork:Subnetwork", "nodes", inputs)


def user(pods: str = "pods") -> State:
    inputs = {"name": "llm", "subnetwork": "nodes", "ipAllocationPolicy": {"clusterSecondaryRangeName": pods}}
    return resource("gcp:container/cluster:Cluster", "llm", inputs)


def test_a_range_that_pods_are_in_does_not_become_another() -> None:
    old, new = subnet(pods="10.8.0.0/14"), subnet(pods="10.16.0.0/14")
    (told,) = [danger.consequence for danger in refusals.dangers(between([user(), old], [user(), new]))]
    assert told.startswith('Its range pods becomes another, and the cluster "llm" has its pods')
    assert not list(refusals.dangers(between([user("others"), old], [user("others"), new])))
    assert not list(refusals.dangers(between([old], [new]))), "nobody is in it"
    more = subnet(pods="10.8.0.0/14", spare="10.32.0.0/14")
    assert not list(refusals.dangers(between([user(), old], [user(), more]))), "one more range is no trouble"
