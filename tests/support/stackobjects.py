"""Every Kubernetes object that the stacks of the house make, as an API server would be given it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from rehearsal.plan import ResourceState
from rehearsal.render import objects
from rehearsal.values import Secret
from tests.support import variants
from tests.support.definitions import plain
from tests.support.rehearsed import rehearsed, standing
from tests.support.stacks import ROOT, STANDING

__all__ = ["SETTINGS", "STACKS", "custom", "is_custom", "manifests", "settled"]

STACKS: Mapping[str, Path] = {
    **{stack: standing(stack) for stack in STANDING},
    **{path.stem: path for path in sorted((ROOT / "examples").glob("*.yaml"))},
}
"""Stack files by name."""

Edit = Callable[[Any], object]
_PREFIX = "gke-inference:"

SETTINGS: Mapping[str, tuple[str, Edit]] = {
    "dranet": ("prod", lambda config: config["pools"]["h200"].update(network="dranet")),
    "isolated": ("prod", lambda config: config["cluster"].update(isolated=True)),
    "internal gateway": ("prod", lambda config: config["gateway"].update(exposure="internal")),
    "precise prefix cache": ("prod", lambda config: config["gateway"]["picker"].update(prefixCache="precise", cpu=2)),
    "queued provisioning": (
        "capacity-fallback",
        lambda config: config["pools"]["h100"].update(
            capacity={"type": "queued-provisioning"}, fallback=[], nodes={"min": 0, "max": 3}
        ),
    ),
    "no replica": ("prod", lambda config: config["models"]["kimi"].update(replicas=0)),
    "kserve on GPUs": ("dev", lambda config: config["models"]["qwen"].update(engine="kserve")),
    "kserve without a gateway": ("kserve-tpu-v6e", lambda config: config.pop("gateway")),
    "two kserve models": (
        "kserve-tpu-v6e",
        lambda config: (
            config["pools"]["v6e"]["slices"].update(max=4),
            config["models"].update(small={**config["models"]["qwen"], "model": "Qwen/Qwen2.5-7B-Instruct"}),
        ),
    ),
    "acceptance over RDMA networks": (
        "prod",
        lambda config: config["pools"]["h200"].update(acceptance={"nodes": 2, "minimumBusBandwidth": 300}),
    ),
}
"""Settings that no stack file of the house has, each as a stack and what is changed in it."""


def settled(name: str, folder: Path) -> Path:
    """Write the stack file of one of ``SETTINGS``; returns its path."""
    stack, edit = SETTINGS[name]
    config = variants.read(STACKS[stack])
    sections = {key.removeprefix(_PREFIX): part for key, part in config.items() if key.startswith(_PREFIX)}
    edit(sections)
    others = {key: part for key, part in config.items() if not key.startswith(_PREFIX)}
    return variants.written(
        {**others, **{_PREFIX + key: part for key, part in sections.items()}}, folder / "Pulumi.dev.yaml"
    )


@cache
def manifests(path: Path) -> tuple[Mapping[str, Any], ...]:
    """Return the objects of a stack, in the order in which it makes them."""
    return tuple(plain({**thing, **_contents(state)}) for state, thing in objects(rehearsed(path)))


def _contents(state: ResourceState) -> Mapping[str, Any]:
    """Return the rehearsal's stand-ins for what a Secret holds: an API server reads some of it."""
    if state.inputs["kind"] != "Secret":
        return {}
    return {key: _opened(state.inputs[key]) for key in ("data", "stringData") if key in state.inputs}


def _opened(value: object) -> object:
    match value:
        case Secret():
            return _opened(value.value)
        case Mapping():
            return {key: _opened(part) for key, part in value.items()}
        case _:
            return value


def custom(path: Path) -> list[Mapping[str, Any]]:
    """Return the objects of a stack that are of no built-in kind."""
    return [thing for thing in manifests(path) if is_custom(thing)]


def is_custom(manifest: Mapping[str, Any]) -> bool:
    """Whether an object is of a kind that somebody defines."""
    group = manifest["apiVersion"].rpartition("/")[0]
    return "." in group and (not group.endswith(".k8s.io") or group in _DEFINED)


_DEFINED = frozenset({"gateway.networking.k8s.io", "inference.networking.k8s.io"})
"""Groups of the Kubernetes project that definitions bring; those of ``x-k8s.io`` do so by their name."""
