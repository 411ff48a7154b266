"""A repository with two commits: the report names exactly what the second one changes, and nothing else."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inference.settings import NAMESPACE
from tests.rehearsal.review.conftest import Clone, emptied
from tests.support import variants
from tests.support.stacks import ROOT

Config = dict[str, Any]


def _section(config: Config, name: str) -> Any:
    return config[f"{NAMESPACE}:{name}"]


def _base() -> Config:
    config = variants.read(ROOT / "Pulumi.dev.yaml")
    _section(config, "cluster")["version"] = "1.35"
    _section(config, "gateway")["exposure"] = "internal"
    return config


def _two_pools() -> Config:
    config = _base()
    _section(config, "pools")["l4"] = {"kind": "gpu", "machineType": "g2-standard-8", "nodes": {"min": 0, "max": 2}}
    small = {"model": "Qwen/Qwen2.5-0.5B-Instruct", "pool": "l4", "contextLength": 4096, "weights": {"source": "hub"}}
    _section(config, "models")["small"] = small
    # With two left, the gateway keeps asking the body which model is meant.
    _section(config, "models")["other"] = {
        **_section(config, "models")["qwen"],
        "model": "Qwen/Qwen2.5-Math-1.5B-Instruct",
    }
    return config


def _replicas(config: Config) -> None:
    _section(config, "models")["qwen"]["replicas"] = 2


def _model(config: Config) -> None:
    _section(config, "models")["qwen"]["model"] = "Qwen/Qwen2.5-0.5B-Instruct"


def _machine(config: Config) -> None:
    pool = _section(config, "pools")["t4"]
    pool["machineType"] = "g2-standard-8"
    del pool["accelerator"]


def _region(config: Config) -> None:
    _section(config, "cluster")["location"] = "europe-west4-a"


def _exposure(config: Config) -> None:
    _section(config, "gateway")["exposure"] = "external"


def _version(config: Config) -> None:
    _section(config, "cluster")["version"] = "1.36"


def _without_pool(config: Config) -> None:
    del _section(config, "pools")["l4"]
    del _section(config, "models")["small"]


def _key(config: Config) -> None:
    _section(config, "gateway")["apiKey"] = {"secret": "another-key"}


def _budget(config: Config) -> None:
    config[f"{NAMESPACE}:costs"] = {"monthlyBudget": {"maximum": 1_000_000}}


def _production() -> Config:
    return variants.read(ROOT / "Pulumi.prod.yaml")


def _unlocked(config: Config) -> None:
    _section(config, "cluster")["locked"] = False


def _untouched(config: Config) -> None:
    """Change nothing."""


CHANGES: dict[str, tuple[Callable[[], Config], Callable[[Config], None]]] = {
    "replicas": (_base, _replicas),
    "model": (_base, _model),
    "machine": (_base, _machine),
    "region": (_base, _region),
    "exposure": (_base, _exposure),
    "version": (_base, _version),
    "pool": (_two_pools, _without_pool),
    "key": (_base, _key),
    "budget": (_base, _budget),
    "lock": (_production, _unlocked),
    "calm": (_base, _untouched),
}


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clone, dict[str, Any], int]:
    """Review a repository whose second commit changes one thing in each stack but the last."""
    clone: Clone = emptied(tmp_path_factory.mktemp("repository") / "work")
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, clone.root / name)
    configs = {name: base() for name, (base, _) in CHANGES.items()}
    for name, config in configs.items():
        variants.written(config, clone.root / f"Pulumi.{name}.yaml")
    clone.commit()
    clone.git("switch", "--quiet", "--create", "topic")
    for name, (_, edit) in CHANGES.items():
        changed = copy.deepcopy(configs[name])
        edit(changed)
        variants.written(changed, clone.root / f"Pulumi.{name}.yaml")
    clone.commit()
    out = Path(clone.root) / "report.json"
    done = clone.review("--against", "main", "--format", "json", "--out", str(out))
    assert not done.stderr, done.stderr
    report: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    out.unlink()
    return clone, report, done.returncode


Reviewed = tuple[Clone, dict[str, Any], int]


def _stack(reviewed: Reviewed, name: str) -> dict[str, Any]:
    (found,) = [stack for stack in reviewed[1]["stacks"] if stack["name"] == name]
    return dict(found)


def _changes(reviewed: Reviewed, name: str) -> dict[str, tuple[str, dict[str, tuple[Any, Any]]]]:
    """Return operation and properties by the name of the resource."""
    return {
        change["name"]: (change["op"], {prop["path"]: (prop["old"], prop["new"]) for prop in change["properties"]})
        for change in _stack(reviewed, name)["sections"]["diff"]["data"]["changes"]
    }


def _dangers(reviewed: Reviewed, name: str, *, grave: bool = True) -> set[tuple[str, str]]:
    dangers = _stack(reviewed, name)["sections"]["risk"]["data"]["dangers"]
    return {(danger["kind"], danger["resource"]) for danger in dangers if danger["grave"] is grave}


QWEN = "qwen (Qwen/Qwen2.5-1.5B-Instruct)"
VLLM = 'spec.template.spec.containers["vllm"]'


def test_another_replica_is_one_property_of_one_workload_and_endangers_nothing(reviewed: Reviewed) -> None:
    assert _changes(reviewed, "replicas") == {"qwen-server": ("update", {"spec.replicas": (1, 2)})}
    assert _stack(reviewed, "replicas")["verdict"] == "safe"
    assert not _dangers(reviewed, "replicas") | _dangers(reviewed, "replicas", grave=False)


def test_another_model_is_told_by_its_arguments_and_takes_the_model_away_while_it_loads(reviewed: Reviewed) -> None:
    old, new = "Qwen/Qwen2.5-1.5B-Instruct", "Qwen/Qwen2.5-0.5B-Instruct"
    arguments = {f"{VLLM}.args[{place}]": (old, new) for place in (0, 2)}
    assert _changes(reviewed, "model") == {"qwen-server": ("update", arguments)}
    assert _dangers(reviewed, "model") == {("downtime", QWEN)}


def test_another_machine_replaces_the_pool_for_a_property_and_takes_the_model_along(reviewed: Reviewed) -> None:
    found = _changes(reviewed, "machine")
    assert {name: op for name, (op, _) in found.items()} == {"t4-nodes": "replace", "qwen-server": "update"}
    assert found["t4-nodes"][1] == {
        "nodeConfig.guestAccelerators[0].type": ("nvidia-tesla-t4", "nvidia-l4"),
        "nodeConfig.machineType": ("n1-standard-4", "g2-standard-8"),
    }
    (pool,) = [
        change
        for change in _stack(reviewed, "machine")["sections"]["diff"]["data"]["changes"]
        if change["name"] == "t4-nodes"
    ]
    assert all(prop["forcesReplacement"] for prop in pool["properties"])
    assert _dangers(reviewed, "machine") == {("downtime", QWEN)}
    assert _dangers(reviewed, "machine", grave=False) == {("capacity", "t4-nodes")}


def test_another_region_replaces_all_that_stands_in_it_and_only_that(reviewed: Reviewed) -> None:
    found = _changes(reviewed, "region")
    assert {name for name, (op, _) in found.items() if op == "update"} == {"gcp"}
    replaced = {name for name, (op, _) in found.items() if op == "replace"}
    assert {name for name in replaced if not found[name][1].keys() <= {"provider"}} == {
        "inference-cluster",
        "inference-system",
        "kubernetes",
        "platform-nat",
        "platform-nodes",
        "platform-proxies",
        "platform-router",
        "t4-nodes",
    }
    assert found["inference-cluster"][1]["location"] == ("us-central1-a", "europe-west4-a")
    assert found["qwen-server"][1].keys() == {"provider"}
    assert ("place", "inference-region") in _dangers(reviewed, "region")
    assert _stack(reviewed, "region")["verdict"] == "risky"


def test_an_opened_gateway_is_one_class_and_a_danger(reviewed: Reviewed) -> None:
    classes = ("gke-l7-rilb", "gke-l7-regional-external-managed")
    assert _changes(reviewed, "exposure") == {"gateway-gateway": ("update", {"spec.gatewayClassName": classes})}
    assert _dangers(reviewed, "exposure") == {("exposure", "inference")}


def test_another_key_restarts_the_server_that_asks_for_it_and_endangers_who_calls(reviewed: Reviewed) -> None:
    place = 'metadata.annotations["gke-inference/source"]'
    sources = ("llm-api-key-dev/versions/latest", "another-key/versions/latest")
    assert _changes(reviewed, "key") == {
        "namespace-model-api-key": ("update", {place: sources}),
        "qwen-server": ("update", {'spec.template.metadata.annotations["gke-inference/api-key"]': sources}),
    }
    assert _dangers(reviewed, "key") == {("secret", "model-api-key"), ("downtime", QWEN)}
    reason = f"model-api-key – its content changes from {sources[0]} to {sources[1]}, and 1 more"
    assert _stack(reviewed, "key")["reason"] == reason


def test_another_budget_changes_no_resource_and_is_told(reviewed: Reviewed) -> None:
    assert not _changes(reviewed, "budget")
    stack = _stack(reviewed, "budget")
    assert stack["verdict"] == "safe"
    assert stack["sections"]["cost"]["data"]["before"]["budget"] == {"idle": None, "maximum": None}
    assert stack["sections"]["cost"]["data"]["after"]["budget"] == {"idle": None, "maximum": 1_000_000}


def test_a_lock_that_is_taken_off_changes_the_protection_and_nothing_else(reviewed: Reviewed) -> None:
    assert _changes(reviewed, "lock") == {"inference-cluster": ("update", {"deletionProtection": (True, False)})}
    assert {kind for kind, _ in _dangers(reviewed, "lock")} == {"protection"}


def test_another_version_of_the_cluster_is_one_property_and_a_danger(reviewed: Reviewed) -> None:
    assert _changes(reviewed, "version") == {"inference-cluster": ("update", {"minMasterVersion": ("1.35", "1.36")})}
    assert _dangers(reviewed, "version") == {("version", "inference-version")}


def test_a_deleted_pool_goes_with_its_model_and_leaves_the_other_alone(reviewed: Reviewed) -> None:
    found = _changes(reviewed, "pool")
    deleted = {name for name, (op, _) in found.items() if op == "delete"}
    assert {"l4-nodes", "small-server"} <= deleted
    assert all("small" in name or name == "l4-nodes" for name in deleted), deleted
    assert found.keys() == deleted
    dangers = _dangers(reviewed, "pool") | _dangers(reviewed, "pool", grave=False)
    assert dangers == {("capacity", "l4-nodes"), ("downtime", "small (Qwen/Qwen2.5-0.5B-Instruct)")}


def test_what_does_not_change_is_named_and_not_reported(reviewed: Reviewed) -> None:
    _, report, status = reviewed
    assert report["untouched"] == ["calm"]
    assert {stack["name"] for stack in report["stacks"]} == set(CHANGES) - {"calm"}
    assert (report["verdict"], status) == ("risky", 3)


def test_every_section_answers(reviewed: Reviewed) -> None:
    for stack in reviewed[1]["stacks"]:
        assert not [key for key, section in stack["sections"].items() if "error" in section["data"]], stack["name"]


def test_the_checkout_and_its_index_are_left_as_they_were(reviewed: Reviewed) -> None:
    clone = reviewed[0]
    assert not clone.git("status", "--porcelain")
    assert clone.git("worktree", "list").count("\n") == 1
