"""How a Pulumi program handles Kubernetes: which cluster it writes to, what it waits for, what it must leave alone.

None of these mistakes is visible in the objects. They show in the provider, in the edges and in the options: an object
in the cluster of whoever runs the program, a Service that times out beside a Deployment that is merely slow, replicas
that jump back at every update, every pod replaced because a token changed.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.rules.framework import About, Severity, rule
from inference.rules.views.autoscalers import Autoscaler
from inference.rules.views.gateway import Service
from inference.rules.views.guards import ignores
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.names import Reference, references
from inference.rules.views.providers import KubernetesProvider, Managed
from inference.rules.views.stack import Stack

_SKIP_AWAIT = "pulumi.com/skipAwait"
_TIMEOUT = "pulumi.com/timeoutSeconds"
_LONG_WAIT = 1200
"""Seconds after which a wait is no longer the ten minutes that the provider grants a Service."""


@rule(
    "pulumi-provider-explicit",
    title="Kubernetes resources have an explicit provider",
    breaks="The default provider takes whatever kubeconfig and context the person or the runner happens to have: the "
    "objects appear in another cluster, and accelerators start or stop there.",
    fix="Pass a kubernetes.Provider made from the cluster's endpoint, and list kubernetes under "
    "pulumi:disable-default-providers in the stack's config.",
    source="https://github.com/pulumi/pulumi-kubernetes/issues/1853",
    severity=Severity.HIGH,
    covers=("PK8S-006",),
    on=Managed,
    needs_program=True,
)
def provider_explicit(managed: Managed) -> Iterator[str]:
    if managed.provider.default:
        yield (
            f"{managed} is managed by the default Kubernetes provider, which takes the kubeconfig of whoever runs the "
            "program; it may appear in any cluster. Pass an explicit kubernetes.Provider."
        )


@rule(
    "pulumi-provider-names-cluster",
    title="An explicit Kubernetes provider says which cluster it is for",
    breaks="Without kubeconfig or context it is no better than the default provider: it takes the current context of "
    "whoever runs the program.",
    fix="Set kubeconfig from the cluster's outputs, or context.",
    source="https://github.com/pulumi/pulumi-kubernetes/issues/1643",
    severity=Severity.HIGH,
    covers=("PK8S-006",),
    on=KubernetesProvider,
    needs_program=True,
)
def provider_names_cluster(provider: KubernetesProvider) -> Iterator[str]:
    if provider.renders:
        return
    if all(provider.props.absent(key) for key in ("kubeconfig", "context", "cluster")):
        yield (
            f"{provider} has neither kubeconfig nor context and takes the current context of whoever runs the program. "
            "Set kubeconfig from the cluster's endpoint and certificate."
        )


@rule(
    "pulumi-provider-keeps-identity",
    title="A change of the kubeconfig does not make the provider take the cluster for another one",
    breaks="The provider compares kubeconfigs to tell whether its cluster is still the same. A new endpoint, proxy or "
    "token then replaces every object: all model pods restart, claims and volumes are deleted.",
    fix="Set clusterIdentifier to something that lasts, such as the cluster's id, and let users run "
    "gke-gcloud-auth-plugin instead of carrying a token.",
    source="https://github.com/pulumi/pulumi-kubernetes/issues/1148",
    severity=Severity.HIGH,
    covers=("PK8S-007",),
    needs_program=True,
)
def provider_keeps_identity(stack: Stack) -> Iterator[About]:
    for provider in stack.each(KubernetesProvider):
        props = provider.props
        derived = bool(provider.resource.property_dependencies.get("kubeconfig")) or not props.known("kubeconfig")
        if derived and props.absent("clusterIdentifier") and not provider.renders:
            yield About(
                provider.resource,
                f"{provider} takes its kubeconfig from outputs and has no clusterIdentifier; whenever the kubeconfig "
                "changes, all its objects may be replaced. Set clusterIdentifier to the cluster's id.",
            )
        if any(user.text("user", "token") for user in provider.kubeconfig.sections("users")):
            yield About(
                provider.resource,
                f"{provider} carries a token in its kubeconfig; it ends in an hour or lies in the state for ever, and "
                "its change touches every object. Use the exec plugin gke-gcloud-auth-plugin.",
            )


@rule(
    "pulumi-service-awaits-slow-pods",
    title="A Service in front of accelerator pods is not awaited before they can answer",
    breaks="Pulumi waits ten minutes for the endpoints of a Service. Nodes, image and weights take longer: 'timed out "
    "waiting to be Ready', and the update fails although nothing is wrong.",
    fix="Let the Service depend on the workload; on a headless Service that the workload itself needs, set the "
    'annotation pulumi.com/skipAwait: "true".',
    source="https://github.com/pulumi/pulumi-kubernetes/issues/248",
    severity=Severity.MEDIUM,
    covers=("PK8S-005",),
    needs_program=True,
)
def service_awaits_slow_pods(stack: Stack) -> Iterator[About]:
    for service in stack.each(Service):
        if not Managed.of(service.resource) or _unhurried(service):
            continue
        slow = [pod for pod in service.pods(stack) if pod.accelerators]
        if slow and not any(stack.depends(service.resource, pod.object.resource) for pod in slow):
            workload = slow[0].object
            remedy = (
                f'Set the annotation {_SKIP_AWAIT}: "true".'
                if service.headless or stack.depends(workload.resource, service.resource)
                else f'Add "{workload.resource.name}" to its depends_on, or set {_SKIP_AWAIT}: "true".'
            )
            yield About(
                service.resource,
                f"{service} selects the accelerator pods of {workload} and does not wait for them; Pulumi gives its "
                f"endpoints ten minutes, and the update fails before the model is loaded. {remedy}",
            )


def _unhurried(service: Service) -> bool:
    """Whether nothing waits for its endpoints, or somebody granted more time, or that is not known."""
    annotations = service.object.annotations
    seconds = annotations.get(_TIMEOUT, "")
    timeouts = service.resource.options.section("customTimeouts")
    return (
        not service.object.metadata.known("annotations")
        or annotations.get(_SKIP_AWAIT) == "true"
        or (seconds.isdigit() and int(seconds) >= _LONG_WAIT)
        or (timeouts.number("create") or 0) >= _LONG_WAIT
        or service.spec.text("type") == "ExternalName"
    )


@rule(
    "pulumi-replicas-have-one-owner",
    title="A workload with an autoscaler does not declare its replicas",
    breaks="Every update sets the declared number again and ends or starts accelerator pods; with server-side apply it "
    "fails with 'conflict with kube-controller-manager: .spec.replicas'.",
    fix="Leave spec.replicas out, or list it in ignore_changes.",
    source="https://github.com/pulumi/pulumi-kubernetes/issues/2257",
    severity=Severity.MEDIUM,
    covers=("PK8S-008",),
    needs_program=True,
)
def replicas_have_one_owner(stack: Stack) -> Iterator[About]:
    for scaler in stack.each(Autoscaler):
        workload = scaler.target(stack)
        if workload is None or not workload.metadata.absent("uid") or workload.spec.absent("replicas"):
            continue
        if workload.spec.known("replicas") and not ignores(workload.resource, "spec.replicas"):
            yield About(
                workload.resource,
                f"{workload} declares replicas: {workload.spec.integer('replicas')} and is scaled by {scaler}; the "
                'number jumps back at every update. Remove spec.replicas, or set ignore_changes=["spec.replicas"].',
            )


@rule(
    "pulumi-names-referred-to-are-given",
    title="An object that others name has a name of its own, not one that Pulumi makes up",
    breaks="The object is called vllm-1a2b3c4d and the others look for vllm: a Secret not found, a Service without "
    "endpoints, a route to nothing.",
    fix="Set metadata.name, or build the reference from the object's output metadata.name.",
    source="https://www.pulumi.com/docs/concepts/resources/names/#autonaming",
    severity=Severity.HIGH,
    covers=("PK8S-011",),
    needs_program=True,
)
def names_referred_to_are_given(stack: Stack) -> Iterator[About]:
    autonamed = stack.view(_autonamed)
    for reference in references(stack) if autonamed else ():
        thing = autonamed.get((reference.kind, reference.namespace, reference.name))
        if thing is not None and not _exists(stack, reference):
            yield About(
                reference.resource,
                f'{reference.label} names {reference.kind} "{reference.name}", and the object of that logical name is '
                f'called "{thing.name}", because Pulumi names it; nothing is found. Set its metadata.name, or use the '
                "output metadata.name in the reference.",
            )


def _autonamed(stack: Stack) -> dict[tuple[str, str, str], KubernetesObject]:
    """Return the objects that Pulumi names, by kind, namespace and the name that their author may have in mind."""
    found: dict[tuple[str, str, str], KubernetesObject] = {}
    for thing in stack.each(KubernetesObject):
        if thing.annotations.get("pulumi.com/autonamed") == "true" and thing.name != thing.resource.name:
            found[thing.kind, thing.namespace, thing.resource.name] = thing
    return found


def _exists(stack: Stack, reference: Reference) -> bool:
    groups = {thing.group for thing in _of_kind(stack, reference.kind)}
    return any(stack.object(reference.kind, group, reference.name, reference.namespace) for group in groups)


def _of_kind(stack: Stack, kind: str) -> tuple[KubernetesObject, ...]:
    return stack.view(_by_kind).get(kind, ())


def _by_kind(stack: Stack) -> dict[str, tuple[KubernetesObject, ...]]:
    found: dict[str, list[KubernetesObject]] = {}
    for thing in stack.each(KubernetesObject):
        found.setdefault(thing.kind, []).append(thing)
    return {kind: tuple(things) for kind, things in found.items()}
