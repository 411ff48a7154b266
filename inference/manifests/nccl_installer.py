"""The DaemonSet that puts Google's NCCL plugin for RDMA (gIB) onto the nodes, pinned by digest."""

from __future__ import annotations

from collections.abc import Iterable

from inference.facts import gke
from inference.facts.versions import COMPONENTS
from inference.manifests.objects import Manifest, metadata, object_

__all__ = ["NAMESPACE", "daemon_set"]

NAMESPACE = "kube-system"
"""Namespace of the installer: its priority class is allowed there without a quota."""

_PAUSE = "gke.gcr.io/pause:3.8@sha256:880e63f94b145e46f1b1082bb71b85e21f16b99b180b9996407d61240ceb9830"
"""https://github.com/GoogleCloudPlatform/container-engine-accelerators, gpudirect-rdma/nccl-rdma-installer.yaml."""

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
    labels = {"app.kubernetes.io/name": name}
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
    requirements = [
        {"key": gke.ACCELERATOR_LABEL, "operator": "In", "values": sorted(accelerators)},
        {"key": gke.ARCH_LABEL, "operator": "In", "values": [arch]},
    ]
    return object_(
        "apps/v1",
        "DaemonSet",
        metadata(name, namespace=NAMESPACE, labels=labels),
        spec={
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate"},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "priorityClassName": "system-node-critical",
                    "affinity": {
                        "nodeAffinity": {
                            "requiredDuringSchedulingIgnoredDuringExecution": {
                                "nodeSelectorTerms": [{"matchExpressions": requirements}]
                            }
                        }
                    },
                    "tolerations": [{"operator": "Exists"}],
                    "hostNetwork": True,
                    "hostPID": True,
                    "dnsPolicy": "ClusterFirstWithHostNet",
                    "initContainers": [installer],
                    "containers": [
                        {
                            "name": "pause",
                            "image": _PAUSE,
                            "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}},
                        }
                    ],
                    "volumes": [
                        {
                            "name": "libraries",
                            "hostPath": {"path": f"{gke.HOST_NVIDIA}/lib64", "type": "DirectoryOrCreate"},
                        },
                        {"name": "gib", "hostPath": {"path": gke.HOST_GIB, "type": "DirectoryOrCreate"}},
                    ],
                },
            },
        },
    )
