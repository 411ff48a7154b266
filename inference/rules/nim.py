"""NVIDIA NIM: two credentials, a cache that must be writable, and profiles that are downloaded at start.

A NIM image is pulled with one secret (user ``$oauthtoken``) and downloads its model with another (``NGC_API_KEY``),
both from NGC. The model, tens of gigabytes, goes to NIM_CACHE_PATH. Not mounted, that is the container's own layer: the
download starts again at each restart, until the kubelet evicts the pod for its size. Mounted but not writable for the
user of the image, the start fails after the image pull has been paid for.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any

from inference.facts.nim import API_KEY_ENV, CACHE_PATH, REGISTRY, REGISTRY_USER
from inference.rules.framework import About, Severity, rule
from inference.rules.views.openness import SecretObject
from inference.rules.views.pods import PodTemplate
from inference.rules.views.secrets import keys_of, missing
from inference.rules.views.servers import ModelServer
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

_DEPLOY = "https://github.com/NVIDIA/nim-deploy"
_CACHE_VARIABLE = "NIM_CACHE_PATH"
_OTHER_SOURCES = ("NIM_MODEL_PATH", "NIM_MODEL_NAME", "NIM_REPOSITORY_OVERRIDE", "NIM_FT_MODEL")
"""Variables that let NIM take its model from elsewhere than NGC."""


@rule(
    "nim-api-key-from-secret",
    title="A NIM gets NGC_API_KEY from a Secret",
    breaks="The image is pulled, and the start ends with 'NGC_API_KEY is not set' or an authentication error: the pod "
    "crash-loops on a paid GPU node.",
    fix="Add env NGC_API_KEY with valueFrom.secretKeyRef.",
    source=_DEPLOY,
    severity=Severity.HIGH,
    covers=("NIM-001",),
)
def api_key_from_secret(stack: Stack) -> Iterator[About]:
    for server in stack.each(ModelServer):
        container = server.container
        registry = (container.image or "").startswith(f"{REGISTRY}/nim/")
        if server.engine != "nim" or not registry or not container.props.known("env"):
            continue
        entries = container.props.sections("env")
        names = {entry.text("name") for entry in entries}
        unknown = len(entries) != (container.props.size("env") or 0) or None in names
        if unknown or API_KEY_ENV in names or names & set(_OTHER_SOURCES) or _from_whole_secret(stack, server):
            continue
        yield About(
            server.pod.object.resource,
            f"{server} runs {container.image} without {API_KEY_ENV}; it may not download its model and ends at start. "
            f"Add env {API_KEY_ENV} with valueFrom.secretKeyRef.",
        )


def _from_whole_secret(stack: Stack, server: ModelServer) -> bool:
    """Whether envFrom brings the key, or may."""
    if not server.container.props.known("envFrom"):
        return True
    for entry in server.container.props.sections("envFrom"):
        kind, field = ("Secret", "secretRef") if entry.section("secretRef") else ("ConfigMap", "configMapRef")
        found = stack.object(kind, "", entry.text(field, "name"), server.pod.namespace)
        keys = keys_of(found) if found is not None else None
        prefix = entry.text("prefix") or ""
        if keys is None or any(prefix + key == API_KEY_ENV for key in keys):
            return True
    return False


@rule(
    "nim-pull-secret-user",
    title="The pull secret of nvcr.io logs in as $oauthtoken",
    breaks="401 Unauthorized from nvcr.io with a key that is right: NGC keys belong to the user $oauthtoken, and "
    "shells "
    "make an empty string of it where it is not quoted.",
    fix="Set the username to $oauthtoken, literally, and the NGC key as the password.",
    source="https://docs.nvidia.com/ngc/gpu-cloud/ngc-user-guide/index.html",
    severity=Severity.HIGH,
    covers=("NIM-001",),
    on=SecretObject,
)
def pull_secret_user(secret: SecretObject) -> Iterator[str]:
    props = secret.object.props
    text = props.text("stringData", ".dockerconfigjson") or _decoded(props.text("data", ".dockerconfigjson"))
    for registry, login in _logins(text).items():
        if registry.removeprefix("https://").partition("/")[0] != REGISTRY:
            continue
        user = login.text("username")
        if user is None and (pair := _decoded(login.text("auth"))):
            user = pair.partition(":")[0]
        if user is not None and user != REGISTRY_USER:
            yield (
                f'{secret} logs in to {REGISTRY} as "{user}"; NGC keys belong to {REGISTRY_USER}. '
                f"Set username: {REGISTRY_USER}."
            )


def _decoded(text: str | None) -> str | None:
    try:
        return base64.b64decode(text or "", validate=True).decode() or None
    except (binascii.Error, ValueError):
        return None


def _logins(text: str | None) -> dict[str, Props]:
    try:
        found: Any = json.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    auths = Props(found).section("auths")
    return {registry: auths.section(registry) for registry in auths}


@rule(
    "nim-operator-secrets-exist",
    title="The Secrets that a NIMService or NIMCache names are in its namespace",
    breaks="The operator makes pods that name the Secrets: CreateContainerConfigError for authSecret, ImagePullBackOff "
    "for a pull secret.",
    fix="Declare both Secrets in the namespace of the service: the key NGC_API_KEY in authSecret, a "
    "kubernetes.io/dockerconfigjson for nvcr.io in pullSecrets.",
    source="https://docs.nvidia.com/nim-operator/latest/service.html",
    severity=Severity.HIGH,
    covers=("NIM-001", "VLLM-020"),
)
def operator_secrets_exist(stack: Stack) -> Iterator[About]:
    for kind in ("NIMService", "NIMCache"):
        for thing in stack.objects(kind, "apps.nvidia.com"):
            for name, where in _operator_secrets(thing.spec) if thing.placed else ():
                if why := missing(stack, "Secret", name, thing.namespace):
                    yield About(
                        thing.resource,
                        f'{thing} names the Secret "{name}" in {where}, which is not in namespace {thing.namespace}: '
                        f"{why}. Its pods do not start. Declare it there, or correct the name.",
                    )


def _operator_secrets(spec: Props) -> Iterator[tuple[str, str]]:
    source = spec.section("source", "ngc")
    for value, where in (
        (spec.text("authSecret"), "authSecret"),
        (source.text("authSecret"), "source.ngc.authSecret"),
        (source.text("pullSecret"), "source.ngc.pullSecret"),
        *((name, "image.pullSecrets") for name in spec.texts("image", "pullSecrets")),
    ):
        if value:
            yield value, where


@rule(
    "nim-cache-on-volume",
    title="The cache of a NIM is on a volume that it may write to",
    breaks="'Permission denied' at the first download; or the model goes to the container's own layer, is downloaded "
    "again at each restart, and gets the pod evicted for its ephemeral storage.",
    fix="Mount a volume at NIM_CACHE_PATH (default /opt/nim/.cache), and set securityContext.fsGroup: 1000 on the pod "
    "where it is a claim.",
    source="https://github.com/NVIDIA/nim-deploy/issues/109",
    severity=Severity.HIGH,
    covers=("NIM-002",),
    on=ModelServer,
)
def cache_on_volume(server: ModelServer) -> Iterator[str]:
    container = server.container
    if server.engine != "nim" or not server.pod.spec.known("volumes") or not container.props.known("volumeMounts"):
        return
    if container in server.pod.models:  # KServe mounts storageUri, and the runtime says where the cache is.
        return
    entries = [entry for entry in container.props.sections("env") if entry.text("name") == _CACHE_VARIABLE]
    path = entries[-1].text("value") if entries else CACHE_PATH
    mounts = container.props.sections("volumeMounts")
    if path is None or any(mount.text("mountPath") is None for mount in mounts) or not container.props.known("env"):
        return
    covering = [mount for mount in mounts if _covers(mount.text("mountPath") or "", path)]
    if not covering:
        yield (
            f"{server} keeps its cache in {path}, which is on no volume; the model is downloaded again at each start, "
            "until the pod is evicted for its size. Mount a volume there."
        )
        return
    mount = max(covering, key=lambda found: len(found.text("mountPath") or ""))
    if mount.flag("readOnly") is True:
        yield f"{server} keeps its cache in {path}, which is mounted read-only. Remove readOnly."
    elif _is_claim(server.pod, mount.text("name")) and _not_writable(server):
        yield (
            f"{server} keeps its cache in {path} on a claim, and the pod has no fsGroup; the volume belongs to root "
            "and the image's user may not write. Set securityContext.fsGroup: 1000 on the pod."
        )


def _covers(mount: str, path: str) -> bool:
    return path == mount or path.startswith(mount.rstrip("/") + "/")


def _is_claim(pod: PodTemplate, name: str | None) -> bool:
    templates = pod.object.spec.sections("volumeClaimTemplates")
    if any(template.text("metadata", "name") == name for template in templates):
        return True
    volumes = [volume for volume in pod.spec.sections("volumes") if volume.text("name") == name]
    return any(volume.section("persistentVolumeClaim") or volume.section("ephemeral") for volume in volumes)


def _not_writable(server: ModelServer) -> bool:
    pod, own = server.pod.spec.section("securityContext"), server.container.props.section("securityContext")
    settled = server.pod.spec.known("securityContext") and server.container.props.known("securityContext")
    root = (own.integer("runAsUser") if not own.absent("runAsUser") else pod.integer("runAsUser")) == 0
    return settled and pod.absent("fsGroup") and not root and not server.pod.init_containers
