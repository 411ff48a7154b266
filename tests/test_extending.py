"""docs/extending.md keeps its word: each of its differences is all that a new model or accelerator takes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stacks import ROOT

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
_BLOCKS = re.findall(r"```diff\n(.*?)```", PAGE, re.DOTALL)
DIFFERENCES = {name: text for text in _BLOCKS for name in re.findall(r"b/examples/([\w-]+)\.yaml$", text, re.MULTILINE)}
PROGRAM = ("__main__.py", "Pulumi.yaml", "components", "inference", "policies", "rehearsal")
GIT = shutil.which("git")

each = pytest.mark.parametrize("name", DIFFERENCES)


@each
def test_a_difference_touches_one_file_of_facts_and_adds_one_example(name: str) -> None:
    text = DIFFERENCES[name]
    touched = re.findall(r"^diff --git a/(\S+) b/\S+$", text, re.M)
    facts, example = touched
    assert facts.startswith("inference/facts/")
    assert example == f"examples/{name}.yaml"
    assert not re.search(r"^-[^-]", text, re.M), "nothing that is there has to change"


@each
@pytest.mark.skipif(GIT is None, reason="git applies the difference")
def test_the_example_of_a_difference_rehearses_clean(name: str, tmp_path: Path) -> None:
    for part in PROGRAM:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / part)
    subprocess.run([str(GIT), "apply", "-"], cwd=tmp_path, input=DIFFERENCES[name], text=True, check=True)  # noqa: S603 - the page is ours
    preview = [sys.executable, "-m", "rehearsal", "preview", "--config-file", f"examples/{name}.yaml", "--json"]
    done = subprocess.run(preview, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert not plan.get("diagnostics"), plan["diagnostics"]
    pools = [s["newState"] for s in plan["steps"] if s["newState"]["type"] == "gcp:container/nodePool:NodePool"]
    assert len(pools) == 2


def test_the_page_shows_a_model_a_gpu_and_a_tpu() -> None:
    assert list(DIFFERENCES) == ["support-8b", "x900", "v9x"]
