"""How wide a text is, before any browser has measured it, and where its lines break."""

from __future__ import annotations

import unicodedata
from functools import cache

__all__ = ["width", "wrapped"]

_WIDTHS = {
    191: "'", 222: "ijl", 260: "|", 278: " !,./:;I[]\\ft·", 333: "()-`r", 334: "{}", 355: '"', 389: "*", 469: "^",
    500: "Jcksvxyz", 556: "#$0123456789?L_abdeghnopqu–", 584: "+<=>~×", 611: "FTZ", 667: "&ABEKPSVXY",
    722: "CDHNRUw", 778: "GOQ", 833: "Mm", 889: "%", 944: "W", 1000: "—…→", 1015: "@",
}  # fmt: skip
"""Thousandths of the font size: the metrics of Helvetica, which Arial and Liberation Sans share.

Source: Adobe's Core 14 Font Metrics, Helvetica.afm.
"""
_ADVANCE = {character: width for width, characters in _WIDTHS.items() for character in characters}
_OTHER, _WIDE = 850, 1100
"""Of characters that are not listed; of those that East Asian typography sets in a square, and of emoji."""
_BOLD = 1.09
"""How much wider bold letters are at most, over a line."""
_MARGIN = 1.16
"""How much wider the fonts are that stand in where none of the named ones is installed, such as DejaVu Sans."""


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the most that a line of text takes, in the unit of ``size``."""
    return sum(map(_advance, text)) / 1000 * size * _MARGIN * (_BOLD if bold else 1.0)


@cache
def _advance(character: str) -> int:
    if character in _ADVANCE:
        return _ADVANCE[character]
    if unicodedata.combining(character):
        return 0
    wide = unicodedata.east_asian_width(character) in ("W", "F") or ord(character) > 0xFFFF
    return _WIDE if wide else _OTHER


def wrapped(text: str, room: float, size: float, *, bold: bool = False, rows: int = 3) -> list[str]:
    """Return a text in lines that are no wider than ``room``, at most ``rows`` of them; what is cut ends in ``…``."""
    found: list[str] = []
    rest = text.strip()
    while rest and len(found) < rows:
        line = _head(rest, room, size, bold=bold)
        rest = rest[len(line) :].lstrip()
        found.append(line.rstrip())
    if rest:
        last = found[-1]
        while last and width(f"{last}…", size, bold=bold) > room:
            last = last[:-1]
        found[-1] = f"{last.rstrip()}…"
    return found


def _head(text: str, room: float, size: float, *, bold: bool) -> str:
    """Return what fits into one line: up to a space, else up to a sign after which names break, else what fits."""
    end, used = 0, 0.0
    while end < len(text) and (used := used + width(text[end], size, bold=bold)) <= room:
        end += 1
    if end == len(text):
        return text
    end = max(end, 1)
    space = text.rfind(" ", 0, end + 1)
    if space > 0:
        return text[:space]
    sign = max(text.rfind(mark, 0, end) for mark in "/-.,:_")
    return text[: sign + 1] if sign > end // 3 else text[:end]
