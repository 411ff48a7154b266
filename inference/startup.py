"""How long a server takes until it answers, and what its probes must therefore allow.

One arithmetic for both: probes get a multiple of the estimate, because a probe that fires too early kills a load that
would have succeeded and starts it again. The figures and their sources are in ``inference.facts.loading``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from inference.facts.loading import ENGINES, PROBE_MARGIN, STORES

__all__ = ["LARGE_PARAMETERS", "PROBE_PERIOD", "Startup", "engine_kind", "read_seconds", "startup"]

PROBE_PERIOD = 10
"""Seconds between two probes."""

LARGE_PARAMETERS = 100e9
_LARGE_BYTES = 200e9
"""Beyond either a server on one node takes as long as one on several."""


@dataclass(frozen=True, slots=True)
class Startup:
    """From container start to the first healthy answer."""

    read_seconds: int
    """Reading the weights."""
    engine_seconds: int
    """Compilation and graph capture."""
    budget_seconds: int
    """What the start-up probe allows."""

    @property
    def seconds(self) -> int:
        """The estimate."""
        return self.read_seconds + self.engine_seconds

    @property
    def failure_threshold(self) -> int:
        """Failures of a probe every ``PROBE_PERIOD`` seconds that the budget amounts to."""
        return math.ceil(self.budget_seconds / PROBE_PERIOD)


def read_seconds(weight_bytes: float, store: str, nodes: int) -> int:
    """Return how long reading takes: of some stores every node reads its own part, of others the whole."""
    found = STORES[store]
    per_node = weight_bytes / nodes if found.divided else weight_bytes
    return math.ceil(per_node / found.bytes_per_second)


def engine_kind(weight_bytes: float | None, nodes: int, parameters: int | None, *, tpu: bool) -> str:
    """Return which entry of ``ENGINES`` a server is."""
    large = nodes > 1 or (weight_bytes or 0.0) > _LARGE_BYTES or (parameters or 0) > LARGE_PARAMETERS
    return "tpu" if tpu else "group" if large else "one"


def startup(
    weight_bytes: float | None,
    store: str,
    nodes: int,
    parameters: int | None = None,
    *,
    tpu: bool = False,
) -> Startup:
    """Return the estimate for a model of ``weight_bytes`` spread over ``nodes``.

    Args:
        weight_bytes: size of the files; weights of unknown size count as nothing, so that the floor decides.
        store: where they are read from, a name in ``STORES``.
        nodes: nodes of one replica.
        parameters: elements of the weights.
        tpu: whether XLA compiles the model.
    """
    read = read_seconds(weight_bytes or 0.0, store, nodes)
    engine = ENGINES[engine_kind(weight_bytes, nodes, parameters, tpu=tpu)]
    wanted = max((read + engine.seconds) * PROBE_MARGIN, engine.floor_seconds)
    return Startup(read, engine.seconds, math.ceil(wanted / 60) * 60)
