"""A small scheduler: which pod of a plan goes to which node, and how much of each accelerator stays free.

Nodes are those that the pools may have at most, with what GKE leaves to pods, the labels and taints that GKE adds, the
networks that the pool attaches and the devices that a claim may take. GKE's own system pods are not counted; charts are
not unpacked, so their pods are not placed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from inference.facts import controllers, gke
from inference.facts.machines import Machine, allocatable, machine
from inference.facts.tpus import TpuGeneration, generation_of_machine
from rehearsal.plan import Plan, ResourceState
from tests.support.workloads import Pod, daemon_sets, manifests, pods

__all__ = ["Node", "Placement", "nodes", "place"]

_POOL = "gcp:container/nodePool:NodePool"
_ACCELERATORS = (gke.GPU_RESOURCE, gke.TPU_RESOURCE)
_GIB = 2**30
_UNKNOWN_ROOM = (float("inf"), float("inf"))
_EFFECTS = {"NO_SCHEDULE": "NoSchedule", "NO_EXECUTE": "NoExecute", "PREFER_NO_SCHEDULE": "PreferNoSchedule"}


@dataclass
class Node:
    """One node, and what runs on it."""

    name: str
    machine: str
    labels: dict[str, str]
    taints: list[tuple[str, str, str]]
    """Key, value, effect."""
    free: dict[str, float]
    """CPU cores, bytes of memory, accelerators, ``network/<name>`` and ``device/<class>``."""
    pods: list[Pod] = field(default_factory=list)

    def refuses(self, pod: Pod, plan: _Objects) -> str:
        """Return why a pod cannot run here; nothing where it can."""
        if missing := _unmet(pod.spec, self.labels):
            return f"label {missing}"
        for key, value, effect in self.taints:
            if effect != "PreferNoSchedule" and not _tolerated(pod.spec.get("tolerations") or [], key, value, effect):
                return f"taint {key}={value}"
        for name, amount in plan.wanted(pod).items():
            if amount > self.free.get(name, 0.0) + 1e-9:
                return f"{name} {amount:g} of {self.free.get(name, 0.0):g} free"
        return ""

    def take(self, pod: Pod, plan: _Objects) -> None:
        """Let a pod run here."""
        for name, amount in plan.wanted(pod).items():
            self.free[name] -= amount
        self.pods.append(pod)

    def leave(self, pod: Pod, plan: _Objects) -> None:
        """Let a pod end."""
        for name, amount in plan.wanted(pod).items():
            self.free[name] += amount
        self.pods.remove(pod)


@dataclass
class _Objects:
    """What pods name."""

    devices: Mapping[str, Mapping[str, int]]
    """Devices by class, by the claim template that takes them; none for a template that a driver makes."""
    networks: Mapping[str, Mapping[str, Any]]
    """The GKENetworkParamSet of each Network."""

    @classmethod
    def of(cls, plan: Plan) -> _Objects:
        found = manifests(plan)
        devices: dict[str, dict[str, int]] = {}
        for thing in found:
            if thing["kind"] == "ResourceClaimTemplate":
                asked = [request["exactly"] for request in thing["spec"]["spec"]["devices"]["requests"]]
                devices[thing["metadata"]["name"]] = {each["deviceClassName"]: each["count"] for each in asked}
            elif thing["kind"] == "ComputeDomain":
                devices[thing["spec"]["channel"]["resourceClaimTemplate"]["name"]] = {}
        params = {thing["metadata"]["name"]: thing["spec"] for thing in found if thing["kind"] == "GKENetworkParamSet"}
        declared = {t["metadata"]["name"]: t["spec"] for t in found if t["kind"] == "Network"}
        return cls(devices, {name: params[spec["parametersRef"]["name"]] for name, spec in declared.items()})

    def wanted(self, pod: Pod) -> dict[str, float]:
        """Return everything that a pod takes of its node."""
        taken = pod.requests
        taken.update({f"network/{name}": 1.0 for name in pod.networks})
        for claim in pod.claims:
            for kind, count in self.devices.get(claim, {f"of the missing template {claim}": 1}).items():
                taken[f"device/{kind}"] = taken.get(f"device/{kind}", 0.0) + count
        return taken


def _terms(spec: Mapping[str, Any]) -> list[list[Mapping[str, Any]]]:
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {}
    return [term.get("matchExpressions") or [] for term in affinity.get("nodeSelectorTerms") or []]


def _unmet(spec: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    for key, value in (spec.get("nodeSelector") or {}).items():
        if labels.get(key) != value:
            return f"{key}={value}"
    terms = _terms(spec)
    if terms and not any(all(_holds(each, labels) for each in term) for term in terms):
        return " or ".join(f"{each['key']} {each['operator']} {each.get('values', [])}" for t in terms for each in t)
    return ""


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or []
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case other:
            raise AssertionError(f"operator {other} is not known")


def _tolerated(tolerations: Iterable[Mapping[str, Any]], key: str, value: str, effect: str) -> bool:
    return any(
        each.get("key") in {None, key}
        and (each.get("operator") == "Exists" or (each.get("key") == key and each.get("value", "") == value))
        and each.get("effect") in {None, "", effect}
        for each in tolerations
    )


def nodes(plan: Plan) -> Iterator[Node]:
    """Yield every node that the pools of a plan may have."""
    objects = _Objects.of(plan)
    for state in sorted(plan.of_type(_POOL), key=lambda state: state.name):
        made = _node(state, objects)
        for index in range(_count(state.inputs)):
            yield Node(f"{state.name}-{index}", made.machine, dict(made.labels), list(made.taints), dict(made.free))


def _count(pool: Mapping[str, Any]) -> int:
    scaling, zones = pool.get("autoscaling") or {}, len(pool.get("nodeLocations") or []) or 1
    if scaling.get("totalMaxNodeCount"):
        return int(scaling["totalMaxNodeCount"])
    return int(scaling.get("maxNodeCount") or pool.get("nodeCount") or pool.get("initialNodeCount") or 0) * zones


def _node(state: ResourceState, objects: _Objects) -> Node:
    pool: Mapping[str, Any] = state.inputs
    config = pool["nodeConfig"]
    name = str(config["machineType"])
    known, generation = machine(name), generation_of_machine(name)
    labels = {
        **(config.get("labels") or {}),
        gke.NODE_POOL_LABEL: pool["name"],
        gke.ARCH_LABEL: known.arch if known else "amd64",
        gke.ZONE_LABEL: (pool.get("nodeLocations") or [pool.get("location")])[0],
    }
    taints = [(each["key"], each["value"], _EFFECTS[each["effect"]]) for each in config.get("taints") or []]
    free: dict[str, float] = {}
    for guest in config.get("guestAccelerators") or []:
        labels |= {gke.ACCELERATOR_LABEL: guest["type"], gke.GPU_COUNT_LABEL: str(int(guest["count"]))}
        free[gke.GPU_RESOURCE] = guest["count"]
        taints.append(_own(gke.GPU_TAINT))
    if generation is not None:
        free[gke.TPU_RESOURCE] = generation.machine_types[name]
        labels |= {gke.TPU_ACCELERATOR_LABEL: generation.accelerator, gke.TPU_TOPOLOGY_LABEL: _topology(pool, name)}
        taints.append(_own(gke.TPU_TAINT))
    if labels[gke.ARCH_LABEL] == "arm64":
        taints.append(_own(gke.ARM_TAINT))
    if (pool.get("queuedProvisioning") or {}).get("enabled"):
        labels[gke.QUEUED_LABEL] = "true"
        taints.append(_own(gke.QUEUED_TAINT))
    labels |= {gke.SPOT_LABEL: "true"} if config.get("spot") else {}
    labels |= {gke.FLEX_START_LABEL: "true"} if config.get("flexStart") else {}
    cores, memory = _room(known, generation, name)
    free |= {"cpu": cores, "memory": memory * _GIB}
    free |= {f"network/{each}": 1.0 for each in _attached(pool, objects)}
    if labels.get(gke.DRANET_LABEL) == "true" and known is not None and known.fabric is not None:
        free[f"device/{known.fabric.device_class}"] = known.fabric.gpu_networks
    return Node(state.name, name, labels, sorted(set(taints)), free)


def _own(taint: gke.Taint) -> tuple[str, str, str]:
    return taint.key, taint.value, taint.effect


def _room(known: Machine | None, generation: TpuGeneration | None, name: str) -> tuple[float, float]:
    if known is not None:
        return allocatable(known)
    return generation.host_shapes.get(name, _UNKNOWN_ROOM) if generation else _UNKNOWN_ROOM


def _topology(pool: Mapping[str, Any], name: str) -> str:
    stated = (pool.get("placementPolicy") or {}).get("tpuTopology")
    generation = generation_of_machine(name)
    assert generation is not None
    chips = generation.machine_types[name]
    alone = {1: "1x1", 4: "2x2", 8: "2x4"} if generation.dimensions == 2 else {1: "1x1x1", 4: "2x2x1"}
    return str(stated or alone[chips])


def _last(value: object) -> str:
    return str(value).rstrip("/").rsplit("/", 1)[-1]


def _attached(pool: Mapping[str, Any], objects: _Objects) -> Iterator[str]:
    configs = (pool.get("networkConfig") or {}).get("additionalNodeNetworkConfigs") or []
    subnets = {_last(each["subnetwork"]) for each in configs}
    return (name for name, params in objects.networks.items() if _last(params["vpcSubnet"]) in subnets)


@dataclass(frozen=True)
class Placement:
    """What runs where, once everything is there."""

    nodes: tuple[Node, ...]
    tests: tuple[tuple[Pod, str], ...]
    """Pods of Jobs and their nodes, which are free again when the others come."""
    pending: tuple[tuple[Pod, tuple[str, ...]], ...]
    """Pods that found no node, and why each pool refuses them."""
    unused: tuple[str, ...]
    """DaemonSets that no node suits."""

    def __str__(self) -> str:
        lines: list[str] = []
        if self.tests:
            lines += ["tests, before anything else", *(f"  {pod} -> {node}" for pod, node in self.tests)]
        for node in self.nodes:
            open_ = [f"{node.free[name]:g} {name} free" for name in _ACCELERATORS if name in node.free]
            lines.append(", ".join([f"{node.name} ({node.machine})", *open_]))
            lines += [f"  {pod}{_shown(pod)}" for pod in node.pods]
        for name in _ACCELERATORS:
            left = [node.free[name] for node in self.nodes if name in node.free]
            taken = sum(pod.requests.get(name, 0.0) for node in self.nodes for pod in node.pods)
            lines += [f"{name}: {taken:g} taken, {sum(left):g} free"] if left else []
        for pod, reasons in self.pending:
            lines.append(f"PENDING {pod}: {'; '.join(reasons)}")
        lines += [f"UNUSED {name}" for name in self.unused]
        return "\n".join(lines) + "\n"


def _shown(pod: Pod) -> str:
    taken = pod.requests
    parts = [f"{taken[name]:g} {name}" for name in _ACCELERATORS if name in taken]
    parts += [f"{taken['cpu']:g} cpu"] if "cpu" in taken else []
    parts += [f"{taken['memory'] / _GIB:g} GiB"] if "memory" in taken else []
    parts += [f"{len(pod.networks)} networks"] if pod.networks else []
    parts += [f"claims {' and '.join(pod.claims)}"] if pod.claims else []
    return f": {', '.join(parts)}" if parts else ""


def place(plan: Plan) -> Placement:
    """Place every pod of a plan: first the DaemonSets, then the tests, which end, then the servers."""
    objects, fleet = _Objects.of(plan), list(nodes(plan))
    unused = []
    for pod in daemon_sets(plan):
        hosts = [node for node in fleet if not node.refuses(pod, objects)]
        for node in hosts:
            node.take(pod, objects)
        unused += [] if hosts else [str(pod)]
    wanted = list(pods(plan))
    pending: list[tuple[Pod, tuple[str, ...]]] = []

    def run(these: Iterable[Pod]) -> Iterator[tuple[Pod, Node]]:
        for pod in these:
            if (host := _host(pod, fleet, objects)) is None:
                pending.append((pod, _reasons(pod, fleet, objects)))
            else:
                host.take(pod, objects)
                yield pod, host

    tests = list(run(pod for pod in wanted if pod.kind == "Job"))
    for pod, node in tests:
        node.leave(pod, objects)
    list(run(pod for pod in wanted if pod.kind != "Job"))
    return Placement(tuple(fleet), tuple((p, n.name) for p, n in tests), tuple(pending), tuple(unused))


def _host(pod: Pod, fleet: list[Node], objects: _Objects) -> Node | None:
    """Return the fullest node that has room; a pod without accelerators goes to one without them where it can."""
    wants = any(name in pod.requests for name in _ACCELERATORS)
    suited = [node for node in fleet if not node.refuses(pod, objects) and _together(pod, node, fleet)]

    def order(node: Node) -> tuple[bool, float]:
        left = sum(node.free.get(name, 0.0) for name in _ACCELERATORS)
        return (left > 0 and not wants, left if wants else 0.0)

    return min(suited, key=order, default=None)


def _together(pod: Pod, node: Node, fleet: list[Node]) -> bool:
    """Whether an exclusive topology lets the pod in: one group in a domain, and one domain for a group."""
    key = pod.annotations.get(controllers.LWS_EXCLUSIVE_TOPOLOGY_ANNOTATION)
    if key is None:
        return True
    for other in fleet:
        for each in other.pods:
            if not each.group[1] or controllers.LWS_EXCLUSIVE_TOPOLOGY_ANNOTATION not in each.annotations:
                continue
            same_domain = other.labels.get(key) == node.labels.get(key)
            if (each.group == pod.group) != same_domain:
                return False
    return key in node.labels


def _reasons(pod: Pod, fleet: list[Node], objects: _Objects) -> tuple[str, ...]:
    found = {node.name.rpartition("-")[0]: node.refuses(pod, objects) or "another group" for node in fleet}
    return tuple(f"{pool}: {why}" for pool, why in found.items())
