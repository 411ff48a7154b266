"""A resource of a Pulumi program as a policy sees it: type token, inputs, options, edges."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Protocol, Self, TypeVar, cast

from inference.rules.views.values import Props

__all__ = ["Provider", "Resource", "Subject", "short_name"]

View = TypeVar("View")

_COMPONENT = re.compile(r"kubernetes:(?:yaml|kustomize|helm\.sh/v\d+:Chart)")
"""Components of the Kubernetes provider: charts and manifests that Pulumi takes apart."""


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider instance that manages a resource."""

    type: str
    """Token, for example ``pulumi:providers:kubernetes``."""
    name: str
    """Logical name; default providers are called ``default`` or ``default_<version>``."""
    urn: str
    props: Props = field(default_factory=lambda: Props({}))

    @property
    def default(self) -> bool:
        """Whether the engine made it because the program named none."""
        return self.name == "default" or self.name.startswith("default_")


@dataclass(eq=False)
class Resource:
    """One registered resource. Equality is identity: two resources may look alike."""

    type: str
    """Type token, for example ``gcp:container/nodePool:NodePool``."""
    name: str
    """Logical name."""
    urn: str
    props: Props
    """Properties with their wire names (camelCase)."""
    parent: str = ""
    """URN of the parent."""
    provider: Provider | None = None
    dependencies: tuple[str, ...] = ()
    """URNs that this resource waits for."""
    property_dependencies: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """URNs that the value of each top-level property comes from."""
    options: Props = field(default_factory=lambda: Props({}))
    """Resource options as the analyzer protocol names them: ``protect``, ``ignoreChanges`` …"""
    physical_id: str | None = None
    """ID in the cloud, where it exists already."""
    _views: dict[Any, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def custom(self) -> bool:
        """Whether a provider manages it; a component only groups others."""
        managed = self.type.startswith(("gcp:", "kubernetes:", "google-native:", "pulumi:providers:"))
        return managed and not _COMPONENT.match(self.type)

    @property
    def physical_name(self) -> str | None:
        """Name in the cloud where the inputs tell it."""
        return self.props.text("name")

    def connect(
        self, parent: str, dependencies: tuple[str, ...], property_dependencies: Mapping[str, Sequence[str]]
    ) -> None:
        """Take over the edges, which are known once all resources are; views stay, as no view of one looks at them."""
        self.parent, self.dependencies, self.property_dependencies = parent, dependencies, property_dependencies

    def origins(self, key: str) -> tuple[str, ...]:
        """Return the URNs that the value of a property may come from; all edges where nobody tells them apart."""
        if not self.property_dependencies:
            return tuple(self.dependencies)
        return tuple(self.property_dependencies.get(key, ()))

    def view(self, make: Callable[[Resource], View]) -> View:
        """Return one view of this resource, made once and shared by all rules."""
        if make not in self._views:
            self._views[make] = make(self)
        return cast("View", self._views[make])


class Subject(Protocol):
    """A view that rules judge: made from a resource, none or several of them."""

    types: ClassVar[tuple[str, ...]]
    """Prefixes of the type tokens that it can be made of."""

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the views of a resource; empty where it is something else."""
        ...


def short_name(reference: str) -> str:
    """Return the last segment of an ID, self link or plain name."""
    return reference.rstrip("/").rsplit("/", 1)[-1]
