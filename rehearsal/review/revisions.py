"""Both revisions of every stack that a change touches, each rehearsed with its own code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from inference.problems import Problem, ProblemsError
from rehearsal import diffs, digests, ownpack, previewing, previews, stackfiles
from rehearsal.errors import EngineError, ProgramError
from rehearsal.plan import Plan
from rehearsal.project import Project
from rehearsal.review.change import Side, StackChange
from rehearsal.review.report import Revised
from rehearsal.review.repository import Repository
from rehearsal.verdict import Verdict

__all__ = ["Comparison", "Target", "against_baseline", "against_revision", "of_preview", "targets"]

_SECONDS = 600
"""How long the older program may take."""

_WITHOUT_EFFECT = ("docs/", "tests/", "benchmarks/", "schemas/", ".github/", ".vscode/", ".devcontainer/")
"""Folders of a project that no program reads."""
_WITHOUT_EFFECT_FILES = frozenset({"LICENSE", "NOTICE", "CODEOWNERS", "Makefile", ".gitignore", ".editorconfig"})


@dataclass(frozen=True, slots=True)
class Target:
    """A stack to review."""

    name: str
    """What the report calls it: the stack, or the file where another one configures it."""
    stack: str
    file: Path
    chosen: bool
    """Whether the file was named, rather than found by the stack's name."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared."""

    against: str
    revised: Sequence[Revised]


def targets(project: Project, stacks: Sequence[str], config_files: Sequence[Path]) -> tuple[Target, ...]:
    """Return what to review: the named stacks and files, or every stack that has a file in the project's folder."""
    found = [Target(name, name, project.root / f"Pulumi.{name}.yaml", chosen=False) for name in stacks]
    found += [Target(str(path), stackfiles.stack_of(path), path.resolve(), chosen=True) for path in config_files]
    if not found:
        found = [
            Target(stackfiles.stack_of(path), stackfiles.stack_of(path), path, chosen=False)
            for path in sorted(project.root.glob("Pulumi.*.yaml"))
        ]
    return tuple(dict.fromkeys(found))


def against_revision(project: Project, revision: str, wanted: Sequence[Target], *, every: bool) -> Comparison:
    """Rehearse the stacks here and at the common ancestor with another revision.

    Args:
        project: the project in the working tree.
        revision: what to compare with, such as ``origin/main``.
        wanted: the stacks and files that exist here or that were named.
        every: whether stacks whose file is gone count too.

    Raises:
        ProblemsError: where there is no such revision or stack.
    """
    repository = Repository.around(project.root)
    commit = repository.ancestor(revision)
    against = revision if commit.startswith(revision) else f"{revision} ({commit[:10]})"
    changed = repository.changed(commit)
    inside = PurePosixPath(os.path.relpath(project.root, repository.root).replace(os.sep, "/"))
    paths = [_relative(path, inside) for path in changed]
    for target in wanted:
        if not target.file.is_file() and _place(target, project) not in paths:
            _known(target, project)
    if not any(_matters(path, wanted, project) for path in paths):
        return Comparison(against, tuple(Revised(change=_unchanged(target.name)) for target in wanted))
    with repository.files_at(commit) as files:
        root = files / inside
        gone = _removed(root, project, wanted) if every else ()
        with ThreadPoolExecutor(max_workers=2) as pool:
            older = [pool.submit(_rehearsed_apart, root, project, target) for target in (*wanted, *gone)]
            newer = [_rehearsed_here(project, target) for target in wanted] + [_After(None)] * len(gone)
            pairs = zip((*wanted, *gone), older, newer, strict=True)
            return Comparison(against, tuple(_revised(t, before.result(), after) for t, before, after in pairs))


def against_baseline(project: Project, baseline: Path, target: Target) -> Comparison:
    """Rehearse one stack and compare it with an earlier plan, a preview's digest or an exported state."""
    if not target.file.is_file():
        _known(target, project)
    before = _Before(digests.load(baseline))
    after = _rehearsed_here(project, target)
    return Comparison(str(baseline), (_revised(target, before, after),))


def of_preview(project: Project, preview: Path, name: str, stack: str) -> Comparison:
    """Read both sides from what ``pulumi preview --json --show-sames`` wrote: the engine's own word on each step."""
    before, after, diff = previews.load(preview)
    verdict = ownpack.judge(project.root, stack, after)
    change = StackChange(name, Side(before) if before.steps else None, Side(after), diff, verdict)
    return Comparison(f"the state that {preview.name} started from", (Revised(change=change),))


def _relative(path: str, inside: PurePosixPath) -> str:
    """Return a path of the repository as one of the project; it may lead out of it."""
    if str(inside) == ".":
        return path
    prefix = f"{inside}/"
    # A program in a folder of its own may well import from beside it.
    return path.removeprefix(prefix) if path.startswith(prefix) else f"../{path}"


def _matters(path: str, wanted: Sequence[Target], project: Project) -> bool:
    """Whether a changed file may change what a stack is."""
    name = path.rpartition("/")[2]
    if path.startswith(_WITHOUT_EFFECT) or name.endswith((".md", ".rst")) or name in _WITHOUT_EFFECT_FILES:
        return False
    if name.startswith("Pulumi.") and name != "Pulumi.yaml":
        # The file of a stack that is gone matters although nobody has named it.
        named = {os.path.relpath(target.file, project.root).replace(os.sep, "/") for target in wanted}
        return path in named or not (project.root / path).exists()
    if path.startswith("examples/"):
        return any(target.file == (project.root / path).resolve() for target in wanted)
    return True


def _unchanged(name: str) -> StackChange:
    nothing = Side(Plan(()))
    return StackChange(name, nothing, nothing, diffs.Diff(()), Verdict())


def _removed(root: Path, project: Project, wanted: Sequence[Target]) -> tuple[Target, ...]:
    """Return the stacks that have a file in the older revision only."""
    names = sorted(path.name for path in root.glob("Pulumi.*.yaml")) if root.is_dir() else []
    here = {target.file.name for target in wanted}
    found = [name for name in names if name not in here and not (project.root / name).exists()]
    return tuple(
        Target(stackfiles.stack_of(Path(name)), stackfiles.stack_of(Path(name)), project.root / name, chosen=False)
        for name in found
    )


def _known(target: Target, project: Project) -> None:
    """Refuse a name that stands for no file."""
    if target.chosen:
        where = f"--config-file {target.name}"
        why = "neither revision has it" if target.file.is_relative_to(project.root) else "nothing to read"
        raise ProblemsError("review", [Problem(where, "no such file", why, "Check the path.")])
    stackfiles.locate(project, target.stack)


def _place(target: Target, project: Project) -> str:
    """Return where the stack file lies in the project; a file from outside of it keeps its own path."""
    path = target.file
    return path.relative_to(project.root).as_posix() if path.is_relative_to(project.root) else str(path)


@dataclass(frozen=True, slots=True)
class _Before:
    plan: Plan | None
    """``None`` where the stack did not exist, or cannot be rehearsed."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _After:
    plan: Plan | None
    verdict: Verdict = field(default_factory=Verdict)
    problem: str = ""
    gist: str = ""


def _rehearsed_here(project: Project, target: Target) -> _After:
    """Rehearse a stack of the working tree; read it back as the older one is, so that both tell the same."""
    if not target.file.is_file():
        return _After(None)
    shown = target.name if target.chosen else target.file.name
    try:
        file = stackfiles.read(target.file, project, target.stack, shown)
        plan = previewing.rehearse(project, file)
    except (EngineError, ProblemsError, ProgramError) as error:
        return _After(None, problem=str(error), gist=_in_a_line(error))
    return _After(digests.loads(digests.dumps(plan), shown), ownpack.judge(project.root, target.stack, plan))


def _in_a_line(error: Exception) -> str:
    """Return the first problem with its place; of a program that failed the last line, which names the error."""
    if isinstance(error, ProblemsError) and error.problems:
        first, *more = error.problems
        return f"{first.where} – {first.what}" + (f", and {len(more):,} more" if more else "")
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), "")


def _rehearsed_apart(root: Path, project: Project, target: Target) -> _Before:
    """Rehearse a stack of the older revision with that revision's code, in a process of its own."""
    place = _place(target, project)
    if not (root / "Pulumi.yaml").is_file() or not (root / place).is_file():
        return _Before(None)
    wanted = ("--config-file", place, "--stack", target.stack) if target.chosen else ("--stack", target.stack)
    command = [sys.executable, "-m", "rehearsal", "preview", "--no-policy", "--json", *wanted]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONSAFEPATH", None)
    if not (root / "rehearsal" / "__main__.py").is_file():
        # The revision has no rehearsal of its own: this one runs its program.
        ours = str(Path(__file__).resolve().parents[2])
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (environment.get("PYTHONPATH"), ours)))
    try:
        done = subprocess.run(  # noqa: S603 - our own command on the older revision
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return _Before(None, f"its program took more than {_SECONDS} s")
    if done.returncode != 0:
        return _Before(None, _gist(done.stderr, root))
    try:
        return _Before(digests.loads(done.stdout, f"{target.name} before"))
    except ProblemsError as error:
        return _Before(None, str(error))


def _gist(said: str, root: Path) -> str:
    """Return what a failed program said, without the name of its temporary folder, and not without end."""
    lines = [line for line in said.replace(str(root), ".").splitlines() if line.strip()]
    return "\n".join([*lines[:3], *(["…"] if len(lines) > 15 else []), *lines[3:][-12:]]) or "it said nothing"


def _revised(target: Target, before: _Before, after: _After) -> Revised:
    old, new = before.plan, after.plan
    diff = diffs.compare(old or Plan(()), new or Plan(())) if not before.problem else diffs.Diff(())
    change = StackChange(target.name, Side(old) if old else None, Side(new) if new else None, diff, after.verdict)
    return Revised(change=change, problem=after.problem, gist=after.gist, unknown_before=before.problem)
