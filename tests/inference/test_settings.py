"""Stack file, schema, models and reference page say the same."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import yaml

from inference.settings.reference import settings_reference
from inference.settings.schema import stack_file_schema
from tests.conftest import Golden
from tests.support.stacks import ROOT, STANDING

SCHEMA = ROOT / "schemas" / "stack.json"


def test_the_schema_is_the_one_of_the_models(golden: Golden) -> None:
    golden(SCHEMA, json.dumps(stack_file_schema(), indent=2) + "\n")


def test_the_reference_page_is_the_one_of_the_models(golden: Golden) -> None:
    golden(ROOT / "docs" / "settings.md", settings_reference())


def document(stack: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))
    return loaded


@pytest.mark.parametrize("stack", STANDING)
def test_a_standing_stack_carries_the_schema_comment_and_satisfies_it(stack: str) -> None:
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
    assert text.splitlines()[0] == "# yaml-language-server: $schema=schemas/stack.json"
    jsonschema.validate(document(stack), stack_file_schema())


@pytest.mark.parametrize("stack", STANDING)
def test_a_standing_stack_fits_on_one_screen(stack: str) -> None:
    assert len((ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8").splitlines()) <= 60


@pytest.mark.parametrize(
    "path",
    [
        "config.gke-inference:clustr",
        "config.gke-inference:cluster.projekt",
        "config.gke-inference:pools.t4.gpus",
        "stack",
    ],
)
def test_the_schema_refuses_a_key_that_the_models_do_not_have(path: str) -> None:
    config = document("dev")
    *way, last = path.split(".")
    place = config
    for key in way:
        place = place[key]
    place[last] = {}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(config, stack_file_schema())


def test_the_schema_leaves_the_configuration_of_others_alone() -> None:
    config = document("dev")
    config["config"]["gcp:project"] = "my-project"
    jsonschema.validate(config, stack_file_schema())


def test_every_setting_has_a_description() -> None:
    missing = [
        f"{name}.{key}"
        for name, definition in stack_file_schema()["$defs"].items()
        for key, part in definition.get("properties", {}).items()
        if not part.get("description") and "$ref" not in part
    ]
    assert not missing
