"""Roles of Google Cloud: who may read what, and which resource decides.

A policy, a binding and a member are three ways to say who has a role. They do not add up: a policy is all there is on
a project or bucket, a binding is all members of one role. Beside each other they take members away that the other
gave, at every update, and what shows is a node that may suddenly not pull its image.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from inference.rules.framework import About, Severity, rule
from inference.rules.views.accounts import CloudGrant
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN

_POLICIES = "https://www.pulumi.com/registry/packages/gcp/api-docs/projects/iammember/"
_SECRETS = "https://cloud.google.com/secret-manager/docs/access-control"

_KIND = re.compile(r"(?P<of>.*?)iam(?P<kind>member|binding|policy)$", re.IGNORECASE)
_NOT_TARGET = frozenset({"member", "members", "role", "condition", "policyData", "etag", "id", "__defaults"})
_EVERYBODY = frozenset({"allUsers", "allAuthenticatedUsers"})
_NEVER_PUBLIC = ("gcp:secretmanager/", "gcp:serviceaccount/", "gcp:kms/", "gcp:projects/", "gcp:folder/")


def _target(resource: Resource, module: str) -> tuple[object, ...] | None:
    """Return what a grant is on; ``None`` where that is not known."""
    found: list[object] = [module]
    for key in sorted(resource.props):
        value = resource.props.raw(key)
        if key in _NOT_TARGET or value in (None, ""):
            continue
        edges = tuple(sorted(resource.origins(key)))
        if value is UNKNOWN and not edges:
            return None
        found.append((key, edges if value is UNKNOWN else str(value)))
    return tuple(found)


@rule(
    "identity-role-has-one-owner",
    title="Who has a role is said by members, or by one binding, or by one policy",
    breaks="Each update of the binding takes away the members that were added beside it, and the other way round: "
    "nodes lose the role with which they pull images, and the preview never comes to rest. A policy takes all other "
    "grants of the project or bucket away, those of Google's own service agents too.",
    fix="Use IAMMember for every grant; or put all members of the role into the one IAMBinding.",
    source=_POLICIES,
    severity=Severity.HIGH,
)
def role_has_one_owner(stack: Stack) -> Iterator[About]:
    policies: dict[tuple[object, ...], Resource] = {}
    grants: dict[tuple[object, ...], dict[tuple[Any, str], dict[str, list[Resource]]]] = {}
    for resource in stack.resources:
        match = _KIND.match(resource.type) if resource.type.startswith("gcp:") else None
        if match is None or (target := _target(resource, match["of"].rpartition("/")[0])) is None:
            continue
        if match["kind"].lower() == "policy":
            policies.setdefault(target, resource)
        elif (role := resource.props.text("role")) is not None:
            condition = repr(resource.props.raw("condition"))
            by_kind = grants.setdefault(target, {}).setdefault((role, condition), defaultdict(list))
            by_kind[match["kind"].lower()].append(resource)
    for target, roles in grants.items():
        for (role, _), by_kind in roles.items():
            yield from _contested(role, by_kind, policies.get(target))


def _contested(role: str, by_kind: dict[str, list[Resource]], policy: Resource | None) -> Iterator[About]:
    bindings, members = by_kind.get("binding", []), by_kind.get("member", [])
    if policy is not None:
        other = (bindings or members)[0]
        yield About(
            policy,
            f'The policy "{policy.name}" is all there is on its target, and "{other.name}" grants {role} beside it; '
            "each update takes the other away. Grant by IAMMember only.",
        )
    elif bindings and (len(bindings) > 1 or members):
        other = bindings[1] if len(bindings) > 1 else members[0]
        yield About(
            bindings[0],
            f'The binding "{bindings[0].name}" says who has {role}, all of them, and "{other.name}" says so too; each '
            "update takes the members of the other away. Put all members into one binding, or use IAMMember.",
        )


@rule(
    "identity-secret-is-not-public",
    title="Nobody grants the whole world access to secrets, keys, service accounts and projects",
    breaks="Nothing fails. Everybody with the name reads the token, or acts as the account.",
    fix="Grant the role to the service account of the workload.",
    source=_SECRETS,
    severity=Severity.CRITICAL,
    on=CloudGrant,
)
def secret_is_not_public(grant: CloudGrant) -> Iterator[str]:
    if not grant.resource.type.startswith(_NEVER_PUBLIC):
        return
    for member in grant.members:
        if member in _EVERYBODY:
            yield (
                f"{grant} gives {grant.role or 'a role'} to {member}, which is everybody; nothing keeps the world from "
                "it. Grant the role to the service account of the workload."
            )
