"""Custom kinds: who defines them, who acts on them, and what goes with a definition when it goes.

A custom resource needs its definition at apply and its controller for ever after. Deleting a definition deletes every
object of its kind in the cluster. And some definitions are GKE's own: a second owner takes them back to another
version, and takes all pools with them when it is destroyed.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.facts.endpoint_picker import POOL_GROUP
from inference.facts.operators import OPERATORS, operator_of_group
from inference.facts.versions import GKE_MINIMUM, GkeVersion
from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.cloud import Cluster
from inference.rules.views.gateway import InferencePool
from inference.rules.views.helm import HelmRelease
from inference.rules.views.hosting import cluster_of
from inference.rules.views.installers import Installed, installed, manifest_addresses
from inference.rules.views.kubernetes import CustomResourceDefinition, KubernetesObject
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack

_POOL_DEFINITION = (POOL_GROUP, "InferencePool")
_POOL_MANIFESTS = "gateway-api-inference-extension"
_OWNED_SINCE = GKE_MINIMUM["cluster-owned-inference-pool"]
_KSERVE_CHART = "kserve-llmisvc-resources"


@rule(
    "definition-before-object",
    title="A custom resource waits for what defines its kind",
    breaks="'no matches for kind' or 'failed to determine if the following GVK is namespaced': the update fails with "
    "the accelerator pools already up; a second run passes, so the next new cluster fails again.",
    fix="Add the chart, the manifests or the CustomResourceDefinition to the object's depends_on.",
    source="https://github.com/pulumi/pulumi-kubernetes/issues/1164",
    severity=Severity.HIGH,
    covers=("PK8S-001",),
    needs_program=True,
)
def definition_before_object(stack: Stack) -> Iterator[About]:
    found = installed(stack)
    for thing in stack.each(KubernetesObject):
        providers = _providers(found, thing) if "." in thing.group else ()
        if providers and not any(_waits(stack, thing.resource, provider) for provider in providers):
            yield About(
                thing.resource,
                f'{thing} of group {thing.group} does not wait for "{providers[0].name}", which defines its kind; on a '
                f'new cluster it fails with "no matches for kind {thing.kind}". Add it to depends_on.',
            )


def _providers(found: Installed, thing: KubernetesObject) -> tuple[Resource, ...]:
    if definition := found.definitions.get((thing.group, thing.kind)):
        return (definition.object.resource,)
    operator = operator_of_group(thing.group)
    return found.crds.get(operator.name, ()) if operator else ()


def _waits(stack: Stack, resource: Resource, provider: Resource) -> bool:
    if resource is provider or resource.parent == provider.urn or stack.depends(resource, provider):
        return True
    parent = stack.get(resource.parent) if resource.parent else None
    # A chart or manifest component orders its own children.
    return parent is not None and parent.type.startswith("kubernetes:") and resource.parent == provider.parent


@rule(
    "definition-has-controller",
    title="A program that brings the definition of a kind brings the controller too",
    breaks="The objects are accepted and nothing happens: no pods, no event, accelerator nodes idle. Typical of a "
    "release manifest with several documents, read by something that takes one.",
    fix="Install the operator's chart, or its whole manifest with yaml.v2.ConfigFile.",
    source="https://github.com/GoogleCloudPlatform/cluster-toolkit/pull/4292",
    severity=Severity.HIGH,
    covers=("PK8S-015",),
)
def definition_has_controller(stack: Stack) -> Iterator[About]:
    found = installed(stack)
    used = stack.view(_groups_in_use)
    for operator in () if found.hidden else OPERATORS.values():
        defined = [d.object.resource for d in found.definitions.values() if d.group in operator.groups]
        brought = [*defined, *found.crds.get(operator.name, ())]
        thing = next((used[group] for group in operator.groups if group in used), None)
        if brought and thing is not None and not found.controllers.get(operator.name):
            yield About(
                brought[0],
                f'"{brought[0].name}" brings definitions of {operator.name}, the program declares {thing}, and nothing '
                f"runs the controller ({operator.workloads[0]}); the object is accepted and nobody acts on it. "
                f"Install the chart {operator.charts[0]}.",
            )


def _groups_in_use(stack: Stack) -> dict[str, KubernetesObject]:
    found: dict[str, KubernetesObject] = {}
    for thing in stack.each(KubernetesObject):
        found.setdefault(thing.group, thing)
    return found


@rule(
    "definition-of-pools-has-one-owner",
    title="The definition of InferencePool comes from GKE where GKE brings it, and from the program where it does not",
    breaks="From 1.34.0-gke.1626000 on GKE owns the definition: field conflicts at apply, another version in force, "
    "and "
    "at destroy all pools of the cluster gone with it. Before, 'no matches for kind InferencePool'.",
    fix="Declare the definition only for clusters before 1.34.0-gke.1626000; for newer ones install only those of "
    "InferenceObjective, and set kserve.llmisvc.createGIECRDs: false.",
    source="https://llm-d.ai/docs/infrastructure/gateway/gke",
    severity=Severity.HIGH,
    covers=("GW-008",),
)
def definition_of_pools_has_one_owner(stack: Stack) -> Iterator[About]:
    found = installed(stack)
    sources = list(_pool_definitions(stack, found))
    for source, how in sources:
        cluster = cluster_of(stack, source)
        if cluster is not None and _owned_by(cluster) is True:
            yield About(
                source,
                f"{how} brings the definition of InferencePool to {_named(cluster)} of version {cluster.version}, "
                f"where GKE brings and owns it (from {_OWNED_SINCE} on). Leave the definition to GKE.",
            )
    if sources or found.hidden:
        return
    for pool in stack.each(InferencePool):
        cluster = cluster_of(stack, pool.resource)
        if cluster is not None and pool.object.group == POOL_GROUP and _owned_by(cluster) is False:
            yield About(
                pool.resource,
                f"{pool} goes to {_named(cluster)} of version {cluster.version}, where nothing defines its kind: GKE "
                f"brings the definition from {_OWNED_SINCE} on. Install the manifests of the inference extension.",
            )


def _named(cluster: Cluster) -> str:
    text = str(cluster)
    return text[:1].lower() + text[1:]


def _owned_by(cluster: Cluster) -> bool | None:
    try:
        return _OWNED_SINCE.met_by(GkeVersion.parse(cluster.version)) if cluster.version else None
    except ValueError:
        return None


def _pool_definitions(stack: Stack, found: Installed) -> Iterator[tuple[Resource, str]]:
    if definition := found.definitions.get(_POOL_DEFINITION):
        yield definition.object.resource, str(definition.object)
    for resource in stack.resources:
        if any(_POOL_MANIFESTS in address for address in manifest_addresses(resource)):
            yield resource, f'"{resource.name}"'
    for release in stack.each(HelmRelease):
        place = ("kserve", "llmisvc", "createGIECRDs")
        known = release.whole and release.values.known(*place)
        if release.chart == _KSERVE_CHART and known and release.values.flag(*place) is not False:
            yield release.resource, f"{release} (kserve.llmisvc.createGIECRDs is true unless it is set to false)"


@rule(
    "definition-outlives-program",
    title="A CustomResourceDefinition is protected, or kept when the program lets go of it",
    breaks="Deleting or renaming a definition, or a chart upgrade that no longer carries it, deletes all objects of "
    "its "
    "kind in the cluster, with everything that they serve.",
    fix="Set protect=True and retain_on_delete=True on definitions, or on the component that brings them.",
    source="https://github.com/NVIDIA/aicr/pull/2214",
    severity=Severity.CRITICAL,
    level=Level.ADVISORY,
    covers=("GW-009",),
    on=CustomResourceDefinition,
    needs_program=True,
)
def definition_outlives_program(definition: CustomResourceDefinition) -> Iterator[str]:
    options = definition.resource.options
    shown = not options.absent("protect") and options.known("protect") and options.known("retainOnDelete")
    if shown and options.flag("protect") is not True and options.flag("retainOnDelete") is not True:
        yield (
            f"{definition} is neither protected nor kept at deletion; when the program drops or replaces it, every "
            f"{definition.spec.text('names', 'kind') or 'object'} of the cluster is deleted. "
            "Set protect=True and retain_on_delete=True."
        )
