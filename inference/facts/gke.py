"""Names and numbers that GKE prescribes: labels, taints, annotations, resources, APIs, limits, paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from inference.facts._gateways import GATEWAY_CLASSES as GATEWAY_CLASSES
from inference.facts._gateways import GatewayClass as GatewayClass

# ------------------------------------------------------------------ node labels

ACCELERATOR_LABEL = "cloud.google.com/gke-accelerator"
GPU_COUNT_LABEL = "cloud.google.com/gke-accelerator-count"
TPU_ACCELERATOR_LABEL = "cloud.google.com/gke-tpu-accelerator"
TPU_TOPOLOGY_LABEL = "cloud.google.com/gke-tpu-topology"
NODE_POOL_LABEL = "cloud.google.com/gke-nodepool"
SPOT_LABEL = "cloud.google.com/gke-spot"
PROVISIONING_LABEL = "cloud.google.com/gke-provisioning"
FLEX_START_LABEL = "cloud.google.com/gke-flex-start"
QUEUED_LABEL = "cloud.google.com/gke-queued"
RESERVATION_NAME_LABEL = "cloud.google.com/reservation-name"
COMPUTE_CLASS_LABEL = "cloud.google.com/compute-class"
COMPUTE_CLASS_API = "cloud.google.com/v1"
ARCH_LABEL = "kubernetes.io/arch"
ZONE_LABEL = "topology.kubernetes.io/zone"
"""Labels that GKE puts on nodes, for selectors (sources XPK, CT, GKECUSTOM, GKETPUS, GKECC).

Spot, flex-start and queued labels have the value ``"true"``.
"""

DRANET_LABEL = "cloud.google.com/gke-networking-dra-driver"
"""Label that a pool sets to ``"true"`` for managed DRANET (sources CT, LLMDGKE)."""

RESERVED_LABEL_PREFIXES = (
    "cloud.google.com/gke-tpu-",
    "cloud.google.com/gke-accelerator",
    "cloud.google.com/gke-nodepool",
)
"""Labels that a node pool must not declare, because GKE sets them (source GKETPUS)."""

# ------------------------------------------------------------------ taints


@dataclass(frozen=True, slots=True, kw_only=True)
class Taint:
    """A taint of a node, and its two spellings."""

    key: str
    value: str
    effect: Literal["NoSchedule", "NoExecute", "PreferNoSchedule"]
    """As Kubernetes spells it."""
    automatic_toleration: bool
    """GKE tolerates it for pods that request the resource of that name."""
    source: str

    @property
    def api_effect(self) -> str:
        """The effect as the GKE API spells it: ``NO_SCHEDULE``."""
        return {"NoSchedule": "NO_SCHEDULE", "NoExecute": "NO_EXECUTE"}.get(self.effect, "PREFER_NO_SCHEDULE")

    @classmethod
    def of_class(cls, name: str) -> Taint:
        """Return the taint of the pools of a ComputeClass, which keeps other pods away."""
        return cls(key=COMPUTE_CLASS_LABEL, value=name, effect="NoSchedule", automatic_toleration=True, source="GKECC")

    @property
    def toleration(self) -> dict[str, str]:
        return {"key": self.key, "operator": "Equal", "value": self.value, "effect": self.effect}


GPU_TAINT = Taint(
    key="nvidia.com/gpu",
    value="present",
    effect="NoSchedule",
    automatic_toleration=True,
    source="CT:modules/compute/gke-node-pool/main.tf",
)
TPU_TAINT = Taint(
    key="google.com/tpu",
    value="present",
    effect="NoSchedule",
    automatic_toleration=True,
    source="XPK; CT:modules/internal/tpu-definition/main.tf",
)
ARM_TAINT = Taint(
    key="kubernetes.io/arch",
    value="arm64",
    effect="NoSchedule",
    automatic_toleration=False,
    source="CT:examples/gke-a4x/nccl-jobset-example.yaml",
)
QUEUED_TAINT = Taint(
    key=QUEUED_LABEL,
    value="true",
    effect="NoSchedule",
    automatic_toleration=False,
    source="CT:examples/gke-consumption-options/dws-flex-start-queued-provisioning",
)
GKE_TAINTS = (GPU_TAINT, TPU_TAINT, ARM_TAINT, QUEUED_TAINT)
"""The taints that GKE itself puts on nodes."""

# ------------------------------------------------------------------ resources of a container

GPU_RESOURCE = "nvidia.com/gpu"
TPU_RESOURCE = "google.com/tpu"
"""Extended resources: whole numbers, request equal to limit (source GKEGPUS; GKETPUS)."""

# ------------------------------------------------------------------ annotations and objects of multi-networking

DEFAULT_INTERFACE_ANNOTATION = "networking.gke.io/default-interface"
INTERFACES_ANNOTATION = "networking.gke.io/interfaces"
"""Pod annotations: ``eth0``, and a JSON list of ``{interfaceName, network}`` (source GKECUSTOM)."""

NETWORKING_GROUP = "networking.gke.io"
NETWORKING_API = f"{NETWORKING_GROUP}/v1"
NETWORK_TYPE = "Device"
DEVICE_MODES = ("NetDevice", "RDMA", "DPDK-VFIO")
"""Network and GKENetworkParamSet: a GPU network has type Device (source GKENET:apis/network/v1)."""

NODE_NETWORKS_MAX = 10
"""Networks of one node at most: the cluster's own and nine more (source GKECUSTOM)."""

# ------------------------------------------------------------------ storage

GCSFUSE_ANNOTATION = "gke-gcsfuse/volumes"
GCSFUSE_CPU_LIMIT_ANNOTATION = "gke-gcsfuse/cpu-limit"
GCSFUSE_MEMORY_LIMIT_ANNOTATION = "gke-gcsfuse/memory-limit"
GCSFUSE_EPHEMERAL_LIMIT_ANNOTATION = "gke-gcsfuse/ephemeral-storage-limit"
GCSFUSE_DRIVER = "gcsfuse.csi.storage.gke.io"
GCSFUSE_SIDECAR = "gke-gcsfuse-sidecar"
GCSFUSE_CACHE_VOLUME = "gke-gcsfuse-cache"
GCSFUSE_EPHEMERAL_BYTES = 5 * 2**30
GCSFUSE_STORAGE_CLASSES = ("gcsfusecsi-training", "gcsfusecsi-serving", "gcsfusecsi-checkpointing")
"""Cloud Storage FUSE: the first annotation, ``"true"`` on the pod template, injects the sidecar, which may use so
much ephemeral storage where no annotation says otherwise (sources GKESAMPLES, CT, GCSFUSECSI)."""

CSI_DRIVERS: Mapping[str, str] = MappingProxyType(
    {
        "gcsfuse": GCSFUSE_DRIVER,
        "persistent-disk": "pd.csi.storage.gke.io",
        "filestore": "filestore.csi.storage.gke.io",
        "lustre": "lustre.csi.storage.gke.io",
        "parallelstore": "parallelstore.csi.storage.gke.io",
    }
)
"""CSI drivers of GKE (source CT:modules/file-system)."""

DISK_STORAGE_CLASSES: Mapping[str, str] = MappingProxyType(
    {"standard": "pd-standard", "standard-rwo": "pd-balanced", "premium-rwo": "pd-ssd"}
)
DEFAULT_STORAGE_CLASS = "standard-rwo"
"""Storage classes that make disks in every cluster, the type of those disks, and the class of a claim that names none
(source GKEVOLUMES)."""

FILESTORE_STORAGE_CLASSES = (
    "standard-rwx",
    "premium-rwx",
    "enterprise-rwx",
    "enterprise-multishare-rwx",
    "zonal-rwx",
)
"""Storage classes that come with the Filestore driver (source GKEFILESTORE)."""

LOCAL_SSD_GIB = 375
"""One local SSD where a machine does not say otherwise: A4X has Titanium SSDs of 3000 GiB (sources GPUDOC, LSSDDOC)."""

# ------------------------------------------------------------------ node pools and cluster

ZONES_OF_A_REGION = 3
"""Zones over which a regional cluster that names none spreads its nodes (source GKEREGIONAL)."""

DEFAULT_BOOT_DISK_TYPE = "pd-balanced"
DEFAULT_BOOT_DISK_GB = 100
DEFAULT_PODS_PER_NODE = 110
"""What a pool gets that names no ``diskType``, ``diskSizeGb`` or ``maxPodsPerNode`` (sources BOOTDISKS, NODECONFIG for
the size, PODCIDR)."""

GPU_DRIVER_VERSIONS = ("DEFAULT", "LATEST", "INSTALLATION_DISABLED")
"""Values of ``gpuDriverVersion``; LATEST on Container-Optimized OS only (sources TFDOC, GKECUSTOM)."""

IMAGE_TYPE = "COS_CONTAINERD"
"""Node image; GPUDirect RDMA needs it (source GKECUSTOM)."""

RESERVATION_TYPES = ("NO_RESERVATION", "ANY_RESERVATION", "SPECIFIC_RESERVATION", "ANY_RESERVATION_THEN_FAIL")
RESERVATION_KEY = "compute.googleapis.com/reservation-name"
"""Reservation affinity of a pool; only SPECIFIC_RESERVATION carries key and values (sources PGCP, CT)."""

FLEX_START_MAX_RUN_S = 604_800
"""Longest run of a flex-start node in seconds: seven days (source GKEDWS)."""

FLEX_START_COMPACT_PREFIXES = ("a3-ultragpu-", "a4-", "h4d-")
"""Machines that may combine flex-start with compact placement, besides TPUs (source CT:gke-node-pool/main.tf)."""

NVLINK_DOMAIN_FAMILIES = ("a4x", "a4x-max")
"""Machine families whose nodes share NVLink over a compute domain (sources GKECUSTOMA4X, GKECUSTOMMAX)."""

NVLINK_DOMAIN_TOPOLOGY = "1x72"
COMPUTE_DOMAIN_API = "resource.nvidia.com/v1beta1"
"""Topology of the workload policy, in GPUs, and the API of NVIDIA's driver (source CT:examples/gke-a4x)."""

NVLINK_DOMAIN_NODES = 18
"""Most nodes of an A4X or A4X Max pool: one NVLink domain, topology 1x72 (sources GKECUSTOMA4X, GKECUSTOMMAX)."""

DATAPATH_V2 = "ADVANCED_DATAPATH"
"""Dataplane V2, needed by multi-networking and DRANET, and fixed when the cluster is made (source CT; GKECUSTOM)."""

GATEWAY_API_CHANNEL = "CHANNEL_STANDARD"
"""``gatewayApiConfig.channel`` for GKE Gateways (source PGCP; CT:modules/scheduler/gke-cluster)."""

NETWORK_PROFILE_AUTO = "auto"
"""``acceleratorNetworkProfile`` with which GKE makes the networks itself, for DRANET (source CT; ANPNEWS)."""

# ------------------------------------------------------------------ load balancing

GATEWAY_GROUP = "gateway.networking.k8s.io"
"""API group of Gateway, HTTPRoute and ReferenceGrant (source GWGKE)."""

PROXY_ONLY_ROLE = "ACTIVE"
PROXY_ONLY_MIN_PREFIX = 26
PROXY_ONLY_RECOMMENDED_PREFIX = 23
"""Proxy-only subnet: one ACTIVE for a VPC and region, no smaller than /26, /23 advised (source PROXYDOC)."""

PROBE_RANGES = ("130.211.0.0/22", "35.191.0.0/16")
"""Where Google's load balancers probe from (source LBDOC)."""

LINK_LOCAL = "169.254.0.0/16"
"""Where a node's own servers answer its pods, out of reach of pod selectors: NodeLocal DNSCache, Cloud DNS and the
metadata server (source TEKTON4000)."""

COLLECTOR_NAMESPACES = ("gmp-system", "gke-gmp-system")
"""Namespaces that the collectors of Managed Service for Prometheus scrape from (source GMPNS)."""

BACKEND_TIMEOUT_DEFAULT_S = 30
"""Backend timeout without a GCPBackendPolicy, in seconds (source GKEGW)."""

# ------------------------------------------------------------------ APIs

REQUIRED_APIS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cluster": ("container.googleapis.com", "compute.googleapis.com"),
        "inference-gateway": ("networkservices.googleapis.com",),
        "model-armor": ("modelarmor.googleapis.com",),
        "image-streaming": ("containerfilesystem.googleapis.com",),
        "artifact-registry": ("artifactregistry.googleapis.com",),
        "secret-manager": ("secretmanager.googleapis.com",),
        "service-accounts": ("iam.googleapis.com",),
        "monitoring": ("monitoring.googleapis.com", "logging.googleapis.com"),
    }
)
"""Capability to the Google APIs to enable besides those of ``cluster`` (sources GIEDEPLOY, IMAGESTREAMING; the last
four are the services' own host names)."""

# ------------------------------------------------------------------ limits of names

MAX_CLUSTER_NAME = 40
MAX_NODE_POOL_NAME = 40
MAX_COMPUTE_NAME = 63
NAME_PATTERN = r"[a-z]([-a-z0-9]*[a-z0-9])?"
"""Lengths in characters, and the form of all these names (source TPGOOGLE)."""

# ------------------------------------------------------------------ GPU libraries on nodes and in containers

HOST_NVIDIA = "/home/kubernetes/bin/nvidia"
HOST_GIB = "/home/kubernetes/bin/gib"
CONTAINER_NVIDIA = "/usr/local/nvidia"
CONTAINER_GIB = "/usr/local/gib"
"""Driver and gIB on the node, and where containers mount them (source CEA:gpudirect-rdma)."""

DRIVER_LIBRARY_PATH = "/usr/local/nvidia/lib64"
NCCL_ENV_SCRIPT = "/usr/local/gib/scripts/set_nccl_env.sh"
"""Part of LD_LIBRARY_PATH, and the script to source, not to print, in the server's shell (sources CEA, GIBX86)."""

GIB_IMAGE_PATH = "/var/lib/gib"
"""Where the gIB image carries its files, for an init container that copies them (source GPUREC)."""

TCPXO_APERTURE_DEVICES = "/dev/aperture_devices"
DEVICES_ANNOTATION_PREFIX = "devices.gke.io/container."
"""Devices of the TCPXO daemon, and the annotation that gives a container devices (source CEA:gpudirect-tcpxo)."""

RDMA_CAPABILITY = "IPC_LOCK"
"""Linux capability of a container that registers memory for RDMA, unless it is privileged (source VLLM:docs)."""

# ------------------------------------------------------------------ queued provisioning

MAX_RUN_PARAMETER = "maxRunDurationSeconds"
QUEUED_PROVISIONING_CLASS = "queued-provisioning.gke.io"
"""Queueing for flex-start capacity: the parameter of a ProvisioningRequest for the run time of its nodes, and GKE's
class of such requests (sources CT, GKEPROV)."""

PROVISIONED_LABEL = "autoscaling.gke.io/provisioning-request"
PROVISIONED_DETAIL = "ResizeRequestName"
"""Node label of what one request brought, and the detail of the request that carries its value (sources
CLUSTERAUTOSCALER, XPK680)."""
