"""What changes between two plans, or between a state and a plan."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from inference.facts.wire import UNKNOWNS
from rehearsal.counterparts import Counterparts, is_autonamed, made_name
from rehearsal.plan import Plan, ResourceState
from rehearsal.replacement import replaces, replaces_by_value
from rehearsal.urns import is_default_provider, reference
from rehearsal.values import BLINDED, Secret, holds_secret, masked

__all__ = ["Change", "Diff", "Op", "PropertyChange", "alike", "compare", "differences", "joined", "leaves"]

Op = Literal["create", "update", "replace", "delete", "same"]

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """One property of one resource."""

    path: str
    """Pulumi's notation: ``nodeConfig.machineType``, ``networks[0].name``, ``labels["a.b"]``."""
    old: object
    """``None`` where it was not there."""
    new: object
    """``None`` where it is no longer there."""
    kind: Literal["add", "update", "delete"]
    replaces: bool = False
    """Whether this change alone forces a new resource."""
    follows: str = ""
    """URN of the replaced resource that the value comes from, where nothing else changes it."""
    option: str = ""
    """The option of a command line that this is the value of, such as ``--max-model-len``."""

    @property
    def top(self) -> str:
        """The property's first part."""
        if self.path.startswith("["):
            return str(json.JSONDecoder().raw_decode(self.path, 1)[0])
        return self.path.partition(".")[0].partition("[")[0]


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one resource."""

    op: Op
    urn: str
    old: ResourceState | None
    new: ResourceState | None
    properties: tuple[PropertyChange, ...] = ()


@dataclass(frozen=True)
class Diff:
    """Every resource of both sides."""

    changes: tuple[Change, ...]

    @cached_property
    def summary(self) -> Mapping[str, int]:
        """How many resources of each operation."""
        return dict(Counter(change.op for change in self.changes))

    def of(self, *ops: Op) -> tuple[Change, ...]:
        """Return the changes with these operations."""
        return tuple(change for change in self.changes if change.op in ops)


def compare(baseline: Plan, plan: Plan) -> Diff:
    """Return what carrying out ``plan`` changes where ``baseline`` stands.

    Inputs are compared, as the engine does. Noise is left out: keys that providers keep for themselves, defaults that
    a provider filled in, names that a provider made and all that it computed, unknown values, and secrets of which only
    one side is known.
    """
    before = {state.urn: state for state in _managed(baseline)}
    after = _managed(plan)
    renamed = {alias: state.urn for state in after for alias in state.options.aliases}
    before = {renamed.get(urn, urn) if urn not in plan.by_urn else urn: state for urn, state in before.items()}
    counterparts = Counterparts(before, {state.urn: state for state in after})
    changes = [_change(before.get(state.urn), state, plan, counterparts) for state in after]
    changes += [Change("delete", urn, state, None) for urn, state in reversed(before.items()) if urn not in plan.by_urn]
    return Diff(tuple(_cascaded(changes, plan)))


def _cascaded(changes: Iterable[Change], plan: Plan) -> Iterator[Change]:
    """Yield the changes with what replacements take along, in the order of registration.

    A replacement has another identity, so a value that comes from it counts as changed where it forces a new resource,
    and the engine replaces the dependent too; a name that a provider makes is another one in any case. A replaced
    provider takes along all that it manages.
    """
    replaced: set[str] = set()
    for change in changes:
        found = change
        if change.old and change.new and change.new.custom and change.op in ("same", "update"):
            followed = tuple(_followed(change.old, change.new, replaced, plan))
            if followed:
                op: Op = "replace" if any(prop.replaces for prop in followed) else "update"
                found = replace(change, op=op, properties=(*change.properties, *followed))
        if found.op == "replace":
            replaced.add(found.urn)
        yield found


def _followed(old: ResourceState, new: ResourceState, replaced: set[str], plan: Plan) -> Iterator[PropertyChange]:
    provider = reference(new.provider)
    if provider in replaced:
        yield PropertyChange("provider", provider, provider, "update", replaces=True, follows=provider)
    for key, urns in new.property_dependencies.items():
        source = next((urn for urn in urns if urn in replaced), None)
        if source is None or new.type.startswith("pulumi:providers:"):
            continue
        name = made_name(plan.by_urn[source])
        before = dict(_texts(key, old.inputs.get(key)))
        for path, text in _texts(key, new.inputs.get(key)):
            if any(_covers(ignored, path) for ignored in new.options.ignore_changes):
                continue
            change = PropertyChange(path, before.get(path, text), text, "update", replaces=True, follows=source)
            if (path == key or (name and name in text)) and _forces(new, change, plan):
                yield change
            elif name and name in text:
                yield replace(change, replaces=False)


def _texts(path: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield the texts in a value with their paths."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(joined(path, key), inner)
    elif isinstance(value, Sequence):
        for place, inner in enumerate(value):
            yield from _texts(f"{path}[{place}]", inner)


def _managed(plan: Plan) -> list[ResourceState]:
    """Return what the program itself makes: not what it only reads, nor the engine's own providers."""
    return [step.state for step in plan.shown if not step.state.external]


def _change(old: ResourceState | None, new: ResourceState, plan: Plan, counterparts: Counterparts) -> Change:
    if old is None:
        return Change("create", new.urn, None, new)
    ignored = new.options.ignore_changes
    found = [
        change
        for change in _properties(old, new)
        if not any(_covers(path, change.path) for path in ignored)
        and not counterparts.same(new, change.top, change.old, change.new)
    ]
    forced = [
        replace(change, replaces=change.replaces or (new.custom and _forces(new, change, plan))) for change in found
    ]
    if any(change.replaces for change in forced):
        return Change("replace", new.urn, old, new, tuple(forced))
    if forced:
        counterparts.note_update(new.urn)
    return Change("update" if forced else "same", new.urn, old, new, tuple(forced))


def _forces(state: ResourceState, change: PropertyChange, plan: Plan) -> bool:
    demanded = any(path == "*" or _covers(path, change.path) for path in state.options.replace_on_changes)
    demanded = demanded or replaces_by_value(state.type, change.path, change.old, change.new)
    provider = plan.by_urn.get(reference(state.provider))
    settings = provider.inputs if provider else None
    paths = (path for side in (change.old, change.new) for path in leaves(change.path, side))
    return demanded or any(replaces(state.type, path, settings) for path in paths)


def _covers(option: str, path: str) -> bool:
    """Whether a path of an option means a property: it, or something that it lies in."""
    return path == option or path.startswith((f"{option}.", f"{option}["))


def leaves(path: str, value: object) -> Iterator[str]:
    """Yield the paths of the single values in a value; its own where it is one, or is empty."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from leaves(joined(path, key), inner)
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        for place, inner in enumerate(value):
            yield from leaves(f"{path}[{place}]", inner)
    elif value is not None:
        yield path


def _properties(old: ResourceState, new: ResourceState) -> Iterator[PropertyChange]:
    before, after = _comparable(old.inputs), _comparable(new.inputs)
    if is_autonamed(old) and is_autonamed(new):
        before, after = _without_name(before), _without_name(after)
    if new.type.startswith("pulumi:providers:"):
        before, after = ({k: v for k, v in side.items() if k != "version"} for side in (before, after))
    yield from differences(before, after, alike)
    left, right = reference(old.provider), reference(new.provider)
    if left and right and left != right and not (is_default_provider(left) and is_default_provider(right)):
        yield PropertyChange("provider", left, right, "update", replaces=True)


def _comparable(inputs: Mapping[str, object]) -> Mapping[str, object]:
    """Return inputs without what a provider added to them."""
    defaults = inputs.get("__defaults")
    dropped = set(defaults) if isinstance(defaults, list) else set()
    return {
        key: _without_defaults(value)
        for key, value in inputs.items()
        if not key.startswith("__") and key not in dropped
    }


def _without_defaults(value: object) -> object:
    match value:
        case Mapping():
            return _comparable(value)
        case list():
            return [_without_defaults(inner) for inner in value]
        case _:
            return value


def _without_name(inputs: Mapping[str, object]) -> Mapping[str, object]:
    metadata = inputs.get("metadata")
    if not isinstance(metadata, Mapping):
        return inputs
    return {**inputs, "metadata": {key: value for key, value in metadata.items() if key != "name"}}


def differences(
    old: object, new: object, alike: Callable[[object, object], bool], path: str = ""
) -> Iterator[PropertyChange]:
    """Yield every single property in which two values differ.

    Args:
        old: the value that stands.
        new: the value that shall be.
        alike: whether two parts are the same; asked of containers too, where true ends the comparison.
        path: where the values lie.
    """
    if alike(old, new):
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            if not key.startswith("__"):
                yield from differences(old.get(key, _ABSENT), new.get(key, _ABSENT), alike, joined(path, key))
    elif _listed(old) and _listed(new):
        assert isinstance(old, Sequence)  # noqa: S101 - for the type checker
        assert isinstance(new, Sequence)  # noqa: S101
        for place in range(max(len(old), len(new))):
            left = old[place] if place < len(old) else _ABSENT
            right = new[place] if place < len(new) else _ABSENT
            yield from differences(left, right, alike, f"{path}[{place}]")
    elif old is _ABSENT:
        if new is not None:
            yield PropertyChange(path, None, new, "add")
    elif new is _ABSENT:
        if old is not None:
            yield PropertyChange(path, old, None, "delete")
    else:
        yield PropertyChange(path, old, new, "update")


def _listed(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def joined(path: str, key: str) -> str:
    """Return the path of a key in the map at a path."""
    plain = key.replace("_", "").replace("-", "").isalnum()
    if not plain:
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


def alike(old: object, new: object) -> bool:
    """Whether two values are the same, or cannot be told apart; never true of containers."""
    if any(isinstance(side, str) and side in UNKNOWNS for side in (old, new)):
        return True
    if _hidden(old) or _hidden(new):
        return holds_secret(old) and holds_secret(new)
    if isinstance(old, Secret) and isinstance(new, Secret):
        return old == new
    if isinstance(old, Secret) or isinstance(new, Secret):
        # A plan that was written down keeps the keys of a secret map.
        shown = masked(old)
        return isinstance(shown, Mapping) and shown == masked(new) and set(shown.values()) == {BLINDED}
    if old is _ABSENT or new is _ABSENT:
        return False
    if isinstance(old, bool) != isinstance(new, bool):
        return False
    if isinstance(old, Mapping | list | tuple):
        return False
    return old == new


def _hidden(value: object) -> bool:
    """Whether a value is secret and not known here."""
    return value.sealed if isinstance(value, Secret) else value == BLINDED
