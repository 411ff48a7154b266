"""A small pack of rules, and requests as the engine sends them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import analyzer_pb2

from inference.facts.wire import KEY, SIGNATURES
from inference.rules.framework import About, Level, Rule, Severity, rule
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.pods import Container
from inference.rules.views.resources import Resource
from inference.rules.views.stack import Stack

POOL = "gcp:container/nodePool:NodePool"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SERVICE = "kubernetes:core/v1:Service"
SECRET = "kubernetes:core/v1:Secret"  # noqa: S105 - a type of resource
CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"


@dataclass(frozen=True)
class Pool:
    types: ClassVar[tuple[str, ...]] = ("gcp:container/nodePool:",)
    resource: Resource

    @classmethod
    def of(cls, resource: Resource) -> tuple[Self, ...]:
        return (cls(resource),)


@dataclass(frozen=True)
class PoolLimits:
    max_nodes: int = 8
    """Nodes that a pool may have
    before somebody must be asked."""
    max_price: float = 100.5
    spot_only: bool = False
    zones: tuple[str, ...] = ("us-central1-a",)


def about(**changes: Any) -> dict[str, Any]:
    return {
        "title": "The thing is in order",
        "breaks": "Nothing works.",
        "fix": "Mend it.",
        "source": "https://example.com/fact",
        "severity": Severity.HIGH,
        **changes,
    }


@rule("sample-image-is-pinned", **about(on=Container, covers=("IMG-001",)))
def image_is_pinned(container: Container) -> Iterator[str]:
    if container.image is not None and container.image.endswith(":latest"):
        yield f"{container} runs {container.image}; write a version."


@rule("sample-pool-is-small", **about(on=Pool, parameters=PoolLimits, severity=Severity.CRITICAL))
def pool_is_small(pool: Pool, limits: PoolLimits) -> Iterator[str]:
    nodes = pool.resource.props.integer("nodeCount")
    if nodes is not None and nodes > limits.max_nodes:
        yield f"The pool has {nodes} nodes, more than {limits.max_nodes}."
    zone = pool.resource.props.text("location")
    if zone is not None and zone not in limits.zones:
        yield f"The pool is in {zone}, not in {', '.join(limits.zones)}."
    if pool.resource.options.flag("protect") is False and pool.resource.options.absent("ignoreChanges"):
        yield f"The pool {pool.resource.name} of {pool.resource.parent} is not protected."


@rule("sample-object-has-owner", **about(on=KubernetesObject, level=Level.ADVISORY, severity=Severity.LOW))
def object_has_owner(thing: KubernetesObject) -> Iterator[str]:
    if thing.metadata.absent("labels", "owner"):
        yield f"{thing} has no label owner, it has {sorted(thing.labels)}."


@rule("sample-service-has-pods", **about(severity=Severity.MEDIUM))
def service_has_pods(stack: Stack) -> Iterator[About]:
    for service in stack.objects("Service", ""):
        if not stack.pods_matching(service.spec.strings("selector"), service.namespace):
            yield About(service.resource, f"{service} selects no pods.")


@rule("sample-token-is-secret", **about(on=KubernetesObject, level=Level.DISABLED))
def token_is_secret(thing: KubernetesObject) -> Iterator[str]:
    if thing.kind == "Secret" and not thing.props.absent("stringData") and not thing.props.secret("stringData"):
        yield f"{thing} holds its data in the open."


@rule("sample-claim-can-grow", **about(on=KubernetesObject))
def claim_can_grow(thing: KubernetesObject) -> Iterator[str]:
    if thing.kind == "PersistentVolumeClaim":
        raise KeyError(thing.spec.text("storageClassName"))
    yield from ()


@rule("sample-stack-can-grow", **about())
def stack_can_grow(stack: Stack) -> Iterator[About]:
    if stack.of_type(CLAIM):
        raise RuntimeError("no claim was expected")
    yield from ()


SOUND: tuple[Rule, ...] = (image_is_pinned, pool_is_small, object_has_owner, service_has_pods, token_is_secret)
BROKEN: tuple[Rule, ...] = (claim_can_grow, stack_can_grow)
RULES: tuple[Rule, ...] = (*BROKEN, *SOUND)


def urn(token: str, name: str) -> str:
    return f"urn:pulumi:dev::gke-inference::{token}::{name}"


def struct(properties: Mapping[str, Any]) -> Struct:
    made = Struct()
    made.update(properties)
    return made


def secret(value: Any) -> dict[str, Any]:
    return {KEY: SIGNATURES["secret"], "value": value}


def request(token: str, properties: Mapping[str, Any], name: str = "thing", **more: Any) -> analyzer_pb2.AnalyzeRequest:
    return analyzer_pb2.AnalyzeRequest(
        type=token, name=name, urn=urn(token, name), properties=struct(properties), **more
    )


def of_stack(
    token: str, properties: Mapping[str, Any], name: str = "thing", **more: Any
) -> analyzer_pb2.AnalyzerResource:
    return analyzer_pb2.AnalyzerResource(
        type=token, name=name, urn=urn(token, name), properties=struct(properties), **more
    )


def stack_request(resources: Sequence[analyzer_pb2.AnalyzerResource]) -> analyzer_pb2.AnalyzeStackRequest:
    return analyzer_pb2.AnalyzeStackRequest(resources=resources)


def deployment(image: Any = "vllm:latest", labels: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "server", "namespace": "llm", **({"labels": dict(labels)} if labels else {})},
        "spec": {
            "replicas": 2,
            "template": {
                "metadata": {"labels": {"app": "server"}},
                "spec": {"containers": [{"name": "vllm", "image": image}]},
            },
        },
    }


def service(selector: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "front", "namespace": "llm", "labels": {"owner": "me"}},
        "spec": {"selector": dict(selector)},
    }


def pool(nodes: Any = 9, location: Any = "us-central1-a") -> dict[str, Any]:
    return {"nodeCount": nodes, "location": location, "cluster": "llm"}
