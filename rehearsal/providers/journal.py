"""What the stand-in cloud was asked, one JSON object a line, in the order of events.

Values of resources never go in, so it can be read aloud.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

__all__ = ["Entry", "Journal"]

Phase = Literal["begin", "end", "fail"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One event."""

    time: float
    """Seconds since the epoch."""
    phase: Phase
    operation: str
    """``create``, ``read``, ``update``, ``delete`` or ``invoke``."""
    urn: str
    """Empty for an invoke."""
    type: str
    """Type of the resource, or token of the function."""
    id: str
    """Empty until the resource has one."""
    reason: str = ""
    """Why it failed."""


class Journal:
    """A file that several processes write and survive each other in: each entry is one write at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, phase: Phase, operation: str, urn: str, type_: str, id_: str = "", reason: str = "") -> None:
        """Add an entry."""
        entry = Entry(time.time(), phase, operation, urn, type_, id_, reason)
        line = json.dumps(asdict(entry), ensure_ascii=False) + "\n"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def read(self) -> tuple[Entry, ...]:
        """Return all entries; none where nothing was asked yet."""
        if not self._path.is_file():
            return ()
        return tuple(Entry(**json.loads(line)) for line in self._path.read_text(encoding="utf-8").splitlines())
