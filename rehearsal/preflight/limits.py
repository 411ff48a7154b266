"""Quotas: what a stack takes of each against the limit and what is in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from inference.estimates.capacity import Need
from inference.facts.quotas import SERVICE, Quota
from rehearsal.preflight import repairs
from rehearsal.preflight.checks import Answer, Check, asked, without_project
from rehearsal.preflight.questions import Cloud, Limit, NotAnsweredError, QuotaRow

__all__ = ["Limits", "quota"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Found:
    """A limit, and what is in use of it where that is told."""

    quota: Quota
    limit: float
    usage: float | None


class _NotTheirsError(NotAnsweredError):
    """The project has no such quota, as far as its lists tell: never said of a name that is assumed."""


@dataclass(frozen=True)
class Limits:
    """The quotas of projects; every list is asked for once."""

    cloud: Cloud
    _answers: dict[object, object] = field(default_factory=dict)

    def _once(self, key: object, question: Callable[[], T]) -> T:
        if key not in self._answers:
            try:
                self._answers[key] = question()
            except NotAnsweredError as error:
                self._answers[key] = error
        answer = self._answers[key]
        if isinstance(answer, NotAnsweredError):
            raise answer
        return answer  # type: ignore[return-value]

    def find(self, project: str, region: str, wanted: Quota) -> _Found:
        """Return a limit: from the list that tells what is in use, else from the Cloud Quotas API.

        Raises:
            NotAnsweredError: where neither answers, with the reason.
        """
        if wanted.metric is not None:
            listed = self._listed(project, region).get(wanted.metric)
            if listed is not None:
                return _Found(wanted, listed.limit, listed.usage)
        question = partial(self.cloud.quota_rows, project, SERVICE, wanted.id)
        rows = self._once((project, wanted.id), question)
        if rows is None and wanted.assumed:
            raise NotAnsweredError(f"the project lists no quota {wanted.id}, a name that is assumed")
        if rows is None:
            raise _NotTheirsError(f"the project lists no quota {wanted.id}")
        return _Found(wanted, _limit(rows, region, wanted), None)

    def _listed(self, project: str, region: str) -> Mapping[str, Limit]:
        if region == "global":
            return self._once((project,), partial(self.cloud.project_quotas, project))
        return self._once((project, region, None), partial(self.cloud.region_quotas, project, region))


def _limit(rows: Sequence[QuotaRow], region: str, wanted: Quota) -> float:
    """Return the value of the most specific row."""
    asked_for = dict(wanted.dimensions) | ({} if wanted.scope == "global" else {"region": region})
    for key, value in wanted.dimensions if wanted.assumed else ():
        seen = {row.dimensions[key] for row in rows if key in row.dimensions}
        if value not in seen:
            known = ", ".join(sorted(seen)[:12]) or "none"
            raise NotAnsweredError(f"{wanted.id} has no row with {key}={value}, a name that is assumed; it has {known}")
    matching = [row for row in rows if all(asked_for.get(key) == value for key, value in row.dimensions.items())]
    if not matching:
        raise _NotTheirsError(f"{wanted.id} has no row for {_words(asked_for)}")
    best = max(matching, key=lambda row: len(row.dimensions))
    return float(best.value)


def _words(dimensions: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in dimensions.items())


def quota(limits: Limits, need: Need, deployed: float) -> Check:
    """Compare one need with the limit and what others use of it.

    Args:
        limits: the quotas of the project.
        need: what the stack takes.
        deployed: how much the stack that stands already may be using itself.
    """
    subject = f"{need.quota} in {need.region}" if need.region != "global" else str(need.quota)
    if need.project is None:
        return without_project("quota", subject)
    project = need.project
    found = asked("quota", subject, partial(_either, limits, project, need))
    if isinstance(found, Check):
        return found
    said = f" (there is nothing of {need.quota}, so {found.quota} is taken)" if found.quota != need.quota else ""
    answer, detail, target = _compared(found, need, deployed)
    repair = repairs.quota(project, need.region, found.quota, target) if answer is Answer.WRONG else ""
    return Check(topic="quota", subject=subject, answer=answer, detail=detail + said, repair=repair)


def _either(limits: Limits, project: str, need: Need) -> _Found:
    """Return the limit that counts: where a project has nothing preemptible, the standard quota is taken."""
    if need.instead is None:
        return limits.find(project, need.region, need.quota)
    try:
        first = limits.find(project, need.region, need.quota)
    except _NotTheirsError:
        return limits.find(project, need.region, need.instead)
    return first if first.limit != 0 else limits.find(project, need.region, need.instead)


def _compared(found: _Found, need: Need, deployed: float) -> tuple[Answer, str, float]:
    """Return the answer, the reason, and the limit that would do."""
    most = need.at_least
    others = max((found.usage or 0) - deployed, 0)
    target = max(need.peak or 0, most) + others
    unit, limit = found.quota.unit, found.limit
    if limit < 0:
        return Answer.OK, "no limit", target
    have = f"limit {limit:,.0f}"
    span = _span(need)
    asks = f"needs {span} {unit}" if span != "1" else "needs 1"
    if limit < most:
        start = need.least is not None and need.least > limit
        when = "the first nodes are refused" if start and unit in _NODES else "growth ends there"
        return Answer.WRONG, f"{have}, and the stack {asks}: {when}", target
    if others and limit - others < most:
        hint = "" if deployed else "; if the stack itself stands there already, name its state with --baseline"
        return Answer.WRONG, f"{have}, {found.usage:,.0f} in use, and the stack {asks}{hint}", target
    if need.most is None:
        return Answer.UNKNOWN, f"{have}; how much the stack needs is not known, at least {most:,.0f} {unit}", target
    if need.peak is not None and limit - others < need.peak:
        return Answer.WRONG, f"{have}, and an upgrade takes {need.peak:,.0f} {unit} for a while: it waits", target
    used = "what is in use is not told" if found.usage is None else f"{found.usage:,.0f} in use"
    return Answer.OK, f"{have}, {used}, {asks}", target


_NODES = frozenset({"GPUs", "chips", "vCPUs", "GB", "VMs"})


def _span(need: Need) -> str:
    least = "unknown" if need.least is None else f"{need.least:,.0f}"
    most = f"at least {need.at_least:,.0f}" if need.most is None else f"{need.most:,.0f}"
    return most if least == most else f"{least} to {most}"
