"""The commands that run the program: preview and render."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from rehearsal import diffs, digests, program, tree
from rehearsal.plan import Diagnostic, Plan
from rehearsal.project import Project
from rehearsal.render import render as render_objects
from rehearsal.stackfiles import StackFile
from rehearsal.texts import plain, plural
from rehearsal.verdict import Verdict

__all__ = ["preview", "rehearse", "render"]

_CLEAN, _VIOLATED = 0, 2
_PIPE_WIDTH = 1000
"""Columns where nobody looks on: a file or a pipe gets names whole."""


def rehearse(project: Project, file: StackFile, on_registration: Callable[[int], None] | None = None) -> Plan:
    """Run the project's program for a stack and return what it asked for.

    Raises:
        ProblemsError: where the program refuses its settings.
        ProgramError: where it fails.
    """
    with file.placed():
        plan = program.run(
            project.main,
            project.name,
            file.stack,
            file.config,
            secret_keys=file.secret_keys,
            root=project.root,
            on_registration=on_registration,
        )
    notes = tuple(Diagnostic("warning", note) for note in file.notes)
    return replace(plan, config=file.shown, diagnostics=notes + plan.diagnostics)


def preview(
    project: Project, file: StackFile, *, packs: Sequence[Path] | None, baseline: Path | None, as_json: bool
) -> int:
    """Print what a stack would do and what the packs say; returns the exit status.

    Args:
        project: the project.
        file: the stack's configuration.
        packs: folders of policy packs; empty for the project's own, ``None`` for no judgment.
        baseline: plan, digest or state to compare with.
        as_json: whether to print JSON instead of a tree.
    """
    before = digests.load(baseline) if baseline else None
    with _progress(f"Rehearsing {plain(file.stack)}") as told:
        plan = rehearse(project, file, lambda count: told(plural(count, "resource")))
        told("asking the policies")
        judged = None if packs is None else _judge(project, file, plan, packs)
    diff = diffs.compare(before, plan) if before else None
    if as_json:
        sys.stdout.write(digests.dumps(plan, diff) + "\n")
    _show(plan, diff, judged, as_json=as_json)
    return _VIOLATED if judged and judged.violated else _CLEAN


def _show(plan: Plan, diff: diffs.Diff | None, judged: Verdict | None, *, as_json: bool) -> None:
    """Print for people; next to JSON only what it does not hold, and not into its stream."""
    console = _console(stderr=as_json)
    if not as_json:
        tree.print_tree(console, plan, diff)
        tree.print_diagnostics(console, plan)
    if judged and (judged.findings or not as_json):
        tree.print_verdict(console, judged)
    if not as_json:
        tree.print_summary(console, plan, diff)


def _judge(project: Project, file: StackFile, plan: Plan, packs: Sequence[Path]) -> Verdict:
    if not packs:
        from rehearsal import ownpack  # only here: it loads every rule

        return ownpack.judge(project.root, file.stack, plan)
    from rehearsal.packs import judge_with

    judged = Verdict()
    for pack in packs:
        judged += judge_with(pack, plan, project.name, file.stack)
    return judged


def render(project: Project, file: StackFile, out: Path) -> None:
    """Write the Kubernetes objects of a stack into a folder.

    Raises:
        ProblemsError: where the folder holds files of others.
    """
    with _progress(f"Rehearsing {plain(file.stack)}"):
        plan = rehearse(project, file)
    written = render_objects(plan, out, f"{project.name}/{file.stack}")
    _console(stderr=False).print(f"{plural(len(written), 'object')} written to {plain(str(out))}", highlight=False)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else _PIPE_WIDTH)


@contextlib.contextmanager
def _progress(label: str) -> Iterator[Callable[[str], None]]:
    """Show that something happens, where a person waits at a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with Console(stderr=True).status(label, spinner="dots") as status:
        yield lambda text: status.update(f"{label}: {text}")
