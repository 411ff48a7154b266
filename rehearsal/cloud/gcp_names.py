"""Where a Google Cloud resource lives: its own word, else the provider's."""

from __future__ import annotations

import re

from rehearsal.cloud.model import Asked, at, number

__all__ = ["location", "number_of", "project", "region", "zone"]

_PROJECT = "rehearsal-project"
_REGION = "us-central1"


def project(asked: Asked) -> str:
    """Return the project's ID."""
    found = asked.text("project") or at(asked.configuration, "project")
    return found if isinstance(found, str) and found else _PROJECT


def number_of(project_id: str) -> str:
    """Return a project's number: twelve digits that belong to its ID."""
    return str(number(project_id, 12))


def region(asked: Asked) -> str:
    """Return the region."""
    for found in (asked.text("region"), asked.text("location"), at(asked.configuration, "region")):
        if isinstance(found, str) and found:
            return re.sub(r"-(ai\d+)?[a-z]$", "", found.rpartition("/")[2])
    return re.sub(r"-[a-z]$", "", zone(asked)) or _REGION


def zone(asked: Asked) -> str:
    """Return the zone; empty where none is known."""
    found = asked.text("zone") or at(asked.configuration, "zone")
    return found.rpartition("/")[2] if isinstance(found, str) else ""


def location(asked: Asked) -> str:
    """Return the region or zone of a resource that may be either."""
    owner = re.search(r"/locations/([^/]+)/", asked.text("cluster"))
    return asked.text("location").rpartition("/")[2] or (owner[1] if owner else "") or zone(asked) or region(asked)
