"""Manifests and kustomizations that are fetched from an address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Self

from inference.rules.views.installers import manifest_addresses
from inference.rules.views.resources import Resource

__all__ = ["RemoteManifest"]

_BRANCH = re.compile(r"(?:^|/)(?:refs/heads/)?(main|master|develop|HEAD|nightly)(?:/|$)")
_REFERENCE = re.compile(r"[?&](?:ref|version)=([^&]+)")
_LATEST = re.compile(r"/releases/latest/")
_REMOTE = re.compile(r"^(?:https?://|git::|git@|ssh://|github\.com/|gitlab\.com/|bitbucket\.org/)")
_REPOSITORY = re.compile(r"^(?:git::)?(?:https?://)?(?:github\.com|gitlab\.com|bitbucket\.org)/[\w.-]+/[\w.-]+")


@dataclass(frozen=True, eq=False)
class RemoteManifest:
    """One address that a ConfigFile, ConfigGroup or kustomization reads."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:yaml", "kubernetes:kustomize")

    resource: Resource
    address: str

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the remote addresses that a component reads."""
        return tuple(cls(resource, found) for found in manifest_addresses(resource) if _REMOTE.match(found))

    @property
    def moving(self) -> str:
        """What it moves with, empty where it is pinned."""
        if match := _REFERENCE.search(self.address):
            return f"the branch {match[1]}" if _BRANCH.fullmatch(match[1]) else ""
        if _LATEST.search(self.address):
            return "the latest release"
        if match := _BRANCH.search(self.address.partition("://")[2] or self.address):
            return f"the branch {match[1]}"
        if "kustomize" in self.resource.type and _REPOSITORY.match(self.address):
            return "the default branch"
        return ""

    def __str__(self) -> str:
        return f'{self.resource.type.rpartition(":")[2]} "{self.resource.name}"'
