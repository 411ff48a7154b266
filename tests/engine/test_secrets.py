"""Secrets of the configuration stay secret on the real engine, and nobody needs the key of the user's stack file."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal import project
from rehearsal.enginerun import Home
from rehearsal.stackfiles import PLACEHOLDER
from tests.support import variants
from tests.support.onengine import Stage, files_with
from tests.support.rehearsed import standing

pytestmark = pytest.mark.engine

PROGRAM = """
import json
import pulumi

config = pulumi.Config()
pulumi.export("token", config.require_secret("token"))
pulumi.export("plain", config.require("plain"))
pulumi.export("nested", pulumi.Output.secret(config.require_secret_object("tree")["key"][1]))
"""

STACK = """
encryptionsalt: v1:c29tZWJvZHk=:v1:bm90Om91cnM=:bm9uZSBvZiBvdXJz
config:
  house:token: { secure: v1:bm9uZQ==:b3Vycw== }
  house:plain: visible-text
  house:tree:
    key: [first, { secure: v1:bm9uZQ==:b3Vycw== }]
"""


@pytest.mark.parametrize("path", ["gateway.hostname", "models.qwen.model"])
def test_a_setting_given_as_a_secret_is_refused_before_it_is_written_in_plain_text(path: str, tmp_path: Path) -> None:
    stage = Stage(tmp_path, "dev")
    stage.configure(variants.read(standing("dev")))
    value = "hidden.example.com"
    assert stage.run("config set", "--path", "--secret", f"gke-inference:{path}", value).status == 0
    done = stage.run("up")
    assert done.status != 0
    assert "holds an encrypted value" in done.text
    assert "Secret Manager" in done.text
    assert not done.entries
    assert value not in done.text
    assert not list(files_with(stage.home.folder, value))


def test_an_encrypted_value_is_replaced_by_a_secret_placeholder(tmp_path: Path) -> None:
    root = tmp_path / "house"
    root.mkdir()
    for name, text in (("Pulumi.yaml", "name: house\nruntime: python\n"), ("__main__.py", PROGRAM)):
        (root / name).write_text(text, encoding="utf-8")
    file = root / "Pulumi.dev.yaml"
    file.write_text(STACK, encoding="utf-8")
    home = Home(tmp_path / "home", project.find(root))
    home.prepare("dev", file)
    with (tmp_path / "shown").open("w+", encoding="utf-8") as output:
        assert home.run(["up", "--stack", "dev", "--non-interactive"], output=output) == 0
        assert home.run(["stack", "output", "--show-secrets", "--stack", "dev"], output=None) == 0
    assert file.read_text(encoding="utf-8") == STACK
    assert list(files_with(home.folder / "state", "visible-text"))
    for folder in ("state", "pulumi", "cloud"):
        assert not list(files_with(home.folder / folder, PLACEHOLDER))
    assert PLACEHOLDER not in (tmp_path / "shown").read_text(encoding="utf-8")
