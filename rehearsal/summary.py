"""What a stack is, in a few lines: read from what the program asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rehearsal.plan import Plan, ResourceState
from rehearsal.texts import plural

__all__ = ["summarize"]

_OURS = "gke-inference:index:"
_NODE_POOL = "gcp:container/nodePool:NodePool"
_CLUSTER = "gcp:container/cluster:Cluster"


def summarize(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield label and text of each line."""
    yield "Kinds", ", ".join(_kinds(plan))
    for state in plan.of_type(_CLUSTER):
        yield "Cluster", f"{state.inputs.get('name', state.name)} in {state.inputs.get('location', 'the region')}"
    for state in plan.of_type(_NODE_POOL):
        yield "Pool", f"{state.name}: {_machine(state)} × {_nodes(state)}"
    for state in plan:
        if state.type.startswith(_OURS) and "model" in state.inputs and "replicas" in state.inputs:
            yield "Model", _model(state)
        elif state.type.startswith(_OURS) and "hostname" in state.inputs:
            exposure = state.inputs.get("exposure", "")
            yield "Gateway", f"https://{state.inputs['hostname']} ({exposure})" if exposure else ""


def _kinds(plan: Plan) -> Iterator[str]:
    counts = Counter("component" if not step.state.custom else _package(step.state) for step in plan.shown)
    for kind, count in counts.most_common():
        yield plural(count, kind) if kind in ("component", "provider") else f"{count:,} {kind}"


def _package(state: ResourceState) -> str:
    parts = state.type.split(":")
    return "provider" if parts[:2] == ["pulumi", "providers"] else parts[0]


def _machine(state: ResourceState) -> str:
    config = state.inputs.get("nodeConfig")
    if not isinstance(config, dict):
        return "the default machine"
    machine = str(config.get("machineType", "the default machine"))
    accelerators = config.get("guestAccelerators")
    if isinstance(accelerators, list) and accelerators and isinstance(accelerators[0], dict):
        machine += f" with {accelerators[0].get('count', '?')} {accelerators[0].get('type', 'accelerators')}"
    return machine


def _nodes(state: ResourceState) -> str:
    scaling = state.inputs.get("autoscaling")
    if isinstance(scaling, dict):
        lowest = scaling.get("totalMinNodeCount", scaling.get("minNodeCount", 0))
        highest = scaling.get("totalMaxNodeCount", scaling.get("maxNodeCount", "?"))
        return f"{lowest}–{highest} nodes"
    count = state.inputs.get("nodeCount", state.inputs.get("initialNodeCount", 1))
    return plural(count, "node") if isinstance(count, int) else f"{count} nodes"


def _model(state: ResourceState) -> str:
    replicas, accelerators, size = (state.inputs.get(key) for key in ("replicas", "accelerators", "groupSize"))
    copies = plural(replicas, "replica") if isinstance(replicas, int) else f"{replicas} replicas"
    role = state.inputs.get("role")
    text = f"{state.inputs['model']}{f' ({role})' if role else ''}: {copies}"
    if isinstance(accelerators, int):
        text += f" of {plural(accelerators, 'accelerator')}"
        if isinstance(size, int) and size > 1:
            text += f" on each of {size} nodes"
    return text
