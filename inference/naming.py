"""Names within the limits of those who read them, unique after being cut."""

from __future__ import annotations

import hashlib
import re

__all__ = ["bounded", "label_value"]

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


def label_value(text: str) -> str:
    """Return a valid Kubernetes label value (63 characters of ``[A-Za-z0-9._-]``) that reads like ``text``.

    Raises:
        ValueError: the text has no letter or digit.
    """
    cleaned = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")
    if not cleaned:
        raise ValueError(f"{text!r} has no letter or digit to make a label value of")
    return bounded(cleaned, 63)
