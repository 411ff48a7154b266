"""Service accounts, and the cloud roles that are given to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from inference.rules.views.kubernetes import ObjectView
from inference.rules.views.resources import Resource

__all__ = ["CloudGrant", "KubernetesAccount"]


@dataclass(frozen=True, eq=False)
class KubernetesAccount(ObjectView):
    """A Kubernetes service account."""

    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset({("", "ServiceAccount")})


@dataclass(frozen=True, eq=False)
class CloudGrant:
    """A resource that gives a role of Google Cloud to somebody."""

    types: ClassVar[tuple[str, ...]] = ("gcp:",)

    resource: Resource

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the view of an IAM member or binding of any service."""
        kind = resource.type.rpartition(":")[2].lower()
        return (cls(resource),) if kind.endswith(("iammember", "iambinding")) else ()

    @property
    def role(self) -> str | None:
        return self.resource.props.text("role")

    @property
    def members(self) -> tuple[str, ...]:
        """Known members."""
        single = self.resource.props.text("member")
        return (*([single] if single else []), *self.resource.props.texts("members"))

    def __str__(self) -> str:
        return f'{self.resource.type.rpartition(":")[2]} "{self.resource.name}"'
