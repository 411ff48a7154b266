"""Stack files with one thing changed, as somebody would change it; only those that the program accepts."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from inference.facts.machines import MACHINES, machine
from inference.facts.tpus import GENERATIONS
from inference.problems import ProblemsError
from inference.settings import NAMESPACE
from inference.stackfile import load

__all__ = ["Config", "accepted", "another_machine", "another_replica_count", "locked", "read", "written"]

Config = dict[str, Any]
"""The ``config`` of a stack file, by full key."""


def read(path: Path) -> Config:
    """Return the configuration of a stack file."""
    config: Config = yaml.safe_load(path.read_text(encoding="utf-8"))["config"]
    return config


def written(config: Config, path: Path) -> Path:
    """Write a configuration as a stack file; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"config": config}, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def locked(config: Config, *, is_locked: bool) -> Config:
    """Return the stack with its lock closed or open."""
    return _edited(config, lambda made: made[f"{NAMESPACE}:cluster"].update(locked=is_locked))


def another_replica_count(config: Config) -> Config:
    """Return the stack with one replica more of its first model; one less where the pool has no room."""
    name, model = next(iter(config[f"{NAMESPACE}:models"].items()))
    now = model.get("replicas", 1)

    def counted(count: int) -> Config:
        return _edited(config, lambda made: made[f"{NAMESPACE}:models"][name].update(replicas=count))

    return next(made for made in (counted(now + 1), counted(now - 1)) if accepted(made))


def another_machine(config: Config) -> tuple[Config, str]:
    """Return the stack with its first pool on machines with another accelerator, and the name of that pool.

    Machines on the same kind of fabric are preferred: others change the networks too. Where no other machine does, the pool is bought in another way: that too takes a new one.
    """
    name, pool = next(iter(config[f"{NAMESPACE}:pools"].items()))
    for change in (*_machines(pool), *_purchases(pool)):
        made = copy.deepcopy(config)
        made[f"{NAMESPACE}:pools"][name] = change
        if accepted(made):
            return made, name
    raise AssertionError(f"nothing but {pool} does for pool {name}")


def _machines(pool: Mapping[str, Any]) -> Iterator[Config]:
    if pool["kind"] == "tpu":
        kept = {key: value for key, value in pool.items() if key != "machineType"}
        yield from ({**kept, "generation": name} for name in GENERATIONS if name != pool["generation"])
        return
    now = machine(pool["machineType"])
    kept = {key: value for key, value in pool.items() if key not in ("accelerator", "gpusPerNode")}
    fabric = now.fabric if now else None
    for name, other in sorted(MACHINES.items(), key=lambda row: row[1].fabric != fabric):
        if now is None or other.accelerator != now.accelerator:
            yield {**kept, "machineType": name}


def _purchases(pool: Mapping[str, Any]) -> Iterator[Config]:
    now = pool.get("capacity", {})
    if now.get("type") == "reservation":
        yield {**pool, "capacity": {**now, "name": f"{now['name']}-other"}}
    for capacity in ({"type": "spot"}, {"type": "flex-start"}, {"type": "reservation", "name": "another"}):
        if capacity["type"] != now.get("type"):
            yield {**pool, "capacity": capacity}


def accepted(config: Config) -> bool:
    """Whether the program accepts a configuration."""
    prefix = f"{NAMESPACE}:"
    sections = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
    try:
        load(sections, "variant")
    except ProblemsError:
        return False
    return True


def _edited(config: Config, edit: Callable[[Config], object]) -> Config:
    made = copy.deepcopy(config)
    edit(made)
    return made
