"""Label selectors: whether one matches, and an index of the objects that have one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from inference.rules.views.pods import PodTemplate
from inference.rules.views.values import Props

__all__ = ["Selecting", "matches"]

T = TypeVar("T")


def matches(selector: Props, labels: Mapping[str, str]) -> bool | None:
    """Whether a label selector matches; ``None`` where that is not known."""
    wanted = selector.section("matchLabels")
    if not selector.known("matchLabels") or any(not wanted.known(key) for key in wanted):
        return None
    for expression in selector.sections("matchExpressions"):
        key, values = expression.text("key") or "", set(expression.texts("values"))
        present, value = key in labels, labels.get(key)
        verdict = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": present,
            "DoesNotExist": not present,
        }.get(expression.text("operator") or "")
        if verdict is not True:
            return verdict
    return all(labels.get(key) == value for key, value in selector.strings("matchLabels").items())


class Selecting(Generic[T]):
    """Objects with a selector, found by the pods that they may select without trying every pair of them."""

    def __init__(self, things: Iterable[tuple[T, Props, str | None]]) -> None:
        """Take objects, each with its selector and its namespace (``None``: it selects in all of them)."""
        self._found: dict[tuple[str | None, tuple[str, str] | None], list[tuple[int, T]]] = defaultdict(list)
        for position, (thing, selector, namespace) in enumerate(things):
            wanted = selector.strings("matchLabels")
            self._found[namespace, next(iter(wanted.items()), None)].append((position, thing))

    def candidates(self, pod: PodTemplate) -> list[T]:
        """Return all that may select these pods, in order; those left out certainly do not."""
        keys = [(place, pair) for place in (pod.namespace, None) for pair in (None, *pod.labels.items())]
        found = [entry for key in keys for entry in self._found.get(key, ())]
        return [thing for _, thing in sorted(found, key=lambda entry: entry[0])]
