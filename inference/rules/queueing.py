"""Queued provisioning: nodes that come for a workload which waited for them, and for nobody else.

A pool with queued provisioning is never scaled up for a Pending pod. Somebody has to make a ProvisioningRequest, most
often Kueue, for workloads that carry the name of one of its queues. Nothing reports a pod that nobody asks for.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.facts.controllers import KUEUE_API, KUEUE_QUEUE_LABEL
from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.fleet import Site
from inference.rules.views.installers import installed
from inference.rules.views.kubernetes import group_of
from inference.rules.views.placed import placed
from inference.rules.views.placement import Placement
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

_QUEUED = "https://docs.cloud.google.com/kubernetes-engine/docs/how-to/provisioningrequest"
_LOCAL_QUEUES = "https://kueue.sigs.k8s.io/docs/concepts/local_queue/"
_REQUESTS = "https://kueue.sigs.k8s.io/docs/concepts/admission_check/provisioning_request/"

_OWN_REQUEST = (
    "autoscaling.x-k8s.io/consume-provisioning-request",
    "cluster-autoscaler.kubernetes.io/consume-provisioning-request",
)
"""Annotations of a pod that names a ProvisioningRequest itself, the second of older autoscalers."""

_GROUPS = frozenset({"LeaderWorkerSet", "StatefulSet"})
"""Kinds whose pods are one workload to Kueue, which makes no second one."""


def _queued_only(stack: Stack) -> Iterator[tuple[Placement, Site]]:
    """Yield pods with accelerators that only nodes of queued provisioning suit, and one of their pools."""
    for placement, scope in placed(stack):
        if placement.gpus or placement.tpus:
            sites = scope.candidates(placement)
            if sites and all(site.pool.queued for site in sites):
                yield placement, sites[0]


@rule(
    "queueing-workload-names-queue",
    title="A workload for nodes of queued provisioning waits in a queue",
    breaks="The pods stay Pending for good: no autoscaler adds queued nodes for a pod, only for a ProvisioningRequest.",
    fix="Label the workload with kueue.x-k8s.io/queue-name, or annotate its pods with the ProvisioningRequest that you "
    "make; or buy the pool as flex-start without a queue.",
    source=_QUEUED,
    severity=Severity.HIGH,
)
def workload_names_queue(stack: Stack) -> Iterator[About]:
    for placement, site in _queued_only(stack):
        pod = placement.pod
        settled = pod.metadata.known("labels") and pod.metadata.known("annotations")
        settled = settled and pod.object.metadata.known("labels")
        if placement.queued or not settled or any(key in pod.annotations for key in _OWN_REQUEST):
            continue
        yield About(
            pod.object.resource,
            f"{placement} needs a node of the pool {site}, which has queued provisioning, and names no queue; nothing "
            f"ever asks for the node, and the pod stays Pending. Add the label {KUEUE_QUEUE_LABEL}, or set "
            "queuedProvisioning.enabled: false on the pool.",
        )


@rule(
    "queueing-queue-exists",
    title="The queue that a workload names is in its namespace",
    breaks="Kueue holds the pods back (SchedulingGated) and says so only in the Workload: the LocalQueue is not there.",
    fix="Name a LocalQueue of the workload's own namespace.",
    source=_LOCAL_QUEUES,
    severity=Severity.HIGH,
)
def queue_exists(stack: Stack) -> Iterator[About]:
    group = group_of(KUEUE_API)
    queues = {(queue.namespace, queue.name) for queue in stack.objects("LocalQueue", group)}
    if not queues or stack.unnamed("LocalQueue", group):
        return
    for placement in stack.each(Placement):
        thing = placement.pod.object
        name = thing.labels.get(KUEUE_QUEUE_LABEL) or placement.pod.labels.get(KUEUE_QUEUE_LABEL)
        if name is not None and (thing.namespace, name) not in queues:
            declared = ", ".join(sorted(f"{namespace}/{queue}" for namespace, queue in queues))
            yield About(
                thing.resource,
                f'{placement} waits in the queue "{name}", and the namespace {thing.namespace} has no LocalQueue of '
                f"that name (the program declares {declared}); its pods are never let go. Name one that is there.",
            )


@rule(
    "queueing-queue-leads-somewhere",
    title="A LocalQueue leads to a ClusterQueue, and that to flavors, which exist",
    breaks="The queue is inactive ('ClusterQueue doesn't exist', 'FlavorNotFound'), and workloads in it wait for ever.",
    fix="Name a declared ClusterQueue in spec.clusterQueue, and declared ResourceFlavors in its resource groups.",
    source="https://kueue.sigs.k8s.io/docs/concepts/cluster_queue/",
    severity=Severity.HIGH,
)
def queue_leads_somewhere(stack: Stack) -> Iterator[About]:
    group = group_of(KUEUE_API)
    for kind, target in (("LocalQueue", "ClusterQueue"), ("ClusterQueue", "ResourceFlavor")):
        names = {thing.name for thing in stack.objects(target, group)}
        if not names or stack.unnamed(target, group) or installed(stack).hidden:
            continue
        for thing in stack.objects(kind, group):
            for name in dict.fromkeys(_named_by(thing.spec)):
                if name not in names:
                    shown = ", ".join(sorted(str(known) for known in names)[:5])
                    yield About(
                        thing.resource,
                        f'{thing} names {target} "{name}", and the program declares {shown}; the queue stays inactive '
                        "and its workloads wait. Name one that is there.",
                    )


def _named_by(spec: Props) -> Iterator[str]:
    if name := spec.text("clusterQueue"):
        yield name
    for resources in spec.sections("resourceGroups"):
        yield from (name for flavor in resources.sections("flavors") if (name := flavor.text("name")))


@rule(
    "queueing-server-outlives-nodes",
    title="A server that waits in a queue is a Deployment",
    breaks="When queued nodes end, after seven days at most, Kueue deactivates the workload. The next pod of a "
    "Deployment is a new workload; the group of a LeaderWorkerSet and the pods of a StatefulSet stay down until "
    "somebody sets spec.active of the Workload.",
    fix="Serve from flex-start nodes without a queue, or from a reservation.",
    source=_REQUESTS,
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
)
def server_outlives_nodes(stack: Stack) -> Iterator[About]:
    seen = set()
    for placement, site in _queued_only(stack):
        thing = placement.pod.object
        if placement.queued and thing.kind in _GROUPS and thing.resource.urn not in seen:
            seen.add(thing.resource.urn)
            yield About(
                thing.resource,
                f"{thing} waits in a queue for nodes of the pool {site}, which end after seven days at most; Kueue "
                "then deactivates its workload, and nothing makes another. Buy the pool as flex-start without a queue, "
                "or set spec.active of the Workload by hand each time.",
            )
