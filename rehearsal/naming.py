"""What things are called: as the reader of the program knows them."""

from __future__ import annotations

import re

from inference.rules.views.fleet import Site
from inference.rules.views.resources import Resource

__all__ = ["called", "called_pool", "natural"]

_AUTONAMED = re.compile(r"-[0-9a-f]{7,8}")
"""What Pulumi adds to the logical name of a resource whose program gives it no name."""


def called(resource: Resource) -> str:
    """Return the name of a resource: as it stands there, or the logical one where the former derives from it."""
    name = resource.props.text("metadata", "name") or resource.physical_name
    if not name or (name.startswith(resource.name) and _AUTONAMED.fullmatch(name, len(resource.name))):
        return resource.name
    return name


def called_pool(site: Site) -> str:
    """Return the name of a node pool, also of one inside its cluster."""
    return (site.pool.name or "?") if site.pool.inline else called(site.pool.resource)


def natural(text: str) -> tuple[tuple[int, str], ...]:
    """Return a key that sorts ``pool-9`` before ``pool-10``."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", text.casefold())
    return tuple((int(digits[-18:]), digits) if digits else (-1, rest) for digits, rest in parts)
