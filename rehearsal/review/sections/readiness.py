"""How long each model takes to be ready on a new node, before and after, and whether its probe waits as long."""

from __future__ import annotations

from collections.abc import Sequence

from inference.estimates.readiness import PHASES, Readiness, readiness
from inference.facts.loading import STORES
from rehearsal.review.change import Side, StackChange
from rehearsal.review.document import ROWS, Block, Code, Fold, Items, Section, Standing, Table, Text
from rehearsal.review.sections._pairs import Pair, span

__all__ = ["section"]

_HEADER = ("Model", "New node", "Image", "Weights", "Engine", "In all", "Probe waits")
_SLOWER = 1.25
"""From how many times the former estimate on a model is called slower."""


class _Pair(Pair[Readiness]):
    """One server on both sides."""

    @property
    def slower(self) -> bool:
        """Whether it takes clearly longer than it did, as far as both are known."""
        if self.before is None or self.after is None:
            return False
        both = [
            (old.seconds, new.seconds)
            for old, new in zip(self.before.phases, self.after.phases, strict=True)
            if old.seconds is not None and new.seconds is not None
        ]
        return sum(new for _, new in both) > _SLOWER * sum(old for old, _ in both)


def section(change: StackChange) -> Section | None:
    """Return the time to ready of every model server; none where neither revision has one."""
    pairs = _pairs(change.before, change.after)
    if not pairs:
        return None
    impatient = [pair.after for pair in pairs if pair.after is not None and pair.after.impatient]
    blocks: list[Block] = [_table(pairs)]
    if impatient:
        blocks.append(Items([_complaint(side) for side in impatient[:ROWS]]))
    blocks.append(Fold("What these estimates assume", (Items(_assumptions(pairs)),)))
    return Section(
        key="readiness",
        title="Time to ready",
        headline=_headline(pairs),
        blocks=tuple(blocks),
        data={"servers": [_data(pair) for pair in pairs]},
        standing=Standing.RISKY if impatient else Standing.SAFE,
        reason=f"the startup probe of {_name(impatient[0])} is likely to give up too early" if impatient else "",
    )


def _pairs(before: Side | None, after: Side | None) -> tuple[_Pair, ...]:
    old, new = (
        {found.key: found for found in readiness(side.stack)} if side is not None else {} for side in (before, after)
    )
    return tuple(_Pair(old.get(key), new.get(key)) for key in dict.fromkeys((*new, *old)))


def _name(side: Readiness) -> str:
    thing = side.server.pod.object
    return thing.name or thing.resource.name


def _model(side: Readiness) -> str:
    return side.known.id if side.known is not None else side.server.model or "unknown"


def _headline(pairs: Sequence[_Pair]) -> str:
    now = [pair.after for pair in pairs if pair.after is not None]
    if not now:
        return "No model is left."
    slowest = max(now, key=lambda side: (side.seconds, not side.complete))
    text = f"About {_total(slowest)} on a new node"
    if len(now) > 1:
        text = f"The slowest model takes {_total(slowest).replace('at least', 'at least about')} on a new node"
    slower = sum(pair.slower for pair in pairs)
    return f"{text}; {slower} got slower." if slower else f"{text}."


def _table(pairs: Sequence[_Pair]) -> Table:
    return Table.cut(_HEADER, [_row(pair) for pair in pairs], range(1, len(_HEADER)))


def _row(pair: _Pair) -> list[Text]:
    side = pair.any
    name: list[str] = [Code(_model(side)), " in ", Code(_name(side))]
    if pair.before is None:
        name.append(" (new)")
    if pair.after is None:
        name.append(" (goes)")
    elif pair.after.impatient:
        name.append(": probe too short")
    elif pair.slower:
        name.append(": slower")
    sides = (pair.before, pair.after)
    cells: list[Text] = [name]
    cells += [span([None if s is None else _duration(s.phase(phase).seconds) for s in sides]) for phase in PHASES]
    cells.append(span([None if s is None else _total(s) for s in sides]))
    cells.append(span([None if s is None else _allowed(s) for s in sides]))
    return cells


def _duration(seconds: int | None) -> str:
    if seconds is None:
        return "unknown"
    if seconds < 100:
        return f"{seconds} s"
    return f"{round(seconds / 60)} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _total(side: Readiness) -> str:
    return _duration(side.seconds) if side.complete else f"at least {_duration(side.seconds)}"


def _allowed(side: Readiness) -> str:
    return "–" if side.allowed is None else _duration(side.allowed)


def _complaint(side: Readiness) -> Text:
    load, allowed = _duration(side.load_seconds), _duration(side.allowed)
    text = f": reading and compiling take about {load}, and the startup probe gives up after {allowed}. "
    return (Code(_name(side)), text + "Raise its failureThreshold.")


def _assumptions(pairs: Sequence[_Pair]) -> list[Text]:
    found: dict[str, Text] = {}
    for pair in pairs:
        for phase in pair.after.phases if pair.after is not None else ():
            text = f"{phase.name.capitalize()}: {phase.why}."
            if phase.source:
                text += f" Source: {phase.source}."
            found.setdefault(text, text)
    known = ", ".join(f"{store.name} {store.bytes_per_second / 1e6:,.0f} MB/s" for store in STORES.values())
    fixed = f"Weights are read at these typical speeds by each node: {known}."
    shown = list(found.values())[:ROWS]
    probe = "The startup probe begins when the image is there: it waits for weights and engine."
    stands = "On a node that stands already and has the image, only weights and engine count."
    return [*shown, fixed, stands, probe]


def _data(pair: _Pair) -> dict[str, object]:
    sides = {"before": pair.before, "after": pair.after}
    data: dict[str, object] = {"server": pair.any.key, "workload": _name(pair.any), "slower": pair.slower}
    return data | {name: None if side is None else _side(side) for name, side in sides.items()}


def _side(side: Readiness) -> dict[str, object]:
    return {
        "model": side.server.model,
        "store": side.store,
        "phases": [
            {"name": p.name, "seconds": p.seconds, "assumes": p.why, "source": p.source or None} for p in side.phases
        ],
        "seconds": side.seconds,
        "complete": side.complete,
        "probeAllowsSeconds": side.allowed,
        "probeTooShort": side.impatient,
    }
