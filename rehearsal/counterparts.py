"""What a provider computed for the same resource on both sides of a comparison, and what was made of it.

A state holds the names, ids and addresses that the cloud gave, a plan those that the rehearsal gave, down to the number
of the project. Wherever one goes into another resource, the two differ, and nothing changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from rehearsal.cloud.gcp_names import number_of
from rehearsal.plan import ResourceState
from rehearsal.values import Secret

__all__ = ["Counterparts", "is_autonamed", "made_name"]

_AUTONAMED = "pulumi.com/autonamed"


class Counterparts:
    """Pairs of computed texts, old and new, by the resource that they were computed for."""

    def __init__(self, before: Mapping[str, ResourceState], after: Mapping[str, ResourceState]) -> None:
        self._before, self._after = before, after
        self._changed: set[str] = set()
        self._of = cache(self._computed)
        projects = {state.inputs.get("project") for state in after.values()}
        self._numbers = sorted(number_of(name) for name in projects if isinstance(name, str))

    def note_update(self, urn: str) -> None:
        """Note that a resource changes in place: what is computed for it may change with it, save for its name."""
        self._changed.add(urn)

    def same(self, state: ResourceState, top: str, old: object, new: object) -> bool:
        """Whether a value of a property is what it was, but for what was computed for the resources it comes from.

        Args:
            state: the resource that has it.
            top: the first part of the property.
            old: the value that stands.
            new: the value that shall be.
        """
        if isinstance(old, Secret) and isinstance(new, Secret):
            old, new = old.value, new.value
        if not isinstance(old, str) or not isinstance(new, str):
            return False
        pairs: dict[str, str] = {}
        for urn in state.property_dependencies.get(top, ()):
            pairs.update(self._of(urn, urn in self._changed))
        found = _translated(old, pairs) if pairs else old
        return found == new or any(_is_but_number(found, new, number) for number in self._numbers)

    def _computed(self, urn: str, changed: bool) -> Mapping[str, str]:  # noqa: FBT001 - cached by position
        old, new = self._before.get(urn), self._after.get(urn)
        if old is None or new is None:
            return {}
        names = made_name(old), made_name(new)
        pairs = {names[0]: names[1]} if all(names) else {}
        if not changed:
            pairs.update(_pairs({"id": old.id, **old.outputs}, {"id": new.id, **new.outputs}))
        return {left: right for left, right in pairs.items() if left and left != right}


def is_autonamed(state: ResourceState) -> bool:
    """Whether a provider made the name of a resource."""
    defaults = state.inputs.get("__defaults")
    if isinstance(defaults, list) and "name" in defaults:
        return True
    metadata = state.inputs.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    return isinstance(annotations, Mapping) and annotations.get(_AUTONAMED) == "true"


def made_name(state: ResourceState) -> str:
    """Return the name that a provider made for a resource; empty where the program gave it."""
    if not is_autonamed(state):
        return ""
    metadata = state.inputs.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else state.inputs.get("name")
    return name if isinstance(name, str) else ""


def _pairs(old: object, new: object) -> Iterator[tuple[str, str]]:
    old, new = (side.value if isinstance(side, Secret) else side for side in (old, new))
    if isinstance(old, str) and isinstance(new, str):
        yield old, new
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in old.keys() & new.keys():
            yield from _pairs(old[key], new[key])
    elif all(isinstance(side, Sequence) and not isinstance(side, str) for side in (old, new)):
        assert isinstance(old, Sequence)  # noqa: S101 - for the type checker
        assert isinstance(new, Sequence)  # noqa: S101
        for left, right in zip(old, new, strict=False):
            yield from _pairs(left, right)


def _is_but_number(old: str, new: str, number: str) -> bool:
    """Whether two texts are the same but for the number of a project, which the rehearsal does not know."""
    return number in new and re.fullmatch(re.escape(new).replace(number, r"[0-9]{6,}"), old) is not None


def _translated(text: str, pairs: Mapping[str, str]) -> str:
    longest_first = sorted(pairs, key=len, reverse=True)
    pattern = rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)"
    return re.sub(pattern, lambda match: pairs[match[0]], text)
