"""Manifests and kustomizations that are fetched from an address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Self

from inference.rules.views.nccl import addresses
from inference.rules.views.resources import Resource

__all__ = ["RemoteManifest"]

_LATEST = re.compile(r"/releases/latest/")
_REMOTE = re.compile(r"^(?:https?://|git::|git@|ssh://|github\.com/|gitlab\.com/|bitbucket\.org/)")
_REPOSITORY = re.compile(r"^(?:git::)?(?:https?://)?(?:github\.com|gitlab\.com|bitbucket\.org)/[\w.-]+/[\w.-]+")
_BRANCHES = frozenset({"master", "main", "head", "trunk", "develop", "dev", "latest", "gh-pages"})
_HOSTS = re.compile(
    r"(?:https?://)?(?:"
    r"raw\.githubusercontent\.com/[^/]+/[^/]+/(?P<raw>refs/heads/[^/?]+|refs/tags/[^/?]+|[^/?]+)/"
    r"|github\.com/[^/]+/[^/]+/(?:raw|blob|tree|archive)/(?P<hub>refs/heads/[^/?]+|refs/tags/[^/?]+|[^/?]+)"
    r"|github\.com/[^/]+/[^/]+/releases/(?P<release>latest)/"
    r"|cdn\.jsdelivr\.net/gh/[^/]+/[^/@]+@(?P<cdn>[^/]+)/"
    r"|[^/]*gitlab[^/]*/.+?/-/raw/(?P<lab>[^/?]+)/"
    r")"
)
_KUSTOMIZE = re.compile(
    r"(?:git::)?(?:https?://|ssh://git@|git@)?(?:github|gitlab)\.com[/:][^/]+/[^/?]+(?P<path>/[^?]*)?(?:\?(?P<query>.*))?"
)


def _branch_of(address: str) -> str | None:
    """Return the branch that an address names; empty for a tag or a commit, ``None`` where it tells nothing."""
    if (found := _HOSTS.match(address)) is not None:
        reference = next(value for value in found.groups() if value)
        if reference.startswith("refs/tags/"):
            return ""
        name = reference.removeprefix("refs/heads/").removesuffix(".zip").removesuffix(".tar.gz")
        branch = reference.startswith("refs/heads/") or name.lower() in _BRANCHES
        return name if branch else ""
    if (found := _KUSTOMIZE.fullmatch(address)) is not None and (found["query"] or "//" in (found["path"] or "")):
        asked = re.search(r"(?:^|&)(?:ref|version)=([^&]*)", found["query"] or "")
        name = asked[1] if asked else "HEAD"
        return name if name.lower() in _BRANCHES or name.startswith("refs/heads/") else ""
    return None


@dataclass(frozen=True, eq=False)
class RemoteManifest:
    """One address that a ConfigFile, ConfigGroup, kustomization, chart or command reads."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:yaml", "kubernetes:kustomize", "kubernetes:helm.sh/", "command:")

    resource: Resource
    address: str

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the remote addresses that a resource reads."""
        chart = resource.props.text("chart") if "helm.sh/" in resource.type else None
        found = dict.fromkeys((*addresses(resource), *([chart] if chart else [])))
        return tuple(cls(resource, address) for address in found if _REMOTE.match(address))

    @property
    def moving(self) -> str:
        """What it moves with, empty where it is pinned."""
        branch = _branch_of(self.address)
        if branch is not None:
            return "the latest release" if branch == "latest" else f'the branch "{branch}"' if branch else ""
        if _LATEST.search(self.address):
            return "the latest release"
        if "kustomize" in self.resource.type and _REPOSITORY.match(self.address):
            return "the default branch"
        return ""

    def __str__(self) -> str:
        return f'{self.resource.type.rpartition(":")[2]} "{self.resource.name}"'
