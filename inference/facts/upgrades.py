"""Upgrades of GKE: release channels, how far nodes may lag, what renews the nodes of a pool, maintenance windows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = [
    "CHANNELS",
    "CHANNELS_FROM_SLOW_TO_FAST",
    "DEFAULT_MAX_SURGE",
    "MAINTENANCE_HOURS",
    "MAINTENANCE_PERIOD_DAYS",
    "NODE_LAG",
    "RENEWING",
    "retired",
]

CHANNELS_FROM_SLOW_TO_FAST = ("EXTENDED", "STABLE", "REGULAR", "RAPID")
CHANNELS = frozenset(CHANNELS_FROM_SLOW_TO_FAST)
"""Release channels, by how soon GKE takes a cluster on to the next minor version (source GKECHANNELS)."""

_NEWEST_RETIRED: Mapping[str, tuple[int, int]] = MappingProxyType({"EXTENDED": (1, 30)})
_NEWEST_RETIRED_ELSEWHERE = (1, 33)


def retired(channel: str, major: int, minor: int) -> bool:
    """Whether a channel certainly offers no patch of a minor version any more (source GKESCHEDULE).

    The schedule was read in 2026: what has retired since is not known.
    """
    return (major, minor) <= _NEWEST_RETIRED.get(channel, _NEWEST_RETIRED_ELSEWHERE)


NODE_LAG = 3
"""Minor versions that nodes may be behind the control plane (source KUBESKEW).

Copies of GKE's own versioning page say two.
"""

DEFAULT_MAX_SURGE = 1
"""Nodes that an upgrade adds to a pool without ``upgradeSettings`` (source SURGEDOC)."""

RENEWING = (
    "networkConfig.networkPerformanceConfig",
    "nodeConfig.bootDisk",
    "nodeConfig.diskSizeGb",
    "nodeConfig.diskType",
    "nodeConfig.gcfsConfig",
    "nodeConfig.gvnic",
    "nodeConfig.imageType",
    "nodeConfig.kubeletConfig",
    "nodeConfig.linuxNodeConfig",
    "nodeConfig.machineType",
    "nodeConfig.storagePools",
    "nodeConfig.workloadMetadataConfig",
    "version",
)
"""Properties of a node pool whose change in place makes GKE renew every node: version, machine, disk, image, image
streaming, network performance, gVNIC, node system configuration, storage pools (source SURGEDOC), and the metadata
server (source TPGOOGLE:nodePoolUpdate). Labels and taints do not."""

MAINTENANCE_HOURS = 48
MAINTENANCE_PERIOD_DAYS = 32
"""Hours of maintenance windows, in blocks of at least four, that GKE wants within so many days (source GKEMAINTENANCE).

Notes of 2026 quote the page with 92 days; what satisfies 32 satisfies both.
"""
