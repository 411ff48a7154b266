"""Deletion and replacement: what must not go by accident, and what must be able to go in order.

Scarce nodes that were given back may not come again, so a replacement of an accelerator pool or a cluster has to be
refused where somebody depends on it. Where nobody does, destroy has to work: a protected cluster keeps billing after
``pulumi destroy`` failed, objects whose controllers have lost their nodes hang on their finalizers, and an API that is
switched off takes the other programs of the project along.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from inference.facts.operators import operator_of_group
from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.cloud import Cluster, NodePool
from inference.rules.views.environments import environment_of
from inference.rules.views.fleet import Fleet, Scope
from inference.rules.views.guards import explicit, guards_known, ignores, observed, protected
from inference.rules.views.hosting import cluster_of
from inference.rules.views.installers import installed
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack

_CLUSTER_SOURCE = (
    "https://github.com/hashicorp/terraform-provider-google/blob/main/google/services/container/"
    "resource_container_cluster.go"
)
_POOL_SOURCE = (
    "https://github.com/hashicorp/terraform-provider-google/blob/main/google/services/container/"
    "resource_container_node_pool.go"
)


@dataclass(frozen=True)
class Stage:
    """What the stack is for."""

    environment: str = ""
    """``production`` or ``development``; empty to go by the labels of the cluster and the name of the stack."""


# ---------------------------------------------------------------- what must not go by accident


@rule(
    "deletion-cluster-says-whether",
    title="A cluster says whether it may be destroyed: false in development, true in production",
    breaks="deletionProtection is true when left out. 'Cannot destroy cluster because deletion_protection is set to "
    "true', says destroy, after it deleted everything else; the cluster keeps billing. The value is read from the "
    "state, so it has to be false in an update before the destroy.",
    fix="Write deletionProtection in every stack: true in production, false where the stack shall go.",
    source=_CLUSTER_SOURCE,
    severity=Severity.MEDIUM,
    covers=("DEL-001", "NP-013"),
    on=Cluster,
    parameters=Stage,
)
def cluster_says_whether(cluster: Cluster, stage: Stage) -> Iterator[str]:
    if not cluster.props.known("deletionProtection"):
        return
    environment = environment_of(cluster.resource, stage.environment)
    value = cluster.props.flag("deletionProtection")
    if not explicit(cluster.resource, "deletionProtection"):
        wanted = "false" if environment == "development" else "true in production and false elsewhere"
        yield (
            f"{cluster} leaves deletionProtection to its default, true, and destroy will fail on it. "
            f"Set deletionProtection: {wanted}."
        )
    elif environment == "development" and value is True:
        yield (
            f"{cluster} has deletionProtection true in a development stack: destroy fails and the cluster keeps "
            "billing. Set deletionProtection: false, and update once before the destroy."
        )
    elif environment == "production" and value is False:
        yield (
            f"{cluster} has deletionProtection false in a production stack; one wrong destroy or replacement takes the "
            "platform along. Set deletionProtection: true."
        )


@rule(
    "deletion-cluster-is-protected",
    title="A production cluster is protected against deletion and replacement",
    breaks="A change of name, location, network, datapathProvider or another fixed property previews a replacement of "
    "the cluster, with every node, volume and address on it.",
    fix="Set the resource option protect: true; for such a change make a second cluster.",
    source=_CLUSTER_SOURCE,
    severity=Severity.HIGH,
    level=Level.ADVISORY,
    covers=("NP-013",),
    on=Cluster,
    parameters=Stage,
)
def cluster_is_protected(cluster: Cluster, stage: Stage) -> Iterator[str]:
    production = environment_of(cluster.resource, stage.environment) == "production"
    if production and guards_known(cluster.resource) and not protected(cluster.resource):
        yield (
            f"{cluster} of a production stack is not protected; an edit of a property that cannot change in place "
            "replaces it with everything on it. Set the option protect: true."
        )


@rule(
    "deletion-accelerator-pool-is-guarded",
    title="An accelerator pool is not replaced by an innocent edit",
    breaks="Accelerator, reservation, spot, local SSDs, networks, placement and initialNodeCount cannot change in "
    "place: the preview shows a replacement, all nodes are given back, and may not come again.",
    fix="Ignore changes of initialNodeCount, and protect the pool in production. For a real change add a second pool, "
    "move the workload, then remove the first.",
    source=_POOL_SOURCE,
    severity=Severity.HIGH,
    level=Level.ADVISORY,
    covers=("NP-011", "NP-012"),
    on=NodePool,
    parameters=Stage,
)
def accelerator_pool_is_guarded(pool: NodePool, stage: Stage) -> Iterator[str]:
    resource = pool.resource
    if pool.inline or not (pool.gpu or pool.tpu) or not guards_known(resource) or protected(resource):
        return
    chosen = not pool.props.absent("initialNodeCount") and not observed(pool.props)
    if chosen and not ignores(resource, "initialNodeCount"):
        yield (
            f"{pool} sets initialNodeCount, whose change replaces the pool and gives its nodes back. "
            'Add ignoreChanges: ["initialNodeCount"].'
        )
    if environment_of(resource, stage.environment) == "production":
        yield (
            f"{pool} of a production stack is not protected; an edit of accelerator, reservation, networks or "
            "placement replaces it, and its nodes may not come again. Set the option protect: true."
        )


@dataclass(frozen=True, eq=False)
class ProjectService:
    """An API that the program enables in a project."""

    types: ClassVar[tuple[str, ...]] = ("gcp:projects/service:Service",)

    resource: Resource

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the view of the resource."""
        return (cls(resource),)

    def __str__(self) -> str:
        return f'The API {self.resource.props.text("service") or ""} of "{self.resource.name}"'


@rule(
    "deletion-api-stays-enabled",
    title="An API stays enabled when the program that enabled it is destroyed",
    breaks="Destroy disables container or compute for the whole project: every other cluster and program of it stops.",
    fix="Set disableOnDestroy: false, and leave disableDependentServices out. Older providers disable when nothing "
    "is said.",
    source="https://www.pulumi.com/registry/packages/gcp/api-docs/projects/service/",
    severity=Severity.HIGH,
    covers=("DEL-007",),
    on=ProjectService,
)
def api_stays_enabled(service: ProjectService) -> Iterator[str]:
    props = service.resource.props
    if props.text("deletionPolicy") == "ABANDON":
        return
    value = props.flag("disableOnDestroy")
    if props.known("disableOnDestroy") and value is not False:
        how = "is disabled" if value else "may be disabled, as disableOnDestroy is not set,"
        yield (f"{service} {how} when this program is destroyed, for the whole project. Set disableOnDestroy: false.")
    if props.flag("disableDependentServices") is True:
        yield (
            f"{service} takes all APIs that depend on it along when it is disabled. Take disableDependentServices away."
        )


@dataclass(frozen=True, eq=False)
class Bucket:
    """A Cloud Storage bucket."""

    types: ClassVar[tuple[str, ...]] = ("gcp:storage/bucket:Bucket",)

    resource: Resource

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the view of the resource."""
        return (cls(resource),)


@rule(
    "deletion-bucket-keeps-objects",
    title="A production bucket is not deleted with what is in it",
    breaks="forceDestroy deletes every object before the bucket: a destroy, or a replacement after an edit of name or "
    "location, takes the weights, adapters and logs along, and nothing brings them back.",
    fix="Set forceDestroy: false, or the option protect: true.",
    source="https://www.pulumi.com/registry/packages/gcp/api-docs/storage/bucket/",
    severity=Severity.HIGH,
    level=Level.ADVISORY,
    on=Bucket,
    parameters=Stage,
)
def bucket_keeps_objects(bucket: Bucket, stage: Stage) -> Iterator[str]:
    resource = bucket.resource
    emptied = resource.props.flag("forceDestroy") is True and not protected(resource)
    if emptied and environment_of(resource, stage.environment) == "production":
        yield (
            f'The bucket "{resource.physical_name or resource.name}" of a production stack has forceDestroy true; a '
            "destroy or a replacement deletes every object in it. Set forceDestroy: false."
        )


# ---------------------------------------------------------------- what must go in order


@rule(
    "deletion-objects-go-before-nodes",
    title="Kubernetes objects depend on a CPU pool, so that their controllers still run when they are deleted",
    breaks="Destroy deletes pools and objects at the same time. Controllers lose their nodes, finalizers of gateways, "
    "claims and model services never run, namespaces stay Terminating until the timeout, disks and load balancers "
    "leak.",
    fix="Give the Kubernetes provider dependsOn: [the CPU pool].",
    source="https://github.com/hashicorp/terraform-provider-google/issues/7637",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    covers=("DEL-004",),
)
def objects_go_before_nodes(stack: Stack) -> Iterator[About]:
    waiting = {
        scope.cluster.resource.urn: {pool.urn: pool for pool in found}
        for scope in stack.view(Fleet).scopes
        if scope.cluster is not None and (found := _system_pools(scope))
    }
    homeless: dict[tuple[str, str], list[Resource]] = defaultdict(list)
    for thing in stack.each(KubernetesObject) if waiting else ():
        cluster = cluster_of(stack, thing.resource)
        pools = waiting.get(cluster.resource.urn, {}) if cluster is not None else {}
        awaited = stack.awaited(thing.resource)
        if cluster is not None and pools and cluster.resource.urn in awaited and awaited.isdisjoint(pools):
            provider = thing.resource.provider.urn if thing.resource.provider is not None else ""
            homeless[provider, cluster.resource.urn].append(thing.resource)
    for (_, urn), orphans in homeless.items():
        yield About(orphans[0], _homeless(orphans, next(iter(waiting[urn].values()))))


def _system_pools(scope: Scope) -> list[Resource]:
    """Return the pools of which one has to outlive the objects: those without accelerators, else all."""
    cluster = scope.cluster
    if cluster is None or cluster.autopilot or cluster.props.flag("removeDefaultNodePool") is not True:
        return []
    separate = [site for site in scope.sites if not site.pool.inline]
    plain = [site for site in separate if not site.accelerator]
    return [site.pool.resource for site in plain or separate]


def _homeless(found: list[Resource], pool: Resource) -> str:
    names = ", ".join(f'{r.type.rpartition(":")[2]} "{r.name}"' for r in found[:3])
    more = f" and {len(found) - 3} more objects" if len(found) > 3 else ""
    verb = "depends" if len(found) == 1 else "depend"
    return (
        f"{names}{more} {verb} on the cluster and on no CPU node pool; destroy deletes the nodes of their controllers "
        f'at the same time, and finalizers hang. Give the Kubernetes provider dependsOn the pool "{pool.name}".'
    )


@rule(
    "deletion-custom-object-goes-before-controller",
    title="A custom resource depends on the release that runs its controller",
    breaks="Destroy removes the controller first. The object keeps its finalizer, which nobody removes: namespace and "
    "destroy hang, and the GPUs behind it keep running.",
    fix="Add dependsOn: [the controller's Release].",
    source="https://github.com/pulumi/pulumi-kubernetes/blob/master/CHANGELOG.md",
    severity=Severity.MEDIUM,
    covers=("DEL-005",),
)
def custom_object_goes_before_controller(stack: Stack) -> Iterator[About]:
    running = installed(stack).controllers
    if not running:
        return
    for thing in stack.each(KubernetesObject):
        operator = operator_of_group(thing.group)
        controllers = running.get(operator.name, ()) if operator is not None else ()
        if not controllers or thing.resource in controllers:
            continue
        if not any(stack.depends(thing.resource, controller) for controller in controllers):
            yield About(
                thing.resource,
                f'{thing} does not depend on "{controllers[0].name}", which runs its controller; destroy may delete '
                "the controller first, and the object then hangs on its finalizer. Add dependsOn the controller.",
            )
