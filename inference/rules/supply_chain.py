"""Images: whether the bits that were tested are the bits that run.

A model server scales up when load comes, and pulls its image then. Behind a moving tag that is another image than the
running replicas have: other CUDA, other options, another picker API, on some pods only. A digest cannot move; a version
tag of a project that publishes it once is nearly as good.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from inference.facts.versions import COMPONENTS
from inference.rules.framework import Severity, rule
from inference.rules.views.images import ImageUse

_KUBERNETES = "https://kubernetes.io/docs/concepts/containers/images/"
_MOVING = re.compile(
    r"(?:.*[-_.])?(?:latest|nightly|main|master|dev|develop|edge|head|canary|unstable|snapshot|rolling)", re.IGNORECASE
)
_DIGESTS = {c.artifact: c.digest for c in COMPONENTS.values() if c.kind == "image" and c.digest}


@rule(
    "supply-image-tag-immutable",
    title="An image is named by a version or a digest, not by a tag that moves",
    breaks="At the next pod start another image runs: 'CUDA Error 803', 'unrecognized arguments', a picker that "
    "refuses "
    "its configuration; on new replicas only, so it shows when load comes.",
    fix="Name a version, better with its digest: vllm/vllm-openai:v0.32.0@sha256:….",
    source=_KUBERNETES,
    severity=Severity.MEDIUM,
    covers=("VLLM-016",),
    on=ImageUse,
)
def image_tag_immutable(use: ImageUse) -> Iterator[str]:
    if use.digest.startswith("sha256:") or any(mark in use.reference for mark in "$<{ "):
        return
    if not use.tag:
        yield f"{use} runs {use.reference} without a tag, which means latest. Name a version, or a digest."
    elif _MOVING.fullmatch(use.tag):
        yield (
            f"{use} runs {use.reference}, a tag that moves; the next pod may run another image than this one. "
            "Name a version, or a digest."
        )


@rule(
    "supply-image-digest-agrees",
    title="Where a digest is given, it is that of the version beside it",
    breaks="The digest decides and the tag is a lie: the image that runs is another version than everybody reads.",
    fix="Take the digest that the project publishes for this version.",
    source="https://docs.cloud.google.com/ai-hypercomputer/docs/nccl/release-notes-x86",
    severity=Severity.MEDIUM,
    on=ImageUse,
)
def image_digest_agrees(use: ImageUse) -> Iterator[str]:
    published = _DIGESTS.get(f"{use.name}:{use.tag}")
    if use.tag and use.digest and published and published != use.digest:
        yield (
            f"{use} names {use.name}:{use.tag} with the digest {use.digest[:19]}…, and the published one is "
            f"{published[:19]}…; another image runs than the tag says. Use the published digest."
        )


@dataclass(frozen=True, slots=True)
class Registries:
    """Where images may come from."""

    registries: tuple[str, ...] = ()
    """Beginnings of image names, such as ``europe-docker.pkg.dev/my-project/``; any registry where none is given."""


@rule(
    "supply-image-registry-allowed",
    title="Images come from the registries that the team allows",
    breaks="An image of a registry that nobody mirrors, scans or signs runs with the cluster's rights; when that "
    "registry "
    "is down or limits pulls, nodes that scale up cannot start it.",
    fix="Mirror the image, or add its registry to the policy's parameter registries.",
    source=_KUBERNETES,
    severity=Severity.MEDIUM,
    on=ImageUse,
    parameters=Registries,
)
def image_registry_allowed(use: ImageUse, allowed: Registries) -> Iterator[str]:
    full = use.reference if "." in use.reference.partition("/")[0] else f"docker.io/{use.reference}"
    if allowed.registries and not full.startswith(allowed.registries):
        yield (
            f"{use} runs {use.reference}, which is not from {', '.join(allowed.registries)}. "
            "Mirror it there, or allow its registry."
        )
