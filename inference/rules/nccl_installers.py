"""The NCCL plugin on the nodes: which build for which GPU, how it gets there, and which versions go together.

The plugin comes by a DaemonSet for one family of GPUs, or by an init container in each pod. A DaemonSet that selects
no node reports success with DESIRED 0; one that was fetched from a branch is another one tomorrow, on new nodes only.
The version of the plugin must suit the NCCL inside the image of the server, or the library does not load.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from inference.facts.gke import ARM_TAINT, GPU_TAINT, HOST_GIB
from inference.facts.machines import MACHINES
from inference.facts.nccl import PLUGINS
from inference.facts.versions import MATCHES
from inference.rules.framework import About, Severity, rule
from inference.rules.views.cloud import NodePool, Taint
from inference.rules.views.engines import image_name
from inference.rules.views.fleet import Fleet, Site
from inference.rules.views.hosting import cluster_of
from inference.rules.views.nccl import (
    Installation,
    NcclInstaller,
    hidden_installers,
    installations,
    plugin_of,
    tag_of,
)
from inference.rules.views.placement import Placement
from inference.rules.views.pods import PodTemplate
from inference.rules.views.rdma import over_several_nodes
from inference.rules.views.servers import ModelServer
from inference.rules.views.stack import Stack

_ACCELERATORS = "https://github.com/GoogleCloudPlatform/container-engine-accelerators"
_INSTALLER = f"{_ACCELERATORS}/blob/master/gpudirect-rdma/nccl-rdma-installer.yaml"
_FAST_SOCKET = "https://cloud.google.com/kubernetes-engine/docs/how-to/nccl-fast-socket"
_RELEASES = "https://docs.cloud.google.com/ai-hypercomputer/docs/nccl/release-notes-x86"

_ARM_GPUS = frozenset(m.accelerator for m in MACHINES.values() if m.arch == "arm64")
_PUBLIC_SERVERS = frozenset({"vllm/vllm-openai", "lmsysorg/sglang"})


@rule(
    "nccl-installer-gpus",
    title="An NCCL installer selects the GPUs that its plugin is made for",
    breaks="The plugin of another fabric or another processor is copied to the node: NCCL does not load it, or talks "
    "to NICs that are not there.",
    fix="Take nccl-plugin-gib for H200 and B200, nccl-plugin-gib-arm64 for GB200, the TCPXO plugin for "
    "h100-mega-80gb, the TCPX plugin for h100-80gb.",
    source=_INSTALLER,
    severity=Severity.HIGH,
    covers=("RDMA-012",),
    on=NcclInstaller,
)
def installer_selects_its_gpus(installer: NcclInstaller) -> Iterator[str]:
    wrong = sorted(installer.accelerators - installer.plugin.accelerators)
    if wrong:
        right = sorted(p.image.lstrip("/") for p in PLUGINS.values() if p.accelerators & set(wrong))
        yield (
            f"{installer} puts {installer.plugin.image.lstrip('/')} on nodes with {', '.join(wrong)}; it is made for "
            f"{', '.join(sorted(installer.plugin.accelerators))}, and NCCL does not load it. "
            + (f"Use {' or '.join(right)} for these nodes." if right else "Leave these nodes out.")
        )


@rule(
    "nccl-installer-tolerations",
    title="An NCCL installer tolerates the taints of GPU nodes",
    breaks="GKE taints GPU nodes, and the installer itself asks for no GPU: it runs on none of them (DESIRED 0), and "
    "pods find no plugin on the node.",
    fix='Add the toleration {operator: "Exists"} to the DaemonSet.',
    source=_INSTALLER,
    severity=Severity.HIGH,
    covers=("RDMA-012",),
    on=NcclInstaller,
)
def installer_tolerates_taints(installer: NcclInstaller) -> Iterator[str]:
    arm = bool(installer.accelerators) and installer.accelerators <= _ARM_GPUS
    for fact in (GPU_TAINT, *([ARM_TAINT] if arm else [])):
        if not installer.placement.tolerates(Taint(fact.key, fact.value, fact.effect)):
            yield (
                f"{installer} installs an NCCL plugin and does not tolerate {fact.key}={fact.value}:{fact.effect}, the "
                "taint of its nodes; it runs on none of them, and NCCL finds no plugin. "
                'Add the toleration {operator: "Exists"}.'
            )


@rule(
    "nccl-installer-nodes",
    title="NCCL installers and GPU pools fit each other: every pool of a fabric gets its plugin, exactly once",
    breaks="An installer that selects no node shows DESIRED 0; /home/kubernetes/bin/gib is missing, and pods that "
    "mount it fail or run without the plugin. Two installers overwrite each other's libraries.",
    fix="Deploy one installer for each GPU type with a fabric, or an init container with the plugin in the pods.",
    source=_INSTALLER,
    severity=Severity.HIGH,
    covers=("RDMA-012",),
)
def installers_fit_pools(stack: Stack) -> Iterator[About]:
    fleet = stack.view(Fleet)
    for installer in stack.each(NcclInstaller):
        scope = fleet.around(installer.placement)
        if scope is None or not scope.complete or not installer.placement.settled:
            continue
        fabrics = [site for site in scope.sites if site.pool.machine and site.pool.machine.fabric]
        settled = all(site.accelerator is not None for site in scope.sites)
        if fabrics and settled and not scope.candidates(installer.placement):
            kinds = ", ".join(sorted({site.pool.gpu_type or "?" for site in fabrics}))
            chosen = ", ".join(sorted(installer.accelerators)) or "labels that no pool has"
            yield About(
                installer.resource,
                f"{installer} installs an NCCL plugin on nodes with {chosen}, and the pools with a fabric have "
                f"{kinds}; it runs on none of them (DESIRED 0), and pods find no plugin. "
                "Choose the installer for these GPUs.",
            )
    yield from _elsewhere(stack, fleet)
    yield from _twice(stack)
    yield from _missing(stack, fleet)


def _elsewhere(stack: Stack, fleet: Fleet) -> Iterator[About]:
    """Yield the installers of an address whose GPUs no pool of the cluster has."""
    scopes = {id(scope.cluster): scope for scope in fleet.scopes if scope.cluster is not None}
    for found in installations(stack):
        scope = scopes.get(id(found.cluster))
        if scope is None or not scope.complete or found.root is not found.resource or not found.from_address:
            continue
        gpus = {site.pool.gpu_type for site in scope.sites if site.pool.gpu}
        fabrics = sorted({s.pool.gpu_type or "?" for s in scope.sites if s.pool.machine and s.pool.machine.fabric})
        settled = None not in gpus and all(site.accelerator is not None for site in scope.sites)
        if fabrics and settled and not gpus & found.accelerators:
            yield About(
                found.resource,
                f'"{found.resource.name}" installs an NCCL plugin on nodes with '
                f"{', '.join(sorted(found.accelerators))}, and the pools with a fabric have "
                f"{', '.join(fabrics)}; it runs on none of them (DESIRED 0), and pods "
                "find no plugin. Choose the installer for these GPUs.",
            )


def _twice(stack: Stack) -> Iterator[About]:
    seen: dict[tuple[int, str], Installation] = {}
    for found in installations(stack):
        for accelerator in sorted(found.accelerators):
            other = seen.setdefault((id(found.cluster), accelerator), found)
            if other.root is found.root:
                continue
            yield About(
                found.resource,
                f'"{found.resource.name}" installs an NCCL plugin on nodes with {accelerator}, and so does '
                f'"{other.resource.name}"; they overwrite each other\'s libraries. Keep one of them.',
            )
            break


def _missing(stack: Stack, fleet: Fleet) -> Iterator[About]:
    """Yield groups over several nodes whose nodes get no plugin from anything that the program shows."""
    everything = installations(stack)
    if hidden_installers(stack):
        return
    for placement in stack.each(Placement):
        pod = placement.pod
        if not over_several_nodes(pod) or not placement.gpus or not placement.settled or _brings_plugin(pod):
            continue
        scope = fleet.around(placement)
        if scope is None or scope.cluster is None:
            continue
        sites = scope.candidates(placement)
        gpus = {site.pool.gpu_type for site in sites if _needs_plugin(site)}
        here = [f for f in everything if f.cluster is None or f.cluster is scope.cluster]
        served = frozenset[str]().union(*(found.accelerators for found in here))
        if not gpus or len(gpus) != len({site.pool.gpu_type for site in sites}) or gpus & served:
            continue
        names = ", ".join(sorted(gpu for gpu in gpus if gpu))
        yield About(
            pod.object.resource,
            f"{placement} spreads a model over nodes with {names}, and nothing installs an NCCL plugin on them"
            + (f" (there is one for {', '.join(sorted(served))})" if served else "")
            + "; NCCL connects the nodes by TCP. Deploy the installer for these GPUs, or copy the plugin from its "
            "image in an init container.",
        )


def _needs_plugin(site: Site) -> bool:
    return any(site.pool.gpu_type in plugin.accelerators for plugin in PLUGINS.values())


def _brings_plugin(pod: PodTemplate) -> bool:
    """Whether the pod carries the plugin itself: in an init container, or perhaps in an image of somebody's own."""
    if any(plugin_of(container) is not None for container in pod.all_containers):
        return True
    hosts = {volume.text("hostPath", "path") or "" for volume in pod.spec.sections("volumes")}
    if any(path.rstrip("/") == HOST_GIB for path in hosts):
        return False
    servers = [c for c in pod.containers if c.accelerators]
    return not servers or any(_repository(c.image) not in _PUBLIC_SERVERS for c in servers)


def _repository(image: str | None) -> str:
    return image_name(image).removeprefix("index.").removeprefix("docker.io/")


@rule(
    "nccl-fast-socket-apart",
    title="NCCL Fast Socket is not switched on beside GPUDirect",
    breaks="Fast Socket installs itself as NCCL's network plugin and takes the place of gIB, TCPXO or TCPX: the fabric "
    "idles and TCP carries everything.",
    fix="Remove fastSocket from pools of A3, A4 and A4X machines.",
    source=_FAST_SOCKET,
    severity=Severity.HIGH,
    on=NodePool,
)
def fast_socket_stands_apart(pool: NodePool) -> Iterator[str]:
    machine = pool.machine
    by_label = pool.labels.get("cloud.google.com/gke-nccl-fastsocket") == "true"
    on = pool.config.flag("fastSocket", "enabled") is True or by_label
    if on and machine is not None and machine.fabric is not None:
        yield (
            f"{pool} switches NCCL Fast Socket on for {machine.name}, whose fabric has a plugin of its own; NCCL loads "
            "Fast Socket instead, and the GPU NICs idle. Remove fastSocket."
        )
    elif on and pool.config.flag("gvnic", "enabled") is False:
        yield (
            f"{pool} switches NCCL Fast Socket on and gVNIC off, which it needs; the pool is refused. "
            "Set gvnic.enabled: true."
        )


# ------------------------------------------------------------------ versions

_SIDE = re.compile(r"(?P<name>[a-z][a-z0-9-]*?)(?P<op>==|<=|>=|<|>)(?P<version>\d+(?:\.\d+)*)")
_TAG = re.compile(r"v?(\d+(?:\.\d+){0,3})")
_CUDA_12 = re.compile(r"cu12\d")


@rule(
    "nccl-plugin-version",
    title="The NCCL plugin of a pod goes with its vLLM image",
    breaks="The plugin was built for another NCCL or CUDA than the image brings: the library does not load or the "
    "symbols are missing, and the server ends, or falls back to TCP.",
    fix="Use gIB v1.1.0 or newer with vLLM 0.11 and newer, v1.1.2 with 0.32, the -cu129 image with TCPXO plugins up to "
    "v1.0.16.",
    source=_RELEASES,
    severity=Severity.HIGH,
)
def plugin_goes_with_server(stack: Stack) -> Iterator[About]:
    nodes: dict[int, list[NcclInstaller]] = defaultdict(list)
    for installer in stack.each(NcclInstaller):
        nodes[id(cluster_of(stack, installer.resource))].append(installer)
    fleet = stack.view(Fleet)
    for server in stack.each(ModelServer):
        if server.engine != "vllm" or server.image_version is None:
            continue
        pod = server.pod
        resource = pod.object.resource
        for container in pod.init_containers:
            if (plugin := plugin_of(container)) is not None and not container.sidecar:
                for why in _mismatch(server, plugin.name, tag_of(container.image)):
                    yield About(resource, _about_versions(server, container.image, "", why))
        here = nodes.get(id(cluster_of(stack, resource)), ()) if nodes else ()
        if not here or not any(_mounts_plugin(pod, place) for place in (HOST_GIB, "/home/kubernetes/bin/nvidia")):
            continue
        placement = next((p for p in resource.view(Placement.of) if p.pod is pod), None)
        scope = fleet.around(placement) if placement is not None else None
        gpus = {site.pool.gpu_type for site in scope.candidates(placement)} if scope and placement else set()
        for installer in here:
            if gpus and gpus <= (installer.accelerators or installer.plugin.accelerators):
                for why in _mismatch(server, installer.plugin.name, tag_of(installer.container.image)):
                    where = f" on its nodes ({installer})"
                    yield About(resource, _about_versions(server, installer.container.image, where, why))


def _mounts_plugin(pod: PodTemplate, place: str) -> bool:
    paths = (volume.text("hostPath", "path") or "" for volume in pod.spec.sections("volumes"))
    return any(f"{path.rstrip('/')}/".startswith(f"{place}/") for path in paths)


def _about_versions(server: ModelServer, image: str | None, where: str, why: str) -> str:
    return (
        f"{server.container} runs {server.container.image} with the NCCL plugin {image}{where}: {why}. "
        "NCCL does not load it, or falls back to TCP. Change one of the two."
    )


def _mismatch(server: ModelServer, plugin: str, tag: str | None) -> Iterator[str]:
    """Yield why a plugin's version does not go with the server's image, where that is known."""
    found = _TAG.match(tag or "")
    if found is None or server.image_version is None:
        return
    own = tuple(int(part) for part in found[1].split("."))
    name = plugin.removesuffix("-arm64")
    cuda_12 = bool(_CUDA_12.search(tag_of(server.container.image) or ""))
    for match in MATCHES:
        one, other = _SIDE.fullmatch(match.a), _SIDE.fullmatch(match.b)
        if match.ok or one is None or other is None or one["name"] != "vllm" or other["name"] != name:
            continue
        if cuda_12 and name != "gib":
            continue
        if _holds(server.image_version, one) and _holds(own, other):
            yield match.why


def _holds(version: tuple[int, ...], side: re.Match[str]) -> bool:
    bound = tuple(int(part) for part in side["version"].split("."))
    padded = (*version, 0, 0, 0)[: max(len(version), len(bound))]
    wanted = (*bound, *([0] * (len(padded) - len(bound))))
    match side["op"]:
        case "==":
            return version[: len(bound)] == bound
        case "<":
            return padded < wanted
        case "<=":
            return padded[: len(bound)] <= bound
        case ">":
            return padded[: len(bound)] > bound
        case _:
            return padded >= wanted
