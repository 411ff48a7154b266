"""What the components ask of Google Cloud is what the SDK takes: argument names, types, and documented constants."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference.facts._gateways import GATEWAY_CLASSES
from rehearsal.plan import Plan, ResourceState, Step
from tests.support.gcpsdk import Argument, arguments, settings
from tests.support.rehearsed import rehearsed
from tests.support.stackobjects import SETTINGS, STACKS, settled

_CONSTANT = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")

UNDOCUMENTED = {
    ("NodePool", "nodeConfig.guestAccelerators.gpuDriverInstallationConfig.gpuDriverVersion", "LATEST"),
    ("NodePool", "nodeConfig.imageType", "COS_CONTAINERD"),
    ("NodePool", "nodeConfig.taints.effect", "NO_SCHEDULE"),
    ("NodePool", "nodeConfig.workloadMetadataConfig.mode", "GKE_METADATA"),
    ("NodePool", "placementPolicy.type", "COMPACT"),
    ("NodePool", "upgradeSettings.strategy", "SURGE"),
    ("Cluster", "releaseChannel.channel", "REGULAR"),
    ("Cluster", "releaseChannel.channel", "STABLE"),
}
"""Constants at places where the SDK quotes none; they are enumerations of the API
(https://docs.cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters.nodePools, 2026)."""


def asked(plan: Plan) -> Iterator[tuple[str, str, Argument | None, Any]]:
    """Yield type, path, argument and value of everything that a plan sets on Google Cloud."""
    for state in plan:
        if state.custom and state.type.startswith("gcp:"):
            for path, argument, value in settings(state.type, state.inputs):
                yield state.type.rpartition(":")[2], path, argument, value


def faults(plan: Plan) -> Iterator[str]:
    """Yield each setting that the SDK does not have, or has otherwise."""
    for kind, path, argument, value in asked(plan):
        if argument is None:
            yield f"{kind}.{path}: there is no such argument"
        elif not argument.kinds & kinds(value):
            yield f"{kind}.{path}: {value!r} where {' or '.join(sorted(argument.kinds))} is due"
        elif is_constant(value) and argument.constants and value not in argument.constants:
            yield f"{kind}.{path}: {value} is none of {', '.join(sorted(argument.constants))}"


def kinds(value: object) -> frozenset[str]:
    match value:
        case bool():
            return frozenset({"bool"})
        case float() if not value.is_integer():
            return frozenset({"float"})
        case int() | float():
            return frozenset({"int", "float"})
        case _:
            return frozenset({"str"})


def is_constant(value: object) -> bool:
    return isinstance(value, str) and _CONSTANT.fullmatch(value) is not None


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_sets_what_the_sdk_takes(stack: str) -> None:
    assert not list(faults(rehearsed(STACKS[stack])))


@pytest.mark.parametrize("name", ["dranet", "queued provisioning"])
def test_other_settings_set_what_the_sdk_takes(name: str, tmp_path: Path) -> None:
    assert not list(faults(rehearsed(settled(name, tmp_path))))
    assert name in SETTINGS


def test_every_constant_is_documented_or_known_not_to_be() -> None:
    undocumented: set[tuple[str, str, str]] = set()
    checked: set[tuple[str, str, str]] = set()
    for path in STACKS.values():
        for kind, place, argument, value in asked(rehearsed(path)):
            if argument is not None and is_constant(value):
                (checked if argument.constants else undocumented).add((kind, place, value))
    assert undocumented == UNDOCUMENTED
    assert {
        ("NodePool", "nodeConfig.reservationAffinity.consumeReservationType", "SPECIFIC_RESERVATION"),
        ("NodePool", "autoscaling.locationPolicy", "ANY"),
        ("ResourcePolicy", "workloadPolicy.type", "HIGH_THROUGHPUT"),
        ("Subnetwork", "purpose", "REGIONAL_MANAGED_PROXY"),
        ("Cluster", "datapathProvider", "ADVANCED_DATAPATH"),
    } <= checked


@pytest.mark.parametrize(
    ("token", "inputs", "says"),
    [
        ("gcp:container/nodePool:NodePool", {"nodeConfig": {"gvnics": {}}}, "no such argument"),
        ("gcp:container/nodePool:NodePool", {"nodeConfig": {"spot": "yes"}}, "where bool is due"),
        ("gcp:compute/network:Network", {"routingMode": "LOCAL"}, "none of GLOBAL, REGIONAL"),
    ],
)
def test_a_setting_that_the_sdk_does_not_take_is_found(token: str, inputs: dict[str, Any], says: str) -> None:
    state = ResourceState(urn=f"urn:pulumi:dev::gke-inference::{token}::one", custom=True, inputs=inputs)
    (found,) = faults(Plan((Step("create", state),)))
    assert says in found


def test_the_purposes_of_proxy_subnets_are_those_of_the_sdk() -> None:
    known = arguments("compute", "Subnetwork")["purpose"].constants
    assert {row.proxy_only_purpose for row in GATEWAY_CLASSES.values()} - {None} <= known
