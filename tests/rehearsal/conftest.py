"""Small throw-away projects, and the command line in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rehearsal import program
from rehearsal.plan import Plan, ResourceState
from tests.support.stacks import ROOT

HEADER = """
import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes
from pulumi import ResourceOptions as O
"""

WORLD = """
cloud = gcp.Provider("cloud", project="my-project", region="us-central1")
objects = kubernetes.Provider("objects", kubeconfig="{}")

class Box(pulumi.ComponentResource):
    def __init__(self, name, props=None, opts=None):
        super().__init__("gke-inference:index:Box", name, props or {}, opts)
"""


@dataclass(frozen=True)
class Throwaway:
    """A project in a temporary folder."""

    root: Path

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")

    def program(self, source: str) -> None:
        self.write({"__main__.py": HEADER + WORLD + textwrap.dedent(source)})

    def run(
        self,
        source: str | None = None,
        *,
        config: Mapping[str, str] | None = None,
        secret_keys: frozenset[str] = frozenset(),
        preview: bool = False,
        stack: str = "dev",
    ) -> Plan:
        if source is not None:
            self.program(source)
        return program.run(
            self.root,
            "house",
            stack,
            config or {},
            secret_keys=secret_keys,
            root=self.root,
            preview=preview,
        )

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run ``python -m rehearsal`` in this project."""
        return subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "rehearsal", *arguments],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def project(tmp_path: Path) -> Throwaway:
    """A project without resources and with the stacks dev and prod."""
    made = Throwaway(tmp_path / "house")
    made.write(
        {
            "Pulumi.yaml": "name: house\nruntime: python\n",
            "Pulumi.dev.yaml": "config: {}\n",
            "Pulumi.prod.yaml": "config: {}\n",
            "__main__.py": "",
        }
    )
    return made


@pytest.fixture
def named() -> Callable[[Plan, str], ResourceState]:
    """Return the one resource of a plan with a logical name."""

    def find(plan: Plan, name: str) -> ResourceState:
        (found,) = [state for state in plan if state.name == name]
        return found

    return find


@pytest.fixture
def digest() -> Callable[[Plan], Any]:
    """Return a plan's JSON, parsed."""
    from rehearsal import digests

    return lambda plan: json.loads(digests.dumps(plan))
