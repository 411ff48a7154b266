"""Rights that a model server does not need.

A server takes prompts from strangers and runs code that came with a model. What the container may do on the node, and
what its service account may do in the project, is what a successful prompt or a poisoned checkpoint may do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from inference.facts.gke import TPU_RESOURCE
from inference.rules.framework import Level, Severity, rule
from inference.rules.views.accounts import CloudGrant, KubernetesAccount
from inference.rules.views.rdma import NetworkedPod
from inference.rules.views.servers import ModelServer

_IDENTITY = "https://docs.cloud.google.com/kubernetes-engine/docs/how-to/workload-identity"
_DEFAULT_MEMBER = re.compile(r"\.svc\.id\.goog\[[^/\]]+/default\]$|\.svc\.id\.goog/subject/ns/[^/]+/sa/default$")


@rule(
    "security-default-account-without-cloud-rights",
    title="No cloud role is given to a namespace's default service account",
    breaks="Every pod of the namespace that names no account has the role, also the debugging pod of tomorrow; nothing "
    "shows that.",
    fix="Make a service account for the workload, and bind the role to that one.",
    source=_IDENTITY,
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    on=CloudGrant,
)
def default_account_without_cloud_rights(grant: CloudGrant) -> Iterator[str]:
    for member in grant.members:
        if _DEFAULT_MEMBER.search(member):
            yield (
                f"{grant} gives {grant.role or 'a role'} to {member}; every pod of the namespace that names no service "
                "account has it. Bind the role to a service account of the workload."
            )


@rule(
    "security-default-account-without-identity",
    title="A namespace's default service account acts for no Google service account",
    breaks="Every pod of the namespace that names no account acts as that Google service account.",
    fix="Annotate a service account of the workload, and name it in the pod.",
    source=_IDENTITY,
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    on=KubernetesAccount,
)
def default_account_without_identity(account: KubernetesAccount) -> Iterator[str]:
    google = account.object.annotations.get("iam.gke.io/gcp-service-account")
    if account.name == "default" and google:
        yield (
            f"{account} of namespace {account.namespace} acts as {google}, for every pod that names no account. "
            "Annotate a service account of the workload."
        )


@rule(
    "security-model-server-unprivileged",
    title="A model server that uses no RDMA runs unprivileged",
    breaks="Nothing fails. A privileged container is root on the node: it reads the other pods' tokens and models.",
    fix="Remove privileged: true; for shared memory mount an emptyDir at /dev/shm, for locked memory add IPC_LOCK.",
    source="https://kubernetes.io/docs/concepts/security/pod-security-standards/",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    on=ModelServer,
)
def model_server_unprivileged(server: ModelServer) -> Iterator[str]:
    container, pod = server.container, server.pod
    networked = any(found.pod is pod for found in pod.object.resource.view(NetworkedPod.of))
    fabric = networked or not pod.spec.absent("resourceClaims") or pod.spec.flag("hostNetwork") is True
    tpu = container.requested(TPU_RESOURCE) or container.limit(TPU_RESOURCE)
    if container.props.flag("securityContext", "privileged") is True and not fabric and not tpu:
        yield (
            f"{server} is privileged, which makes it root on its node, and uses no RDMA that would need it. "
            "Remove privileged: true."
        )
