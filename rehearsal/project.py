"""The project's own file, ``Pulumi.yaml``: its name, its program, its configuration keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from inference.problems import Problem, ProblemsError
from rehearsal import yamlfiles

__all__ = ["Project", "find"]

_FILE = "Pulumi.yaml"


@dataclass(frozen=True, slots=True)
class Project:
    """A Pulumi project in Python."""

    root: Path
    """Folder of ``Pulumi.yaml``."""
    name: str
    main: Path
    """Folder or file of the program."""
    defaults: Mapping[str, object]
    """Values of configuration keys that a stack may leave out, by full key."""
    required: tuple[str, ...]
    """Full keys that a stack has to set."""

    def qualified(self, key: str) -> str:
        """Return a configuration key with its namespace; the project's own where it names none."""
        return key if ":" in key else f"{self.name}:{key}"


def find(start: Path) -> Project:
    """Return the project of a folder or of the nearest folder above it.

    Raises:
        ProblemsError: where there is none, or it is not one in Python.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / _FILE).is_file():
            return _read(folder)
    problem = Problem(
        _FILE, "not found here or in a folder above", "this is not a Pulumi project", "Change to the project's folder."
    )
    raise ProblemsError(str(start), [problem])


def _read(root: Path) -> Project:
    raw = yamlfiles.load(root / _FILE, _FILE)
    content = raw if isinstance(raw, dict) else {}
    runtime = content.get("runtime")
    runtime = runtime.get("name") if isinstance(runtime, dict) else runtime
    problems = []
    name = content.get("name")
    if not isinstance(name, str) or not name:
        problems.append(Problem(f"{_FILE}: name", "missing", "every URN contains it", "Write name: <project>."))
    if runtime != "python":
        why = "the rehearsal runs programs in Python"
        problems.append(Problem(f"{_FILE}: runtime", f"is {runtime!r}", why, "Write runtime: python."))
    main = root / str(content.get("main") or ".")
    if not (main.is_file() or (main / "__main__.py").is_file()):
        why = "there is nothing to run"
        problems.append(Problem(f"{_FILE}: main", f"no program at {main.name or '.'}", why, "Add a __main__.py."))
    if problems:
        raise ProblemsError(_FILE, problems)
    declared = content.get("config")
    declared = declared if isinstance(declared, dict) else {}
    keys = {key if ":" in key else f"{name}:{key}": value for key, value in declared.items()}
    defaults = {}
    required = []
    for key, value in keys.items():
        if not isinstance(value, dict):
            defaults[key] = value
        elif "value" in value or "default" in value:
            defaults[key] = value.get("value", value.get("default"))
        elif "type" in value:
            required.append(key)
    return Project(root, str(name), main, defaults, tuple(required))
