"""The stand-in cloud: what exists, one file a resource, so that every process and every run sees the same.

A file is written beside its place and moved there, so a process that is killed leaves either the old or the new.
Secrets are masked: nothing here is needed to read them back.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rehearsal.providers.journal import Journal
from rehearsal.values import masked

__all__ = ["Record", "World"]


@dataclass(frozen=True, slots=True)
class Record:
    """A resource that exists."""

    urn: str
    type: str
    id: str
    cluster: str = ""
    """Id of the cluster that holds it, for a Kubernetes object."""
    inputs: Mapping[str, object] = field(default_factory=dict)
    generation: int = 0
    """How many of the same URN there were before."""
    revision: int = 1
    """Counts its updates."""

    @property
    def name(self) -> str:
        """The last part of the id."""
        return self.id.rpartition("/")[2]


class World:
    """A folder of records."""

    def __init__(self, folder: Path) -> None:
        self._resources = folder / "resources"
        self._births = folder / "births"
        self.journal = Journal(folder / "journal.jsonl")

    def __iter__(self) -> Iterator[Record]:
        for path in sorted(self._resources.glob("*.json")):
            try:
                text = path.read_text(encoding="utf-8")
            except FileNotFoundError:  # another process deleted it meanwhile
                continue
            yield Record(**json.loads(text))

    def of_type(self, *tokens: str) -> list[Record]:
        """Return the resources of these types."""
        return [record for record in self if record.type in tokens]

    def find(self, type_: str, id_: str, cluster: str = "") -> Record | None:
        """Return a resource; ``None`` where there is none."""
        path = self._path(type_, id_, cluster)
        return Record(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None

    def keep(self, record: Record) -> None:
        """Add a resource, or replace what is known of it."""
        content = {**asdict(record), "inputs": masked(record.inputs)}
        if self.find(record.type, record.id, record.cluster) is None:
            _write(self._births / _digest(record.urn), str(self.generation(record.urn) + 1))
        _write(self._path(record.type, record.id, record.cluster), json.dumps(content, ensure_ascii=False))

    def remove(self, record: Record) -> None:
        """Forget a resource."""
        self._path(record.type, record.id, record.cluster).unlink(missing_ok=True)

    def generation(self, urn: str) -> int:
        """Return how many resources of a URN were ever created."""
        path = self._births / _digest(urn)
        return int(path.read_text(encoding="utf-8")) if path.is_file() else 0

    def _path(self, type_: str, id_: str, cluster: str) -> Path:
        return self._resources / f"{_digest(type_, cluster, id_)}.json"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, beside = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    Path(beside).replace(path)
