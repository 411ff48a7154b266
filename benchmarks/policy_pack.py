"""What the whole policy pack costs, beside a pack of two empty policies under the policy SDK's own loop.

Run ``python benchmarks/policy_pack.py`` from the project's root. Both packs judge the same resources, each by itself
and all together, in one process. Absolute times depend on the machine; read the ratios. Goals: at most twice the
empty pack, and the same time for each of 10,000 resources as for each of 100. Where checkov is installed, its
Kubernetes checks run over the same Deployments, and the time for each rule and resource is compared.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pulumi_policy.policy as sdk
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import analyzer_pb2

from inference.rules.framework import Rule
from inference.rules.judging import Judge
from inference.rules.registry import RULES
from policies.servicer import in_process_servicer

ROUNDS = 3
"""Times that everything is measured; the fastest counts."""
SIZES = (100, 1_000, 10_000)


@dataclass(frozen=True)
class Load:
    """The same resources as the two calls receive them."""

    alone: Sequence[analyzer_pb2.AnalyzeRequest]
    together: analyzer_pb2.AnalyzeStackRequest


def workload(index: int) -> dict[str, Any]:
    """Return a pod template of a model server, about 3 kB as JSON."""
    container = {
        "name": "vllm",
        "image": "vllm/vllm-openai:v0.20.0@sha256:" + "0123456789abcdef" * 4,
        "command": ["vllm", "serve", "meta-llama/Llama-3.3-70B-Instruct"],
        "args": [
            f"--served-model-name=model-{index}", "--tensor-parallel-size=8", "--max-model-len=32768",
            "--gpu-memory-utilization=0.92", "--port=8000", "--enable-prefix-caching", "--max-num-seqs=256",
        ],
        "env": [{"name": f"NCCL_SETTING_{number}", "value": f"value-{number}"} for number in range(16)]
        + [
            {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf", "key": "token"}}},
            {"name": "LD_LIBRARY_PATH", "value": "/usr/local/nvidia/lib64:/usr/local/cuda/lib64"},
        ],
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "15"]}}},
        "ports": [{"name": "http", "containerPort": 8000}, {"name": "metrics", "containerPort": 9000}],
        "resources": {
            "requests": {"cpu": "80", "memory": "800Gi", "nvidia.com/gpu": 8},
            "limits": {"memory": "1000Gi", "nvidia.com/gpu": 8},
        },
        "startupProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 10, "failureThreshold": 240},
        "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 5},
        "livenessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 10},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [
            {"name": name, "mountPath": f"/{name.replace('-', '/')}"} for name in ("dev-shm", "models", "cache")
        ],
    }  # fmt: skip
    return {
        "metadata": {
            "labels": {"app": f"server-{index}", "app.kubernetes.io/name": "vllm"},
            "annotations": {"gke-gcsfuse/volumes": "true", "cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
        },
        "spec": {
            "serviceAccountName": "server",
            "terminationGracePeriodSeconds": 120,
            "nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-h200-141gb"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "initContainers": [
                {
                    "name": "fetch",
                    "image": container["image"],
                    "command": ["python3", "/models/fetch.py"],
                    "args": ["--download"],
                    "env": container["env"],
                    "resources": {"requests": {"cpu": "1", "memory": "4Gi"}},
                    "volumeMounts": container["volumeMounts"],
                }
            ],
            "containers": [container],
            "volumes": [
                {"name": "dev-shm", "emptyDir": {"medium": "Memory", "sizeLimit": "64Gi"}},
                {"name": "models", "persistentVolumeClaim": {"claimName": "models"}},
                {"name": "cache", "emptyDir": {}},
            ],
        },
    }


def _object(api_version: str, kind: str, index: int, spec: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    metadata = {
        "name": f"{kind.lower()}-{index}",
        "namespace": f"team-{index // 8 % 20}",
        "labels": {"owner": "inference"},
    }
    token = f"kubernetes:{api_version}:{kind}"
    return token, {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


def resource(index: int) -> tuple[str, dict[str, Any]]:
    """Return token and inputs of one of several kinds, in the mix of a real program."""
    selector = {"app": f"server-{index}"}
    match index % 8:
        case 0 | 1 | 2:
            spec = {"replicas": 2, "selector": {"matchLabels": selector}, "template": workload(index)}
            return _object("apps/v1", "Deployment", index, spec)
        case 3 | 4:
            group = {"size": 2, "restartPolicy": "RecreateGroupOnPodRestart", "workerTemplate": workload(index)}
            spec = {"replicas": 1, "rolloutStrategy": {"type": "RollingUpdate"}, "leaderWorkerTemplate": group}
            return _object("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", index, spec)
        case 5:
            ports = [{"name": "http", "port": 80, "targetPort": 8000}]
            return "kubernetes:core/v1:Service", {
                **_object("v1", "Service", index, {"selector": {"app": f"server-{index - 5}"}, "ports": ports})[1]
            }
        case 6:
            return "gcp:container/nodePool:NodePool", {
                "name": f"pool-{index}",
                "cluster": "llm",
                "location": "us-central1",
                "nodeLocations": ["us-central1-b"],
                "autoscaling": {"totalMinNodeCount": 0, "totalMaxNodeCount": 12, "locationPolicy": "ANY"},
                "management": {"autoRepair": True, "autoUpgrade": True},
                "upgradeSettings": {"strategy": "SURGE", "maxSurge": 0, "maxUnavailable": 1},
                "nodeConfig": {
                    "machineType": "a3-ultragpu-8g",
                    "diskSizeGb": 200,
                    "guestAccelerators": [
                        {
                            "type": "nvidia-h200-141gb",
                            "count": 8,
                            "gpuDriverInstallationConfig": {"gpuDriverVersion": "LATEST"},
                        }
                    ],
                    "reservationAffinity": {
                        "consumeReservationType": "SPECIFIC_RESERVATION",
                        "key": "compute.googleapis.com/reservation-name",
                        "values": ["h200"],
                    },
                    "serviceAccount": "nodes@project.iam.gserviceaccount.com",
                    "labels": {f"label-{number}": f"value-{number}" for number in range(8)},
                    "oauthScopes": ["https://www.googleapis.com/auth/cloud-platform"],
                    "taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}],
                },
                "networkConfig": {
                    "additionalNodeNetworkConfigs": [
                        {"network": f"rdma-{index}", "subnetwork": f"rdma-{index}-{number}"} for number in range(9)
                    ]
                },
            }
        case _:
            return "gcp:compute/network:Network", {"name": f"rdma-{index}", "autoCreateSubnetworks": False, "mtu": 8896}


def load(count: int) -> Load:
    """Return the messages of a program with ``count`` resources."""
    alone, together = [], []
    urns: list[str] = []
    for index in range(count):
        token, properties = resource(index)
        struct = Struct()
        struct.update(properties)
        urn = f"urn:pulumi:prod::gke-inference::{token}::thing-{index}"
        options = analyzer_pb2.AnalyzerResourceOptions(protect=token.startswith("gcp:"))
        common: dict[str, Any] = {
            "type": token, "name": f"thing-{index}", "urn": urn, "properties": struct, "options": options,
        }  # fmt: skip
        alone.append(analyzer_pb2.AnalyzeRequest(**common))
        together.append(analyzer_pb2.AnalyzerResource(**common, dependencies=urns[-3:]))
        urns.append(urn)
    return Load(alone, analyzer_pb2.AnalyzeStackRequest(resources=together))


def empty_pack() -> Any:
    """Return the SDK's own servicer with one policy of each kind that looks at nothing."""
    nothing: Callable[..., None] = lambda _args, _report: None  # noqa: E731 - the shortest policy there is
    policies = [
        sdk.ResourceValidationPolicy("empty-resource", "Looks at nothing.", nothing),
        sdk.StackValidationPolicy("empty-stack", "Looks at nothing.", nothing),
    ]
    return sdk._PolicyAnalyzerServicer("empty", "0.0.1", policies, sdk.EnforcementLevel.ADVISORY)  # noqa: SLF001


def seconds(servicer: Any, given: Load) -> float:
    """Return the seconds that a servicer takes for every resource by itself and all of them together."""
    begin = time.perf_counter()
    for request in given.alone:
        servicer.Analyze(request, None)
    servicer.AnalyzeStack(given.together, None)
    return time.perf_counter() - begin


def fastest(measure: Callable[[], float]) -> float:
    """Return the smallest of several measurements, in the unit of ``measure``."""
    return min(measure() for _ in range(ROUNDS))


def of_one(servicer: Any, count: int) -> float:
    """Return the seconds for each of ``count`` resources."""
    given = load(count)
    return fastest(lambda: seconds(servicer, given)) / count


def grown(rules: Sequence[Rule], count: int) -> Iterator[Rule]:
    """Yield ``count`` rules: those given, and again under other names."""
    for index in range(count):
        original = rules[index % len(rules)]
        yield original if index < len(rules) else replace(original, name=f"{original.name}-{index}")


def applied(rules: Sequence[Rule], given: Load) -> int:
    """Return how often a resource meets a rule for its type; rules about the stack are not counted in our favor."""
    judge = Judge(rules)
    return sum(len(judge.rules_for(request.type)) for request in given.alone)


def checkov_seconds(count: int) -> tuple[float, int] | None:
    """Return seconds that checkov takes for ``count`` Deployments and how many results it has; ``None`` without it."""
    try:
        runner = importlib.import_module("checkov.kubernetes.runner").Runner()
        only = importlib.import_module("checkov.runner_filter").RunnerFilter(framework=["kubernetes"])
    except ImportError:
        return None
    with tempfile.TemporaryDirectory() as folder:
        for index in range(count):
            (Path(folder) / f"{index}.json").write_text(json.dumps(resource(index * 8)[1]))
        begin = time.perf_counter()
        report = runner.run(root_folder=folder, runner_filter=only)
        return time.perf_counter() - begin, len(report.passed_checks) + len(report.failed_checks)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rules", type=int, default=0, help="repeat the rules until there are so many")
    rules = tuple(grown(RULES, max(parser.parse_args().rules, len(RULES)))) if RULES else ()
    if not rules:
        print("there are no rules to measure")
        return 1
    ours, empty = in_process_servicer({}, rules), empty_pack()

    given = load(1_000)
    size = sum(len(json.dumps(resource(index)[1])) for index in range(8)) / 8
    own = fastest(lambda: seconds(ours, given))
    base = fastest(lambda: seconds(empty, given))
    print(f"{len(rules)} policies, {len(given.alone)} resources of {size / 1000:.1f} kB on average")
    print(
        f"this pack {own:.2f} s, two empty policies of the SDK {base:.2f} s: ratio {own / base:.2f} (goal: 2 or less)"
    )

    each = {count: of_one(ours, count) for count in SIZES}
    times = ", ".join(f"{count}: {1e3 * of_each:.3f} ms" for count, of_each in each.items())
    print(
        f"for each resource of {times}; ratio of largest to smallest {each[SIZES[-1]] / each[SIZES[0]]:.2f} (linear: 1)"
    )

    if (other := checkov_seconds(100)) is None:
        print("checkov is not installed: comparison skipped")
    else:
        pairs = applied(rules, given)
        mine, theirs = own / pairs, other[0] / max(other[1], 1)
        print(
            f"for each rule and resource: {1e6 * mine:.1f} µs, checkov {1e6 * theirs:.1f} µs: ratio {mine / theirs:.3f}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
