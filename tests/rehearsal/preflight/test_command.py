"""The command: what it says where it cannot run, and what its exit status means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rehearsal import cli
from rehearsal.preflight import google_cloud, running
from tests.rehearsal.preflight.conftest import FakeCloud
from tests.support.stacks import ROOT


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture
def answering(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    """A logged-in caller in front of a project that answers."""
    monkeypatch.setattr(google_cloud, "load", lambda: None)
    monkeypatch.setattr(google_cloud, "credentials", lambda project: project)
    monkeypatch.setattr(google_cloud, "GoogleCloud", lambda libraries, credentials: cloud)
    return cloud


def test_all_is_there_ends_with_zero(answering: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["preflight", "--stack", "prod"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Preflight of prod against my-project-prod\n")
    assert text.splitlines()[-1].startswith("Ready – ")
    assert "0 wrong, 0 could not be asked" in text


def test_something_missing_ends_with_two(answering: FakeCloud, capsys: pytest.CaptureFixture[str]) -> None:
    answering.reservations.clear()
    assert cli.main(["preflight", "--stack", "prod", "--format", "json"]) == 2
    record = json.loads(capsys.readouterr().out)
    (wrong,) = [check for check in record["checks"] if check["answer"] == "wrong"]
    assert wrong["repair"].startswith("gcloud compute reservations create h200-inference")


def test_a_plan_of_any_program_can_be_compared(
    answering: FakeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    urn = "urn:pulumi:dev::theirs::gcp:compute/network:Network::net"
    state = {"urn": urn, "custom": True, "inputs": {"project": "theirs"}}
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"steps": [{"op": "create", "urn": urn, "newState": state}]}), encoding="utf-8")
    assert cli.main(["preflight", "--preview", str(plan)]) == 0
    assert "quota: NETWORKS: limit 100,000, 0 in use, needs 1\n" in capsys.readouterr().out


def test_a_program_without_a_project_is_refused(
    answering: FakeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"steps": []}), encoding="utf-8")
    assert cli.main(["preflight", "--preview", str(plan)]) == 1
    assert "names no Google Cloud project" in capsys.readouterr().err


def test_nobody_logged_in_ends_with_one_and_says_how(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("google.auth", reason="requirements-preflight.txt is not installed")
    monkeypatch.setattr(google_cloud, "load", lambda: None)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    assert cli.main(["preflight", "--stack", "dev"]) == 1
    assert "Run gcloud auth application-default login" in capsys.readouterr().err


def test_a_form_that_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["preflight", "--stack", "dev", "--format", "xml"]) == 1
    assert "Use one of text, json" in capsys.readouterr().err


def test_the_statuses_are_those_that_the_command_line_documents() -> None:
    empty = running.Preflight(stack="dev", projects=(), checks=(), notes=())
    assert running.status(empty) == cli.Status.CLEAN
