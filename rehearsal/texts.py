"""Text for a terminal: nothing that a name contains may move the cursor, change colors or reverse the line."""

from __future__ import annotations

__all__ = ["cut", "plain", "plural"]


def plain(text: str) -> str:
    """Return a text with every character that is not plainly visible escaped; line ends are kept."""
    if text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if character.isprintable() or character == "\n":
        return character
    return character.encode("unicode_escape").decode("ascii") if character.isascii() else f"\\u{ord(character):04x}"


def cut(text: str, width: int) -> str:
    """Return a text in one line of at most so many characters."""
    line = plain(text.replace("\n", " "))
    return line if len(line) <= width else f"{line[: max(width - 1, 0)]}…"


def plural(count: int, noun: str) -> str:
    """Return a count and its noun: ``1 pool``, ``2 pools``, ``3 policies``."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun[:-1]}ies" if noun.endswith("cy") else f"{count:,} {noun}s"
