"""Read-only, typed access to the properties of a resource as they travel on the wire.

A property may be absent, of the wrong type, not known before the update, or secret. A getter answers ``None``
for all but a known value of its type, so a comparison with it is silent exactly where nothing can be said.
Whether something is missing is asked with ``absent``, which is true only where that is certain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["UNKNOWN", "Path", "Props", "Secret", "quantity"]

Path = str | int
"""A step into a property: a key of a map or an index of a list."""


class _Unknown:
    """The type of ``UNKNOWN``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        return False


UNKNOWN: Final = _Unknown()
"""Stands for a value that the engine does not know before the update."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that the engine keeps encrypted."""

    value: Any


_ABSURD: Final = 1e300
"""No number beyond this, infinity or not-a-number is an amount of anything."""

_MISSING: Final = object()
_MISPLACED: Final = object()
_EMPTY: Final[Mapping[str, Any]] = {}


def _step(value: Any, key: Path) -> Any:
    # Nearly every step leads into a plain map or list; asking that first halves the time of the whole pack.
    kind = type(value)
    if kind is dict:
        return value.get(key, _MISSING) if type(key) is str else _MISPLACED
    if kind is list and type(key) is int:
        return value[key] if -len(value) <= key < len(value) else _MISSING
    if isinstance(value, Secret):
        value = value.value
    if value is None or value is _MISSING:
        return _MISSING
    if value is UNKNOWN:
        return UNKNOWN
    if isinstance(value, Mapping):
        return value.get(key, _MISSING) if isinstance(key, str) else _MISPLACED
    if isinstance(key, int) and isinstance(value, Sequence) and not isinstance(value, str):
        return value[key] if -len(value) <= key < len(value) else _MISSING
    return _MISPLACED


class Props:
    """A map of properties."""

    __slots__ = ("_known", "_map", "_nested", "_sections")

    def __init__(self, value: Any) -> None:
        self._nested: dict[tuple[Path, ...], Props] | None = None
        self._sections: dict[tuple[Path, ...], tuple[Props, ...]] | None = None
        self._map: Mapping[str, Any]
        if type(value) is dict:
            self._known, self._map = True, value
            return
        if isinstance(value, Secret):
            value = value.value
        self._known = value is not UNKNOWN
        self._map = value if isinstance(value, Mapping) else _EMPTY

    def __bool__(self) -> bool:
        return bool(self._map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._map)

    def __repr__(self) -> str:
        return f"Props({self._map!r})"

    def raw(self, *path: Path) -> Any:
        """Whatever is there: a plain value, ``UNKNOWN``, or ``None`` where nothing is."""
        value: Any = self._map if self._known else UNKNOWN
        for key in path:
            value = value.get(key, _MISSING) if type(value) is dict and type(key) is str else _step(value, key)
        if type(value) is Secret:
            value = value.value
        return None if value is _MISSING or value is _MISPLACED else value

    def known(self, *path: Path) -> bool:
        """Whether the answer to every question about this place is settled before the update."""
        return self.raw(*path) is not UNKNOWN

    def absent(self, *path: Path) -> bool:
        """Whether certainly nothing is there: no such key, or null."""
        value: Any = self._map if self._known else UNKNOWN
        for key in path:
            value = _step(value, key)
        if isinstance(value, Secret):
            value = value.value
        return value is None or value is _MISSING

    def secret(self, *path: Path) -> bool:
        """Whether the value, or something around it, is secret."""
        value: Any = self._map
        for key in path:
            if isinstance(value, Secret):
                return True
            value = _step(value, key)
        return isinstance(value, Secret)

    def text(self, *path: Path) -> str | None:
        """Return a string."""
        if len(path) == 1:
            value = self._map.get(path[0])  # type: ignore[arg-type] # a number is no key, and finds nothing
            if type(value) is str:
                return value
        value = self.raw(*path)
        return value if isinstance(value, str) else None

    def number(self, *path: Path) -> float | None:
        """Return a number, also one written as a string."""
        value = self.raw(*path)
        if isinstance(value, bool):
            return None
        if isinstance(value, str):
            try:
                value = float(value) if len(value) < 40 and value.strip()[-1:].isdigit() else None
            except ValueError:
                return None
        return float(value) if isinstance(value, int | float) and abs(value) < _ABSURD else None

    def integer(self, *path: Path) -> int | None:
        """Return a whole number; the engine sends integers as floats."""
        value = self.number(*path)
        return int(value) if value is not None and value == int(value) else None

    def flag(self, *path: Path) -> bool | None:
        """Return a boolean, also one written as a string."""
        value = self.raw(*path)
        if isinstance(value, str):
            return {"true": True, "false": False}.get(value.lower())
        return value if isinstance(value, bool) else None

    def section(self, *path: Path) -> Props:
        """Return a nested map, empty where there is none."""
        if self._nested is None:
            self._nested = {}
        found = self._nested.get(path)
        if found is None:
            found = self._nested[path] = Props(self.raw(*path))
        return found

    def sections(self, *path: Path) -> tuple[Props, ...]:
        """Return the maps of a list."""
        if self._sections is None:
            self._sections = {}
        found = self._sections.get(path)
        if found is None:
            found = self._sections[path] = tuple(self._maps(self.raw(*path)))
        return found

    @staticmethod
    def _maps(value: Any) -> Iterator[Props]:
        if not isinstance(value, list | tuple):
            return
        for item in value:
            plain = item.value if type(item) is Secret else item
            if type(plain) is dict or isinstance(plain, Mapping):
                yield Props(plain)

    def texts(self, *path: Path) -> tuple[str, ...]:
        """Return the strings of a list."""
        value = self.raw(*path)
        if not isinstance(value, Sequence) or isinstance(value, str):
            return ()
        plain = (item.value if isinstance(item, Secret) else item for item in value)
        return tuple(item for item in plain if isinstance(item, str))

    def strings(self, *path: Path) -> dict[str, str]:
        """Return the string-valued entries of a map, such as labels; numbers and booleans as YAML writes them."""
        found: dict[str, str] = {}
        for key, value in self.section(*path).items():
            if isinstance(value, str):
                found[key] = value
            elif isinstance(value, bool):
                found[key] = str(value).lower()
            elif isinstance(value, int | float):
                found[key] = (
                    str(int(value)) if value == value and abs(value) < 1e15 and value == int(value) else str(value)
                )
        return found

    def items(self) -> Iterator[tuple[str, Any]]:
        """Return keys and plain values; unknown ones are ``UNKNOWN``."""
        for key, value in self._map.items():
            yield key, value.value if isinstance(value, Secret) else value

    def size(self, *path: Path) -> int | None:
        """Return the length of a list or map, where all of it is known to be there."""
        value = self.raw(*path)
        if isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str)):
            return len(value)
        return None


_QUANTITY = re.compile(r"^([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)(?:([eE][+-]?\d{1,2})|([numkMGTPE]|[KMGTPE]i))?$")
_SUFFIX = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
}  # fmt: skip


def quantity(value: Any) -> float | None:
    """Return a Kubernetes quantity in its base unit (cores, bytes, pieces), or ``None`` where it is not one."""
    if isinstance(value, Secret):
        value = value.value
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if abs(value) < _ABSURD else None
    if not isinstance(value, str) or len(value) > 60:
        return None
    match = _QUANTITY.match(value.strip())
    if match is None:
        return None
    mantissa, exponent, suffix = match.groups()
    if exponent:
        return float(mantissa + exponent)
    return float(mantissa) * _SUFFIX.get(suffix or "", 1.0)
