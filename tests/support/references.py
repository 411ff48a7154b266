"""What the objects of a plan name, and whether it is there: selectors meet pods, references meet objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inference.facts import controllers
from rehearsal.plan import Plan
from tests.support.workloads import Manifest, manifests, templates

__all__ = ["dangling"]

_BY_CONTROLLERS = {("ServiceAccount", "default")}
"""What is there without anybody writing it."""


def dangling(plan: Plan) -> list[str]:
    """Return one line for each selector that meets no pod, and each reference that meets no object."""
    found = manifests(plan)
    there = {(t["kind"], t["metadata"]["name"]) for t in found} | _BY_CONTROLLERS
    there |= {("NodePool", str(s.inputs["name"])) for s in plan.of_type("gcp:container/nodePool:NodePool")}
    for thing in found:
        if thing["kind"] == "ComputeDomain":
            there.add(("ResourceClaimTemplate", thing["spec"]["channel"]["resourceClaimTemplate"]["name"]))
    lines = []
    for thing in found:
        shown = f"{thing['kind']} {thing['metadata']['name']}"
        named = [
            *_named(thing),
            *(pair for _, template, _, _ in templates(thing) for pair in _of_pod(template["spec"])),
        ]
        lines += [
            f"{shown} names {kind} {name}, which is not there" for kind, name in named if (kind, name) not in there
        ]
        lines += [
            f"{shown} selects {labels}, which no pod has" for labels in _selected(thing) if not _met(labels, found)
        ]
        lines += [f"{shown} selects {port} on pods that have no such port" for port in _unknown_ports(thing, found)]
    return lines


def _selected(thing: Manifest) -> Iterator[Mapping[str, str]]:
    spec = thing.get("spec") or {}
    match thing["kind"]:
        case "Service":
            yield spec["selector"]
        case "InferencePool" | "PodMonitoring" | "Deployment" | "StatefulSet" | "DaemonSet":
            yield spec["selector"]["matchLabels"]
        case "NetworkPolicy":
            if labels := (spec.get("podSelector") or {}).get("matchLabels"):
                yield labels
        case _:
            return


def _met(labels: Mapping[str, str], found: list[Manifest]) -> bool:
    return any(True for _ in _pods_with(labels, found))


def _pods_with(labels: Mapping[str, str], found: list[Manifest]) -> Iterator[Manifest]:
    for thing in found:
        for _, template, _, added in templates(thing):
            own = {**((template.get("metadata") or {}).get("labels") or {}), **added}
            if all(own.get(key) == value for key, value in labels.items()):
                yield template["spec"]


def _unknown_ports(thing: Manifest, found: list[Manifest]) -> Iterator[object]:
    spec = thing.get("spec") or {}
    match thing["kind"]:
        case "Service":
            ports = [each.get("targetPort", each["port"]) for each in spec["ports"]]
        case "InferencePool":
            ports = [each["number"] for each in spec["targetPorts"]]
        case "PodMonitoring":
            ports = [each["port"] for each in spec["endpoints"]]
        case _:
            return
    for labels in _selected(thing):
        for pod in _pods_with(labels, found):
            containers = [*(pod.get("containers") or []), *(pod.get("initContainers") or [])]
            declared = [port for each in containers for port in each.get("ports") or []]
            known = {value for port in declared for value in (port["containerPort"], port.get("name"))}
            yield from (port for port in ports if port not in known)


def _named(thing: Manifest) -> Iterator[tuple[str, str]]:
    """Yield kind and name of what an object itself refers to."""
    spec = thing.get("spec") or {}
    match thing["kind"]:
        case "InferencePool":
            yield spec["endpointPickerRef"]["kind"], spec["endpointPickerRef"]["name"]
        case "HTTPRoute":
            yield from ((each["kind"], each["name"]) for each in spec["parentRefs"])
            backends = [each for rule in spec["rules"] for each in rule["backendRefs"]]
            yield from ((each.get("kind", "Service"), each["name"]) for each in backends)
        case "GCPBackendPolicy" | "HealthCheckPolicy" | "GCPGatewayPolicy":
            yield spec["targetRef"]["kind"], spec["targetRef"]["name"]
        case "GCPRoutingExtension" | "GCPTrafficExtension":
            yield from ((each["kind"], each["name"]) for each in spec["targetRefs"])
            extensions = [each for chain in spec["extensionChains"] for each in chain["extensions"]]
            yield from ((each["backendRef"]["kind"], each["backendRef"]["name"]) for each in extensions)
        case "RoleBinding":
            yield thing["roleRef"]["kind"], thing["roleRef"]["name"]
            yield from ((each["kind"], each["name"]) for each in thing["subjects"])
        case "Network":
            yield spec["parametersRef"]["kind"], spec["parametersRef"]["name"]
        case "ComputeClass":
            yield from (("NodePool", name) for each in spec["priorities"] for name in each["nodepools"])
        case "LocalQueue":
            yield "ClusterQueue", spec["clusterQueue"]
        case "ClusterQueue":
            flavors = [each for group in spec["resourceGroups"] for each in group["flavors"]]
            yield from (("ResourceFlavor", each["name"]) for each in flavors)
            yield from (("AdmissionCheck", e["name"]) for e in spec["admissionChecksStrategy"]["admissionChecks"])
        case "AdmissionCheck":
            yield spec["parameters"]["kind"], spec["parameters"]["name"]
        case "StatefulSet":
            yield "Service", spec["serviceName"]
            yield from (("StorageClass", e["spec"]["storageClassName"]) for e in spec.get("volumeClaimTemplates") or [])
        case "LLMInferenceService":
            yield from (("Gateway", each["name"]) for each in spec["router"]["gateway"]["refs"])
            yield "InferencePool", spec["router"]["scheduler"]["pool"]["ref"]["name"]
        case _:
            pass
    if queue := (thing["metadata"].get("labels") or {}).get(controllers.KUEUE_QUEUE_LABEL):
        yield "LocalQueue", queue


def _of_pod(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield kind and name of what a pod refers to."""
    yield "ServiceAccount", spec.get("serviceAccountName", "default")
    yield from (("Secret", each["name"]) for each in spec.get("imagePullSecrets") or [])
    yield from (("ResourceClaimTemplate", e["resourceClaimTemplateName"]) for e in spec.get("resourceClaims") or [])
    for volume in spec.get("volumes") or []:
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
    for container in (*(spec.get("containers") or []), *(spec.get("initContainers") or [])):
        for entry in container.get("env") or []:
            source = entry.get("valueFrom") or {}
            if "secretKeyRef" in source:
                yield "Secret", source["secretKeyRef"]["name"]
            if "configMapKeyRef" in source:
                yield "ConfigMap", source["configMapKeyRef"]["name"]
