"""Tables that lie beside the code as data files, read at first use so that importing them costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

__all__ = ["LazyTable", "read", "tables"]

V = TypeVar("V")


def read(name: str) -> str:
    """Return the text of a data file of this package."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


class LazyTable(Mapping[str, V]):
    """A read-only mapping that is loaded when somebody first looks into it."""

    __slots__ = ("_load", "_rows")

    def __init__(self, load: Callable[[], dict[str, V]]) -> None:
        self._load = load
        self._rows: dict[str, V] | None = None

    def _table(self) -> dict[str, V]:
        if self._rows is None:
            self._rows = self._load()
        return self._rows

    def __getitem__(self, key: str) -> V:
        return self._table()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table())

    def __len__(self) -> int:
        return len(self._table())


def tables(folder: str) -> tuple[str, ...]:
    """List the TOML files of a folder of this package, in a fixed order, as names for ``read``."""
    here = Path(__file__).parent
    return tuple(path.relative_to(here).as_posix() for path in sorted((here / folder).glob("*.toml")))
