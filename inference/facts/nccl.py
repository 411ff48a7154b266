"""The NCCL plugins of the fabrics: their images, installers and settings, and which image goes with which GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from inference.facts.machines import MACHINES

__all__ = ["NCCL_SCRIPTS", "PLUGINS", "SCRIPT_ENV", "TUNER_FILES", "Plugin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One build of a plugin, which a DaemonSet puts on the nodes or an init container into a pod."""

    name: str
    """As in COMPONENTS: ``gib``, ``gib-arm64``, ``tcpxo-plugin``, ``tcpx-plugin``."""
    image: str
    """End of the image's repository."""
    manifests: tuple[str, ...]
    """File names of its installers in GoogleCloudPlatform/container-engine-accelerators."""
    accelerators: frozenset[str]
    """GPU types of the nodes that it is made for."""
    source: str


def _gpus(fabric: str, arch: str = "amd64") -> frozenset[str]:
    return frozenset(
        machine.accelerator
        for machine in MACHINES.values()
        if machine.accelerator and machine.fabric and machine.fabric.name == fabric and machine.arch == arch
    )


PLUGINS: Mapping[str, Plugin] = MappingProxyType(
    {
        plugin.name: plugin
        for plugin in (
            Plugin(
                name="gib",
                image="/nccl-plugin-gib",
                manifests=("nccl-rdma-installer.yaml", "nccl-rdma-installer-autopilot.yaml"),
                accelerators=_gpus("roce"),
                source="CEA:gpudirect-rdma",
            ),
            Plugin(
                name="gib-arm64",
                image="/nccl-plugin-gib-arm64",
                manifests=("nccl-rdma-installer-a4x.yaml",),
                accelerators=_gpus("roce", "arm64"),
                source="CEA:gpudirect-rdma",
            ),
            Plugin(
                name="tcpxo-plugin",
                image="/gpudirect-tcpxo/nccl-plugin-gpudirecttcpx-dev",
                manifests=("nccl-tcpxo-installer.yaml", "nccl-tcpxo-installer-autopilot.yaml"),
                accelerators=_gpus("tcpxo"),
                source="CEA:gpudirect-tcpxo",
            ),
            Plugin(
                name="tcpx-plugin",
                image="/gpudirect-tcpx/nccl-plugin-gpudirecttcpx-dev",
                manifests=("nccl-tcpx-installer.yaml", "nccl-tcpx-installer-autopilot.yaml"),
                accelerators=_gpus("tcpx"),
                source="CEA:gpudirect-tcpx",
            ),
        )
    }
)
"""Every plugin by its name. A4X Max has none: gIB is inside the image of the workload."""

NCCL_SCRIPTS = ("set_nccl_env.sh", "nccl-env-profile.sh")
"""Scripts that set NCCL's variables, of gIB and of TCPXO, to source in the server's own shell (source CEA; AICR)."""

SCRIPT_ENV: Mapping[str, str] = MappingProxyType(
    {
        "NCCL_NET": "gIB",
        "NCCL_CROSS_NIC": "0",
        "NCCL_NET_GDR_LEVEL": "PIX",
        "NCCL_P2P_NET_CHUNKSIZE": "131072",
        "NCCL_NVLS_CHUNKSIZE": "524288",
        "NCCL_IB_ADAPTIVE_ROUTING": "1",
        "NCCL_IB_QPS_PER_CONNECTION": "4",
        "NCCL_IB_TC": "52",
        "NCCL_IB_FIFO_TC": "84",
    }
)
"""What set_nccl_env.sh sets on every family: values on which several configurations agree; the script's own text was
not read (source RECIPES). From v1.1.2 on gIB sets them itself with NCCL 2.28.7 and newer (source GIBX86)."""

TUNER_FILES: Mapping[str, str] = MappingProxyType(
    {"tuner_config_a3u.txtpb": "nvidia-h200-141gb", "tuner_config_a4.txtpb": "nvidia-b200"}
)
"""File of NCCL_TUNER_CONFIG_PATH to the GPU type it is made for (source RECIPES)."""
