"""Whether the weights that a server downloads fit the disk of its node."""

from __future__ import annotations

import math
from collections.abc import Iterator

from inference.config_json.files import known_of
from inference.derivation import machine_of, stages_of, vllm_models
from inference.problems import Problem
from inference.settings import StackSettings
from inference.settings.models import HubWeights
from inference.settings.pools import AcceleratorPool

__all__ = ["check"]

_EVICTION_SHARE = 0.1
"""The kubelet evicts pods when less of the disk is free
(https://docs.cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes)."""

_SOFTWARE_GB = 40
"""An assumption: the unpacked image of a server, some 30 GB, and what the node itself keeps on the disk."""


def check(settings: StackSettings) -> Iterator[Problem]:
    """Yield models whose download would fill the boot disk."""
    for name, model in vllm_models(settings).items():
        for stage, server in stages_of(model):
            pool, known = settings.pools.get(server.pool), known_of(server)
            if pool is None or known is None or not known.weight_bytes or not isinstance(server.weights, HubWeights):
                continue
            size = known.weight_bytes / 1e9
            needed = math.ceil((size + _SOFTWARE_GB) / (1 - _EVICTION_SHARE) / 10) * 10
            if pool.boot_disk_gb < needed and not _scratch_disks(pool):
                yield Problem(
                    f"pools.{server.pool}.bootDiskGb",
                    str(pool.boot_disk_gb),
                    f"models.{name}{f'.{stage}' if stage else ''} downloads {size:.0f} GB of weights beside its image, "
                    "and pods are evicted when a tenth of the disk is left",
                    f"Set bootDiskGb to at least {needed}, or read the weights from a bucket.",
                )


def _scratch_disks(pool: AcceleratorPool) -> bool:
    found = machine_of(pool)
    return found is not None and bool(found.local_ssds)
