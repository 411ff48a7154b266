"""Where the facts come from: one public address for each key that a fact's ``source`` names."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from inference.facts._data import LazyTable, read

__all__ = ["SOURCES", "Source", "keys", "where"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One public source as it was read: a repository at a commit or tag, a package, or a page."""

    key: str
    what: str
    """Repository and commit, package and version, or URL."""
    date: str
    """Date of what was read, as exactly as it is known; ``undated`` where nothing tells."""


def keys(source: str) -> tuple[str, ...]:
    """List the keys that a ``source`` names: ``"CT:examples/gke-a4; GPUDOC"`` gives ``("CT", "GPUDOC")``."""
    return tuple(part.strip().partition(":")[0].split(" ", 1)[0] for part in source.split(";"))


def where(source: str) -> str:
    """Say what a reader can open for a ``source``, one address a key. Raises KeyError for an unknown key."""
    return "; ".join(SOURCES[key].what for key in keys(source))


def _load() -> dict[str, Source]:
    rows = tomllib.loads(read("sources.toml"))
    return {key: Source(key=key, what=what, date=date) for key, (date, what) in rows.items()}


SOURCES: Mapping[str, Source] = LazyTable(_load)
"""Every source by its key. A ``source`` elsewhere in this package is one or more keys, each with an optional
``:path`` or note, joined by ``;``."""
