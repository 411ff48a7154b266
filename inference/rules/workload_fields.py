"""What an API server refuses in a workload, or a kubelet cannot do: selectors, sizes and image names that do not fit.

Server-side apply tells at once for built-in kinds. Kinds that carry a pod template without looking at it (a
LeaderWorkerSet, an LLMInferenceService) are accepted, and an event of a pod that is never made tells the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from inference.rules.framework import Severity, rule
from inference.rules.views.images import ImageUse
from inference.rules.views.pods import Container, PodTemplate
from inference.rules.views.selecting import matches
from inference.rules.views.values import quantity

_SELECTING = frozenset({("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet"), ("apps", "ReplicaSet")})
_LEAST_MEMORY = 2**20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_TEMPLATED = re.compile(r"[$<{ ]")


@rule(
    "workloads-selector-matches-template",
    title="A workload selects the pods that its own template makes",
    breaks="The API server refuses it: '`selector` does not match template `labels`'.",
    fix="Write the same labels under selector.matchLabels and template.metadata.labels.",
    source="https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#selector",
    severity=Severity.HIGH,
    on=PodTemplate,
)
def selector_matches_template(pod: PodTemplate) -> Iterator[str]:
    thing = pod.object
    if (thing.group, thing.kind) not in _SELECTING or thing.resource.type.endswith("Patch"):
        return
    labels, selector = pod.metadata.section("labels"), thing.spec.section("selector")
    settled = pod.metadata.known("labels") and all(labels.known(key) for key in labels)
    if not settled or not thing.spec.known("selector") or not selector.known("matchLabels"):
        return
    if selector and pod.labels and matches(selector, pod.labels) is False:
        wanted = ", ".join(f"{key}: {value}" for key, value in selector.strings("matchLabels").items())
        yield (
            f"{thing} selects {wanted or 'by expressions'}, which its own pod template does not carry, so it is "
            "refused. Use the same labels in both."
        )


@rule(
    "workloads-requests-within-limits",
    title="A container requests no more than its limit, and memory in a unit",
    breaks="'Invalid value: must be less than or equal to memory limit' from the API server; a limit of some bytes, "
    "which is a unit left out, lets the container not even start.",
    fix="Raise the limit to the request, and write memory as 16Gi.",
    source="https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/",
    severity=Severity.HIGH,
    on=Container,
)
def requests_within_limits(container: Container) -> Iterator[str]:
    resources = container.props.section("resources")
    for name in ("cpu", "memory", "ephemeral-storage"):
        request = quantity(resources.raw("requests", name))
        limit = quantity(resources.raw("limits", name))
        if request is not None and limit is not None and request > limit:
            asked, most = resources.raw("requests", name), resources.raw("limits", name)
            yield (
                f"{container} requests {name}: {asked} with a limit of {most}, so the pod is refused. Raise the limit "
                f"to {asked}."
            )
        elif name == "memory" and limit is not None and 0 < limit < _LEAST_MEMORY:
            yield (
                f"{container} has a memory limit of {resources.raw('limits', name)}, which are {limit:g} bytes; the "
                "container does not start. Write a unit, such as Gi."
            )


@rule(
    "supply-image-reference-valid",
    title="An image reference is one that a kubelet can read",
    breaks="InvalidImageName: the pod never starts, on a node that was made for it.",
    fix="Write the name in lower case, and a digest as sha256: with 64 hexadecimal digits.",
    source="https://github.com/distribution/reference/blob/main/reference.go",
    severity=Severity.HIGH,
    on=ImageUse,
)
def image_reference_valid(use: ImageUse) -> Iterator[str]:
    if _TEMPLATED.search(use.reference) or len(use.reference) > 500:
        return
    if use.digest and not _DIGEST.fullmatch(use.digest):
        yield (
            f"{use} runs {use.reference}, whose digest is none: it takes sha256: with 64 hexadecimal digits. "
            "Copy the whole digest."
        )
    path = use.name.partition("/")[2] if "." in use.name.partition("/")[0] else use.name
    # All capitals stand for a name that somebody fills in.
    if any(part not in (part.lower(), part.upper()) for part in path.split("/")):
        yield f"{use} runs {use.reference}; the name of an image is in lower case. Write {path.lower()}."
