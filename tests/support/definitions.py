"""Strict validation of Kubernetes objects: built-in kinds by their OpenAPI schemas, custom kinds by their definitions.

Definitions are read from the folder named by the environment variable ``CRD_DEFINITIONS``, or from ``shared/crds``
beside the checkout; where neither is there, custom kinds go unchecked and the test says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

from tests.support.stacks import ROOT

KUBERNETES = "1.35"
"""Version of the built-in schemas: the one that the stacks ask for."""

_LABEL = {"type": "string", "pattern": "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"}
_EVENTS = ("RequestHeaders", "RequestBody", "RequestTrailers", "ResponseHeaders", "ResponseBody", "ResponseTrailers")
_CALLOUT = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": _LABEL,
        "authority": {"type": "string", "pattern": r"^[A-Za-z0-9-_:%\.\[\]]*$"},
        "timeout": {"type": "string", "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"},
        "failOpen": {"type": "boolean"},
        "supportedEvents": {"type": "array", "items": {"enum": list(_EVENTS)}},
        "requestBodySendMode": {"enum": ["Streamed", "FullDuplexStreamed"]},
        "backendRef": {
            "type": "object",
            "required": ["group", "kind", "name", "port"],
            "properties": {
                "group": {"enum": [""]},
                "kind": {"enum": ["Service"]},
                "name": {"type": "string"},
                "port": {"type": "integer"},
            },
        },
    },
}
_OWN: dict[tuple[str, str], dict[str, Any]] = {
    ("resource.nvidia.com/v1beta1", "ComputeDomain"): {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "spec": {
                "type": "object",
                "required": ["numNodes", "channel"],
                "properties": {
                    "numNodes": {"type": "integer", "minimum": 0},
                    "channel": {
                        "type": "object",
                        "required": ["resourceClaimTemplate"],
                        "properties": {
                            "allocationMode": {"enum": ["All", "Single"]},
                            "resourceClaimTemplate": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {"name": {"type": "string"}},
                            },
                        },
                    },
                },
            }
        },
    },
    ("cloud.google.com/v1", "ComputeClass"): {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "spec": {
                "type": "object",
                "required": ["priorities"],
                "properties": {
                    "priorities": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {"nodepools": {"type": "array", "items": {"type": "string"}}},
                        },
                    },
                    "whenUnsatisfiable": {"enum": ["ScaleUpAnyway", "DoNotScaleUp"]},
                    "nodePoolAutoCreation": {"type": "object", "properties": {"enabled": {"type": "boolean"}}},
                    "activeMigration": {"type": "object", "properties": {"optimizeRulePriority": {"type": "boolean"}}},
                },
            }
        },
    },
    ("networking.gke.io/v1", "GCPRoutingExtension"): {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "spec": {
                "type": "object",
                "required": ["extensionChains", "targetRefs"],
                "properties": {
                    "targetRefs": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["group", "kind", "name"],
                            "properties": {
                                "group": {"enum": ["gateway.networking.k8s.io"]},
                                "kind": {"enum": ["Gateway"]},
                                "name": {"type": "string"},
                            },
                        },
                    },
                    "extensionChains": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 5,
                        "items": {
                            "type": "object",
                            "required": ["extensions", "name"],
                            "properties": {
                                "name": _LABEL,
                                "extensions": {"type": "array", "maxItems": 1, "items": _CALLOUT},
                            },
                        },
                    },
                },
            }
        },
    },
}
"""Definitions that come with a chart or with GKE and are in no folder, as far as the project uses them
(https://github.com/kubernetes-sigs/dra-driver-nvidia-gpu at v25.8.0;
https://docs.cloud.google.com/kubernetes-engine/docs/reference/crds/computeclass;
https://github.com/GoogleCloudPlatform/gke-gateway-api at main of 2026-04-29)."""


def definitions_folder() -> Path | None:
    """Return the folder with the custom definitions, if there is one."""
    named = os.environ.get("CRD_DEFINITIONS")
    folder = Path(named) if named else ROOT.parent / "shared" / "crds"
    return folder if folder.is_dir() else None


@cache
def _schemas() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the schemas of all served versions by apiVersion and kind."""
    found = {kind: _strict(schema, root=True) for kind, schema in _OWN.items()}
    folder = definitions_folder()
    for path in sorted(folder.glob("*.yaml")) if folder else ():
        for document in yaml.load_all(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if not document or document.get("kind") != "CustomResourceDefinition":
                continue
            spec = document["spec"]
            for version in spec["versions"]:
                if version.get("served", True) and "schema" in version:
                    key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
                    found[key] = _strict(version["schema"]["openAPIV3Schema"], root=True)
    return found


def _strict(schema: Mapping[str, Any], *, root: bool = False) -> dict[str, Any]:
    """Return a JSON Schema that refuses unknown fields, as server-side field validation does."""
    made: dict[str, Any] = {}
    for key, value in schema.items():
        match key:
            case "properties":
                made[key] = {name: _strict(part) for name, part in value.items()}
            case "items" | "not":
                made[key] = _strict(value)
            case "additionalProperties":
                made[key] = _strict(value) if isinstance(value, Mapping) else value
            case "allOf" | "anyOf" | "oneOf":
                made[key] = [_open(part) for part in value]
            case "format" | "default" | "description" | "nullable":
                continue
            case name if name.startswith("x-"):
                continue
            case _:
                made[key] = value
    if schema.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
        made["type"] = ["integer", "string"]
    if schema.get("nullable") and "type" in made:
        made["type"] = [*(made["type"] if isinstance(made["type"], list) else [made["type"]]), "null"]
    open_ = schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-embedded-resource")
    if root:
        made.setdefault("properties", {}).update({"apiVersion": True, "kind": True, "metadata": {"type": "object"}})
    if "properties" in made and "additionalProperties" not in made and not open_:
        made["additionalProperties"] = False
    return made


def _open(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part of a combination, which names some fields and does not forbid the others."""
    made = _strict(schema)
    made.pop("additionalProperties", None)
    return made


def problems(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a cluster would refuse about an object."""
    key = (manifest["apiVersion"], manifest["kind"])
    if key in _schemas():
        for error in jsonschema.Draft202012Validator(_schemas()[key]).iter_errors(manifest):
            yield f"{key[1]} {manifest['metadata'].get('name')}: {error.json_path}: {error.message}"
        return
    try:
        kubernetes_validate.validate(dict(manifest), KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{key[1]} {manifest['metadata'].get('name')}: {'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError:
        if definitions_folder() is not None:
            yield f"{key[1]} {manifest['metadata'].get('name')}: no definition of {key[0]} is known"
