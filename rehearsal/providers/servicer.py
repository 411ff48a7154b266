"""The engine's protocol: requests are decoded, journaled and answered from a provider."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from rehearsal import urns, wire
from rehearsal.cloud import CloudError
from rehearsal.providers.faults import Faults
from rehearsal.providers.provider import Comparison, Naming, Provider

__all__ = ["Servicer"]

_KINDS: Mapping[tuple[str, bool], Any] = {
    ("add", False): provider_pb2.PropertyDiff.ADD,
    ("add", True): provider_pb2.PropertyDiff.ADD_REPLACE,
    ("update", False): provider_pb2.PropertyDiff.UPDATE,
    ("update", True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
    ("delete", False): provider_pb2.PropertyDiff.DELETE,
    ("delete", True): provider_pb2.PropertyDiff.DELETE_REPLACE,
}


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Serves one provider resource; the engine starts a process for each."""

    def __init__(self, provider: Provider, faults: Faults) -> None:
        self._provider = provider
        self._faults = faults

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - the protocol's names
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True, accept_resources=True, supports_autonaming_configuration=True
        )

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return plugin_pb2.PluginInfo(version=importlib.metadata.version(f"pulumi_{self._provider.package}"))

    def Attach(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        self._faults.cancelled.set()
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        old = wire.decode(request.old_inputs if request.HasField("old_inputs") else request.olds)
        return _difference(self._provider.compare_configuration(old, wire.decode(request.news)))

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        self._provider.configuration = wire.decode(request.args)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=True, supports_autonaming_configuration=True
        )

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        automatic = request.autonaming
        disabled = automatic.mode == provider_pb2.CheckRequest.AutonamingOptions.DISABLE
        naming = Naming(request.randomSeed, automatic.proposed_name, disabled)
        with _explained(context):
            inputs = self._provider.check(request.urn, wire.decode(request.olds), wire.decode(request.news), naming)
            return provider_pb2.CheckResponse(inputs=wire.encode(inputs))

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        old = request.old_inputs if request.HasField("old_inputs") else request.olds
        return _difference(self._provider.compare(request.urn, wire.decode(old), wire.decode(request.news)))

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        inputs = wire.decode(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=wire.encode(self._provider.foresee(request.urn, inputs)))
        with self._journaled("create", request.urn, "", context) as ended:
            self._faults.before_creation(request.urn, context.is_active)
            identity, outputs = self._provider.create(request.urn, inputs)
            ended(identity)
            self._faults.after_creation(request.urn, context.is_active)
            return provider_pb2.CreateResponse(id=identity, properties=wire.encode(outputs))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        with self._journaled("read", request.urn, request.id, context) as ended:
            inputs, outputs = wire.decode(request.inputs), wire.decode(request.properties)
            found = self._provider.read(request.urn, request.id, inputs, outputs)
            ended(request.id)
            if found is None:
                return provider_pb2.ReadResponse()
            return provider_pb2.ReadResponse(
                id=request.id, inputs=wire.encode(found[0]), properties=wire.encode(found[1])
            )

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        inputs = wire.decode(request.news)
        if request.preview:
            with _explained(context):
                foreseen = self._provider.foresee_update(request.urn, request.id, inputs)
                return provider_pb2.UpdateResponse(properties=wire.encode(foreseen))
        with self._journaled("update", request.urn, request.id, context) as ended:
            outputs = self._provider.update(request.urn, request.id, inputs)
            ended(request.id)
            return provider_pb2.UpdateResponse(properties=wire.encode(outputs))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        with self._journaled("delete", request.urn, request.id, context) as ended:
            self._provider.delete(request.urn, request.id)
            ended(request.id)
            return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        with self._journaled("invoke", "", "", context, request.tok) as ended:
            answer = self._provider.invoke(request.tok, wire.decode(request.args))
            ended("")
            response = provider_pb2.InvokeResponse()
            wire.encode_into(getattr(response, "return"), answer)
            return response

    @contextmanager
    def _journaled(
        self, operation: str, urn: str, identity: str, context: Any, token: str = ""
    ) -> Iterator[Callable[[str], None]]:
        """Note the beginning and the end of an operation, and turn a refusal into the engine's error."""
        journal, type_ = self._provider.world.journal, token or urns.resource_type(urn)
        journal.write("begin", operation, urn, type_, identity)
        with _explained(context, lambda why: journal.write("fail", operation, urn, type_, identity, why)):
            yield lambda made: journal.write("end", operation, urn, type_, made)


@contextmanager
def _explained(context: Any, told: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    try:
        yield
    except CloudError as error:
        told(str(error))
        context.abort(grpc.StatusCode.UNKNOWN, str(error))


def _difference(comparison: Comparison) -> Any:
    response = provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if comparison.changes else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=sorted({change.top for change in comparison.changes}),
        replaces=sorted({change.top for change in comparison.changes if change.replaces}),
        deleteBeforeReplace=comparison.delete_first,
        hasDetailedDiff=True,
    )
    for change in comparison.changes:
        kind = _KINDS[change.kind, change.replaces]
        response.detailedDiff[change.path].CopyFrom(provider_pb2.PropertyDiff(kind=kind, inputDiff=True))
    return response
