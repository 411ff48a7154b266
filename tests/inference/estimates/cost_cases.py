"""A cluster, a pool and what costs money beside them, for a test to change in one place."""

from __future__ import annotations

from typing import Any

from inference.estimates.costs import Estimate, estimate
from inference.estimates.pricing import Agreement, Line
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from tests.inference.rules.cases import NODE_POOL, Changes, resource
from tests.inference.rules.cases import cluster as regional_cluster

__all__ = ["cluster", "costs", "counted", "gateway", "line", "nat", "nodes", "pool"]


def cluster(props: Changes | None = None) -> Resource:
    return regional_cluster("platform", {"location": "us-central1-b", **(props or {})})


def pool(props: Changes | None = None, name: str = "pool") -> Resource:
    config = {
        "machineType": "g2-standard-4",
        "diskType": "pd-balanced",
        "diskSizeGb": 100,
        "reservationAffinity": {"consumeReservationType": "NO_RESERVATION"},
        "guestAccelerators": [{"type": "nvidia-l4", "count": 1}],
    }
    given = dict(props or {})
    base = {
        "name": name,
        "cluster": "platform",
        "location": "us-central1-b",
        "nodeLocations": ["us-central1-b"],
        "autoscaling": {"totalMinNodeCount": 1, "totalMaxNodeCount": 3},
        **given,
        "nodeConfig": {**config, **given.get("nodeConfig", {})},
    }
    return resource(NODE_POOL, name, {key: value for key, value in base.items() if value is not None})


def costs(*resources: Resource, agreed: Any = None) -> Estimate:
    return estimate(Stack(resources), Agreement.of(agreed))


def line(found: Estimate, what: str) -> Line:
    (one,) = [line for line in found.lines if what in line.what]
    return one


def counted(found: Estimate, what: str) -> tuple[float | None, float | None]:
    one = line(found, what)
    return one.idle, one.most


def nodes(**config: Any) -> Resource:
    return pool({"nodeConfig": config})


def gateway(class_name: str, *ports: int) -> Resource:
    return resource(
        "kubernetes:gateway.networking.k8s.io/v1:Gateway",
        "gateway",
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "gateway", "namespace": "inference"},
            "spec": {"gatewayClassName": class_name, "listeners": [{"name": f"p{p}", "port": p} for p in ports]},
        },
    )


def nat(region: str = "us-central1") -> Resource:
    return resource("gcp:compute/routerNat:RouterNat", "nat", {"region": region, "natIpAllocateOption": "AUTO_ONLY"})
