"""What a vLLM container finds around itself: the driver's libraries, a driver new enough, directories it may write.

On GKE the driver is not in the image. The device plugin mounts it at /usr/local/nvidia, and the loader, Triton and
the image's own CUDA compatibility libraries have to agree on it. None of this is checked before the first CUDA call.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from inference.facts import gke, vllm
from inference.facts.versions import GkeVersion
from inference.rules.framework import About, Level, Severity, rule
from inference.rules.views.engines import image_name
from inference.rules.views.fleet import Site, Sites
from inference.rules.views.pods import Container
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import NEWEST, completed_elsewhere, sites_of, upstream, version_of
from inference.rules.views.shell import Word
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

_COMPAT_ISSUE = "https://github.com/vllm-project/vllm/issues/23935"
_LIBCUDA_ISSUE = "https://github.com/llm-d/llm-d/issues/1063"

_PATH_NEEDED_SINCE, _PATH_IN_IMAGE_SINCE = (0, 9), (0, 11, 1)
"""Images from 0.9 on lost the driver's directory (CUDA 12.8 base); later ones have it again (vLLM pull 25766)."""


# ------------------------------------------------------------------ libraries


def _variable(server: ModelServer, name: str) -> Word | None:
    """Return a variable as the server sees it; unknown where it may come from somewhere that is not shown."""
    script, props = server.script, server.container.props
    found = script.assignments.get(name) or server.environment.get(name) or script.environment.get(name)
    if found is not None:
        return found
    hidden = not (server.container.variables_known and props.known("envFrom") and script.complete)
    # Paths come from maps of settings; a Secret that is read as a whole holds tokens.
    hidden = hidden or any(not source.absent("configMapRef") for source in props.sections("envFrom"))
    return Word("", known=False) if hidden else None


def _on_gpus(server: ModelServer) -> bool:
    return server.engine == "vllm" and bool(server.container.requested(gke.GPU_RESOURCE))


@rule(
    "vllm-driver-precedes-compat",
    title="The loader finds GKE's driver before the CUDA compatibility library of the image",
    breaks="'Error 803: system has unsupported display driver / cuda driver combination', or 'No platform detected': "
    "the image's /usr/local/cuda/compat is found first, or the driver not at all. Images 0.9 to 0.11 do not name the "
    "driver's directory themselves.",
    fix="Set LD_LIBRARY_PATH to /usr/local/nvidia/lib64:/usr/local/cuda/lib64.",
    source=_COMPAT_ISSUE,
    severity=Severity.HIGH,
    covers=("VLLM-017",),
    on=ModelServer,
)
def driver_precedes_compat(server: ModelServer) -> Iterator[str]:
    if not _on_gpus(server):
        return
    path, version = _variable(server, "LD_LIBRARY_PATH"), version_of(server)
    if path is not None and path.known:
        parts = path.split(":")
        compat = next((i for i, part in enumerate(parts) if part.rstrip("/").endswith("/compat")), None)
        driver = next((i for i, part in enumerate(parts) if part.startswith(gke.CONTAINER_NVIDIA)), len(parts))
        if compat is not None and compat < driver:
            yield (
                f"{server} has {parts[compat]} before the driver in LD_LIBRARY_PATH; the loader takes the image's "
                f"libcuda and ends with error 803. Put {gke.DRIVER_LIBRARY_PATH} first."
            )
    elif path is None and version is not None and _PATH_NEEDED_SINCE <= version < _PATH_IN_IMAGE_SINCE:
        yield from _unstated(server, "an image of this version does not look there by itself, and ends with error 803")


def _unstated(server: ModelServer, why: str) -> Iterator[str]:
    if not server.script.mentions(gke.CONTAINER_NVIDIA):
        yield (
            f"{server} does not set LD_LIBRARY_PATH to the driver's directory {gke.DRIVER_LIBRARY_PATH}; {why}. Set "
            f"LD_LIBRARY_PATH={gke.DRIVER_LIBRARY_PATH}:/usr/local/cuda/lib64."
        )


@rule(
    "vllm-driver-path-stated",
    title="The path of the driver is stated and not left to the image",
    breaks="It works as long as the image names the directory. Since 0.15 the image also lists its compatibility "
    "library for the loader; where its variable is missing, that library wins on drivers from R580: error 803.",
    fix="Set LD_LIBRARY_PATH to /usr/local/nvidia/lib64:/usr/local/cuda/lib64.",
    source="https://github.com/gpustack/gpustack/issues/4678",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    covers=("VLLM-017",),
    on=ModelServer,
)
def driver_path_stated(server: ModelServer) -> Iterator[str]:
    version = version_of(server)
    if not _on_gpus(server) or version is None or version < _PATH_IN_IMAGE_SINCE:
        return
    if upstream(server) and _variable(server, "LD_LIBRARY_PATH") is None:
        yield from _unstated(server, "only a variable of the image says so, and images have lost it before")


_LLM_D = re.compile(r"llm-d(?:-(?:cuda|gke|dev|aws|gb200))*")


@rule(
    "vllm-linker-finds-driver",
    title="The compiler inside an llm-d image finds libcuda",
    breaks="'/usr/bin/ld: cannot find -l:libcuda.so.1' and an InductorError: kernels are compiled at the start, and "
    "the linker does not look where GKE mounts the driver. All GPUs of the group restart for ever.",
    fix="Set TRITON_LIBCUDA_PATH=/usr/local/nvidia/lib64, or LIBRARY_PATH with that directory.",
    source=_LIBCUDA_ISSUE,
    severity=Severity.HIGH,
    covers=("VLLM-028",),
    on=ModelServer,
)
def linker_finds_driver(server: ModelServer) -> Iterator[str]:
    name = image_name(server.container.image).rpartition("/")[2]
    if not _on_gpus(server) or not _LLM_D.fullmatch(name):
        return
    paths = [_variable(server, variable) for variable in ("TRITON_LIBCUDA_PATH", "LIBRARY_PATH")]
    if not any(path is not None and (not path.known or gke.CONTAINER_NVIDIA in path) for path in paths):
        yield (
            f"{server} runs {name} without TRITON_LIBCUDA_PATH or LIBRARY_PATH for {gke.DRIVER_LIBRARY_PATH}; on GKE "
            f"the linker does not find libcuda.so.1 there. Set TRITON_LIBCUDA_PATH={gke.DRIVER_LIBRARY_PATH}."
        )


# ------------------------------------------------------------------ driver

_CUDA_12_8_SINCE, _CUDA_13_SINCE = (0, 9), (0, 32)
_OLD_GKE = GkeVersion(1, 33)
"""Before this minor the default driver is of R535 or R550."""


def _cuda(server: ModelServer) -> str | None:
    """Return what the image's CUDA is, where a default driver may be too old for it."""
    version = version_of(server)
    tag = (server.container.image or "").partition("@")[0].rpartition(":")[2]
    if version is None or not upstream(server) or version < _CUDA_12_8_SINCE:
        return None
    compatibility = _variable(server, vllm.CUDA_COMPATIBILITY_ENV)
    if compatibility is not None and (not compatibility.known or compatibility.lower() in ("1", "true")):
        return None
    return "12.8" if "cu12" in tag or version < _CUDA_13_SINCE else vllm.RUNTIME.cuda


def _old_minor(site: Site) -> bool:
    text = site.pool.props.text("version") or (site.cluster.version if site.cluster is not None else None)
    try:
        return text is not None and GkeVersion.parse(text).at_least(_OLD_GKE) is False
    except ValueError:
        return False


def _default_driver(site: Site) -> bool:
    """Whether GKE installs its default driver on the nodes of a pool."""
    machine = site.pool.machine_type or ""
    if (
        site.accelerator != gke.GPU_RESOURCE
        or machine.startswith("a4x")
        or not site.pool.config.known("guestAccelerators")
    ):
        return False
    accelerators = site.pool.config.sections("guestAccelerators")
    wanted = [_driver(accelerator) for accelerator in accelerators] or ["DEFAULT"]
    return all(version in ("DEFAULT", "GPU_DRIVER_VERSION_UNSPECIFIED") for version in wanted)


def _driver(accelerator: Props) -> str | None:
    place = ("gpuDriverInstallationConfig", "gpuDriverVersion")
    return "DEFAULT" if accelerator.absent(*place) else accelerator.text(*place)


def _with_default_driver(sites: Sites) -> tuple[Site, ...]:
    """Return one pool of those with GKE's default driver for each answer to what that means."""
    return tuple({_old_minor(site): site for site in reversed(sites) if _default_driver(site)}.values())


@rule(
    "vllm-driver-runs-cuda",
    title="The driver of the node pool is new enough for the image's CUDA",
    breaks="'CUDA driver version is insufficient for CUDA runtime version' at the start of every server: CUDA 13 needs "
    "R580, CUDA 12.8 R570, and GKE's default driver may be R535 or R550.",
    fix="Set gpuDriverInstallationConfig.gpuDriverVersion to LATEST; or use the -cu129 image, or "
    "VLLM_ENABLE_CUDA_COMPATIBILITY=1.",
    source="https://github.com/vllm-project/vllm/issues/21979",
    severity=Severity.HIGH,
    covers=("VLLM-018",),
)
def driver_runs_cuda(stack: Stack) -> Iterator[About]:
    for server in stack.each(ModelServer):
        cuda = _cuda(server) if _on_gpus(server) else None
        if cuda is None:
            continue
        for site in sites_of(stack, server.pod).told(_with_default_driver):
            if cuda == vllm.RUNTIME.cuda or _old_minor(site):
                needs = vllm.RUNTIME.driver_min if cuda == vllm.RUNTIME.cuda else 570
                image = "an image whose tag moves" if version_of(server) == NEWEST else "its image"
                yield About(
                    server.pod.object.resource,
                    f"{server} runs {image} on CUDA {cuda}, which needs driver R{needs}, and the node pool {site} has "
                    "GKE's default driver, which may be older; the server ends at the first CUDA call. Set "
                    "gpuDriverVersion: LATEST on the pool.",
                )
                break


# ------------------------------------------------------------------ directories


@dataclass(frozen=True, slots=True)
class _Place:
    """What lies at a path of a container."""

    container: Container
    user: int | None
    read_only_root: bool

    def writable(self, path: str) -> bool | None:
        """Whether the server may write there; ``None`` where that is not known."""
        mounts = [
            ((mount.text("mountPath") or "").rstrip("/") or "/", mount)
            for mount in self.container.props.sections("volumeMounts")
        ]
        over = [(at, mount) for at, mount in mounts if path == at or path.startswith(at.rstrip("/") + "/")]
        if over:
            return self._mounted(max(over, key=lambda found: len(found[0]))[1])
        if self.read_only_root:
            return False
        if not self.user:
            return True
        return path.startswith(("/tmp", "/var/tmp", "/dev/shm"))  # noqa: S108 - of the container

    def _mounted(self, mount: Props) -> bool | None:
        if mount.flag("readOnly"):
            return False
        spec = self.container.pod.spec
        volume = next((v for v in spec.sections("volumes") if v.text("name") == mount.text("name")), Props({}))
        if not volume.absent("emptyDir"):
            return True
        if not volume.absent("persistentVolumeClaim") and self.user:
            return not spec.absent("securityContext", "fsGroup")
        return None


_NO_NUMBER = -1
"""A user that is not root and that the image names."""


def _user(container: Container) -> int | None:
    """Return the user of the container: 0 where nothing is said."""
    for context in (container.props.section("securityContext"), container.pod.spec.section("securityContext")):
        if not context.known("runAsUser"):
            return None
        if (number := context.integer("runAsUser")) is not None:
            return number
    return _NO_NUMBER if _non_root(container) else 0


def _non_root(container: Container) -> bool:
    own = container.props.section("securityContext").flag("runAsNonRoot")
    return (container.pod.spec.flag("securityContext", "runAsNonRoot") if own is None else own) is True


_PREPARED_USER = 2000
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


def _directories(server: ModelServer, user: int) -> Iterator[tuple[str, str]]:
    """Yield the directories that a server writes, each with the variable that moves it."""
    places = {name: _variable(server, name) for name in ("HOME", "HF_HOME", "HF_HUB_CACHE", "VLLM_CACHE_ROOT")}
    if any(place is not None and not place.known for place in places.values()):
        return
    home = str(places["HOME"] or ("/root" if not user else "")).rstrip("/")
    hub = places["HF_HUB_CACHE"] or places["HF_HOME"] or f"{home}/.cache/huggingface"
    local = (server.model or "/").startswith(("/", ".", "gs://", "s3://")) or any(map(server.environment.get, _OFFLINE))
    if not local:
        yield "HF_HOME", str(hub)
    elif places["HF_HOME"] is None:
        yield "VLLM_CACHE_ROOT", str(places["VLLM_CACHE_ROOT"] or f"{home}/.cache/vllm")


@rule(
    "vllm-caches-are-writable",
    title="A server that is not root, or whose root file system is read-only, has somewhere to write",
    breaks="'PermissionError: /.cache' or 'Read-only file system' when weights are downloaded or kernels compiled, "
    "minutes after the start; the pod restarts for ever.",
    fix="Mount an emptyDir at /tmp and at HF_HOME (or HOME), set the variable, and set fsGroup where a claim is "
    "mounted.",
    source="https://github.com/NVIDIA/nim-deploy/issues/109",
    severity=Severity.HIGH,
    covers=("VLLM-024",),
    on=ModelServer,
)
def caches_are_writable(server: ModelServer) -> Iterator[str]:
    container, pod = server.container, server.pod
    if server.engine != "vllm" or completed_elsewhere(pod) or not container.props.known("volumeMounts"):
        return
    read_only = container.props.flag("securityContext", "readOnlyRootFilesystem") is True
    user = _user(container)
    if user is None or (user in (0, _PREPARED_USER) and not read_only):
        return
    if user == _NO_NUMBER and upstream(server):
        yield (
            f"{server} has runAsNonRoot without a user, and the image runs as root; the kubelet refuses to start it. "
            f"Set runAsUser: {_PREPARED_USER}, which the image prepares, or another number, and runAsGroup: 0."
        )
    if user == _NO_NUMBER:
        return
    place = _Place(container, user if user != _PREPARED_USER else 0, read_only)
    how = "its root file system is read-only" if read_only else f"it runs as user {user}, not as root"
    for variable, path in _directories(server, user):
        if place.writable(path) is False:
            yield (
                f"{server} writes to {path}, and may not: {how}, and no writable volume is mounted there (a claim "
                f"needs fsGroup). Mount an emptyDir, for example at /cache, and set {variable}=/cache."
            )
    if read_only and place.writable("/tmp") is False:  # noqa: S108 - of the container
        yield f"{server} has a read-only root file system and nothing mounted at /tmp. Mount an emptyDir there."


_BUILT_FOR = {"vllm-openai": "nvidia.com/gpu", "vllm-tpu": "google.com/tpu"}
"""vLLM's own images, by what they compute on."""


@rule(
    "vllm-image-fits-accelerator",
    title="The image of vLLM is the one for the accelerator of its pod",
    breaks="'Failed to infer device type': the image brings the libraries of one kind of accelerator only, and the "
    "server ends on a node of another.",
    fix="Use vllm/vllm-openai on NVIDIA GPUs, vllm/vllm-tpu on TPUs.",
    source="https://docs.vllm.ai/en/latest/getting_started/installation/",
    severity=Severity.HIGH,
    on=ModelServer,
)
def image_fits_accelerator(server: ModelServer) -> Iterator[str]:
    meant = _BUILT_FOR.get(image_name(server.container.image).rpartition("/")[2])
    for accelerator in _BUILT_FOR.values() if meant else ():
        if accelerator != meant and server.container.requested(accelerator):
            image = next(name for name, built in _BUILT_FOR.items() if built == accelerator)
            yield (
                f"{server} runs {server.container.image}, which is built for {meant}, and asks for {accelerator}; it "
                f"finds no device and ends. Use vllm/{image}."
            )
