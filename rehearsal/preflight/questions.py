"""What the preflight asks of a project, in its own words, so that a test can answer for Google Cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Channel", "Cloud", "Limit", "NotAnsweredError", "QuotaRow", "ReservationFound", "ServerVersions"]


class NotAnsweredError(Exception):
    """A question that Google Cloud did not answer, and why: no permission, an API that is off, no connection."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A quota in the list of a region or project."""

    limit: float
    usage: float


@dataclass(frozen=True, slots=True)
class QuotaRow:
    """One row of a quota in the Cloud Quotas API."""

    dimensions: Mapping[str, str]
    """Empty for the row that holds where no other does."""
    value: int
    """-1 for no limit; 0 also where the row has no value, which stands for nothing granted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationFound:
    """A reservation as it stands."""

    machine_type: str | None
    """None where it is not one of single machines."""
    accelerators: Mapping[str, int]
    """GPU type to number of each machine; empty where they come with the machine."""
    local_ssds: int
    count: int
    in_use: int
    specific_only: bool
    """Whether only nodes that name it may use it."""
    status: str
    """``READY`` where it can be used."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One release channel of GKE in a location."""

    default: str
    valid: Sequence[str]


@dataclass(frozen=True, slots=True)
class ServerVersions:
    """The versions of GKE that a location offers."""

    channels: Mapping[str, Channel]
    """By name: ``RAPID``, ``REGULAR``, ``STABLE``, ``EXTENDED``."""
    valid: Sequence[str]
    """Versions for clusters without a channel."""


class Cloud(Protocol):
    """Answers about projects. Every method raises ``NotAnsweredError`` where there is no answer."""

    def region_quotas(self, project: str, region: str) -> Mapping[str, Limit]:
        """Return the quotas of a region by metric."""
        ...

    def project_quotas(self, project: str) -> Mapping[str, Limit]:
        """Return the quotas of a project over all regions by metric."""
        ...

    def quota_rows(self, project: str, service: str, quota_id: str) -> Sequence[QuotaRow] | None:
        """Return the rows of a quota in the Cloud Quotas API, None where the project has no such quota."""
        ...

    def reservation(self, project: str, zone: str, name: str) -> ReservationFound | None:
        """Return a reservation, None where there is none of that name."""
        ...

    def has_block(self, project: str, zone: str, path: str) -> bool:
        """Whether a block or sub-block exists: ``NAME/reservationBlocks/BLOCK/reservationSubBlocks/SUB-BLOCK``."""
        ...

    def offers_machine(self, project: str, zone: str, machine_type: str) -> bool:
        """Whether a zone offers a machine type."""
        ...

    def offers_accelerator(self, project: str, zone: str, accelerator: str) -> bool:
        """Whether a zone offers a GPU type to machines that choose theirs."""
        ...

    def offers_profile(self, project: str, name: str) -> bool:
        """Whether a network profile exists."""
        ...

    def enabled(self, project: str, apis: Sequence[str]) -> Mapping[str, bool]:
        """Return which Google APIs are on."""
        ...

    def granted(self, project: str, permissions: Sequence[str]) -> frozenset[str]:
        """Return those permissions that the caller has on a project."""
        ...

    def versions(self, project: str, location: str) -> ServerVersions:
        """Return the versions of GKE that a location offers."""
        ...
