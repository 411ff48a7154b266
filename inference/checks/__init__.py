"""What cannot work in a stack file, judged by the facts before anything is registered."""

from __future__ import annotations

from collections.abc import Iterator

from inference.checks import cluster, costs, disk, gateway, kserve, models, nim, pools, queues
from inference.problems import Problem
from inference.settings import StackSettings

__all__ = ["check"]


def check(settings: StackSettings, missing: frozenset[str] = frozenset()) -> Iterator[Problem]:
    """Yield every problem.

    Args:
        settings: the stack file.
        missing: paths (``pools.h200``) that were left out because they are malformed; nobody is blamed for
            naming them.
    """
    yield from cluster.check(settings)
    yield from pools.check(settings, missing)
    yield from queues.check(settings)
    yield from models.check(settings, missing)
    yield from kserve.check(settings)
    yield from nim.check(settings, missing)
    yield from disk.check(settings)
    yield from gateway.check(settings, missing)
    yield from costs.check(settings, missing)
