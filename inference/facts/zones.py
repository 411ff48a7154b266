"""Regions and zones: what a name means, and whether an offer that is known in part covers a zone."""

from __future__ import annotations

import re

__all__ = ["is_region", "is_zone", "offered", "region_of"]

_REGION = re.compile(r"[a-z]+-[a-z]+[0-9]+")
_ZONE = re.compile(r"(?P<region>[a-z]+-[a-z]+[0-9]+)-(?:[a-z]|ai[0-9]+[a-z]?)")


def is_region(name: str) -> bool:
    """Whether the name has the form of a region, such as ``us-central1``; not whether the region exists."""
    return _REGION.fullmatch(name) is not None


def is_zone(name: str) -> bool:
    """Whether the name has the form of a zone: ``us-central1-b``, or an AI zone such as ``us-central1-ai1a``."""
    return _ZONE.fullmatch(name) is not None


def region_of(zone: str) -> str:
    """Return the region a zone lies in. Raises ValueError for a name that is no zone."""
    match = _ZONE.fullmatch(zone)
    if match is None:
        raise ValueError(f"{zone!r} is not a zone: write a region and a suffix, for example us-central1-b")
    return match["region"]


def offered(zone: str, *, zones: frozenset[str] | None, regions: frozenset[str] | None) -> bool | None:
    """Tell whether something is offered in a zone, from a zone list and a wider region list.

    ``None`` means unknown: no list, or a region in which it is offered while no zone of it is listed. An AI zone
    that is not listed is always unknown, for the lists read are older than most of them. Raises ValueError for a
    name that is no zone.
    """
    region = region_of(zone)
    if zones is not None and zone in zones:
        return True
    if zones is None and regions is None:
        return None
    listed_here = zones is not None and any(region_of(other) == region for other in zones)
    if zone.startswith(f"{region}-ai"):
        return None
    if listed_here:
        return False
    if regions is not None and region in regions:
        return None
    return False
