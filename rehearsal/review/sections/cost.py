"""What the stack costs a month, before and after.

More money alone does not make a change risky: it is what was asked for. Whether it is too much is the question of the
budget, which the policy ``costs-stack-within-budget`` answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from inference.estimates.costs import Estimate, estimate
from inference.estimates.model_costs import ModelCost, model_costs
from inference.estimates.pricing import Agreement, Line, Sum, dollars
from rehearsal import costs
from rehearsal.review.change import Side, StackChange
from rehearsal.review.document import ROWS, Block, Code, Fold, Items, Paragraph, Section, Table, Text

__all__ = ["section"]

_NAMED = 12
"""Entries of a list that are shown."""
_NO_ESTIMATE = Estimate(())

_T = TypeVar("_T")


@dataclass(frozen=True)
class _Bill:
    """What one revision costs."""

    estimate: Estimate
    models: tuple[ModelCost, ...]
    agreed: Agreement

    @cached_property
    def by_model(self) -> dict[str, ModelCost]:
        return {model.name: model for model in self.models}


_NOTHING = _Bill(_NO_ESTIMATE, (), Agreement())


def _bill(side: Side | None, agreed: Agreement) -> _Bill:
    if side is None:
        return _NOTHING
    found = estimate(side.stack, agreed)
    # A machine type may be a secret of the program; sums and tables name it as the plan would.
    lines = tuple(replace(line, what=side.plan.blind(line.what)) for line in found.lines)
    return _Bill(replace(found, lines=lines), model_costs(side.stack, agreed), agreed)


def section(change: StackChange) -> Section | None:
    """Return the costs of both revisions; none where neither has anything that is billed by the hour."""
    before, after = _bills(change)
    if not before.estimate.lines and not after.estimate.lines:
        return None
    one_sided = change.before is None or change.after is None
    bill = after if change.after is not None else before
    blocks: list[Block] = [_overview(before, after, one_sided=one_sided)]
    modes = _by_mode(before, after, one_sided=one_sided)
    if modes is not None:
        blocks.append(modes)
    if before.models or after.models:
        blocks.append(_models(before, after, one_sided=one_sided))
    blocks.extend(_budget(after if one_sided else before, after))
    if unknown := _unknown(bill):
        blocks.append(unknown)
    blocks.append(_fold(bill))
    return Section(
        key="cost",
        title="Cost",
        headline=_headline(change, before, after),
        blocks=tuple(blocks),
        data={
            "before": None if change.before is None else _data(before),
            "after": None if change.after is None else _data(after),
        },
    )


def _bills(change: StackChange) -> tuple[_Bill, _Bill]:
    after = costs.agreement(change.after.plan) if change.after else Agreement()
    before = after
    if change.before and (change.before.plan.config or not change.after):
        before = costs.agreement(change.before.plan)
    # An exported state has no configuration: its prices are those of the revision after.
    return _bill(change.before, before), _bill(change.after, after)


def _headline(change: StackChange, before: _Bill, after: _Bill) -> str:
    idle, most = after.estimate.idle, after.estimate.most
    if change.before is None:
        return f"{idle} a month idle, {most} at maximum."
    if change.after is None:
        return f"Saves {before.estimate.idle} a month idle, {before.estimate.most} at maximum."
    spans = [_both(old, new, str) for old, new in ((before.estimate.idle, idle), (before.estimate.most, most))]
    if before.estimate.idle == idle and before.estimate.most == most:
        return f"Unchanged: {idle} a month idle, {most} at maximum.{_new_budget(before, after)}"
    return f"{spans[0]} a month idle, {spans[1]} at maximum.{_new_budget(before, after)}"


def _new_budget(before: _Bill, after: _Bill) -> str:
    old, new = before.agreed, after.agreed
    sides = (("idle", old.idle_budget, new.idle_budget), ("at maximum", old.maximum_budget, new.maximum_budget))
    told = [
        f"{when} {' → '.join('none' if side is None else dollars(side) for side in (former, budget))}"
        for when, former, budget in sides
        if former != budget
    ]
    return f" The budget changes: {', '.join(told)}." if told else ""


def _both(old: _T | None, new: _T | None, say: Callable[[_T], str], *, alone: bool = False) -> str:
    """Say something of both revisions, once where it stays, and without an arrow where there is one revision only."""
    left, right = (say(side) if side is not None else "–" for side in (old, new))
    if alone:
        return right if new is not None else left
    return left if left == right else f"{left} → {right}"


def _hourly(amount: Sum) -> str:
    return amount.worded(amount.hourly, 2)


_HEADER = ("Idle, an hour", "Idle, a month", "Maximum, an hour", "Maximum, a month")


def _overview(before: _Bill, after: _Bill, *, one_sided: bool) -> Table:
    whole = _amounts(before.estimate, after.estimate, alone=one_sided)
    rows: list[Sequence[Text]] = [("the stack", *whole)]
    for group, cells in _compared(before.estimate.groups, after.estimate.groups, alone=one_sided):
        if one_sided or any("→" in cell for cell in cells):
            rows.append(((Code(group),), *cells))
    return Table.cut(("What", *_HEADER), rows, {1, 2, 3, 4}, most=ROWS + 1)


def _by_mode(before: _Bill, after: _Bill, *, one_sided: bool) -> Table | None:
    rows = [(mode, *cells) for mode, cells in _compared(before.estimate.modes, after.estimate.modes, alone=one_sided)]
    return Table(("Nodes bought", *_HEADER), rows, frozenset({1, 2, 3, 4})) if rows else None


def _compared(
    before: Mapping[str, Estimate], after: Mapping[str, Estimate], *, alone: bool
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name in dict.fromkeys((*before, *after)):
        yield name, _amounts(before.get(name), after.get(name), alone=alone)


def _amounts(before: Estimate | None, after: Estimate | None, *, alone: bool) -> tuple[str, ...]:
    """Say the four amounts of a row: idle and at maximum, by the hour and by the month."""
    return (
        _both(before, after, lambda side: _hourly(side.idle), alone=alone),
        _both(before, after, lambda side: str(side.idle), alone=alone),
        _both(before, after, lambda side: _hourly(side.most), alone=alone),
        _both(before, after, lambda side: str(side.most), alone=alone),
    )


def _models(before: _Bill, after: _Bill, *, one_sided: bool) -> Table:
    header = ("Model", "Replicas", "Nodes", "An hour", "A month", "Fewest – most replicas, a month", "Million tokens")
    names = tuple(dict.fromkeys((*before.by_model, *after.by_model)))
    rows: list[Sequence[Text]] = []
    for name in names:
        old, new = before.by_model.get(name), after.by_model.get(name)
        told = (_replicas, _nodes, _an_hour, _month, _fewest_to_most, _tokens)
        cells = [_both(old, new, say, alone=one_sided) for say in told]
        rows.append(((Code(name),), *cells))
    return Table.cut(header, rows, {1, 3, 4, 5, 6})


def _replicas(model: ModelCost) -> str:
    return " + ".join("unknown" if one.replicas is None else f"{one.replicas:,}" for one in model.workloads)


def _nodes(model: ModelCost) -> str:
    told = dict.fromkeys(f"{share.pool} ({share.mode})" for share in model.shares)
    shown = list(told)[:4]
    return ", ".join(shown) + (" …" if len(told) > len(shown) else "") if told else "unknown"


def _an_hour(model: ModelCost) -> str:
    return _hourly(model.declared)


def _fewest_to_most(model: ModelCost) -> str:
    return _range(model.idle, model.most)


def _month(model: ModelCost) -> str:
    """Say a month at the declared replicas: a range where several pools may run it."""
    return _range(model.cheapest, model.declared)


def _range(low: Sum, high: Sum) -> str:
    return str(low) if str(low) == str(high) else f"{low} – {high}"


def _tokens(model: ModelCost) -> str:
    cost = model.per_million_tokens
    if cost is not None:
        return dollars(cost, 3)
    return "not measured" if model.tokens_per_second is None else "unknown"


def _budget(before: _Bill, after: _Bill) -> Iterator[Block]:
    sides = (
        ("idle", before.agreed.idle_budget, after.agreed.idle_budget, after.estimate.idle),
        ("at maximum", before.agreed.maximum_budget, after.agreed.maximum_budget, after.estimate.most),
    )
    for when, former, budget, amount in sides:
        if not after.estimate.lines:
            continue
        if budget is None:
            if former is not None:
                yield Paragraph(f"Budget {when}: none any more; it was {dollars(former)} a month.")
            continue
        change = "" if budget == former else f", {'a new one' if former is None else f'instead of {dollars(former)}'}"
        left = budget - amount.monthly
        judged = f"{dollars(left)} to spare" if left >= 0 else f"{dollars(-left)} over it"
        reserve = "" if amount.complete else ", what is unknown left aside"
        yield Paragraph(f"Budget {when}: {dollars(budget)} a month{change}; {judged}{reserve}.")


def _unknown(bill: _Bill) -> Items | None:
    named = tuple(dict.fromkeys((*bill.estimate.idle.unknown, *bill.estimate.most.unknown)))
    if not named:
        return None
    entries: list[Text] = [f"Unknown, and in no sum: {what}." for what in named[:_NAMED]]
    if len(named) > _NAMED:
        entries.append(f"Unknown, and in no sum: {len(named) - _NAMED:,} more.")
    return Items(entries)


def _fold(bill: _Bill) -> Fold:
    lines = bill.estimate.lines
    header = ("Of", "What", "Price (USD)", "Unit", "Idle", "Maximum", "Idle, an hour", "Maximum, an hour", "Price row")
    blocks: list[Block] = [
        Paragraph(
            "Each amount is a price times a count; a month has 730 hours. List prices are before tax and discounts."
        ),
        Table.cut(header, [_detail(line) for line in lines], {2, 4, 5, 6, 7}),
    ]
    if sources := _sources(lines):
        blocks.append(Items(sources))
    if remarks := tuple(dict.fromkeys(f"{line.what}: {note}." for line in lines for note in line.notes)):
        blocks.append(Items(remarks[:_NAMED]))
    if bill.estimate.uncounted:
        blocks.append(Paragraph(f"Not counted: {'; '.join(bill.estimate.uncounted)}."))
    return Fold("Every amount as price × count, with its source", tuple(blocks))


def _detail(line: Line) -> Sequence[Text]:
    rate = line.rate
    return (
        (Code(line.group),),
        f"{line.what} ({line.mode})" if line.mode else line.what,
        "unknown" if rate is None else f"{rate.usd:.10g}",
        "" if rate is None else rate.unit,
        _count(line.idle),
        _count(line.most),
        _amount(line.idle_hourly),
        _amount(line.most_hourly),
        f"none known{f' in {line.region}' if line.region else ''}" if rate is None else (Code(rate.key),),
    )


def _count(count: float | None) -> str:
    return "unknown" if count is None else f"{count:,.6g}" if count < 1e6 else f"{count:,.0f}"


def _amount(hourly: float | None) -> str:
    return "unknown" if hourly is None else dollars(hourly, 4) if hourly else "$0"


def _sources(lines: Sequence[Line]) -> list[Text]:
    found: dict[str, Text] = {}
    for line in lines:
        rate = line.rate
        if rate is None or rate.key in found:
            continue
        dated = f" ({rate.date})" if rate.date else ""
        doubts = f" Doubt: {'; '.join(rate.doubts)}." if rate.doubts else ""
        found[rate.key] = (Code(rate.key), f": {rate.basis}, {rate.origin}{dated}.{doubts}")
    return list(found.values())[:ROWS]


def _data(bill: _Bill) -> dict[str, object]:
    return {
        "idle": _sum(bill.estimate.idle),
        "maximum": _sum(bill.estimate.most),
        "budget": {"idle": bill.agreed.idle_budget, "maximum": bill.agreed.maximum_budget},
        "models": [_model(model) for model in bill.models],
        "lines": [_line(line) for line in bill.estimate.lines],
        "notCounted": list(bill.estimate.uncounted),
    }


def _sum(amount: Sum) -> dict[str, object]:
    return {"hourly": amount.hourly, "monthly": amount.monthly, "unknown": list(amount.unknown)}


def _model(model: ModelCost) -> dict[str, object]:
    return {
        "model": model.name,
        "workloads": [{"name": one.name, "replicas": one.replicas} for one in model.workloads],
        "pools": [{"pool": one.pool, "mode": one.mode, "nodes": one.nodes} for one in model.shares],
        "declared": _sum(model.declared),
        "cheapest": _sum(model.cheapest),
        "idle": _sum(model.idle),
        "maximum": _sum(model.most),
        "perMillionTokens": model.per_million_tokens,
    }


def _line(line: Line) -> dict[str, object]:
    rate = line.rate
    price = None
    if rate is not None:
        price = {
            "row": rate.key,
            "usd": rate.usd,
            "unit": rate.unit,
            "basis": rate.basis,
            "source": rate.origin,
            "date": rate.date,
            "doubts": list(rate.doubts),
        }
    return {
        "group": line.group,
        "urn": line.resource.urn,
        "what": line.what,
        "mode": line.mode,
        "region": line.region,
        "price": price,
        "idle": {"count": line.idle, "hourly": line.idle_hourly},
        "maximum": {"count": line.most, "hourly": line.most_hourly},
    }
