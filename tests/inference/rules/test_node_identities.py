from __future__ import annotations

import pytest

from inference.rules import node_identities
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import cluster, findings, node_pool, resource

DEDICATED = node_identities.identity_is_dedicated
ROLES = node_identities.identity_has_roles
NODE, PULL = "roles/container.defaultNodeServiceAccount", "roles/artifactregistry.reader"


def pool(account: object = "nodes@project.iam.gserviceaccount.com", **kw: object) -> Resource:
    return node_pool("gpus", {"nodeConfig": {"serviceAccount": account}}, **kw)


@pytest.mark.parametrize("account", [None, "", "default", "123-compute@developer.gserviceaccount.com"])
def test_the_default_account_is_found(account: object) -> None:
    assert "default compute service account" in findings(DEDICATED, pool(account))[0]


@pytest.mark.parametrize("account", ["nodes@project.iam.gserviceaccount.com", UNKNOWN])
def test_an_account_of_the_nodes_is_silent(account: object) -> None:
    assert not findings(DEDICATED, pool(account))


def test_narrow_scopes_are_found() -> None:
    narrow = ["https://www.googleapis.com/auth/logging.write", "https://www.googleapis.com/auth/devstorage.read_only"]
    assert "logging.write" in findings(DEDICATED, node_pool("x", {"nodeConfig": {"oauthScopes": narrow}}))[0]


@pytest.mark.parametrize("scopes", [None, ["cloud-platform"], UNKNOWN, ["x", UNKNOWN], []])
def test_wide_and_unknown_scopes_are_silent(scopes: object) -> None:
    assert not findings(DEDICATED, node_pool("x", {"nodeConfig": {"oauthScopes": scopes}}))


# ---------------------------------------------------------------- roles

ACCOUNT = resource("gcp:serviceaccount/account:Account", "nodes", {"accountId": "nodes"})
KNOWN = "serviceAccount:nodes@project.iam.gserviceaccount.com"


def member(role: object, who: object = KNOWN, kind: str = "gcp:projects/iAMMember:IAMMember", **kw: object) -> Resource:
    return resource(kind, f"grant-{role}", {"role": role, "member": who}, **kw)


def test_an_account_with_both_roles_is_silent() -> None:
    assert not findings(ROLES, ACCOUNT, pool(), member(NODE), member(PULL))


@pytest.mark.parametrize(("granted", "missing"), [((NODE,), PULL), ((PULL,), NODE), ((), NODE)])
def test_an_account_without_a_role_is_found(granted: tuple[str, ...], missing: str) -> None:
    found = findings(ROLES, ACCOUNT, pool(), *map(member, granted))
    assert len(found) == 1
    assert missing in found[0]


def test_an_account_is_found_once_for_all_its_pools() -> None:
    assert len(findings(ROLES, ACCOUNT, pool(), node_pool("other"))) == 1


def test_members_are_matched_by_edges_where_they_are_not_known() -> None:
    linked = [member(role, UNKNOWN, property_dependencies={"member": [ACCOUNT]}) for role in (NODE, PULL)]
    running = pool(UNKNOWN, property_dependencies={"nodeConfig": [ACCOUNT]})
    assert not findings(ROLES, ACCOUNT, running, *linked)
    assert findings(ROLES, ACCOUNT, running, linked[0])


def test_bindings_of_repositories_and_older_roles_count() -> None:
    binding = resource(
        "gcp:projects/iAMBinding:IAMBinding", "b", {"role": "roles/logging.logWriter", "members": [KNOWN]}
    )
    pull = member(PULL, kind="gcp:artifactregistry/repositoryIamMember:RepositoryIamMember")
    assert not findings(ROLES, ACCOUNT, pool(), binding, pull)


def test_what_cannot_be_told_is_silent() -> None:
    assert not findings(ROLES, pool())
    assert not findings(ROLES, ACCOUNT, pool("other@project.iam.gserviceaccount.com"))
    assert not findings(ROLES, ACCOUNT, pool(), member(UNKNOWN))
    assert not findings(ROLES, ACCOUNT, pool(), member("projects/p/roles/nodes"))
    assert not findings(ROLES, ACCOUNT, pool(), resource("gcp:projects/iAMPolicy:IAMPolicy", "p", {"policyData": "{}"}))
    assert not findings(ROLES, ACCOUNT)


# ---------------------------------------------------------------- rights and identities


@pytest.mark.parametrize("role", ["roles/editor", "roles/owner"])
def test_an_account_that_may_change_the_project_is_found(role: str) -> None:
    rule = node_identities.identity_is_narrow
    assert role in findings(rule, ACCOUNT, pool(), member(role))[0]
    binding = resource("gcp:projects/iAMBinding:IAMBinding", "b", {"role": role, "members": [KNOWN]})
    assert (
        len(
            findings(rule, ACCOUNT, pool(), node_pool("other", {"nodeConfig": {"serviceAccount": KNOWN[15:]}}), binding)
        )
        == 1
    )


def test_narrow_roles_and_editors_that_run_no_nodes_are_silent() -> None:
    rule = node_identities.identity_is_narrow
    ci = resource("gcp:serviceaccount/account:Account", "deployer", {"accountId": "deployer"})
    editor = member("roles/editor", "serviceAccount:deployer@project.iam.gserviceaccount.com")
    assert not findings(rule, ACCOUNT, ci, pool(), member(NODE), member(PULL), editor)
    assert not findings(rule, ACCOUNT, pool(), member(UNKNOWN), member("roles/editor", UNKNOWN))


@pytest.mark.parametrize("name", ["project.svc.id.google.com", "my-project", "projects/x.svc.id.goog"])
def test_a_workload_pool_of_another_form_is_found(name: str) -> None:
    found = cluster(props={"workloadIdentityConfig": {"workloadPool": name}})
    assert len(findings(node_identities.workload_pool_form, found)) == 1


@pytest.mark.parametrize("name", ["my-project.svc.id.goog", "example.com:project.svc.id.goog", "", None, UNKNOWN])
def test_workload_pools_of_projects_are_silent(name: object) -> None:
    assert not findings(
        node_identities.workload_pool_form, cluster(props={"workloadIdentityConfig": {"workloadPool": name}})
    )


def test_gke_metadata_without_a_workload_pool_is_found() -> None:
    rule, without = node_identities.metadata_has_workload_pool, cluster(props={"workloadIdentityConfig": None})
    assert "Set workloadIdentityConfig" in findings(rule, without, node_pool())[0]
    gce = node_pool(props={"nodeConfig": {"workloadMetadataConfig": {"mode": "GCE_METADATA"}}})
    assert not findings(rule, without, gce)
    assert not findings(rule, cluster(), node_pool())
    assert not findings(rule, node_pool())
    assert not findings(rule, cluster(props={"workloadIdentityConfig": UNKNOWN}), node_pool())
    assert not findings(rule, cluster(props={"workloadIdentityConfig": None, "enableAutopilot": True}), node_pool())


def test_edges_that_nobody_tells_apart_are_followed() -> None:
    nodes = pool(UNKNOWN, dependencies=[ACCOUNT])
    grants = [member(role, UNKNOWN, dependencies=[ACCOUNT]) for role in (NODE, PULL)]
    assert not findings(ROLES, ACCOUNT, nodes, *grants)
    assert "artifactregistry.reader" in findings(ROLES, ACCOUNT, nodes, grants[0])[0]
