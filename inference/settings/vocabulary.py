"""The words of a stack file: constrained strings that the settings models are written in."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

__all__ = [
    "FORMS",
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
        raise ValueError(f"{error}; {_meant(value)}") from error
    return value


def _meant(value: str) -> str:
    try:
        return f"the block around it is {ipaddress.IPv4Network(value, strict=False)}"
    except ValueError:
        return "the first address of an IPv4 block and its prefix length belong here"


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

_NAME = "lowercase letters, digits and hyphens belong here, a letter first and no hyphen last"

FORMS: Final[Mapping[str, str]] = {
    r"^[a-z]([-a-z0-9]{0,28}[a-z0-9])?$": f"{_NAME}, 30 characters at most: names are made of it",
    r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$": f"{_NAME}, 63 characters at most; no path",
    r"^[a-z][a-z0-9-]{0,62}$": "lowercase letters, digits and hyphens belong here, a letter first",
    r"^[a-z][-a-z0-9]{4,28}[a-z0-9]$": f"a project ID has 6 to 30 characters; {_NAME}",
    r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$": (
        "a full DNS name in lower case belongs here, without https://, port, path or wildcard; an IP address is none"
    ),
    r"^1\.\d{1,2}$": "a minor version belongs here, 1 and a number; the release channel chooses the rest",
    r"^[a-z]+(-[a-z]+)+\d+-(ai\d+)?[a-z]$": "a zone is a region and a letter",
    r"^[a-z]+(-[a-z]+)+\d+(-(ai\d+)?[a-z])?$": "a region or a zone belongs here",
    r"^[a-z0-9][-_.a-z0-9]{1,61}[a-z0-9]$": "the bare name of a bucket belongs here: lower case, no gs://, no path",
    r"^[A-Za-z0-9_-]{1,255}$": "the bare ID of a secret belongs here: letters, digits, hyphens, underscores",
    r"^(latest|[1-9]\d*)$": "a version of a secret is a number, or latest",
    r"^\d{2}:\d{2}$": "a time of day has two digits, a colon and two digits",
    r"^[^/\s][^\s]*[^/\s]$": "a path in the bucket belongs here, without spaces, gs:// or slashes at its ends",
    r"^[\w.-]+/[\w.-]+$": "an organization, a slash and a name belong here",
    r"^[^/\s][^\s]*\.json$": "the path of a JSON file belongs here, from the project's folder, no spaces",
    r"^--[a-z][a-z0-9-]*$": "an option is written with its two hyphens, in lower case, with hyphens between words",
    r"^[0-9a-f]{64}$": "the ID of a profile is 64 hexadecimal digits; list-model-profiles in the image names them",
    r"^\d+x\d+(x\d+)?$": "chips along two or three axes belong here, with x between",
}
"""What the patterns of the settings ask for, in words, for who reads a message."""
