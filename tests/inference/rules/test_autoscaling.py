from __future__ import annotations

import pytest

from inference.rules.autoscaling import bounds_in_order, target_exists
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import custom, deployment, findings, leader_worker_set, resource, workload


def hpa(target: str = "vllm", kind: str = "Deployment", api_version: str = "apps/v1", **spec: object) -> Resource:
    ref = {"apiVersion": api_version, "kind": kind, "name": target}
    token = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"  # noqa: S105
    return workload(token, "autoscaling/v2", "HorizontalPodAutoscaler", "grow", {"scaleTargetRef": ref, **spec}, None)


def keda(target: str = "vllm", **spec: object) -> Resource:
    return custom("keda.sh/v1alpha1", "ScaledObject", "grow", {"scaleTargetRef": {"name": target}, **spec})


@pytest.mark.parametrize(
    "made",
    [
        hpa(minReplicas=5, maxReplicas=3),
        hpa(minReplicas="5", maxReplicas=3.0),
        hpa(maxReplicas=0),
        keda(minReplicaCount=5, maxReplicaCount=2),
    ],
)
def test_bounds_out_of_order_are_found(made: Resource) -> None:
    assert len(findings(bounds_in_order, made)) == 1


@pytest.mark.parametrize(
    "made",
    [
        hpa(maxReplicas=3),
        hpa(minReplicas=3, maxReplicas=3),
        hpa(minReplicas=UNKNOWN, maxReplicas=1),
        keda(minReplicaCount=5),
        keda(),
    ],
)
def test_bounds_in_order_are_silent(made: Resource) -> None:
    assert findings(bounds_in_order, made) == []


ELSEWHERE = {"metadata": {"namespace": "other"}}


@pytest.mark.parametrize(
    ("scaler", "target"),
    [
        (hpa(kind="StatefulSet"), deployment()),
        (hpa("llama"), leader_worker_set("llama")),
        (keda("llama"), leader_worker_set("llama")),
        (hpa(), deployment(props=ELSEWHERE)),
        (hpa("vlllm-server"), deployment("vllm-server")),
        (hpa("vllm"), deployment("vllm-deployment")),
        (hpa(api_version="extensions/v1beta1"), deployment()),
    ],
)
def test_a_target_that_is_not_there_is_found(scaler: Resource, target: Resource) -> None:
    assert len(findings(target_exists, scaler, target)) == 1


@pytest.mark.parametrize(
    ("scaler", "target"),
    [
        (hpa(), deployment()),
        (keda(), deployment()),
        (hpa("llama", "LeaderWorkerSet", "leaderworkerset.x-k8s.io/v1"), leader_worker_set("llama")),
        (hpa("web"), deployment()),
        (hpa(), deployment(props={"metadata": {"name": UNKNOWN}})),
        (hpa(kind="Rollout", api_version="argoproj.io/v1alpha1"), deployment()),
        (hpa("vllm"), deployment("vllm-deployment", props=ELSEWHERE)),
    ],
)
def test_a_target_that_is_there_or_may_be_is_silent(scaler: Resource, target: Resource) -> None:
    assert findings(target_exists, scaler, target) == []


def test_a_chart_may_bring_the_target() -> None:
    chart = {"chart": "own-chart", "version": "1.0.0", "namespace": "serving"}
    release = resource("kubernetes:helm.sh/v3:Release", "own", chart)
    assert findings(target_exists, hpa(), deployment("vllm-deployment"), release) == []
