"""What a program writes in plain text, and what it keeps secret."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from inference.rules.views.credentials import SHORTEST, may_hold_shape, texts_in
from inference.rules.views.guards import guards_known
from inference.rules.views.kubernetes import KubernetesObject, ObjectView
from inference.rules.views.resources import Resource

__all__ = ["AnyResource", "ConfigMap", "SecretObject", "StackOutputs"]

_STACK = "pulumi:pulumi:Stack"


@dataclass(frozen=True, eq=False)
class ConfigMap(ObjectView):
    """A ConfigMap."""

    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset({("", "ConfigMap")})


@dataclass(frozen=True, eq=False)
class SecretObject(ObjectView):
    """A Secret that a Pulumi program writes."""

    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset({("", "Secret")})

    @property
    def plain_keys(self) -> Iterator[str]:
        """Keys whose values are known text that the engine does not keep secret; none for a bare manifest."""
        if not guards_known(self.resource) and self.resource.provider is None:
            return
        for place in ("stringData", "data"):
            for key, value in self.object.props.strings(place).items():
                if value.strip() and value != "[secret]" and not self.object.props.secret(place, key):
                    yield key


@dataclass(frozen=True, eq=False)
class AnyResource:
    """A resource that may contain a credential by mistake: all but Secrets and what brings them."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:", "gcp:")

    resource: Resource
    label: str

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the view of a resource that is no Secret."""
        objects = resource.view(KubernetesObject.of)
        if any(thing.kind == "Secret" for thing in objects) or resource.type.startswith("gcp:secretmanager/"):
            return ()
        kind = resource.type.rpartition(":")[2]
        return (cls(resource, str(objects[0]) if objects else f'{kind} "{resource.name}"'),)

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield path and text of all that may show a credential's shape, variables of containers excepted."""
        if not may_hold_shape(self.resource.props):
            return
        for key in self.resource.props:
            if key.startswith("__") or key == "status" or self.resource.props.secret(key):
                continue
            for path, text in texts_in(self.resource.props.raw(key), key, shortest=SHORTEST):
                if ".env[" not in path:
                    yield path, text

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True, eq=False)
class StackOutputs:
    """The outputs of a program."""

    types: ClassVar[tuple[str, ...]] = (_STACK,)

    resource: Resource

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the outputs of the stack resource."""
        return (cls(resource),)

    @property
    def plain(self) -> Iterator[str]:
        """Names of the outputs that are not secret."""
        for name in self.resource.props:
            if not self.resource.props.secret(name):
                yield name

    def __str__(self) -> str:
        return f'The stack "{self.resource.name}"'
