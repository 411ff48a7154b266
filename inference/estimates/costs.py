"""What a stack costs, by the hour and the month: at its fewest nodes and at its most.

Every figure is a line, and every line a price row times a count; what is unknown of either is named and never guessed.
List prices, unless the owner agreed on others. Traffic and what else is billed by use are not counted, and are said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from inference.estimates.node_costs import node_lines, reserved_nodes
from inference.estimates.platform_costs import platform_lines, uncounted
from inference.estimates.pricing import LIST_PRICES, Agreement, Line, Sum, total
from inference.rules.views.fleet import Fleet
from inference.rules.views.nodes import counts, region_of_nodes
from inference.rules.views.stack import Stack

__all__ = ["Estimate", "estimate"]


@dataclass(frozen=True)
class Estimate:
    """The cost lines of a stack."""

    lines: tuple[Line, ...]
    uncounted: tuple[str, ...] = ()
    """What is billed besides and not counted."""

    @cached_property
    def idle(self) -> Sum:
        """With the fewest nodes that the autoscalers keep."""
        return total((line, line.idle_hourly) for line in self.lines)

    @cached_property
    def most(self) -> Sum:
        """With the most nodes that the autoscalers may run."""
        return total((line, line.most_hourly) for line in self.lines)

    @cached_property
    def groups(self) -> Mapping[str, Estimate]:
        """The lines by what they belong to, in their order."""
        return _by(self.lines, lambda line: line.group)

    @cached_property
    def modes(self) -> Mapping[str, Estimate]:
        """The lines of nodes by the way the nodes are bought; ``unknown`` where that is not known."""
        return _by((line for line in self.lines if line.kind == "nodes"), lambda line: line.mode or "unknown")

    @property
    def span(self) -> str:
        """The month in a few words: ``$98 idle, at least $1,280 at most``."""
        if not self.lines:
            return "nothing that is billed by the hour"
        idle, most = str(self.idle), str(self.most)
        return f"{idle} a month" if idle == most else f"{idle} idle – {most} at maximum, a month"


def _by(lines: Iterable[Line], key: Callable[[Line], str]) -> Mapping[str, Estimate]:
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(key(line), []).append(line)
    return {name: Estimate(tuple(members)) for name, members in found.items()}


def estimate(stack: Stack, agreed: Agreement = LIST_PRICES) -> Estimate:
    """Estimate the costs of a program's resources."""
    lines: list[Line] = []
    idle: Counter[str] = Counter()
    most: Counter[str] = Counter()
    for site in stack.view(Fleet).sites:
        lines.extend(node_lines(site, agreed, reserved_nodes(stack, site)))
        fewest, highest = counts(site)
        for vms, count in ((idle, fewest), (most, highest)):
            if count is None:
                vms[""] += 1
            elif count:
                vms[region_of_nodes(site) or ""] += count
    lines.extend(platform_lines(stack, agreed, idle, most))
    return Estimate(tuple(lines), tuple(uncounted(stack)) if lines else ())
