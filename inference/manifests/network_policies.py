"""Network policies of the models' namespace: nothing gets in or out but what the stack itself needs.

Let in are the load balancer (its probes, and the proxies of the region), each model's own picker, the collectors of
metrics, and pods of namespaces that are labeled as clients. Let out are questions for names, downloads, the picker's
own watch of the cluster, and what the pods of one model, or of one pool's test, say to each other. Probes of the
kubelet always pass.
"""

from __future__ import annotations

from collections.abc import Iterable

from inference.blueprint import MODEL_LABEL, SERVER_PORT, Blueprint, GpuPoolPlan, ModelPlan, NimPlan
from inference.facts import gke
from inference.facts.endpoint_picker import BODY_ROUTER_PORTS, PORTS
from inference.manifests import body_based_router, endpoint_picker, nccl_acceptance
from inference.manifests.objects import Manifest, metadata, object_
from inference.settings.models import BucketWeights

__all__ = ["policies"]

_CLIENTS_LABEL = "gke-inference/clients"
"""Label, with the value ``true``, of namespaces whose pods may call the models."""

_EVERYWHERE = "0.0.0.0/0"
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", gke.LINK_LOCAL)
_NAMESPACE_NAME = "kubernetes.io/metadata.name"
_HTTPS = 443


def policies(plan: Blueprint) -> list[Manifest]:
    """Return the policies of a stack: two for all pods, and those of each model."""
    made = [_deny_all(), _names()]
    outside = [*gke.PROBE_RANGES, plan.settings.cluster.network.proxies] if plan.settings.gateway else []
    for model in plan.models.values():
        made.append(_servers(model, outside))
        if outside:
            made.append(_picker(model, outside))
    if outside and len(plan.models) > 1:
        made.append(_router(outside))
    tested = (pool for pool in plan.pools.values() if isinstance(pool, GpuPoolPlan) and pool.settings.acceptance)
    return [*made, *(_nim(nim) for nim in plan.nims.values()), *(_test(pool) for pool in tested)]


def _policy(name: str, selector: Manifest, **rules: list[Manifest]) -> Manifest:
    types = [kind.capitalize() for kind in ("ingress", "egress") if kind in rules]
    spec = {"podSelector": selector, "policyTypes": types, **{kind: rule for kind, rule in rules.items() if rule}}
    return object_("networking.k8s.io/v1", "NetworkPolicy", metadata(name), spec=spec)


def _deny_all() -> Manifest:
    return _policy("default-deny", {}, ingress=[], egress=[])


def _names() -> Manifest:
    """Return that every pod may ask for names: the cluster's resolver, or one on its own node."""
    peers = [_namespaces("kube-system"), *_blocks([gke.LINK_LOCAL])]
    return _policy("names", {}, egress=[{"to": peers, "ports": [*_ports(53), *_ports(53, protocol="UDP")]}])


def _servers(model: ModelPlan, outside: list[str]) -> Manifest:
    pods = _pods(model)
    ports = _ports(SERVER_PORT, *([model.engine_port] if model.engine_port != SERVER_PORT else []))
    ingress = [{"from": [_clients()], "ports": _ports(SERVER_PORT)}, {"from": _collectors(), "ports": ports}]
    egress = [_downloads()]
    if outside:
        ingress.append({"from": _blocks(outside), "ports": _ports(SERVER_PORT)})
        ingress.append({"from": [{"podSelector": _picker_pods(model)}]})
    if model.multi_node or model.prefill is not None:
        ingress.append({"from": [{"podSelector": pods}]})
        egress.append({"to": [{"podSelector": pods}]})
    if model.prefill is not None:
        egress.append(_cluster())
    if isinstance(model.settings.weights, BucketWeights):
        egress.append({"to": _blocks([gke.LINK_LOCAL]), "ports": _ports(80, 988)})
    return _policy(f"{model.name}-servers", pods, ingress=ingress, egress=egress)


def _picker(model: ModelPlan, outside: list[str]) -> Manifest:
    """Return what reaches the picker, and what it reaches: metrics and events of the servers, and the cluster's API."""
    return _policy(
        endpoint_picker.picker_name(model),
        _picker_pods(model),
        ingress=[
            {"from": _blocks(outside), "ports": _ports(PORTS["ext_proc"], PORTS["grpc_health"])},
            {"from": _collectors(), "ports": _ports(PORTS["metrics"])},
        ],
        egress=[{"to": [{"podSelector": _pods(model)}]}, _cluster()],
    )


def _pods(model: ModelPlan | NimPlan) -> Manifest:
    """Return the selector of a model's pods, whatever their role."""
    return {"matchLabels": {MODEL_LABEL: model.name}}


def _picker_pods(model: ModelPlan) -> Manifest:
    return {"matchLabels": endpoint_picker.service(model)["spec"]["selector"]}


def _router(outside: list[str]) -> Manifest:
    service = body_based_router.service()
    ports = _ports(BODY_ROUTER_PORTS["ext_proc"], BODY_ROUTER_PORTS["grpc_health"])
    return _policy(
        service["metadata"]["name"],
        {"matchLabels": service["spec"]["selector"]},
        ingress=[
            {"from": _blocks(outside), "ports": ports},
            {"from": _collectors(), "ports": _ports(BODY_ROUTER_PORTS["metrics"])},
        ],
    )


def _nim(plan: NimPlan) -> Manifest:
    return _policy(
        f"{plan.name}-servers",
        _pods(plan),
        ingress=[{"from": [_clients(), *_collectors()], "ports": _ports(SERVER_PORT)}],
        egress=[_downloads()],
    )


def _test(pool: GpuPoolPlan) -> Manifest:
    """Return that the pods of the pool's test reach each other."""
    service = nccl_acceptance.service(pool)
    pods = {"matchLabels": service["spec"]["selector"]}
    peers = [{"podSelector": pods}]
    return _policy(service["metadata"]["name"], pods, ingress=[{"from": peers}], egress=[{"to": peers}])


def _downloads() -> Manifest:
    """Return the way to registries of models on the Internet, which have no fixed addresses."""
    return {"to": [{"ipBlock": {"cidr": _EVERYWHERE, "except": list(_PRIVATE)}}], "ports": _ports(_HTTPS)}


def _cluster() -> Manifest:
    """Return the way to the cluster's API, whose address is not known before the cluster is there."""
    return {"to": _blocks([_EVERYWHERE]), "ports": _ports(_HTTPS)}


def _clients() -> Manifest:
    return {"namespaceSelector": {"matchLabels": {_CLIENTS_LABEL: "true"}}}


def _collectors() -> list[Manifest]:
    return [_namespaces(*gke.COLLECTOR_NAMESPACES)]


def _namespaces(*names: str) -> Manifest:
    if len(names) == 1:
        return {"namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: names[0]}}}
    terms = [{"key": _NAMESPACE_NAME, "operator": "In", "values": list(names)}]
    return {"namespaceSelector": {"matchExpressions": terms}}


def _blocks(ranges: Iterable[str]) -> list[Manifest]:
    return [{"ipBlock": {"cidr": block}} for block in ranges]


def _ports(*numbers: int, protocol: str = "TCP") -> list[Manifest]:
    return [{"protocol": protocol, "port": number} for number in numbers]
