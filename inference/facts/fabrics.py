"""The networks that GPU nodes talk to each other over, and what a node pool and a pod must say to use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

__all__ = ["FABRICS", "Fabric", "network_profile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fabric:
    """How the GPUs of one machine family reach those of another node."""

    name: Literal["roce", "roce-metal", "tcpxo", "tcpx"]
    nic_type: Literal["MRDMA", "GVNIC"]
    """Compute Engine's kind of the GPU NICs."""
    gpu_networks: int
    """GPU networks a node attaches. For ``roce-metal`` one IPv6-only subnet is attached this many times."""
    host_networks: int
    """Further gVNIC networks of the host, besides the cluster's own."""
    nic_gbps: int
    """Rate of one physical GPU NIC, Gbit/s (source GPUDOC)."""
    functions_per_nic: int = 1
    """Interfaces that one physical GPU NIC shows to the node."""
    mtu: int
    """Bytes, of the GPU networks."""
    network_profile_suffix: str | None
    """The RDMA network profile of a zone is ``<zone>-<suffix>``; None for ordinary VPCs."""
    device_mode: Literal["RDMA", "NetDevice"]
    """``spec.deviceMode`` of the GKENetworkParamSet of each GPU network; host networks are ``NetDevice``."""
    multi_network: bool
    """Kubernetes Network objects and pod annotations can attach it."""
    dranet: bool
    """GKE's managed DRANET (an accelerator network profile and a ResourceClaim) can attach it."""
    device_class: str
    """DRA DeviceClass of the GPU NICs under DRANET."""
    source: str

    @property
    def host_network_names(self) -> tuple[str, ...]:
        return tuple(f"gvnic-{n}" for n in range(1, self.host_networks + 1))

    @property
    def gpu_network_names(self) -> tuple[str, ...]:
        if not self.multi_network:
            return ()
        if self.device_mode == "RDMA":
            return tuple(f"rdma-{n}" for n in range(self.gpu_networks))
        return tuple(f"vpc{n}" for n in range(1, self.gpu_networks + 1))

    @property
    def network_names(self) -> tuple[str, ...]:
        """Kubernetes Network names in the order of the node pool's additional networks; empty without them."""
        return self.host_network_names + self.gpu_network_names if self.multi_network else ()

    @property
    def interfaces(self) -> tuple[tuple[str, str], ...]:
        """Pairs (interfaceName, network) of a pod that uses every GPU NIC; empty where annotations cannot.

        ``eth1`` is left to ``gvnic-1``, which a pod may add and does not need.
        """
        if not self.multi_network:
            return ()
        first = 1 + self.host_networks
        return (
            ("eth0", "default"),
            *((f"eth{first + n}", name) for n, name in enumerate(self.gpu_network_names)),
        )

    @property
    def gpu_nics(self) -> int:
        """Physical GPU NICs of a node."""
        return self.gpu_networks // self.functions_per_nic

    @property
    def nics(self) -> int:
        """All NICs of a node: the cluster's own, the further host networks, and those of the GPUs."""
        return 1 + self.host_networks + self.gpu_nics


def network_profile(zone: str, fabric: Fabric) -> str | None:
    """Return the name of the zone's RDMA network profile; None for a fabric of ordinary VPCs."""
    suffix = fabric.network_profile_suffix
    return None if suffix is None else f"{zone}-{suffix}"


FABRICS: Mapping[str, Fabric] = MappingProxyType(
    {
        "roce": Fabric(
            name="roce",
            nic_type="MRDMA",
            gpu_networks=8,
            host_networks=1,
            nic_gbps=400,
            mtu=8896,
            network_profile_suffix="vpc-roce",
            device_mode="RDMA",
            multi_network=True,
            dranet=True,
            device_class="mrdma.google.com",
            source="GKECUSTOM; RDMADOC; CT:modules/compute/gke-node-pool; XPK",
        ),
        "roce-a4x": Fabric(
            name="roce",
            nic_type="MRDMA",
            gpu_networks=4,
            host_networks=1,
            nic_gbps=400,
            mtu=8896,
            network_profile_suffix="vpc-roce",
            device_mode="RDMA",
            multi_network=True,
            dranet=True,
            device_class="mrdma.google.com",
            source="GKECUSTOMA4X; RDMADOC; CEA:gpudirect-rdma/nccl-test-imex-a4x.yaml; CT:examples/gke-a4x",
        ),
        "roce-metal": Fabric(
            name="roce-metal",
            nic_type="MRDMA",
            gpu_networks=8,
            host_networks=1,
            nic_gbps=800,
            functions_per_nic=2,
            mtu=8896,
            network_profile_suffix="vpc-roce-metal",
            device_mode="RDMA",
            multi_network=False,
            dranet=True,
            device_class="mrdma.google.com",
            source="GKECUSTOMMAX; RDMADOC; CT:modules/network/gpu-rdma-vpc/main.tf",
        ),
        "tcpxo": Fabric(
            name="tcpxo",
            nic_type="GVNIC",
            gpu_networks=8,
            host_networks=0,
            nic_gbps=200,
            mtu=8244,
            network_profile_suffix=None,
            device_mode="NetDevice",
            multi_network=True,
            dranet=True,
            device_class="netdev.google.com",
            source="CT:examples/gke-a3-megagpu; XPK",
        ),
        "tcpx": Fabric(
            name="tcpx",
            nic_type="GVNIC",
            gpu_networks=4,
            host_networks=0,
            nic_gbps=200,
            mtu=8244,
            network_profile_suffix=None,
            device_mode="NetDevice",
            multi_network=True,
            dranet=True,
            device_class="netdev.google.com",
            source="CT:examples/gke-a3-highgpu; XPK",
        ),
    }
)
"""Every fabric. A4X shares the name ``roce`` and has half the GPU networks, hence a key of its own."""
