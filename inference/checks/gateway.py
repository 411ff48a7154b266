"""The gateway: it leads somewhere, and its pickers fit the system nodes."""

from __future__ import annotations

from collections.abc import Iterator

from inference.facts.machines import allocatable, machine
from inference.problems import Problem
from inference.settings import StackSettings

__all__ = ["check"]


def check(settings: StackSettings, missing: frozenset[str]) -> Iterator[Problem]:
    """Yield what is wrong with the gateway."""
    gateway = settings.gateway
    if gateway is None:
        return
    blind = "models" in missing or any(path.startswith("models.") for path in missing)
    if not settings.models and not blind:
        yield Problem(
            "gateway", "there is no model", "it would route to nothing", "Add a model, or remove the gateway."
        )
    if len(settings.models) > 1:
        yield Problem(
            "gateway",
            f"leads to {len(settings.models)} models: {', '.join(settings.models)}",
            "requests for several models share one path, and GKE does not read the model from the body by itself",
            "Keep one model per stack behind a gateway.",
        )
    picker = gateway.picker
    node = machine(settings.cluster.system_pool.machine_type)
    if node is None:
        return
    cores, memory = allocatable(node)
    for key, wanted, has, unit in (
        ("cpu", picker.cpu, cores, "cores"),
        ("memoryGib", picker.memory_gib, memory, "GiB"),
    ):
        if wanted > has * 0.8:
            yield Problem(
                f"gateway.picker.{key}",
                str(wanted),
                f"a {node.name} has {has:.1f} {unit} for pods, and system pods need a fifth of it",
                f"Lower it to {int(has * 0.8)}, or choose a larger cluster.systemPool.machineType.",
            )
