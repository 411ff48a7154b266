"""How accelerators are bought: spot, flex-start, queued provisioning, on demand.

GPUs and TPUs are scarce: a pool names where its nodes come from, and each source forbids some of what the others
need. GKE refuses most wrong combinations when the pool is made, minutes into an update; a pool that names no source
is accepted, and then waits in an error state for nodes that nobody has. What a pool says of a reservation is in
``reservations``, which zones and quotas it needs in ``locations``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from inference.facts.gke import (
    FLEX_START_COMPACT_PREFIXES,
    FLEX_START_MAX_RUN_S,
    NVLINK_DOMAIN_FAMILIES,
    NVLINK_DOMAIN_NODES,
)
from inference.facts.tpus import generation_of_machine
from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.buying import first_nodes, plainly_on_demand, reserving, scarce
from inference.rules.views.cloud import NodePool
from inference.rules.views.fleet import Fleet
from inference.rules.views.guards import observed
from inference.rules.views.nodes import region_of_nodes
from inference.rules.views.resources import short_name
from inference.rules.views.stack import Stack

_TOOLKIT = "https://github.com/GoogleCloudPlatform/cluster-toolkit/blob/develop/modules/compute/gke-node-pool/main.tf"
_DWS = "https://cloud.google.com/kubernetes-engine/docs/concepts/dws"
_GPUS = "https://cloud.google.com/compute/docs/gpus"


_SECONDS = re.compile(r"(\d+)(\.\d+)?s")


@rule(
    "capacity-spot-excludes-reservation",
    title="A pool of spot nodes looks for no reservation, and is not preemptible too",
    breaks="GKE refuses the pool; or, where it does not, the reservation is billed while spot nodes do the work.",
    fix="Set consumeReservationType to NO_RESERVATION, and make the reserved nodes a pool of their own.",
    source=_TOOLKIT,
    severity=Severity.HIGH,
    covers=("NP-001",),
    on=NodePool,
)
def spot_excludes_reservation(pool: NodePool) -> Iterator[str]:
    if pool.config.flag("spot") is True and pool.config.flag("preemptible") is True:
        yield f"{pool} is spot and preemptible at once, which GKE refuses. Take preemptible away, spot replaces it."
    if pool.spot and reserving(pool):
        kind = "spot" if pool.config.flag("spot") else "preemptible"
        yield (
            f"{pool} is {kind} and has the reservation affinity {pool.reservation_type}; spare capacity never comes "
            "from a reservation, so GKE refuses the pool. Set consumeReservationType: NO_RESERVATION, or make spot "
            "and reserved nodes two pools."
        )


@rule(
    "capacity-flex-start-stands-alone",
    title="A flex-start pool scales by itself, is not repaired, and is neither spot nor reserved",
    breaks="GKE refuses the pool when it is made.",
    fix="autoscaling with a minimum of 0, autoRepair: false, NO_RESERVATION, no spot, no nodeCount.",
    source=_TOOLKIT,
    severity=Severity.HIGH,
    covers=("NP-002",),
    on=NodePool,
)
def flex_start_stands_alone(pool: NodePool) -> Iterator[str]:
    if not pool.flex_start:
        return
    if pool.props.known("management", "autoRepair") and pool.props.flag("management", "autoRepair") is not False:
        found = "on" if pool.props.flag("management", "autoRepair") else "left on by default"
        yield (
            f"{pool} uses flex-start with automatic repair {found}; a node that fails goes back and is not replaced, "
            "so GKE refuses the pair. Set management.autoRepair: false."
        )
    if pool.spot:
        yield f"{pool} is flex-start and spot at once, which GKE refuses. Choose one of the two."
    yield from _not_reserved(pool, "flex-start")
    yield from _not_static(pool, "flex-start")
    generation = generation_of_machine(pool.machine_type or "")
    if generation is not None and generation.flex_start_zones == frozenset():
        yield f"{pool} asks for flex-start of TPU {generation.name}, which has none. Use a reservation or spot."


@rule(
    "capacity-queued-pool-starts-empty",
    title="A pool with queued provisioning starts from zero nodes, and is neither spot nor reserved",
    breaks="GKE refuses the pool, or keeps nodes that no queued request asked for.",
    fix="autoscaling with a minimum of 0, initialNodeCount 0, NO_RESERVATION, no spot, no nodeCount.",
    source=_TOOLKIT,
    severity=Severity.HIGH,
    covers=("NP-003",),
    on=NodePool,
)
def queued_pool_starts_empty(pool: NodePool) -> Iterator[str]:
    if not pool.queued:
        return
    if pool.spot:
        yield f"{pool} has queued provisioning and is spot, which GKE refuses. Take spot away."
    yield from _not_reserved(pool, "queued provisioning")
    yield from _not_static(pool, "queued provisioning")
    autoscaling = pool.props.section("autoscaling")
    places = {
        "autoscaling.totalMinNodeCount": autoscaling.integer("totalMinNodeCount"),
        "autoscaling.minNodeCount": autoscaling.integer("minNodeCount"),
        "initialNodeCount": pool.props.integer("initialNodeCount"),
    }
    for place, count in places.items():
        if count:
            yield (
                f"{pool} has queued provisioning and {place} {count}; its nodes come with a ProvisioningRequest only. "
                f"Set {place}: 0."
            )


def _not_reserved(pool: NodePool, source: str) -> Iterator[str]:
    settled = pool.config.known("reservationAffinity", "consumeReservationType")
    if settled and pool.reservation_type != "NO_RESERVATION":
        found = f"the reservation affinity {pool.reservation_type}" if pool.reservation_type else "no affinity"
        yield (
            f"{pool} uses {source} with {found}; GKE takes such nodes from the Dynamic Workload Scheduler only. "
            "Set reservationAffinity.consumeReservationType: NO_RESERVATION."
        )


def _not_static(pool: NodePool, source: str) -> Iterator[str]:
    count = None if observed(pool.props) else pool.props.integer("nodeCount")
    if count is not None:
        yield (
            f"{pool} uses {source} with a fixed nodeCount of {count}; its nodes come when there is capacity. "
            "Take nodeCount away and set autoscaling with a minimum of 0."
        )
    elif pool.props.absent("autoscaling") and pool.props.known("nodeCount"):
        yield (
            f"{pool} uses {source} without autoscaling, so nothing ever asks for its nodes. "
            "Set autoscaling with a minimum of 0 and the most nodes that you need."
        )


@rule(
    "capacity-run-duration-is-seconds",
    title="maxRunDuration is a number of seconds with an s, of a flex-start node at most seven days",
    breaks="GKE refuses the pool.",
    fix="Write for example 604800s (seven days).",
    source=_DWS,
    severity=Severity.MEDIUM,
    on=NodePool,
)
def run_duration_is_seconds(pool: NodePool) -> Iterator[str]:
    duration = pool.config.text("maxRunDuration")
    if not duration:
        return
    match = _SECONDS.fullmatch(duration)
    if match is None:
        yield f'{pool} has the maxRunDuration "{duration}", which is no number of seconds. Write for example 604800s.'
    elif (pool.flex_start or pool.queued) and (len(match[1]) > 9 or int(match[1]) > FLEX_START_MAX_RUN_S):
        yield (
            f"{pool} wants flex-start nodes for {duration}; they run for at most seven days. "
            f"Set maxRunDuration: {FLEX_START_MAX_RUN_S}s or less."
        )


@rule(
    "capacity-machine-has-source",
    title="A machine that cannot be had on demand names a reservation, spot, flex-start or queued provisioning",
    breaks="The pool is made and ends in an error state: no zone sells A3 Ultra, A4, A4X or the small A3 High on "
    "demand.",
    fix="Name the source: SPECIFIC_RESERVATION with the reservation, spot, flexStart or queuedProvisioning.",
    source=_GPUS,
    severity=Severity.CRITICAL,
    covers=("PGCP-006",),
    on=NodePool,
)
def machine_has_source(pool: NodePool) -> Iterator[str]:
    machine = pool.machine
    if machine is None or machine.on_demand:
        return
    if not machine.reservable and pool.reservation_type in {"SPECIFIC_RESERVATION", "ANY_RESERVATION_THEN_FAIL"}:
        yield (
            f"{pool} looks for a reservation of {machine.name}, which is sold as spot and flex-start only: its nodes "
            "never come. Set spot or flexStart, or take the machine with eight GPUs."
        )
    elif machine.reservation_only and pool.config.known("reservationAffinity", "consumeReservationType"):
        if pool.reservation_type not in {"SPECIFIC_RESERVATION", "ANY_RESERVATION_THEN_FAIL"}:
            yield (
                f"{pool} asks for {machine.name} without naming its reservation; this machine is sold by reservation "
                "only. Set reservationAffinity to SPECIFIC_RESERVATION with the reservation's name."
            )
    elif plainly_on_demand(pool):
        fallback = " (ANY_RESERVATION falls back to on-demand)" if pool.reservation_type == "ANY_RESERVATION" else ""
        yield (
            f"{pool} asks for {machine.name} on demand{fallback}, which no zone sells: its nodes never come. "
            "Set a SPECIFIC_RESERVATION, flexStart, queuedProvisioning or spot."
        )


@rule(
    "capacity-scarce-pool-starts-empty",
    title="A pool of scarce accelerators on demand starts from zero nodes",
    breaks="The creation of the pool itself runs into a stockout (GCE_STOCKOUT, ZONE_RESOURCE_POOL_EXHAUSTED) after "
    "10 to 30 minutes, the update fails, and the nodes that did come are billed and thrown away by the next attempt.",
    fix="Name a capacity source, or start from 0 and let the autoscaler ask.",
    source="https://github.com/hashicorp/terraform-provider-google/issues/6287",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    covers=("PGCP-006",),
    on=NodePool,
)
def scarce_pool_starts_empty(pool: NodePool) -> Iterator[str]:
    if pool.machine is not None and not pool.machine.on_demand:
        return
    count = first_nodes(pool)
    if scarce(pool) and count and plainly_on_demand(pool):
        yield (
            f"{pool} starts at {count} node{'s' if count > 1 else ''} of {pool.machine_type} on demand; a stockout "
            "then fails the update and leaves the pool in an error state. Name a reservation, flexStart, "
            "queuedProvisioning or spot, or let autoscaling begin at 0."
        )


@rule(
    "capacity-compact-placement-fits",
    title="Compact placement goes with one zone, surge upgrades, and the machines that may have it",
    breaks="GKE refuses the pool when it is made.",
    fix="One zone in nodeLocations, upgrade strategy SURGE; no COMPACT with queued provisioning on GPUs, and with "
    "flex-start only on A3 Ultra, A4, H4D and TPUs.",
    source=_TOOLKIT,
    severity=Severity.HIGH,
    covers=("NP-031",),
    on=NodePool,
)
def compact_placement_fits(pool: NodePool) -> Iterator[str]:
    if pool.props.text("placementPolicy", "type") != "COMPACT":
        return
    if pool.zones is not None and len(set(pool.zones)) > 1:
        yield (
            f"{pool} has compact placement over {len(set(pool.zones))} zones ({', '.join(pool.zones)}); nodes of "
            "several zones cannot stand close together. Name one zone in nodeLocations."
        )
    if pool.props.text("upgradeSettings", "strategy") == "BLUE_GREEN":
        yield f"{pool} has compact placement and blue-green upgrades, which GKE refuses. Set strategy: SURGE."
    if pool.tpu or not pool.machine_type:
        return
    if pool.queued:
        yield (
            f"{pool} has compact placement and queued provisioning, which GKE allows for TPUs only. "
            "Take placementPolicy away."
        )
    elif pool.flex_start and not pool.machine_type.startswith(FLEX_START_COMPACT_PREFIXES):
        yield (
            f"{pool} has compact placement and flex-start on {pool.machine_type}; GKE allows the pair on A3 Ultra, A4, "
            "H4D and TPUs only. Take placementPolicy away."
        )


@rule(
    "capacity-compact-pool-names-zone",
    title="A pool with compact placement in a regional cluster names its zone",
    breaks="Without nodeLocations the nodes spread over the zones of the region, and GKE refuses compact placement.",
    fix="Set nodeLocations to one zone.",
    source=_TOOLKIT,
    severity=Severity.HIGH,
    covers=("NP-031",),
)
def compact_pool_names_zone(stack: Stack) -> Iterator[About]:
    for site in stack.view(Fleet).sites:
        pool = site.pool
        if pool.props.text("placementPolicy", "type") != "COMPACT" or pool.zones is not None:
            continue
        if site.inherits_zones or (site.zones is not None and len(site.zones) > 1):
            message = f"{pool} has compact placement and takes its zones from the cluster, which has several"
            yield About(pool.resource, f"{message}; GKE refuses that. Name one zone in nodeLocations.")


@rule(
    "capacity-dynamic-slice-is-reserved",
    title="A pool whose placement is PROVISION_ONLY comes from a specific reservation",
    breaks="GKE refuses the pool: chips that are wired up on demand belong to a reservation.",
    fix="Set SPECIFIC_RESERVATION on the pool, or acceleratorTopologyMode AUTO_CONNECT on the resource policy.",
    source=_TOOLKIT,
    severity=Severity.HIGH,
    covers=("NP-031",),
)
def dynamic_slice_is_reserved(stack: Stack) -> Iterator[About]:
    policies = stack.of_type("gcp:compute/resourcePolicy:ResourcePolicy")
    loose = [p for p in policies if p.props.text("workloadPolicy", "acceleratorTopologyMode") == "PROVISION_ONLY"]
    if not loose:
        return
    for site in stack.view(Fleet).sites:
        pool = site.pool
        if pool.inline or pool.reserved or not pool.config.known("reservationAffinity", "consumeReservationType"):
            continue
        policy = stack.reference(pool.resource, "placementPolicy", "policyName", among=loose)
        if policy is not None:
            message = f'{pool} follows the resource policy "{policy.name}" with PROVISION_ONLY and has no reservation'
            yield About(pool.resource, f"{message}; GKE refuses that. Set SPECIFIC_RESERVATION, or AUTO_CONNECT.")


@rule(
    "capacity-placement-policy-region",
    title="The resource policy of a pool lies in the region of its nodes",
    breaks="GKE refuses the pool: it looks for the policy in the region of the nodes, where there is none.",
    fix="Make the ResourcePolicy in the region of the pool.",
    source="https://docs.cloud.google.com/kubernetes-engine/docs/how-to/tpu-ironwood",
    severity=Severity.HIGH,
)
def placement_policy_region(stack: Stack) -> Iterator[About]:
    policies = stack.of_type("gcp:compute/resourcePolicy:ResourcePolicy")
    for site in stack.view(Fleet).sites if policies else ():
        policy = stack.reference(site.pool.resource, "placementPolicy", "policyName", among=policies)
        own, region = policy.props.text("region") if policy is not None else None, region_of_nodes(site)
        if policy is None or site.pool.inline or not own or not region or short_name(own) == region:
            continue
        yield About(
            site.pool.resource,
            f'{site.pool} has its nodes in {region} and follows the resource policy "{policy.name}" of '
            f"{short_name(own)}; GKE does not find it. Make the policy in {region}.",
        )


@rule(
    "capacity-nvlink-pool-fits-domain",
    title="A pool of A4X has no more nodes than one NVLink domain",
    breaks="The 19th node has no place in the domain: the pool cannot be made with the topology 1x72, or it never "
    "scales that far.",
    fix=f"At most {NVLINK_DOMAIN_NODES} nodes a pool, and a pool for each domain.",
    source="https://docs.cloud.google.com/ai-hypercomputer/docs/create/gke-ai-hypercompute-custom-a4x",
    severity=Severity.MEDIUM,
    on=NodePool,
)
def nvlink_pool_fits_domain(pool: NodePool) -> Iterator[str]:
    if (
        pool.machine is None
        or pool.machine.family not in NVLINK_DOMAIN_FAMILIES
        or pool.props.absent("placementPolicy")
    ):
        return
    limits = pool.props.section("autoscaling")
    asked = [limits.integer("totalMaxNodeCount"), limits.integer("maxNodeCount")]
    asked += [pool.props.integer("nodeCount"), pool.props.integer("initialNodeCount")]
    most = max((count for count in asked if count is not None), default=0)
    if most > NVLINK_DOMAIN_NODES:
        yield (
            f"{pool} may have {most} nodes of {pool.machine_type}; one NVLink domain, and so one pool, has "
            f"{NVLINK_DOMAIN_NODES}. Set the maximum to {NVLINK_DOMAIN_NODES} and make a pool for each domain."
        )
