"""A project that answers as a test wants it to, and the standing production stack to compare with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from inference.rules.views.stack import Stack
from rehearsal import resources
from rehearsal.preflight.questions import Channel, Limit, NotAnsweredError, QuotaRow, ReservationFound, ServerVersions
from tests.support.rehearsed import rehearsed, standing

PLENTY = Limit(100_000, 0)

H200 = ReservationFound(
    machine_type="a3-ultragpu-8g",
    accelerators={"nvidia-h200-141gb": 8},
    local_ssds=32,
    count=4,
    in_use=0,
    specific_only=True,
    status="READY",
)


class Plentiful(dict[str, Limit]):
    """A list in which every metric stands with more than anybody needs."""

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key, PLENTY)


@dataclass
class FakeCloud:
    """A project with everything; tests take away. An exception in the place of an answer is raised."""

    region: Any = field(default_factory=Plentiful)
    everywhere: Any = field(default_factory=Plentiful)
    rows: dict[str, Any] = field(default_factory=dict)
    reservations: dict[tuple[str, str, str], Any] = field(
        default_factory=lambda: {("my-project-prod", "us-central1-b", "h200-inference"): H200}
    )
    blocks: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    """Machine types, accelerators and profiles that are not offered."""
    off: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    offered: Any = field(
        default_factory=lambda: ServerVersions(
            {"REGULAR": Channel("1.35.2-gke.100", ("1.35.2-gke.100", "1.34.9-gke.5"))}, ("1.35.2-gke.100",)
        )
    )
    broken: dict[str, str] = field(default_factory=dict)
    """Methods that do not answer, and why."""
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def _ask(self, *what: Any) -> None:
        self.asked.append(what)
        if what[0] in self.broken:
            raise NotAnsweredError(self.broken[what[0]])

    def region_quotas(self, project: str, region: str) -> Mapping[str, Limit]:
        self._ask("region_quotas", project, region)
        return self.region

    def project_quotas(self, project: str) -> Mapping[str, Limit]:
        self._ask("project_quotas", project)
        return self.everywhere

    def quota_rows(self, project: str, service: str, quota_id: str) -> Sequence[QuotaRow] | None:
        self._ask("quota_rows", project, service, quota_id)
        return self.rows.get(quota_id)

    def reservation(self, project: str, zone: str, name: str) -> ReservationFound | None:
        self._ask("reservation", project, zone, name)
        return self.reservations.get((project, zone, name))

    def has_block(self, project: str, zone: str, path: str) -> bool:
        self._ask("has_block", project, zone, path)
        return path in self.blocks

    def offers_machine(self, project: str, zone: str, machine_type: str) -> bool:
        self._ask("offers_machine", project, zone, machine_type)
        return machine_type not in self.missing

    def offers_accelerator(self, project: str, zone: str, accelerator: str) -> bool:
        self._ask("offers_accelerator", project, zone, accelerator)
        return accelerator not in self.missing

    def offers_profile(self, project: str, name: str) -> bool:
        self._ask("offers_profile", project, name)
        return name not in self.missing

    def enabled(self, project: str, apis: Sequence[str]) -> Mapping[str, bool]:
        self._ask("enabled", project)
        return {api: api not in self.off for api in apis}

    def granted(self, project: str, permissions: Sequence[str]) -> frozenset[str]:
        self._ask("granted", project)
        return frozenset(permissions) - self.denied

    def versions(self, project: str, location: str) -> ServerVersions:
        self._ask("versions", project, location)
        return self.offered

    def reserve(self, **changes: Any) -> None:
        """Change the reservation of the production stack."""
        key = ("my-project-prod", "us-central1-b", "h200-inference")
        self.reservations[key] = replace(H200, **changes)


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud()


@pytest.fixture
def prod() -> Stack:
    return resources.stack(rehearsed(standing("prod")))


@pytest.fixture
def dev() -> Stack:
    return resources.stack(rehearsed(standing("dev")))
