"""The real CLI on one stack, in a folder of its own, with the stand-in cloud's journal at hand."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rehearsal import project, urns
from rehearsal.enginerun import Home
from rehearsal.providers.journal import Entry
from rehearsal.providers.world import Record, World
from tests.support.stacks import ROOT
from tests.support.variants import Config, written

__all__ = ["SECRET", "Done", "Stage", "files_with", "kill", "records"]

SECRET = "rehearsed-value-of-"  # noqa: S105 - how every secret value of the stand-in begins
_CHANGES = ("create", "update", "delete")


@dataclass(frozen=True)
class Done:
    """What one command did."""

    status: int
    text: str
    """Everything it printed."""
    entries: tuple[Entry, ...]
    """What it asked of the stand-in cloud."""

    def changed(self, *operations: str) -> list[tuple[str, str]]:
        """Return operation and URN of what succeeded, in order; looks and questions are left out."""
        wanted = operations or _CHANGES
        return [(e.operation, e.urn) for e in self.entries if e.phase == "end" and e.operation in wanted]

    @property
    def json(self) -> Any:
        """The text as JSON, from its first brace on."""
        return json.loads(self.text[self.text.index("{") :])


@dataclass
class Stage:
    """One stack of the project in one folder."""

    folder: Path
    stack: str
    home: Home = field(init=False)

    def __post_init__(self) -> None:
        self.home = Home(self.folder / "home", project.find(ROOT))

    def configure(self, config: Config) -> None:
        """Bring program and configuration up to date."""
        self.home.prepare(self.stack, written(config, self.folder / f"Pulumi.{self.stack}.yaml"))

    def run(self, command: str, *arguments: str, **environment: str) -> Done:
        """Run a command to its end."""
        before = len(self.home.journal.read())
        with tempfile.TemporaryFile("w+") as output:
            status = self.home.run(self._line(command, *arguments), environment, output)
            output.seek(0)
            return Done(status, output.read(), self.home.journal.read()[before:])

    def start(self, command: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command and go on."""
        return self.home.start(self._line(command, *arguments), environment, subprocess.DEVNULL)

    def _line(self, command: str, *arguments: str) -> list[str]:
        return [*command.split(), "--stack", self.stack, "--non-interactive", "--color", "never", *arguments]

    @property
    def world(self) -> World:
        """The stand-in cloud."""
        return World(self.home.folder / "cloud")

    def state(self) -> list[Mapping[str, Any]]:
        """Return the resources of the state."""
        checkpoint = json.loads(self.home.state(self.stack).read_text(encoding="utf-8"))["checkpoint"]
        found: list[Mapping[str, Any]] = (checkpoint["latest"] or {}).get("resources") or []
        return found

    def normal(self) -> tuple[Any, Any]:
        """Return state and stand-in cloud with the engine's and the providers' own inventions taken out."""
        state = self.state()
        invented = {r["id"] for r in state if r["type"].startswith("pulumi:providers:")}
        names = {
            r["inputs"]["name"]: f"<{urns.parse(r['urn']).name}>"
            for r in state
            if "name" in r.get("inputs", {}).get("__defaults", ())
        }
        for text in invented:
            names[text] = "<id>"
        kept = ("urn", "id", "inputs", "outputs", "parent", "dependencies", "provider", "protect", "custom")
        listed = [{key: _sorted(r.get(key)) for key in kept} for r in state]
        world = sorted((record.urn, record.type, record.cluster, record.revision) for record in self.world)
        return _renamed(json.dumps(sorted(listed, key=lambda r: str(r["urn"]))), names), world


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        if "ciphertext" in value:
            return "[secret]"
        return {key: _sorted(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list) and all(isinstance(inner, str) for inner in value):
        return sorted(value)
    return [_sorted(inner) for inner in value] if isinstance(value, list) else value


def _renamed(text: str, names: Mapping[str, str]) -> Any:
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, names[name])
    return json.loads(text)


def records(stage: Stage, kind: str) -> list[Record]:
    """Return what stands of a kind."""
    return [record for record in stage.world if record.type.endswith(kind)]


def files_with(folder: Path, *texts: str) -> Iterator[str]:
    """Yield the files of a folder that hold one of some texts, plain or in base64."""
    encoded = [base64.b64encode(text.encode())[: len(text) // 3 * 4] for text in texts]
    wanted = [*(text.encode() for text in texts), *encoded]
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            if any(text in content for text in wanted):
                yield str(path.relative_to(folder))


def kill(process: subprocess.Popen[str]) -> None:
    """End a process at once, as a machine that fails does."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
