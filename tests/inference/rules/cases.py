"""Resources that are right, for a test to break in one place, and the verdicts on them.

Every factory takes changes as nested maps that are laid over a compliant resource; ``None`` takes a key away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inference.rules.framework import Finding, Rule
from inference.rules.judging import Broken, Judge
from inference.rules.registry import RULES
from inference.rules.views.resources import Provider, Resource
from inference.rules.views.stack import Stack
from inference.rules.views.values import Props

__all__ = [
    "CLUSTER",
    "DEPLOYMENT",
    "LEADER_WORKER_SET",
    "NODE_POOL",
    "changed",
    "cluster",
    "container",
    "custom",
    "deployment",
    "findings",
    "group_container",
    "judge",
    "leader_worker_set",
    "node_pool",
    "resource",
    "urn",
    "workload",
]

CLUSTER = "gcp:container/cluster:Cluster"
NODE_POOL = "gcp:container/nodePool:NodePool"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
LEADER_WORKER_SET = "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet"

Changes = Mapping[str, Any]

FIRED: set[str] = set()
"""Names of the rules that found something in any case of this session."""


def urn(type_: str, name: str, stack: str = "case") -> str:
    return f"urn:pulumi:{stack}::rules::{type_}::{name}"


def changed(base: Changes, changes: Changes) -> dict[str, Any]:
    """Lay nested changes over a map; ``None`` takes a key away, a list or plain value replaces."""
    result = dict(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = changed(result[key], value)
        else:
            result[key] = value
    return result


def resource(
    type_: str,
    name: str,
    props: Changes,
    *,
    dependencies: Sequence[Resource | str] = (),
    property_dependencies: Mapping[str, Sequence[Resource | str]] | None = None,
    parent: Resource | str = "",
    provider: Provider | None = None,
    options: Changes | None = None,
    physical_id: str | None = None,
    stack: str = "case",
) -> Resource:
    """Make a resource; edges are given as resources or URNs."""
    return Resource(
        type=type_,
        name=name,
        urn=urn(type_, name, stack),
        props=Props(props),
        parent=_urn_of(parent),
        provider=provider,
        dependencies=tuple(_urn_of(edge) for edge in dependencies),
        property_dependencies={
            key: tuple(_urn_of(edge) for edge in edges) for key, edges in (property_dependencies or {}).items()
        },
        options=Props({"protect": False, "ignoreChanges": []} if options is None else options),
        physical_id=physical_id,
    )


def _urn_of(edge: Resource | str) -> str:
    return edge if isinstance(edge, str) else edge.urn


def container(changes: Changes | None = None) -> dict[str, Any]:
    """Return a vLLM container that asks for one GPU."""
    base = {
        "name": "vllm",
        "image": "vllm/vllm-openai:v0.32.0",
        "command": ["vllm", "serve", "google/gemma-3-4b-it"],
        "args": ["--port=8000", "--max-model-len=8192"],
        "env": [
            {"name": "LD_LIBRARY_PATH", "value": "/usr/local/nvidia/lib64:/usr/local/cuda/lib64"},
            {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf-token", "key": "token"}}},
        ],
        "ports": [{"containerPort": 8000, "name": "http"}],
        "resources": {
            "requests": {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"},
            "limits": {"memory": "24Gi", "nvidia.com/gpu": "1"},
        },
        "readinessProbe": {"httpGet": {"path": "/health", "port": 8000}},
        "startupProbe": {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 10, "failureThreshold": 90},
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "15"]}}},
    }
    return changed(base, changes or {})


def group_container(changes: Changes | None = None, *, worker: bool = False) -> dict[str, Any]:
    """Return the vLLM container of a group of eight-GPU nodes: of its leader, or of its headless workers."""
    rank = ["--nnodes=$(LWS_GROUP_SIZE)", "--node-rank=$(LWS_WORKER_INDEX)", "--master-addr=$(LWS_LEADER_ADDRESS)"]
    sizes = ["--tensor-parallel-size=8", "--pipeline-parallel-size=$(LWS_GROUP_SIZE)", "--max-model-len=8192"]
    eight = {
        "requests": {"cpu": "100", "memory": "1000Gi", "nvidia.com/gpu": "8"},
        "limits": {"memory": "2000Gi", "nvidia.com/gpu": "8"},
    }
    base: dict[str, Any] = {
        "command": ["vllm", "serve", "meta-llama/Llama-3.1-405B-Instruct-FP8"],
        "args": [*sizes, *rank, *(["--headless"] if worker else ["--port=8000"])],
        "resources": eight,
        "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],  # noqa: S108 - of the container
        "startupProbe": {"failureThreshold": 180},
    }
    if worker:
        base |= dict.fromkeys(("readinessProbe", "startupProbe", "lifecycle", "ports"))
    return changed(container(base), changes or {})


def workload(
    type_: str, api_version: str, kind: str, name: str, spec: Changes, props: Changes | None, **kw: Any
) -> Resource:
    """Make a Kubernetes object with a spec, and changes over the whole of it."""
    base = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "serving"}, "spec": spec}
    return resource(type_, name, changed(base, props or {}), **kw)


def custom(api_version: str, kind: str, name: str, spec: Changes, props: Changes | None = None, **kw: Any) -> Resource:
    """Make a custom resource: its token is made of its apiVersion and kind."""
    return workload(f"kubernetes:{api_version}:{kind}", api_version, kind, name, spec, props, **kw)


def _pod_spec(containers: Sequence[Changes] | None, pod: Changes | None) -> dict[str, Any]:
    base = {"containers": list(containers or [container()]), "terminationGracePeriodSeconds": 75}
    return changed(base, pod or {})


def deployment(
    name: str = "vllm",
    *,
    containers: Sequence[Changes] | None = None,
    pod: Changes | None = None,
    annotations: Changes | None = None,
    spec: Changes | None = None,
    props: Changes | None = None,
    **kw: Any,
) -> Resource:
    """Make a Deployment of a vLLM server on one GPU; ``pod`` changes its pod spec."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels, "annotations": annotations or {}}, "spec": _pod_spec(containers, pod)}
    base = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return workload(DEPLOYMENT, "apps/v1", "Deployment", name, changed(base, spec or {}), props, **kw)


def leader_worker_set(
    name: str = "llama",
    *,
    size: int = 2,
    leader: Changes | None = None,
    worker: Changes | None = None,
    containers: Sequence[Changes] | None = None,
    annotations: Changes | None = None,
    spec: Changes | None = None,
    props: Changes | None = None,
    **kw: Any,
) -> Resource:
    """Make a LeaderWorkerSet of whole eight-GPU nodes; ``leader`` and ``worker`` change the pod specs."""
    shm = {"volumes": [{"name": "shm", "emptyDir": {"medium": "Memory"}}]}
    metadata = {"labels": {"app": name}, "annotations": annotations or {}}
    base = {
        "replicas": 1,
        "startupPolicy": "LeaderCreated",
        "leaderWorkerTemplate": {
            "size": size,
            "restartPolicy": "RecreateGroupOnPodRestart",
            "leaderTemplate": {
                "metadata": metadata,
                "spec": _pod_spec(containers or [group_container()], changed(shm, leader or {})),
            },
            "workerTemplate": {
                "metadata": metadata,
                "spec": _pod_spec(containers or [group_container(worker=True)], changed(shm, worker or {})),
            },
        },
    }
    return custom("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", name, changed(base, spec or {}), props, **kw)


def node_pool(name: str = "l4", props: Changes | None = None, **kw: Any) -> Resource:
    """Make a node pool of ``g2-standard-12`` (one L4, 12 vCPUs, 48 GiB) that scales from zero to two nodes."""
    base = {
        "name": name,
        "cluster": "platform",
        "location": "us-central1",
        "nodeLocations": ["us-central1-a"],
        "autoscaling": {"totalMinNodeCount": 0, "totalMaxNodeCount": 2, "locationPolicy": "ANY"},
        "management": {"autoRepair": True, "autoUpgrade": True},
        "upgradeSettings": {"strategy": "SURGE", "maxSurge": 0, "maxUnavailable": 1},
        "nodeConfig": {
            "machineType": "g2-standard-12",
            "diskType": "pd-balanced",
            "diskSizeGb": 100,
            "guestAccelerators": [
                {"type": "nvidia-l4", "count": 1, "gpuDriverInstallationConfig": {"gpuDriverVersion": "LATEST"}}
            ],
            "serviceAccount": "nodes@project.iam.gserviceaccount.com",
            "oauthScopes": ["https://www.googleapis.com/auth/cloud-platform"],
            "workloadMetadataConfig": {"mode": "GKE_METADATA"},
        },
    }
    return resource(NODE_POOL, name, changed(base, props or {}), **kw)


def cluster(name: str = "platform", props: Changes | None = None, **kw: Any) -> Resource:
    """Make a regional, private cluster without inline pools."""
    base = {
        "name": name,
        "location": "us-central1",
        "network": "platform",
        "subnetwork": "platform-nodes",
        "removeDefaultNodePool": True,
        "initialNodeCount": 1,
        "deletionProtection": False,
        "datapathProvider": "ADVANCED_DATAPATH",
        "releaseChannel": {"channel": "REGULAR"},
        "minMasterVersion": "1.35",
        "workloadIdentityConfig": {"workloadPool": "project.svc.id.goog"},
        "gatewayApiConfig": {"channel": "CHANNEL_STANDARD"},
        "privateClusterConfig": {"enablePrivateNodes": True},
    }
    return resource(CLUSTER, name, changed(base, props or {}), **kw)


def findings(rule: Rule, *resources: Resource, configuration: Changes | None = None) -> list[str]:
    """Return what one rule says of these resources as one program; a rule that crashes fails the test."""
    return [message for _, message in _verdicts([rule], resources, configuration)]


def judge(*resources: Resource) -> dict[str, list[str]]:
    """Return what all rules say of these resources as one program, by rule name."""
    said: dict[str, list[str]] = {}
    for name, message in _verdicts(RULES, resources, None):
        said.setdefault(name, []).append(message)
    return said


def _alone(court: Judge, thing: Resource) -> list[Finding | Broken]:
    """Judge a resource as the engine first shows it: without its edges, which its views must not depend on."""
    edges = thing.parent, thing.dependencies, thing.property_dependencies
    thing.connect(thing.parent, (), {})
    found = list(court.resource(thing))
    thing.connect(*edges)
    return found


def _verdicts(
    rules: Sequence[Rule], resources: Sequence[Resource], configuration: Changes | None
) -> list[tuple[str, str]]:
    court = Judge(rules, {rule.name: configuration for rule in rules} if configuration is not None else None)
    found: list[Finding | Broken] = []
    for thing in resources:
        found += _alone(court, thing)
    found += court.stack(Stack(resources))
    for verdict in found:
        assert isinstance(verdict, Finding), f"{verdict.rule.name} crashed: {verdict.error}\n{verdict.trace}"
    FIRED.update(verdict.rule.name for verdict in found)
    return [(verdict.rule.name, verdict.message) for verdict in found if isinstance(verdict, Finding)]
