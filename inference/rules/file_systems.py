"""Managed file systems for weights: Lustre, Parallelstore, Filestore, and the network that reaches them.

They stand in a network of Google's and are reached over a peering, private services access, which somebody has to set
up in the VPC of the cluster. Without it the instance is refused after minutes; in another VPC it is made, billed, and
every mount hangs.
"""

from __future__ import annotations

from collections.abc import Iterator

from inference.rules.framework import About, Severity, rule
from inference.rules.views.cloud import Network
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from inference.rules.views.vpc import Vpc, Vpcs

_LUSTRE = "https://cloud.google.com/managed-lustre/docs/vpc"
_CONNECTION = "gcp:servicenetworking/connection:Connection"
_PEERED = ("gcp:lustre/instance:Instance", "gcp:parallelstore/instance:Instance")
_FILESTORE = "gcp:filestore/instance:Instance"


@rule(
    "storage-file-system-has-connection",
    title="The VPC of a managed file system has private services access",
    breaks="The instance is refused: its network has no connection to Google's services. A pool that waits for the "
    "weights on it waits in vain.",
    fix="Declare a servicenetworking Connection with a reserved range for the VPC, and let the instance depend on it.",
    source=_LUSTRE,
    severity=Severity.HIGH,
)
def file_system_has_connection(stack: Stack) -> Iterator[About]:
    instances = [(resource, "network", 0) for resource in stack.of_type(*_PEERED)]
    instances += [
        (resource, "networks", place)
        for resource in stack.of_type(_FILESTORE)
        for place, network in enumerate(resource.props.sections("networks"))
        if network.text("connectMode") == "PRIVATE_SERVICE_ACCESS"
    ]
    if not instances:
        return
    vpcs = stack.view(Vpcs)
    connected = {vpcs.vpc(connection, "network") for connection in stack.of_type(_CONNECTION)}
    for resource, key, place in instances:
        path = (key,) if key == "network" else (key, place, "network")
        vpc: Vpc | None = vpcs.vpc(resource, *path)
        if isinstance(vpc, Network) and vpc not in connected and None not in connected:
            yield _unconnected(resource, vpc)


def _unconnected(resource: Resource, vpc: Network) -> About:
    kind = resource.type.partition("/")[0].removeprefix("gcp:").capitalize()
    return About(
        resource,
        f'{kind} instance "{resource.name}" lies in the network "{vpc.resource.name}", for which the program makes no '
        "private services connection; the instance is refused. Declare a servicenetworking Connection for the network, "
        "and let the instance depend on it.",
    )
