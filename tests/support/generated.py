"""Stack files made for one machine, slice or way to buy: the smallest that a person would write."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from inference.facts.machines import Machine
from inference.facts.tpus import TpuGeneration
from inference.problems import Problem, ProblemsError
from inference.stackfile import load

__all__ = ["CAPACITIES", "first_choice", "problems", "stack", "written", "zone_of"]

CAPACITIES: dict[str, dict[str, Any]] = {
    "on-demand": {"type": "on-demand"},
    "spot": {"type": "spot"},
    "reservation": {"type": "reservation", "name": "r"},
    "block": {"type": "reservation", "name": "r", "block": "b"},
    "sub-block": {"type": "reservation", "name": "r", "block": "b", "subBlock": "s"},
    "calendar": {"type": "calendar", "name": "booked"},
    "flex-start": {"type": "flex-start", "maxRunHours": 24},
    "queued-provisioning": {"type": "queued-provisioning", "maxRunHours": 24},
}


def zone_of(thing: Machine | TpuGeneration) -> str:
    """Return a zone that offers a machine, or may, as far as is known."""
    if thing.zones:
        return min(thing.zones)
    return f"{min(thing.regions)}-a" if thing.regions else "us-central1-a"


def first_choice(machine: Machine) -> dict[str, Any]:
    """Return the plainest way in which a machine is sold."""
    if machine.on_demand:
        return CAPACITIES["on-demand"]
    return CAPACITIES["reservation" if machine.reservable else "spot"]


def stack(zone: str, pool: dict[str, Any], **model: Any) -> dict[str, Any]:
    """Return the sections of a stack with one pool and one small model on it."""
    small = {
        "model": "Qwen/Qwen2.5-1.5B-Instruct",
        "pool": "pool",
        "contextLength": 4096,
        "memoryUtilization": 0.75,
        "dtype": "half",
        "weights": {"source": "hub"},
    }
    cluster = {"project": "my-project", "location": zone, "environment": "development"}
    return {"cluster": cluster, "pools": {"pool": pool}, "models": {"model": {**small, **model}}}


def problems(sections: dict[str, Any]) -> tuple[Problem, ...]:
    """Return what is refused at load, each problem complete."""
    found: tuple[Problem, ...] = ()
    try:
        load(sections, "generated")
    except ProblemsError as error:
        found = error.problems
    assert all(_whole(problem) for problem in found), found
    return found


def _whole(problem: Problem) -> bool:
    parts: Iterable[str] = (problem.where, problem.what, problem.why, problem.remedy)
    return all(parts) and problem.where.startswith(("pools.pool", "models.model", "cluster."))


def written(sections: dict[str, Any], folder: Path) -> Path:
    """Write the stack as a file; returns its path."""
    path = folder / "generated.yaml"
    config = {"pulumi:disable-default-providers": ["gcp", "kubernetes"]}
    config |= {f"gke-inference:{key}": value for key, value in sections.items()}
    path.write_text(yaml.safe_dump({"config": config}), encoding="utf-8")
    return path
