"""Workloads that run model servers, for a test to look at."""

from __future__ import annotations

from typing import Any

from inference.rules.views.resources import Resource
from inference.rules.views.servers import ModelServer
from inference.rules.views.values import Props

GPU = {"limits": {"nvidia.com/gpu": "8"}}


def deployment(**container: Any) -> Resource:
    spec = {"name": "c", "image": "vllm/vllm-openai:v0.32.0", "resources": GPU, **container}
    template = {"spec": {"containers": [spec]}}
    return Resource("kubernetes:apps/v1:Deployment", "d", "urn:d", Props({"spec": {"template": template}}))


def group(leader: dict[str, Any] | None, worker: dict[str, Any], size: Any = 2) -> Resource:
    templates = {"workerTemplate": {"spec": {"containers": [{"name": "w", **worker}]}}}
    if leader is not None:
        templates["leaderTemplate"] = {"spec": {"containers": [{"name": "l", **leader}]}}
    props = Props({"spec": {"leaderWorkerTemplate": {"size": size, **templates}}})
    return Resource("kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet", "g", "urn:g", props)


def kserve(kind: str, spec: dict[str, Any], version: str = "v1alpha2") -> Resource:
    props = Props({"metadata": {"name": "svc", "namespace": "ns"}, "spec": spec})
    return Resource(f"kubernetes:serving.kserve.io/{version}:{kind}", "s", "urn:s", props)


def servers(resource: Resource) -> tuple[ModelServer, ...]:
    return resource.view(ModelServer.of)


def only(resource: Resource) -> ModelServer:
    found = servers(resource)
    assert len(found) == 1, f"expected one server, found {len(found)}"
    return found[0]


def serving(line: str, **container: Any) -> ModelServer:
    return only(deployment(command=["bash", "-c", f"vllm serve {line}"], **container))


def env(**values: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


API = "vllm.entrypoints.openai.api_server"
