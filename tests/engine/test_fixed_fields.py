"""An object with a field that no update changes: refused as it stands, made anew with the options of the components."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from rehearsal import project
from rehearsal.enginerun import Home

pytestmark = pytest.mark.engine

PROGRAM = """
import pulumi
import pulumi_kubernetes as kubernetes

config = pulumi.Config()
ways = {
    "plainly": {},
    "demanded": {"replace_on_changes": ["spec"]},
    "in its place": {"replace_on_changes": ["spec"], "delete_before_replace": True},
}
provider = kubernetes.Provider("objects", kubeconfig="{}")
request = {
    "name": "rdma",
    "exactly": {"device_class_name": "mrdma.google.com", "allocation_mode": "ExactCount", "count": config.require_int("count")},
}
kubernetes.resource.v1.ResourceClaimTemplate(
    "claim",
    metadata={"name": "rdma", "namespace": "default"},
    spec={"spec": {"devices": {"requests": [request]}}},
    opts=pulumi.ResourceOptions(provider=provider, **ways[config.require("way")]),
)
"""


@pytest.mark.parametrize(
    ("way", "says", "did"),
    [
        ("plainly", "field is immutable", []),
        ("demanded", "Already Exists", []),
        ("in its place", "replaced", ["delete", "create"]),
    ],
)
def test_another_count_of_devices_takes_a_new_claim_template_in_the_place_of_the_old(
    way: str, says: str, did: list[str], tmp_path: Path
) -> None:
    root = tmp_path / "house"
    root.mkdir()
    (root / "Pulumi.yaml").write_text("name: house\nruntime: python\n", encoding="utf-8")
    (root / "__main__.py").write_text(textwrap.dedent(PROGRAM), encoding="utf-8")
    home = Home(tmp_path / "home", project.find(root))
    line = ["up", "--stack", "dev", "--non-interactive", "--skip-preview"]
    for count in (8, 4):
        file = root / "Pulumi.dev.yaml"
        file.write_text(f"config:\n  house:count: {count}\n  house:way: {way}\n", encoding="utf-8")
        home.prepare("dev", file)
        before = len(home.journal.read())
        with (tmp_path / f"shown-{count}").open("w+", encoding="utf-8") as output:
            status = home.run(line, output=output)
        text = (tmp_path / f"shown-{count}").read_text(encoding="utf-8")
        assert (status == 0) == (count == 8 or bool(did)), text
    assert says in text
    done = [entry.operation for entry in home.journal.read()[before:] if entry.phase == "end"]
    assert [operation for operation in done if operation in ("create", "update", "delete")] == did
