"""What a service account may do, as far as the roles of a program tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.stack import Stack

__all__ = ["bindings_of", "may"]

_GROUP = "rbac.authorization.k8s.io"
_EVERYBODY = frozenset({"system:serviceaccounts", "system:authenticated"})


def bindings_of(stack: Stack, account: str, namespace: str) -> tuple[KubernetesObject, ...] | None:
    """Return the bindings that give rights to an account in a namespace; ``None`` where some are not known."""
    by_account, settled = stack.view(_bindings)
    if not settled:
        return None
    groups = (*_EVERYBODY, f"system:serviceaccounts:{namespace}")
    found = [*by_account.get((namespace, account), ())]
    for group in groups:
        found.extend(by_account.get(("", group), ()))
    return tuple(b for b in found if b.kind == "ClusterRoleBinding" or b.namespace == namespace)


def may(stack: Stack, bindings: Sequence[KubernetesObject], verb: str, group: str, resource: str) -> bool:
    """Whether bindings allow a verb on a resource, or name a role that the program does not declare."""
    for binding in bindings:
        reference = binding.props.section("roleRef")
        kind, name = reference.text("kind"), reference.text("name")
        namespace = binding.namespace if kind == "Role" else None
        role = stack.object(kind or "", _GROUP, name, namespace)
        if role is None or not role.props.known("rules") or role.props.section("aggregationRule"):
            return True
        for rule in role.props.sections("rules"):
            if (
                _names(rule.texts("verbs"), verb)
                and _names(rule.texts("apiGroups"), group)
                and _names(rule.texts("resources"), resource)
                and not rule.texts("resourceNames")
            ):
                return True
    return False


def _names(values: Sequence[str], wanted: str) -> bool:
    return wanted in values or "*" in values


def _bindings(stack: Stack) -> tuple[Mapping[tuple[str, str], list[KubernetesObject]], bool]:
    found: dict[tuple[str, str], list[KubernetesObject]] = defaultdict(list)
    settled = True
    for kind in ("RoleBinding", "ClusterRoleBinding"):
        for binding in stack.objects(kind, _GROUP):
            settled = settled and binding.props.known("subjects") and binding.props.known("roleRef")
            for subject in binding.props.sections("subjects"):
                name = subject.text("name")
                settled = settled and name is not None and subject.known("namespace")
                service = subject.text("kind") == "ServiceAccount"
                namespace = (subject.text("namespace") or binding.namespace) if service else ""
                found[namespace, name or ""].append(binding)
    return found, settled
