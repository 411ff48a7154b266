"""The command ``review``: both revisions, every question, one report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from inference.problems import Problem, ProblemsError
from rehearsal.project import Project
from rehearsal.review import data, markdown, page, revisions
from rehearsal.review.document import Standing
from rehearsal.review.report import Report, gather
from rehearsal.urns import parse

__all__ = ["FORMATS", "review", "write"]

FORMATS: Mapping[str, Callable[[Report], str]] = {
    "markdown": markdown.markdown,
    "json": data.dumps,
    "html": page.page,
}

_CLEAN, _WRONG, _VIOLATED, _RISKY = 0, 1, 2, 3


def review(
    project: Project,
    *,
    against: str | None,
    baseline: Path | None,
    preview: Path | None,
    stacks: Sequence[str],
    config_files: Sequence[Path],
) -> tuple[Report, int]:
    """Return the report and the exit status.

    Args:
        project: the project in the working tree.
        against: revision to compare with; ``origin/main`` where left out.
        baseline: plan, digest or state to compare with instead.
        preview: digest of the real engine to report on instead of a rehearsal.
        stacks: names of stacks; all of the project where nothing is named.
        config_files: stack files by path, such as examples.

    Raises:
        ProblemsError: where there is nothing to compare, with what to do.
    """
    _only_one(against, baseline, preview)
    wanted = revisions.targets(project, stacks, config_files)
    if preview is not None:
        found = _real(project, preview, stacks)
    elif baseline is not None:
        if len(wanted) != 1:
            why = "a baseline is one stack's"
            problem = Problem("--baseline", "which stack?", why, "Add --stack NAME or --config-file FILE.")
            raise ProblemsError("command line", [problem])
        found = revisions.against_baseline(project, baseline, wanted[0])
    else:
        every = not stacks and not config_files
        found = revisions.against_revision(project, against or "origin/main", wanted, every=every)
    report = Report(
        against=found.against,
        stacks=tuple(gather(revised) for revised in found.revised if revised.touched),
        untouched=tuple(revised.change.name for revised in found.revised if not revised.touched),
    )
    return report, _status(report, found)


def _real(project: Project, preview: Path, stacks: Sequence[str]) -> revisions.Comparison:
    from rehearsal import digests

    plan = digests.load(preview)
    first = next(iter(plan), None)
    stack = stacks[0] if stacks else parse(first.urn).stack if first else preview.stem
    return revisions.of_preview(project, preview, stack, stack)


def _only_one(*given: object) -> None:
    if sum(option is not None for option in given) > 1:
        why = "each names something else to compare with"
        problem = Problem("--against, --baseline, --preview", "more than one of them", why, "Keep one.")
        raise ProblemsError("command line", [problem])


def _status(report: Report, found: revisions.Comparison) -> int:
    if any(revised.change.verdict.violated for revised in found.revised):
        return _WRONG if any(revised.problem for revised in found.revised) else _VIOLATED
    return {Standing.SAFE: _CLEAN, Standing.RISKY: _RISKY, Standing.BROKEN: _WRONG}[report.standing]


def write(text: str, out: Path | None) -> None:
    """Write a report to a file, or to the standard output.

    Raises:
        ProblemsError: where the file cannot be written.
    """
    if out is None:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8")
    except OSError as error:
        shown = f"--out {out}"
        why = error.strerror or str(error)
        raise ProblemsError(shown, [Problem(shown, "cannot be written", why, "Name another file.")]) from None
