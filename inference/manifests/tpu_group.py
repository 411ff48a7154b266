"""vLLM over the hosts of one TPU slice: Ray joins them, the leader serves, and all names follow from the topology.

vLLM's TPU platform spreads over hosts by Ray only. Every host runs the server's own image; the leader is Ray's head
and becomes ``vllm serve`` when all hosts are there, the others lend their chips. The chips of a slice are joined by
its own interconnect, so tensor parallelism spans the hosts.
"""

from __future__ import annotations

from inference.blueprint import ModelPlan, TpuPoolPlan
from inference.facts import controllers
from inference.manifests.objects import Manifest

__all__ = ["arguments", "environment", "over_hosts", "script", "tensor_parallel"]

_RAY_PORT = 6379
"""Port of Ray's head."""

_ALL_JOINED = """\
python3 -c 'import ray, time
ray.init(address="auto")
while sum(node["Alive"] for node in ray.nodes()) < {hosts}: time.sleep(5)'\
"""


def over_hosts(model: ModelPlan) -> bool:
    """Return whether the model runs on several hosts of a slice."""
    return model.multi_node and isinstance(model.pool, TpuPoolPlan)


def tensor_parallel(model: ModelPlan) -> int:
    """Return the tensor parallel size as vLLM counts it: in devices, of which a TPU7x chip shows two."""
    per_chip = model.pool.slice.generation.devices_per_chip if isinstance(model.pool, TpuPoolPlan) else 1
    return model.split.tensor * per_chip


def arguments() -> list[str]:
    """Return the options of ``vllm serve`` on the leader."""
    return ["--distributed-executor-backend", "ray"]


def environment(model: ModelPlan) -> list[Manifest]:
    """Return what tells the hosts which slice they are; the LeaderWorkerSet tells each which host it is."""
    if not isinstance(model.pool, TpuPoolPlan) or not model.multi_node:
        return []
    found = model.pool.slice
    return [
        {"name": "TPU_MULTIHOST_BACKEND", "value": "ray"},
        {"name": "TPU_ACCELERATOR_TYPE", "value": found.accelerator_type},
        {"name": "TPU_TOPOLOGY", "value": found.topology},
    ]


def script(model: ModelPlan, role: str, serve: str) -> list[str]:
    """Return the shell of a host.

    Args:
        model: the model.
        role: ``leader`` or ``worker``.
        serve: the command that serves.
    """
    if role == "worker":
        return [f"until ray start --address=$({controllers.LWS_LEADER_ENV}):{_RAY_PORT} --block; do sleep 5; done"]
    return [
        f"ray start --head --port={_RAY_PORT}",
        _ALL_JOINED.format(hosts=model.group_size),
        serve,
    ]
