"""The functions that Kubernetes adds to CEL, as far as the definitions at hand and their like use them.

After https://kubernetes.io/docs/reference/using-api/cel/ (read 2026-11): strings, lists, regular expressions, URLs,
addresses, quantities. Every method is a function whose first argument is the value it is called on.
"""

from __future__ import annotations

import ipaddress
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import total_ordering
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import re2  # type: ignore[import-untyped]
from celpy import celtypes
from celpy.evaluation import CELEvalError, bool_eq

__all__ = ["FUNCTIONS", "Quantity"]

Function = Callable[..., Any]

_SUFFIXES: Mapping[str, Decimal] = {
    **{name: Decimal(1024) ** power for power, name in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
    **{name: Decimal(10) ** power for name, power in (("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6))},
    **{name: Decimal(10) ** power for name, power in (("G", 9), ("T", 12), ("P", 15), ("E", 18))},
}


@total_ordering
class Quantity:
    """A number with a Kubernetes suffix: ``100m``, ``1.5Gi``, ``1e3``."""

    def __init__(self, text: str) -> None:
        match = re2.fullmatch(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E)?", text)
        if match is None:
            raise ValueError(f"{text!r} is no quantity")
        try:
            self.value = Decimal(match[1]) * _SUFFIXES[match[2] or ""]
        except InvalidOperation as error:
            raise ValueError(f"{text!r} is no quantity") from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.value == other.value

    def __lt__(self, other: Quantity) -> bool:
        return self.value < other.value

    def __hash__(self) -> int:
        return hash(self.value)


def _text(function: Callable[..., str]) -> Function:
    return lambda *args: celtypes.StringType(function(*args))


def _number(function: Callable[..., int]) -> Function:
    return lambda *args: celtypes.IntType(function(*args))


def _flag(function: Callable[..., bool]) -> Function:
    return lambda *args: celtypes.BoolType(function(*args))


def _texts(function: Callable[..., list[str]]) -> Function:
    return lambda *args: celtypes.ListType([celtypes.StringType(part) for part in function(*args)])


def _readable(function: Callable[..., object]) -> Function:
    def readable(*args: Any) -> celtypes.BoolType:
        try:
            function(*args)
        except ValueError:
            return celtypes.BoolType(False)
        return celtypes.BoolType(True)

    return readable


def _url(text: str) -> Any:
    """Return an absolute URL, or an absolute path, in its parts."""
    parts = urlsplit(text)
    _ = parts.port  # raises ValueError for what is no port
    if re2.search(r"[\s\x00-\x1f]", text) or not (parts.scheme or text.startswith("/")):
        raise ValueError(f"{text!r} is no URL")
    return parts


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    parts = text.split(separator) if separator else list(text)
    if limit < 0 or len(parts) <= limit:
        return parts
    return [*parts[: limit - 1], separator.join(parts[limit - 1 :])]


def _position(found: Callable[[str, str], int]) -> Function:
    def position(container: Any, wanted: Any) -> celtypes.IntType:
        if isinstance(container, str):
            return celtypes.IntType(found(container, wanted))
        places = [place for place, part in enumerate(container) if part == wanted] or [-1]
        return celtypes.IntType(places[0] if found is str.find else places[-1])

    return position


def _formatted(text: str, values: Any) -> str:
    return str(text) % tuple(values)


def _is_sorted(values: Any) -> bool:
    return all(one <= other for one, other in pairwise(values))


def _find_all(text: str, pattern: str) -> list[str]:
    return [match.group(0) for match in re2.finditer(pattern, text)]


def _equal(a: Any, b: Any) -> Any:
    """Compare values of which one may be of any type (``x-kubernetes-int-or-string``): of two types, unequal."""
    if isinstance(a, CELEvalError) or isinstance(b, CELEvalError):
        return bool_eq(a, b)
    try:
        return bool_eq(a, b)
    except TypeError:
        return celtypes.BoolType(False)


def _unequal(a: Any, b: Any) -> Any:
    same = _equal(a, b)
    return same if isinstance(same, CELEvalError) else celtypes.BoolType(not same)


FUNCTIONS: dict[str, Function] = {
    "_==_": _equal,
    "_!=_": _unequal,
    # strings
    "charAt": _text(lambda text, place: text[place : place + 1]),
    "format": _text(_formatted),
    "join": _text(lambda parts, separator="": separator.join(parts)),
    "lowerAscii": _text(lambda text: text.lower()),
    "replace": _text(lambda text, old, new, limit=-1: text.replace(old, new, int(limit))),
    "split": _texts(_split),
    "substring": _text(lambda text, start, end=None: text[start:end]),
    "trim": _text(lambda text: text.strip()),
    "upperAscii": _text(lambda text: text.upper()),
    # lists, and strings as lists of characters
    "indexOf": _position(str.find),
    "isSorted": _flag(_is_sorted),
    "lastIndexOf": _position(str.rfind),
    "max": lambda values: max(values),
    "min": lambda values: min(values),
    "sum": lambda values: sum(values[1:], values[0]) if values else celtypes.IntType(0),
    # regular expressions
    "find": _text(lambda text, pattern: next(iter(_find_all(text, pattern)), "")),
    "findAll": _texts(_find_all),
    # URLs and addresses
    "cidr": lambda text: ipaddress.ip_network(str(text), strict=False),
    "containsIP": _flag(lambda net, address: ipaddress.ip_address(str(address)) in net),
    "family": _number(operator.attrgetter("version")),
    "getHost": _text(lambda url: url.netloc.rpartition("@")[2]),
    "getScheme": _text(operator.attrgetter("scheme")),
    "ip": lambda text: ipaddress.ip_address(str(text)),
    "isCIDR": _readable(lambda text: ipaddress.ip_interface(str(text)) if "/" in text else int("none")),
    "isIP": _readable(lambda text: ipaddress.ip_address(str(text))),
    "isURL": _readable(_url),
    "prefixLength": _number(operator.attrgetter("prefixlen")),
    "url": _url,
    # quantities
    "asApproximateFloat": lambda quantity: celtypes.DoubleType(quantity.value),
    "compareTo": _number(lambda one, other: (one > other) - (one < other)),
    "isGreaterThan": _flag(operator.gt),
    "isLessThan": _flag(operator.lt),
    "isQuantity": _readable(Quantity),
    "quantity": Quantity,
    "sign": _number(lambda quantity: (quantity.value > 0) - (quantity.value < 0)),
}
"""By name. What is in neither this table nor CEL itself makes a rule one that cannot be judged."""
