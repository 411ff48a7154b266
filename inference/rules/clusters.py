"""Clusters: what a cluster and its pools must agree on so that neither has to be made again.

A cluster is the one thing that takes everything else along when it is replaced. Pools written inside it, a default pool
that the program describes, versions that a release channel does not carry and nodes that only accelerators have: each
works on the first day and asks for a new cluster, or for idle GPUs, on a later one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from inference.facts.gke import GPU_RESOURCE, GPU_TAINT
from inference.facts.upgrades import CHANNELS, retired
from inference.facts.versions import GKE_MINIMUM, GkeVersion, Minimum
from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.cloud import Cluster
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.guards import ignores, observed
from inference.rules.views.stack import Stack

_PROVIDER = "https://www.pulumi.com/registry/packages/gcp/api-docs/container/cluster/"
_SCHEDULE = "https://cloud.google.com/kubernetes-engine/docs/release-schedule"


# ---------------------------------------------------------------- pools


@rule(
    "cluster-pools-stay-separate",
    title="Node pools are resources of their own, and the default pool is removed undescribed",
    breaks="nodePools, and nodeConfig of a default pool that is removed, cannot change in place: the next edit "
    "previews a replacement of the cluster with everything on it.",
    fix="removeDefaultNodePool: true, initialNodeCount: 1, no nodePools, no nodeConfig (or ignore changes of it); "
    "every pool a NodePool resource.",
    source="https://github.com/pulumi/pulumi-gcp/issues/88",
    severity=Severity.HIGH,
    covers=("PGCP-003",),
    on=Cluster,
)
def pools_stay_separate(cluster: Cluster) -> Iterator[str]:
    if observed(cluster.props):
        return
    if count := cluster.props.size("nodePools"):
        yield (
            f"{cluster} declares {count} node pool{'s' if count > 1 else ''} inside itself; a change of one replaces "
            "the cluster. Make each a NodePool resource and take nodePools away."
        )
    described = cluster.props.section("nodeConfig") and not cluster.autopilot
    removed = cluster.props.flag("removeDefaultNodePool") is True
    if described and removed and not ignores(cluster.resource, "nodeConfig"):
        yield (
            f"{cluster} describes with nodeConfig a default pool that it removes; a later change of it replaces the "
            'cluster. Take nodeConfig away, or ignore changes of it (ignoreChanges: ["nodeConfig"]).'
        )


@rule(
    "cluster-first-pool-has-nodes",
    title="A Standard cluster without inline pools is created with a node",
    breaks="GKE refuses the cluster: 'Cluster.initial_node_count must be greater than zero'.",
    fix="initialNodeCount: 1 with removeDefaultNodePool: true.",
    source=_PROVIDER,
    severity=Severity.HIGH,
    on=Cluster,
)
def first_pool_has_nodes(cluster: Cluster) -> Iterator[str]:
    props = cluster.props
    described = not props.absent("nodePools") and props.size("nodePools") != 0
    if cluster.autopilot or not props.known("enableAutopilot") or described or observed(props):
        return
    if props.absent("initialNodeCount") or props.integer("initialNodeCount") == 0:
        yield (
            f"{cluster} has no initialNodeCount, and GKE makes no Standard cluster without nodes. "
            "Set initialNodeCount: 1 and removeDefaultNodePool: true."
        )


@rule(
    "cluster-gpu-pool-is-tainted",
    title="GPU nodes are kept free of pods that need no GPU",
    breaks="GKE taints GPU nodes only where other nodes exist when the pool is made. Without the taint system pods and "
    "everything else fill the GPU nodes, and keep them from scaling down.",
    fix="Make the CPU pool first (dependsOn), or declare the taint nvidia.com/gpu=present:NO_SCHEDULE on the GPU pool.",
    source="https://github.com/terraform-google-modules/terraform-google-kubernetes-engine/issues/703",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    covers=("NP-024",),
)
def gpu_pool_is_tainted(stack: Stack) -> Iterator[About]:
    for scope in stack.view(Fleet).scopes:
        if scope.cluster is None or scope.cluster.props.flag("removeDefaultNodePool") is not True:
            continue
        others = [site for site in scope.sites if site.accelerator != GPU_RESOURCE]
        for site in scope.sites:
            if site.accelerator != GPU_RESOURCE or site.pool.inline or _keeps_free(site):
                continue
            if not any(stack.depends(site.pool.resource, other.pool.resource) for other in others):
                yield About(site.pool.resource, _untainted(site, others))


def _keeps_free(site: Site) -> bool:
    """Whether the pool declares a taint that keeps pods away, or may."""
    if not site.pool.config.known("taints"):
        return True
    return any(taint.key == GPU_TAINT.key or taint.effect != "PreferNoSchedule" for taint in site.pool.taints)


def _untainted(site: Site, others: list[Site]) -> str:
    if others:
        why = f"may be made before the pool {others[0]}, because it does not depend on it"
        remedy = f"Add dependsOn the pool {others[0]}, or the taint {GPU_TAINT.key}={GPU_TAINT.value}:NO_SCHEDULE."
    else:
        why = "is the only kind of pool of its cluster"
        remedy = f"Add a CPU pool that it depends on, or the taint {GPU_TAINT.key}={GPU_TAINT.value}:NO_SCHEDULE."
    return f"{site.pool} {why}; GKE then sets no GPU taint, and system pods fill the GPU nodes. {remedy}"


# ---------------------------------------------------------------- channel and version


@rule(
    "cluster-pool-upgrades-automatically",
    title="Pools of a cluster in a release channel are upgraded automatically",
    breaks="GKE refuses the pool: 'Auto_upgrade cannot be false when release_channel REGULAR is set'. A cluster that "
    "names no channel is in REGULAR.",
    fix="autoUpgrade: true, and a maintenance exclusion (NO_MINOR_OR_NODE_UPGRADES) for the time without upgrades.",
    source="https://github.com/nkoson/gke-tutorial/issues/8",
    severity=Severity.HIGH,
    covers=("NP-017",),
)
def pool_upgrades_automatically(stack: Stack) -> Iterator[About]:
    for site in stack.view(Fleet).sites:
        channel = site.cluster.release_channel if site.cluster is not None else None
        if channel in CHANNELS and site.pool.props.flag("management", "autoUpgrade") is False:
            yield About(
                site.pool.resource,
                f"{site.pool} switches automatic upgrades off in a cluster of the release channel {channel}, which GKE "
                "refuses. Set management.autoUpgrade: true and hold upgrades back with a maintenance exclusion.",
            )


@dataclass(frozen=True)
class Offered:
    """What the channel offers."""

    versions: tuple[str, ...] = ()
    """Versions that the release channel offers now, as getEngineVersions lists them; empty where nobody looked."""


@rule(
    "cluster-version-is-offered",
    title="A full version names a patch that the release channel still offers",
    breaks="Creation fails: 'Master version … is unsupported'. A patch lives in a channel for weeks, so a program that "
    "worked in one month makes no second cluster in the next.",
    fix='Write the minor version ("1.35"), or resolve the patch with getEngineVersions for the channel.',
    source="https://github.com/GoogleCloudPlatform/cluster-toolkit/pull/5729",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    covers=("NP-020",),
    on=Cluster,
    parameters=Offered,
)
def version_is_offered(cluster: Cluster, offered: Offered) -> Iterator[str]:
    version, channel = _parsed(cluster.version), cluster.release_channel
    if version is None or version.build is None or channel not in CHANNELS:
        return
    old = retired(channel, version.major, version.minor)
    gone = cluster.version not in offered.versions if offered.versions else old
    if gone:
        minor = "1.35" if old else f"{version.major}.{version.minor}"
        yield (
            f"{cluster} asks for the version {cluster.version}, which the release channel {channel} does not offer "
            f'any more; GKE refuses to create it. Write a minor version, for example minMasterVersion: "{minor}", or '
            "resolve the patch with getEngineVersions."
        )


@rule(
    "cluster-pool-version-is-offered",
    title="A full version of a pool is one that the release channel still offers",
    breaks="GKE refuses to create the pool: 'Node version … is unsupported'.",
    fix="Leave the pool's version out; the release channel keeps nodes in step with the control plane.",
    source="https://github.com/GoogleCloudPlatform/cluster-toolkit/pull/5729",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    covers=("NP-020",),
)
def pool_version_is_offered(stack: Stack) -> Iterator[About]:
    for site in stack.view(Fleet).sites:
        version = _parsed(site.pool.props.text("version"))
        channel = site.cluster.release_channel if site.cluster is not None else None
        kept = observed(site.pool.props) or ignores(site.pool.resource, "version")
        if version is None or version.build is None or channel not in CHANNELS or kept:
            continue
        if retired(channel, version.major, version.minor):
            yield About(
                site.pool.resource,
                f"{site.pool} asks for the version {version}, which the release channel {channel} of its cluster does "
                "not offer any more; GKE refuses to create it. Take version away.",
            )


@rule(
    "cluster-nodes-are-not-newer",
    title="Nodes are not newer than the control plane",
    breaks="GKE refuses the pool: the node version must not be greater than the master version.",
    fix="Leave the pool's version out; the release channel keeps it in step.",
    source="https://cloud.google.com/kubernetes-engine/versioning",
    severity=Severity.HIGH,
)
def nodes_are_not_newer(stack: Stack) -> Iterator[About]:
    for site in stack.view(Fleet).sites:
        own, control = _parsed(site.pool.props.text("version")), _control(site)
        if own is not None and control is not None and control.at_least(own) is False:
            message = f"{site.pool} asks for version {own} and the control plane for {control}; nodes must not be newer"
            yield About(site.pool.resource, f"{message}. Take version away from the pool.")


@rule(
    "cluster-version-knows-machine",
    title="The control plane is new enough for the machines and the provisioning of its pools",
    breaks="GKE refuses the pool, or its nodes come up without a driver that knows the GPU.",
    fix="Ask for a newer minMasterVersion.",
    source="https://docs.cloud.google.com/ai-hypercomputer/docs/create/gke-ai-hypercompute-custom",
    severity=Severity.HIGH,
)
def version_knows_machine(stack: Stack) -> Iterator[About]:
    for site in stack.view(Fleet).sites:
        version = _control(site)
        for what, minimum in _needed(site) if version is not None else ():
            if minimum.met_by(str(version)) is False:
                yield About(
                    site.pool.resource,
                    f"{site.pool} needs GKE {minimum} for {what}, and its cluster asks for {version}. "
                    "Raise minMasterVersion.",
                )


_MACHINE_FEATURES = {"a4": "a4", "a4x": "a4x", "a4x-max": "a4x-max"}


def _needed(site: Site) -> Iterator[tuple[str, Minimum]]:
    pool = site.pool
    if pool.machine is not None and pool.machine.family in _MACHINE_FEATURES:
        yield str(pool.machine_type), GKE_MINIMUM[_MACHINE_FEATURES[pool.machine.family]]
    if site.generation is not None and site.generation.name in GKE_MINIMUM:
        yield str(pool.machine_type), GKE_MINIMUM[site.generation.name]
    if pool.flex_start and (pool.gpu or pool.tpu):
        yield "flex-start", GKE_MINIMUM["flex-start-tpu" if pool.tpu else "flex-start-gpu"]


def _control(site: Site) -> GkeVersion | None:
    """Return the version of the control plane: the one it has where a state shows it, else the one asked for."""
    if site.cluster is None:
        return None
    return _parsed(site.cluster.props.text("masterVersion")) or _parsed(site.cluster.version)


def _parsed(text: str | None) -> GkeVersion | None:
    try:
        return GkeVersion.parse(text) if text else None
    except ValueError:
        return None
