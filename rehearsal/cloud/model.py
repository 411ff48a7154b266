"""What a provider is asked, and what it answers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from rehearsal import urns
from rehearsal.values import Secret

__all__ = ["Asked", "CloudError", "Created", "Model", "at", "number"]


class CloudError(Exception):
    """The model of the cloud has no answer; the message says what is missing and where it belongs."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A resource that a provider shall check or create."""

    urn: str
    inputs: Mapping[str, object]
    configuration: Mapping[str, object] = field(default_factory=dict)
    """Inputs of the provider resource, for example its project and region."""

    @property
    def type(self) -> str:
        """Type token."""
        return urns.parse(self.urn).type

    @property
    def logical_name(self) -> str:
        """Name of the resource in the program."""
        return urns.parse(self.urn).name

    def get(self, *path: str | int) -> object:
        """Return an input by path, secrets opened; ``None`` where there is none."""
        return at(self.inputs, *path)

    def text(self, *path: str | int) -> str:
        """Return an input as text; empty where there is none."""
        found = self.get(*path)
        return found if isinstance(found, str) else ""

    def hexadecimal(self, length: int, salt: str = "") -> str:
        """Return digits that are this resource's own in every run."""
        return urns.digits(self.urn + salt, length)


@dataclass(frozen=True, slots=True)
class Created:
    """A resource that exists."""

    id: str
    computed: Mapping[str, object] = field(default_factory=dict)
    """Outputs beyond the inputs; ``Secret`` where the provider marks them so."""


class Model(Protocol):
    """The model of one provider."""

    def check(self, asked: Asked) -> Mapping[str, object]:
        """Return the inputs that the provider adds or replaces: names, defaults."""
        ...

    def create(self, asked: Asked) -> Created:
        """Return what stands after the creation."""
        ...

    def invoke(
        self, token: str, arguments: Mapping[str, object], configuration: Mapping[str, object]
    ) -> Mapping[str, object]:
        """Answer a look-up.

        Raises:
            CloudError: where the model does not know it.
        """
        ...


def at(value: object, *path: str | int) -> object:
    """Return a part of a value, secrets opened; ``None`` where there is none."""
    for step in path:
        if isinstance(value, Secret):
            value = value.value
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value.value if isinstance(value, Secret) else value


def number(text: str, length: int) -> int:
    """Return a number of so many decimal digits that belongs to a text."""
    lowest = int(10 ** (length - 1))
    return lowest + int(hashlib.sha256(text.encode()).hexdigest(), 16) % (9 * lowest)
