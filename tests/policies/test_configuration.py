"""A policy configuration is right, or everything that is wrong with it is said at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pulumi.runtime.proto import analyzer_pb2

from inference.problems import ProblemsError
from inference.rules.registry import RULES
from policies import configuration
from policies.servicer import in_process_servicer
from tests.conftest import Golden
from tests.policies.samples import SOUND

FOLDER = Path(configuration.__file__).parent
RIGHT: list[dict[str, Any]] = [
    {},
    {"all": "advisory"},
    {"all": {"enforcementLevel": "mandatory"}, "sample-pool-is-small": "disabled"},
    {"sample-pool-is-small": {"maxNodes": 4}},
    {"sample-pool-is-small": {"maxNodes": 4.0, "maxPrice": 3, "spotOnly": True, "zones": []}},
    {"sample-pool-is-small": {"enforcementLevel": "remediate", "zones": ["a", "b"]}},
    {"environments": ["org/prod"], "sample-image-is-pinned": {}},
]
WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown policy": ({"sample-pool-is-smal": "advisory"}, "sample-pool-is-smal", "sample-pool-is-small"),
    "a policy unlike any": ({"zzz": "advisory"}, "zzz", "sample-image-is-pinned, sample-pool-is-small"),
    "an unknown level": ({"all": "strict"}, "all", "advisory, mandatory"),
    "an unknown level in a map": (
        {"sample-pool-is-small": {"enforcementLevel": "strict"}},
        "sample-pool-is-small.enforcementLevel",
        "disabled",
    ),
    "a level that is no text": (
        {"sample-pool-is-small": {"enforcementLevel": ["advisory"]}},
        "sample-pool-is-small.enforcementLevel",
        "disabled",
    ),
    "an unknown parameter": ({"sample-pool-is-small": {"maxNode": 4}}, "sample-pool-is-small.maxNode", "maxNodes"),
    "the name of the field": ({"sample-pool-is-small": {"max_nodes": 4}}, "sample-pool-is-small.max_nodes", "maxNodes"),
    "a parameter of a policy without": (
        {"sample-image-is-pinned": {"a": 1}},
        "sample-image-is-pinned.a",
        "no parameters",
    ),
    "text for a number": (
        {"sample-pool-is-small": {"maxNodes": "4"}},
        "sample-pool-is-small.maxNodes",
        "a whole number",
    ),
    "a fraction for a whole number": (
        {"sample-pool-is-small": {"maxNodes": 4.5}},
        "sample-pool-is-small.maxNodes",
        "for example 8",
    ),
    "a boolean for a number": (
        {"sample-pool-is-small": {"maxPrice": True}},
        "sample-pool-is-small.maxPrice",
        "a number",
    ),
    "a number for a boolean": (
        {"sample-pool-is-small": {"spotOnly": 1}},
        "sample-pool-is-small.spotOnly",
        "true or false",
    ),
    "text for a list": ({"sample-pool-is-small": {"zones": "a"}}, "sample-pool-is-small.zones", "a list of strings"),
    "a list of numbers": ({"sample-pool-is-small": {"zones": [1]}}, "sample-pool-is-small.zones", "a list of strings"),
    "parameters of all": ({"all": {"maxNodes": 4}}, "all", "under the policy they belong to"),
    "neither level nor map": ({"sample-pool-is-small": 4}, "sample-pool-is-small", "advisory"),
    "environments that are none": ({"environments": "prod"}, "environments", "Write a list"),
}


@pytest.mark.parametrize("given", RIGHT, ids=json.dumps)
def test_what_is_right_is_accepted_by_the_check_and_by_the_schema(given: dict[str, Any]) -> None:
    assert configuration.check(given, SOUND) == ()
    if not isinstance(given.get("all"), dict):
        jsonschema.validate(given, configuration.schema(SOUND))


@pytest.mark.parametrize(("given", "where", "remedy"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_with_a_remedy_and_refused_by_the_schema(
    given: dict[str, Any], where: str, remedy: str
) -> None:
    (problem,) = configuration.check(given, SOUND)

    assert problem.where == where
    assert remedy in problem.remedy
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(given, configuration.schema(SOUND))


def test_the_value_that_was_found_is_shown() -> None:
    (problem,) = configuration.check({"sample-pool-is-small": {"zones": ["a", 2]}}, SOUND)
    assert '["a", 2] is not a list of strings' in problem.what


def test_all_problems_of_a_file_are_said_at_once_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(dict.fromkeys(("all", "sample-image-is-pinned", "other-thing-here"), "nonsense")))

    with pytest.raises(ProblemsError, match="3 problems") as error:
        configuration.load(path, SOUND)

    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON: Expecting property name"),
        ("[]", r"holds \[\]"),
        ('{"all": "advisory", "all": "mandatory"}', "all — is written twice"),
        ('{"sample-pool-is-small": {"maxNodes": NaN}}', "NaN is not a whole number"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)

    with pytest.raises(ProblemsError, match=said):
        configuration.load(path, SOUND)


def test_a_file_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match="cannot be read"):
        configuration.load(tmp_path / "config.json", SOUND)


def test_an_empty_file_configures_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("\n")

    assert configuration.load(path, SOUND) == {}


def test_a_file_is_returned_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    given = {"all": "advisory", "sample-pool-is-small": {"maxNodes": 3}}
    path.write_text(json.dumps(given))

    assert configuration.load(path, SOUND) == given


def test_the_pack_is_told_every_level_and_every_parameter_as_the_engine_does_it() -> None:
    message = configuration.request(
        {"all": "disabled", "sample-pool-is-small": {"enforcementLevel": "advisory", "zones": ["mars"]}}, SOUND
    )

    assert set(message.policyConfig) == {rule.name for rule in SOUND}
    assert message.policyConfig["sample-image-is-pinned"].enforcementLevel == analyzer_pb2.DISABLED
    told = message.policyConfig["sample-pool-is-small"]
    assert told.enforcementLevel == analyzer_pb2.ADVISORY
    assert told.properties["maxNodes"] == 8
    assert list(told.properties["zones"]) == ["mars"]  # type: ignore[arg-type]


def test_a_map_without_a_level_keeps_the_level_of_the_rule() -> None:
    message = configuration.request({"sample-object-has-owner": {}, "sample-pool-is-small": {"maxNodes": 1}}, SOUND)

    assert message.policyConfig["sample-object-has-owner"].enforcementLevel == analyzer_pb2.ADVISORY
    assert message.policyConfig["sample-pool-is-small"].enforcementLevel == analyzer_pb2.MANDATORY


def test_a_servicer_with_a_wrong_configuration_is_not_made() -> None:
    with pytest.raises(ProblemsError, match="there is no such policy"):
        in_process_servicer({"sample-pool-is-smal": "advisory"}, SOUND)


@pytest.mark.parametrize("name", ["config.dev.json", "config.prod.json"])
def test_the_standing_configurations_are_right(name: str) -> None:
    given = configuration.load(FOLDER / name, RULES)
    jsonschema.validate(given, configuration.schema(RULES))


def test_the_schema_of_the_configuration_is_fresh(golden: Golden) -> None:
    schema = configuration.schema(RULES)
    jsonschema.Draft202012Validator.check_schema(schema)
    golden(FOLDER / "config.schema.json", json.dumps(schema, indent=2, ensure_ascii=False) + "\n")
