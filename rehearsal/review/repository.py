"""The Git repository around a project: what changed since the common ancestor, and the files as they were there."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inference.problems import Problem, ProblemsError

__all__ = ["Repository"]

_SECONDS = 120
"""How long a Git command may take; a partial clone fetches files meanwhile."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A working tree."""

    root: Path

    @classmethod
    def around(cls, folder: Path) -> Repository:
        """Return the repository that a folder belongs to.

        Raises:
            ProblemsError: where it belongs to none.
        """
        found = _git(folder, "rev-parse", "--show-toplevel")
        if found.returncode != 0:
            why = "an older revision can only be found in a Git repository"
            remedy = "Work in a clone, or name an earlier plan with --baseline."
            raise _refused("--against", _said(found) or "not a Git repository", why, remedy)
        return cls(Path(found.stdout.strip()).resolve())

    def ancestor(self, revision: str) -> str:
        """Return the commit from which the working tree and a revision went apart.

        Raises:
            ProblemsError: where the revision is not known or has nothing in common with this one.
        """
        shown = f"--against {revision}"
        known = _git(self.root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        if known.returncode != 0:
            branch = revision.removeprefix("origin/")
            remedy = f"Fetch it: git fetch origin {branch}; or name another revision with --against."
            raise _refused(shown, "no such revision here", "there is nothing to compare with", remedy)
        base = _git(self.root, "merge-base", known.stdout.strip(), "HEAD")
        if base.returncode == 0:
            return base.stdout.split()[0]
        if _git(self.root, "rev-parse", "--is-shallow-repository").stdout.strip() == "true":
            why = "the clone is shallow, and the history ends before they meet"
            remedy = "Fetch the rest: git fetch --unshallow; with actions/checkout set fetch-depth: 0."
        else:
            why = "the two histories share no commit"
            remedy = "Name a revision that this one descends from with --against."
        raise _refused(shown, "no common ancestor with the checked-out revision", why, remedy)

    def changed(self, commit: str) -> tuple[str, ...]:
        """Return the paths that differ between a commit and the working tree, new and removed files included."""
        diff = _checked(self.root, "diff", "--name-only", "--no-renames", "--no-ext-diff", "-z", commit, "--")
        untracked = _checked(self.root, "ls-files", "--others", "--exclude-standard", "-z")
        return tuple(dict.fromkeys(path for path in (*diff.split("\0"), *untracked.split("\0")) if path))

    @contextlib.contextmanager
    def files_at(self, commit: str) -> Iterator[Path]:
        """Give the files of a commit in a folder of their own, which goes when the block ends, however it ends.

        They are laid out through an index of their own: neither the checkout nor its index is touched, and no
        worktree is registered that an interrupted run would leave behind.
        """
        with tempfile.TemporaryDirectory(prefix="rehearsal-review-", ignore_cleanup_errors=True) as folder:
            index = str(Path(folder) / "index")
            files = Path(folder) / "files"
            files.mkdir()
            _checked(self.root, "read-tree", commit, index=index)
            _checked(self.root, "checkout-index", "--all", "--quiet", f"--prefix={files}{os.sep}", index=index)
            yield files


def _git(folder: Path, *arguments: str, index: str = "") -> subprocess.CompletedProcess[str]:
    # Variables that a hook or a wrapper set would send Git to another repository or index.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    if index:
        environment["GIT_INDEX_FILE"] = index
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", "-C", str(folder), *arguments]
    try:
        return subprocess.run(  # noqa: S603 - arguments, no shell
            command, env=environment, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
        )
    except FileNotFoundError:
        why = "older revisions are read with it"
        raise _refused("--against", "git is not installed", why, "Install git, or use --baseline.") from None
    except subprocess.TimeoutExpired:
        shown = f"git {arguments[0]}"
        raise _refused(shown, f"no answer in {_SECONDS} s", "the repository cannot be read", "Try again.") from None


def _checked(folder: Path, *arguments: str, index: str = "") -> str:
    done = _git(folder, *arguments, index=index)
    if done.returncode != 0:
        raise _refused(f"git {arguments[0]}", _said(done), "the repository cannot be read", "Run git fsck.")
    return done.stdout


def _said(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.strip().splitlines()
    return lines[0].removeprefix("fatal: ") if lines else ""


def _refused(where: str, what: str, why: str, remedy: str) -> ProblemsError:
    return ProblemsError("review", [Problem(where, what, why, remedy)])
