"""Where machines and accelerators are offered."""

from __future__ import annotations

from inference.facts.machines import ATTACHABLE, machine
from inference.facts.tpus import generation_of_machine

__all__ = ["zones_with"]


def zones_with(name: str) -> frozenset[str]:
    """Return the zones known to offer a machine type or a GPU for N1 machines; empty where no list is known.

    Zones that only an old list names are included, so the answer serves to suggest, never to refuse.
    """
    found = machine(name)
    if found is not None:
        return (found.zones or frozenset()) | found.zones_seen
    if name in ATTACHABLE:
        return ATTACHABLE[name].zones_seen
    generation = generation_of_machine(name)
    return (generation.zones if generation is not None else None) or frozenset()
