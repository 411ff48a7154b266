from __future__ import annotations

from typing import Any

import pytest

from inference.rules.security import (
    default_account_without_cloud_rights,
    default_account_without_identity,
    model_server_unprivileged,
)
from tests.inference.rules.cases import container, deployment, findings, resource

PRIVILEGED = {"securityContext": {"privileged": True}}
PRINCIPAL = "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p.svc.id.goog/subject"


@pytest.mark.parametrize(
    ("member", "count"),
    [
        ("serviceAccount:p.svc.id.goog[serving/default]", 1),
        (f"{PRINCIPAL}/ns/serving/sa/default", 1),
        ("serviceAccount:p.svc.id.goog[serving/vllm]", 0),
        ("serviceAccount:p.svc.id.goog[default/vllm]", 0),
        (f"{PRINCIPAL}/ns/default/sa/vllm", 0),
        ("serviceAccount:default@p.iam.gserviceaccount.com", 0),
    ],
)
def test_a_role_for_the_default_account_is_found(member: str, count: int) -> None:
    grants = [
        resource(
            "gcp:storage/bucketIAMMember:BucketIAMMember", "g", {"role": "roles/storage.objectViewer", "member": member}
        ),
        resource("gcp:projects/iAMBinding:IAMBinding", "g", {"role": "roles/x", "members": ["user:a@b.c", member]}),
    ]

    for grant in grants:
        assert len(findings(default_account_without_cloud_rights, grant)) == count


@pytest.mark.parametrize(("name", "count"), [("default", 1), ("vllm", 0)])
def test_a_default_account_that_acts_for_another_is_found(name: str, count: int) -> None:
    annotations = {"iam.gke.io/gcp-service-account": "x@p.iam.gserviceaccount.com"}
    metadata = {"metadata": {"name": name, "annotations": annotations}}

    assert (
        len(findings(default_account_without_identity, resource("kubernetes:core/v1:ServiceAccount", "a", metadata)))
        == count
    )
    assert findings(default_account_without_identity, resource("kubernetes:core/v1:ServiceAccount", "a", {})) == []


def test_a_privileged_server_is_found() -> None:
    assert len(findings(model_server_unprivileged, deployment(containers=[container(PRIVILEGED)]))) == 1


@pytest.mark.parametrize(
    ("changes", "kw"),
    [
        ({}, {}),
        (PRIVILEGED, {"annotations": {"networking.gke.io/interfaces": "[]"}}),
        (PRIVILEGED, {"pod": {"resourceClaims": [{"name": "rdma"}]}}),
        ({**PRIVILEGED, "resources": {"limits": {"google.com/tpu": 4}}}, {}),
        ({**PRIVILEGED, "image": "nvidia/dcgm-exporter:4.4.0", "command": None, "args": None}, {}),
    ],
)
def test_rdma_tpus_and_installers_are_silent(changes: dict[str, Any], kw: dict[str, Any]) -> None:
    assert findings(model_server_unprivileged, deployment(containers=[container(changes)], **kw)) == []
