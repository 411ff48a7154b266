"""What the cloud computed differs between a state and a plan, and so does all that was made of it: that is no change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal import diffs
from rehearsal.cloud.gcp_names import number_of
from rehearsal.plan import Plan, ResourceState, Step
from rehearsal.values import Secret

PREFIX = "urn:pulumi:dev::house::"
NETWORK = "gcp:compute/network:Network"
SUBNET = "gcp:compute/subnetwork:Subnetwork"


def state(inputs: Mapping[str, Any], token: str, name: str, **more: Any) -> ResourceState:
    return ResourceState(urn=f"{PREFIX}{token}::{name}", custom=True, inputs=inputs, **more)


def plan(*found: ResourceState) -> Plan:
    return Plan(tuple(Step("create", one) for one in found))


def operations(before: Plan, after: Plan) -> dict[str, str]:
    return {change.urn.rpartition("::")[2]: change.op for change in diffs.compare(before, after).changes}


def with_a_network(made: str, *, uses: Mapping[str, Any], comes_from: bool = True, **network: Any) -> Plan:
    """Return a network with a name that the provider made, and something that is told where it is."""
    link = f"projects/p/global/networks/{made}"
    inputs = {"name": made, "__defaults": ["name"], **network}
    net = state(inputs, NETWORK, "net", id=link, outputs={**inputs, "gatewayIpv4": f"{made}-address"})
    source = {key: (net.urn,) for key in uses if comes_from}
    return plan(net, state(uses, SUBNET, "nodes", property_dependencies=source))


def test_what_is_made_of_a_name_that_the_provider_made_is_no_change() -> None:
    before, after = (
        with_a_network(
            made,
            uses={
                "network": f"projects/p/global/networks/{made}",
                "description": f"of {made}, at {made}-address",
                "tags": [{"name": made}],
                "key": Secret(made),
            },
        )
        for made in ("net-1a2b", "net-9f8e7d")
    )
    assert diffs.compare(before, after).summary == {"same": 2}


def test_the_same_words_from_elsewhere_are_a_change() -> None:
    before, after = (with_a_network(made, uses={"network": made}, comes_from=False) for made in ("net-1", "net-2"))
    assert operations(before, after) == {"net": "same", "nodes": "replace"}


def test_another_source_is_a_change_beside_what_is_computed() -> None:
    before, after = (
        with_a_network(made, uses={"network": f"{made}{more}"}) for made, more in (("n-1", ""), ("n-2", "0"))
    )
    assert operations(before, after) == {"net": "same", "nodes": "replace"}


def test_what_is_computed_anew_in_an_update_is_a_change_but_its_name_is_none() -> None:
    before, after = (
        with_a_network(made, uses={"description": f"{made}-address"}, mtu=mtu)
        for made, mtu in (("net-1", 1460), ("net-2", 8896))
    )
    assert operations(before, after) == {"net": "update", "nodes": "same"}
    left, right = (
        plan(
            state({"size": size}, NETWORK, "net", outputs={"address": address}),
            state(
                {"description": address},
                SUBNET,
                "n",
                property_dependencies={"description": (f"{PREFIX}{NETWORK}::net",)},
            ),
        )
        for size, address in ((1, "10.0.0.1"), (2, "10.0.0.2"))
    )
    assert operations(left, right)["n"] == "replace"


def test_the_number_of_a_project_is_not_known_here_and_no_change() -> None:
    kind = "gcp:storage/bucketIAMMember:BucketIAMMember"

    def granted(number: str, subject: str = "a") -> Plan:
        member = f"principal://iam.googleapis.com/projects/{number}/locations/global/subject/{subject}"
        return plan(state({"member": member, "bucket": "b"}, kind, "m"), state({"project": "p"}, NETWORK, "net"))

    invented = granted(number_of("p"))
    assert operations(granted("123456789012"), invented) == {"m": "same", "net": "same"}
    assert operations(granted("123456789012", "other"), invented)["m"] == "replace"
    assert operations(granted("123456789012"), granted("210987654321"))["m"] == "replace"
