"""The test of the fabric: an NCCL all-gather between whole nodes, whose bandwidth must reach a minimum.

One pod a node runs a secure shell server; the first starts the ranks over it with MPI, compares the bus bandwidth that
NCCL's own test prints, and tells the others that it is done. The form follows the jobs that Google publishes
(https://github.com/GoogleCloudPlatform/cluster-toolkit, examples/gke-a3-ultragpu/nccl-jobset-example.yaml).
"""

from __future__ import annotations

from inference.blueprint import GpuPoolPlan
from inference.facts import gke
from inference.facts.versions import COMPONENTS
from inference.manifests.fabric import fabric_parts, placement
from inference.manifests.objects import Manifest, metadata, object_
from inference.manifests.server_pods import SHARED_MEMORY_MOUNT, shared_memory
from inference.settings.pools import AcceptanceSettings

__all__ = ["DEADLINE_SECONDS", "job", "service"]

DEADLINE_SECONDS = 3600
"""When a test that does not end has failed: nodes that come, drivers and images take most of it."""

_TOO_SLOW = 3
"""Exit status of a test that ran and fell short, which no repetition mends."""

_SSH_PORT = 222
"""Port on which the image's own server listens."""

_SCRIPT = """\
set -eo pipefail
{prepare}
/scripts/container_entry.sh daemon &
reach() {{ ssh -q -p {port} -o StrictHostKeyChecking=no -o ConnectTimeout=5 "$@"; }}
if [ "$JOB_COMPLETION_INDEX" != 0 ]; then
  until [ -e /tmp/done ]; do sleep 5; done
  exit 0
fi
for index in `seq 0 {last}`; do
  peer={name}-$index.{name}
  until reach $peer true; do echo waiting for $peer; sleep 5; done
  address=`getent hosts $peer | awk '{{ print $1; exit }}'`
  echo $address port={port} slots={slots} >> /tmp/hostfile
done
status=0
mpirun --hostfile /tmp/hostfile \\
  `compgen -e | awk '/^(NCCL|OMPI)_|^LD_LIBRARY_PATH$|^PATH$/ {{ printf "-x %s ", $1 }}'` \\
  --mca plm_rsh_no_tree_spawn 1 --mca btl self,tcp --mca btl_tcp_if_include eth0 --bind-to none \\
  --mca plm_rsh_agent 'ssh -q -p {port} -o StrictHostKeyChecking=no' \\
  /third_party/nccl-tests/build/all_gather_perf -b 1G -e 8G -f 2 -g 1 -w 5 --iters 20 -c 1 \\
  | tee /tmp/result || status=1
if [ $status = 0 ]; then
  average=`awk '/Avg bus bandwidth/ {{ print $NF }}' /tmp/result`
  awk -v a="$average" 'BEGIN {{ exit !(a >= {minimum}) }}' || status={too_slow}
  echo "bus bandwidth $average GB/s, at least {minimum:g} wanted"
fi
for index in `seq 1 {last}`; do reach {name}-$index.{name} touch /tmp/done || true; done
exit $status
"""


def _name(pool: GpuPoolPlan) -> str:
    return f"{pool.name}-acceptance"


def _labels(pool: GpuPoolPlan) -> dict[str, str]:
    return {"app.kubernetes.io/name": "nccl-acceptance", "app.kubernetes.io/instance": pool.name}


def service(pool: GpuPoolPlan) -> Manifest:
    """Return the headless Service by whose name the pods find each other before they are ready."""
    return object_(
        "v1",
        "Service",
        metadata(_name(pool), labels=_labels(pool), annotations={"pulumi.com/skipAwait": "true"}),
        spec={
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": _labels(pool),
            "ports": [{"name": "ssh", "port": _SSH_PORT, "targetPort": _SSH_PORT, "protocol": "TCP"}],
        },
    )


def job(pool: GpuPoolPlan, test: AcceptanceSettings) -> Manifest:
    """Return the test. It counts as failed at once where the nodes are too slow, and starts anew where a pod was lost.

    A failed Job is replaced at the next update, because it never runs again by itself.
    """
    parts = fabric_parts(pool, collective=True)
    amount = {gke.GPU_RESOURCE: str(pool.per_node)}
    image = COMPONENTS["gib-diagnostic" if pool.machine.arch == "amd64" else "gib-diagnostic-arm64"].reference
    script = _SCRIPT.format(
        prepare="\n".join(parts.script),
        port=_SSH_PORT,
        last=test.nodes - 1,
        name=_name(pool),
        slots=pool.per_node,
        minimum=test.minimum_bus_bandwidth,
        too_slow=_TOO_SLOW,
    )
    claims: Manifest = {"claims": parts.container_claims} if parts.claims else {}
    container: Manifest = {
        "name": "nccl",
        "image": image,
        "command": ["/bin/bash", "-c"],
        "args": [script],
        "env": [
            {"name": "LD_LIBRARY_PATH", "value": gke.DRIVER_LIBRARY_PATH},
            {"name": "NCCL_NET", "value": "gIB"},
            {"name": "OMPI_ALLOW_RUN_AS_ROOT", "value": "1"},
            {"name": "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "value": "1"},
        ],
        "ports": [{"name": "ssh", "containerPort": _SSH_PORT, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "8", "memory": "64Gi", **amount}, "limits": amount, **claims},
        "volumeMounts": [SHARED_MEMORY_MOUNT, *parts.mounts],
        "securityContext": parts.security,
    }
    spec: Manifest = {
        "subdomain": _name(pool),
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        **placement(pool),
        "containers": [container],
        "volumes": [shared_memory(32), *parts.volumes],
    }
    if parts.claims:
        spec["resourceClaims"] = parts.pod_claims
    template: Manifest = {"labels": _labels(pool), **({"annotations": parts.annotations} if parts.annotations else {})}
    lost = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    slow = {"containerName": "nccl", "operator": "In", "values": [_TOO_SLOW]}
    return object_(
        "batch/v1",
        "Job",
        metadata(_name(pool), labels=_labels(pool), annotations={"pulumi.com/replaceUnready": "true"}),
        spec={
            "completionMode": "Indexed",
            "completions": test.nodes,
            "parallelism": test.nodes,
            "backoffLimit": test.nodes,
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            "podFailurePolicy": {"rules": [lost, {"action": "FailJob", "onExitCodes": slow}]},
            "template": {"metadata": template, "spec": spec},
        },
    )
