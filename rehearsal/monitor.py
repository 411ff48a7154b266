"""The engine's side of the conversation with a program, kept word for word.

Every registration is answered as the engine and the providers would answer it, from the model of the cloud.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from google.protobuf import empty_pb2
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime import mocks
from pulumi.runtime.proto import engine_pb2, resource_pb2

from rehearsal import registrations, urns, wire
from rehearsal.cloud import Asked, CloudError, model_of
from rehearsal.errors import EngineError
from rehearsal.plan import Diagnostic, ResourceState
from rehearsal.registrations import Kept
from rehearsal.values import Secret

__all__ = ["Engine", "Monitor"]

_PROVIDER = "pulumi:providers:"


class _Unmocked(mocks.Mocks):
    """The monitor answers everything itself."""

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise NotImplementedError(args.token)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        raise NotImplementedError(args.typ)


class Monitor(mocks.MockMonitor):
    """The SDK's mock monitor, with the engine's names, references and checks, that keeps every request."""

    def __init__(self, project: str, stack: str, config: Mapping[str, str], *, preview: bool) -> None:
        super().__init__(_Unmocked())
        self._project = project
        self._stack = stack
        self._config = config
        self._preview = preview
        self._kept: dict[str, Kept] = {}
        self._transforms = 0
        self.on_registration: Callable[[int], None] = lambda _: None
        """Called with the number of resources after each registration."""

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the SDK's name
        token, name = request.type, request.name
        urn = self._urn(request.parent, token, name)
        registrations.timeouts(request)
        if token == urns.STACK:
            self._keep(Kept(request, urn, "", "", {}, Struct()))
            return resource_pb2.RegisterResourceResponse(urn=urn)
        if request.remote:
            raise EngineError(
                f"{urn} is a component of another language ({token}); offline nobody can construct it. "
                "Use the resources it is made of."
            )
        if request.transforms:
            self._transforms += 1
        inputs = wire.decode(request.object)
        provider = request.provider
        if token.startswith(_PROVIDER) and request.version and "version" not in inputs:
            inputs["version"] = request.version
        if request.custom and not provider and not token.startswith("pulumi:"):
            provider = self._default_provider(token, request.version)
        if not request.custom:
            self._keep(Kept(request, urn, "", "", inputs, request.object))
            return resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)
        return self._create(request, urn, provider, inputs)

    def _create(self, request: Any, urn: str, provider: str, inputs: dict[str, object]) -> Any:
        package = "" if request.type.startswith("pulumi:") else request.type.partition(":")[0]
        asked = Asked(urn, inputs, self._configuration(provider))
        model = model_of(package)
        added = dict(model.check(asked)) if package else {}
        if request.type.startswith(_PROVIDER) and "version" in inputs:
            added["version"] = inputs["version"]
        wired = request.object
        if added:
            inputs = {**inputs, **added}
            wired = Struct()
            wired.CopyFrom(request.object)
            wire.encode_into(wired, added)
            asked = Asked(urn, inputs, asked.configuration)
        visible = {key: value for key, value in inputs.items() if not key.startswith("__")}
        kept = Kept(request, urn, "", provider, inputs, wired, visible, wire.without_internals(wired))
        if not self._preview:
            if package:
                created = model.create(asked)
                kept.id = request.importId or created.id
                self._compute(kept, created.computed, request.additionalSecretOutputs)
            else:
                kept.id = str(uuid.uuid5(uuid.NAMESPACE_URL, urn))
        self._keep(kept)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=kept.id, object=kept.wire_outputs)

    @staticmethod
    def _compute(kept: Kept, computed: Mapping[str, object], secret: Iterable[str]) -> None:
        """Complete the outputs; what was asked for in secret stays so."""
        changed = {
            key: Secret(value) if isinstance(kept.inputs.get(key), Secret) and not isinstance(value, Secret) else value
            for key, value in computed.items()
        }
        outputs = {**kept.outputs, **changed}
        for key in secret:
            if key in outputs and not isinstance(outputs[key], Secret):
                changed[key] = outputs[key] = Secret(outputs[key])
        kept.outputs = outputs
        completed = Struct()
        completed.CopyFrom(kept.wire_outputs)
        wire.encode_into(completed, changed)
        kept.wire_outputs = completed

    def _keep(self, kept: Kept) -> None:
        if kept.urn in self._kept:
            raise EngineError(f"Duplicate resource URN '{kept.urn}'; try giving it a unique name")
        self._kept[kept.urn] = kept
        self.on_registration(len(self._kept))

    def _urn(self, parent: str, token: str, name: str) -> str:
        return urns.make(self._stack, self._project, parent, token, name)

    def _configuration(self, provider: str) -> Mapping[str, object]:
        kept = self._kept.get(urns.reference(provider))
        return kept.inputs if kept else {}

    def _default_provider(self, token: str, version: str) -> str:
        """Return the reference of the provider that the engine makes where a resource names none."""
        package = token.partition(":")[0]
        if package in self._disabled:
            raise EngineError(
                f"Default provider for '{package}' disabled, and a resource of type {token} names none; "
                "give it one with ResourceOptions(provider=…)."
            )
        name = f"default_{version.replace('.', '_').replace('-', '_')}" if version else "default"
        urn = self._urn("", _PROVIDER + package, name)
        if urn not in self._kept:
            prefix = f"{package}:"
            inputs: dict[str, object] = {
                key.removeprefix(prefix): value for key, value in self._config.items() if key.startswith(prefix)
            }
            if version:
                inputs["version"] = version
            request = resource_pb2.RegisterResourceRequest(type=_PROVIDER + package, name=name, custom=True)
            struct = wire.encode(inputs)
            identity = "" if self._preview else str(uuid.uuid5(uuid.NAMESPACE_URL, urn))
            self._keep(Kept(request, urn, identity, "", inputs, struct, inputs, struct))
        return f"{urn}::{self._kept[urn].id}"

    @property
    def _disabled(self) -> tuple[str, ...]:
        listed = self._config.get("pulumi:disable-default-providers", "")
        return tuple(part.strip(' []"') for part in listed.split(","))

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        kept = self._kept.get(request.urn)
        if kept is None:
            raise EngineError(f"outputs of a resource that was never registered: {request.urn}")
        kept.wire_outputs = request.outputs
        kept.outputs = wire.decode(request.outputs)
        return empty_pb2.Empty()

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        urn = self._urn(request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:StackReference":
            raise EngineError(f"{urn} reads another stack's outputs; offline there is no other stack.")
        provider = request.provider or self._default_provider(request.type, request.version)
        inputs = wire.decode(request.properties)
        package = request.type.partition(":")[0]
        created = model_of(package).create(Asked(urn, inputs, self._configuration(provider)))
        wired = request.properties
        kept = Kept(request, urn, request.id, provider, inputs, wired, inputs, wired, external=True)
        self._compute(kept, created.computed, request.additionalSecretOutputs)
        self._keep(kept)
        return resource_pb2.ReadResourceResponse(urn=urn, properties=kept.wire_outputs)

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        package = request.tok.partition(":")[0]
        arguments = wire.decode(request.args)
        if request.tok == "pulumi:pulumi:getResource":
            answer = self._registered(str(arguments.get("urn")))
        else:
            provider = request.provider or self._default_provider(request.tok, request.version)
            try:
                answer = model_of(package).invoke(request.tok, arguments, self._configuration(provider))
            except CloudError as error:
                raise EngineError(str(error)) from None
        response = resource_pb2.ResourceInvokeResponse()
        wire.encode_into(getattr(response, "return"), answer)
        return response

    def _registered(self, urn: str) -> Mapping[str, object]:
        if urn not in self._kept:
            raise EngineError(f"unknown resource {urn}")
        kept = self._kept[urn]
        return {"urn": urn, "id": kept.id, "state": kept.outputs}

    def Call(self, request: Any) -> Any:  # noqa: N802
        raise EngineError(f"the program calls the method {request.tok}; the rehearsal has no model of methods.")

    def RegisterStackTransform(self, request: Any) -> Any:  # noqa: ARG002, N802
        self._transforms += 1
        return empty_pb2.Empty()

    def states(self, root: Path) -> tuple[ResourceState, ...]:
        """Return every resource in the order of registration, places in the program relative to its root."""
        return tuple(registrations.to_state(kept, root) for kept in self._kept.values())

    def remarks(self) -> tuple[Diagnostic, ...]:
        """Return what the rehearsal did not do."""
        if not self._transforms:
            return ()
        message = f"{self._transforms} transforms were registered; the rehearsal does not run transforms"
        return (Diagnostic("warning", message),)


class Engine:
    """Collects what the program says."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.started = time.monotonic_ns()

    def Log(self, request: Any) -> Any:  # noqa: N802
        severity = _SEVERITIES.get(request.severity)
        if severity and not request.ephemeral:
            self.diagnostics.append(Diagnostic(severity, request.message, request.urn))
        return empty_pb2.Empty()

    def GetRootResource(self, request: Any) -> Any:  # noqa: ARG002, N802
        return engine_pb2.GetRootResourceResponse()

    def SetRootResource(self, request: Any) -> Any:  # noqa: ARG002, N802
        return engine_pb2.SetRootResourceResponse()

    def RequirePulumiVersion(self, request: Any) -> Any:  # noqa: ARG002, N802 - there is no CLI whose version could be wrong
        return engine_pb2.RequirePulumiVersionResponse()


_SEVERITIES = {engine_pb2.INFO: "info", engine_pb2.WARNING: "warning", engine_pb2.ERROR: "error"}
