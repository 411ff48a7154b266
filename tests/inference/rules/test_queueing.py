from __future__ import annotations

from typing import Any

import pytest

from inference.rules import queueing
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import cluster, custom, deployment, findings, leader_worker_set, node_pool

NAMES, EXISTS, OUTLIVES = queueing.workload_names_queue, queueing.queue_exists, queueing.server_outlives_nodes
LABEL = "kueue.x-k8s.io/queue-name"


def pool(*, queued: object = True, name: str = "l4") -> Resource:
    return node_pool(name, {"queuedProvisioning": {"enabled": queued}})


def labeled(queue: str) -> dict[str, Any]:
    return {"metadata": {"labels": {LABEL: queue}}}


def local_queue(name: object = "gpus", namespace: str = "serving") -> Resource:
    return custom(
        "kueue.x-k8s.io/v1beta2",
        "LocalQueue",
        "queue",
        {"clusterQueue": "gpus"},
        {"metadata": {"name": name, "namespace": namespace}},
    )


def test_a_pod_that_nobody_asks_nodes_for_is_found() -> None:
    (message,) = findings(NAMES, cluster(), pool(), deployment())
    assert "queued provisioning" in message
    assert LABEL in message


@pytest.mark.parametrize(
    "annotation",
    [
        "autoscaling.x-k8s.io/consume-provisioning-request",
        "cluster-autoscaler.kubernetes.io/consume-provisioning-request",
    ],
)
def test_a_pod_with_a_request_of_its_own_is_silent(annotation: str) -> None:
    template = {"spec": {"template": {"metadata": {"annotations": {annotation: "mine"}}}}}
    assert not findings(NAMES, cluster(), pool(), deployment(props=template))


def test_a_pod_that_waits_in_a_queue_or_has_other_nodes_is_silent() -> None:
    assert not findings(NAMES, cluster(), pool(), deployment(props=labeled("gpus")))
    assert not findings(NAMES, cluster(), pool(queued=False), deployment())
    assert not findings(NAMES, cluster(), pool(queued=UNKNOWN), deployment())
    assert not findings(NAMES, cluster(), pool(), pool(queued=False, name="other"), deployment())
    assert not findings(NAMES, cluster(), pool(), deployment(props={"metadata": {"labels": UNKNOWN}}))


def test_a_queue_that_is_not_there_is_found() -> None:
    assert '"gone"' in findings(EXISTS, local_queue(), deployment(props=labeled("gone")))[0]
    assert findings(EXISTS, local_queue(namespace="other"), deployment(props=labeled("gpus")))


def test_a_queue_that_is_there_or_may_be_is_silent() -> None:
    assert not findings(EXISTS, local_queue(), deployment(props=labeled("gpus")))
    assert not findings(EXISTS, local_queue(UNKNOWN), deployment(props=labeled("gpus")))
    assert not findings(EXISTS, deployment(props=labeled("gpus")))
    assert not findings(EXISTS, local_queue(), deployment())


def test_a_group_that_its_nodes_outlive_is_found_once() -> None:
    group = leader_worker_set(props=labeled("gpus"))
    (message,) = findings(OUTLIVES, cluster(), pool(), group)
    assert "deactivates" in message


def test_a_deployment_or_a_group_on_lasting_nodes_is_silent() -> None:
    assert not findings(OUTLIVES, cluster(), pool(), deployment(props=labeled("gpus")))
    assert not findings(OUTLIVES, cluster(), pool(queued=False), leader_worker_set(props=labeled("gpus")))
    assert not findings(OUTLIVES, cluster(), pool(), leader_worker_set())


LEADS = queueing.queue_leads_somewhere


def cluster_queue(flavor: object = "h200", name: object = "gpus") -> Resource:
    resources = [{"coveredResources": ["nvidia.com/gpu"], "flavors": [{"name": flavor, "resources": []}]}]
    props = {"metadata": {"name": name}}
    return custom("kueue.x-k8s.io/v1beta2", "ClusterQueue", "queue", {"resourceGroups": resources}, props)


def flavor(name: object = "h200") -> Resource:
    return custom("kueue.x-k8s.io/v1beta1", "ResourceFlavor", "flavor", {}, {"metadata": {"name": name}})


def test_a_queue_that_leads_nowhere_is_found() -> None:
    assert len(findings(LEADS, local_queue(), cluster_queue(name="other"), flavor())) == 1
    assert len(findings(LEADS, local_queue(), cluster_queue("h100"), flavor())) == 1


def test_a_queue_that_leads_somewhere_or_may_is_silent() -> None:
    for stack in (
        (local_queue(), cluster_queue(), flavor()),
        (local_queue(),),
        (cluster_queue(),),
        (local_queue(), cluster_queue(name=UNKNOWN), flavor()),
        (cluster_queue(UNKNOWN), flavor()),
    ):
        assert findings(LEADS, *stack) == []
