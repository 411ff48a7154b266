"""Keeps secret values out of messages and logs: a rule may quote what it found, and what it found may be secret."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from inference.rules.views.resources import Resource
from inference.rules.views.values import Secret

__all__ = ["masker"]

_MASK = "[secret]"
_SHORTEST = 4
"""Characters of the shortest text that is masked; shorter ones occur in every sentence."""


def masker(resources: Iterable[Resource]) -> Callable[[str], str]:
    """Return a function that replaces every secret text of the resources; they are searched at its first use."""
    kept = tuple(resources)

    @cache
    def texts() -> tuple[str, ...]:
        found: set[str] = set()
        for resource in kept:
            for props in (resource.props, *((resource.provider.props,) if resource.provider else ())):
                found.update(_secret_texts(props.raw(), inside=False))
        quoted = {repr(text)[1:-1] for text in found}
        return tuple(sorted(found | quoted, key=len, reverse=True))

    def mask(message: str) -> str:
        for text in texts():
            message = message.replace(text, _MASK)
        return message

    return mask


def _secret_texts(value: Any, *, inside: bool) -> Iterator[str]:
    todo = [(value, inside)]
    while todo:
        current, secret = todo.pop()
        match current:
            case Secret():
                todo.append((current.value, True))
            case str():
                if secret and len(current) >= _SHORTEST:
                    yield current
            case Mapping():
                todo.extend((nested, secret) for nested in current.values())
            case Sequence():
                todo.extend((nested, secret) for nested in current)
            case _:
                pass
