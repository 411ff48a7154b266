"""The DaemonSet that puts Google's NCCL plugin for RDMA (gIB) onto the nodes, pinned by digest."""

from __future__ import annotations

from collections.abc import Iterable

from inference.facts import gke
from inference.facts.versions import COMPONENTS
from inference.manifests.node_software import PAUSE, node_daemon
from inference.manifests.objects import Manifest

__all__ = ["daemon_set"]

_TARGET = "/usr/local"
"""Where the image's own script expects the node's folders."""


def daemon_set(accelerators: Iterable[str], arch: str) -> Manifest:
    """Return the installer for nodes with these GPU types.

    Args:
        accelerators: values of the node label ``cloud.google.com/gke-accelerator``.
        arch: ``amd64`` or ``arm64``; the image differs.
    """
    name = f"nccl-rdma-installer{'' if arch == 'amd64' else f'-{arch}'}"
    image = COMPONENTS["gib" if arch == "amd64" else "gib-arm64"].reference
    script = (
        "set -ex\n"
        "/scripts/container_entry.sh install\n"
        f"cp -r {gke.GIB_IMAGE_PATH}/lib64/. {_TARGET}{gke.HOST_NVIDIA}/lib64\n"
        f"cp -r {gke.GIB_IMAGE_PATH}/. {_TARGET}{gke.HOST_GIB}\n"
    )
    installer = {
        "name": "install",
        "image": image,
        "command": ["/bin/sh", "-c"],
        "args": [script],
        "resources": {"requests": {"cpu": "150m", "memory": "256Mi"}},
        "securityContext": {"privileged": True},
        "volumeMounts": [
            {"name": "libraries", "mountPath": f"{_TARGET}{gke.HOST_NVIDIA}/lib64"},
            {"name": "gib", "mountPath": f"{_TARGET}{gke.HOST_GIB}"},
        ],
    }
    volumes = [
        {"name": "libraries", "hostPath": {"path": f"{gke.HOST_NVIDIA}/lib64", "type": "DirectoryOrCreate"}},
        {"name": "gib", "hostPath": {"path": gke.HOST_GIB, "type": "DirectoryOrCreate"}},
    ]
    return node_daemon(name, accelerators, arch, prepare=[installer], containers=[PAUSE], volumes=volumes)
