"""The policy pack as the CLI runs it: a process of its own, offered what providers checked."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from rehearsal import project
from rehearsal.enginerun import Home
from tests.support import variants
from tests.support.onengine import Stage
from tests.support.rehearsed import standing
from tests.support.stacks import STANDING

pytestmark = pytest.mark.engine

BROKEN = """
import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

cloud = gcp.Provider("cloud", project="my-project", region="us-central1")
on_cloud = pulumi.ResourceOptions(provider=cloud)
network = gcp.compute.Network("vpc", auto_create_subnetworks=False, opts=on_cloud)
cluster = gcp.container.Cluster(
    "cluster", location="us-central1-b", network=network.id, initial_node_count=1, opts=on_cloud
)
gcp.container.NodePool(
    "h200",
    cluster=cluster.id,
    node_config={
        "machine_type": "a3-ultragpu-8g",
        "guest_accelerators": [{"type": "nvidia-h100-80gb", "count": 8}],
    },
    opts=on_cloud,
)
"""


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A copy of the project; its pack judges other programs too."""
    stage = Stage(tmp_path_factory.mktemp("packed"), "dev")
    stage.configure(variants.read(standing("dev")))
    return stage


@pytest.mark.parametrize("stack", STANDING)
@pytest.mark.parametrize("command", [["preview"], ["up", "--skip-preview"]], ids=" ".join)
def test_a_standing_stack_is_clean(stack: str, command: list[str], tmp_path: Path) -> None:
    stage = Stage(tmp_path, stack)
    stage.configure(variants.read(standing(stack)))
    done = stage.run(*command, "--policy-pack", "policies", "--policy-pack-config", f"policies/config.{stack}.json")
    assert done.status == 0, done.text
    assert "gke-inference@v" in done.text
    for word in ("advisory", "mandatory", "Traceback", "warning"):
        assert word not in done.text


def test_a_program_that_cannot_work_violates_the_pack(packed: Stage, tmp_path: Path) -> None:
    root = tmp_path / "house"
    root.mkdir()
    (root / "Pulumi.yaml").write_text("name: house\nruntime: python\n", encoding="utf-8")
    (root / "__main__.py").write_text(textwrap.dedent(BROKEN), encoding="utf-8")
    (root / "Pulumi.dev.yaml").write_text("config: {}\n", encoding="utf-8")
    home = Home(tmp_path / "home", project.find(root))
    home.prepare("dev", root / "Pulumi.dev.yaml")
    pack = packed.home.copy / "policies"
    levels = pack / "config.prod.json"
    arguments = ["--stack", "dev", "--non-interactive", "--policy-pack", str(pack), "--policy-pack-config", str(levels)]
    with (tmp_path / "shown").open("w+", encoding="utf-8") as output:
        status = home.run(["preview", *arguments], output=output)
    text = (tmp_path / "shown").read_text(encoding="utf-8")
    assert status != 0, text
    assert "[mandatory]" in text
    assert "h200" in text
