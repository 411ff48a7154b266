"""Secrets and ConfigMaps by name: whether the object that a pod names is in its namespace, with the key it wants.

Guides disagree on the name (hf-token, huggingface-token, llm-d-hf-token) and on the key (token, HF_TOKEN), and a name
is not looked up before the pod starts: CreateContainerConfigError or ImagePullBackOff, minutes after the accelerator
node came up. Secrets do not cross namespaces: each namespace needs its own copy.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.facts.controllers import KSERVE_GROUP
from inference.rules.framework import About, Severity, rule
from inference.rules.views.images import authenticated_registry
from inference.rules.views.names import pod_references
from inference.rules.views.pods import PodTemplate
from inference.rules.views.secrets import keys_of, missing
from inference.rules.views.stack import Stack

_PULL_TYPES = frozenset({"kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"})


@rule(
    "secret-reference-resolves",
    title="A pod names Secrets and ConfigMaps that exist in its namespace, and keys that are in them",
    breaks="CreateContainerConfigError: 'secret not found' or 'couldn't find key'; the pod hangs on a paid accelerator "
    "node until somebody looks.",
    fix="Use the name and key of the declared object (secret.metadata.name), or declare a copy in the pod's namespace.",
    source="https://kubernetes.io/docs/concepts/configuration/secret/#using-a-secret",
    severity=Severity.HIGH,
    covers=("VLLM-020",),
)
def reference_resolves(stack: Stack) -> Iterator[About]:
    for pod in stack.pods():
        if not pod.object.metadata.known("namespace"):
            continue
        for reference in pod_references(pod):
            found = stack.object(reference.kind, "", reference.name, pod.namespace)
            keys = keys_of(found) if found is not None else None
            if keys is not None and reference.key is not None and reference.key not in keys:
                yield About(
                    pod.object.resource,
                    f'{pod} takes {reference.how} from the key "{reference.key}" of {found}, which has '
                    f"{', '.join(sorted(keys)) or 'no keys'}; the container is not created. Use one of these keys.",
                )
            elif found is None and (why := missing(stack, reference.kind, reference.name, pod.namespace)):
                yield About(
                    pod.object.resource,
                    f'{pod} takes {reference.how} from {reference.kind} "{reference.name}", which is not in namespace '
                    f"{pod.namespace}: {why}. The container is not created. Declare it there, or correct the name.",
                )


@rule(
    "secret-for-image-pull-present",
    title="A pod with an image of an authenticated registry has a pull secret in its namespace",
    breaks="ImagePullBackOff: 401 Unauthorized from nvcr.io or registry.redhat.io, with the accelerator node already "
    "up.",
    fix="Declare a Secret of type kubernetes.io/dockerconfigjson in the pod's namespace, and name it in "
    "imagePullSecrets "
    "of the pod or of its service account.",
    source="https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/",
    severity=Severity.HIGH,
    covers=("KS-012", "NIM-001"),
)
def for_image_pull_present(stack: Stack) -> Iterator[About]:
    for pod in stack.pods():
        images = [container.image for container in pod.all_containers if container.image]
        guarded = next((image for image in images if authenticated_registry(image)), None)
        if guarded is None or not pod.object.metadata.known("namespace"):
            continue
        names = _pull_secrets(stack, pod)
        if names is None:
            continue
        registry = authenticated_registry(guarded)
        if not names:
            yield About(
                pod.object.resource,
                f"{pod} pulls {guarded} without imagePullSecrets; {registry} refuses anonymous pulls. Declare a Secret "
                f"of type kubernetes.io/dockerconfigjson in namespace {pod.namespace} and name it in imagePullSecrets.",
            )
        for problem in (problem for name in names for problem in _unfit(stack, pod, name)):
            yield About(pod.object.resource, f"{pod} pulls {guarded} with {problem}")


def _pull_secrets(stack: Stack, pod: PodTemplate) -> tuple[str, ...] | None:
    """Return the names of the pull secrets of a pod or of its service account; ``None`` where they are not known."""
    entries = pod.spec.sections("imagePullSecrets")
    names = tuple(name for entry in entries if (name := entry.text("name")))
    if not pod.spec.known("imagePullSecrets") or len(names) != len(entries):
        return None
    if names:
        return names
    given = pod.spec.text("serviceAccountName")
    if not pod.spec.known("serviceAccountName") or pod.object.group == KSERVE_GROUP:
        return None
    account = stack.object("ServiceAccount", "", given or "default", pod.namespace)
    if account is None:
        return None if given and given != "default" else ()
    if not account.props.known("imagePullSecrets"):
        return None
    return tuple(name for entry in account.props.sections("imagePullSecrets") if (name := entry.text("name")))


def _unfit(stack: Stack, pod: PodTemplate, name: str) -> Iterator[str]:
    found = stack.object("Secret", "", name, pod.namespace)
    kind = found.props.text("type") if found is not None else None
    untyped = found is not None and found.props.absent("type")
    if (kind is not None and kind not in _PULL_TYPES) or untyped:
        yield (
            f'the Secret "{name}" of type {kind or "Opaque"}, which the kubelet does not take for a pull secret. '
            "Set type: kubernetes.io/dockerconfigjson, with the key .dockerconfigjson."
        )
    elif found is None and (why := missing(stack, "Secret", name, pod.namespace)):
        yield (
            f'the pull secret "{name}", which is not in namespace {pod.namespace}: {why}. The image is not pulled. '
            "Declare the Secret in that namespace too."
        )
