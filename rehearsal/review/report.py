"""The report: a verdict over the answers of all sections, stack by stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rehearsal import costs
from rehearsal.review.change import StackChange
from rehearsal.review.document import Paragraph, Section, Standing, Text
from rehearsal.review.sections import capacity, cost, diff, fit, picture, policies, readiness, risk

__all__ = ["SECTIONS", "Report", "Revised", "StackReport", "gather"]

SectionOf = Callable[[StackChange], Section | None]

SECTIONS: tuple[tuple[str, SectionOf], ...] = (
    ("diff", diff.section),
    ("risk", risk.section),
    ("policies", policies.section),
    ("fit", fit.section),
    ("readiness", readiness.section),
    ("cost", cost.section),
    ("capacity", capacity.section),
    ("picture", picture.section),
)
"""Name and answer of each question, in the order of the report."""

_COMPARING = frozenset({"diff", "risk"})
"""Sections that say nothing true where the older revision is not known."""

_WORDS = {Standing.SAFE: "safe", Standing.RISKY: "risky", Standing.BROKEN: "broken"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Revised:
    """One stack with both revisions, or what stood in the way of one."""

    change: StackChange
    problem: str = ""
    """Why the revision after does not work; it is ``None`` in the change then."""
    gist: str = ""
    """The same in one line; the first line of the problem where left out."""
    unknown_before: str = ""
    """Why the revision before is not known, where it exists."""
    notes: tuple[str, ...] = ()

    @property
    def touched(self) -> bool:
        """Whether there is anything to say about the stack."""
        relocked = any(e.old and e.new and e.old.protect != e.new.protect for e in self.change.diff.changes)
        said = self.change.verdict.violated or self.problem or self.unknown_before or self.notes
        return bool(self.change.operations or relocked or said or self._recounted)

    @property
    def _recounted(self) -> bool:
        """Whether budgets, agreed prices or measurements change, which no resource shows."""
        before, after = self.change.before, self.change.after
        if before is None or after is None or not before.plan.config:
            return False
        return costs.agreement(before.plan) != costs.agreement(after.plan)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackReport:
    """What there is to say about one stack."""

    name: str
    standing: Standing
    reason: str
    """Why it stands so, in one line; empty where it is safe."""
    sections: Sequence[Section]
    problem: str = ""
    """Why the stack does not load any more, over several lines; empty where it does."""
    notes: Sequence[str] = ()

    @property
    def verdict(self) -> str:
        """``safe``, ``risky`` or ``broken``."""
        return _WORDS[self.standing]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a change does to all stacks."""

    against: str
    """What the change is compared with, such as ``origin/main (0f3c1d2)``."""
    stacks: Sequence[StackReport]
    """The stacks that the change touches."""
    untouched: Sequence[str] = ()
    """Names of the others that were asked about."""
    notes: Sequence[str] = ()

    @property
    def standing(self) -> Standing:
        """The worst of all stacks."""
        return max((stack.standing for stack in self.stacks), default=Standing.SAFE)

    @property
    def verdict(self) -> str:
        """``safe``, ``risky`` or ``broken``."""
        return _WORDS[self.standing]

    @property
    def reason(self) -> str:
        """Why, in one line."""
        if not self.stacks:
            return "nothing changes in any stack"
        if self.standing is Standing.SAFE:
            return "nothing that stands is lost, interrupted or opened, and no mandatory policy is violated"
        worst = next(stack for stack in self.stacks if stack.standing is self.standing)
        return f"{worst.name}: {worst.reason}" if len(self.stacks) > 1 else worst.reason


def gather(revised: Revised, sections: Sequence[tuple[str, SectionOf]] = SECTIONS) -> StackReport:
    """Ask every section about a change, and weigh the answers."""
    change = revised.change
    notes = list(revised.notes)
    if revised.problem:
        first = next((line for line in revised.problem.splitlines() if line.strip()), "no reason given")
        lead = "it does not load any more" if change.before else "it does not load"
        reason = f"{lead}: {revised.gist or first.strip()}"
        name = change.name
        return StackReport(
            name=name, standing=Standing.BROKEN, reason=reason, sections=(), problem=revised.problem, notes=notes
        )
    if revised.unknown_before:
        told = "What changes is unknown, as the older revision does not load; what follows is of the new one alone."
        notes.append(f"{told} {revised.unknown_before}")
    answers = [
        _asked(name, section, change)
        for name, section in sections
        if not (revised.unknown_before and name in _COMPARING)
    ]
    found = tuple(answer for answer in answers if answer is not None)
    standing = max((answer.standing for answer in found), default=Standing.SAFE)
    reason = next((answer.reason for answer in found if answer.standing is standing), "")
    if revised.unknown_before and standing is not Standing.BROKEN:
        standing, reason = Standing.RISKY, "the older revision does not load, so what changes is unknown"
    return StackReport(name=change.name, standing=standing, reason=reason, sections=found, notes=notes)


def _asked(name: str, section: SectionOf, change: StackChange) -> Section | None:
    """Return a section's answer; one that fails is itself worth a sentence, and must not hide the others."""
    try:
        return section(change)
    except Exception as error:  # noqa: BLE001 - whatever it is, the reader shall have the rest
        told: Text = f"This question stays open: {type(error).__name__}: {_line(str(error))}"
        blocks = (Paragraph("The rest of the report does not depend on it. Please report this as a fault."),)
        return Section(
            key=name, title=name.capitalize(), headline=told, blocks=blocks, data={"error": _line(str(error))}
        )


def _line(text: str) -> str:
    return " ".join(text.split())[:300]
