"""Names within the limits of those who read them, unique after being cut."""

from __future__ import annotations

import hashlib

__all__ = ["bounded"]

_HASH = 6
"""Characters of the hash: one collision expected in some 4,000 names that share a cut prefix."""


def bounded(name: str, limit: int) -> str:
    """Return ``name``, or where it is longer than ``limit`` its beginning and a hash of the whole.

    Raises:
        ValueError: the limit leaves no room for the hash and one character.
    """
    if limit < _HASH + 2:
        raise ValueError(f"a limit of {limit} characters leaves no room for a hash of {_HASH}")
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH]
    return f"{name[: limit - _HASH - 1].rstrip('-.')}-{digest}"
