"""The JSON Schema of a stack file, for editors, hooks and tests."""

from __future__ import annotations

from typing import Any

from inference.settings.stack import NAMESPACE, SECTIONS, StackSettings

__all__ = ["stack_file_schema"]


def stack_file_schema() -> dict[str, Any]:
    """Return the schema of a whole ``Pulumi.<stack>.yaml``: Pulumi's own keys are left to Pulumi."""
    settings = StackSettings.model_json_schema(by_alias=True)
    properties = {f"{NAMESPACE}:{key}": settings["properties"][key] for key in SECTIONS}
    required = [f"{NAMESPACE}:{key}" for key in settings.get("required", [])]
    foreign = {"not": {"pattern": f"^{NAMESPACE}:"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stack file of gke-inference",
        "description": settings["description"],
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": properties,
                "required": required,
                "propertyNames": {"anyOf": [{"enum": list(properties)}, foreign]},
            },
            "secretsprovider": {"type": "string"},
            "encryptedkey": {"type": "string"},
            "encryptionsalt": {"type": "string"},
            "environment": True,
        },
        "required": ["config"],
        "additionalProperties": False,
        "$defs": settings["$defs"],
    }
