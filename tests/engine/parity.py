"""Whether two plans of the same configuration name the same resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from inference.facts.wire import UNKNOWNS
from rehearsal.diffs import differences
from rehearsal.plan import Plan, ResourceState
from rehearsal.urns import parse, reference
from rehearsal.values import BLINDED, masked

__all__ = ["decided", "unequal"]

_SAME = ("parent", "protect", "custom", "external")


def unequal(engine: Plan, rehearsal: Plan) -> Iterator[str]:
    """Yield every resource, and every property, in which the engine's preview differs from the rehearsal's plan.

    What is unknown or blinded matches anything, and a name that a provider made matches another such name. What
    depends on a question that a preview cannot ask yet has no dependencies there: fewer are no difference.
    """
    for urn in sorted(engine.by_urn.keys() ^ rehearsal.by_urn.keys()):
        yield f"{urn} is on one side only"
    made = {**_made(engine), **_made(rehearsal)}
    for urn in engine.by_urn.keys() & rehearsal.by_urn.keys():
        yield from (f"{urn}: {what}" for what in _unequal(engine.by_urn[urn], rehearsal.by_urn[urn], made))


def decided(plan: Plan) -> float:
    """Return the share of a plan's values that a comparison with them can tell wrong."""
    values = [value for state in plan for value in _values(masked(state.inputs))]
    return sum(not _open(value) for value in values) / len(values)


def _values(value: object) -> Iterator[object]:
    match value:
        case str():
            yield value
        case Mapping():
            for inner in value.values():
                yield from _values(inner)
        case Sequence():
            for inner in value:
                yield from _values(inner)
        case _:
            yield value


def _open(value: object) -> bool:
    """Whether a value matches anything."""
    return isinstance(value, str) and (value in UNKNOWNS or value == BLINDED)


def _unequal(left: ResourceState, right: ResourceState, made: Mapping[str, str]) -> Iterator[str]:
    yield from (name for name in _SAME if getattr(left, name) != getattr(right, name))
    if reference(left.provider) != reference(right.provider):
        yield "provider"
    if not set(left.dependencies) <= set(right.dependencies):
        yield f"dependencies {set(left.dependencies) - set(right.dependencies)}"

    def alike(one: object, other: object) -> bool:
        if _open(one) or _open(other):
            return True
        if any(isinstance(side, Mapping | list) for side in (one, other)):
            return False
        return _neutral(one, made) == _neutral(other, made)

    for change in differences(masked(left.inputs), masked(right.inputs), alike):
        yield f"{change.path}: {change.old} | {change.new}"


def _neutral(value: object, made: Mapping[str, str]) -> object:
    if not isinstance(value, str):
        return value
    for name, neutral in made.items():
        value = value.replace(name, neutral)
    return value


def _made(plan: Plan) -> dict[str, str]:
    """Return the names that a provider made, each with one that is the same on both sides."""
    found = {}
    for state in plan:
        defaults = state.inputs.get("__defaults")
        if isinstance(defaults, list) and "name" in defaults:
            found[str(state.inputs["name"])] = f"<{parse(state.urn).name}>"
    return found
