"""A plan for a person at a terminal: the tree of resources, the verdict, and what the stack is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from rehearsal.diffs import Change, Diff, PropertyChange
from rehearsal.plan import Plan, ResourceState
from rehearsal.summary import summarize
from rehearsal.texts import cut, plain, plural
from rehearsal.urns import STACK, parse, short_type
from rehearsal.values import masked
from rehearsal.verdict import Finding, Verdict

__all__ = ["print_diagnostics", "print_summary", "print_tree", "print_verdict"]

_SIGNS = {"create": "+", "update": "~", "replace": "+-", "delete": "-", "same": " ", "read": ">"}
_STYLES = {"create": "green", "update": "yellow", "replace": "magenta", "delete": "red", "read": "cyan"}
_LEVELS = {"mandatory": "bold red", "advisory": "yellow"}
_SEVERITY_ORDER = ("critical", "high", "medium", "low", "")
_WIDEST_NAME = 60
_VALUE = 60
"""Characters of a changed value that are shown."""


@dataclass(frozen=True, slots=True)
class _Row:
    prefix: str
    token: str
    name: str
    op: str
    change: Change | None


def print_tree(console: Console, plan: Plan, diff: Diff | None = None) -> None:
    """Print the resources as ``pulumi preview`` does; with a diff, only what changes and what holds it."""
    rows = list(_rows(plan, diff))
    if not rows:
        console.print(Text("Nothing changes."))
        return
    width = console.width
    names = min(max(len(plain(row.name)) for row in rows), _WIDEST_NAME)
    types = max(24, min(max(len(row.prefix + row.token) for row in rows), width - names - 18))
    console.print(Text(cut(f"     {'Type':{types}}  {'Name':{names}}  Plan", width), style="bold"))
    for row in rows:
        style = _STYLES.get(row.op, "")
        kind = cut(row.prefix + row.token, types)
        line = f" {_SIGNS.get(row.op, '?'):2}  {kind:{types}}  {cut(row.name, names):{names}}  "
        operation = "" if row.op == "same" else row.op
        console.print(Text(line) + Text(operation, style=style), no_wrap=True, overflow="crop", crop=True)
        if row.change:
            _print_properties(console, row.change)


def _print_properties(console: Console, change: Change) -> None:
    for prop in change.properties:
        line = Text(
            f"       {cut(_told(prop), max(console.width - 8, 20))}", style="magenta" if prop.replaces else "dim"
        )
        console.print(line, no_wrap=True, overflow="crop", crop=True)


def _told(prop: PropertyChange) -> str:
    if prop.follows:
        forced = " (forces replacement)" if prop.replaces else ""
        return f"{prop.path}: of {cut(parse(prop.follows).name, _VALUE)}, which is replaced{forced}"
    match prop.kind:
        case "add":
            told = f"{prop.path}: {_value(prop.new)} added"
        case "delete":
            told = f"{prop.path}: {_value(prop.old)} removed"
        case _:
            told = f"{prop.path}: {_value(prop.old)} → {_value(prop.new)}"
    return f"{told} (forces replacement)" if prop.replaces else told


def _value(value: object) -> str:
    return cut(str(masked(value)), _VALUE)


def _rows(plan: Plan, diff: Diff | None) -> Iterator[_Row]:
    changes = {change.urn: change for change in diff.changes} if diff else {}
    states = {step.urn: step.state for step in plan.shown}
    for urn, change in changes.items():
        if change.op == "delete" and change.old:
            states[urn] = change.old
    operations = {step.urn: step.op for step in plan.shown} | {urn: change.op for urn, change in changes.items()}
    children: dict[str, list[ResourceState]] = defaultdict(list)
    for state in states.values():
        children[state.parent if state.parent in states else ""].append(state)
    wanted = _wanted(states, operations) if diff else set(states)
    for root in children[""]:
        yield from _descend(root, "", "", children, wanted, operations, changes)


def _wanted(states: Mapping[str, ResourceState], operations: Mapping[str, str]) -> set[str]:
    """Return what changes, and the parents up to the stack."""
    wanted: set[str] = set()
    for urn in states:
        if operations[urn] != "same":
            place = urn
            while place in states and place not in wanted:
                wanted.add(place)
                place = states[place].parent
    return wanted


def _descend(
    state: ResourceState,
    lead: str,
    branch: str,
    children: Mapping[str, list[ResourceState]],
    wanted: set[str],
    operations: Mapping[str, str],
    changes: Mapping[str, Change],
) -> Iterator[_Row]:
    """Yield the row of a resource and of all below it; without recursion, as nesting may be as deep as it likes."""
    waiting = [(state, lead, branch)]
    while waiting:
        here, lead, branch = waiting.pop()
        if here.urn not in wanted:
            continue
        parts = parse(here.urn)
        yield _Row(lead + branch, short_type(parts.type), parts.name, operations[here.urn], changes.get(here.urn))
        below = lead + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
        offspring = [child for child in children.get(here.urn, ()) if child.urn in wanted]
        rows = [
            (child, below, "└─ " if place == len(offspring) - 1 else "├─ ") for place, child in enumerate(offspring)
        ]
        waiting.extend(reversed(rows))


def print_verdict(console: Console, verdict: Verdict) -> None:
    """Print what the policy packs found, resource by resource, the worst first."""
    if not verdict.packs:
        console.print(Text("\nVerdict  ", style="bold") + Text("not judged: no policies here, none named"))
        return
    packs = ", ".join(plain(pack) for pack in verdict.packs)
    asked = f"{plural(verdict.policies, 'policy')} of {packs}" if verdict.policies else packs
    if not verdict.findings:
        console.print(Text("\nVerdict  ", style="bold") + Text("no violation", style="green") + Text(f" ({asked})"))
        return
    mandatory = sum(finding.level == "mandatory" for finding in verdict.findings)
    counts = f"{mandatory} mandatory, {len(verdict.findings) - mandatory} advisory"
    console.print(Text("\nVerdict  ", style="bold") + Text(f"{counts} ({asked})"))
    by_resource: dict[str, list[Finding]] = defaultdict(list)
    for finding in verdict.findings:
        by_resource[finding.urn].append(finding)
    for urn, findings in sorted(by_resource.items(), key=lambda entry: min(map(_rank, entry[1]))):
        console.print(Text(f"\n  {_resource(urn)}"), soft_wrap=True)
        for finding in sorted(findings, key=_rank):
            _print_finding(console, finding)


def _rank(finding: Finding) -> tuple[bool, int, str]:
    return finding.level != "mandatory", _SEVERITY_ORDER.index(finding.severity), finding.policy


def _resource(urn: str) -> str:
    if not urn:
        return "the stack"
    try:
        parts = parse(urn)
    except ValueError:
        return plain(urn)
    return "the stack" if parts.type == STACK else f"{short_type(parts.type)}  {plain(parts.name)}"


def _print_finding(console: Console, finding: Finding) -> None:
    severity = f" {finding.severity}" if finding.severity else ""
    head = Text(f"    {finding.level}{severity}", style=_LEVELS.get(finding.level, ""))
    console.print(head + Text(f"  {plain(finding.policy)}"), soft_wrap=True)
    for line in plain(finding.message).splitlines():
        console.print(_indented(line))
    if finding.remedy and finding.remedy not in finding.message:
        console.print(_indented(f"do: {plain(finding.remedy)}"))


def _indented(line: str) -> Padding:
    return Padding(Text(line), (0, 0, 0, 6), expand=False)


def print_diagnostics(console: Console, plan: Plan) -> None:
    """Print what the program said."""
    said = [(entry, plain(plan.blind(entry.message)).strip()) for entry in plan.diagnostics]
    if any(text for _, text in said):
        console.print(Text("\nDiagnostics", style="bold"))
    for entry, text in said:
        if text:
            about = f"  {_resource(entry.urn)}: " if entry.urn else "  "
            console.print(Text(f"{about}{entry.severity}: {text}"), soft_wrap=True)


def print_summary(console: Console, plan: Plan, diff: Diff | None = None) -> None:
    """Print counts and what the stack is."""
    counts = diff.summary if diff else plan.changes
    console.print(Text("\nSummary", style="bold"))
    told = ", ".join(f"{count:,} {_TENSES.get(op, op)}" for op, count in counts.items()) or "no resources"
    console.print(Text(f"  Resources  {told}; {plan.duration / 1e9:.1f} s"))
    for label, line in summarize(plan):
        console.print(Text(f"  {label:9}  {cut(line, max(console.width - 14, 20))}"), no_wrap=True, overflow="crop")
    from rehearsal import costs  # only here: it reads the views, which nothing else at a terminal needs

    if (spent := costs.of_plan(plan)).lines:
        line = cut(spent.span, max(console.width - 14, 20))
        console.print(Text(f"  {'Cost':9}  {line}"), no_wrap=True, overflow="crop")


_TENSES = {
    "create": "to create",
    "update": "to update",
    "replace": "to replace",
    "delete": "to delete",
    "same": "unchanged",
    "read": "to read",
}
