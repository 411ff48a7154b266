"""GPUDirect-TCPXO on A3 Mega and TCPX on A3 High: a daemon in each pod moves GPU memory over ordinary VPCs.

These machines have no RDMA NICs. A pod lists eight (four) VPCs, runs the receive daemon beside the server, lets it
administer the NICs and gives it the devices of the GPUs by an annotation. The plugin, the daemon and the node's own
library come from one release; where one of them is missing NCCL ends, or falls back to TCP.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from inference.facts.fabrics import FABRICS, Fabric
from inference.facts.gke import ACCELERATOR_LABEL, DEVICES_ANNOTATION_PREFIX, GPU_RESOURCE, INTERFACES_ANNOTATION
from inference.facts.machines import MACHINES
from inference.rules.framework import Severity, rule
from inference.rules.views.placement import Placement
from inference.rules.views.pods import Container, PodTemplate
from inference.rules.views.rdma import NetworkedPod
from inference.rules.views.resources import Resource

_TCPXO = "https://github.com/GoogleCloudPlatform/container-engine-accelerators/tree/master/gpudirect-tcpxo"
_GPUDIRECT = "https://docs.cloud.google.com/kubernetes-engine/docs/how-to/gpu-bandwidth-gpudirect-tcpx"

_DAEMON_IMAGE = "tcpgpudmarxd"
_DAEMON_NAMES = frozenset({"tcpxo-daemon", "tcpx-daemon", "rxdm"})
_PLUGIN_ENV = ("NCCL_FASTRAK_", "NCCL_GPUDIRECTTCPX_")
_PLUGIN_NETS = frozenset({"fastrak", "gpudirecttcpx", "gpudirecttcpx_v7"})
_GPUS = {
    name: frozenset(m.accelerator for m in MACHINES.values() if m.fabric is not None and m.fabric.name == name)
    for name in ("tcpxo", "tcpx")
}


def _daemons(pod: PodTemplate) -> tuple[Container, ...]:
    running = (c for c in pod.all_containers if not c.init or c.sidecar)
    return tuple(c for c in running if _DAEMON_IMAGE in (c.image or "") or c.name in _DAEMON_NAMES)


@dataclass(frozen=True, eq=False)
class DaemonPod:
    """A pod template with a receive daemon."""

    types: ClassVar[tuple[str, ...]] = ("kubernetes:",)

    pod: PodTemplate
    daemon: Container
    fabric: Fabric

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        """Return the pod templates of a resource that run the daemon."""
        found = []
        for pod in resource.view(PodTemplate.of):
            for daemon in _daemons(pod)[:1]:
                names = f"{daemon.image} {daemon.name}"
                kind = "tcpxo" if "tcpxo" in names or "/fts/" in " ".join(daemon.command) else "tcpx"
                found.append(cls(pod, daemon, FABRICS[kind]))
        return tuple(found)

    def __str__(self) -> str:
        return str(self.pod)


@rule(
    "tcpx-pod-daemon",
    title="A pod that uses GPUDirect-TCPX or TCPXO runs the receive daemon",
    breaks="The plugin waits for the daemon of its own pod: NCCL ends with 'failed to connect to RxDM', or every "
    "transfer goes through the memory of the host.",
    fix="Add the tcpgpudmarxd-dev image of the plugin's release as a sidecar container.",
    source=_TCPXO,
    severity=Severity.HIGH,
    on=PodTemplate,
)
def pod_runs_daemon(pod: PodTemplate) -> Iterator[str]:
    if _daemons(pod) or any(c.image is None for c in pod.containers):
        return
    for container in pod.containers:
        env = container.environment
        used = sorted(name for name in env if name.startswith(_PLUGIN_ENV))
        if env.get("NCCL_NET", "").lower() in _PLUGIN_NETS:
            used.append("NCCL_NET")
        if used and container.accelerators:
            yield (
                f"{container} sets {', '.join(used[:3])} for GPUDirect over TCP, and its pod runs no receive daemon; "
                "the plugin finds nobody to talk to, and NCCL fails or falls back. Add the tcpgpudmarxd-dev image as "
                "a sidecar."
            )


@rule(
    "tcpx-pod-networks",
    title="A pod with the receive daemon lists the VPC of every GPU NIC and takes every GPU",
    breaks="The daemon serves all GPU NICs of the node or fails to start; a second pod on the node can have none.",
    fix="List 8 networks on A3 Mega and 4 on A3 High in networking.gke.io/interfaces, from eth1 on, and ask for "
    "8 GPUs.",
    source=_GPUDIRECT,
    severity=Severity.HIGH,
    covers=("RDMA-004",),
    on=DaemonPod,
)
def daemon_pod_lists_networks(pod: DaemonPod) -> Iterator[str]:
    template, wanted = pod.pod, pod.fabric.gpu_networks
    listed = next((n for n in template.object.resource.view(NetworkedPod.of) if n.pod is template), None)
    if listed is not None and listed.entries is not None:
        extra = {name for name in listed.networks if name != "default"}
        if len(extra) != wanted:
            yield (
                f"{pod} runs the daemon of {pod.fabric.name.upper()} and lists {len(extra)} networks beside the "
                f"default; the node has {wanted} GPU NICs, and the daemon needs them all. List {wanted} networks in "
                "networking.gke.io/interfaces, from eth1 on."
            )
    elif listed is None and _has_no_nics(template):
        yield (
            f"{pod} runs the daemon of {pod.fabric.name.upper()} and lists no networks; it has no GPU NIC to serve, "
            f"and does not start. List {wanted} networks in networking.gke.io/interfaces."
        )
    gpus = int(min(template.requested(GPU_RESOURCE), 1e6))
    if 0 < gpus < 8:
        yield (
            f"{pod} runs the daemon of {pod.fabric.name.upper()}, which takes all NICs of the node, and asks for "
            f"{gpus} of its 8 GPUs; the others stay idle. Set nvidia.com/gpu: 8."
        )


def _has_no_nics(pod: PodTemplate) -> bool:
    claimed = not pod.spec.absent("resourceClaims") or not pod.metadata.absent("annotations", INTERFACES_ANNOTATION)
    on_host = pod.spec.flag("hostNetwork") is True or not pod.spec.known("hostNetwork")
    return not claimed and not on_host


@rule(
    "tcpx-daemon-machine",
    title="The daemon is the one for the machine: TCPXO on A3 Mega, TCPX on A3 High",
    breaks="The daemon does not know the NICs of the other machine and ends at once.",
    fix="Take the images of gpudirect-tcpxo for nvidia-h100-mega-80gb, of gpudirect-tcpx for nvidia-h100-80gb.",
    source=_GPUDIRECT,
    severity=Severity.HIGH,
    on=DaemonPod,
)
def daemon_fits_machine(pod: DaemonPod) -> Iterator[str]:
    placements = pod.pod.object.resource.view(Placement.of)
    asked = next((p.asks(ACCELERATOR_LABEL) for p in placements if p.pod is pod.pod), None)
    others = _GPUS["tcpx" if pod.fabric.name == "tcpxo" else "tcpxo"]
    if asked in others and asked not in _GPUS[pod.fabric.name]:
        yield (
            f"{pod} runs the daemon of {pod.fabric.name.upper()} on {asked}, whose NICs it does not know; it ends at "
            f"once. Take the daemon and the plugin of {'TCPX' if pod.fabric.name == 'tcpxo' else 'TCPXO'}."
        )


@rule(
    "tcpx-daemon-rights",
    title="The receive daemon may administer the NICs",
    breaks="The daemon cannot set up header splitting and flow steering, ends with 'Operation not permitted', and the "
    "server waits for it.",
    fix="Add NET_ADMIN (and NET_BIND_SERVICE for TCPXO) to capabilities.add of the daemon, or run it privileged.",
    source=_TCPXO,
    severity=Severity.HIGH,
    on=DaemonPod,
)
def daemon_has_rights(pod: DaemonPod) -> Iterator[str]:
    context = pod.daemon.props.section("securityContext")
    added = {name.removeprefix("CAP_") for name in context.texts("capabilities", "add")}
    settled = context.known() and context.known("capabilities", "add") and context.known("privileged")
    if settled and context.flag("privileged") is not True and not added & {"NET_ADMIN", "ALL"}:
        yield (
            f"{pod.daemon} is the receive daemon and lacks the capability NET_ADMIN; it cannot set up the NICs and "
            'ends. Set securityContext.capabilities.add: ["NET_ADMIN", "NET_BIND_SERVICE"].'
        )


@rule(
    "tcpx-devices-container",
    title="The annotation for devices names a container of the pod",
    breaks="The injector gives the GPU devices to nobody: the daemon finds no GPU and ends.",
    fix="Write devices.gke.io/container.<name> with the name of the daemon's container.",
    source=_TCPXO,
    severity=Severity.HIGH,
    on=PodTemplate,
)
def devices_go_to_container(pod: PodTemplate) -> Iterator[str]:
    names = {container.name for container in pod.all_containers}
    if "" in names or not names:
        return
    for key in pod.metadata.section("annotations"):
        if (
            str(key).startswith(DEVICES_ANNOTATION_PREFIX)
            and (name := str(key).removeprefix(DEVICES_ANNOTATION_PREFIX)) not in names
        ):
            yield (
                f'{pod} gives devices to the container "{name}", which it does not have; the daemon finds no GPU and '
                f"ends. The containers are: {', '.join(sorted(names))}."
            )
