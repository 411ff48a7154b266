"""Names in Google Cloud: short, lower case, and shorter still where Pulumi adds a suffix.

Pulumi gives a resource without a name its logical name and eight more characters. A name that is too long or has a
wrong character is refused when the resource is made, which for a pool is after the cluster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from inference.facts.gke import MAX_CLUSTER_NAME, MAX_COMPUTE_NAME, MAX_NODE_POOL_NAME, NAME_PATTERN
from inference.rules.framework import Severity, rule
from inference.rules.views.resources import Resource

_PROVIDER = "https://github.com/hashicorp/terraform-provider-google/tree/main/google/services/container"

_SUFFIX = 8
"""A hyphen and seven hexadecimal digits."""

_FORM = re.compile(NAME_PATTERN)

_COMPUTE = tuple(
    f"gcp:compute/{module}:{module[0].upper()}{module[1:]}"
    for module in (
        "address",
        "firewall",
        "globalAddress",
        "network",
        "networkFirewallPolicy",
        "regionNetworkFirewallPolicy",
        "reservation",
        "resourcePolicy",
        "router",
        "subnetwork",
    )
)


@dataclass(frozen=True, eq=False)
class NamedResource:
    """A resource of Google Cloud whose name follows RFC 1035."""

    types: ClassVar[tuple[str, ...]] = (
        "gcp:container/cluster:Cluster",
        "gcp:container/nodePool:NodePool",
        *_COMPUTE,
    )

    resource: Resource

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the view of a resource that has a name of its own."""
        prefixed = not resource.props.absent("namePrefix")
        return () if prefixed or resource.type not in cls.types else (cls(resource),)

    @property
    def longest(self) -> int:
        """Most characters of the name."""
        match self.resource.type:
            case "gcp:container/cluster:Cluster":
                return MAX_CLUSTER_NAME
            case "gcp:container/nodePool:NodePool":
                return MAX_NODE_POOL_NAME
            case _:
                return MAX_COMPUTE_NAME

    def __str__(self) -> str:
        kind = self.resource.type.rpartition(":")[2]
        return f'The {kind} "{self.resource.physical_name or self.resource.name}"'


@dataclass(frozen=True, slots=True)
class _Form:
    key: str
    """Property that holds the identifier."""
    pattern: re.Pattern[str]
    words: str
    """What it is made of."""


_FORMS = {
    "gcp:serviceaccount/account:Account": _Form(
        "accountId", re.compile(r"[a-z]([-a-z0-9]{0,28}[a-z0-9])?"), "at most 30 lower-case letters, digits and hyphens"
    ),
    "gcp:storage/bucket:Bucket": _Form(
        "name", re.compile(r"[a-z0-9][-_.a-z0-9]{1,220}[a-z0-9]"), "3 to 63 lower-case letters, digits, - and _"
    ),
    "gcp:artifactregistry/repository:Repository": _Form(
        "repositoryId", re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"), "at most 63 lower-case letters, digits, hyphens"
    ),
    "gcp:secretmanager/secret:Secret": _Form(
        "secretId", re.compile(r"[-_A-Za-z0-9]{1,255}"), "at most 255 letters, digits, hyphens and underscores"
    ),
}


@dataclass(frozen=True, eq=False)
class Identified:
    """A resource of Google Cloud with an identifier of a form of its own."""

    types: ClassVar[tuple[str, ...]] = tuple(_FORMS)

    resource: Resource
    form: _Form

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the view of the resource."""
        form = _FORMS.get(resource.type)
        return (cls(resource, form),) if form is not None else ()


@rule(
    "cloud-identifier-is-accepted",
    title="Identifiers of service accounts, buckets, repositories and secrets are of the form that the API takes",
    breaks="The API refuses the resource, and everything that waits for it is not made.",
    fix="Lower-case letters, digits and hyphens, a letter first; 30 characters for a service account.",
    source="https://cloud.google.com/iam/docs/service-accounts-create",
    severity=Severity.HIGH,
    covers=("PGCP-005",),
    on=Identified,
)
def identifier_is_accepted(identified: Identified) -> Iterator[str]:
    form, resource = identified.form, identified.resource
    value = resource.props.text(form.key)
    if value and not form.pattern.fullmatch(value):
        kind = resource.type.rpartition(":")[2]
        yield f'The {kind} "{resource.name}" has the {form.key} "{value}"; the API takes {form.words}. Change it.'


@rule(
    "cloud-name-is-accepted",
    title="Names of clusters and pools have at most 40 characters, of networks and the like 63, in RFC 1035 form",
    breaks="The API refuses the resource: 'name cannot be longer than 40 characters', or 'must match regex'.",
    fix="A shorter name of lower-case letters, digits and hyphens, beginning with a letter; eight characters shorter "
    "where Pulumi adds its suffix.",
    source=_PROVIDER,
    severity=Severity.HIGH,
    covers=("PGCP-005",),
    on=NamedResource,
)
def name_is_accepted(named: NamedResource) -> Iterator[str]:
    name = named.resource.physical_name
    if name is None:
        length = len(named.resource.name) + _SUFFIX
        if named.resource.props.absent("name") and length > named.longest:
            yield (
                f"{named} has no name of its own, and Pulumi's automatic one has {length} characters; "
                f"{named.longest} are allowed. Shorten the logical name to {named.longest - _SUFFIX}, or set name."
            )
        return
    if len(name) > named.longest:
        yield (
            f"{named} has a name of {len(name)} characters, and {named.longest} are allowed; the API refuses it. "
            "Shorten it."
        )
    if not _FORM.fullmatch(name):
        yield (
            f"{named} has a name that is no RFC 1035 label; the API refuses it. Use lower-case letters, digits and "
            "hyphens, a letter first and no hyphen last."
        )
