"""A stand-in cloud and its two plugins, spoken to as the engine does: over gRPC."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from rehearsal import wire
from rehearsal.providers.faults import Faults
from rehearsal.providers.gcp import Gcp
from rehearsal.providers.kubernetes import Kubernetes
from rehearsal.providers.servicer import Servicer
from rehearsal.providers.world import World

PROVIDERS = {"gcp": Gcp, "kubernetes": Kubernetes}


def urn(token: str, name: str = "it") -> str:
    return f"urn:pulumi:dev::house::{token}::{name}"


@dataclass
class Plugin:
    """One provider, asked in plain data."""

    stub: Any
    known: dict[str, tuple[str, dict[str, object]]] = field(default_factory=dict)
    """Id and inputs of what was created, by URN."""

    def configure(self, **settings: object) -> None:
        self.stub.Configure(provider_pb2.ConfigureRequest(args=wire.encode(settings)))

    def check(
        self,
        urn: str,
        news: Mapping[str, object],
        olds: Mapping[str, object] | None = None,
        *,
        seed: bytes = b"seed",
        proposed: str = "",
        disabled: bool = False,
    ) -> dict[str, object]:
        options = provider_pb2.CheckRequest.AutonamingOptions
        automatic = options(proposed_name=proposed, mode=options.DISABLE if disabled else options.PROPOSE)
        request = provider_pb2.CheckRequest(
            urn=urn, news=wire.encode(news), olds=wire.encode(olds or {}), randomSeed=seed, autonaming=automatic
        )
        return wire.decode(self.stub.Check(request).inputs)

    def diff(self, urn: str, olds: Mapping[str, object], news: Mapping[str, object], *, config: bool = False) -> Any:
        request = provider_pb2.DiffRequest(
            id="it", urn=urn, olds=wire.encode(olds), old_inputs=wire.encode(olds), news=wire.encode(news)
        )
        return self.stub.DiffConfig(request) if config else self.stub.Diff(request)

    def create(self, urn: str, inputs: Mapping[str, object], *, preview: bool = False) -> dict[str, object]:
        request = provider_pb2.CreateRequest(urn=urn, properties=wire.encode(inputs), preview=preview)
        response = self.stub.Create(request)
        self.known[urn] = (response.id, dict(inputs))
        return wire.decode(response.properties)

    def make(self, token: str, name: str, inputs: Mapping[str, object]) -> str:
        """Check and create; returns the id."""
        made = urn(token, name)
        self.create(made, self.check(made, inputs))
        return self.known[made][0]

    def update(self, urn: str, news: Mapping[str, object], *, preview: bool = False) -> dict[str, object]:
        identity, olds = self.known[urn]
        request = provider_pb2.UpdateRequest(
            id=identity, urn=urn, old_inputs=wire.encode(olds), news=wire.encode(news), preview=preview
        )
        return wire.decode(self.stub.Update(request).properties)

    def read(self, urn: str, identity: str, inputs: Mapping[str, object] | None = None) -> Any:
        encoded = wire.encode(inputs or {})
        return self.stub.Read(provider_pb2.ReadRequest(urn=urn, id=identity, inputs=encoded, properties=encoded))

    def delete(self, token: str, name: str) -> None:
        identity, inputs = self.known[urn(token, name)]
        request = provider_pb2.DeleteRequest(id=identity, urn=urn(token, name), properties=wire.encode(inputs))
        self.stub.Delete(request)

    def cancel(self) -> None:
        self.stub.Cancel(empty_pb2.Empty())


@dataclass
class Cloud:
    """Both plugins over one folder."""

    world: World
    gcp: Plugin
    kubernetes: Plugin


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Plugin]]:
    """Start a plugin over the test's stand-in cloud."""
    with ExitStack() as stack:

        def start(package: str, **environment: str) -> Plugin:
            server = grpc.server(futures.ThreadPoolExecutor(4))
            provider = PROVIDERS[package](World(tmp_path / "cloud"))
            provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(provider, Faults(environment)), server)
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            stack.callback(server.stop, None)
            channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}"))
            return Plugin(provider_pb2_grpc.ResourceProviderStub(channel))

        yield start


@pytest.fixture
def cloud(serve: Callable[..., Plugin], tmp_path: Path) -> Cloud:
    """Both plugins, configured for one project; the Kubernetes one for no cluster."""
    made = Cloud(World(tmp_path / "cloud"), serve("gcp"), serve("kubernetes"))
    made.gcp.configure(project="my-project", region="us-central1")
    made.kubernetes.configure(kubeconfig="{}")
    return made


CLUSTER = "gcp:container/cluster:Cluster"
POOL = "gcp:container/nodePool:NodePool"
NETWORK = "gcp:compute/network:Network"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"


@pytest.fixture
def cluster(cloud: Cloud) -> Cloud:
    """A cloud with a network, a cluster that serves all that GKE can, and one pool."""
    network = cloud.gcp.make(NETWORK, "vpc", {})
    subnetwork = cloud.gcp.make(SUBNETWORK, "nodes", {"network": network, "ipCidrRange": "10.0.0.0/20"})
    cluster = cloud.gcp.make(
        CLUSTER,
        "cluster",
        {
            "name": "inference",
            "location": "us-central1-a",
            "network": network,
            "subnetwork": subnetwork,
            "deletionProtection": False,
            "gatewayApiConfig": {"channel": "CHANNEL_STANDARD"},
            "monitoringConfig": {"managedPrometheus": {"enabled": True}},
        },
    )
    cloud.gcp.make(POOL, "pool", {"cluster": cluster, "location": "us-central1-a"})
    cloud.kubernetes.configure(kubeconfig="{}", clusterIdentifier=cluster)
    return cloud
