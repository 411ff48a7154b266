"""Runs Pulumi's own CLI on a copy of the project, against the stand-in cloud.

All of it lies in one folder, the home: the copy, the state, the plugins, the cloud. The project's stack files and the
user's backend, credentials and plugins are never touched, and nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO

import yaml

from inference.problems import Problem, ProblemsError
from rehearsal import stackfiles, yamlfiles
from rehearsal.cloud.model import at
from rehearsal.project import Project
from rehearsal.providers.journal import Journal

__all__ = ["INSTALL", "Home", "cli", "run"]

INSTALL = "https://www.pulumi.com/docs/iac/download-install/"

_PROJECT = "Pulumi.yaml"
_ENVIRONMENT = ".venv"
"""Folder of the virtual environment in the copy."""
_PACKAGES = ("gcp", "kubernetes")
_LEFT_OUT = (".*", "__pycache__", "build", "node_modules", "rendered", "tests", "*.pyc")
"""What a copy of the project does without."""
_SECRET_KEYS = ("encryptedkey", "encryptionsalt", "secretsprovider")
_FOREIGN = ("CLOUDSDK_", "GCLOUD_", "GOOGLE_", "KUBE", "PULUMI_", "VIRTUAL_ENV")
"""Environment variables that would lead to somebody's cloud, cluster or backend."""
_OURS = ("PULUMI_DEBUG", "PULUMI_PARALLEL")
"""Settings of the CLI that a caller may make."""


def run(project: Project, arguments: Sequence[str], home: Path | None, *, keep: bool) -> int:
    """Run the CLI once and return its exit status.

    Args:
        project: the project of the working directory.
        arguments: command and options of ``pulumi``, with ``--stack`` or ``--config-file``.
        home: folder of an earlier run to go on from; a temporary one where left out.
        keep: whether a temporary folder stays.

    Raises:
        ProblemsError: where there is no CLI or no such stack.
    """
    cli()
    rest, stack, file = _chosen(project, arguments)
    folder = home or Path(tempfile.mkdtemp(prefix=f"{project.name}-"))
    try:
        world = Home(folder.resolve(), project)
        world.prepare(stack, file)
        return world.run([*rest, "--stack", stack])
    finally:
        if home is None and not keep:
            shutil.rmtree(folder, ignore_errors=True)
        elif home is None:
            sys.stderr.write(f"Go on from here with --home {folder}\n")


def _chosen(project: Project, arguments: Sequence[str]) -> tuple[list[str], str, Path]:
    """Return arguments without the choice of the stack, the stack's name and its file."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--stack", "-s")
    parser.add_argument("--config-file", type=Path)
    chosen, rest = parser.parse_known_args(list(arguments))
    file: Path | None = chosen.config_file
    if file is None and chosen.stack is None:
        remedy = "Write `engine -- up --stack <name>`, or --config-file with a file of examples/."
        raise ProblemsError("command line", [Problem("--stack", "missing", "there may be several stacks", remedy)])
    if file is None:
        return rest, chosen.stack, stackfiles.locate(project, chosen.stack)
    return rest, chosen.stack or stackfiles.stack_of(file), file


def cli() -> str:
    """Return the path of Pulumi's CLI.

    Raises:
        ProblemsError: where there is none, with the way to get it.
    """
    found = shutil.which("pulumi")
    if found:
        return found
    why = "the real engine is part of Pulumi's CLI; the rehearsal itself needs none"
    remedy = f"Install it ({INSTALL}), or use `python -m rehearsal preview`."
    raise ProblemsError("pulumi", [Problem("pulumi", "not found on PATH", why, remedy)])


@dataclass(frozen=True)
class Home:
    """A folder in which the CLI runs; what was done in it stays for the next command."""

    folder: Path
    project: Project

    @property
    def copy(self) -> Path:
        """The copy of the project."""
        return self.folder / "project"

    @property
    def journal(self) -> Journal:
        """What the stand-in cloud was asked."""
        return Journal(self.folder / "cloud" / "journal.jsonl")

    def state(self, stack: str) -> Path:
        """Return the file of a stack's state."""
        return self.folder / "state" / ".pulumi" / "stacks" / self.project.name / f"{stack}.json"

    def prepare(self, stack: str, file: Path) -> None:
        """Bring the copy up to date and make the stack where it is new.

        Args:
            stack: name of the stack.
            file: its configuration.

        Raises:
            ProblemsError: where the configuration cannot be read, or the CLI cannot make the stack.
        """
        program = cli()
        for name in ("state", "cloud"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._copy_program()
        self._write_plugins()
        hidden = self._write_stack_file(stack, file)
        if not self.state(stack).exists():
            self._call(program, "stack", "init", stack)
            self._keep_salt(stack)
        if hidden:
            pairs = [part for path in hidden for part in ("--secret", f"{path}={stackfiles.PLACEHOLDER}")]
            self._call(program, "config", "set-all", "--stack", stack, "--path", *pairs)

    def run(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
        output: IO[str] | int | None = None,
    ) -> int:
        """Run the CLI and return its exit status; an interrupt is left to the CLI, which ends in good order.

        Args:
            arguments: command and options of ``pulumi``.
            environment: more variables, such as faults of the stand-in cloud.
            output: where both its streams go, unless to the caller's.

        Raises:
            ProblemsError: where there is no CLI.
        """
        process = self.start(arguments, environment, output)
        with _left_alone(signal.SIGINT):
            return process.wait()

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
        output: IO[str] | int | None = None,
    ) -> subprocess.Popen[str]:
        """Start the CLI as ``run`` does, and return its process.

        Raises:
            ProblemsError: where there is no CLI.
        """
        return subprocess.Popen(  # noqa: S603 - running the CLI is what was asked for
            [cli(), *arguments],
            cwd=self.copy,
            env={**self._environment(), **(environment or {})},
            stdin=None if sys.stdin and sys.stdin.isatty() else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            text=True,
        )

    def _call(self, program: str, *arguments: str) -> None:
        done = subprocess.run(  # noqa: S603 - the CLI
            [program, *arguments, "--non-interactive"],
            cwd=self.copy,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            what = f"pulumi {arguments[0]} failed"
            said = f"{done.stdout}{done.stderr}".strip()
            raise ProblemsError("pulumi", [Problem("pulumi", what, said, "Mend what it says, or take another --home.")])

    def _environment(self) -> dict[str, str]:
        """Return the environment of the CLI: no account, no cluster, no download, its own backend."""
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN) or key.startswith(_OURS)
        }
        return {
            **kept,
            "PATH": f"{self.copy / _ENVIRONMENT / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
            "PULUMI_HOME": str(self.folder / "pulumi"),
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "rehearsal",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_SKIP_CONFIRMATIONS": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
            "REHEARSAL_CLOUD": str(self.folder / "cloud"),
        }

    def _copy_program(self) -> None:
        """Copy the project as it stands, with this process's Python as its environment; files that went are gone."""
        if self.copy.exists():
            shutil.rmtree(self.copy)
        described = yamlfiles.load(self.project.root / _PROJECT, _PROJECT)
        theirs = at(described, "runtime", "options", "virtualenv")
        beside = (self.folder, self.project.root / str(theirs or ".venv"))
        patterns = shutil.ignore_patterns(*_LEFT_OUT, "Pulumi.*.yaml")

        def left_out(folder: str, names: list[str]) -> set[str]:
            return patterns(folder, names) | {name for name in names if Path(folder, name) in beside}

        shutil.copytree(self.project.root, self.copy, ignore=left_out)
        ours = {"name": "python", "options": {"virtualenv": _ENVIRONMENT}}
        described = {**(described if isinstance(described, dict) else {}), "runtime": ours}
        (self.copy / _PROJECT).write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")
        for name in ("python", "python3"):
            _script(self.copy / _ENVIRONMENT / "bin" / name, [sys.executable])
        (self.copy / _ENVIRONMENT / "pyvenv.cfg").touch()

    def _write_plugins(self) -> None:
        """Offer the providers in the versions that the SDKs ask for, so that the engine has nothing to remark."""
        root = Path(__file__).resolve().parents[1]
        for package in _PACKAGES:
            version = metadata.version(f"pulumi_{package}")
            folder = self.folder / "pulumi" / "plugins" / f"resource-{package}-v{version}"
            serve = ["env", f"PYTHONPATH={root}", sys.executable, "-P", "-m", "rehearsal.providers", package]
            _script(folder / f"pulumi-resource-{package}", serve)

    def _write_stack_file(self, stack: str, file: Path) -> list[str]:
        """Write the configuration into the copy with the home's own key; returns the paths of its secrets.

        Nobody but the owner can read the secrets of a stack file, so placeholders are set for them.
        """
        content = yamlfiles.load(file, str(file))
        content = content if isinstance(content, dict) else {}
        text = file.read_text(encoding="utf-8")
        hidden = list(_hidden(content.get("config")))
        if hidden or any(key in content for key in (*_SECRET_KEYS, "environment")):
            shown = {"config": _plain(content.get("config"))}
            text = yaml.safe_dump(shown, allow_unicode=True, sort_keys=False)
        salt = self._salt(stack).read_text(encoding="utf-8") if self._salt(stack).exists() else ""
        (self.copy / f"Pulumi.{stack}.yaml").write_text(f"{text.rstrip()}\n{salt}", encoding="utf-8")
        return hidden

    def _keep_salt(self, stack: str) -> None:
        """Keep what the CLI wrote into the stack file: the key of all secrets in the state depends on it."""
        lines = (self.copy / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8").splitlines()
        self._salt(stack).parent.mkdir(parents=True, exist_ok=True)
        salt = "".join(f"{line}\n" for line in lines if line.startswith(_SECRET_KEYS))
        self._salt(stack).write_text(salt, encoding="utf-8")

    def _salt(self, stack: str) -> Path:
        return self.folder / "salts" / stack


def _script(path: Path, command: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def _hidden(value: object, path: str = "") -> Iterator[str]:
    """Yield the paths of encrypted values, as ``pulumi config set --path`` takes them."""
    match value:
        case {"secure": str(), **rest} if not rest:
            yield path
        case dict():
            for key, inner in value.items():
                step = key if not path else f".{key}" if re.fullmatch(r"[\w-]+", key) else f"[{json.dumps(key)}]"
                yield from _hidden(inner, path + step)
        case list():
            for place, inner in enumerate(value):
                yield from _hidden(inner, f"{path}[{place}]")
        case _:
            return


def _plain(value: object) -> object:
    """Return a configuration with a placeholder for each encrypted value."""
    match value:
        case {"secure": str(), **rest} if not rest:
            return stackfiles.PLACEHOLDER
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case _:
            return value


@contextmanager
def _left_alone(number: signal.Signals) -> Iterator[None]:
    """Leave a signal to the child, which gets it too."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)
