"""Container images: references wherever a program writes them, taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from inference.facts.controllers import KSERVE_GROUP
from inference.rules.views.helm import HelmRelease
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.pods import Container
from inference.rules.views.resources import Resource
from inference.rules.views.values import Path, Props

__all__ = ["ImageUse", "authenticated_registry", "registry_of"]

_MORE: dict[tuple[str, str], tuple[tuple[Path, ...], ...]] = {
    (KSERVE_GROUP, "ServingRuntime"): (("spec", "containers"),),
    (KSERVE_GROUP, "ClusterServingRuntime"): (("spec", "containers"),),
    (KSERVE_GROUP, "LLMInferenceService"): (("spec", "router", "scheduler", "template", "containers"),),
    (KSERVE_GROUP, "LLMInferenceServiceConfig"): (
        ("spec", "template", "containers"),
        ("spec", "worker", "containers"),
        ("spec", "router", "scheduler", "template", "containers"),
    ),
}
"""Containers that no pod template view shows."""
_FREE_AT_NVIDIA = ("nvcr.io/nvidia/",)
_DOCKER_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


def registry_of(image: str) -> str:
    """Return the host that an image comes from; Docker Hub where the reference names none."""
    host, slash, _ = image.partition("/")
    named = bool(slash) and ("." in host or ":" in host or host == "localhost")
    return host.lower() if named and host.lower() not in _DOCKER_HUB else "docker.io"


def authenticated_registry(image: str) -> str | None:
    """Return the registry where it lets nobody pull an image anonymously."""
    host = image.partition("/")[0]
    if host == "registry.redhat.io":
        return host
    if host == "nvcr.io" and not image.startswith(_FREE_AT_NVIDIA):
        return host
    return None


@dataclass(frozen=True, eq=False)
class ImageUse:
    """One image that a resource runs."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:",)

    label: str
    """How a sentence names who runs it."""
    reference: str

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the images of containers, of KServe's templates and of chart values."""
        found = [cls(str(c), c.image) for c in resource.view(Container.of) if c.image]
        for thing in resource.view(KubernetesObject.of):
            found.extend(
                cls(f'The container "{container.text("name") or "?"}" of {thing}', image)
                for place in _MORE.get((thing.group, thing.kind), ())
                for container in thing.props.sections(*place)
                if (image := container.text("image"))
            )
        for release in resource.view(HelmRelease.of):
            found.extend(cls(f"{release} (values.{path})", image) for path, image in _of_values(release.values, ""))
        return tuple(found)

    @property
    def digest(self) -> str:
        """``sha256:…``, empty where none is given."""
        return self.reference.partition("@")[2]

    @property
    def name(self) -> str:
        """Registry and repository."""
        return self._parts[0]

    @property
    def tag(self) -> str:
        """Tag, empty where none is given."""
        return self._parts[1]

    @property
    def _parts(self) -> tuple[str, str]:
        plain = self.reference.partition("@")[0]
        name, colon, tag = plain.rpartition(":")
        return (name, tag) if colon and "/" not in tag else (plain, "")

    def __str__(self) -> str:
        return self.label


_PLAIN = re.compile(r"[\w.-]+(?::\d+)?(?:/[\w.-]+)+(?::[\w.-]+)?(?:@sha256:[0-9a-f]+)?")


def _of_values(values: Props, path: str, depth: int = 8) -> Iterator[tuple[str, str]]:
    """Yield the images in chart values: ``image: a/b:tag``, and maps of repository and tag where a tag is given."""
    for key, value in values.items() if depth else ():
        place = f"{path}.{key}" if path else key
        if str(key).lower().endswith("image") and isinstance(value, str) and _PLAIN.fullmatch(value):
            yield place, value
        for index, entry in enumerate(values.sections(key)):
            yield from _of_values(entry, f"{place}[{index}]", depth - 1)
        nested = values.section(key)
        repository, tag = nested.text("repository"), nested.text("tag")
        if repository and tag:
            digest = nested.text("digest") or ""
            yield place, f"{repository}:{tag}" + (f"@{digest}" if digest else "")
        elif nested:
            yield from _of_values(nested, place, depth - 1)
