"""In a preview a provider knows nothing of what it will choose; rules about the stack judge what the program says."""

from __future__ import annotations

from typing import Any

from inference.facts.wire import UNKNOWN
from inference.rules.locations import accelerator_pool_names_zones
from inference.rules.views.values import UNKNOWN as NOT_KNOWN
from policies import decoding
from policies.servicer import in_process_servicer
from tests.policies.samples import POOL, of_stack, request, stack_request, struct, urn

CLUSTER = "gcp:container/cluster:Cluster"
CLUSTER_ASKED = {"name": "platform", "location": "us-central1"}
CLUSTER_PLANNED = {**CLUSTER_ASKED, "nodeLocations": UNKNOWN, "endpoint": UNKNOWN, "releaseChannel": UNKNOWN}
NODES = {"machineType": "g2-standard-8"}
POOL_ASKED: dict[str, Any] = {"cluster": "platform", "location": "us-central1", "nodeCount": 1, "nodeConfig": NODES}
POOL_PLANNED = {**POOL_ASKED, "nodeLocations": UNKNOWN, "nodeConfig": {**NODES, "diskType": UNKNOWN, "labels": UNKNOWN}}
PLANNED = stack_request([of_stack(CLUSTER, CLUSTER_PLANNED), of_stack(POOL, POOL_PLANNED)])


def test_what_a_provider_will_choose_is_not_said_by_the_program() -> None:
    servicer = in_process_servicer(rules=[accelerator_pool_names_zones])
    assert not servicer.AnalyzeStack(PLANNED, None).diagnostics, "nothing is known of what was asked for"

    servicer.Analyze(request(CLUSTER, CLUSTER_ASKED), None)
    servicer.Analyze(request(POOL, POOL_ASKED), None)
    (found,) = servicer.AnalyzeStack(PLANNED, None).diagnostics
    assert found.urn == urn(POOL, "thing")


def test_what_the_program_takes_from_another_resource_stays_not_known() -> None:
    servicer = in_process_servicer(rules=[accelerator_pool_names_zones])
    servicer.Analyze(request(CLUSTER, CLUSTER_ASKED), None)
    servicer.Analyze(request(POOL, {**POOL_ASKED, "nodeLocations": UNKNOWN}), None)
    assert not servicer.AnalyzeStack(PLANNED, None).diagnostics


def test_only_what_was_not_asked_for_is_left_out() -> None:
    outcome = {
        "a": UNKNOWN,
        "b": UNKNOWN,
        "c": {"d": UNKNOWN, "e": 1},
        "f": [{"g": UNKNOWN}, {}],
        "h": [UNKNOWN],
        "i": 2,
    }
    asked = struct({"a": UNKNOWN, "c": {"e": 1}, "f": [{"x": 1}, {}], "h": [1, 2]})
    props = decoding.resource(of_stack(POOL, outcome), asked).props
    assert not props.known("a")
    assert props.absent("b")
    assert props.raw("c") == {"e": 1}
    assert props.raw("f") == [{}, {}]
    assert props.raw("h") == [NOT_KNOWN]
    assert props.integer("i") == 2
    assert not decoding.resource(of_stack(POOL, outcome)).props.known("b")
