from __future__ import annotations

from typing import Any

import pytest

from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from inference.rules.workload_identities import account_may_be_used
from tests.inference.rules.cases import cluster, findings, resource

EMAIL = "vllm-app@project.iam.gserviceaccount.com"
MEMBER = "serviceAccount:project.svc.id.goog[serving/vllm]"
GOOGLE = resource("gcp:serviceaccount/account:Account", "app", {"accountId": "vllm-app"})


def user(email: Any = EMAIL, **metadata: Any) -> Resource:
    named = {
        "name": "vllm",
        "namespace": "serving",
        "annotations": {"iam.gke.io/gcp-service-account": email},
        **metadata,
    }
    return resource(
        "kubernetes:core/v1:ServiceAccount", "vllm", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": named}
    )


def grant(member: Any = MEMBER, target: Any = f"projects/project/serviceAccounts/{EMAIL}", **props: Any) -> Resource:
    made = {"serviceAccountId": target, "role": "roles/iam.workloadIdentityUser", "member": member, **props}
    return resource("gcp:serviceaccount/iAMMember:IAMMember", "grant", made)


@pytest.mark.parametrize(
    "grants",
    [
        [],
        [grant("serviceAccount:project.svc.id.goog[default/vllm]")],
        [grant("serviceAccount:project.svc.id.goog[serving/default]")],
        [grant("serviceAccount:other.svc.id.goog[serving/vllm]")],
        [grant("user:somebody@example.com")],
        [grant(role="roles/iam.serviceAccountUser")],
        [grant(target="projects/project/serviceAccounts/other@project.iam.gserviceaccount.com")],
    ],
)
def test_an_account_that_is_not_let_in_is_found(grants: list[Resource]) -> None:
    (message,) = findings(account_may_be_used, cluster(), GOOGLE, user(), *grants)
    assert "[serving/vllm]" in message


@pytest.mark.parametrize(
    "granted",
    [
        grant(),
        grant(UNKNOWN),
        grant(target=UNKNOWN),
        grant(member=None, members=["user:a@b.c", MEMBER]),
        grant(member=None, members=[UNKNOWN]),
        grant(role=UNKNOWN),
        grant(
            "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/namespace/serving"
        ),
        grant(
            "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/ns/serving/sa/vllm"
        ),
        resource(
            "gcp:projects/iAMMember:IAMMember", "all", {"role": "roles/iam.workloadIdentityUser", "member": MEMBER}
        ),
    ],
)
def test_an_account_that_is_let_in_or_may_be_is_silent(granted: Resource) -> None:
    assert not findings(account_may_be_used, cluster(), GOOGLE, user(), granted)


def test_a_grant_is_told_by_its_edge() -> None:
    edge = {"property_dependencies": {"serviceAccountId": [GOOGLE]}}
    props = {"serviceAccountId": UNKNOWN, "role": "roles/iam.workloadIdentityUser"}
    token = "gcp:serviceaccount/iAMMember:IAMMember"  # noqa: S105 - a type token
    wrong = resource(token, "grant", {**props, "member": "serviceAccount:project.svc.id.goog[default/vllm]"}, **edge)
    assert len(findings(account_may_be_used, cluster(), GOOGLE, user(), wrong)) == 1
    assert not findings(
        account_may_be_used, cluster(), GOOGLE, user(), resource(token, "grant", {**props, "member": MEMBER}, **edge)
    )


def test_accounts_of_other_programs_and_unknown_ones_are_silent() -> None:
    policy = resource("gcp:serviceaccount/iAMPolicy:IAMPolicy", "policy", {"policyData": UNKNOWN})
    assert not findings(account_may_be_used, cluster(), GOOGLE, user(), policy)
    assert not findings(account_may_be_used, cluster(), user())
    assert not findings(account_may_be_used, GOOGLE, user(UNKNOWN), user("other@project.iam.gserviceaccount.com"))
    assert not findings(account_may_be_used, GOOGLE, user(annotations=None), user(namespace=UNKNOWN))
