"""The pack judges files that no program of ours made, and says where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from inference.problems import ProblemsError
from rehearsal import digests
from rehearsal.cli import app
from rehearsal.sources import read
from tests.support.rehearsed import rehearsed, standing

WRONG = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: harmless}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat}
spec:
  selector: {matchLabels: {app: chat}}
  template:
    metadata:
      labels: {app: chat}
      annotations:
        networking.gke.io/interfaces: '[{"interfaceName":"eth2","network":"rdma-0"}]'
    spec:
      containers:
        - name: vllm
          image: vllm/vllm-openai:v0.32.0
          resources: {limits: {nvidia.com/gpu: 8}}
"""


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["judge", *arguments])
    return result.exit_code, result.output


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "chat.yaml"
    path.write_text(WRONG, encoding="utf-8")
    return path


def test_a_violation_in_a_manifest_is_told_with_file_and_line(wrong: Path) -> None:
    status, output = run(str(wrong))
    assert status == 2
    assert f"{wrong}:5: mandatory rdma-pod-takes-all-interfaces" in output


def test_findings_as_json_carry_policy_place_and_message(wrong: Path) -> None:
    _, output = run(str(wrong), "--format", "json")
    (found,) = [f for f in json.loads(output) if f["policy"] == "rdma-pod-takes-all-interfaces"]
    assert (found["file"], found["line"], found["level"]) == (str(wrong), 5, "mandatory")


def test_sarif_names_every_rule_that_it_reports(wrong: Path) -> None:
    _, output = run(str(wrong), "--format", "sarif")
    (log,) = json.loads(output)["runs"]
    rules = [rule["id"] for rule in log["tool"]["driver"]["rules"]]
    assert log["results"]
    for result in log["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 5


def test_sarif_names_files_from_the_working_directory_as_code_scanning_asks(
    wrong: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spaced = tmp_path / "my objects" / "chat.yaml"
    spaced.parent.mkdir()
    spaced.write_text(WRONG, encoding="utf-8")

    def places(file: Path | str) -> set[str]:
        (log,) = json.loads(run(str(file), "--format", "sarif")[1])["runs"]
        return {each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in log["results"]}

    monkeypatch.chdir(tmp_path)
    assert places(spaced) == places("./my objects/chat.yaml") == {"my%20objects/chat.yaml"}
    monkeypatch.chdir(spaced.parent)
    assert places(wrong) == {wrong.as_uri()}


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_digest_of_a_standing_stack_is_clean(stack: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(digests.dumps(rehearsed(standing(stack))), encoding="utf-8")
    status, output = run(str(path))
    assert status == 0, output


def test_an_exported_state_is_judged_as_its_program_would_be(tmp_path: Path) -> None:
    steps = json.loads(digests.dumps(rehearsed(standing("prod"))))["steps"]
    resources = [step["newState"] for step in steps]
    (group,) = [r for r in resources if r["type"].endswith(":LeaderWorkerSet")]
    group["inputs"]["spec"]["leaderWorkerTemplate"]["restartPolicy"] = "None"
    group["outputs"] = group["inputs"]
    path = tmp_path / "state.json"
    path.write_text(json.dumps({"version": 3, "deployment": {"resources": resources}}), encoding="utf-8")
    status, output = run(str(path))
    assert status == 2, output
    assert "restartPolicy" in output


DEFINITION = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
DEFAULT = "urn:pulumi:dev::p::pulumi:providers:kubernetes::default_4_23_0::04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def digest(path: Path, **options: Any) -> str:
    """Write a preview of one definition as the engine's own command line does, and judge it."""
    inputs = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {"group": "example.com", "names": {"kind": "Thing", "plural": "things"}},
    }
    urn = f"urn:pulumi:dev::p::{DEFINITION}::things"
    state = {"urn": urn, "custom": True, "type": DEFINITION, "inputs": inputs, "outputs": inputs, **options}
    path.write_text(json.dumps({"steps": [{"op": "create", "urn": urn, "newState": state}]}), encoding="utf-8")
    return run(str(path))[1]


def test_the_options_of_a_digest_reach_the_rules(tmp_path: Path) -> None:
    assert "definition-outlives-program" in digest(tmp_path / "plain.json")
    assert "definition-outlives-program" not in digest(tmp_path / "kept.json", retainOnDelete=True)
    assert "definition-outlives-program" not in digest(tmp_path / "guarded.json", protect=True)


def test_a_default_provider_that_a_digest_only_refers_to_is_known(tmp_path: Path) -> None:
    assert "pulumi-provider-explicit" in digest(tmp_path / "default.json", provider=DEFAULT)
    explicit = DEFAULT.replace("default_4_23_0", "platform")
    assert "pulumi-provider-explicit" not in digest(tmp_path / "explicit.json", provider=explicit)
    assert "pulumi-provider-explicit" not in digest(tmp_path / "none.json")


def test_a_list_of_objects_counts_each_of_them(tmp_path: Path) -> None:
    documents = list(yaml.safe_load_all(WRONG))
    path = tmp_path / "list.yaml"
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": documents}), encoding="utf-8")
    assert len(read([path]).plan.steps) == 2


def test_a_folder_is_read_as_one_stack(tmp_path: Path, wrong: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "second.yml").write_text(WRONG.replace("chat", "talk"), encoding="utf-8")
    assert len(read([tmp_path]).plan.steps) == 4


def test_a_template_that_is_not_rendered_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text("apiVersion: v1\nkind: {{ .Values.kind }}\n", encoding="utf-8")
    with pytest.raises(ProblemsError, match=r"template\.yaml:2 — not YAML"):
        list(read([path]).plan)


def test_a_missing_file_and_a_strange_form_are_told_in_words(tmp_path: Path) -> None:
    status, output = run(str(tmp_path / "nowhere.yaml"))
    assert (status, "no such file or folder" in output) == (1, True)
    status, output = run(str(tmp_path), "--format", "xml")
    assert (status, "Use one of text, json, sarif" in output) == (1, True)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["apiVersion", "kind", "metadata", "spec", "items", "data"]), json_values))
def test_no_document_crashes_the_judge(tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("any") / "any.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    status, output = run(str(path))
    assert status in {0, 2}, output
