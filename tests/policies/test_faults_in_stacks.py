"""A fault that somebody met, made in a standing stack as raw resources, is caught by a rule that covers it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from inference.rules.framework import Finding
from inference.rules.judging import Judge
from inference.rules.registry import RULES
from inference.rules.views.stack import Stack
from tests.policies.test_whole_pack import resources, steps

State = dict[str, Any]
Edit = Callable[[list[State]], None]


def of(states: list[State], token: str, name: str = "") -> list[State]:
    """Return the resources of a type whose logical name contains ``name``."""
    return [s for s in states if s["type"].endswith(token) and name in s["urn"].rpartition("::")[2]]


def put(token: str, path: str, value: Any, name: str = "") -> Edit:
    """Set a property of the resources of a type; numbers in the path are indexes, ``~`` stands for a slash."""

    def edit(states: list[State]) -> None:
        found = of(states, token, name)
        assert found, f"the stack has no {token} {name}"
        *way, last = (int(step) if step.isdigit() else step.replace("~", "/") for step in path.split("/"))
        for state in found:
            place: Any = state["inputs"]
            for step in way:
                place = place[step] if isinstance(step, int) else place.setdefault(step, {})
            if value is GONE:
                place.pop(last) if isinstance(last, int) else place.pop(last, None)
            else:
                place[last] = value

    return edit


def drop(token: str, name: str = "") -> Edit:
    """Remove the resources of a type."""

    def edit(states: list[State]) -> None:
        found = of(states, token, name)
        assert found, f"the stack has no {token} {name}"
        for state in found:
            states.remove(state)

    return edit


def replace(token: str, old: str, new: str, name: str = "") -> Edit:
    """Replace a text in every container argument of the resources of a type."""

    def edit(states: list[State]) -> None:
        changed = 0
        for state in of(states, token, name):
            for container in _containers(state["inputs"]):
                before = list(container.get("args", []))
                container["args"] = [argument.replace(old, new) for argument in before]
                changed += container["args"] != before
        assert changed, f"nothing to replace: {old}"

    return edit


def _containers(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.get("containers", []), *(c for part in value.values() for c in _containers(part))]
    if isinstance(value, list):
        return [c for part in value for c in _containers(part)]
    return []


def both(*edits: Edit) -> Edit:
    def edit(states: list[State]) -> None:
        for one in edits:
            one(states)

    return edit


GONE = object()
POOL, CLUSTER, SUBNET, NETWORK = "nodePool:NodePool", "cluster:Cluster", "subnetwork:Subnetwork", "network:Network"
GROUP, DEPLOYMENT, SERVICE = ":LeaderWorkerSet", "apps/v1:Deployment", "core/v1:Service"
LEADER = "spec/leaderWorkerTemplate/leaderTemplate"
WORKER = "spec/leaderWorkerTemplate/workerTemplate"
SERVER = "spec/template/spec/containers/0"

FAULTS: list[tuple[str, str, Edit]] = [
    ("NET-001", "dev", drop(SUBNET, "proxies")),
    ("NET-002", "prod", put(SUBNET, "network", "projects/p/global/networks/other", "proxies")),
    ("NET-003", "prod", put(SUBNET, "ipCidrRange", "192.168.128.0/23", "proxies")),
    ("NET-005", "dev", drop("service:Service", "networkservices")),
    ("NET-007", "dev", put(":Gateway", "spec/gatewayClassName", "gke-l7-global-external-managed")),
    ("NET-006", "dev", put(":HTTPRoute", "spec/rules/0/backendRefs/0/port", 8000)),
    ("RDMA-004", "prod", put(POOL, "networkConfig/additionalNodeNetworkConfigs/8", GONE, "h200")),
    ("RDMA-006", "prod", put(GROUP, f"{WORKER}/spec/containers/0/resources", {"limits": {"nvidia.com/gpu": 4.0}})),
    ("RDMA-007", "prod", put(GROUP, f"{LEADER}/spec/containers/0/securityContext", {})),
    ("RDMA-008", "prod", replace(GROUP, "\nsource /usr", "\ncat /usr")),
    ("RDMA-014", "prod", put(CLUSTER, "datapathProvider", "LEGACY_DATAPATH")),
    ("RDMA-015", "prod", put(CLUSTER, "enableMultiNetworking", False)),
    ("RDMA-017", "prod", put(":GKENetworkParamSet", "spec/deviceMode", "NetDevice", "rdma-3")),
    ("RDMA-019", "prod", put(NETWORK, "mtu", 1460.0, "roce")),
    ("NP-001", "prod", put(POOL, "nodeConfig/spot", True, "h200")),
    ("NP-002", "prod", put(POOL, "nodeConfig/flexStart", True, "h200")),
    ("NP-010", "prod", put(POOL, "nodeConfig/guestAccelerators/0/count", 4.0, "h200")),
    ("NP-017", "prod", put(POOL, "management/autoUpgrade", False, "h200")),
    ("NP-019", "prod", put(POOL, "upgradeSettings", {"maxSurge": 1, "maxUnavailable": 0}, "h200")),
    ("NP-022", "dev", put(POOL, "nodeConfig/guestAccelerators/0/gpuDriverInstallationConfig", {"gpuDriverVersion": "INSTALLATION_DISABLED"}, "t4")),
    ("NP-026", "dev", put(DEPLOYMENT, "spec/template/spec/nodeSelector", {"cloud.google.com/gke-nodepool": "nowhere"}, "qwen-server")),
    ("NP-027", "dev", put(DEPLOYMENT, "spec/template/spec/nodeSelector/team", "red", "qwen-server")),
    ("NP-028", "prod", put(POOL, "nodeConfig/diskType", "pd-standard", "h200")),
    ("LWS-001", "prod", put(SERVICE, "spec/selector", {"leaderworkerset.sigs.k8s.io/name": "vllm"}, "kimi-service")),
    ("LWS-004", "prod", replace(GROUP, "--pipeline-parallel-size 2", "--pipeline-parallel-size 4")),
    ("LWS-005", "prod", put(GROUP, "spec/leaderWorkerTemplate/restartPolicy", "None")),
    ("LWS-006", "prod", put(GROUP, "spec/startupPolicy", "LeaderReady")),
    ("LWS-008", "dev", put(DEPLOYMENT, f"{SERVER}/readinessProbe", {"tcpSocket": {"port": 8000}}, "qwen-server")),
    ("LWS-011", "prod", put(GROUP, "spec/rolloutStrategy/rollingUpdateConfiguration", {"maxUnavailable": 0, "maxSurge": 0})),
    ("GW-001", "dev", drop(":GCPBackendPolicy")),
    ("GW-002", "dev", put(":HTTPRoute", "spec/rules/0/timeouts", {"request": "300s"})),
    ("GW-003", "dev", drop(":HealthCheckPolicy")),
    ("GW-005", "dev", put(":HealthCheckPolicy", "spec/default/timeoutSec", 30.0)),
    ("GW-007", "dev", put(":HTTPRoute", "spec/rules/0/backendRefs/0/group", GONE)),
    ("GW-010", "dev", put(":InferencePool", "spec/selector/matchLabels", {"app": "nobody"})),
    ("GW-015", "dev", put(":InferencePool", "spec/endpointPickerRef", {"name": "nobody", "port": {"number": 9002}})),
    ("GW-018", "dev", put(":HTTPRoute", "spec/parentRefs/0/name", "nowhere")),
    ("GW-023", "dev", put(CLUSTER, "gatewayApiConfig/channel", "CHANNEL_DISABLED")),
    ("VLLM-001", "dev", put(DEPLOYMENT, f"{SERVER}/args", ["--model=google/gemma-2b-it", "--dtype=half", "--gpu-memory-utilization=0.9", "--max-model-len=4096"], "qwen-server")),
    ("VLLM-002", "dev", put(DEPLOYMENT, f"{SERVER}/args", ["Qwen/Qwen2.5-14B-Instruct", "--dtype", "half"], "qwen-server")),
    ("VLLM-011", "dev", put(DEPLOYMENT, f"{SERVER}/args", ["Qwen/Qwen2.5-1.5B-Instruct", "--dtype=bfloat16"], "qwen-server")),
    ("VLLM-014", "dev", put(DEPLOYMENT, f"{SERVER}/startupProbe", GONE, "qwen-server")),
    ("VLLM-015", "dev", put(DEPLOYMENT, f"{SERVER}/readinessProbe", GONE, "qwen-server")),
    ("VLLM-016", "dev", put(DEPLOYMENT, f"{SERVER}/image", "vllm/vllm-openai:latest", "qwen-server")),
    ("VLLM-017", "dev", put(DEPLOYMENT, f"{SERVER}/env", [], "qwen-server")),
    ("VLLM-019", "dev", put(DEPLOYMENT, f"{SERVER}/env/0", {"name": "HF_TOKEN", "value": "hf_abcdefghijklmnopqrstuvwxyz"}, "qwen-server")),
    ("VLLM-020", "dev", put("core/v1:Secret", "metadata/name", "another-name")),
    ("STO-001", "prod", put(GROUP, f"{LEADER}/metadata/annotations/gke-gcsfuse~volumes", GONE)),
    ("STO-002", "prod", put(CLUSTER, "addonsConfig/gcsFuseCsiDriverConfig", {"enabled": False})),
    ("PK8S-010", "prod", put("helm.sh/v3:Release", "version", GONE)),
    ("PGCP-005", "prod", put(CLUSTER, "name", "a-name-that-is-longer-than-the-forty-characters-of-gke")),
    ("PGCP-008", "dev", put(POOL, "nodeConfig/serviceAccount", GONE, "t4")),
    ("DEL-001", "dev", put(CLUSTER, "deletionProtection", GONE)),
    ("DEL-007", "dev", put("service:Service", "disableOnDestroy", True, "compute")),
    ("OPS-001", "dev", put(DEPLOYMENT, f"{SERVER}/lifecycle", GONE, "qwen-server")),
    ("OPS-005", "dev", put(DEPLOYMENT, "spec/replicas", 9.0, "qwen-server")),
    ("OPS-007", "dev", put(":PodMonitoring", "spec/endpoints/0/port", "metrics")),
    ("OPS-010", "dev", put(DEPLOYMENT, f"{SERVER}/args", ["Qwen/Qwen2.5-1.5B-Instruct", "--dtype", "half", "--disable-log-requests"], "qwen-server")),
    ("OPS-012", "prod", put(GROUP, f"{LEADER}/spec/hostNetwork", True)),
]  # fmt: skip


def said(states: list[State]) -> list[Finding]:
    made = resources(states)
    judge = Judge(RULES)
    found = [v for resource in made for v in judge.resource(resource)] + list(judge.stack(Stack(made)))
    assert all(isinstance(verdict, Finding) for verdict in found)
    return [verdict for verdict in found if isinstance(verdict, Finding)]


@pytest.mark.parametrize(("fault", "stack", "edit"), FAULTS, ids=[f"{f}-{s}-{i}" for i, (f, s, _) in enumerate(FAULTS)])
def test_a_fault_made_in_a_standing_stack_is_caught(fault: str, stack: str, edit: Edit) -> None:
    states = copy.deepcopy(steps(stack))
    edit(states)
    found = said(states)
    covered = {identifier for finding in found for identifier in finding.rule.covers}
    assert fault in covered, [f"{finding.rule.name}: {finding.message}" for finding in found]


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_same_stack_without_the_fault_is_silent(stack: str) -> None:
    assert not [f"{finding.rule.name}: {finding.message}" for finding in said(copy.deepcopy(steps(stack)))]
