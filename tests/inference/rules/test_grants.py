from __future__ import annotations

import pytest

from inference.rules import grants
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import findings, resource

OWNER = grants.role_has_one_owner
PUBLIC = grants.secret_is_not_public
READER = "roles/artifactregistry.reader"


def project(kind: str, name: str, role: str = READER, **props: object) -> Resource:
    members = (
        {"member": "serviceAccount:nodes@p.iam.gserviceaccount.com"}
        if kind == "IAMMember"
        else {"members": ["group:ml@example.com"]}
    )
    return resource(f"gcp:projects/i{kind[1:]}:{kind}", name, {"project": "p", "role": role, **members, **props})


def bucket(kind: str, name: str, target: object = "weights", **kw: object) -> Resource:
    token = f"gcp:storage/bucket{kind}:Bucket{kind}"
    return resource(token, name, {"bucket": target, "role": "roles/storage.objectViewer", "member": "user:a@b.c"}, **kw)


def test_a_binding_beside_a_member_of_the_same_role_is_found() -> None:
    (message,) = findings(OWNER, project("IAMMember", "nodes"), project("IAMBinding", "team"))
    assert '"team"' in message
    assert '"nodes"' in message
    assert len(findings(OWNER, bucket("IAMBinding", "all"), bucket("IAMMember", "one"))) == 1


def test_two_bindings_of_one_role_are_found() -> None:
    assert len(findings(OWNER, project("IAMBinding", "a"), project("IAMBinding", "b"))) == 1


def test_a_policy_beside_any_grant_is_found() -> None:
    policy = resource("gcp:projects/iAMPolicy:IAMPolicy", "policy", {"project": "p", "policyData": "{}"})
    assert len(findings(OWNER, policy, project("IAMMember", "nodes"))) == 1


def test_the_same_target_is_known_by_its_edge() -> None:
    weights = resource("gcp:storage/bucket:Bucket", "weights", {})
    edge = {"property_dependencies": {"bucket": [weights]}}
    pair = [bucket("IAMBinding", "a", UNKNOWN, **edge), bucket("IAMMember", "b", UNKNOWN, **edge)]
    assert len(findings(OWNER, weights, *pair)) == 1
    assert not findings(OWNER, bucket("IAMBinding", "a", UNKNOWN), bucket("IAMMember", "b", UNKNOWN))


def test_members_of_one_role_and_bindings_of_other_roles_and_targets_are_silent() -> None:
    assert not findings(OWNER, project("IAMMember", "a"), project("IAMMember", "b"))
    assert not findings(OWNER, project("IAMBinding", "a"), project("IAMMember", "b", "roles/logging.logWriter"))
    assert not findings(OWNER, project("IAMBinding", "a"), project("IAMMember", "b", project="other"))
    assert not findings(OWNER, bucket("IAMBinding", "a"), bucket("IAMMember", "b", "logs"))
    assert not findings(OWNER, project("IAMBinding", "a"), bucket("IAMMember", "b"))
    conditional = project("IAMBinding", "a", condition={"title": "t", "expression": "true"})
    assert not findings(OWNER, conditional, project("IAMMember", "b"))
    assert not findings(OWNER, project("IAMBinding", "a", role=UNKNOWN), project("IAMMember", "b"))


@pytest.mark.parametrize("who", ["allUsers", "allAuthenticatedUsers"])
def test_a_secret_for_everybody_is_found(who: str) -> None:
    token = "gcp:secretmanager/secretIamMember:SecretIamMember"  # noqa: S105 - a type token
    role = "roles/secretmanager.secretAccessor"
    assert len(findings(PUBLIC, resource(token, "s", {"secretId": "hf", "role": role, "member": who}))) == 1
    assert len(findings(PUBLIC, project("IAMBinding", "b", members=["user:a@b.c", who]))) == 1


def test_public_buckets_and_private_secrets_are_silent() -> None:
    token = "gcp:secretmanager/secretIamMember:SecretIamMember"  # noqa: S105 - a type token
    principal = "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/ns/a/sa/b"
    assert not findings(PUBLIC, resource(token, "s", {"secretId": "hf", "member": principal}))
    public = resource("gcp:storage/bucketIAMMember:BucketIAMMember", "b", {"bucket": "site", "member": "allUsers"})
    assert not findings(PUBLIC, public)
