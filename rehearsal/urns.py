"""Names of resources as the engine makes them."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

__all__ = ["STACK", "Urn", "digits", "is_default_provider", "make", "parse", "reference", "resource_type", "short_type"]

STACK = "pulumi:pulumi:Stack"
"""Type of the resource above all others; it does not appear in the URNs of its children."""

_PREFIX = "urn:pulumi:"


class Urn(NamedTuple):
    """The parts of a URN."""

    stack: str
    project: str
    qualified_type: str
    """The types of the parents and of the resource, joined by ``$``."""
    name: str

    @property
    def type(self) -> str:
        """The resource's own type."""
        return self.qualified_type.rpartition("$")[2]


def parse(urn: str) -> Urn:
    """Return the parts of a URN.

    Raises:
        ValueError: where it is none.
    """
    parts = urn.removeprefix(_PREFIX).split("::", 3)
    if not urn.startswith(_PREFIX) or len(parts) != 4:
        raise ValueError(f"{urn[:200]!r} is not a URN; one has the form urn:pulumi:stack::project::type::name")
    return Urn(*parts)


def make(stack: str, project: str, parent: str, token: str, name: str) -> str:
    """Return the URN of a resource; ``parent`` is a URN or empty."""
    qualified = parse(parent).qualified_type if parent else ""
    chain = f"{qualified}${token}" if qualified not in ("", STACK) else token
    return f"{_PREFIX}{stack}::{project}::{chain}::{name}"


def resource_type(urn: str) -> str:
    """Return the resource's own type from its URN."""
    return parse(urn).type


def short_type(token: str) -> str:
    """Return a type as Pulumi's displays shorten it: ``gcp:compute:Network``."""
    package, _, rest = token.partition(":")
    module, _, name = rest.rpartition(":")
    parent, _, leaf = module.rpartition("/")
    if parent and leaf.lower() == name.lower():
        return f"{package}:{parent}:{name}"
    return token


def reference(provider: str) -> str:
    """Return the URN in a provider reference (``urn::id``); empty for an empty one."""
    return provider.rpartition("::")[0]


def is_default_provider(urn: str) -> bool:
    """Whether the engine made this provider because a resource named none."""
    parts = parse(urn)
    return parts.type.startswith("pulumi:providers:") and parts.name.startswith("default")


def digits(urn: str, length: int) -> str:
    """Return hexadecimal digits in the place of random ones: the same for the same resource in every run."""
    return hashlib.sha256(urn.encode()).hexdigest()[:length]
