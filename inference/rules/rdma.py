"""GPUDirect RDMA: what a node, a network and a pod must say so that GPUs of two nodes reach each other directly.

An A3 Ultra or A4 node has eight RDMA NICs, one beside each GPU; an A4X node four. They are handed to one pod as a
whole. Whatever is missing does not stop a deployment: NCCL falls back to TCP, and the fabric that was paid for idles.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.facts.fabrics import FABRICS
from inference.rules.framework import Severity, rule
from inference.rules.views.rdma import NetworkedPod

_CUSTOM_CLUSTER = "https://docs.cloud.google.com/ai-hypercomputer/docs/create/gke-ai-hypercompute-custom"
_WHOLE_FABRIC = frozenset(fabric.gpu_networks for fabric in FABRICS.values() if fabric.name == "roce")


@rule(
    "rdma-pod-takes-all-interfaces",
    title="A pod that uses RDMA lists every RDMA network of the node, each on an interface of its own",
    breaks="NCCL finds fewer NICs than GPUs and sends the traffic of several GPUs through one of them, or the pod "
    "waits for a device that another pod holds: bandwidth of up to 3.2 Tbps is paid for and a part of it used.",
    fix="List all of rdma-0 … rdma-7 (rdma-0 … rdma-3 on A4X) in networking.gke.io/interfaces, on eth2 and following.",
    source=_CUSTOM_CLUSTER,
    severity=Severity.HIGH,
    covers=("RDMA-005",),
    on=NetworkedPod,
)
def pod_takes_all_interfaces(pod: NetworkedPod) -> Iterator[str]:
    if not pod.rdma:
        return
    distinct = set(pod.rdma)
    if len(distinct) not in _WHOLE_FABRIC:
        missing = ", ".join(f"rdma-{index}" for index in range(max(_WHOLE_FABRIC)) if f"rdma-{index}" not in distinct)
        yield (
            f"{pod} lists {len(distinct)} of the 8 RDMA networks of the node ({', '.join(sorted(distinct))}); the other "
            "NICs stay unused, because RDMA devices are handed to one pod as a whole. "
            f"Add the rest to networking.gke.io/interfaces: {missing}."
        )
    if len(pod.rdma) != len(distinct) or len(set(pod.interfaces)) != len(pod.interfaces):
        yield (
            f"{pod} names a network or an interface twice in networking.gke.io/interfaces; only one of them is attached. "
            "Give every network an interface of its own: eth2 for rdma-0 up to eth9 for rdma-7."
        )


@rule(
    "rdma-pod-takes-all-gpus",
    title="A pod that uses RDMA asks for every GPU of the node",
    breaks="The RDMA NICs of a node go to one pod as a whole. GPUs that this pod leaves behind can be given to no "
    "other pod that needs them together with their NICs: most of an eight-GPU node is stranded.",
    fix="Set nvidia.com/gpu to 8 on A3 Ultra and A4, to 4 on A4X, or take the RDMA networks from the annotation.",
    source=_CUSTOM_CLUSTER,
    severity=Severity.HIGH,
    covers=("RDMA-006",),
    on=NetworkedPod,
)
def pod_takes_all_gpus(pod: NetworkedPod) -> Iterator[str]:
    if not pod.rdma:
        return
    asked = int(pod.pod.requested("nvidia.com/gpu"))
    whole = 4 if len(set(pod.rdma)) == 4 else 8
    if asked and asked != whole:
        machine = "a4x-highgpu-4g" if whole == 4 else "a3-ultragpu-8g or a4-highgpu-8g"
        yield (
            f"{pod} asks for {asked} of the {whole} GPUs of {machine}, and for its RDMA networks, which only one pod of "
            f"a node can have; the other GPUs stay idle. Set nvidia.com/gpu: {whole}, or drop the rdma-* interfaces."
        )


@rule(
    "rdma-container-locks-memory",
    title="A GPU container of a pod that uses RDMA may lock memory",
    breaks="Registering memory with the NIC fails: ibv_reg_mr says 'Cannot allocate memory' and NCCL ends with a NET/IB "
    "error when the communicator is made, minutes after the node came up.",
    fix="Add IPC_LOCK to securityContext.capabilities.add of every GPU container (leader and worker), "
    "or run it privileged.",
    source="https://docs.vllm.ai/en/latest/serving/parallelism_scaling.html",
    severity=Severity.HIGH,
    covers=("RDMA-007",),
    on=NetworkedPod,
)
def container_locks_memory(pod: NetworkedPod) -> Iterator[str]:
    if not pod.rdma:
        return
    for container in pod.accelerated:
        context = container.props.section("securityContext")
        added = {name.removeprefix("CAP_") for name in context.texts("capabilities", "add")}
        settled = context.known() and context.known("capabilities", "add") and context.known("privileged")
        if settled and context.flag("privileged") is not True and not added & {"IPC_LOCK", "ALL"}:
            yield (
                f"{container} uses RDMA without the capability IPC_LOCK; registering GPU memory with the NIC fails at "
                'the first collective. Set securityContext.capabilities.add: ["IPC_LOCK"].'
            )
