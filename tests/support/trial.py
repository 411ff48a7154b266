"""What an API server needs before objects can be tried on it: their definitions and their namespaces.

What is there is left as it is; what was missing is made, and goes again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.support.apiserver import ApiServer
from tests.support.definitions import documents
from tests.support.stackobjects import STACKS, manifests

__all__ = ["prepared"]

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_NAMESPACES = "/api/v1/namespaces"
_PATIENCE = 30.0
"""Seconds until a definition is served."""


@contextmanager
def prepared(server: ApiServer) -> Iterator[None]:
    """Serve every definition at hand, and have every namespace that the stacks put objects into."""
    with ExitStack() as stack:
        made = [document for document in documents() if _missing(server, _DEFINITIONS, document["metadata"]["name"])]
        for document in made:
            server.request("POST", _DEFINITIONS, document)
            stack.callback(server.request, "DELETE", f"{_DEFINITIONS}/{document['metadata']['name']}")
        for document in made:
            _await_established(server, document["metadata"]["name"])
        objects = [thing for path in STACKS.values() for thing in manifests(path)]
        for name in sorted({thing["metadata"].get("namespace", "") for thing in objects} - {""}):
            if _missing(server, _NAMESPACES, name):
                namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
                server.request("POST", _NAMESPACES, namespace)
                stack.callback(server.request, "DELETE", f"{_NAMESPACES}/{name}")
        yield


def _missing(server: ApiServer, collection: str, name: str) -> bool:
    return not server.finds(f"{collection}/{name}")


def _await_established(server: ApiServer, name: str) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        status = server.request("GET", f"{_DEFINITIONS}/{name}").get("status", {})
        conditions = {row["type"]: row["status"] for row in status.get("conditions") or ()}
        if conditions.get("Established") == "True":
            return
        if time.monotonic() > end:
            raise RuntimeError(f"definition {name} is not served: {conditions}")
        time.sleep(0.1)
