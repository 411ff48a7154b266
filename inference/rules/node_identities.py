"""Whose identity the nodes have: a service account of their own, with the few roles that a node needs.

Nodes that name no account run as the project's default one, which is Editor in many projects: every pod that reaches
the metadata server of such a node may change the project. In projects that took Editor away, the same nodes cannot
write logs and cannot pull images, and a GPU node is billed in ImagePullBackOff.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from inference.facts.permissions import NODE_ROLES
from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.cloud import Cluster, NodePool
from inference.rules.views.fleet import Fleet
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN

_HARDENING = "https://cloud.google.com/kubernetes-engine/docs/how-to/hardening-your-cluster"
_ACCOUNT = "gcp:serviceaccount/account:Account"
_CLOUD_PLATFORM = frozenset({"https://www.googleapis.com/auth/cloud-platform", "cloud-platform"})

_ANYTHING = frozenset({"roles/owner", "roles/editor"})


@rule(
    "nodepool-identity-is-dedicated",
    title="Nodes have a service account of their own, limited by roles and not by scopes",
    breaks="Nodes run as the default compute account, often Editor of the project; or scopes that are too narrow "
    "answer 403 to the pull of an image and to every read of a bucket, whatever the roles say.",
    fix="serviceAccount: an account made for the nodes; oauthScopes: https://www.googleapis.com/auth/cloud-platform.",
    source=_HARDENING,
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    covers=("PGCP-008",),
    on=NodePool,
)
def identity_is_dedicated(pool: NodePool) -> Iterator[str]:
    account = pool.config.text("serviceAccount")
    if pool.config.absent("serviceAccount") or account in {"", "default"} or _is_default(account):
        yield (
            f"{pool} runs its nodes as the default compute service account, which is Editor in many projects and can "
            "pull no image in others. Set serviceAccount to an account of its own with "
            "roles/container.defaultNodeServiceAccount and roles/artifactregistry.reader."
        )
    scopes = pool.config.texts("oauthScopes")
    if scopes and pool.config.size("oauthScopes") == len(scopes) and not _CLOUD_PLATFORM & set(scopes):
        named = ", ".join(scope.rpartition("/")[2] for scope in scopes)
        yield (
            f"{pool} narrows its nodes to the scopes {named}; roles granted later have no effect there and end in 403. "
            "Set oauthScopes to https://www.googleapis.com/auth/cloud-platform and limit the account by roles."
        )


def _is_default(account: str | None) -> bool:
    return account is not None and account.endswith("-compute@developer.gserviceaccount.com")


@rule(
    "nodepool-identity-has-roles",
    title="The service account of the nodes may report and may pull images",
    breaks="Nodes come up and report neither logs nor metrics; images of Artifact Registry end in ImagePullBackOff "
    "(403) on a running GPU node.",
    fix="Grant roles/container.defaultNodeServiceAccount and roles/artifactregistry.reader to the account.",
    source=_HARDENING,
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    covers=("PGCP-008",),
)
def identity_has_roles(stack: Stack) -> Iterator[About]:
    accounts = {account.urn: account for account in stack.of_type(_ACCOUNT)}
    sites = [site for site in stack.view(Fleet).sites if not site.pool.inline] if accounts else []
    if not sites:
        return
    granted = _granted(stack, accounts)
    if granted is None:
        return
    judged: set[str] = set()
    for site in sites:
        account = _account(site.pool, accounts)
        if account is None or account.urn in judged:
            continue
        judged.add(account.urn)
        roles = granted.get(account.urn, frozenset())
        missing = [
            wanted
            for wanted, others in NODE_ROLES.items()
            if not roles & (others | _ANYTHING | {wanted}) and UNKNOWN not in roles and not _own_role(roles)
        ]
        if missing:
            yield About(
                site.pool.resource,
                f'{site.pool} runs its nodes as the service account "{account.name}", to which the program does not '
                f"grant {' and '.join(missing)}. Grant {'them' if len(missing) > 1 else 'it'} with an IAMMember.",
            )


@rule(
    "nodepool-identity-is-narrow",
    title="The service account of the nodes is neither Owner nor Editor of the project",
    breaks="Nothing fails. Whoever gets a pod to ask the metadata server of a node may change everything in the "
    "project.",
    fix="Grant roles/container.defaultNodeServiceAccount and roles/artifactregistry.reader instead.",
    source=_HARDENING,
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    covers=("PGCP-008",),
)
def identity_is_narrow(stack: Stack) -> Iterator[About]:
    accounts = {account.urn: account for account in stack.of_type(_ACCOUNT)}
    granted = _granted(stack, accounts) if accounts else None
    judged: set[str] = set()
    for site in stack.view(Fleet).sites if granted else ():
        account = _account(site.pool, accounts)
        if account is None or account.urn in judged or granted is None:
            continue
        judged.add(account.urn)
        wide = sorted(str(role) for role in granted.get(account.urn, frozenset()) & _ANYTHING)
        if wide:
            yield About(
                site.pool.resource,
                f'{site.pool} runs its nodes as the service account "{account.name}", to which the program grants '
                f"{' and '.join(wide)}; every pod that reaches the metadata of a node may change the project. "
                "Grant roles/container.defaultNodeServiceAccount and roles/artifactregistry.reader instead.",
            )


# ---------------------------------------------------------------- identities of pods

_WORKLOAD_POOL = re.compile(r"[^/\s]+\.svc\.id\.goog")
_WORKLOAD_IDENTITY = "https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity"


@rule(
    "cluster-workload-pool-form",
    title="The workload pool of a cluster is PROJECT.svc.id.goog",
    breaks="GKE refuses the cluster: it knows one workload pool for each project, and its name.",
    fix="Set workloadIdentityConfig.workloadPool to PROJECT.svc.id.goog.",
    source=_WORKLOAD_IDENTITY,
    severity=Severity.HIGH,
    covers=("STO-002",),
    on=Cluster,
)
def workload_pool_form(cluster: Cluster) -> Iterator[str]:
    name = cluster.props.text("workloadIdentityConfig", "workloadPool")
    if name and not _WORKLOAD_POOL.fullmatch(name):
        yield (
            f'{cluster} has the workload pool "{name}", which is no pool of a project; GKE refuses it. '
            "Write PROJECT.svc.id.goog, with the project's ID."
        )


@rule(
    "nodepool-metadata-has-workload-pool",
    title="Nodes with GKE's metadata server belong to a cluster with a workload pool",
    breaks="GKE refuses the pool: GKE_METADATA gives pods identities of the cluster's workload pool, and there is "
    "none.",
    fix="Set workloadIdentityConfig.workloadPool on the cluster.",
    source=_WORKLOAD_IDENTITY,
    severity=Severity.HIGH,
    covers=("STO-002",),
)
def metadata_has_workload_pool(stack: Stack) -> Iterator[About]:
    for site in stack.view(Fleet).sites:
        mode = site.pool.config.text("workloadMetadataConfig", "mode")
        if mode != "GKE_METADATA" or site.pool.inline or site.cluster is None or site.cluster.autopilot:
            continue
        if site.cluster.props.absent("workloadIdentityConfig", "workloadPool"):
            yield About(
                site.pool.resource,
                f'{site.pool} has workloadMetadataConfig GKE_METADATA, and its cluster "{site.cluster.resource.name}" '
                "has no workload pool; GKE refuses the pool. Set workloadIdentityConfig.workloadPool: "
                "PROJECT.svc.id.goog on the cluster.",
            )


def _own_role(roles: frozenset[object]) -> bool:
    """Whether some role is a team's own, of which nobody here knows what is in it."""
    return any(isinstance(role, str) and not role.startswith("roles/") for role in roles)


def _account(pool: NodePool, accounts: dict[str, Resource]) -> Resource | None:
    value = pool.config.raw("serviceAccount")
    if isinstance(value, str):
        name = value.partition("@")[0]
        return next((a for a in accounts.values() if name and a.props.text("accountId") == name), None)
    if value is not UNKNOWN:
        return None
    linked = [accounts[urn] for urn in pool.resource.origins("nodeConfig") if urn in accounts]
    return linked[0] if len(linked) == 1 else None


def _granted(stack: Stack, accounts: dict[str, Resource]) -> dict[str, frozenset[object]] | None:
    """Return the roles of each account; ``None`` where a whole policy sets them."""
    by_id = {account.props.text("accountId"): urn for urn, account in accounts.items()}
    found: dict[str, set[object]] = defaultdict(set)
    for resource in stack.resources:
        if not resource.type.startswith("gcp:"):
            continue
        kind = resource.type.rpartition(":")[2].lower()
        if kind == "iampolicy":
            return None
        if not kind.endswith(("iammember", "iambinding")):
            continue
        role = resource.props.text("role") if resource.props.known("role") else UNKNOWN
        for urn in _members(resource, by_id, accounts):
            found[urn].add(role)
    return {urn: frozenset(roles) for urn, roles in found.items()}


def _members(resource: Resource, by_id: dict[str | None, str], accounts: dict[str, Resource]) -> Iterator[str]:
    for member in (resource.props.text("member"), *resource.props.texts("members")):
        name = (member or "").removeprefix("serviceAccount:").partition("@")[0]
        if name and name in by_id:
            yield by_id[name]
    for key in ("member", "members"):
        if not _known(resource, key):
            yield from (urn for urn in resource.origins(key) if urn in accounts)


def _known(resource: Resource, key: str) -> bool:
    value = resource.props.raw(key)
    return value is not UNKNOWN and not (isinstance(value, list | tuple) and UNKNOWN in value)
