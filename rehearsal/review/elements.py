"""HTML, put together from elements so that no text can end up as markup."""

from __future__ import annotations

from html import escape

__all__ = ["Markup", "tag", "void"]


class Markup(str):
    """A text that is HTML already; every other text is escaped."""

    __slots__ = ()


def tag(name: str, /, *inner: str, **attributes: str) -> Markup:
    """Return an element around texts and other elements.

    Args:
        name: of the element.
        inner: texts, which are escaped, and ``Markup``, which is not.
        attributes: by name, an underscore for each hyphen; empty ones are left out.
    """
    return Markup(f"{_opening(name, attributes)}{''.join(map(_escaped, inner))}</{name}>")


def void(name: str, /, **attributes: str) -> Markup:
    """Return an element that holds nothing, such as ``meta``."""
    return Markup(_opening(name, attributes))


def _opening(name: str, attributes: dict[str, str]) -> str:
    written = (
        f' {key.rstrip("_").replace("_", "-")}="{_readable(escape(value))}"'
        for key, value in attributes.items()
        if value
    )
    return f"<{name}{''.join(written)}>"


def _escaped(text: str) -> str:
    return text if isinstance(text, Markup) else _readable(escape(text))


def _readable(text: str) -> str:
    """Return a text without half characters, which no encoding has."""
    return text.encode("utf-8", "replace").decode("utf-8")
