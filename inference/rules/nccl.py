"""NCCL inside the container: the script, variables and memory without which GPUs do not find each other.

GKE puts the NCCL plugin on the node and mounts it; nothing in the image knows of it. A script sets some twenty
variables, and it works only in the shell that then becomes the server. What is wrong here seldom stops a pod: the log
says "Using network Socket", and a model over several nodes is ten times slower than it should be.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.facts.controllers import KSERVE_GROUP
from inference.facts.gke import (
    ACCELERATOR_LABEL,
    CONTAINER_GIB,
    GPU_RESOURCE,
    NCCL_ENV_SCRIPT,
)
from inference.facts.machines import MACHINES
from inference.facts.nccl import NCCL_SCRIPTS, SCRIPT_ENV, TUNER_FILES
from inference.rules.framework import Level, Severity, rule
from inference.rules.views.engines import image_name
from inference.rules.views.placement import Placement
from inference.rules.views.pods import Container
from inference.rules.views.rdma import NetworkedPod, over_several_nodes
from inference.rules.views.resources import Resource
from inference.rules.views.servers import ModelServer
from inference.rules.views.serving import variables_in_force
from inference.rules.views.shell import Script
from inference.rules.views.values import UNKNOWN, quantity

_GKE_RDMA = "https://docs.cloud.google.com/ai-hypercomputer/docs/create/gke-ai-hypercompute-custom"
_GKE_GPUS = "https://cloud.google.com/kubernetes-engine/docs/how-to/gpus"
_NCCL_ENV = "https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/env.html"
_VLLM_PARALLEL = "https://docs.vllm.ai/en/latest/serving/parallelism_scaling.html"
_FROM_SCRATCH = "https://github.com/maci0/gke-inference-from-scratch/commit"

_ARCH_OF = {m.accelerator: m.arch for m in MACHINES.values() if m.accelerator}
_COPIERS = frozenset({"cp", "ln", "install", "mv", "chmod", "chown", "ls", "stat", "echo", "printf", "test", "[", "[["})
_PUBLIC_SERVERS = frozenset({"vllm/vllm-openai", "lmsysorg/sglang"})
"""Images of model servers that carry no plugin of a cloud."""


def _placement(resource: Resource, container: Container) -> Placement | None:
    return next((p for p in resource.view(Placement.of) if p.pod is container.pod), None)


def _runs(container: Container) -> bool:
    """Whether the container runs beside or as the server, rather than before it."""
    return not container.init or container.sidecar


# ------------------------------------------------------------------ the script that sets NCCL's variables


@rule(
    "nccl-script-sourced",
    title="The script that sets NCCL's variables is sourced in the shell that starts the server",
    breaks="Printed, executed or sourced in another shell, the script changes nothing for the server: its text is in "
    "the log, the variables are unset, and NCCL uses sockets or untuned settings.",
    fix="Write: source /usr/local/gib/scripts/set_nccl_env.sh && exec vllm serve …, in one shell.",
    source=f"{_FROM_SCRATCH}/4df4dfa",
    severity=Severity.HIGH,
    covers=("RDMA-008",),
    on=Container,
)
def script_is_sourced(container: Container) -> Iterator[str]:
    script = Script.of(container)
    for name in NCCL_SCRIPTS:
        if not _runs(container) or not script.mentions(name):
            continue
        if not script.sources(name):
            found = {c.program for c in script.commands if any(name in argument for argument in c.argv)}
            if users := sorted(found - _COPIERS):
                yield (
                    f"{container} hands {name} to {', '.join(users)} and does not source it; its variables do not "
                    "reach the server, and NCCL falls back to sockets or untuned settings. "
                    f"Write: source …/{name} && exec vllm serve …"
                )
            continue
        for server in container.pod.object.resource.view(ModelServer.of):
            if server.container is container and server.command and not script.sources(name, before=server.command):
                yield (
                    f"{container} sources {name} in another shell than its server, or after it has started; the "
                    "variables do not reach it. Source the script before the server, in the same shell."
                )


@rule(
    "nccl-plugin-mounted",
    title="A container that uses gIB mounts it",
    breaks="The script or library is not there: the shell ends with 'No such file or directory', or NCCL runs without "
    "the plugin.",
    fix="Mount the hostPath /home/kubernetes/bin/gib, or the volume of a gIB init container, at /usr/local/gib.",
    source=_GKE_RDMA,
    severity=Severity.HIGH,
    covers=("RDMA-008",),
    on=Container,
)
def plugin_is_mounted(container: Container) -> Iterator[str]:
    if not _runs(container) or not Script.of(container).mentions(CONTAINER_GIB + "/"):
        return
    mounts = container.props.sections("volumeMounts")
    places = [place.rstrip("/") for mount in mounts if (place := mount.text("mountPath"))]
    settled = container.props.known("volumeMounts") and len(places) == (container.props.size("volumeMounts") or 0)
    public = image_name(container.image).removeprefix("docker.io/").removeprefix("index.docker.io/") in _PUBLIC_SERVERS
    if settled and public and not any(f"{NCCL_ENV_SCRIPT}/".startswith(f"{place}/") for place in places):
        yield (
            f"{container} uses {CONTAINER_GIB}, which its image does not have and nothing mounts; the file is missing, "
            "and the container ends or NCCL falls back to sockets. Mount the hostPath /home/kubernetes/bin/gib there."
        )


# ------------------------------------------------------------------ variables

_FALSE = frozenset({"", "0", "false", "no", "off"})
_OTHER_NETS = frozenset({"socket", "fastrak", "fastsocket", "gpudirecttcpx", "gpudirecttcpx_v7"})


@rule(
    "nccl-env-keeps-fabric",
    title="A model over several RDMA nodes does not switch the fabric off",
    breaks="NCCL is told to use sockets: the nodes exchange every layer by TCP over the host's NIC, and the eight RDMA "
    "NICs that the pod holds idle.",
    fix="Remove NCCL_IB_DISABLE and NCCL_NET, and source set_nccl_env.sh.",
    source=_NCCL_ENV,
    severity=Severity.HIGH,
    on=NetworkedPod,
)
def env_keeps_fabric(pod: NetworkedPod) -> Iterator[str]:
    if not pod.rdma or not over_several_nodes(pod.pod):
        return
    for container in pod.accelerated:
        variables = variables_in_force(container)
        disabled = variables.get("NCCL_IB_DISABLE")
        if disabled is not None and disabled.lower() not in _FALSE:
            yield (
                f"{container} sets NCCL_IB_DISABLE={disabled} on RDMA nodes; NCCL uses TCP, and the RDMA NICs idle. "
                "Remove the variable."
            )
        net = variables.get("NCCL_NET")
        if net is not None and net.lower() in _OTHER_NETS:
            yield (
                f"{container} sets NCCL_NET={net} on RDMA nodes; NCCL uses that instead of gIB, and the RDMA NICs "
                f"idle. Remove the variable, or set {SCRIPT_ENV['NCCL_NET']}."
            )


@rule(
    "nccl-env-not-hard-coded",
    title="NCCL's settings come from the script of the plugin, not from values copied into the manifest",
    breaks="The values belong to a version of the plugin and a family of machines. Copied ones are overwritten by the "
    "script, or slow the fabric down, or make the plugin's own check end the process after an upgrade.",
    fix="Remove the variables, and source set_nccl_env.sh before the server.",
    source="https://github.com/GoogleCloudPlatform/cluster-toolkit/tree/main/examples/gke-a3-ultragpu",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    on=NetworkedPod,
)
def env_is_not_hard_coded(pod: NetworkedPod) -> Iterator[str]:
    for container in pod.accelerated if pod.rdma else ():
        env = variables_in_force(container)
        other = sorted(n for n, value in SCRIPT_ENV.items() if n != "NCCL_NET" and env.get(n, value) != value)
        if other:
            said = ", ".join(f"{name}={env[name]}" for name in other)
            yield (
                f"{container} sets {said}, where the plugin's own script sets "
                f"{', '.join(f'{name}={SCRIPT_ENV[name]}' for name in other)}; bandwidth is lost, or the plugin "
                "refuses the mismatch. Remove the variables and source set_nccl_env.sh."
            )


@rule(
    "nccl-tuner-file",
    title="The tuner file is the one for the GPUs of the node",
    breaks="NCCL chooses algorithms and chunk sizes for other machines: collectives are slower, without a message.",
    fix="Leave NCCL_TUNER_CONFIG_PATH to set_nccl_env.sh, or name the file of the machine.",
    source=_GKE_RDMA,
    severity=Severity.MEDIUM,
    on=Placement,
)
def tuner_file_fits(placement: Placement) -> Iterator[str]:
    accelerator = placement.asks(ACCELERATOR_LABEL)
    for container in placement.pod.containers:
        path = variables_in_force(container).get("NCCL_TUNER_CONFIG_PATH", "")
        meant = TUNER_FILES.get(path.rpartition("/")[2])
        if meant and accelerator and accelerator in _ARCH_OF and meant != accelerator:
            yield (
                f"{container} names {path.rpartition('/')[2]}, the tuner file of {meant}, and runs on {accelerator}; "
                "NCCL is tuned for other machines. Remove NCCL_TUNER_CONFIG_PATH and source set_nccl_env.sh."
            )


@rule(
    "nccl-socket-interface",
    title="The interface that NCCL and Gloo are told to use is one that the pod has",
    breaks="NCCL ends with 'Bootstrap : no socket interface found', Gloo with 'Unable to find address for interface': "
    "the group never forms.",
    fix="Set NCCL_SOCKET_IFNAME and GLOO_SOCKET_IFNAME to eth0, or leave them out.",
    source=_NCCL_ENV,
    severity=Severity.HIGH,
    on=NetworkedPod,
)
def socket_interface_exists(pod: NetworkedPod) -> Iterator[str]:
    own = pod.pod.spec.absent("hostNetwork") or pod.pod.spec.flag("hostNetwork") is False
    if pod.entries is None or not own or not pod.pod.spec.absent("resourceClaims"):
        return
    present = {"eth0", "lo", *pod.interfaces}
    for container in pod.accelerated:
        for name in ("NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME"):
            value = variables_in_force(container).get(name, "")
            wanted = [part.strip() for part in value.lstrip("=").split(",") if part.strip()]
            exact = value.startswith("=") or name.startswith("GLOO")
            if not wanted or value.startswith("^") or "$" in value:
                continue
            if not any(have == want or (not exact and have.startswith(want)) for want in wanted for have in present):
                yield (
                    f"{container} sets {name}={value}, and its pod has {', '.join(sorted(present - {'lo'}))}; the "
                    f"group of processes never forms. Set {name}=eth0, or leave it out."
                )


# ------------------------------------------------------------------ shared memory

_LEAST_SHARED_MEMORY = 2**30


@rule(
    "nccl-shared-memory",
    title="A server on several GPUs has shared memory",
    breaks="A container has 64 MiB at /dev/shm. NCCL and the engine's worker processes exchange tensors there: the "
    "start ends with 'No space left on device' or a bus error, or hangs in the first collective.",
    fix="Mount an emptyDir with medium Memory and a sizeLimit of some GiB at /dev/shm, within the memory limit.",
    source=_VLLM_PARALLEL,
    severity=Severity.HIGH,
    on=ModelServer,
)
def server_has_shared_memory(server: ModelServer) -> Iterator[str]:
    container, pod = server.container, server.pod
    if container.accelerators < 2 or not container.requested(GPU_RESOURCE) or pod.object.group == KSERVE_GROUP:
        return
    if not pod.spec.absent("hostIPC") and pod.spec.flag("hostIPC") is not False:
        return
    mounts, volumes = container.props.sections("volumeMounts"), pod.spec.sections("volumes")
    unsettled = any(p.raw(key) is UNKNOWN for p, key in ((container.props, "volumeMounts"), (pod.spec, "volumes")))
    mount = next((m for m in mounts if (m.text("mountPath") or "").rstrip("/") == "/dev/shm"), None)  # noqa: S108
    partly = any(m.raw("mountPath") is UNKNOWN for m in mounts)
    if unsettled or (mount is None and partly):
        return
    if mount is None:
        yield (
            f"{container} runs on {container.accelerators} GPUs with the 64 MiB of shared memory that a container has; "
            "NCCL and the workers of the engine fail for lack of it. Mount an emptyDir with medium Memory at /dev/shm."
        )
        return
    volume = next((v for v in volumes if v.text("name") == mount.text("name")), None)
    if volume is None or volume.absent("emptyDir"):
        return
    if volume.absent("emptyDir", "medium"):
        yield (
            f"{container} has /dev/shm on an emptyDir without medium Memory, hence on disk; GPUs exchange tensors "
            "through files. Set emptyDir.medium: Memory."
        )
    size = volume.raw("emptyDir", "sizeLimit")
    limit = quantity(size)
    if limit is not None and limit < _LEAST_SHARED_MEMORY:
        yield (
            f"{container} runs on {container.accelerators} GPUs with {size} of /dev/shm, "
            "of which NCCL and the workers of the engine run out. Set a sizeLimit of several GiB."
        )
