"""What pods that use accelerators have in common: probes, an end that drops no request, and shared memory."""

from __future__ import annotations

from dataclasses import dataclass

from inference.manifests.objects import Manifest
from inference.startup import PROBE_PERIOD

__all__ = ["SHARED_MEMORY_MOUNT", "Ending", "ending", "probes", "shared_memory"]

SHARED_MEMORY_MOUNT = {"name": "shm", "mountPath": "/dev/shm"}  # noqa: S108 - a mount, no file
"""Where the container finds the volume that ``shared_memory`` returns."""

_MARGIN_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Ending:
    """How a pod is stopped."""

    serving: int
    """Seconds that it keeps serving, until load balancer and nodes have taken it out."""
    finishing: int
    """Seconds that the server then has for what it has begun."""

    @property
    def grace_seconds(self) -> int:
        """Grace period of the pod."""
        return self.serving + self.finishing + _MARGIN_SECONDS

    @property
    def lifecycle(self) -> Manifest:
        """Hooks of the server's container."""
        return {"preStop": {"exec": {"command": ["sleep", str(self.serving)]}}}


def ending(*, spot: bool) -> Ending:
    """Return how a server's pods end; a spot node is taken after 30 seconds, of which the kubelet leaves pods 25."""
    return Ending(5, 10) if spot else Ending(20, 60)


def probes(port: str, *, ready: str, live: str, failure_threshold: int) -> Manifest:
    """Return the probes of a server's container.

    Args:
        port: name of the port that answers.
        ready: path that answers once requests can be taken.
        live: path that answers as long as the process works.
        failure_threshold: failures of the start-up probe that are allowed.
    """
    asked, alive = ({"httpGet": {"path": path, "port": port}, "timeoutSeconds": 5} for path in (ready, live))
    return {
        "startupProbe": {**asked, "periodSeconds": PROBE_PERIOD, "failureThreshold": failure_threshold},
        "readinessProbe": {**asked, "periodSeconds": 5, "failureThreshold": 3},
        "livenessProbe": {**alive, "periodSeconds": PROBE_PERIOD, "failureThreshold": 6},
    }


def shared_memory(gib: int) -> Manifest:
    """Return the volume behind /dev/shm, where NCCL and the workers of a server exchange buffers."""
    return {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": f"{gib}Gi"}}
