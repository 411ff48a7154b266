"""The words of a stack file: constrained strings that the settings models are written in."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

__all__ = [
    "BucketName",
    "Cidr",
    "DnsLabel",
    "Hostname",
    "KubernetesMinor",
    "Location",
    "ProjectId",
    "SecretName",
    "Section",
    "Zone",
]


class Section(BaseModel):
    """A part of the stack file: unknown keys are refused, nothing changes after load."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=False,
        use_attribute_docstrings=True,
        strict=True,
    )


def _network(value: str) -> str:
    try:
        ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"{error}; write the first address of an IPv4 block and its prefix length") from error
    return value


Cidr = Annotated[str, AfterValidator(_network), Field(examples=["10.4.0.0/14"], json_schema_extra={"format": "cidr"})]
"""An IPv4 block in CIDR notation, host bits zero."""

DnsLabel = Annotated[str, StringConstraints(pattern=r"^[a-z]([-a-z0-9]{0,28}[a-z0-9])?$"), Field(examples=["h200"])]
"""A short name that Kubernetes and Google Cloud both accept, with room for suffixes (30 characters)."""

Hostname = Annotated[
    str,
    StringConstraints(pattern=r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$", max_length=253),
    Field(examples=["llm.example.com"]),
]
"""A fully qualified DNS name in lower case."""

KubernetesMinor = Annotated[str, StringConstraints(pattern=r"^1\.\d{1,2}$"), Field(examples=["1.35"])]
"""A Kubernetes minor version; GKE chooses the patch that its release channel offers."""

ProjectId = Annotated[
    str, StringConstraints(pattern=r"^[a-z][-a-z0-9]{4,28}[a-z0-9]$"), Field(examples=["my-project-123"])
]
"""A Google Cloud project ID."""

Zone = Annotated[
    str, StringConstraints(pattern=r"^[a-z]+(-[a-z]+)+\d+-(ai\d+)?[a-z]$"), Field(examples=["us-central1-b"])
]
"""A Google Cloud zone."""

Location = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z]+(-[a-z]+)+\d+(-(ai\d+)?[a-z])?$"),
    Field(examples=["us-central1", "us-central1-a"]),
]
"""A region (regional control plane) or a zone (zonal control plane)."""

BucketName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][-_.a-z0-9]{1,61}[a-z0-9]$"),
    Field(examples=["my-project-weights"]),
]
"""The name of a Cloud Storage bucket, without ``gs://``."""

SecretName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,255}$"), Field(examples=["llm-api-key"])]
"""The ID of a secret in Secret Manager, in the stack's project."""
