"""A real API server refuses what the table calls fixed, and takes the other fields of the same objects."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from inference.facts.fixed_fields import FIXED, fixed_fields
from tests.support.apiserver import ApiServer, RefusedError
from tests.support.definitions import ABSENT, definitions_folder

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(definitions_folder() is None, reason=ABSENT),
]

DEVICES = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "d"}}]}}
OTHER_DEVICES = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "e"}}]}}
POD = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
RULES = {"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1]}}]}
JOB: dict[str, Any] = {"template": POD, "completions": 2}
CLAIM: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
COPIED = {"kind": "PersistentVolumeClaim", "name": "other"}

CASES: list[tuple[str, str, dict[str, Any], str, Any]] = [
    ("batch/v1", "Job", {"spec": JOB}, "spec.completionMode", "Indexed"),
    ("batch/v1", "Job", {"spec": JOB}, "spec.podFailurePolicy", RULES),
    ("kueue.x-k8s.io/v1beta2", "AdmissionCheck", {"spec": {"controllerName": "a"}}, "spec.controllerName", "b"),
    ("kueue.x-k8s.io/v1beta2", "LocalQueue", {"spec": {"clusterQueue": "a"}}, "spec.clusterQueue", "b"),
    ("node.k8s.io/v1", "RuntimeClass", {"handler": "a"}, "handler", "b"),
    ("resource.k8s.io/v1", "ResourceClaim", {"spec": DEVICES}, "spec", OTHER_DEVICES),
    ("resource.k8s.io/v1", "ResourceClaimTemplate", {"spec": {"spec": DEVICES}}, "spec", {"spec": OTHER_DEVICES}),
    ("scheduling.k8s.io/v1", "PriorityClass", {"value": 1}, "value", 2),
    ("scheduling.k8s.io/v1", "PriorityClass", {"value": 1}, "preemptionPolicy", "Never"),
    ("storage.k8s.io/v1", "StorageClass", {"provisioner": "p"}, "reclaimPolicy", "Retain"),
    ("storage.k8s.io/v1", "StorageClass", {"provisioner": "p"}, "volumeBindingMode", "WaitForFirstConsumer"),
    ("v1", "PersistentVolumeClaim", {"spec": CLAIM}, "spec.dataSource", COPIED),
    ("v1", "PersistentVolumeClaim", {"spec": CLAIM}, "spec.dataSourceRef", COPIED),
    ("v1", "PersistentVolumeClaim", {"spec": CLAIM}, "spec.volumeMode", "Block"),
]
"""API version, kind, object, and a field with another value."""


@pytest.fixture
def made(server: ApiServer, request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """The object of a case, which exists as long as the test."""
    api_version, kind, content, path, _ = request.param
    name = f"fixed-{path.rpartition('.')[2].lower()}-{kind.lower()}"
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **content}
    url = server.resource(manifest)
    server.request("POST", url.rpartition("/")[0], manifest)
    yield manifest
    server.request("DELETE", f"{url}?propagationPolicy=Background")


def field_of(case: tuple[Any, ...]) -> str:
    return f"{case[1]} {case[3]}"


@pytest.mark.parametrize(
    ("made", "case"), [(case, case) for case in CASES], ids=map(field_of, CASES), indirect=["made"]
)
def test_another_value_is_refused_and_another_label_is_not(
    server: ApiServer, made: dict[str, Any], case: tuple[str, str, dict[str, Any], str, Any]
) -> None:
    *_, path, value = case
    labeled = copy.deepcopy(made)
    labeled["metadata"]["labels"] = {"a": "b"}
    server.dry_run(labeled)
    changed = json.loads(json.dumps(made))
    *way, last = path.split(".")
    inner = changed
    for step in way:
        inner = inner[step]
    inner[last] = value
    with pytest.raises(RefusedError, match=r"immutable|may not be changed|Forbidden"):
        server.dry_run(changed)


def test_every_field_of_the_table_is_tried_where_its_definition_is_at_hand() -> None:
    tried = {(case[0], case[1], case[3]) for case in CASES}
    assert all(path in fixed_fields(api_version, kind) for api_version, kind, path in tried)
    named = {(kind, path) for _, kind, path in tried}
    missing = {(kind, path) for (_, kind), paths in FIXED.items() for path in paths} - named
    assert missing == {("ComputeDomain", "spec")}
