"""What the engine asked about single resources, kept for its question about all of them.

The engine sends every resource twice: what the program asks for, and what came of it. The first tells what the second
only adds. Where both are the same, as in plain manifests and in digests that hold no outcome, the resource is decoded
once, and what the rules have read of it is read once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pulumi.runtime.proto import analyzer_pb2

from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack
from policies import decoding

__all__ = ["Recall"]

_CHOOSING = "gcp:"
"""Resources whose provider fills in, while they are made, what the program leaves out."""


@dataclass(frozen=True, slots=True)
class _Asked:
    request: analyzer_pb2.AnalyzeRequest
    resource: Resource | None
    """What it was decoded to, where a rule had to look at it."""


class Recall:
    """The resources of one program, as they were asked about so far."""

    def __init__(self) -> None:
        self.retained: frozenset[str] = frozenset()
        """URNs of resources that stay when the program lets go of them; the protocol does not tell, a plan does."""
        self._asked: dict[str, _Asked] = {}

    def note(self, request: analyzer_pb2.AnalyzeRequest) -> None:
        """Keep a resource that no rule judges by itself."""
        self._asked[request.urn] = _Asked(request, None)

    def alone(self, request: analyzer_pb2.AnalyzeRequest) -> Resource:
        """Return the resource that the program asks for."""
        resource = decoding.resource(request, retained=request.urn in self.retained)
        self._asked[request.urn] = _Asked(request, resource)
        return resource

    def together(self, messages: Iterable[analyzer_pb2.AnalyzerResource]) -> Stack:
        """Return what came of all that the program asked for."""
        return Stack(self._outcome(message) for message in messages)

    def _outcome(self, message: analyzer_pb2.AnalyzerResource) -> Resource:
        asked = self._asked.pop(message.urn, None)
        if asked is not None and asked.resource is not None and _unchanged(asked.request, message):
            asked.resource.connect(*decoding.edges(message))
            return asked.resource
        said = asked.request.properties if asked is not None and message.type.startswith(_CHOOSING) else None
        return decoding.resource(message, said, retained=message.urn in self.retained)


def _unchanged(request: analyzer_pb2.AnalyzeRequest, message: analyzer_pb2.AnalyzerResource) -> bool:
    return bool(
        request.type == message.type
        and request.options == message.options
        and request.provider == message.provider
        and request.properties == message.properties
    )
