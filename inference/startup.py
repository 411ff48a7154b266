"""How long a server takes until it answers, and what its probes must therefore allow.

Estimates carry their assumptions as named constants; probes get a multiple of the estimate, because a probe that
fires too early kills a load that would have succeeded and starts it again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["Startup", "startup"]

_READ_BYTES_PER_SECOND = {"hub": 200e6, "bucket": 1_000e6}
"""Weights read per node. Hub: llm-d pattern 1 on a T4 saw 5 GB in 2–3 minutes with start-up included. Bucket: Cloud
Storage FUSE with parallel download onto local SSD reaches more; a busy bucket or a small node reaches less."""

_ENGINE_SECONDS = {"one": 120, "group": 300, "tpu": 720}
"""Memory profiling, compilation and graph capture, on one node and over several; XLA compiles for 12 minutes."""

_FLOOR_SECONDS = {"one": 600, "group": 1800, "tpu": 1800}
"""Never allow less: faults VLLM-014 (600 s; 1,800 s above 100B parameters or over several nodes) and KS-011."""

_MARGIN = 2.0
"""Probes allow twice the estimate."""

PROBE_PERIOD = 10
"""Seconds between two probes."""


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


def startup(
    weight_bytes: float | None,
    source: Literal["hub", "bucket"],
    nodes: int,
    parameters: int | None = None,
    *,
    tpu: bool = False,
) -> Startup:
    """Return the estimate for a model of ``weight_bytes`` spread over ``nodes``.

    Every node reads its own part from a bucket, and the whole from the Hub. Weights of unknown size count as
    nothing, so that the floor decides.
    """
    size = weight_bytes or 0.0
    per_node = size if source == "hub" else size / nodes
    large = nodes > 1 or size > 200e9 or (parameters or 0) > 100e9
    read = math.ceil(per_node / _READ_BYTES_PER_SECOND[source])
    kind = "tpu" if tpu else "group" if large else "one"
    engine = _ENGINE_SECONDS[kind]
    wanted = max((read + engine) * _MARGIN, _FLOOR_SECONDS[kind])
    return Startup(read, engine, math.ceil(wanted / 60) * 60)
