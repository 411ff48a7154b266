"""Changes between two small stacks, written as the digests of anybody's program."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rehearsal import digests
from rehearsal.diffs import compare
from rehearsal.plan import Plan
from rehearsal.review.change import Side, StackChange
from rehearsal.verdict import Verdict

__all__ = ["between", "cluster", "deployment", "gateway", "plan", "pool", "resource"]

State = dict[str, Any]


def resource(token: str, name: str, inputs: Mapping[str, Any] | None = None, **more: Any) -> State:
    """Return a resource's state."""
    urn = f"urn:pulumi:dev::house::{token}::{name}"
    return {"urn": urn, "custom": True, "type": token, "inputs": dict(inputs or {}), **more}


def plan(states: Sequence[State]) -> Plan:
    """Return a plan with these resources."""
    steps = [{"op": "same", "urn": state["urn"], "newState": state} for state in states]
    return digests.loads(json.dumps({"steps": steps}), "test")


def between(before: Sequence[State] | None, after: Sequence[State] | None) -> StackChange:
    """Return the change from one to the other; ``None`` where there is no such revision."""
    old, new = plan(before or ()), plan(after or ())
    return StackChange(
        "dev",
        None if before is None else Side(old),
        None if after is None else Side(new),
        compare(old, new),
        Verdict(),
    )


def cluster(**inputs: Any) -> State:
    """Return a cluster without a default pool."""
    made = {"name": "main", "location": "us-central1", "removeDefaultNodePool": True, "deletionProtection": False}
    return resource("gcp:container/cluster:Cluster", "main", {**made, **inputs})


def pool(name: str = "gpus", nodes: int = 2, *, config: Mapping[str, Any] | None = None, **inputs: Any) -> State:
    """Return a pool of H200 machines in one zone."""
    made = {
        "name": name,
        "cluster": "main",
        "location": "us-central1",
        "nodeLocations": ["us-central1-b"],
        "nodeCount": nodes,
        "nodeConfig": {
            "machineType": "a3-ultragpu-8g",
            "guestAccelerators": [{"type": "nvidia-h200-141gb", "count": 8}],
            **(config or {}),
        },
    }
    more = {key: inputs.pop(key) for key in ("protect", "retainOnDelete", "replaceOnChanges") if key in inputs}
    return resource("gcp:container/nodePool:NodePool", name, {**made, **inputs}, **more)


def deployment(
    *, replicas: int = 1, image: str = "vllm/vllm-openai:v0.11.0", arguments: Sequence[str] = (), gpus: int = 8,
    strategy: Mapping[str, Any] | None = None, selector: str = "gpus", env: Sequence[Mapping[str, Any]] = (),
) -> State:  # fmt: skip
    """Return a Deployment that serves a model on a pool."""
    container = {
        "name": "vllm",
        "image": image,
        "command": ["vllm", "serve"],
        "args": ["acme/model", *arguments],
        "env": list(env),
        "resources": {"limits": {"nvidia.com/gpu": str(gpus)}},
        "startupProbe": {"periodSeconds": 10, "failureThreshold": 90},
    }
    spec = {
        "replicas": replicas,
        "template": {
            "metadata": {"labels": {"app": "model"}},
            "spec": {
                "nodeSelector": {"cloud.google.com/gke-nodepool": selector},
                "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
                "containers": [container],
            },
        },
        **({"strategy": dict(strategy)} if strategy else {}),
    }
    inputs = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "model"}, "spec": spec}
    return resource("kubernetes:apps/v1:Deployment", "model", inputs)


def gateway(class_name: str) -> State:
    """Return a gateway of a class."""
    inputs = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "front"},
        "spec": {"gatewayClassName": class_name, "listeners": [{"name": "https", "protocol": "HTTPS", "port": 443}]},
    }
    return resource("kubernetes:gateway.networking.k8s.io/v1:Gateway", "front", inputs)
