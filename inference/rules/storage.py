"""Volumes with weights: what a driver needs from the pod, the nodes and the cluster before it mounts anything.

A pod with a volume that cannot be mounted is scheduled first: the accelerator node comes up, and then the pod waits for
ever in ContainerCreating. Cloud Storage FUSE mounts through a sidecar that only an annotation on the pod brings, with
an identity that only GKE's metadata server gives, and caches on whatever disk the node has. A zonal disk that is made
before its pod is placed is made in the wrong zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from inference.facts.gke import (
    CSI_DRIVERS,
    DEFAULT_BOOT_DISK_GB,
    GCSFUSE_ANNOTATION,
    GCSFUSE_CACHE_VOLUME,
    GCSFUSE_DRIVER,
    GCSFUSE_EPHEMERAL_BYTES,
    GCSFUSE_EPHEMERAL_LIMIT_ANNOTATION,
    GCSFUSE_SIDECAR,
    IMAGE_TYPE,
    ZONE_LABEL,
)
from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.cloud import Cluster, NodePool
from inference.rules.views.fleet import Site, Sites
from inference.rules.views.hosting import cluster_of
from inference.rules.views.pods import PodTemplate
from inference.rules.views.serving import sites_of
from inference.rules.views.stack import Stack
from inference.rules.views.values import quantity
from inference.rules.views.volumes import Volume, inline_volumes, volumes_of

_FUSE = "https://docs.cloud.google.com/kubernetes-engine/docs/how-to/cloud-storage-fuse-csi-driver-setup"
_ADDONS = {
    GCSFUSE_DRIVER: "gcsFuseCsiDriverConfig",
    CSI_DRIVERS["filestore"]: "gcpFilestoreCsiDriverConfig",
    CSI_DRIVERS["lustre"]: "lustreCsiDriverConfig",
    CSI_DRIVERS["parallelstore"]: "parallelstoreCsiDriverConfig",
}
"""CSI driver to the add-on of a Standard cluster that installs it."""
_DISK_ZONE = re.compile(r"/zones/([a-z0-9-]+)/disks/")


@rule(
    "storage-fuse-sidecar-asked-for",
    title="A pod with a Cloud Storage FUSE volume asks for the sidecar on its template",
    breaks="'MountVolume.SetUp failed: failed to find the sidecar container in Pod spec': the pod stays in "
    "ContainerCreating on a running accelerator node.",
    fix='Set the annotation gke-gcsfuse/volumes: "true" on the pod template; on the Deployment it has no effect.',
    source="https://github.com/GoogleCloudPlatform/gcs-fuse-csi-driver/issues/153",
    severity=Severity.HIGH,
    covers=("STO-001",),
    on=PodTemplate,
)
def fuse_sidecar_asked_for(pod: PodTemplate) -> Iterator[str]:
    for volume in inline_volumes(pod):
        if volume.driver == GCSFUSE_DRIVER and _lacks_sidecar(pod):
            yield _sidecar_message(volume)


@rule(
    "storage-fuse-sidecar-asked-for-claims",
    title="A pod that claims a Cloud Storage FUSE volume asks for the sidecar on its template",
    breaks="'MountVolume.SetUp failed: failed to find the sidecar container in Pod spec': the pod stays in "
    "ContainerCreating on a running accelerator node.",
    fix='Set the annotation gke-gcsfuse/volumes: "true" on the template of every pod that mounts the claim.',
    source="https://github.com/GoogleCloudPlatform/gcs-fuse-csi-driver/issues/153",
    severity=Severity.HIGH,
    covers=("STO-001",),
)
def fuse_sidecar_asked_for_claims(stack: Stack) -> Iterator[About]:
    for pod in stack.pods():
        for volume in volumes_of(stack, pod) if _lacks_sidecar(pod) else ():
            if volume.driver == GCSFUSE_DRIVER and volume.name not in {v.name for v in inline_volumes(pod)}:
                yield About(pod.object.resource, _sidecar_message(volume))


def _lacks_sidecar(pod: PodTemplate) -> bool:
    declared = any(container.name == GCSFUSE_SIDECAR for container in pod.all_containers)
    return pod.metadata.known("annotations") and pod.annotations.get(GCSFUSE_ANNOTATION) != "true" and not declared


def _sidecar_message(volume: Volume) -> str:
    pod = volume.pod
    beside = (
        " (it is on the object itself, where nothing reads it)" if GCSFUSE_ANNOTATION in pod.object.annotations else ""
    )
    return (
        f'{pod} mounts "{volume.name}" with Cloud Storage FUSE, and its template lacks {GCSFUSE_ANNOTATION}: "true"'
        f"{beside}; no sidecar is injected and the pod never starts. Set the annotation on the pod template."
    )


@rule(
    "storage-driver-installed",
    title="A cluster has the add-on of every volume driver that its pods use, and identities for Cloud Storage FUSE",
    breaks="'driver name gcsfuse.csi.storage.gke.io not found in the list of registered CSI drivers', or "
    "'Unauthenticated' from Cloud Storage: the pod never starts.",
    fix="Enable the add-on in the cluster's addonsConfig; for FUSE set workloadIdentityConfig.workloadPool and keep "
    "GKE_METADATA on the node pools.",
    source="https://github.com/GoogleCloudPlatform/gcs-fuse-csi-driver/issues/56",
    severity=Severity.HIGH,
    covers=("STO-002",),
)
def driver_installed(stack: Stack) -> Iterator[About]:
    told: set[tuple[str, str]] = set()
    for pod in stack.pods():
        drivers = {volume.driver for volume in volumes_of(stack, pod)} & set(_ADDONS)
        cluster = cluster_of(stack, pod.object.resource) if drivers else None
        if cluster is None:
            continue
        for driver in sorted(driver for driver in drivers if driver):
            if (cluster.resource.urn, driver) in told:
                continue
            told.add((cluster.resource.urn, driver))
            for problem in _not_installed(cluster, driver):
                yield About(cluster.resource, f"{cluster} is to run {pod.object}, which mounts {driver}, but {problem}")
        if GCSFUSE_DRIVER in drivers:
            for site in sites_of(stack, pod).told(_showing_metadata):
                yield About(
                    site.pool.resource,
                    f"{site.pool} shows pods the metadata of the node, and {pod.object} mounts FUSE volumes there; it "
                    "has no identity for the bucket. Set workloadMetadataConfig.mode: GKE_METADATA.",
                )


def _showing_metadata(sites: Sites) -> tuple[Site, ...]:
    return tuple(
        site for site in sites if site.pool.config.text("workloadMetadataConfig", "mode") in {"GCE_METADATA", "EXPOSE"}
    )


def _not_installed(cluster: Cluster, driver: str) -> Iterator[str]:
    if cluster.autopilot or not cluster.props.known("enableAutopilot"):
        return
    addon = _ADDONS[driver]
    place = ("addonsConfig", addon, "enabled")
    if cluster.props.known(*place) and cluster.props.flag(*place) is not True:
        yield (
            f"addonsConfig.{addon} is not enabled there; the driver is not installed and the pod never starts. "
            f"Set addonsConfig.{addon}.enabled: true."
        )
    if driver == GCSFUSE_DRIVER and cluster.props.absent("workloadIdentityConfig", "workloadPool"):
        yield (
            "it has no workload identity; the sidecar has no identity for the bucket. "
            "Set workloadIdentityConfig.workloadPool: PROJECT.svc.id.goog."
        )


@rule(
    "storage-fuse-cache-allowed",
    title="The file cache of Cloud Storage FUSE is within what the sidecar may store",
    breaks="The cache fills, the sidecar passes its limit of ephemeral storage (5 GiB unless the annotation says "
    "more), "
    "and the pod is evicted while it loads the model.",
    fix='Set gke-gcsfuse/ephemeral-storage-limit: "0" (unlimited) on the template, on nodes with local SSD; or a limit '
    "above the cache.",
    source=_FUSE,
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    covers=("STO-005",),
)
def fuse_cache_allowed(stack: Stack) -> Iterator[About]:
    for pod in stack.pods():
        own_cache = any(volume.text("name") == GCSFUSE_CACHE_VOLUME for volume in pod.spec.sections("volumes"))
        for volume in () if own_cache or not pod.metadata.known("annotations") else volumes_of(stack, pod):
            cache = volume.cache_bytes if volume.driver == GCSFUSE_DRIVER else None
            problem = _too_much(stack, pod, cache) if cache is not None else None
            if problem:
                size = "without limit" if cache == float("inf") else f"of {(cache or 0) / 2**30:.0f} GiB"
                yield About(
                    pod.object.resource,
                    f'{pod} lets Cloud Storage FUSE keep a file cache {size} for "{volume.name}", and {problem}',
                )


def _boot_disks(sites: Sites) -> frozenset[float]:
    return frozenset(disk for site in sites if (disk := _boot_disk_bytes(site.pool)) is not None)


def _too_much(stack: Stack, pod: PodTemplate, cache: float) -> str | None:
    """Return what a cache of this size does not fit."""
    written = pod.annotations.get(GCSFUSE_EPHEMERAL_LIMIT_ANNOTATION)
    limit = GCSFUSE_EPHEMERAL_BYTES if written is None else quantity(written) or float("inf")
    remedy = f'Set {GCSFUSE_EPHEMERAL_LIMIT_ANNOTATION}: "0" on the template, on nodes with local SSD.'
    disks = sites_of(stack, pod).told(_boot_disks)
    if written is not None and limit < cache < float("inf"):
        return f"its sidecar may store {limit / 2**30:.0f} GiB; the pod is evicted when the cache grows. {remedy}"
    if disks and cache > limit:
        return (
            f"its sidecar may store {limit / 2**30:.0f} GiB on nodes without local SSD; the pod is evicted when the "
            f"cache grows. {remedy}"
        )
    if disks and cache > min(disks):
        return (
            f"its nodes have a boot disk of {min(disks) / 1e9:.0f} GB and no local SSD; the node runs out of disk. "
            "Use local SSDs as ephemeral storage, or a smaller cache."
        )
    return None


def _boot_disk_bytes(pool: NodePool) -> float | None:
    """Return the size of the boot disk where it is all the ephemeral storage there is."""
    config = pool.config
    bundled = pool.machine is not None and bool(pool.machine.local_ssds)
    ssds = (config.section(key) for key in ("ephemeralStorageLocalSsdConfig", "ephemeralStorageConfig"))
    known = config.known("diskSizeGb") and config.known("ephemeralStorageLocalSsdConfig") and pool.machine_type
    if bundled or any(ssds) or not known:
        return None
    size = DEFAULT_BOOT_DISK_GB if config.absent("diskSizeGb") else config.number("diskSizeGb")
    return None if size is None else size * 1e9


@rule(
    "storage-disk-follows-pod",
    title="A zonal disk of an accelerator pod is made, or lies, where the pod can run",
    breaks="'node(s) had volume node affinity conflict': the disk was made in a zone without these accelerators, and "
    "the "
    "pod is Pending for ever.",
    fix="Set volumeBindingMode: WaitForFirstConsumer on the StorageClass; put a disk that exists into a zone of the "
    "pool's nodeLocations.",
    source="https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode",
    severity=Severity.HIGH,
    covers=("STO-007",),
)
def disk_follows_pod(stack: Stack) -> Iterator[About]:
    for pod in stack.pods():
        for volume in volumes_of(stack, pod) if pod.accelerators else ():
            if volume.driver != CSI_DRIVERS["persistent-disk"]:
                continue
            chosen = volume.storage_class
            if volume.persistent is None and chosen is not None and chosen.props.absent("allowedTopologies"):
                mode = chosen.props.text("volumeBindingMode")
                if mode == "Immediate" or chosen.props.absent("volumeBindingMode"):
                    yield About(
                        chosen.resource,
                        f"{chosen} makes its disks at once, in any zone, and {pod} mounts one in a zone with its "
                        'accelerators; the pod may never start. Set volumeBindingMode: "WaitForFirstConsumer".',
                    )
            zones = _zones_of_disk(volume)
            reachable = sites_of(stack, pod).told(_zones)
            if zones and reachable and not zones & reachable:
                yield About(
                    pod.object.resource,
                    f'{pod} mounts "{volume.name}" from a disk in {", ".join(sorted(zones))}, and its nodes are in '
                    f"{', '.join(sorted(reachable))}; the pod is Pending for ever. Put the disk into one of these.",
                )


def _zones(sites: Sites) -> frozenset[str]:
    """Return the zones of all nodes; empty where some are not known."""
    settled = all(site.zones is not None for site in sites)
    return frozenset(zone for site in sites for zone in site.zones or ()) if settled else frozenset()


def _zones_of_disk(volume: Volume) -> set[str]:
    """Return the zones in which a PersistentVolume that is declared lies."""
    if volume.persistent is None:
        return set()
    spec = volume.persistent.spec
    if match := _DISK_ZONE.search(spec.text("csi", "volumeHandle") or ""):
        return {match[1]}
    for term in spec.sections("nodeAffinity", "required", "nodeSelectorTerms"):
        for expression in term.sections("matchExpressions"):
            if expression.text("key") in {ZONE_LABEL, "topology.gke.io/zone"} and expression.text("operator") == "In":
                return set(expression.texts("values"))
    return set()


@rule(
    "storage-claim-mounts-everywhere",
    title="A claim that pods on several nodes share may be mounted on several nodes",
    breaks="'Multi-Attach error for volume': the first pod has the disk, the others stay in ContainerCreating on their "
    "accelerator nodes.",
    fix="Use ReadOnlyMany with hyperdisk-ml, ReadWriteMany with Filestore or Lustre, a bucket with Cloud Storage FUSE, "
    "or a claim for each pod (volumeClaimTemplates).",
    source="https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes",
    severity=Severity.HIGH,
)
def claim_mounts_everywhere(stack: Stack) -> Iterator[About]:
    for pod in stack.pods():
        several = pod.object.kind in {"Deployment", "LeaderWorkerSet", "ReplicaSet"} and (
            (pod.replicas or 0) > 1 or (pod.size or 0) > 1
        )
        for volume in volumes_of(stack, pod) if several and pod.accelerators else ():
            modes = set(volume.claim.spec.texts("accessModes")) if volume.claim is not None else set()
            if modes and modes <= {"ReadWriteOnce", "ReadWriteOncePod"}:
                yield About(
                    pod.object.resource,
                    f'{pod} has several pods, and they all mount {volume.claim} as "{volume.name}", which is '
                    f"{' and '.join(sorted(modes))}; only the pods of one node get it. Use ReadOnlyMany or "
                    "ReadWriteMany, or a claim for each pod.",
                )


@rule(
    "storage-image-cache-streams",
    title="A node pool with a cached image on a secondary boot disk streams images",
    breaks="The cache is attached, paid for, and not used: nodes pull 10 to 20 GB from the registry as before; or the "
    "API "
    "refuses the pool.",
    fix="Set gcfsConfig.enabled: true and imageType: COS_CONTAINERD on the pool.",
    source="https://docs.cloud.google.com/kubernetes-engine/docs/how-to/data-container-image-preloading",
    severity=Severity.MEDIUM,
    covers=("STO-008",),
)
def image_cache_streams(stack: Stack) -> Iterator[About]:
    for pool in stack.each(NodePool):
        config = pool.config
        disks = config.sections("secondaryBootDisks")
        if not any(disk.text("mode") == "CONTAINER_IMAGE_CACHE" for disk in disks):
            continue
        if not _streams(stack, pool):
            yield About(
                pool.resource,
                f"{pool} has a secondary boot disk with cached images and no image streaming; the cache is not used. "
                "Set gcfsConfig.enabled: true.",
            )
        image = config.text("imageType")
        if image is not None and image.upper() != IMAGE_TYPE:
            yield About(
                pool.resource,
                f"{pool} has a secondary boot disk with cached images and boots {image}; only Container-Optimized OS "
                f"uses it. Set imageType: {IMAGE_TYPE}.",
            )


def _streams(stack: Stack, pool: NodePool) -> bool:
    """Whether image streaming is on, by the pool itself or by its cluster's defaults, or may be."""
    if not pool.config.known("gcfsConfig", "enabled"):
        return True
    if not pool.config.absent("gcfsConfig", "enabled"):
        return pool.config.flag("gcfsConfig", "enabled") is True
    owner = pool.cluster(stack)
    place = ("nodePoolDefaults", "nodeConfigDefaults", "gcfsConfig", "enabled")
    return owner is not None and (not owner.props.known(*place) or owner.props.flag(*place) is True)
