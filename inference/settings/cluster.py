"""The cluster: where it runs, which release it follows, which addresses it takes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from inference.settings.vocabulary import Cidr, DnsLabel, KubernetesMinor, Location, ProjectId, Section

__all__ = ["ClusterSettings", "MaintenanceWindow", "NetworkRanges", "SystemPoolSettings"]


class NetworkRanges(Section):
    """The address table of the platform. Ranges are disjoint across all its VPCs."""

    nodes: Cidr = "10.0.0.0/20"
    """Primary range of the platform subnet: nodes and internal load balancers."""
    pods: Cidr = "10.4.0.0/14"
    """Secondary range for pods; each node takes a /24."""
    services: Cidr = "10.0.32.0/20"
    """Secondary range for Kubernetes Services."""
    proxies: Cidr = "10.1.16.0/23"
    """Proxy-only subnet of the regional gateway, in the cluster's VPC and region (/26 or larger)."""
    host_nics: Cidr = "192.168.64.0/18"
    """Second host NIC (gVNIC) of RDMA machines, in a VPC of its own."""
    rdma: Cidr = "192.168.128.0/18"
    """RDMA NICs; split into one subnet per NIC."""


class SystemPoolSettings(Section):
    """The CPU nodes for controllers, endpoint pickers and cluster add-ons."""

    machine_type: Annotated[str, Field(examples=["e2-standard-4"])] = "e2-standard-4"
    """Compute Engine machine type without accelerator."""
    min_nodes: Annotated[int, Field(ge=1, le=100)] = 1
    """Fewest nodes, over all zones."""
    max_nodes: Annotated[int, Field(ge=1, le=100)] = 3
    """Most nodes, over all zones."""


class MaintenanceWindow(Section):
    """When GKE may upgrade the cluster. GKE asks for at least 48 hours in any 32 days."""

    start: Annotated[str, Field(pattern=r"^\d{2}:\d{2}$", examples=["02:00"])] = "02:00"
    """Start of the window, UTC."""
    hours: Annotated[int, Field(ge=4, le=24)] = 8
    """Length of the window."""
    days: Annotated[
        tuple[Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"], ...], Field(min_length=1, strict=False)
    ] = ("SA", "SU")
    """Days on which the window opens."""


class ClusterSettings(Section):
    """One VPC-native GKE Standard cluster with Dataplane V2, workload identity and private nodes."""

    project: ProjectId
    """Project that owns everything the stack creates."""
    location: Location
    """A zone for a zonal control plane (cheap), a region for a regional one (survives a zone)."""
    environment: Literal["development", "production"]
    """Production locks the cluster and its accelerator pools and refuses debug settings."""
    locked: bool | None = None
    """Whether deleting or replacing the cluster and its accelerator pools is refused; left out, true in production.

    To replace or destroy on purpose, set it to false and update once before.
    """
    name: DnsLabel | None = None
    """Name of the cluster; left out, it is made from the stack's name."""
    release_channel: Literal["RAPID", "REGULAR", "STABLE", "EXTENDED"] = "REGULAR"
    """GKE release channel."""
    version: KubernetesMinor = "1.35"
    """Kubernetes minor version; the channel chooses the patch."""
    network: NetworkRanges = NetworkRanges()
    """Address ranges; change them only where they meet other networks of yours."""
    isolated: bool = False
    """Whether the models' namespace denies all traffic but what the stack itself needs (network policies).

    Namespaces with the label ``gke-inference/clients: "true"`` may then call the models; no other pod may.
    """
    system_pool: SystemPoolSettings = SystemPoolSettings()
    """CPU nodes."""
    maintenance_window: MaintenanceWindow = MaintenanceWindow()
    """When GKE may upgrade."""
