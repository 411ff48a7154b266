"""The command ``preflight``: every comparison for one stack."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from inference.estimates import capacity, requirements
from inference.estimates.reservations import reservations
from inference.problems import Problem, ProblemsError
from inference.rules.views.stack import Stack
from rehearsal import digests, previewing, resources
from rehearsal.plan import Plan
from rehearsal.preflight import checks, google_cloud, limits
from rehearsal.preflight.checks import Answer, Check
from rehearsal.preflight.questions import Cloud
from rehearsal.project import Project
from rehearsal.stackfiles import StackFile

__all__ = ["Preflight", "compare", "run", "run_plan", "status"]

_FINE, _MUTE, _MISSING, _OPEN = 0, 1, 2, 3

T = TypeVar("T", requirements.Api, requirements.Permission)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """The comparisons of one stack."""

    stack: str
    projects: tuple[str, ...]
    checks: tuple[Check, ...]
    notes: tuple[str, ...]
    """What was not compared, because nobody can tell it from the program."""

    def count(self, answer: Answer) -> int:
        """Return how many checks came out so."""
        return sum(check.answer is answer for check in self.checks)

    @property
    def verdict(self) -> str:
        """``ready``, ``not ready``, or ``unknown`` where nothing is wrong and something could not be asked."""
        if self.count(Answer.WRONG):
            return "not ready"
        return "unknown" if self.count(Answer.UNKNOWN) else "ready"

    @property
    def mute(self) -> bool:
        """Whether nothing at all was answered."""
        return bool(self.checks) and self.count(Answer.UNKNOWN) == len(self.checks)


def run(project: Project, file: StackFile, *, baseline: Path | None) -> Preflight:
    """Rehearse a stack and compare it with its live project, as the caller.

    Args:
        project: the project.
        file: the stack's configuration.
        baseline: state or plan of what stands already, whose use of quotas is the stack's own.

    Raises:
        ProblemsError: without client libraries or credentials, and where the program refuses its settings.
        ProgramError: where the program fails.
    """
    libraries = google_cloud.load()
    plan = previewing.rehearse(project, file)
    return _asked(libraries, file.stack, file.source, plan, baseline)


def run_plan(path: Path, *, baseline: Path | None) -> Preflight:
    """Compare a plan, a preview's digest or a state of any program with its live project, as the caller.

    Raises:
        ProblemsError: without client libraries or credentials, and where the file is none of these.
    """
    libraries = google_cloud.load()
    return _asked(libraries, path.name, path.name, digests.load(path), baseline)


def _asked(libraries: google_cloud.Libraries, name: str, source: str, plan: Plan, baseline: Path | None) -> Preflight:
    before = resources.stack(digests.load(baseline)) if baseline else Stack(())
    stack = resources.stack(plan)
    projects = requirements.projects(stack)
    if not projects:
        why = "there is nothing to compare with"
        remedy = "Set the project of its provider."
        raise ProblemsError(source, [Problem(source, "names no Google Cloud project", why, remedy)])
    cloud = google_cloud.GoogleCloud(libraries, google_cloud.credentials(projects[0]))
    return compare(name, stack, before, cloud)


def status(found: Preflight) -> int:
    """Return the exit status: 0 all is there, 1 nothing was answered, 2 something is missing, 3 something is open."""
    if found.count(Answer.WRONG):
        return _MISSING
    if found.mute:
        return _MUTE
    return _OPEN if found.count(Answer.UNKNOWN) else _FINE


def compare(name: str, stack: Stack, before: Stack, cloud: Cloud) -> Preflight:
    """Compare a stack with the answers about its projects."""
    found = _checks(stack, before, cloud)
    return Preflight(
        stack=name,
        projects=requirements.projects(stack),
        checks=tuple(dict.fromkeys(found)),
        notes=capacity.open_ends(stack),
    )


def _checks(stack: Stack, before: Stack, cloud: Cloud) -> Iterator[Check]:
    for project, wanted in _by_project(requirements.apis(stack)):
        yield from _apis(cloud, project, wanted)
    for project, permissions in _by_project(requirements.permissions(stack)):
        yield from _permissions(cloud, project, permissions)
    for version in requirements.versions(stack):
        yield checks.versions(cloud, version)
    for profile in requirements.profiles(stack):
        yield checks.profiles(cloud, profile)
    for machine in requirements.machines(stack):
        yield from checks.machines(cloud, machine)
    standing = {(found.name, found.project): found.most or found.least or 0 for found in reservations(before)}
    for reservation in reservations(stack):
        deployed = standing.get((reservation.name, reservation.project), 0)
        yield from checks.reservation(cloud, reservation, deployed)
    used = {need.key: need.at_least for need in capacity.needs(before)}
    known = limits.Limits(cloud)
    for need in capacity.needs(stack):
        yield limits.quota(known, need, used.get(need.key, 0.0))


def _by_project(found: Sequence[T]) -> Iterator[tuple[str | None, list[T]]]:
    groups: dict[str | None, list[T]] = defaultdict(list)
    for each in found:
        groups[each.project].append(each)
    yield from groups.items()


def _apis(cloud: Cloud, project: str | None, wanted: list[requirements.Api]) -> Iterator[Check]:
    if project is None:
        yield checks.without_project("api", "APIs")
    else:
        yield from checks.apis(cloud, project, wanted)


def _permissions(cloud: Cloud, project: str | None, wanted: list[requirements.Permission]) -> Iterator[Check]:
    if project is None:
        yield checks.without_project("permission", "permissions")
    else:
        yield from checks.permissions(cloud, project, wanted)
