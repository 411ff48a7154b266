"""What changes between two plans: named exactly, without noise."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.facts.wire import UNKNOWN
from rehearsal import diffs, digests
from rehearsal.diffs import Change, PropertyChange
from rehearsal.plan import Options, Plan, ResourceState, Step
from rehearsal.values import BLINDED, Secret
from tests.rehearsal.conftest import Throwaway

PREFIX = "urn:pulumi:dev::house::"
POOL = "gcp:container/nodePool:NodePool"


def state(inputs: Mapping[str, Any], token: str = POOL, name: str = "pool", **more: Any) -> ResourceState:
    return ResourceState(urn=f"{PREFIX}{token}::{name}", custom=True, inputs=inputs, **more)


def plan(*found: ResourceState) -> Plan:
    return Plan(tuple(Step("create", one) for one in found))


def change(old: ResourceState, new: ResourceState) -> Change:
    (found,) = diffs.compare(plan(old), plan(new)).changes
    return found


def changed(old: Mapping[str, Any], new: Mapping[str, Any], token: str = POOL) -> list[str]:
    return [prop.path for prop in change(state(old, token), state(new, token)).properties]


KEYS = st.text(st.sampled_from('ab.[]"\\ é_-'), min_size=1, max_size=4).filter(lambda key: not key.startswith("__"))
SCALARS = st.booleans() | st.integers(-5, 5) | st.floats(-2, 2).filter(lambda x: x == x) | st.text("ab", max_size=3)
VALUES = st.recursive(
    SCALARS | st.builds(Secret, SCALARS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
)
PROPERTIES = st.dictionaries(KEYS, VALUES, max_size=4)

_PART = re.compile(r'\[("(?:[^"\\]|\\.)*")\]|\[(\d+)\]|\.?([^.\[]+)')


def parts(path: str) -> list[str | int]:
    found: list[str | int] = []
    for quoted, place, plain in _PART.findall(path):
        found.append(json.loads(quoted) if quoted else int(place) if place else plain)
    return found


def applied(old: Mapping[str, Any], properties: tuple[PropertyChange, ...]) -> Any:
    """Carry out changes; removals last to first, as lists shrink from their end."""
    result: Any = copy.deepcopy(dict(old))
    for prop in sorted(properties, key=lambda prop: prop.kind == "delete"):
        if prop.kind != "delete":
            _set(result, parts(prop.path), prop.new)
    for prop in reversed([prop for prop in properties if prop.kind == "delete"]):
        *way, last = parts(prop.path)
        place = result
        for step in way:
            place = place[step]
        del place[last]
    return result


def _set(place: Any, way: list[str | int], value: object) -> None:
    *inner, last = way
    for step in inner:
        place = place[step]
    if isinstance(place, list) and last == len(place):
        place.append(value)
    else:
        place[last] = value


@given(PROPERTIES, PROPERTIES)
def test_carrying_out_the_changes_gives_the_new_inputs(old: dict[str, Any], new: dict[str, Any]) -> None:
    found = change(state(old), state(new))

    assert applied(old, found.properties) == new
    assert (found.op == "same") == (not found.properties)
    assert all(parts(prop.path)[0] == prop.top for prop in found.properties)


@given(PROPERTIES)
def test_a_resource_does_not_differ_from_itself(inputs: dict[str, Any]) -> None:
    assert change(state(inputs), state(copy.deepcopy(inputs))).op == "same"


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.lists(st.sampled_from("abcdef"), unique=True))
def test_every_resource_of_both_sides_appears_once(before: list[str], after: list[str]) -> None:
    diff = diffs.compare(plan(*(state({}, name=name) for name in before)), plan(*(state({}, name=n) for n in after)))

    assert sorted(change.urn for change in diff.changes) == sorted(f"{PREFIX}{POOL}::{n}" for n in {*before, *after})
    assert diff.summary.get("create", 0) == len(set(after) - set(before))
    assert diff.summary.get("delete", 0) == len(set(before) - set(after))


def test_a_changed_number_is_told_with_old_and_new() -> None:
    found = change(state({"nodeCount": 1}), state({"nodeCount": 3}))

    assert found.op == "update"
    assert found.properties == (PropertyChange("nodeCount", 1, 3, "update"),)


def test_paths_are_in_pulumis_notation() -> None:
    old = {"a": {"b": [{"c": 1}], "x.y": 1, "gke.io/nic": 1}}
    new = {"a": {"b": [{"c": 2}], "x.y": 2, "gke.io/nic": 2}}

    assert changed(old, new) == ["a.b[0].c", 'a["gke.io/nic"]', 'a["x.y"]']


NOISE = {
    "a whole number as float": ({"n": 3}, {"n": 3.0}),
    "a null that is not there": ({"n": None}, {}),
    "an unknown": ({"n": UNKNOWN}, {"n": "known"}),
    "an unknown list": ({"n": "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2"}, {"n": [1]}),
    "a blinded secret": ({"n": BLINDED}, {"n": Secret("x")}),
    "a secret map of which the keys were written down": ({"n": {"key": BLINDED}}, {"n": Secret({"key": "x"})}),
    "a blinded map around a secret": ({"n": BLINDED}, {"n": {"user": "u", "key": Secret("x")}}),
    "a secret of which only the ciphertext is known": ({"n": Secret("v1:", sealed=True)}, {"n": Secret("x")}),
    "a default that the provider filled in": ({"__defaults": ["tier"], "tier": "BASIC"}, {}),
    "a nested default": ({"c": {"__defaults": ["d"], "d": 1, "e": 2}}, {"c": {"e": 2}}),
    "a default in a list": ({"c": [{"__defaults": ["d"], "d": 1, "e": 2}]}, {"c": [{"e": 2}]}),
    "an internal key": ({"__fieldManager": "a"}, {"__fieldManager": "b"}),
    "a made-up name": ({"name": "x-1", "__defaults": ["name"]}, {"name": "x-2", "__defaults": ["name"]}),
}


@pytest.mark.parametrize(("old", "new"), NOISE.values(), ids=NOISE.keys())
def test_noise_is_left_out(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert changed(old, new) == []


def test_a_made_up_kubernetes_name_is_no_change() -> None:
    def thing(name: str) -> Mapping[str, Any]:
        return {"metadata": {"name": name, "annotations": {"pulumi.com/autonamed": "true"}}}

    assert changed(thing("a-1"), thing("a-2"), "kubernetes:apps/v1:Deployment") == []


SIGNAL = {
    "a secret that changes": ({"n": Secret("x")}, {"n": Secret("y")}, ["n"]),
    "another key in a secret map": ({"n": {"key": BLINDED}}, {"n": Secret({"other": "x"})}, ["n"]),
    "a secret map in the place of a plain one": ({"n": {"key": "x"}}, {"n": Secret({"key": "x"})}, ["n"]),
    "a secret in the place of a text": ({"n": "x"}, {"n": Secret("x")}, ["n"]),
    "a text in the place of a blinded secret": ({"n": BLINDED}, {"n": "x"}, ["n"]),
    "true in the place of one": ({"n": 1}, {"n": True}, ["n"]),
    "a text in the place of a number": ({"n": 1}, {"n": "1"}, ["n"]),
    "an entry more": ({"n": [1]}, {"n": [1, 2]}, ["n[1]"]),
    "an entry less": ({"n": [1, 2]}, {"n": [1]}, ["n[1]"]),
    "a name that was given": ({"name": "x-1"}, {"name": "x-2"}, ["name"]),
}


@pytest.mark.parametrize(("old", "new", "paths"), SIGNAL.values(), ids=SIGNAL.keys())
def test_what_matters_is_told(old: dict[str, Any], new: dict[str, Any], paths: list[str]) -> None:
    assert changed(old, new) == paths


def test_ignored_changes_are_ignored() -> None:
    new = state({"initialNodeCount": 0, "a": {"b": 2}}, options=Options(ignore_changes=("initialNodeCount", "a.b")))

    assert change(state({"initialNodeCount": 2, "a": {"b": 1}}), new).op == "same"


def test_a_property_that_forces_a_new_resource_is_named() -> None:
    old = {"nodeCount": 1, "nodeConfig": {"guestAccelerators": [{"type": "nvidia-l4"}]}}
    new = {"nodeCount": 2, "nodeConfig": {"guestAccelerators": [{"type": "nvidia-h100"}]}}
    found = change(state(old), state(new))

    assert found.op == "replace"
    assert [prop.path for prop in found.properties if prop.replaces] == ["nodeConfig.guestAccelerators[0].type"]


def test_a_part_that_forces_a_new_resource_does_so_inside_a_new_map() -> None:
    assert change(state({}), state({"nodeConfig": {"spot": True}})).op == "replace"
    assert change(state({}), state({"nodeConfig": {"labels": {"a": "b"}}})).op == "update"


def test_the_program_may_demand_replacement() -> None:
    new = state({"nodeCount": 2}, options=Options(replace_on_changes=("nodeCount",)))

    assert change(state({"nodeCount": 1}), new).op == "replace"


@pytest.mark.parametrize(("setting", "op"), [("true", "update"), ("false", "replace"), (None, "replace")])
def test_a_config_map_changes_in_place_where_the_provider_says_so(setting: str | None, op: str) -> None:
    kind = "kubernetes:core/v1:ConfigMap"
    provider = state({"enableConfigMapMutable": setting} if setting else {}, "pulumi:providers:kubernetes", "k8s")
    old, new = (state({"data": {"a": n}}, kind, provider=f"{provider.urn}::1") for n in (1, 2))

    found = diffs.compare(plan(provider, old), plan(provider, new))

    assert found.changes[1].op == op


def test_another_provider_means_a_new_resource() -> None:
    found = change(
        state({}, provider=f"{PREFIX}pulumi:providers:gcp::one::1"),
        state({}, provider=f"{PREFIX}pulumi:providers:gcp::two::2"),
    )

    assert found.op == "replace"
    assert found.properties[0].path == "provider"


@pytest.mark.parametrize("version", ["default_10_1_0", "default"])
def test_another_version_of_the_engines_own_provider_is_no_change(version: str) -> None:
    old = state({}, provider=f"{PREFIX}pulumi:providers:gcp::{version}::1")
    new = state({}, provider=f"{PREFIX}pulumi:providers:gcp::default_10_2_0::2")
    defaults = [state({"version": name}, "pulumi:providers:gcp", name) for name in (version, "default_10_2_0")]

    diff = diffs.compare(plan(old, defaults[0]), plan(new, defaults[1]))

    assert diff.summary == {"same": 1}


def test_a_renamed_resource_with_an_alias_is_the_same() -> None:
    new = state({"nodeCount": 1}, name="new", options=Options(aliases=(f"{PREFIX}{POOL}::old",)))

    assert change(state({"nodeCount": 1}, name="old"), new).op == "same"


def test_what_is_deleted_comes_last_and_in_reverse() -> None:
    diff = diffs.compare(plan(*(state({}, name=name) for name in "abc")), plan(state({}, name="d")))

    assert [(found.op, found.urn[-1]) for found in diff.changes] == [
        ("create", "d"),
        ("delete", "c"),
        ("delete", "b"),
        ("delete", "a"),
    ]


def test_a_resource_that_is_only_read_is_no_change() -> None:
    assert diffs.compare(plan(), plan(state({}, external=True))).changes == ()


def test_the_json_of_a_comparison_says_what_a_preview_says(project: Throwaway) -> None:
    source = 'gcp.container.NodePool("pool", cluster="c", node_count={}, max_pods_per_node={}, opts=O(provider=cloud))'
    before = digests.loads(digests.dumps(project.run(source.format(1, 110))), "before.json")
    after = project.run(source.format(2, 64))

    found = json.loads(digests.dumps(after, diffs.compare(before, after)))

    (step,) = [step for step in found["steps"] if step["op"] != "same"]
    assert step["op"] == "replace"
    assert step["oldState"]["inputs"]["nodeCount"] == 1
    assert step["newState"]["inputs"]["nodeCount"] == 2
    assert step["diffReasons"] == ["maxPodsPerNode", "nodeCount"]
    assert step["replaceReasons"] == ["maxPodsPerNode"]
    assert step["detailedDiff"]["nodeCount"] == {"kind": "update", "inputDiff": True}
    assert found["changeSummary"] == {"replace": 1, "same": 3}


def test_a_change_that_takes_a_new_resource_for_its_values_is_a_replacement() -> None:
    kind = "gcp:compute/subnetwork:Subnetwork"
    found = change(state({"ipCidrRange": "10.0.0.0/20"}, kind), state({"ipCidrRange": "10.8.0.0/20"}, kind))
    assert (found.op, found.properties[0].replaces) == ("replace", True)


def test_a_program_may_demand_replacement_for_whatever_lies_in_a_property() -> None:
    kind = "kubernetes:resource.k8s.io/v1:ResourceClaimTemplate"
    old, new = ({"spec": {"devices": {"requests": [{"count": count}]}}, "special": count} for count in (8, 4))
    assert change(state(old, kind), state(new, kind)).op == "update"
    assert (
        change(state(old, kind), state(new, kind, options=Options(replace_on_changes=("spec.devices",)))).op
        == "replace"
    )
    assert change(state(old, kind), state(new, kind, options=Options(replace_on_changes=("spe",)))).op == "update"


# What a replacement takes along

NETWORK = "gcp:compute/network:Network"
SUBNET = "gcp:compute/subnetwork:Subnetwork"
NAT = "gcp:compute/routerNat:RouterNat"
PROVIDER = "pulumi:providers:kubernetes"


def operations(before: Plan, after: Plan) -> dict[str, str]:
    return {change.urn.rpartition("::")[2]: change.op for change in diffs.compare(before, after).changes}


def standing_in(profile: str, token: str = SUBNET, **more: Any) -> Plan:
    """Return a network and what takes its ``network`` from it."""
    net = state({"networkProfile": profile}, NETWORK, "net")
    inside = state({"network": "net"}, token, "inside", property_dependencies={"network": (net.urn,)}, **more)
    return plan(net, inside)


def test_what_stands_in_a_replaced_network_is_replaced_and_says_why() -> None:
    found = diffs.compare(standing_in("a"), standing_in("b")).changes[1]
    assert found.op == "replace"
    assert [(prop.path, prop.follows) for prop in found.properties] == [("network", f"{PREFIX}{NETWORK}::net")]


def test_a_value_that_forces_nothing_takes_nothing_along() -> None:
    assert operations(standing_in("a", NAT), standing_in("b", NAT)) == {"net": "replace", "inside": "same"}


def named_inside(profile: str, token: str, value: object, **more: Any) -> Plan:
    """Return a network whose name the provider made, and something with a property that has it in it."""
    net = state({"networkProfile": profile, "name": "net-1a2b", "__defaults": ["name"]}, NETWORK, "net")
    return plan(net, state({"spec": value}, token, "inside", property_dependencies={"spec": (net.urn,)}, **more))


def test_a_name_that_the_provider_makes_is_another_one_wherever_it_stands() -> None:
    kind = "kubernetes:networking.gke.io/v1:GKENetworkParamSet"
    before, after = (named_inside(profile, kind, {"vpc": "net-1a2b", "mode": "RDMA"}) for profile in "ab")
    found = diffs.compare(before, after).changes[1]
    assert found.op == "update"
    assert [(prop.path, prop.replaces) for prop in found.properties] == [("spec.vpc", False)]
    same = (
        named_inside(profile, kind, {"vpc": "net-1a2b"}, options=Options(ignore_changes=("spec.vpc",)))
        for profile in "ab"
    )
    assert operations(*same)["inside"] == "same"


def test_a_name_deep_in_a_property_that_forces_takes_the_resource_along() -> None:
    kind = "kubernetes:resource.k8s.io/v1:ResourceClaimTemplate"
    demanding: dict[str, Any] = {"options": Options(replace_on_changes=("spec",))}
    assert (
        operations(*(named_inside(p, kind, {"a": [{"b": "of net-1a2b"}]}, **demanding) for p in "ab"))["inside"]
        == "replace"
    )


def test_a_value_that_is_ignored_takes_nothing_along() -> None:
    ignoring: dict[str, Any] = {"options": Options(ignore_changes=("network",))}
    assert operations(standing_in("a", **ignoring), standing_in("b", **ignoring))["inside"] == "same"


def test_all_that_a_replaced_provider_manages_is_replaced() -> None:
    def managed(identifier: str) -> Plan:
        provider = state({"clusterIdentifier": identifier}, PROVIDER, "objects")
        reference = f"{provider.urn}::1"
        service = state({"spec": {}}, "kubernetes:core/v1:Service", "service", provider=reference)
        return plan(provider, service, state({"spec": {}}, "kubernetes:core/v1:Service", "elsewhere"))

    assert operations(managed("a"), managed("b")) == {"objects": "replace", "service": "replace", "elsewhere": "same"}
