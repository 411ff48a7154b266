"""A platform with an RDMA fabric that is right: VPCs, subnets, cluster, A3 Ultra pool, network objects, a group."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from inference.rules.framework import Rule
from inference.rules.registry import RULES
from inference.rules.views.resources import Resource
from tests.inference.rules.cases import (
    Changes,
    changed,
    cluster,
    container,
    custom,
    deployment,
    findings,
    leader_worker_set,
    node_pool,
    resource,
    workload,
)

__all__ = [
    "ANNOTATIONS",
    "EIGHT_GPUS",
    "INTERFACES",
    "ROCE",
    "env",
    "firewall",
    "gpu_pool",
    "group",
    "host_cluster",
    "installer",
    "interfaces",
    "kinds",
    "marked",
    "network",
    "parameters",
    "platform",
    "pod_network",
    "proxy_subnet",
    "rdma_container",
    "shell",
    "subnet",
    "that",
    "verdicts",
    "with_changes",
]

NETWORK = "gcp:compute/network:Network"
SUBNET = "gcp:compute/subnetwork:Subnetwork"
FIREWALL = "gcp:compute/firewall:Firewall"
ROCE = "https://www.googleapis.com/compute/v1/projects/project/global/networkProfiles/us-central1-b-vpc-roce"
INTERFACES = "networking.gke.io/interfaces"
ANNOTATIONS = "networking.gke.io/default-interface"
EIGHT_GPUS = {"requests": {"nvidia.com/gpu": 8}, "limits": {"nvidia.com/gpu": 8}}
GIB = "us-docker.pkg.dev/gce-ai-infra/gpudirect-gib/nccl-plugin-gib:v1.1.2"
SCRIPT = "source /usr/local/gib/scripts/set_nccl_env.sh && exec vllm serve meta-llama/Llama-3.1-405B"

_AREAS = ("address_plan", "dranet", "fabric", "gpu_libraries", "gpudirect_tcp", "nccl", "networking", "pod_networks")
_AREAS += ("fabric_pools", "nccl_installers", "proxy_subnets", "rdma")
_RULES = tuple(rule for rule in RULES if rule.area in _AREAS)


def network(name: str, props: Changes | None = None, **kw: Any) -> Resource:
    """Make a VPC without automatic subnets."""
    return resource(NETWORK, name, changed({"name": name, "autoCreateSubnetworks": False}, props or {}), **kw)


def subnet(name: str, vpc: str, block: str, props: Changes | None = None, **kw: Any) -> Resource:
    """Make a subnet in us-central1."""
    base = {
        "name": name,
        "network": f"projects/project/global/networks/{vpc}",
        "region": "us-central1",
        "ipCidrRange": block,
    }
    return resource(SUBNET, name, changed(base, props or {}), **kw)


def proxy_subnet(name: str = "proxies", vpc: str = "platform", props: Changes | None = None, **kw: Any) -> Resource:
    """Make an active proxy-only subnet."""
    base = {"purpose": "REGIONAL_MANAGED_PROXY", "role": "ACTIVE"}
    return subnet(name, vpc, "172.16.0.0/23", changed(base, props or {}), **kw)


def firewall(name: str, vpc: str, sources: Sequence[Any], props: Changes | None = None, **kw: Any) -> Resource:
    """Make a rule that allows everything from some ranges."""
    base = {
        "network": f"projects/project/global/networks/{vpc}",
        "allows": [{"protocol": "tcp", "ports": ["0-65535"]}, {"protocol": "udp"}, {"protocol": "icmp"}],
        "sourceRanges": list(sources),
    }
    return resource(FIREWALL, name, changed(base, props or {}), **kw)


def _over(base: Changes, props: Changes | None) -> dict[str, Any]:
    """Lay changes over others; what they take away is taken away below as well."""
    gone = {key: None for key, value in (props or {}).items() if value is None}
    return {**changed(base, props or {}), **gone}


def host_cluster(props: Changes | None = None, **kw: Any) -> Resource:
    """Make a cluster with multi-networking in the VPC ``platform``."""
    base = {
        "enableMultiNetworking": True,
        "ipAllocationPolicy": {"clusterSecondaryRangeName": "pods", "servicesSecondaryRangeName": "services"},
    }
    return cluster(props=_over(base, props), **kw)


def gpu_pool(
    machine: str = "a3-ultragpu-8g",
    accelerator: str = "nvidia-h200-141gb",
    attached: Sequence[tuple[str, str]] | None = None,
    props: Changes | None = None,
    **kw: Any,
) -> Resource:
    """Make a pool of GPU nodes in us-central1-b with pairs of network and subnet attached."""
    pairs = attached if attached is not None else [("gvnic", "gvnic-0"), *(("rdma", f"rdma-sub-{i}") for i in range(8))]
    base: dict[str, Any] = {
        "cluster": "platform",
        "nodeLocations": ["us-central1-b"],
        "nodeConfig": {
            "machineType": machine,
            "diskType": "hyperdisk-balanced",
            "guestAccelerators": [{"type": accelerator, "count": 8}],
        },
        "networkConfig": {
            "additionalNodeNetworkConfigs": [{"network": one, "subnetwork": other} for one, other in pairs]
        },
    }
    if not pairs:
        del base["networkConfig"]
    return node_pool("gpus", _over(base, props), **kw)


def interfaces(names: Sequence[str], first: int = 2) -> str:
    """Return the annotation that lists networks on interfaces from ``eth2`` on."""
    listed = [{"interfaceName": "eth0", "network": "default"}]
    listed += [{"interfaceName": f"eth{i}", "network": name} for i, name in enumerate(names, start=first)]
    return json.dumps(listed)


def marked(names: Sequence[str] | None = None, first: int = 2) -> dict[str, str]:
    """Return the annotations of a pod with all RDMA networks, or others."""
    names = names if names is not None else [f"rdma-{i}" for i in range(8)]
    return {ANNOTATIONS: "eth0", INTERFACES: interfaces(names, first)}


def rdma_container(changes: Changes | None = None) -> dict[str, Any]:
    """Return a vLLM container that uses the whole fabric of an A3 Ultra node."""
    base = container(
        {
            "command": ["bash", "-c", SCRIPT],
            "args": None,
            "resources": EIGHT_GPUS,
            "securityContext": {"capabilities": {"add": ["IPC_LOCK"]}},
            "env": [{"name": "LD_LIBRARY_PATH", "value": "/usr/local/gib/lib64:/usr/local/nvidia/lib64"}],
            "volumeMounts": [
                {"name": "gib", "mountPath": "/usr/local/gib"},
                {"name": "nvidia", "mountPath": "/usr/local/nvidia"},
                {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - of the container
            ],
        }
    )
    return changed(base, changes or {})


def group(
    changes: Changes | None = None,
    *,
    pod: Changes | None = None,
    annotated: Mapping[str, Any] | None = None,
    name: str = "llama",
    **kw: Any,
) -> Resource:
    """Make a LeaderWorkerSet of two A3 Ultra nodes; changes to its container, pod spec and annotations."""
    base = {
        "nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-h200-141gb"},
        "volumes": [
            {"name": "gib", "hostPath": {"path": "/home/kubernetes/bin/gib"}},
            {"name": "nvidia", "hostPath": {"path": "/home/kubernetes/bin/nvidia"}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "64Gi"}},
        ],
    }
    spec = changed(base, pod or {})
    server = [rdma_container(changes)]
    marks = annotated if annotated is not None else marked()
    return leader_worker_set(name, containers=server, leader=spec, worker=spec, annotations=marks, **kw)


def parameters(name: str, vpc: str, own: str, mode: str = "RDMA", spec: Changes | None = None, **kw: Any) -> Resource:
    """Make a GKENetworkParamSet of a device network."""
    base = {"vpc": vpc, "vpcSubnet": own, "deviceMode": mode}
    return custom("networking.gke.io/v1", "GKENetworkParamSet", name, changed(base, spec or {}), **kw)


def pod_network(name: str, spec: Changes | None = None, **kw: Any) -> Resource:
    """Make a device Network with parameters of the same name."""
    reference = {"group": "networking.gke.io", "kind": "GKENetworkParamSet", "name": name}
    base = {"type": "Device", "parametersRef": reference}
    return custom("networking.gke.io/v1", "Network", name, changed(base, spec or {}), **kw)


def installer(
    name: str = "nccl-rdma-installer",
    image: str = GIB,
    gpus: Sequence[str] = ("nvidia-h200-141gb", "nvidia-b200"),
    pod: Changes | None = None,
    **kw: Any,
) -> Resource:
    """Make the DaemonSet that puts gIB on the nodes."""
    expression = {"key": "cloud.google.com/gke-accelerator", "operator": "In", "values": list(gpus)}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    spec = {
        "hostNetwork": True,
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}},
        "tolerations": [{"operator": "Exists"}],
        "initContainers": [
            {"name": "installer", "image": image, "command": ["/scripts/container_entry.sh", "install"]}
        ],
        "containers": [{"name": "pause", "image": "gke.gcr.io/pause:3.8"}],
    }
    template = {"metadata": {"labels": {"app": name}}, "spec": changed(spec, pod or {})}
    labels = {"matchLabels": {"app": name}}
    return workload(
        "kubernetes:apps/v1:DaemonSet",
        "apps/v1",
        "DaemonSet",
        name,
        {"selector": labels, "template": template},
        None,
        **kw,
    )


def platform() -> dict[str, Resource]:
    """Make the whole platform, by key."""
    secondary = [
        {"rangeName": "pods", "ipCidrRange": "10.4.0.0/14"},
        {"rangeName": "services", "ipCidrRange": "10.0.32.0/20"},
    ]
    found = {
        "platform": network("platform"),
        "nodes": subnet("platform-nodes", "platform", "10.0.0.0/20", {"secondaryIpRanges": secondary}),
        "proxies": proxy_subnet(),
        "gvnic": network("gvnic"),
        "gvnic-0": subnet("gvnic-0", "gvnic", "192.168.0.0/24"),
        "gvnic-firewall": firewall("gvnic-internal", "gvnic", ["192.168.0.0/24"]),
        "rdma": network("rdma", {"networkProfile": ROCE, "mtu": 8896}),
        "cluster": host_cluster(),
        "nat": resource("gcp:compute/routerNat:RouterNat", "nat", {"router": "router", "region": "us-central1"}),
        "pool": gpu_pool(),
        "gvnic-parameters": parameters("gvnic-1", "gvnic", "gvnic-0", "NetDevice"),
        "gvnic-network": pod_network("gvnic-1"),
        "installer": installer(),
        "group": group(),
    }
    for i in range(8):
        found[f"rdma-sub-{i}"] = subnet(f"rdma-sub-{i}", "rdma", f"192.168.{i + 1}.0/24")
        found[f"parameters-{i}"] = parameters(f"rdma-{i}", "rdma", f"rdma-sub-{i}")
        found[f"network-{i}"] = pod_network(f"rdma-{i}")
    return found


def env(**variables: Any) -> dict[str, Any]:
    """Return environment variables as changes to a container."""
    return {"env": [{"name": name, "value": value} for name, value in variables.items()]}


def shell(text: str, **rest: Any) -> dict[str, Any]:
    """Return a script as changes to a container."""
    return {"command": ["bash", "-c", text], "args": None, **rest}


def kinds(one: dict[str, Any], pod: dict[str, Any] | None = None) -> list[Resource]:
    """Make the same container as several kinds of workload."""
    job = {"template": {"spec": {"containers": [one], **(pod or {})}}}
    replicated = {"replicatedJobs": [{"name": "w", "template": {"spec": job}}]}
    return [
        deployment(containers=[one], pod=pod),
        workload("kubernetes:apps/v1:StatefulSet", "apps/v1", "StatefulSet", "s", job, None),
        workload("kubernetes:batch/v1:Job", "batch/v1", "Job", "j", job, None),
        workload("kubernetes:core/v1:Pod", "v1", "Pod", "p", {"containers": [one], **(pod or {})}, None),
        custom("jobset.x-k8s.io/v1alpha2", "JobSet", "js", replicated),
        leader_worker_set(containers=[one], leader=pod, worker=pod),
    ]


def with_changes(**changes: Resource | None) -> tuple[Resource, ...]:
    """Return the platform with some resources replaced, added or (``None``) left out; ``_`` in a key stands for ``-``."""
    found: dict[str, Resource | None] = dict(platform())
    found.update({key.replace("_", "-"): value for key, value in changes.items()})
    return tuple(thing for thing in found.values() if thing is not None)


def that(rule: Rule, **changes: Resource | None) -> list[str]:
    """Return what one rule says of the platform with changes."""
    return findings(rule, *with_changes(**changes))


def verdicts(*resources: Resource) -> dict[str, list[str]]:
    """Return what all rules about networks, fabric and NCCL say of these resources, by rule name."""
    said = {rule.name: findings(rule, *resources) for rule in _RULES}
    return {name: messages for name, messages in said.items() if messages}
