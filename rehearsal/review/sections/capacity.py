"""What the stack needs of its project, before and after: accelerators, quotas, reservations, addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from inference.estimates.addresses import Range, address_ranges
from inference.estimates.capacity import Accelerators, Need, accelerators, needs, open_ends
from inference.estimates.reservations import Reservation, reservations
from inference.rules.views.stack import Stack
from rehearsal.preflight import repairs
from rehearsal.review.change import StackChange
from rehearsal.review.document import Block, Code, Fold, Items, Paragraph, Section, Standing, Table, Text
from rehearsal.texts import plural

__all__ = ["section"]

T = TypeVar("T")

_SHOWN = 100
"""Rows of a table; the JSON form has all of them."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a table, with the amounts of both revisions."""

    key: tuple[str, ...]
    cells: tuple[Text, ...]
    before: tuple[float | None, float | None] | None
    """Minimum and maximum; None where the older revision has no such line."""
    after: tuple[float | None, float | None] | None

    @property
    def changed(self) -> bool:
        return self.before != self.after

    @property
    def grows(self) -> bool:
        """Whether more is needed than before, or nobody knows how much."""
        if self.after is None or not self.changed:
            return False
        old = self.before or (0, 0)
        return any(new is None or was is None or new > was for was, new in zip(old, self.after, strict=True))


def section(change: StackChange) -> Section | None:
    """Return minimum and maximum of everything that a project caps, what changed first."""
    if change.after is None and change.before is None:
        return None
    old = change.before.stack if change.before else Stack(())
    new = change.after.stack if change.after else Stack(())
    kinds = _rows(accelerators(old), accelerators(new), _accelerator)
    quotas = _rows(needs(old), needs(new), _quota)
    named = _rows(reservations(old), reservations(new), _reservation)
    rooms = _rows(address_ranges(old), address_ranges(new), _addresses)
    if not (kinds or quotas or named or rooms):
        return None
    compared = change.before is not None
    rare = {(row.kind, row.mode, row.region) for row in accelerators(new) if row.scarce and row.most != 0}
    growing = [row for row in kinds if row.grows and row.key in rare]
    full = [room for room in address_ranges(new) if room.fits is False]
    standing = Standing.RISKY if growing or full else Standing.SAFE
    blocks: list[Block] = []
    if growing:
        blocks.append(Items([_request(text) for text in _requests(new, growing)]))
    for title, header, rows in (
        ("Accelerators", ("Accelerator", "Bought", "Region"), kinds),
        ("Quotas", ("Quota", "Region", "Unit"), quotas),
        ("Reservations", ("Reservation", "Zone", "Machine"), named),
        ("Addresses", ("Range", "Block", "Holds"), rooms),
    ):
        blocks += _tables(title, header, rows, compared=compared)
    blocks += [Paragraph(sentence) for sentence in open_ends(new)[:_SHOWN]]
    return Section(
        key="capacity",
        title="Capacity",
        headline=_headline(kinds, quotas, compared=compared),
        blocks=tuple(blocks),
        data=_data(old if compared else None, new if change.after else None),
        standing=standing,
        reason=_reason(growing, full, compared=compared),
    )


def _headline(kinds: Sequence[_Row], quotas: Sequence[_Row], *, compared: bool) -> Text:
    present = [row for row in kinds if row.after is not None]
    moved = [row for row in kinds if row.changed]
    if compared and moved:
        return "; ".join(f"{row.key[0]} ({row.key[1]}, {row.key[2]}) {_moved(row)}" for row in moved[:3]) + (
            f" and {len(moved) - 3} more." if len(moved) > 3 else "."
        )
    if compared and (changed := [row for row in quotas if row.changed]):
        return f"No accelerator more or less; {plural(len(changed), 'quota')} with another need."
    total = "; ".join(f"{_span(row.after)} {row.key[0]} ({row.key[1]}, {row.key[2]})" for row in present[:3])
    more = f" and {len(present) - 3} more" if len(present) > 3 else ""
    needed = f"{total}{more}" if total else "no accelerator"
    return f"Unchanged: {needed}." if compared else f"Needs {needed}."


def _reason(growing: Sequence[_Row], full: Sequence[Range], *, compared: bool) -> str:
    if growing:
        row = growing[0]
        amount = _moved(row) if compared else _span(row.after)
        more = f" and {len(growing) - 1} more" if len(growing) > 1 else ""
        verb = "needs more scarce capacity" if compared else "needs scarce capacity"
        return f"it {verb}: {row.key[0]} ({row.key[1]}, {row.key[2]}) {amount}{more}"
    if full:
        room = full[0]
        return f"{room.name} ({room.block}) holds {room.holds:,} {room.unit} and {room.most:,} may be needed"
    return ""


def _requests(stack: Stack, growing: Sequence[_Row]) -> Iterator[tuple[str, str]]:
    """Yield what to ask for, and how."""
    places = {(row.key[1], row.key[2]) for row in growing}
    regions = {region for mode, region in places if mode != "reservation"}
    for need in needs(stack):
        if need.quota.unit in {"GPUs", "chips"} and need.region in {*regions, "global"} and regions and need.at_least:
            what = f"Quota {need.quota} in {need.region}: at least {need.at_least:,.0f}"
            yield what, repairs.quota(need.project, need.region, need.quota, need.at_least)
    if any(mode == "reservation" for mode, _ in places):
        for found in reservations(stack):
            most, zone = found.most, next(iter(found.zones), "ZONE")
            if most is not None:
                owner = f" of {found.project}" if found.shared else ""
                what = f"Reservation {found.name}{owner} in {zone}: at least {plural(most, 'machine')}"
                yield what, repairs.reservation(found.project, zone, found.name, most)


def _request(text: tuple[str, str]) -> Text:
    what, command = text
    return (f"{what}. ", Code(command))


def _rows(old: Iterable[T], new: Iterable[T], line: Callable[[T], _Row]) -> list[_Row]:
    """Return every line once, with the amounts of both revisions."""
    before, after = ({row.key: row for row in map(line, side)} for side in (old, new))
    kept = [replace(row, before=before[key].after if key in before else None) for key, row in after.items()]
    return [*kept, *(replace(row, before=row.after, after=None) for key, row in before.items() if key not in after)]


def _accelerator(each: Accelerators) -> _Row:
    key = each.kind, each.mode, each.region
    return _Row(key, ((Code(each.kind),), each.mode, each.region), None, (each.least, each.most))


def _quota(need: Need) -> _Row:
    key = need.project or "", need.region, str(need.quota), str(need.instead or "")
    name: Text = (Code(str(need.quota)),)
    if need.instead is not None:
        name = (Code(str(need.quota)), " or, without it, ", Code(str(need.instead)))
    return _Row(key, (name, need.region, need.quota.unit), None, (need.least, need.most))


def _reservation(each: Reservation) -> _Row:
    machines, zones = ", ".join(each.machine_types) or "unknown", ", ".join(each.zones) or "unknown"
    blocks = [consumer.block for consumer in each.consumers if consumer.block]
    shared = f" of {each.project}" if each.shared else ""
    made = ", made by this program" if each.declared else ""
    name: Text = (Code(each.name), f"{shared}{made}{''.join(f', {block}' for block in blocks)}")
    key = each.name, each.project or "", zones, machines
    return _Row(key, (name, zones, (Code(machines),)), None, (each.least, each.most))


def _addresses(room: Range) -> _Row:
    full = ", too small" if room.fits is False else ""
    cells: tuple[Text, ...] = ((Code(room.name),), (Code(room.block),), f"{room.holds:,} {room.unit}{full}")
    return _Row((room.name, room.block, room.unit), cells, None, (room.least, room.most))


def _tables(title: str, header: Sequence[str], rows: Sequence[_Row], *, compared: bool) -> Iterator[Block]:
    """Yield the lines that changed as a table, and the others folded."""
    changed = [row for row in rows if row.changed] if compared else list(rows)
    same = [row for row in rows if not row.changed] if compared else []
    folded = title in {"Quotas", "Addresses"} and not compared
    if changed:
        table = _table(header, changed)
        yield Fold(f"{title} ({len(changed)})", (table,)) if folded else table
    if same:
        yield Fold(f"{title}, unchanged ({len(same)})", (_table(header, same),))


def _table(header: Sequence[str], rows: Sequence[_Row]) -> Table:
    lines: list[tuple[Text, ...]] = [(*row.cells, _side(row, 0), _side(row, 1)) for row in rows]
    first = len(header)
    return Table.cut((*header, "Minimum", "Maximum"), lines, {first, first + 1}, most=_SHOWN)


def _side(row: _Row, index: int) -> str:
    new = _amount(row.after[index]) if row.after else "none"
    old = _amount(row.before[index]) if row.before else "none"
    return new if row.before is None or old == new else f"{old} → {new}"


def _amount(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.0f}"


def _span(amounts: tuple[float | None, float | None] | None) -> str:
    if amounts is None:
        return "none"
    least, most = map(_amount, amounts)
    return least if least == most else f"{least}–{most}"


def _moved(row: _Row) -> str:
    return _span(row.after) if row.before is None else f"{_span(row.before)} → {_span(row.after)}"


def _data(old: Stack | None, new: Stack | None) -> dict[str, object]:
    return {"before": _plain(old), "after": _plain(new)}


def _plain(stack: Stack | None) -> dict[str, object] | None:
    if stack is None:
        return None
    return {
        "accelerators": [
            {
                "kind": row.kind, "mode": row.mode, "region": row.region, "scarce": row.scarce,
                "minimum": row.least, "maximum": row.most,
            }
            for row in accelerators(stack)
        ],
        "quotas": [
            {
                "project": need.project, "region": need.region, "quota": str(need.quota), "id": need.quota.id,
                "dimensions": dict(need.quota.dimensions), "unit": need.quota.unit,
                "instead": str(need.instead) if need.instead else None,
                "minimum": need.least, "maximum": need.most, "whileUpgrading": need.peak,
                "takers": sorted({use.what for use in need.uses}),
            }
            for need in needs(stack)
        ],
        "reservations": [
            {
                "name": each.name, "project": each.project, "zones": list(each.zones), "declared": each.declared,
                "machineTypes": list(each.machine_types), "minimum": each.least, "maximum": each.most,
            }
            for each in reservations(stack)
        ],
        "addresses": [
            {
                "range": room.name, "block": room.block, "holds": room.holds, "unit": room.unit,
                "minimum": room.least, "maximum": room.most, "fits": room.fits,
            }
            for room in address_ranges(stack)
        ],
        "notCounted": list(open_ends(stack)),
    }  # fmt: skip
