"""What an identity has to be allowed, and which Google API has to be on, to make each kind of resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["FIRST_APIS", "NODE_ROLES", "OF_TOKEN", "Requirement", "requirement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a resource type asks of the project and of the identity that deploys."""

    api: str
    permissions: tuple[str, ...]
    """Those that a project grants; what a single bucket or secret grants is not among them."""
    role: str
    """A predefined role that has them, with what else such resources take; there may be a narrower one."""
    source: str = "IAMPERMS"


FIRST_APIS = ("serviceusage.googleapis.com", "cloudresourcemanager.googleapis.com")
"""What has to be on before a program can turn on others (source PGCP:projects/service.py) and grant roles.

That the second one has to be on is assumed: it is the API that the provider grants roles of a project with.
"""


NODE_ROLES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "roles/container.defaultNodeServiceAccount": frozenset(
            {"roles/container.nodeServiceAccount", "roles/logging.logWriter"}
        ),
        "roles/artifactregistry.reader": frozenset(
            {
                "roles/artifactregistry.writer",
                "roles/artifactregistry.repoAdmin",
                "roles/artifactregistry.admin",
                "roles/storage.objectViewer",
                "roles/storage.admin",
            }
        ),
    }
)
"""Roles that the service account of nodes needs, to report logs and metrics and to pull images, and what a program may
grant instead (source GKEHARDENING; IAMPERMS)."""


def _verbs(kind: str, verbs: str = "create get update delete") -> tuple[str, ...]:
    return tuple(f"{kind}.{verb}" for verb in verbs.split())


def _compute(kind: str, role: str, verbs: str = "create get delete", *, also: tuple[str, ...] = ()) -> Requirement:
    permissions = (*_verbs(f"compute.{kind}", verbs), *also)
    return Requirement(api="compute.googleapis.com", permissions=permissions, role=role)


_NETWORK, _SECURITY, _INSTANCE = (
    f"roles/compute.{name}" for name in ("networkAdmin", "securityAdmin", "instanceAdmin.v1")
)
_CONTAINER = "roles/container.admin"
_POLICY = ("compute.networks.updatePolicy",)
"""What a network asks of those who change where its packets may go."""

_ACT_AS_NODES = ("iam.serviceAccounts.actAs",)
"""Nodes get a service account, which whoever makes them has to be allowed to hand out (source GKEHARDENING). It is of
roles/iam.serviceAccountUser, which ``estimates.requirements`` names instead."""

OF_TOKEN: Mapping[str, Requirement] = MappingProxyType(
    {
        "gcp:container/cluster:Cluster": Requirement(
            api="container.googleapis.com",
            permissions=(*_verbs("container.clusters"), "container.operations.get", *_ACT_AS_NODES),
            role=_CONTAINER,
        ),
        "gcp:container/nodePool:NodePool": Requirement(
            api="container.googleapis.com",
            permissions=(*_verbs("container.clusters", "get update"), "container.operations.get", *_ACT_AS_NODES),
            role=_CONTAINER,
        ),
        "gcp:compute/network:Network": _compute("networks", _NETWORK, "create get delete updatePolicy"),
        "gcp:compute/subnetwork:Subnetwork": _compute("subnetworks", _NETWORK, "create get delete use"),
        "gcp:compute/router:Router": _compute("routers", _NETWORK, "create get update delete"),
        "gcp:compute/routerNat:RouterNat": _compute("routers", _NETWORK, "get update"),
        "gcp:compute/route:Route": _compute("routes", _NETWORK, also=_POLICY),
        "gcp:compute/address:Address": _compute("addresses", _NETWORK),
        "gcp:compute/globalAddress:GlobalAddress": _compute("globalAddresses", _NETWORK),
        "gcp:compute/firewall:Firewall": _compute("firewalls", _SECURITY, "create get update delete", also=_POLICY),
        "gcp:compute/securityPolicy:SecurityPolicy": _compute("securityPolicies", _SECURITY),
        "gcp:compute/resourcePolicy:ResourcePolicy": _compute("resourcePolicies", _INSTANCE),
        "gcp:compute/reservation:Reservation": _compute("reservations", "roles/compute.admin"),
        "gcp:compute/disk:Disk": _compute("disks", _INSTANCE),
        "gcp:serviceaccount/account:Account": Requirement(
            api="iam.googleapis.com",
            permissions=_verbs("iam.serviceAccounts"),
            role="roles/iam.serviceAccountAdmin",
        ),
        "gcp:serviceaccount/iAMMember:IAMMember": Requirement(
            api="iam.googleapis.com",
            permissions=_verbs("iam.serviceAccounts", "getIamPolicy setIamPolicy"),
            role="roles/iam.serviceAccountAdmin",
        ),
        "gcp:projects/iAMMember:IAMMember": Requirement(
            api="cloudresourcemanager.googleapis.com",
            permissions=_verbs("resourcemanager.projects", "getIamPolicy setIamPolicy"),
            role="roles/resourcemanager.projectIamAdmin",
        ),
        "gcp:projects/service:Service": Requirement(
            api="serviceusage.googleapis.com",
            permissions=_verbs("serviceusage.services", "enable get list"),
            role="roles/serviceusage.serviceUsageAdmin",
        ),
        "gcp:secretmanager/secret:Secret": Requirement(
            api="secretmanager.googleapis.com",
            permissions=_verbs("secretmanager.secrets"),
            role="roles/secretmanager.admin",
        ),
        "gcp:storage/bucket:Bucket": Requirement(
            api="storage.googleapis.com",
            permissions=_verbs("storage.buckets"),
            role="roles/storage.admin",
        ),
        "gcp:storage/bucketIAMMember:BucketIAMMember": Requirement(
            api="storage.googleapis.com", permissions=(), role="roles/storage.admin"
        ),
        "gcp:artifactregistry/repository:Repository": Requirement(
            api="artifactregistry.googleapis.com",
            permissions=_verbs("artifactregistry.repositories"),
            role="roles/artifactregistry.admin",
        ),
        "gcp:filestore/instance:Instance": Requirement(
            api="file.googleapis.com",
            permissions=_verbs("file.instances"),
            role="roles/file.editor",
        ),
    }
)
"""Requirements by type token. Permissions of other resources are not known, and nobody is refused because of them."""

_KUBERNETES = Requirement(
    api="container.googleapis.com",
    permissions=("container.clusters.get", "container.clusters.connect"),
    role=_CONTAINER,
)
"""Objects in a cluster: the way in; what a namespace allows is for its own roles to say."""


def requirement(token: str) -> Requirement | None:
    """Return what a resource type asks for; None where that is not known."""
    if token.startswith("kubernetes:"):
        return _KUBERNETES
    return OF_TOKEN.get(token)
