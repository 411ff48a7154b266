"""The workflows: pinned, few permissions, and no code of a stranger runs with a token that writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.support.stacks import ROOT

FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
WORKFLOWS = {path.name: path.read_text(encoding="utf-8") for path in FILES}


def parsed(name: str) -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load(WORKFLOWS[name])
    return content


def triggers(name: str) -> set[str]:
    events = parsed(name)[True]  # YAML 1.1 reads the key on as a boolean
    return {events} if isinstance(events, str) else set(events)


def jobs(name: str) -> Iterator[dict[str, Any]]:
    yield from parsed(name)["jobs"].values()


def steps(name: str) -> Iterator[dict[str, Any]]:
    for job in jobs(name):
        yield from job.get("steps", ())


def test_there_is_a_review_and_what_posts_it() -> None:
    assert {"preview.yml", "comment.yml"} <= set(WORKFLOWS)
    assert triggers("preview.yml") == {"pull_request"}
    assert parsed("comment.yml")[True]["workflow_run"]["workflows"] == [parsed("preview.yml")["name"]]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_by_commit_with_its_version_beside_it(name: str) -> None:
    used = re.findall(r"uses:\s*(\S+)(.*)", WORKFLOWS[name])
    assert len(used) == sum("uses" in step for step in steps(name)) > 0
    for action, rest in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r"\s+# v\d+\.\d+\.\d+", rest), action


def test_jobs_in_the_documentation_use_what_the_workflows_use() -> None:
    pinned = {line.strip() for text in WORKFLOWS.values() for line in re.findall(r"uses: .*", text)}
    pages = [path.read_text(encoding="utf-8") for path in ROOT.glob("docs/*.md")]
    shown = {line.strip() for text in pages for line in re.findall(r"^ +- (uses: .*)", text, re.MULTILINE)}
    assert shown
    assert shown <= pinned


@pytest.mark.parametrize("name", WORKFLOWS)
def test_permissions_are_none_but_those_that_a_job_names(name: str) -> None:
    assert parsed(name)["permissions"] == {}
    assert all(isinstance(job["permissions"], dict) for job in jobs(name))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_nothing_is_written_into_a_script_that_others_choose(name: str) -> None:
    for step in steps(name):
        scripts = [step.get("run", ""), step.get("with", {}).get("script", "")]
        assert not any("${{" in script for script in scripts)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_strangers_code_never_runs_with_secrets_or_a_token_that_writes(name: str) -> None:
    assert "pull_request_target" not in triggers(name)
    assert "secrets." not in WORKFLOWS[name]
    if "pull_request" not in triggers(name):
        return
    for job in jobs(name):
        writing = {scope for scope, access in job["permissions"].items() if access == "write"}
        assert writing <= {"id-token"}
        if writing:
            assert "head.repo.full_name == github.repository" in job["if"]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_credentials_stay_in_a_checkout(name: str) -> None:
    for step in steps(name):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_what_may_write_runs_nothing_of_the_pull_request() -> None:
    for name in WORKFLOWS:
        if "workflow_run" not in triggers(name):
            continue
        allowed = ("actions/download-artifact@", "actions/github-script@")
        assert all(step.get("uses", "").startswith(allowed) for step in steps(name))
        assert {scope for job in jobs(name) for scope, access in job["permissions"].items() if access == "write"} == {
            "pull-requests"
        }


def test_the_review_and_its_comment_know_each_other_by_the_same_mark() -> None:
    from rehearsal.review.markdown import LIMIT, MARKER

    assert MARKER in WORKFLOWS["comment.yml"]
    assert str(LIMIT) in WORKFLOWS["comment.yml"]
