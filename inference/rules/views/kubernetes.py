"""Kubernetes objects: what any of them tells about itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

from inference.rules.views.resources import Resource
from inference.rules.views.values import Props

__all__ = ["CustomResourceDefinition", "KubernetesObject", "ObjectView", "group_of"]

_NOT_OBJECTS = ("helm.sh/", "yaml", "kustomize", "index:")


def group_of(api_version: str) -> str:
    """Return the API group of an ``apiVersion``; empty for the core group."""
    return api_version.rpartition("/")[0]


@dataclass(frozen=True, eq=False)
class KubernetesObject:
    """One object."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:",)

    resource: Resource
    api_version: str
    kind: str

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the object that a ``kubernetes:`` resource declares; none for charts and collections."""
        token = resource.type.removeprefix("kubernetes:")
        if token == resource.type or token.startswith(_NOT_OBJECTS):
            return ()
        place, _, kind = token.rpartition(":")
        kind = resource.props.text("kind") or kind.removesuffix("Patch")
        api_version = resource.props.text("apiVersion") or place.removeprefix("core/")
        if place.startswith("core/") and api_version == place:
            api_version = place.removeprefix("core/")
        return (cls(resource, api_version, kind),)

    @cached_property
    def group(self) -> str:
        """API group; empty for the core group."""
        return group_of(self.api_version)

    @property
    def props(self) -> Props:
        return self.resource.props

    @cached_property
    def spec(self) -> Props:
        """``spec``, empty where there is none."""
        return self.props.section("spec")

    @cached_property
    def metadata(self) -> Props:
        """``metadata``."""
        return self.props.section("metadata")

    @cached_property
    def name(self) -> str | None:
        """``metadata.name`` where it is known; the logical name is no substitute for it."""
        return self.metadata.text("name")

    @cached_property
    def namespace(self) -> str:
        """Namespace, ``default`` where none is given."""
        return self.metadata.text("namespace") or "default"

    @cached_property
    def placed(self) -> bool:
        """Whether name and namespace are known: then not being found under another name proves something."""
        return self.name is not None and self.metadata.known("namespace")

    @cached_property
    def labels(self) -> dict[str, str]:
        """Labels of the object itself."""
        return self.metadata.strings("labels")

    @cached_property
    def annotations(self) -> dict[str, str]:
        """Annotations of the object itself."""
        return self.metadata.strings("annotations")

    def is_a(self, kind: str, group: str) -> bool:
        """Whether it is of this kind, in any version of the group."""
        return self.kind == kind and self.group == group

    def __str__(self) -> str:
        return f'{self.kind} "{self.name or self.resource.name}"'


@dataclass(frozen=True, eq=False)
class ObjectView:
    """A view of objects of certain kinds; a subclass names them in ``kinds`` as (group, kind)."""

    object: KubernetesObject

    types: ClassVar[tuple[str, ...]] = ("kubernetes:",)
    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset()

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the view of an object of one of the kinds."""
        return tuple(cls(o) for o in resource.view(KubernetesObject.of) if (o.group, o.kind) in cls.kinds)

    @property
    def resource(self) -> Resource:
        return self.object.resource

    @property
    def kind(self) -> str:
        return self.object.kind

    @property
    def spec(self) -> Props:
        return self.object.spec

    @property
    def name(self) -> str | None:
        return self.object.name

    @property
    def namespace(self) -> str:
        return self.object.namespace

    def __str__(self) -> str:
        return str(self.object)


@dataclass(frozen=True, eq=False)
class CustomResourceDefinition(ObjectView):
    """The definition of a kind."""

    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset({("apiextensions.k8s.io", "CustomResourceDefinition")})
