"""GPUDirect RDMA: what a pod must say so that GPUs of two nodes reach each other directly.

An A3 Ultra or A4 node has eight RDMA NICs, one beside each GPU; an A4X node four. They are handed to one pod as a
whole. Whatever is missing does not stop a deployment: NCCL falls back to TCP, and the fabric that was paid for idles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inference.facts.fabrics import FABRICS
from inference.facts.gke import (
    DEFAULT_INTERFACE_ANNOTATION,
    GPU_RESOURCE,
    INTERFACES_ANNOTATION,
    NETWORKING_GROUP,
    RDMA_CAPABILITY,
)
from inference.facts.machines import MACHINES
from inference.rules.framework import About, Severity, rule
from inference.rules.views.fabric import NetworkClaims, PodNetwork
from inference.rules.views.fleet import Fleet, Site, Sites
from inference.rules.views.placement import Placement
from inference.rules.views.pods import Container, PodTemplate
from inference.rules.views.rdma import NetworkedPod, over_several_nodes
from inference.rules.views.serving import completed_elsewhere
from inference.rules.views.stack import Stack

_CUSTOM_CLUSTER = "https://docs.cloud.google.com/ai-hypercomputer/docs/create/gke-ai-hypercompute-custom"
_MULTI_NETWORK = "https://docs.cloud.google.com/kubernetes-engine/docs/how-to/setup-multinetwork-support-for-pods"

_NETWORKS_BESIDE: Mapping[str, int] = {
    machine.accelerator: machine.fabric.gpu_networks
    for machine in MACHINES.values()
    if machine.accelerator and machine.fabric is not None and machine.fabric.name == "roce"
}
"""GPU type to the RDMA networks, and GPUs, of its nodes."""
_RDMA_CLASS = FABRICS["roce"].device_class
_MOST = max(_NETWORKS_BESIDE.values())
_FEWEST = min(_NETWORKS_BESIDE.values())


def _whole(pod: NetworkedPod) -> int:
    """Return how many RDMA networks, and GPUs, the nodes of a pod have."""
    if (known := _NETWORKS_BESIDE.get(pod.accelerator or "")) is not None:
        return known
    small = len(set(pod.rdma)) == _FEWEST and pod.pod.requested(GPU_RESOURCE) <= _FEWEST
    return _FEWEST if small else _MOST


@rule(
    "rdma-interfaces-on-template",
    title="Interfaces are listed on the pod template",
    breaks="Annotations of a Deployment or a LeaderWorkerSet stay on the object itself. Its pods get the default "
    "network alone, and NCCL uses TCP without a word.",
    fix="Move networking.gke.io/interfaces and networking.gke.io/default-interface to metadata.annotations of the pod "
    "template; of both templates of a group.",
    source=_MULTI_NETWORK,
    severity=Severity.HIGH,
    covers=("RDMA-005",),
    on=PodTemplate,
)
def interfaces_on_template(pod: PodTemplate) -> Iterator[str]:
    thing = pod.object
    if thing.kind == "Pod" or INTERFACES_ANNOTATION not in thing.annotations or not pod.metadata.known("annotations"):
        return
    if completed_elsewhere(pod):  # KServe hands its annotations on to the pods.
        return
    if INTERFACES_ANNOTATION not in pod.annotations and pod.accelerators:
        yield (
            f"{pod} has {INTERFACES_ANNOTATION} on {thing} itself and not on the pod template; its pods get no RDMA "
            "network. Move the annotation to the metadata of the pod template."
        )


@rule(
    "rdma-pod-interfaces-readable",
    title="The interfaces of a pod are a JSON list that begins with the default network",
    breaks="GKE reads the annotation when the pod is admitted: text that is no JSON list, or a list without the "
    "default network, leaves the pod without its interfaces, or without a route to anything else.",
    fix="Write a JSON list of {interfaceName, network} with eth0 on the network default, and set "
    "networking.gke.io/default-interface to eth0.",
    source=_MULTI_NETWORK,
    severity=Severity.HIGH,
    covers=("RDMA-005",),
    on=NetworkedPod,
)
def pod_interfaces_are_readable(pod: NetworkedPod) -> Iterator[str]:
    if pod.entries is None:
        yield (
            f"{pod} has an annotation {INTERFACES_ANNOTATION} that is no JSON list of objects; the pod gets none of "
            'its interfaces. Write [{"interfaceName": "eth0", "network": "default"}, …].'
        )
        return
    if any("network" not in entry and "interface" not in entry for entry in pod.entries):
        yield (
            f"{pod} has an entry without a network in {INTERFACES_ANNOTATION}; GKE cannot attach it. "
            "Give every entry an interfaceName and a network."
        )
        return
    homes = {entry.get("interfaceName") for entry in pod.entries if entry.get("network") == "default"}
    if pod.networks and not homes:
        yield (
            f"{pod} lists interfaces without the network default, which every pod keeps and which carries its route "
            'to Services and the Internet. Add {"interfaceName": "eth0", "network": "default"}.'
        )
    elif pod.pod.metadata.absent("annotations", DEFAULT_INTERFACE_ANNOTATION):
        yield (
            f"{pod} lists interfaces and does not say which of them is the default; traffic to Services may leave by "
            f"an accelerator NIC. Set the annotation {DEFAULT_INTERFACE_ANNOTATION}: eth0."
        )
    elif homes and pod.default_interface is not None and pod.default_interface not in homes:
        yield (
            f'{pod} has the default interface "{pod.default_interface}", which is not on the network default; the '
            f"default route must be there. Set {DEFAULT_INTERFACE_ANNOTATION}: {min(map(str, homes))}."
        )


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
    distinct, whole = set(pod.rdma), _whole(pod)
    if len(distinct) == 1 and not pod.accelerated and pod.accelerator is None and pod.pod.spec.absent("resourceClaims"):
        return  # A node without GPUs, such as H4D, has one RDMA NIC.
    if len(distinct) < whole:
        missing = ", ".join(name for i in range(whole) if (name := f"rdma-{i}") not in distinct)
        yield (
            f"{pod} lists {len(distinct)} of the {whole} RDMA networks of the node ({', '.join(sorted(distinct))}); "
            "the other NICs stay unused, because RDMA devices are handed to one pod as a whole. "
            f"Add the rest to networking.gke.io/interfaces: {missing}."
        )
    elif len(distinct) > whole:
        yield (
            f"{pod} lists {len(distinct)} RDMA networks, and its nodes have {whole}; the pod stays Pending. "
            f"List rdma-0 to rdma-{whole - 1}."
        )
    if len(pod.rdma) != len(distinct) or len(set(pod.interfaces)) != len(pod.interfaces):
        yield (
            f"{pod} names a network or an interface twice in networking.gke.io/interfaces; only one of them is "
            "attached. Give every network an interface of its own: eth2 for rdma-0 up to eth9 for rdma-7."
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
    asked, whole = int(min(pod.pod.requested(GPU_RESOURCE), 1e6)), _whole(pod)
    if asked and asked != whole:
        machine = "a4x-highgpu-4g" if whole == _FEWEST else "a3-ultragpu-8g or a4-highgpu-8g"
        yield (
            f"{pod} asks for {asked} of the {whole} GPUs of {machine}, and for its RDMA networks, which only one pod "
            f"of a node can have; the other GPUs stay idle. Set nvidia.com/gpu: {whole}, or drop the rdma-* interfaces."
        )


@rule(
    "rdma-container-locks-memory",
    title="A GPU container of a pod that uses RDMA may lock memory",
    breaks="Registering memory with the NIC fails: ibv_reg_mr says 'Cannot allocate memory' and NCCL ends with a "
    "NET/IB error when the communicator is made, minutes after the node came up.",
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
        if not _may_lock_memory(container):
            yield (
                f"{container} uses RDMA without the capability {RDMA_CAPABILITY}; registering GPU memory with the NIC "
                f'fails at the first collective. Set securityContext.capabilities.add: ["{RDMA_CAPABILITY}"].'
            )


def _may_lock_memory(container: Container) -> bool:
    """Whether the container may lock memory, or is published without the right; as far as is known."""
    if "/gpudirect-gib/" in (container.image or ""):
        return True
    context = container.props.section("securityContext")
    added = {name.removeprefix("CAP_") for name in context.texts("capabilities", "add")}
    settled = context.known() and context.known("capabilities", "add") and context.known("privileged")
    return not settled or context.flag("privileged") is True or bool(added & {RDMA_CAPABILITY, "ALL"})


@rule(
    "rdma-claim-locks-memory",
    title="A GPU container that claims RDMA NICs may lock memory",
    breaks="As with interfaces: registering memory with the NIC fails when the communicator is made.",
    fix="Add IPC_LOCK to securityContext.capabilities.add of every GPU container, or run it privileged.",
    source="https://docs.vllm.ai/en/latest/serving/parallelism_scaling.html",
    severity=Severity.HIGH,
    covers=("RDMA-007",),
)
def claim_locks_memory(stack: Stack) -> Iterator[About]:
    claims = stack.view(NetworkClaims)
    for pod in stack.pods():
        if _RDMA_CLASS not in claims.classes(pod):
            continue
        for container in pod.containers:
            if container.accelerators and not _may_lock_memory(container):
                yield About(
                    pod.object.resource,
                    f"{container} claims RDMA NICs and lacks the capability {RDMA_CAPABILITY}; registering GPU memory "
                    f"with them fails at the first collective. "
                    f'Set securityContext.capabilities.add: ["{RDMA_CAPABILITY}"].',
                )


@rule(
    "rdma-pod-networks-declared",
    title="The networks that a pod lists are declared",
    breaks="A pod that names a network nobody made stays Pending, or is refused when it is admitted.",
    fix="Declare a Network with a GKENetworkParamSet for each name, or correct the name in the annotation.",
    source=_MULTI_NETWORK,
    severity=Severity.HIGH,
)
def pod_networks_are_declared(stack: Stack) -> Iterator[About]:
    declared = tuple(stack.each(PodNetwork))
    if not declared or stack.unnamed("Network", NETWORKING_GROUP):
        return
    names = {network.name for network in declared}
    homes = {network.resource.provider.urn for network in declared if network.resource.provider is not None}
    everywhere = any(network.resource.provider is None for network in declared)
    for pod in stack.each(NetworkedPod):
        resource = pod.pod.object.resource
        if not everywhere and resource.provider is not None and resource.provider.urn not in homes:
            continue
        missing = [name for name in dict.fromkeys(pod.networks) if name not in names and name != "default"]
        if missing:
            yield About(
                resource,
                f"{pod} lists the networks {', '.join(missing)}, and no Network has such a name; the pod stays "
                f"Pending. Declared are: {', '.join(sorted(name for name in names if name)[:12])}.",
            )


@rule(
    "rdma-group-attached",
    title="A group of GPU pods over several nodes uses the fabric of its nodes",
    breaks="Without interfaces or a claim NCCL connects the nodes by TCP over one host NIC, at a small part of the "
    "fabric's bandwidth, and says so only in its debug log. Every token of the model waits for that.",
    fix="Let the pool attach the whole fabric (one gVNIC network and 8 RDMA subnets, or an accelerator network "
    "profile), and the pods of leader and workers ask for it.",
    source=_CUSTOM_CLUSTER,
    severity=Severity.HIGH,
    covers=("RDMA-004",),
)
def group_uses_fabric(stack: Stack) -> Iterator[About]:
    fleet = stack.view(Fleet)
    for placement in stack.each(Placement):
        pod = placement.pod
        if not over_several_nodes(pod) or not placement.gpus or not placement.settled:
            continue
        scope = fleet.around(placement)
        sites = scope.candidates(placement) if scope is not None else Sites()
        if not sites or sites.told(_gpus_of_fabric) != {placement.gpus}:
            continue
        bare = sites.told(_bareness)
        names = sites.told(_listed)
        if bare == {True}:
            yield About(
                pod.object.resource,
                f"{placement} spreads a model over nodes of the pool {names}, which attaches no GPU networks; NCCL "
                "connects the nodes by TCP. Attach the fabric in additionalNodeNetworkConfigs, or set "
                "networkConfig.acceleratorNetworkProfile: auto.",
            )
        elif bare == {False} and _asks_for_no_network(pod):
            yield About(
                pod.object.resource,
                f"{placement} spreads a model over nodes of the pool {names} and asks for none of its GPU networks; "
                f"NCCL connects the nodes by TCP. Set the annotation {INTERFACES_ANNOTATION}, or claim the NICs where "
                "the pool has an accelerator network profile.",
            )


def _gpus_of_fabric(sites: Sites) -> frozenset[int | None]:
    """Return how many GPUs the nodes connect by a fabric; ``None`` for nodes that have none."""
    machines = (site.pool.machine for site in sites)
    return frozenset(
        machine.gpus if machine is not None and machine.fabric is not None else None for machine in machines
    )


def _listed(sites: Sites) -> str:
    return ", ".join(str(site) for site in sites)


def _bareness(sites: Sites) -> frozenset[bool]:
    return frozenset(_bare(site) for site in sites)


def _bare(site: Site) -> bool:
    """Whether the nodes certainly have no GPU network."""
    network, machine = site.pool.props.section("networkConfig"), site.pool.machine
    fabric = machine.fabric if machine is not None else None
    listed = 0 if network.absent("additionalNodeNetworkConfigs") else network.size("additionalNodeNetworkConfigs")
    few = listed is not None and fabric is not None and listed <= fabric.host_networks
    profile = network.text("acceleratorNetworkProfile")
    return network.known() and few and not profile and network.known("acceleratorNetworkProfile")


def _asks_for_no_network(pod: PodTemplate) -> bool:
    if pod.object.kind == "LLMInferenceService":  # KServe may add the claims itself
        return False
    asks = not pod.metadata.absent("annotations", INTERFACES_ANNOTATION) or not pod.spec.absent("resourceClaims")
    return not asks and pod.spec.flag("hostNetwork") is not True and pod.spec.known("hostNetwork")
