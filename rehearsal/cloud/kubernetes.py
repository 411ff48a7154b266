"""The Kubernetes API, as the provider shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rehearsal.cloud.model import Asked, CloudError, Created, at

__all__ = ["CLUSTER_SCOPED", "Kubernetes"]

CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "CSIDriver",
        "CertificateSigningRequest",
        "ClusterIssuer",
        "ClusterQueue",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterServingRuntime",
        "ClusterStorageContainer",
        "ComputeClass",
        "CustomResourceDefinition",
        "DeviceClass",
        "FlowSchema",
        "GKENetworkParamSet",
        "GatewayClass",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Network",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "ResourceFlavor",
        "RuntimeClass",
        "StorageClass",
        "Topology",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttributesClass",
    }
)
"""Kinds without a namespace that programs for inference use."""

_RELEASE = "kubernetes:helm.sh/v3:Release"
_AUTONAMED = "pulumi.com/autonamed"
_NOT_OBJECTS = ("kubernetes:helm.sh/", "kubernetes:yaml", "kubernetes:kustomize")
_DIGITS = 8
"""Length of the suffix of a name that the provider makes."""


class Kubernetes:
    """Objects echo what was applied and gain what the API server fills in."""

    def check(self, asked: Asked) -> Mapping[str, object]:
        if asked.type == _RELEASE:
            named = {} if "name" in asked.inputs else {"name": _name(asked)}
            return {**named, "namespace": asked.inputs.get("namespace", "default")}
        if asked.type.startswith(_NOT_OBJECTS):
            return {}
        metadata = asked.inputs.get("metadata", {})
        if not isinstance(metadata, Mapping) or metadata.get("name") or metadata.get("generateName"):
            return {}
        annotations = metadata.get("annotations")
        annotations = annotations if isinstance(annotations, Mapping) else {}
        filled = {"name": _name(asked), "annotations": {**annotations, _AUTONAMED: "true"}}
        return {"metadata": {**metadata, **filled}}

    def create(self, asked: Asked) -> Created:
        if asked.type == _RELEASE:
            return _release(asked)
        metadata = asked.get("metadata")
        metadata = metadata if isinstance(metadata, Mapping) else {}
        kind = asked.type.rpartition(":")[2]
        name = metadata.get("name") or f"{metadata.get('generateName', '')}{asked.hexadecimal(5)}"
        filled = {
            "name": name,
            "uid": f"{asked.hexadecimal(8)}-0000-4000-8000-{asked.hexadecimal(12, 'uid')}",
            "resourceVersion": "1",
            "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        }
        if kind not in CLUSTER_SCOPED:
            filled["namespace"] = metadata.get("namespace") or "default"
        fill = _STATUS.get(kind)
        return Created(
            f"{filled['namespace']}/{name}" if "namespace" in filled else str(name),
            {"metadata": {**metadata, **filled}, **({"status": fill(asked)} if fill else {})},
        )

    def invoke(
        self,
        token: str,
        arguments: Mapping[str, object],
        configuration: Mapping[str, object],  # noqa: ARG002 - part of the protocol
    ) -> Mapping[str, object]:
        if token == "kubernetes:yaml:decode":  # noqa: S105 - a type token
            import yaml

            documents = yaml.safe_load_all(str(arguments.get("text", "")))
            return {"result": [document for document in documents if document is not None]}
        raise CloudError(
            f"the program calls {token}; offline nothing can answer it. "
            "Use typed resources or a CustomResource, or add the answer in rehearsal/cloud/kubernetes.py."
        )


def _name(asked: Asked) -> str:
    return f"{asked.logical_name}-{asked.hexadecimal(_DIGITS)}"


def _release(asked: Asked) -> Created:
    name, namespace = asked.text("name"), asked.text("namespace") or "default"
    status = {
        "name": name,
        "namespace": namespace,
        "chart": asked.text("chart").rpartition("/")[2],
        "version": asked.text("version"),
        "appVersion": asked.text("version"),
        "revision": 1,
        "status": "deployed",
    }
    return Created(f"{namespace}/{name}", {"status": status})


def _address(asked: Asked) -> str:
    return f"203.0.113.{1 + int(asked.hexadecimal(4), 16) % 254}"


def _service(asked: Asked) -> Mapping[str, object]:
    balanced = at(asked.inputs, "spec", "type") == "LoadBalancer"
    return {"loadBalancer": {"ingress": [{"ip": _address(asked)}]} if balanced else {}}


_STATUS: Mapping[str, Callable[[Asked], Mapping[str, object]]] = {
    "Service": _service,
    "Gateway": lambda asked: {"addresses": [{"type": "IPAddress", "value": _address(asked)}]},
    "Ingress": lambda asked: {"loadBalancer": {"ingress": [{"ip": _address(asked)}]}},
}
"""Status of the kinds whose status programs read; addresses are of the documentation's range."""
