"""The helpers that read the journal tell a wrong order from a right one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rehearsal.providers.journal import Entry
from rehearsal.providers.world import Record
from tests.engine.orders import disorders, orphans, rank

COMPONENT = "gke-inference:index"
URNS = {
    "gateway": f"{COMPONENT}:InferenceGateway$kubernetes:gateway.networking.k8s.io/v1:Gateway::gateway-gateway",
    "workload": f"{COMPONENT}:VllmServer$kubernetes:apps/v1:Deployment::qwen-server",
    "controller": f"{COMPONENT}:LeaderWorkerSetController$kubernetes:helm.sh/v3:Release::lws-release",
    "pool": f"{COMPONENT}:GpuNodePool$gcp:container/nodePool:NodePool::t4-nodes",
    "system": f"{COMPONENT}:InferenceCluster$gcp:container/nodePool:NodePool::inference-system",
    "cluster": f"{COMPONENT}:InferenceCluster$gcp:container/cluster:Cluster::inference-cluster",
    "network": f"{COMPONENT}:PlatformNetwork$gcp:compute/network:Network::platform-vpc",
    "fabric": f"{COMPONENT}:RdmaNetwork$gcp:compute/subnetwork:Subnetwork::rdma-roce-0",
    "set": f"{COMPONENT}:VllmLeaderWorkerSet$kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet::kimi",
}
RIGHT = ("gateway", "workload", "controller", "pool", "cluster", "network")


def urn(name: str) -> str:
    return f"urn:pulumi:dev::gke-inference::{URNS[name]}"


def deletions(*names: str) -> list[Entry]:
    """One after another; a name with a dash behind it only begins, one with a dash before it only ends."""
    phases: list[tuple[str, str]] = []
    for name in names:
        phases += [("begin", name.strip("-"))] * (not name.startswith("-"))
        phases += [("end", name.strip("-"))] * (not name.endswith("-"))
    return [
        Entry(
            0.0,
            "begin" if phase == "begin" else "end",
            "delete",
            urn(name),
            URNS[name].split("$")[1].split("::")[0],
            name,
        )
        for phase, name in phases
    ]


@pytest.mark.parametrize("name", [*RIGHT, "fabric"])
def test_each_part_of_a_stack_has_its_rank(name: str) -> None:
    assert rank(urn(name)) == name


def test_the_right_order_is_no_disorder() -> None:
    assert not list(disorders(deletions(*RIGHT)))


@pytest.mark.parametrize("place", range(len(RIGHT) - 1))
def test_two_neighbors_in_the_wrong_order_are_a_disorder(place: int) -> None:
    names = list(RIGHT)
    names[place : place + 2] = reversed(names[place : place + 2])
    (found,) = disorders(deletions(*names))
    assert f"({RIGHT[place + 1]}) began to go before" in found


def test_two_at_the_same_time_are_a_disorder() -> None:
    assert list(disorders(deletions("workload-", "pool", "-workload")))


def test_networks_between_accelerators_wait_for_the_pools_and_not_for_the_cluster() -> None:
    assert not list(disorders(deletions("pool", "fabric", "cluster")))
    assert list(disorders(deletions("fabric", "pool")))
    assert not list(disorders(deletions("pool", "fabric", "system", "cluster")))


@pytest.mark.parametrize(("order", "orphaned"), [(("set", "controller"), 0), (("controller", "set"), 1)])
def test_a_custom_resource_without_its_controller_is_an_orphan(order: Sequence[str], orphaned: int) -> None:
    release = Record(urn("controller"), "kubernetes:helm.sh/v3:Release", "lws", inputs={"chart": "oci://x/charts/lws"})
    assert len(list(orphans(deletions(*order), [release]))) == orphaned
