"""Whether each model fits its accelerators, and how much room it has, before and after."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from inference.estimates.fits import Outcome, ServerFit, fits
from rehearsal.review.change import Side, StackChange
from rehearsal.review.document import ROWS, Block, Code, Fold, Items, Section, Standing, Table, Text
from rehearsal.review.sections._pairs import Pair, span

__all__ = ["section"]

_HEADER = (
    "Model", "On", "Weights", "Activations", "Runtime", "KV cache", "One sequence", "Headroom", "Longest context",
    "Sequences at once",
)  # fmt: skip
_ASSUMPTIONS: tuple[Text, ...] = tuple(
    """\
All figures are GiB of one accelerator, the fullest of a replica; sequences at once are those of one replica, all of \
them as long as the configured context.
KV cache is what is left of the engine's share after weights, activations and runtime; headroom is what it has beyond \
one sequence of the configured context.
Weights are the sizes of the published files, or counted from config.json; latent caches, routers, and KV heads beyond \
their number are counted on every tensor-parallel rank.
Activations and runtime were measured with vLLM 0.19 on an H100, by architecture, and are assumed elsewhere; sums that \
are over by less than 1.5 GiB (a fifth of a TPU's memory) are called close.
Window layers keep their window only, except where the server or the architecture keeps the whole context.
""".splitlines()
)

_WORDS = {
    Outcome.FITS: "fits",
    Outcome.CLOSE: "close",
    Outcome.TOO_LARGE: "does not fit",
    Outcome.UNKNOWN: "unknown",
}


class _Pair(Pair[ServerFit]):
    """One server on one kind of accelerator, on both sides."""

    @property
    def tighter(self) -> bool:
        """Whether it has less room for sequences than it had."""
        old, new = (side.concurrent if side else None for side in (self.before, self.after))
        return old is not None and new is not None and new < old * 0.99


def section(change: StackChange) -> Section | None:
    """Return the memory of every model server; none where neither revision has one."""
    pairs = _pairs(change.before, change.after)
    if not pairs:
        return None
    worst, reason = _standing(pairs, removed=change.after is None)
    blocks: list[Block] = [_table(pairs)]
    if unknown := _unknown(pairs):
        blocks.append(Items(unknown))
    blocks.append(Fold("How these figures are made", (Items(_ASSUMPTIONS),)))
    return Section(
        key="fit",
        title="Fit",
        headline=_headline(pairs, removed=change.after is None),
        blocks=tuple(blocks),
        data={"servers": [_data(pair) for pair in pairs]},
        standing=worst,
        reason=reason,
    )


def _pairs(before: Side | None, after: Side | None) -> tuple[_Pair, ...]:
    """Match servers by where they stand; on other accelerators than before, one by one in order."""
    old, new = _grouped(before), _grouped(after)
    found: list[_Pair] = []
    for key in dict.fromkeys((*new, *old)):
        left, right = old.get(key, ()), new.get(key, ())
        by_name = {_accelerator(side): side for side in left}
        rest = [side for side in left if _accelerator(side) not in {_accelerator(r) for r in right}]
        for side in right:
            match = by_name.get(_accelerator(side)) or (rest.pop(0) if rest else None)
            found.append(_Pair(match, side))
        if not right:
            found += [_Pair(side, None) for side in rest]
    return tuple(found)


def _grouped(side: Side | None) -> dict[str, tuple[ServerFit, ...]]:
    groups: dict[str, tuple[ServerFit, ...]] = {}
    for found in fits(side.stack) if side is not None else ():
        groups[found.key] = (*groups.get(found.key, ()), found)
    return groups


def _accelerator(side: ServerFit) -> str:
    return side.accelerator.name if side.accelerator is not None else "unknown"


def _standing(pairs: Sequence[_Pair], *, removed: bool) -> tuple[Standing, str]:
    """Return what the section means: a server fails where it fits none of the accelerators that it may get."""
    servers: dict[str, list[_Pair]] = {}
    for pair in pairs if not removed else ():
        if pair.after is not None:
            servers.setdefault(pair.after.key, []).append(pair)
    worst, reason = Standing.SAFE, ""
    for group in servers.values():
        outcomes = {pair.any.outcome for pair in group}
        standing = Standing.SAFE
        if outcomes == {Outcome.TOO_LARGE}:
            standing, why = Standing.BROKEN, f"{group[0].any.model} does not fit its accelerators"
        elif Outcome.TOO_LARGE in outcomes:
            standing, why = Standing.RISKY, f"{group[0].any.model} does not fit all accelerators that it may get"
        elif Outcome.CLOSE in outcomes:
            standing, why = Standing.RISKY, f"{group[0].any.model} may not fit: the sum is close"
        elif any(_crowded(pair) for pair in group):
            standing, why = Standing.RISKY, f"{group[0].any.model} holds fewer sequences at once than before"
        if standing > worst:
            worst, reason = standing, why
    return worst, reason


def _crowded(pair: _Pair) -> bool:
    """Whether it got much tighter: half of the sequences, or fewer than two."""
    if not pair.tighter or pair.before is None or pair.after is None:
        return False
    old, new = pair.before.concurrent or 0.0, pair.after.concurrent or 0.0
    return new < old / 2 or new < 2 <= old


def _headline(pairs: Sequence[_Pair], *, removed: bool) -> str:
    if removed:
        return "The models go."
    now = [pair.after for pair in pairs if pair.after is not None]
    if not now:
        return "No model is left."
    counts = {outcome: len({side.key for side in now if side.outcome is outcome}) for outcome in Outcome}
    parts = [f"{counts[outcome]} {_WORDS[outcome]}" for outcome in reversed(Outcome) if counts[outcome]]
    tighter = len({pair.any.key for pair in pairs if pair.tighter})
    if counts[Outcome.FITS] == len({side.key for side in now}):
        text = "All model servers fit" if len(now) > 1 else "The model fits"
    else:
        text = "Of the model servers, " + ", ".join(parts)
    return f"{text}; {tighter} got tighter." if tighter else f"{text}."


def _table(pairs: Sequence[_Pair]) -> Table:
    workloads: dict[str, set[str]] = {}
    for pair in pairs:
        workloads.setdefault(pair.any.model, set()).add(pair.any.workload)
    shared = {model for model, names in workloads.items() if len(names) > 1}
    rows = [_row(pair, named=pair.any.model in shared) for pair in pairs]
    return Table.cut(_HEADER, rows, range(2, len(_HEADER)))


def _row(pair: _Pair, *, named: bool) -> list[Text]:
    sides = (pair.before, pair.after)
    name: list[str] = [Code(pair.any.model)]
    if pair.before is not None and pair.after is not None and pair.before.model != pair.after.model:
        name = [Code(pair.before.model), " → ", Code(pair.after.model)]
    if named:
        name += [" in ", Code(pair.any.workload)]
    if pair.before is None:
        name.append(" (new)")
    if pair.after is None:
        name.append(" (goes)")
    elif pair.after.outcome not in (Outcome.FITS, Outcome.UNKNOWN):
        name.append(f": {_WORDS[pair.after.outcome]}")
    elif pair.tighter:
        name.append(": tighter")
    where = span([_where(side) for side in sides])
    figures = [_figures(side) for side in sides]
    return [name, where, *(span([figure[i] if figure else None for figure in figures]) for i in range(8))]


def _where(side: ServerFit | None) -> str | None:
    if side is None:
        return None
    count = side.fit.split.devices if side.fit is not None else None
    return f"{count} × {_accelerator(side)}" if count is not None else _accelerator(side)


def _figures(side: ServerFit | None) -> tuple[str, ...] | None:
    if side is None:
        return None
    found = side.fit
    if found is None:
        return ("unknown",) * 8
    return (
        f"{'≈ ' if side.known is not None and side.known.weights_approximate else ''}{found.weights:.1f}",
        f"{found.activation:.1f}",
        f"{found.runtime:.1f}",
        f"{found.cache:.1f}",
        _gib(found.sequence),
        _gib(found.headroom),
        "unknown" if side.longest is None else f"{side.longest:,}",
        "unknown" if side.concurrent is None else f"{math.floor(side.concurrent):,}",
    )


def _gib(size: float | None) -> str:
    if size is None:
        return "unknown"
    return f"{size:.1f}" if abs(size) >= 1 else f"{size:.2f}"


def _unknown(pairs: Iterable[_Pair]) -> list[Text]:
    found: dict[str, Text] = {}
    for pair in pairs:
        side = pair.after
        if side is not None and side.reason:
            text = (Code(side.model), f" on {_accelerator(side)}: {side.reason}.")
            found.setdefault("".join(text), text)
    shown = list(found.values())[:ROWS]
    return [*shown, f"… and {len(found) - ROWS:,} more"] if len(found) > ROWS else shown


def _data(pair: _Pair) -> dict[str, object]:
    return {
        "server": pair.any.key,
        "workload": pair.any.workload,
        "before": _side(pair.before),
        "after": _side(pair.after),
        "tighter": pair.tighter,
    }


def _side(side: ServerFit | None) -> dict[str, object] | None:
    if side is None:
        return None
    found = side.fit
    made: dict[str, object] = {
        "model": side.model,
        "named": side.server.model,
        "accelerator": side.accelerator.name if side.accelerator else None,
        "outcome": _WORDS[side.outcome],
        "unknown": side.reason or None,
    }
    if found is not None:
        made |= {
            "split": {
                "tensor": found.split.tensor, "pipeline": found.split.pipeline, "data": found.split.data
            },
            "deviceGib": found.device.memory_gib,
            "utilization": found.utilization,
            "context": found.context,
            "weightsGib": round(found.weights, 3),
            "activationGib": found.activation,
            "runtimeGib": found.runtime,
            "cacheGib": round(found.cache, 3),
            "sequenceGib": None if found.sequence is None else round(found.sequence, 4),
            "headroomGib": None if found.headroom is None else round(found.headroom, 3),
            "longestContext": side.longest,
            "sequences": None if side.concurrent is None else round(side.concurrent, 2),
        }  # fmt: skip
    return made
