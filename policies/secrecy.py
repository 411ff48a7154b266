"""Keeps secret values out of messages and logs: a rule may quote what it found, and what it found may be secret."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from pulumi.runtime.proto import analyzer_pb2

from inference.rules.views.values import Secret
from policies import decoding

__all__ = ["masker"]

Message = analyzer_pb2.AnalyzeRequest | analyzer_pb2.AnalyzerResource

_MASK = "[secret]"
_SHORTEST = 4
"""Characters of the shortest text that is masked; shorter ones occur in every sentence."""


def masker(messages: Iterable[Message]) -> Callable[[str], str]:
    """Return a function that replaces every secret text of the resources; they are searched at its first use."""

    @cache
    def texts() -> tuple[str, ...]:
        found: set[str] = set()
        for message in messages:
            for struct in (message.properties, message.provider.properties):
                if decoding.marked(struct):
                    found.update(_secret_texts(decoding.properties(struct)))
        quoted = {repr(text)[1:-1] for text in found}
        return tuple(sorted(found | quoted, key=len, reverse=True))

    def mask(message: str) -> str:
        for text in texts():
            message = message.replace(text, _MASK)
        return message

    return mask


def _secret_texts(value: Any) -> Iterator[str]:
    """Yield the texts inside of every value that is marked as secret."""
    todo = [(value, False)]
    while todo:
        current, secret = todo.pop()
        if isinstance(current, Secret):
            current, secret = current.value, True
        if isinstance(current, Mapping):
            current = current.values()
        elif not isinstance(current, list | tuple):
            if secret and isinstance(current, str) and len(current) >= _SHORTEST:
                yield current
            continue
        # Most of a resource is plain texts, which need no look.
        todo.extend((nested, secret) for nested in current if secret or type(nested) is not str)
