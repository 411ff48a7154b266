"""GPUDirect-TCPXO on A3 Mega: what the nodes get, and the receive daemon beside each server.

The form follows Google's manifests (https://github.com/GoogleCloudPlatform/container-engine-accelerators,
gpudirect-tcpxo and nri_device_injector). The daemon moves what the NICs receive into the GPUs' memory. It asks for no
GPU, as the server has them all, so the device injector hands it the devices that an annotation of the pod names.
"""

from __future__ import annotations

from collections.abc import Iterable

from inference.facts import gke
from inference.facts.versions import COMPONENTS
from inference.manifests.node_software import PAUSE, node_daemon
from inference.manifests.objects import Manifest

__all__ = ["ENV_SCRIPT", "daemon", "daemon_volumes", "device_annotations", "device_injector", "installer"]

_DAEMON = "tcpxo-daemon"
"""Name of the receive daemon's container."""

LIBRARIES = f"{gke.HOST_NVIDIA}/lib64"
"""Folder on the node with the driver's libraries, NCCL and the plugin."""

ENV_SCRIPT = f"{gke.DRIVER_LIBRARY_PATH}/nccl-env-profile.sh"
"""Sets NCCL's variables; reads the folder of the plugin from NCCL_LIB_DIR."""

_PREPARE = """\
/sbin/iptables -I INPUT -p tcp -m tcp -j ACCEPT
modprobe import-helper
mkdir -p {devices}
lspci -nn -D | grep 1ae0:0084 | while read -r function rest; do
  mkdir -p {devices}/$function
  umount -R {devices}/$function
  mount --bind `readlink -f /sys/bus/pci/devices/$function` {devices}/$function
done
chmod -R a+r {devices}
chmod a+rw {devices}/*/resource*
"""
"""On the node itself: let the traffic in, load the module that shares GPU memory, show the NICs' memory windows."""

_INSTALL = """\
set -ex
/scripts/container_entry.sh install --install-nccl
mkdir -p /usr/local/nvidia/lib64
cp -r /var/lib/tcpxo/lib64/. /usr/local/nvidia/lib64
"""


def installer(accelerators: Iterable[str]) -> Manifest:
    """Return the DaemonSet that prepares the nodes and copies NCCL and the plugin to them."""
    prepare: Manifest = {
        "name": "prepare",
        "image": COMPONENTS["node-shell"].reference,
        "command": ["nsenter", "-at", "1", "--", "sh", "-c"],
        "args": [_PREPARE.format(devices=gke.TCPXO_APERTURE_DEVICES)],
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
        "securityContext": {"privileged": True},
    }
    install: Manifest = {
        "name": "install",
        "image": COMPONENTS["tcpxo-plugin"].reference,
        "command": ["/bin/sh", "-c"],
        "args": [_INSTALL],
        "resources": {"requests": {"cpu": "150m", "memory": "256Mi"}},
        "securityContext": {"privileged": True},
        "volumeMounts": [
            {"name": "var-lib", "mountPath": "/var/lib"},
            {"name": "libraries", "mountPath": "/usr/local"},
        ],
    }
    volumes = [_host("var-lib", "/var/lib"), _host("libraries", "/home/kubernetes/bin")]
    name = "nccl-tcpxo-installer"
    return node_daemon(name, accelerators, "amd64", prepare=[prepare, install], containers=[PAUSE], volumes=volumes)


def device_injector(accelerators: Iterable[str]) -> Manifest:
    """Return the DaemonSet that gives containers the devices that annotations name."""
    container: Manifest = {
        "name": "device-injector",
        "image": COMPONENTS["nri-device-injector"].reference,
        "resources": {"requests": {"cpu": "150m", "memory": "64Mi"}},
        "securityContext": {"privileged": True},
        "volumeMounts": [{"name": "dev", "mountPath": "/dev"}, {"name": "nri", "mountPath": "/var/run/nri"}],
    }
    volumes = [_host("dev", "/dev"), _host("nri", "/var/run/nri")]
    return node_daemon("device-injector", accelerators, "amd64", containers=[container], volumes=volumes)


def device_annotations(gpus: int) -> dict[str, str]:
    """Return the annotation that gives the daemon all GPUs of the node."""
    devices = [f"nvidia{index}" for index in range(gpus)] + ["nvidiactl", "nvidia-uvm", "dmabuf_import_helper"]
    return {f"{gke.DEVICES_ANNOTATION_PREFIX}{_DAEMON}": "".join(f"- path: /dev/{device}\n" for device in devices)}


def daemon() -> Manifest:
    """Return the receive daemon, which starts before the server and ends after it."""
    return {
        "name": _DAEMON,
        "image": COMPONENTS["tcpxo-rxdm"].reference,
        "imagePullPolicy": "IfNotPresent",
        "restartPolicy": "Always",
        "command": ["/bin/sh", "-c"],
        "args": ["exec /bin/bash /fts/entrypoint_rxdm_container.sh --num_hops=2"],
        "env": [{"name": "LD_LIBRARY_PATH", "value": gke.DRIVER_LIBRARY_PATH}],
        "resources": {"requests": {"cpu": "4", "memory": "8Gi"}},
        "securityContext": {"capabilities": {"add": ["NET_ADMIN", "NET_BIND_SERVICE"]}},
        "volumeMounts": [
            {"name": "libraries", "mountPath": gke.DRIVER_LIBRARY_PATH},
            {"name": "sys", "mountPath": "/hostsysfs"},
            {"name": "proc-sys", "mountPath": "/hostprocsysfs"},
        ],
    }


def daemon_volumes() -> tuple[Manifest, ...]:
    """Return what the daemon and the server mount from the node."""
    return (
        _host("libraries", LIBRARIES),
        _host("aperture-devices", gke.TCPXO_APERTURE_DEVICES),
        _host("sys", "/sys"),
        _host("proc-sys", "/proc/sys"),
    )


def _host(name: str, path: str) -> Manifest:
    return {"name": name, "hostPath": {"path": path}}
