"""Kubernetes objects as files: complete, stable, without secrets, and never over somebody else's files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from inference.problems import ProblemsError
from rehearsal.plan import Plan
from rehearsal.render import render
from tests.rehearsal.conftest import Throwaway

SOURCE = """
o = O(provider=objects)
kubernetes.core.v1.Namespace("ns", metadata={"name": "models"}, opts=o)
kubernetes.core.v1.Secret("key", metadata={"name": "key", "namespace": "models"},
                          string_data={"key": pulumi.Output.secret("hunter2-hunter2")}, opts=o)
kubernetes.core.v1.ConfigMap("made-up", metadata={"namespace": "models"}, data={"a.yaml": "x: 1\\ny: 2\\n"}, opts=o)
kubernetes.apiextensions.CustomResource("pool", api_version="inference.networking.k8s.io/v1", kind="InferencePool",
    metadata={"name": "pool", "namespace": "models", "annotations": {"kept": "yes"}}, spec={"targetPorts": [{"number": 8000}]}, opts=o)
kubernetes.helm.v3.Release("release", chart="lws", opts=o)
gcp.compute.Network("net", opts=O(provider=cloud))
"""


@pytest.fixture
def plan(project: Throwaway) -> Plan:
    return project.run(SOURCE)


def read(folder: Path) -> dict[str, Any]:
    return {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))}


def test_each_object_is_one_file_and_nothing_else_is(plan: Plan, tmp_path: Path) -> None:
    written = render(plan, tmp_path / "out", "house/dev")
    found = read(tmp_path / "out")

    assert sorted(found) == sorted(path.name for path in written)
    kinds = sorted(content["kind"] for content in found.values())
    assert kinds == ["ConfigMap", "InferencePool", "Namespace", "Secret"]


def test_files_are_named_by_place_namespace_kind_and_name(plan: Plan, tmp_path: Path) -> None:
    render(plan, tmp_path / "out", "house/dev")
    names = [name.partition("-")[2] for name in read(tmp_path / "out")]

    assert "namespace-models.yaml" in names
    assert "models-secret-key.yaml" in names
    assert "models-inferencepool-pool.yaml" in names


def test_objects_are_as_they_would_be_applied_without_what_is_pulumis_own(plan: Plan, tmp_path: Path) -> None:
    render(plan, tmp_path / "out", "house/dev")
    found = {content["kind"]: content for content in read(tmp_path / "out").values()}

    assert list(found["InferencePool"]) == ["apiVersion", "kind", "metadata", "spec"]
    assert found["InferencePool"]["metadata"]["annotations"] == {"kept": "yes"}
    assert found["InferencePool"]["spec"] == {"targetPorts": [{"number": 8000}]}
    assert "annotations" not in found["ConfigMap"]["metadata"]
    assert found["ConfigMap"]["data"] == {"a.yaml": "x: 1\ny: 2\n"}


def test_no_secret_is_written(plan: Plan, tmp_path: Path) -> None:
    render(plan, tmp_path / "out", "house/dev")

    text = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "out").iterdir())
    assert "hunter2" not in text
    (secret,) = [content for content in read(tmp_path / "out").values() if content["kind"] == "Secret"]
    assert secret["stringData"] == {"key": "[secret]"}, "keys are shown, and the object keeps its form"


def test_the_same_stack_gives_the_same_files(project: Throwaway, tmp_path: Path) -> None:
    for place in ("one", "two"):
        render(project.run(SOURCE), tmp_path / place, "house/dev")

    assert read(tmp_path / "one") == read(tmp_path / "two")


def test_a_second_rendering_replaces_the_first(project: Throwaway, plan: Plan, tmp_path: Path) -> None:
    out = tmp_path / "out"
    render(plan, out, "house/dev")
    render(
        project.run('kubernetes.core.v1.Namespace("ns", metadata={"name": "n"}, opts=O(provider=objects))'), out, "t"
    )

    assert list(read(out)) == ["01-namespace-n.yaml"]


@pytest.mark.parametrize("after_a_rendering", [False, True])
def test_files_of_others_are_never_touched(plan: Plan, tmp_path: Path, after_a_rendering: bool) -> None:
    out = tmp_path / "out"
    out.mkdir()
    if after_a_rendering:
        render(plan, out, "house/dev")
    (out / "mine.yaml").write_text("mine: true\n", encoding="utf-8")
    before = read(out)

    with pytest.raises(ProblemsError, match=r"holds mine\.yaml"):
        render(plan, out, "house/dev")

    assert read(out) == before


def test_a_marker_cannot_lead_out_of_the_folder(plan: Plan, tmp_path: Path) -> None:
    victim = tmp_path / "victim.yaml"
    victim.write_text("mine: true\n", encoding="utf-8")
    out = tmp_path / "out"
    out.mkdir()
    (out / ".rehearsal-rendered").write_text(f"../victim.yaml\n{victim}\n..\n", encoding="utf-8")

    render(plan, out, "house/dev")

    assert victim.exists()


def test_a_folder_that_cannot_be_made_is_a_problem(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(ProblemsError, match="cannot be written"):
        render(plan, tmp_path / "file" / "out", "house/dev")


def test_a_name_cannot_lead_out_of_the_folder_either(project: Throwaway, tmp_path: Path) -> None:
    name = "../../" + "x" * 400 + "\\u001b[31m"
    plan = project.run(f"""
        kubernetes.core.v1.Namespace("ns", metadata={{"name": "{name}"}}, opts=O(provider=objects))
    """)

    (written,) = render(plan, tmp_path / "out", "house/dev")

    assert written.parent == tmp_path / "out"
    assert written.name.isprintable()
    assert len(written.name) < 255
