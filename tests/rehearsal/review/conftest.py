"""A Git repository with a project in it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.stacks import ROOT

WHO = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false")


@dataclass(frozen=True)
class Clone:
    """A working tree of a repository."""

    root: Path

    def git(self, *arguments: str) -> str:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        done = subprocess.run(  # noqa: S603 - our own command
            ["git", *WHO, "-C", str(self.root), *arguments],  # noqa: S607 - the one on PATH
            capture_output=True, text=True, check=True, env=environment | {"GIT_CONFIG_GLOBAL": os.devnull},
        )  # fmt: skip
        return done.stdout

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")

    def commit(self, files: Mapping[str, str] | None = None, message: str = "change") -> str:
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD").strip()

    def review(self, *arguments: str, cwd: str = ".", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run ``python -m rehearsal review`` here; the project's packages come from this checkout."""
        return subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "rehearsal", "review", *arguments],
            cwd=self.root / cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """An empty repository on the branch main."""
    return emptied(tmp_path / "work")


def emptied(root: Path) -> Clone:
    """Make an empty repository on the branch main."""
    root.mkdir(parents=True)
    made = Clone(root)
    made.git("init", "--quiet", "--initial-branch", "main")
    return made
