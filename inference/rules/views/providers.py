"""Kubernetes providers, and what they manage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import yaml

from inference.rules.views.resources import Provider, Resource
from inference.rules.views.values import Props

__all__ = ["KubernetesProvider", "Managed"]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TOKEN = "pulumi:providers:kubernetes"  # noqa: S105 - a type token


@dataclass(frozen=True, eq=False)
class Managed:
    """A resource that an instance of the Kubernetes provider manages."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:",)

    resource: Resource
    provider: Provider

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the view of a resource whose provider is known."""
        return (cls(resource, resource.provider),) if resource.custom and resource.provider is not None else ()

    def __str__(self) -> str:
        return f'{self.resource.type.rpartition(":")[2]} "{self.resource.name}"'


@dataclass(frozen=True, eq=False)
class KubernetesProvider:
    """An instance of the Kubernetes provider that the program makes."""

    types: ClassVar[tuple[str, ...]] = (_TOKEN,)

    resource: Resource

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the view of an explicit provider; the engine's default ones are judged by what they manage."""
        default = resource.name == "default" or resource.name.startswith("default_")
        return (cls(resource),) if resource.type == _TOKEN and not default else ()

    @property
    def props(self) -> Props:
        return self.resource.props

    @property
    def renders(self) -> bool:
        """Whether it writes manifests to a directory instead of applying them."""
        return not self.props.absent("renderYamlToDirectory")

    @cached_property
    def kubeconfig(self) -> Props:
        """The kubeconfig, empty where it is not known or is a path."""
        return _kubeconfig_of(self.props.raw("kubeconfig"))

    def __str__(self) -> str:
        return f'The Kubernetes provider "{self.resource.name}"'


def _kubeconfig_of(value: Any) -> Props:
    """Return a kubeconfig that is given as text or as a map; empty where it is none."""
    if isinstance(value, str) and "users" in value and len(value) < 100_000:
        try:
            value = yaml.load(value, Loader=_LOADER)  # noqa: S506 - the safe loader, compiled where there is one
        except (yaml.YAMLError, ValueError, RecursionError):
            return Props({})
    return Props({str(key): part for key, part in value.items()}) if isinstance(value, Mapping) else Props({})
