"""How the real CLI is called, seen from a CLI that only notes how it was called."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from inference.problems import ProblemsError
from rehearsal import enginerun, project
from rehearsal.enginerun import Home
from rehearsal.stackfiles import PLACEHOLDER
from tests.rehearsal.conftest import Throwaway

CLI = """#!{python}
import json, os, pathlib, sys
noted = {{"arguments": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()}}
with open({log!r}, "a") as file:
    file.write(json.dumps(noted) + "\\n")
if sys.argv[1:3] == ["stack", "init"]:
    file = pathlib.Path(f"Pulumi.{{sys.argv[3]}}.yaml")
    file.write_text(file.read_text() + "encryptionsalt: v1:made-by-the-cli\\n")
    state = pathlib.Path(os.environ["PULUMI_BACKEND_URL"].removeprefix("file://"), ".pulumi/stacks/house")
    state.mkdir(parents=True)
    (state / f"{{sys.argv[3]}}.json").touch()
sys.exit(7 if "fail" in sys.argv else 0)
"""

Calls = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Put a noting CLI on PATH; returns its notes."""
    program, log = tmp_path / "bin" / "pulumi", tmp_path / "calls"
    program.parent.mkdir()
    program.write_text(CLI.format(python=sys.executable, log=str(log)), encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return lambda: [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def home_of(house: Throwaway, folder: Path) -> Home:
    return Home(folder, project.find(house.root))


def test_without_a_cli_it_says_how_to_get_one(project: Throwaway, tmp_path: Path) -> None:
    done = project.command("engine", "--", "up", "--stack", "dev", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "not found on PATH" in done.stderr
    assert enginerun.INSTALL in done.stderr


def test_without_a_stack_it_asks_for_one(project: Throwaway, calls: Calls) -> None:
    done = project.command("engine", "--", "up")
    assert done.returncode == 1
    assert "--stack" in done.stderr


def test_an_unknown_stack_is_named_with_those_that_there_are(project: Throwaway, calls: Calls) -> None:
    done = project.command("engine", "--", "up", "--stack", "dve")
    assert done.returncode == 1
    assert 'Did you mean "dev"?' in done.stderr


def test_the_command_goes_to_the_cli_and_its_status_comes_back(project: Throwaway, calls: Calls) -> None:
    assert project.command("engine", "--", "up", "--stack", "dev", "--diff").returncode == 0
    assert project.command("engine", "--", "fail", "-s", "dev").returncode == 7
    first, second = (call["arguments"] for call in calls() if call["arguments"][:1] != ["stack"])
    assert first == ["up", "--diff", "--stack", "dev"]
    assert second == ["fail", "--stack", "dev"]


def test_a_temporary_folder_goes_unless_it_is_kept(project: Throwaway, calls: Calls) -> None:
    project.command("engine", "--", "up", "--stack", "dev")
    kept = project.command("engine", "--keep", "--", "up", "--stack", "dev")
    folders = [Path(call["folder"]).parent for call in calls() if call["arguments"][0] == "up"]
    assert [folder.exists() for folder in folders] == [False, True]
    assert f"--home {folders[1]}" in kept.stderr


def test_a_folder_of_its_own_is_gone_on_from(project: Throwaway, calls: Calls, tmp_path: Path) -> None:
    for _ in range(2):
        project.command("engine", "--home", str(tmp_path / "home"), "--", "up", "--stack", "dev")
    assert [call["arguments"][0] for call in calls()] == ["stack", "up", "up"]
    salted = (tmp_path / "home" / "project" / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    assert salted == "config: {}\nencryptionsalt: v1:made-by-the-cli\n"


def test_another_stack_file_is_taken_under_the_name_of_the_stack(
    project: Throwaway, calls: Calls, tmp_path: Path
) -> None:
    project.write({"examples/big.yaml": "config:\n  house:size: 3\n"})
    home = tmp_path / "home"
    project.command("engine", "--home", str(home), "--", "up", "--config-file", "examples/big.yaml")
    assert calls()[-1]["arguments"] == ["up", "--stack", "big"]
    assert yaml.safe_load((home / "project" / "Pulumi.big.yaml").read_text())["config"] == {"house:size": 3}


def test_nothing_of_the_users_own_accounts_reaches_the_cli(
    project: Throwaway, calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = ("PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG", "GOOGLE_CREDENTIALS", "CLOUDSDK_CORE_PROJECT", "KUBECONFIG")
    for name in foreign:
        monkeypatch.setenv(name, "mine")
    home = home_of(project, tmp_path / "home")
    home.prepare("dev", project.root / "Pulumi.dev.yaml")
    home.run(["up"], {"REHEARSAL_FAIL_CREATE": "x"})
    environment = calls()[-1]["environment"]
    assert not [name for name in foreign if name in environment]
    assert environment["PULUMI_BACKEND_URL"] == (tmp_path / "home" / "state").as_uri()
    assert environment["PULUMI_HOME"] == str(tmp_path / "home" / "pulumi")
    assert environment["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
    assert environment["REHEARSAL_FAIL_CREATE"] == "x"


def test_the_project_itself_is_never_written(project: Throwaway, calls: Calls, tmp_path: Path) -> None:
    project.write(
        {".venv/bin/python": "theirs", ".secret": "theirs", "pkg/module.py": "", "Pulumi.prod.yaml": "config: {}"}
    )
    before = {path: path.read_bytes() for path in project.root.rglob("*") if path.is_file()}
    home = home_of(project, project.root / "engine-home")
    for _ in range(2):
        home.prepare("dev", project.root / "Pulumi.dev.yaml")
    after = {path: path.read_bytes() for path in before}
    assert after == before
    copied = {str(path.relative_to(home.copy)) for path in home.copy.rglob("*") if path.is_file()}
    assert copied == {
        ".venv/bin/python",
        ".venv/bin/python3",
        ".venv/pyvenv.cfg",
        "Pulumi.dev.yaml",
        "Pulumi.yaml",
        "__main__.py",
        "pkg/module.py",
    }
    assert "theirs" not in (home.copy / ".venv/bin/python").read_text(encoding="utf-8")


@pytest.mark.parametrize("place", ["envs/own", "../own", "{tmp}/own"])
def test_whatever_environment_the_project_names_the_copy_has_this_python(
    project: Throwaway, calls: Calls, tmp_path: Path, place: str
) -> None:
    place = place.format(tmp=tmp_path)
    described = {"name": "house", "runtime": {"name": "python", "options": {"virtualenv": place}}}
    project.write({"Pulumi.yaml": yaml.safe_dump(described), f"{place}/bin/python": "theirs"})
    home = home_of(project, tmp_path / "home")
    home.prepare("dev", project.root / "Pulumi.dev.yaml")
    assert (project.root / place / "bin" / "python").read_text(encoding="utf-8") == "theirs"
    assert not (home.copy / "envs" / "own").exists()
    assert yaml.safe_load((home.copy / "Pulumi.yaml").read_text())["runtime"]["options"]["virtualenv"] == ".venv"
    assert sys.executable in (home.copy / ".venv" / "bin" / "python").read_text(encoding="utf-8")
    assert calls()[-1]["environment"]["PATH"].startswith(str(home.copy / ".venv" / "bin"))


def test_a_file_that_the_project_lost_is_gone_from_the_copy(project: Throwaway, calls: Calls, tmp_path: Path) -> None:
    home = home_of(project, tmp_path / "home")
    project.write({"old.py": ""})
    home.prepare("dev", project.root / "Pulumi.dev.yaml")
    (project.root / "old.py").unlink()
    home.prepare("dev", project.root / "Pulumi.dev.yaml")
    assert not (home.copy / "old.py").exists()


def test_encrypted_values_are_set_anew_as_secrets(project: Throwaway, calls: Calls, tmp_path: Path) -> None:
    text = """
    encryptionsalt: v1:of-another-home
    config:
      house:token: { secure: AAA }
      house:tree: { a.b: [x, { secure: BBB }], c: 1 }
    """
    project.write({"Pulumi.dev.yaml": text})
    home = home_of(project, tmp_path / "home")
    home.prepare("dev", project.root / "Pulumi.dev.yaml")
    (call,) = (call["arguments"] for call in calls() if call["arguments"][0] == "config")
    assert f"house:token={PLACEHOLDER}" in call
    assert f'house:tree["a.b"][1]={PLACEHOLDER}' in call
    written = (home.copy / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    assert "AAA" not in written
    assert "of-another-home" not in written
    assert yaml.safe_load(written)["config"]["house:tree"]["c"] == 1


def test_what_the_cli_refuses_is_passed_on(project: Throwaway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'error: the disk is full' >&2\nexit 255\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    with pytest.raises(ProblemsError, match="the disk is full"):
        home_of(project, tmp_path / "home").prepare("dev", project.root / "Pulumi.dev.yaml")
