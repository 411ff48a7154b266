"""What would be created, updated, replaced and deleted, and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from rehearsal.diffs import Change, PropertyChange
from rehearsal.plan import Plan, ResourceState
from rehearsal.review import lists, values
from rehearsal.review.change import StackChange
from rehearsal.review.document import Block, Code, Fold, Paragraph, Section, Table, Text
from rehearsal.urns import STACK, parse, short_type

__all__ = ["section"]

_WORDS = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}
_ORDER = ("replace", "delete", "update", "create")
"""The gravest first."""

_OPEN = 15
"""Resources of one operation that are shown without a click."""
_SHOWN = 300
"""Resources of one operation that are shown at all; the JSON form has all of them."""
_PROPERTIES = 25
"""Properties of one resource that are shown."""


def section(change: StackChange) -> Section | None:
    """Return what changes, resource by resource, grouped by component."""
    changes = list(_real(change))
    counts = Counter(entry.op for entry in changes)
    names = values.Names(changes)
    groups = {op: [entry for entry in changes if entry.op == op] for op in _ORDER}
    known = _Known(change)
    blocks: list[Block] = []
    for op, entries in groups.items():
        if entries:
            blocks += _blocks(op, entries, names, known)
    told = ", ".join(f"{counts[op]:,} {_WORDS[op]}" for op in ("create", "update", "replace", "delete") if counts[op])
    if change.before is None:
        headline = f"A new stack: {told or 'no resources'}."
    elif change.after is None:
        headline = f"The stack is gone: {told or 'no resources'}, if it is destroyed."
    else:
        # Components are counted where something in them is; alone they are nothing that a provider knows.
        same = sum(entry.op == "same" and _state(entry).custom for entry in change.diff.changes)
        headline = f"{told}; {same:,} unchanged." if told else "No resource changes."
    return Section(
        key="diff",
        title="Changes",
        headline=headline,
        blocks=tuple(blocks),
        data={
            "summary": {op: counts[op] for op in sorted(counts)},
            "changes": [_record(entry, names, known) for entry in changes],
        },
    )


def _real(change: StackChange) -> Iterator[Change]:
    """Yield what a provider does something about, and components of which nothing else tells that they changed."""
    changed = [entry for entry in change.diff.changes if entry.op != "same"]
    parents = set()
    states = {entry.urn: entry.new or entry.old for entry in change.diff.changes}
    for entry in changed:
        state = states[entry.urn]
        while state is not None and state.parent not in parents and state.parent in states:
            parents.add(state.parent)
            state = states[state.parent]
    for entry in changed:
        state = states[entry.urn]
        assert state is not None  # noqa: S101 - a change has one side at least
        if state.type == STACK or (not state.custom and entry.urn in parents):
            continue
        yield entry


class _Known:
    """What both plans know of a resource: which component it belongs to, and which texts are secret."""

    def __init__(self, change: StackChange) -> None:
        self._plans: list[Plan] = [side.plan for side in (change.before, change.after) if side]
        self._states = {urn: state for plan in self._plans for urn, state in plan.by_urn.items()}

    def blind(self, text: str) -> str:
        """Return a text without the secrets of either plan."""
        for plan in self._plans:
            text = plan.blind(text)
        return text

    def of(self, state: ResourceState) -> ResourceState | None:
        """Return the outermost component below the stack, ``None`` for a resource that stands alone."""
        owner = None
        seen = set()
        while state.parent and state.parent not in seen:
            seen.add(state.parent)
            parent = self._states.get(state.parent)
            if parent is None or parent.type == STACK:
                break
            owner = state = parent
        return owner


def _blocks(op: str, entries: Sequence[Change], names: values.Names, known: _Known) -> Iterator[Block]:
    title = f"{_WORDS[op].capitalize()} ({len(entries):,})"
    shown = entries[:_SHOWN]
    if op in ("create", "delete"):
        table = Table(("Component", title), list(_listed(shown, known)))
    else:
        table = Table(("Component", title, "Property", "Before", "After"), list(_explained(shown, names, known)))
    blocks: list[Block] = [table]
    if len(entries) > _SHOWN:
        blocks.append(Paragraph(f"… and {len(entries) - _SHOWN:,} more; the JSON form has all of them."))
    if op == "create" or len(entries) > _OPEN:
        yield Fold(f"{title}: {_gist(entries)}", tuple(blocks))
    else:
        yield from blocks


def _gist(entries: Sequence[Change]) -> str:
    """Return what kinds of resources there are most of."""
    kinds = Counter(_state(entry).type.rpartition(":")[2] for entry in entries)
    told = [kind if count == 1 else f"{count:,} × {kind}" for kind, count in kinds.most_common(4)]
    return ", ".join(told) + (" …" if len(kinds) > 4 else "")


def _state(entry: Change) -> ResourceState:
    state = entry.new or entry.old
    assert state is not None  # noqa: S101 - a change has one side at least
    return state


def _named(state: ResourceState | None) -> Text:
    return "" if state is None else (Code(state.name), f" ({state.type.rpartition(':')[2]})")


def _listed(entries: Sequence[Change], known: _Known) -> Iterator[Sequence[Text]]:
    """Yield a row for each component with its resources."""
    groups: dict[str, list[ResourceState]] = defaultdict(list)
    found: dict[str, ResourceState | None] = {}
    for entry in entries:
        owner = known.of(_state(entry))
        key = owner.urn if owner else ""
        found[key] = owner
        groups[key].append(_state(entry))
    for key, states in groups.items():
        pieces: list[str] = []
        for state in states:
            pieces += [", "] if pieces else []
            pieces += [Code(state.name), f" ({short_type(state.type)})"]
        yield (_named(found[key]), tuple(pieces))


def _explained(entries: Sequence[Change], names: values.Names, known: _Known) -> Iterator[Sequence[Text]]:
    """Yield a row for each property, those that force a replacement first."""
    last = None
    for entry in entries:
        state = _state(entry)
        owner = known.of(state)
        component: Text = "" if owner is not None and owner is last else _named(owner)
        last = owner
        resource: Text = (Code(state.name), f" ({short_type(state.type)})")
        told, silent = _sorted(entry, names, known)
        rows = [_row(prop, names.followed(entry.urn, prop)) for prop in told[:_PROPERTIES]]
        rest = len(told) - len(rows)
        if rest:
            rows.append((f"… {rest:,} more", "", ""))
        if silent:
            noun = "value that follows others" if silent == 1 else "values that follow others"
            rows.append((f"… {silent} {noun}", "", ""))
        for row in rows or [("", "", "")]:
            yield (component, resource, *row)
            component = resource = ""


def _sorted(entry: Change, names: values.Names, known: _Known) -> tuple[list[PropertyChange], int]:
    """Return the properties that say something, and how many do not."""
    told = []
    silent = 0
    for change in lists.told(entry):
        if values.is_noise(change) or (not change.replaces and names.followed(entry.urn, change)):
            silent += 1
        else:
            told.append(values.hidden(_state(entry).type, change, known.blind))
    return sorted(told, key=lambda prop: not prop.replaces), silent


def _row(prop: PropertyChange, source: str) -> tuple[Text, ...]:
    path: Text = (Code(prop.path), " – forces replacement") if prop.replaces else (Code(prop.path),)
    if prop.option:
        path = (Code(prop.path), " – ", Code(prop.option))
    if source and prop.follows:
        return path, "", ("of ", Code(parse(source).name), ", which is replaced")
    old, new = values.pair(prop.old, prop.new)
    before: Text = "–" if prop.kind == "add" else (Code(old),)
    after: Text = "–" if prop.kind == "delete" else (Code(new),)
    return path, before, after


def _record(entry: Change, names: values.Names, known: _Known) -> dict[str, object]:
    state = _state(entry)
    owner = known.of(state)
    told, silent = _sorted(entry, names, known)
    return {
        "op": entry.op,
        "urn": entry.urn,
        "type": state.type,
        "name": state.name,
        "component": owner.name if owner else None,
        "properties": [
            {
                "path": prop.path,
                "option": prop.option or None,
                "kind": prop.kind,
                "old": values.opened(prop.old),
                "new": values.opened(prop.new),
                "forcesReplacement": prop.replaces,
                "follows": names.followed(entry.urn, prop) or None,
            }
            for prop in told
        ],
        "valuesThatFollow": silent,
    }
