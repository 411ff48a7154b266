"""Every example is a stack file that is valid, rehearses clean, and makes the objects that a reviewer has read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from inference.facts.fixed_fields import fixed_fields
from inference.settings.schema import stack_file_schema
from rehearsal.render import files, objects
from tests.conftest import Golden
from tests.support.definitions import problems
from tests.support.judged import findings
from tests.support.rehearsed import rehearsed
from tests.support.stacks import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
GOLDENS = ROOT / "tests" / "goldens"

example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


@example
def test_an_example_carries_the_schema_comment_and_satisfies_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.splitlines()[0] == "# yaml-language-server: $schema=../schemas/stack.json"
    jsonschema.validate(yaml.safe_load(text), stack_file_schema())


@example
def test_readme_says_what_an_example_is_runs_on_serves_costs_and_comes_from(path: Path) -> None:
    rows = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    (row,) = (line for line in rows if line.startswith("| [") and f"(examples/{path.name})" in line)
    *_, what, machines, models, monthly, source = (cell.strip() for cell in row.strip("|").split("|"))
    assert all((what, machines, models))
    assert re.search(r"\$[0-9,]+|unknown", monthly)
    assert re.match(r"\[[^]]+\]\(https://[^)]+\)", source)


@example
def test_an_example_fits_on_one_screen(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60


@example
def test_an_example_draws_no_finding(path: Path) -> None:
    assert not findings(rehearsed(path))


def test_an_object_that_no_update_changes_is_made_anew_in_its_own_place() -> None:
    kinds = set()
    for state in rehearsed(ROOT / "examples" / "a4x-gb200.yaml"):
        _, api_version, kind = state.type.split(":")
        if "spec" in fixed_fields(api_version, kind):
            kinds.add(kind)
            assert "spec" in state.options.replace_on_changes
            assert state.options.delete_before_replace
    assert kinds == {"ComputeDomain", "ResourceClaimTemplate"}


@example
def test_an_example_registers_the_same_resources_in_preview_and_update(path: Path) -> None:
    before, during = (rehearsed(path, preview=preview) for preview in (True, False))
    assert {state.urn for state in before} == {state.urn for state in during}


@example
def test_the_objects_of_an_example_are_the_reviewed_ones(path: Path, golden: Golden) -> None:
    made = {re.sub(r"^\d+-", "", name): text for name, text in files(rehearsed(path))}
    folder = GOLDENS / path.stem
    for name, text in made.items():
        golden(folder / name, text)
    assert {file.name for file in folder.glob("*.yaml")} == set(made), "an object is gone; remove its golden"


@example
def test_every_object_of_an_example_passes_strict_validation(path: Path) -> None:
    manifests = [json.loads(json.dumps(manifest)) for _, manifest in objects(rehearsed(path))]
    found = [problem for manifest in manifests if manifest["kind"] != "Secret" for problem in problems(manifest)]
    assert not found, "\n".join(found)
