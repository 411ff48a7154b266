"""The nodes of a pool: how many, where, with which disks, and how many more while they are upgraded."""

from __future__ import annotations

from inference.facts.gke import DEFAULT_BOOT_DISK_GB, DEFAULT_BOOT_DISK_TYPE
from inference.facts.upgrades import DEFAULT_MAX_SURGE
from inference.facts.zones import is_region, is_zone, region_of
from inference.rules.views.cloud import NodePool
from inference.rules.views.fleet import Site

__all__ = [
    "boot_disk",
    "chosen_ssds",
    "counts",
    "counts_of_zone",
    "local_ssds",
    "region_of_nodes",
    "ssds_known",
    "surge",
]

_SSD_COUNTS = (
    ("ephemeralStorageLocalSsdConfig", "localSsdCount"),
    ("ephemeralStorageConfig", "localSsdCount"),
    ("localNvmeSsdBlockConfig", "localSsdCount"),
    ("localSsdCount",),
)
"""Where a node configuration asks for local SSDs; of the four one is used (GKE API, NodeConfig)."""


def counts(site: Site) -> tuple[int | None, int | None]:
    """Return the fewest and the most nodes of a pool; ``None`` for what is not known."""
    return _fewest(site.pool, site.zone_count, site.most_nodes), site.most_nodes


def counts_of_zone(pool: NodePool) -> tuple[int | None, int | None]:
    """Return the fewest and the most nodes in one zone, of a pool whose zones are not known."""
    most = pool.max_nodes()
    return _fewest(pool, 1, most), most


def _fewest(pool: NodePool, zones: int | None, most: int | None) -> int | None:
    scaling = pool.props.section("autoscaling")
    if not scaling:
        return most
    fewest = scaling.integer("totalMinNodeCount")
    if not fewest and (each := scaling.integer("minNodeCount")):
        return None if zones is None else each * zones
    if fewest is None:
        return 0 if scaling.known("minNodeCount") and scaling.known("totalMinNodeCount") else None
    return fewest


def region_of_nodes(site: Site) -> str | None:
    """Return the region of the nodes."""
    for place in (*(site.zones or ()), site.pool.props.text("location"), site.cluster and site.cluster.location):
        if place and is_zone(place):
            return region_of(place)
        if place and is_region(place):
            return place
    return None


def boot_disk(pool: NodePool) -> tuple[str | None, float | None]:
    """Return type and GB of the boot disk of a node, GKE's defaults where it names none; ``None`` for the unknown."""
    config = pool.config
    kind = config.text("bootDisk", "diskType") or config.text("diskType")
    size = config.number("bootDisk", "sizeGb") or config.number("diskSizeGb")
    if kind is None and config.absent("diskType") and config.absent("bootDisk", "diskType"):
        takes = pool.machine.boot_disk_types if pool.machine else ()
        kind = None if takes and DEFAULT_BOOT_DISK_TYPE not in takes else DEFAULT_BOOT_DISK_TYPE
    if size is None and config.absent("diskSizeGb") and config.absent("bootDisk", "sizeGb"):
        size = DEFAULT_BOOT_DISK_GB
    return kind, size


def chosen_ssds(pool: NodePool) -> int:
    """Return the local SSDs of a node that the pool asks for, as far as is known."""
    return sum(pool.config.integer(*path) or 0 for path in _SSD_COUNTS)


def ssds_known(pool: NodePool) -> bool:
    """Whether all counts of local SSDs are known."""
    return all(pool.config.known(*path) for path in _SSD_COUNTS)


def local_ssds(pool: NodePool) -> int:
    """Return the local SSDs of a node: those that come with the machine, else those that the pool asks for."""
    bundled = pool.machine.local_ssds if pool.machine is not None else None
    return bundled or chosen_ssds(pool)


def surge(pool: NodePool) -> int | None:
    """Return how many nodes an upgrade adds before it takes others away; ``None`` where that is not known.

    GKE's default holds where a pool says nothing of upgrades; settings that leave ``maxSurge`` out mean none.
    """
    if not pool.props.known("upgradeSettings", "maxSurge"):
        return None
    settings = pool.props.section("upgradeSettings")
    return (settings.integer("maxSurge") or 0) if settings else DEFAULT_MAX_SURGE
