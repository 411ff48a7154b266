"""The life of each stack on the real engine: made, left alone, changed, protected, unlocked, taken down."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rehearsal import digests, urns
from rehearsal.diffs import compare
from rehearsal.plan import Plan
from rehearsal.providers.journal import Entry
from rehearsal.stackfiles import stack_of
from tests.engine.orders import disorders, orphans, rank
from tests.engine.parity import decided, unequal
from tests.support import variants
from tests.support.onengine import SECRET, Done, Stage, files_with, records
from tests.support.rehearsed import rehearsed, standing
from tests.support.stacks import ROOT, STANDING

pytestmark = pytest.mark.engine

NODE_POOL = "gcp:container/nodePool:NodePool"
LASTING = frozenset(
    {
        NODE_POOL,
        "gcp:container/cluster:Cluster",
        "kubernetes:apps/v1:Deployment",
        "kubernetes:core/v1:Namespace",
        "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet",
    }
)
"""What another machine must not make anew, save its own pool."""
STACKS = [*(standing(name) for name in STANDING), *sorted((ROOT / "examples").glob("*.yaml"))]


@dataclass
class Life:
    """A stack that goes through the tests of the class in their order."""

    stage: Stage
    config: variants.Config
    plan: Plan
    """The rehearsal's plan of the same configuration."""
    outputs: list[str] = field(default_factory=list)
    stages: set[str] = field(default_factory=set)
    revealed: bool = False
    """Whether the state, decrypted, holds a secret's value."""

    def after(self, stage: str) -> None:
        if stage not in self.stages:
            pytest.skip(f"the stage before, {stage}, failed")

    def foreseen(self, config: variants.Config, step: str) -> dict[str, str]:
        """Return what the rehearsal says that a configuration changes in the state: operations by URN."""
        exported = digests.loads(self.stage.run("stack export").text, "state")
        plan = rehearsed(variants.written(config, self.stage.folder / step / f"Pulumi.{self.stage.stack}.yaml"))
        return {
            change.urn: change.op
            for change in compare(exported, plan).of("create", "update", "replace", "delete")
            if (change.new or exported.by_urn[change.urn]).custom
        }


def happened(done: Done) -> dict[str, str]:
    """Return what a command did to each resource, in the words of a comparison."""
    seen: dict[str, set[str]] = defaultdict(set)
    for operation, urn in done.changed():
        seen[urn].add(operation)
    return {urn: "replace" if {"create", "delete"} <= told else told.pop() for urn, told in seen.items()}


@pytest.fixture(scope="class", params=STACKS, ids=stack_of)
def life(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Life:
    path: Path = request.param
    config = variants.locked(variants.read(path), is_locked=True)
    stage = Stage(tmp_path_factory.mktemp(stack_of(path)), stack_of(path))
    file = variants.written(config, stage.folder / path.name)
    return Life(stage, config, rehearsed(file))


class TestLife:
    def test_a_preview_says_what_the_rehearsal_says(self, life: Life) -> None:
        life.stage.configure(life.config)
        done = life.stage.run("preview", "--json")
        life.outputs.append(done.text)
        assert done.status == 0, done.text
        preview = digests.loads(done.text[done.text.index("{") :], "preview")
        assert not list(unequal(preview, life.plan))
        assert decided(preview) > 0.8, "what is unknown matches anything"
        assert not done.changed()
        life.stages.add("preview")

    def test_an_update_makes_everything(self, life: Life) -> None:
        life.after("preview")
        done = life.stage.run("up", "--skip-preview")
        life.outputs.append(done.text)
        assert done.status == 0, done.text
        made = {urn for _, urn in done.changed("create")}
        managed = {s.urn for s in life.plan if s.custom and not s.external and not s.type.startswith("pulumi:")}
        assert made == managed
        assert "warning" not in done.text
        life.revealed = SECRET in life.stage.run("stack export", "--show-secrets").text
        life.stages.add("up")

    def test_a_second_preview_and_a_refresh_find_nothing_to_do(self, life: Life) -> None:
        life.after("up")
        done = life.stage.run("preview", "--expect-no-changes", "--diff")
        assert done.status == 0, done.text
        refreshed = life.stage.run("refresh", "--skip-preview", "--expect-no-changes")
        assert refreshed.status == 0, refreshed.text
        assert not life.foreseen(life.config, "same"), "the rehearsal finds nothing either"

    def test_a_report_on_the_decrypted_state_shows_no_secret(self, life: Life) -> None:
        life.after("up")
        if not life.plan.of_type("kubernetes:core/v1:Secret"):
            pytest.skip("the stack has no secret")
        state = life.stage.folder / "decrypted.json"
        state.write_text(life.stage.run("stack export --show-secrets").text, encoding="utf-8")
        file = variants.written(life.config, life.stage.folder / "reported" / f"Pulumi.{life.stage.stack}.yaml")
        for command in (
            ["preview", "--config-file", str(file), "--baseline", str(state), "--no-policy"],
            ["preview", "--config-file", str(file), "--baseline", str(state), "--no-policy", "--json"],
            ["judge", str(state), "--format", "json"],
        ):
            line = [sys.executable, "-m", "rehearsal", *command]
            done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - ours
            assert done.returncode in (0, 2), done.stderr  # whatever the policies say of it
            life.outputs += [done.stdout, done.stderr]

    def test_another_number_of_replicas_is_one_update_in_place(self, life: Life) -> None:
        life.after("up")
        life.config = variants.another_replica_count(life.config)
        foreseen = life.foreseen(life.config, "replicas")
        life.stage.configure(life.config)
        done = life.stage.run("up", "--skip-preview", "--diff", "--logtostderr", "--verbose", "3")
        life.outputs.append(done.text)
        assert done.status == 0, done.text
        ((operation, urn),) = done.changed()
        assert (operation, rank(urn)) == ("update", "workload")
        assert foreseen == happened(done)

    def test_a_locked_stack_refuses_to_go(self, life: Life) -> None:
        life.after("up")
        done = life.stage.run("destroy")
        assert done.status != 0
        assert "cannot be deleted" in done.text
        assert "protected" in done.text
        assert not done.changed()

    def test_another_machine_is_a_replacement_that_a_locked_stack_refuses(self, life: Life) -> None:
        life.after("up")
        config, pool = variants.another_machine(life.config)
        life.stage.configure(config)
        done = life.stage.run("up")
        life.outputs.append(done.text)
        assert done.status != 0
        assert "unable to replace resource" in done.text
        assert f"NodePool::{pool}-nodes" in done.text
        assert "protect" in done.text
        assert not done.changed()

    def test_unlocked_the_pool_is_made_anew_and_neither_cluster_nor_servers_are(self, life: Life) -> None:
        life.after("up")
        config, pool = variants.another_machine(life.config)
        life.config = variants.locked(config, is_locked=False)
        foreseen = life.foreseen(life.config, "unlocked")
        life.stage.configure(life.config)
        done = life.stage.run("up", "--skip-preview", "--diff")
        life.outputs.append(done.text)
        assert done.status == 0, done.text
        bought = f"NodePool$gcp:container/nodePool:NodePool::{pool}-"
        ways = {state.urn for state in life.plan.of_type(NODE_POOL) if bought in state.urn}
        assert any(urn.endswith(f"::{pool}-nodes") for urn in ways)
        replaced = [(op, urn) for op, urn in done.changed("create", "delete") if urns.resource_type(urn) in LASTING]
        assert sorted(replaced) == sorted((op, urn) for op in ("create", "delete") for urn in ways)
        assert all(replaced.index(("delete", urn)) < replaced.index(("create", urn)) for urn in ways)
        assert foreseen == happened(done)
        life.stages.add("unlocked")

    def test_taken_down_it_goes_from_the_gateway_to_the_networks_and_leaves_nothing(self, life: Life) -> None:
        life.after("unlocked")
        releases = records(life.stage, ":Release")
        standing_ranks = {rank(str(r["urn"])) for r in life.stage.state() if r.get("custom") and not r.get("external")}
        done = life.stage.run("destroy", "--skip-preview")
        life.outputs.append(done.text)
        assert done.status == 0, done.text
        deletions: tuple[Entry, ...] = done.entries
        assert {rank(urn) for _, urn in done.changed("delete")} == standing_ranks
        assert {"workload", "pool", "cluster", "network"} <= standing_ranks
        assert not list(disorders(deletions))
        assert not list(orphans(deletions, releases))
        assert not list(life.stage.world)
        assert not life.stage.state()

    def test_no_secret_was_written_down_or_shown(self, life: Life) -> None:
        life.after("up")
        home = life.stage.home.folder
        (home / "cloud" / "shown.txt").write_text("".join(life.outputs), encoding="utf-8")
        for name in ("state", "pulumi", "cloud"):
            assert not list(files_with(home / name, SECRET))
        if life.plan.of_type("kubernetes:core/v1:Secret"):
            assert life.revealed, "the state holds the secrets, encrypted"
