from __future__ import annotations

from inference.rules import compute_classes
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import cluster, custom, deployment, findings, node_pool

KEY = "cloud.google.com/compute-class"
BELONG, NODES, EXISTS = compute_classes.pools_belong, compute_classes.class_finds_nodes, compute_classes.class_exists
TAINT = [{"key": KEY, "value": "gpus", "effect": "NO_SCHEDULE"}]


def compute_class(name: str = "gpus", **spec: object) -> Resource:
    base = {"priorities": [{"nodepools": ["l4"]}], **spec}
    return custom("cloud.google.com/v1", "ComputeClass", name, base)


def pool(labels: object = None, taints: object = None) -> Resource:
    return node_pool("l4", {"nodeConfig": {"labels": labels, "taints": taints}})


def test_a_pool_without_label_or_taint_of_its_class_is_found() -> None:
    assert "label" in findings(BELONG, compute_class(), pool())[0]
    assert findings(BELONG, compute_class(), pool({KEY: "other"}, TAINT))
    assert "taint" in findings(BELONG, compute_class(), pool({KEY: "gpus"}))[0]


def test_a_pool_of_its_class_is_silent() -> None:
    assert not findings(BELONG, compute_class(), pool({KEY: "gpus"}, TAINT))
    assert not findings(BELONG, compute_class(), pool(UNKNOWN, UNKNOWN))
    assert not findings(BELONG, compute_class(priorities=[{"nodepools": ["elsewhere"]}]), pool())
    assert not findings(BELONG, pool())


def test_a_class_that_makes_and_finds_no_pool_is_found() -> None:
    machines = [{"machineType": "g2-standard-12"}]
    assert findings(NODES, cluster(), pool(), compute_class(priorities=machines))
    off = compute_class(priorities=machines, nodePoolAutoCreation={"enabled": False})
    assert findings(NODES, cluster(), pool(), off)


def test_a_class_that_gets_nodes_is_silent() -> None:
    machines = [{"machineType": "g2-standard-12"}]
    making = compute_class(priorities=machines, nodePoolAutoCreation={"enabled": True})
    assert not findings(NODES, cluster(), pool(), making)
    assert not findings(NODES, cluster(), pool({KEY: "gpus"}, TAINT), compute_class())
    assert not findings(NODES, cluster(), pool(UNKNOWN), compute_class())
    assert not findings(NODES, cluster(props={"enableAutopilot": True}), pool(), compute_class())
    assert not findings(NODES, cluster(props={"clusterAutoscaling": {"enabled": True}}), pool(), compute_class())
    assert not findings(NODES, compute_class())
    assert not findings(NODES, cluster(), pool(), compute_class(nodePoolAutoCreation=UNKNOWN))


def test_a_class_that_is_not_there_is_found() -> None:
    def pod(name: str) -> Resource:
        return deployment(pod={"nodeSelector": {KEY: name}})

    assert '"tpus"' in findings(EXISTS, compute_class(), pod("tpus"))[0]
    for name in ("gpus", "Balanced", "Scale-Out", "autopilot-spot"):
        assert not findings(EXISTS, compute_class(), pod(name))
    assert not findings(EXISTS, pod("of-another-program"))
    assert not findings(EXISTS, compute_class(), deployment())


def test_an_accelerator_that_no_machine_has_is_found() -> None:
    rule = compute_classes.accelerator_exists
    for priority, wrong in (
        ({"gpu": {"type": "nvidia-h200-141gb", "count": 4}}, True),
        ({"gpu": {"type": "nvidia-tesla-t4", "count": 3.0}}, True),
        ({"tpu": {"type": "tpu-v6e-slice", "count": 4, "topology": "2x2x2"}}, True),
        ({"gpu": {"type": "nvidia-l4", "count": 4}}, False),
        ({"gpu": {"type": "nvidia-x9", "count": 7}}, False),
        ({"gpu": {"type": "nvidia-l4", "count": UNKNOWN}}, False),
        ({"tpu": {"type": "tpu-v6e-slice", "topology": "2x4"}}, False),
        ({"machineFamily": "n4"}, False),
    ):
        assert bool(findings(rule, compute_class(priorities=[priority]))) is wrong, priority
