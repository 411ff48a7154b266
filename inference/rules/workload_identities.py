"""Pods that act as a Google service account: two objects have to name each other.

The Kubernetes account names the Google account in an annotation, and the Google account lets it in with
roles/iam.workloadIdentityUser. Either half alone is accepted; the pod starts and is refused at its first read of a
bucket or secret: "Permission 'iam.serviceAccounts.getAccessToken' denied".
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from inference.rules.framework import About, Severity, rule
from inference.rules.views.accounts import CloudGrant, KubernetesAccount
from inference.rules.views.hosting import cluster_of
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN

_WORKLOAD_IDENTITY = "https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity"
_ACCOUNT = "gcp:serviceaccount/account:Account"
_ANNOTATION = "iam.gke.io/gcp-service-account"
_USER = "roles/iam.workloadIdentityUser"
_MEMBER = re.compile(
    r"serviceAccount:(?P<pool>[^\[]+)\[(?P<namespace>[^/\]]+)/(?P<name>[^\]]+)\]"
    r"|principal://.+/subject/ns/(?P<namespace2>[^/]+)/sa/(?P<name2>[^/]+)"
)
_ENOUGH = frozenset({_USER, "roles/owner", "roles/iam.serviceAccountTokenCreator"})


@rule(
    "identity-account-may-be-used",
    title="A Google account that a Kubernetes account names lets it in",
    breaks="The pod starts and is refused by every Google API: 'Permission iam.serviceAccounts.getAccessToken denied'; "
    "weights are not read and the server ends, on a running accelerator node.",
    fix="Grant roles/iam.workloadIdentityUser on the Google account to "
    "serviceAccount:PROJECT.svc.id.goog[NAMESPACE/NAME].",
    source=_WORKLOAD_IDENTITY,
    severity=Severity.HIGH,
    covers=("STO-002",),
)
def account_may_be_used(stack: Stack) -> Iterator[About]:
    accounts = {a.props.text("accountId"): a for a in stack.of_type(_ACCOUNT)}
    grants = stack.view(_grants) if accounts else {}
    for user in stack.each(KubernetesAccount) if accounts else ():
        email = user.object.annotations.get(_ANNOTATION, "")
        account = accounts.get(email.partition("@")[0])
        if account is None or not email or user.name is None or not user.object.metadata.known("namespace"):
            continue
        members = [*grants.get(account.urn, []), *grants.get("", [])]
        if None in members:
            continue
        wanted = (user.object.namespace, user.name)
        cluster = cluster_of(stack, user.resource)
        pool = cluster.props.text("workloadIdentityConfig", "workloadPool") if cluster is not None else None
        if not any(_lets_in(member or "", wanted, pool) for member in members):
            let_in = sorted({member for member in members if member and _MEMBER.fullmatch(member)})
            yield About(
                user.resource,
                f"{user} of namespace {wanted[0]} acts as {email}, and the program lets in "
                f"{', '.join(let_in[:3]) or 'nobody'} there; its pods are refused by every Google API. Grant {_USER} "
                f'on "{account.name}" to serviceAccount:{pool or "PROJECT.svc.id.goog"}[{wanted[0]}/{wanted[1]}].',
            )


def _lets_in(member: str, wanted: tuple[str, str], pool: str | None) -> bool:
    if member.startswith(("principalSet:", "group:", "domain:", "all")):
        return True
    match = _MEMBER.fullmatch(member)
    if match is None:
        return False
    if match["pool"] and pool and match["pool"] != pool:
        return False
    return (match["namespace"] or match["namespace2"], match["name"] or match["name2"]) == wanted


def _grants(stack: Stack) -> dict[str, list[str | None]]:
    """Return who may act as each account by its URN, and as all of them under an empty one; ``None`` for who knows."""
    accounts = {a.props.text("accountId"): a.urn for a in stack.of_type(_ACCOUNT)}
    urns = set(accounts.values())
    found: dict[str, list[str | None]] = defaultdict(list)
    if stack.of_type("gcp:serviceaccount/iAMPolicy:IAMPolicy", "gcp:projects/iAMPolicy:IAMPolicy"):
        found[""].append(None)
    for grant in stack.each(CloudGrant):
        resource = grant.resource
        of_account = resource.type.startswith("gcp:serviceaccount/")
        if not of_account and not resource.type.startswith(("gcp:projects/", "gcp:folder/", "gcp:organizations/")):
            continue
        if grant.role is not None and grant.role.startswith("roles/") and grant.role not in _ENOUGH:
            continue
        for target in _targets(resource, accounts, urns) if of_account else ("",):
            found[target] += grant.members
            if grant.role is None or not _settled(resource):
                found[target].append(None)
    return found


def _settled(resource: Resource) -> bool:
    single, several = resource.props.raw("member"), resource.props.raw("members")
    return UNKNOWN not in (single, several) and not (isinstance(several, list | tuple) and UNKNOWN in several)


def _targets(resource: Resource, accounts: dict[str | None, str], urns: set[str]) -> tuple[str, ...]:
    value = resource.props.text("serviceAccountId")
    if value is not None:
        urn = accounts.get(value.rpartition("/")[2].partition("@")[0])
        return (urn,) if urn is not None else ()
    linked = tuple(urn for urn in resource.origins("serviceAccountId") if urn in urns)
    return linked or ("",)
