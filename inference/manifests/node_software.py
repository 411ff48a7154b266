"""DaemonSets that put software onto nodes, pinned by digest where one is known, each once a node and then at rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inference.facts import gke
from inference.manifests.objects import Manifest, metadata, object_

__all__ = ["NAMESPACE", "PAUSE", "node_daemon"]

NAMESPACE = "kube-system"
"""Namespace of the installers: their priority class is allowed there without a quota."""

_IMAGE = "gke.gcr.io/pause:3.8@sha256:880e63f94b145e46f1b1082bb71b85e21f16b99b180b9996407d61240ceb9830"
"""https://github.com/GoogleCloudPlatform/container-engine-accelerators, gpudirect-rdma/nccl-rdma-installer.yaml."""

PAUSE: Manifest = {"name": "pause", "image": _IMAGE, "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}}}
"""Container of a pod whose work is done when it starts."""


def node_daemon(
    name: str,
    accelerators: Iterable[str],
    arch: str,
    *,
    containers: Sequence[Manifest],
    volumes: Sequence[Manifest],
    prepare: Sequence[Manifest] = (),
) -> Manifest:
    """Return a DaemonSet for all nodes with these GPU types, whatever their taints.

    Args:
        name: name of the DaemonSet and of its pods' label.
        accelerators: values of the node label ``cloud.google.com/gke-accelerator``.
        arch: ``amd64`` or ``arm64``.
        containers: what runs.
        volumes: what it mounts.
        prepare: what runs before, once.
    """
    labels = {"app.kubernetes.io/name": name}
    requirements = [
        {"key": gke.ACCELERATOR_LABEL, "operator": "In", "values": sorted(accelerators)},
        {"key": gke.ARCH_LABEL, "operator": "In", "values": [arch]},
    ]
    terms = [{"matchExpressions": requirements}]
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
                            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms},
                        }
                    },
                    "tolerations": [{"operator": "Exists"}],
                    "hostNetwork": True,
                    "hostPID": True,
                    "dnsPolicy": "ClusterFirstWithHostNet",
                    **({"initContainers": list(prepare)} if prepare else {}),
                    "containers": list(containers),
                    "volumes": list(volumes),
                },
            },
        },
    )
