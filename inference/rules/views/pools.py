"""References to InferencePools, and objects of the API before v1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from inference.facts.endpoint_picker import POOL_GROUP, POOL_GROUP_DEPRECATED
from inference.rules.views.gateway import HttpRoute
from inference.rules.views.kubernetes import KubernetesObject, ObjectView
from inference.rules.views.resources import Resource
from inference.rules.views.values import Props

__all__ = ["PoolReference", "RetiredObject"]


@dataclass(frozen=True, eq=False)
class RetiredObject(ObjectView):
    """An InferencePool of the old group, or an InferenceModel."""

    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset(
        {
            (POOL_GROUP_DEPRECATED, "InferencePool"),
            (POOL_GROUP_DEPRECATED, "InferenceModel"),
            (POOL_GROUP, "InferenceModel"),
        }
    )


@dataclass(frozen=True, eq=False)
class PoolReference:
    """A place that names an InferencePool: a backend of a route, or the pool of an objective."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:",)

    label: str
    props: Props
    group_default: str = ""

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the references of a resource."""
        found = [
            cls(str(route), reference.props)
            for route in resource.view(HttpRoute.of)
            for reference in route.backends
            if reference.kind == "InferencePool"
        ]
        found.extend(
            cls(str(thing), reference, POOL_GROUP)
            for thing in resource.view(KubernetesObject.of)
            if thing.kind == "InferenceObjective" and (reference := thing.spec.section("poolRef"))
        )
        return tuple(found)

    @property
    def group(self) -> str | None:
        """API group, ``None`` where it is not known."""
        return self.group_default if self.props.absent("group") else self.props.text("group")

    @property
    def name(self) -> str:
        return self.props.text("name") or "?"

    def __str__(self) -> str:
        return self.label
