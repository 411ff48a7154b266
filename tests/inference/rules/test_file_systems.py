from __future__ import annotations

from typing import Any

import pytest

from inference.rules.file_systems import file_system_has_connection
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import findings, resource

VPC = resource("gcp:compute/network:Network", "vpc", {"name": "vpc", "autoCreateSubnetworks": False})
EDGE = {"network": [VPC]}


def lustre(network: Any = "projects/p/global/networks/vpc", **kw: Any) -> Resource:
    return resource("gcp:lustre/instance:Instance", "weights", {"network": network, "capacityGib": "18000"}, **kw)


def filestore(mode: str, network: Any = "vpc") -> Resource:
    networks = [{"network": network, "modes": ["MODE_IPV4"], "connectMode": mode}]
    return resource("gcp:filestore/instance:Instance", "share", {"networks": networks, "tier": "ZONAL"})


def connection(network: Any = "vpc", **kw: Any) -> Resource:
    props = {"network": network, "service": "servicenetworking.googleapis.com"}
    return resource("gcp:servicenetworking/connection:Connection", "psa", props, **kw)


@pytest.mark.parametrize(
    "instance",
    [
        lustre(),
        lustre(UNKNOWN, property_dependencies=EDGE),
        resource("gcp:parallelstore/instance:Instance", "scratch", {"network": "vpc"}),
        filestore("PRIVATE_SERVICE_ACCESS"),
    ],
)
def test_an_instance_in_a_network_without_private_services_is_found(instance: Resource) -> None:
    (message,) = findings(file_system_has_connection, VPC, instance)
    assert "Connection" in message
    assert not findings(file_system_has_connection, VPC, instance, connection())
    assert not findings(file_system_has_connection, VPC, instance, connection(UNKNOWN, property_dependencies=EDGE))
    assert len(findings(file_system_has_connection, VPC, instance, connection("other"))) == 1


def test_networks_of_others_and_direct_peering_are_silent() -> None:
    assert not findings(file_system_has_connection, lustre())
    assert not findings(file_system_has_connection, VPC, lustre("projects/host/global/networks/shared"))
    assert not findings(file_system_has_connection, VPC, lustre(UNKNOWN))
    assert not findings(
        file_system_has_connection, VPC, filestore("DIRECT_PEERING"), filestore("PRIVATE_SERVICE_CONNECT")
    )
    assert not findings(file_system_has_connection, VPC, lustre(["vpc"]), connection(UNKNOWN))
