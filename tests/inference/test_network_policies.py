"""In an isolated namespace what the stack needs passes, and nothing else does."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.blueprint import Blueprint, design
from inference.manifests import endpoint_picker, kserve, nccl_acceptance
from inference.manifests import nim as nim_manifests
from inference.manifests.network_policies import policies
from inference.stackfile import load
from tests.inference.test_nccl_acceptance import pool as gpu_pool
from tests.inference.test_served import KSERVE, NIM, changed
from tests.support.definitions import problems
from tests.support.rehearsed import rehearsed
from tests.support.stacks import ROOT, edited

POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
PROBERS, PROXIES, INTERNET = "35.191.7.7", "10.1.16.9", "151.101.1.1"


@dataclass(frozen=True)
class Peer:
    """Somebody that packets come from or go to: a pod of a namespace, or an address."""

    address: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str = "inference"
    clients: bool = False


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(labels.get(t["key"]) in t["values"] for t in selector.get("matchExpressions", []))


def admits(rule: Mapping[str, Any], peer: Peer) -> bool:
    if "ipBlock" in rule:
        block = rule["ipBlock"]
        inside = [ipaddress.ip_network(b) for b in (block["cidr"], *block.get("except", []))]
        return (
            bool(peer.address)
            and [ipaddress.ip_address(peer.address) in b for b in inside].count(True) == 1
            and (ipaddress.ip_address(peer.address) in inside[0])
        )
    if peer.address:
        return False
    about = {"kubernetes.io/metadata.name": peer.namespace, "gke-inference/clients": str(peer.clients).lower()}
    home = matches(rule["namespaceSelector"], about) if "namespaceSelector" in rule else peer.namespace == "inference"
    return home and matches(rule.get("podSelector", {}), peer.labels)


def passes(made: list[dict[str, Any]], pod: Mapping[str, str], peer: Peer, port: int, way: str = "Ingress") -> bool:
    """Return whether packets pass to (or, for Egress, from) a pod, as Kubernetes reads the policies."""
    about = [policy["spec"] for policy in made if matches(policy["spec"]["podSelector"], pod)]
    about = [spec for spec in about if way in spec["policyTypes"]]
    if not about:
        return True
    side = "from" if way == "Ingress" else "to"
    return any(
        any(admits(other, peer) for other in rule[side])
        and ("ports" not in rule or any(p["port"] == port for p in rule["ports"]))
        for spec in about
        for rule in spec.get(way.lower(), [])
    )


def plan(example: str, **edits: Any) -> Blueprint:
    return design(load(changed(example, {k.replace("__", "."): v for k, v in edits.items()}), example), example)


def pods(made: Blueprint) -> Iterator[tuple[str, dict[str, str], int]]:
    """Yield every pod that the load balancer calls, with its labels and port."""
    for model in made.models.values():
        yield "server", model.selector, 8000
        yield "picker", endpoint_picker.service(model)["spec"]["selector"], 9002
        yield "picker", endpoint_picker.service(model)["spec"]["selector"], 9003


STACKS = {
    "kserve": plan(KSERVE),
    "dev": design(load(edited("dev"), "dev"), "dev"),
    "prod": design(load(edited("prod"), "prod"), "prod"),
}


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("source", ["130.211.0.9", PROBERS, PROXIES])
def test_load_balancer_and_its_probes_reach_servers_and_pickers(stack: str, source: str) -> None:
    made = policies(STACKS[stack])
    assert all(passes(made, labels, Peer(source), port) for _, labels, port in pods(STACKS[stack]))


@pytest.mark.parametrize("stack", STACKS)
def test_a_picker_and_its_servers_talk_to_each_other_and_to_no_other_pod(stack: str) -> None:
    made = policies(STACKS[stack])
    for model in STACKS[stack].models.values():
        picker = endpoint_picker.service(model)["spec"]["selector"]
        for port in (8000, 5557):
            assert passes(made, model.selector, Peer(labels=picker), port)
            assert passes(made, picker, Peer(labels=model.selector), port, "Egress")
        stranger = Peer(labels={"app": "stranger"})
        assert not passes(made, model.selector, stranger, 8000)
        assert not passes(made, picker, stranger, 8000, "Egress")
        assert passes(made, picker, Peer("172.16.0.2"), 443, "Egress"), "the cluster's own API"


def test_the_ranks_of_one_replica_reach_each_other_on_any_port() -> None:
    made, model = policies(STACKS["prod"]), STACKS["prod"].models["kimi"]
    for way in ("Ingress", "Egress"):
        assert passes(made, model.selector, Peer(labels=model.selector), 29_500, way)
        assert not passes(
            policies(STACKS["dev"]), {"gke-inference/model": "qwen"}, Peer(labels=model.selector), 29_500, way
        )


def test_the_pods_of_a_fabric_test_reach_each_other_and_nothing_else() -> None:
    acceptance = {"nodes": 2, "minimumBusBandwidth": 300}
    text = edited("prod", pools__h200__acceptance=acceptance, cluster__isolated=True)
    made = policies(design(load(text, "prod"), "prod"))
    pods = nccl_acceptance.service(gpu_pool("multi-network"))["spec"]["selector"]
    for way in ("Ingress", "Egress"):
        assert passes(made, pods, Peer(labels=pods), 222, way)
        assert passes(made, pods, Peer(labels=pods), 41_000, way), "MPI and NCCL choose their ports"
        assert not passes(made, pods, Peer(labels={"gke-inference/model": "kimi"}), 222, way)
        assert not passes(made, pods, Peer(INTERNET), 443, way)


@pytest.mark.parametrize("labels", [{"gke-inference/model": "qwen"}, {"app": "anything"}])
def test_every_pod_asks_for_names_in_the_cluster_and_on_its_node(labels: dict[str, str]) -> None:
    made = policies(STACKS["kserve"])
    for resolver in (Peer(namespace="kube-system"), Peer("169.254.20.10"), Peer("169.254.169.254")):
        assert passes(made, labels, resolver, 53, "Egress")
    assert not passes(made, labels, Peer("8.8.8.8"), 53, "Egress")


@pytest.mark.parametrize(("example", "model"), [(KSERVE, "qwen"), (NIM, "llama")])
def test_servers_download_from_the_internet_and_reach_no_private_address(example: str, model: str) -> None:
    made, labels = policies(plan(example)), {"gke-inference/model": model}
    assert passes(made, labels, Peer(INTERNET), 443, "Egress")
    assert not passes(made, labels, Peer(INTERNET), 80, "Egress")
    for address in ("10.0.0.2", "10.4.3.2", "172.16.0.2", "192.168.1.1", "169.254.169.254"):
        assert not passes(made, labels, Peer(address), 443, "Egress")


@pytest.mark.parametrize(("example", "model"), [(KSERVE, "qwen"), (NIM, "llama")])
def test_only_clients_and_collectors_of_other_namespaces_reach_a_server(example: str, model: str) -> None:
    made, labels = policies(plan(example)), {"gke-inference/model": model}
    assert passes(made, labels, Peer(namespace="team", clients=True), 8000)
    assert not passes(made, labels, Peer(namespace="team"), 8000)
    assert passes(made, labels, Peer(namespace="gmp-system"), 8000)
    assert not passes(made, labels, Peer(namespace="team", clients=True), 22)


def test_no_address_reaches_a_nim() -> None:
    made = policies(plan(NIM))
    assert not any(passes(made, {"gke-inference/model": "llama"}, Peer(a), 8000) for a in (PROBERS, PROXIES, INTERNET))


@given(st.ip_addresses(v=4).map(str), st.integers(1, 65_535))
def test_nobody_from_outside_passes_but_the_load_balancer_on_its_ports(address: str, port: int) -> None:
    stack = STACKS["kserve"]
    allowed = [ipaddress.ip_network(b) for b in ("130.211.0.0/22", "35.191.0.0/16", "10.1.16.0/23")]
    if any(ipaddress.ip_address(address) in block for block in allowed):
        return
    assert not any(passes(policies(stack), labels, Peer(address), port) for _, labels, _ in pods(stack))


def test_the_selectors_of_the_policies_meet_the_pods_that_the_stack_makes() -> None:
    made = plan(KSERVE)
    labels = [
        kserve.llm_inference_service(made.models["qwen"], made.settings.gateway)["spec"]["labels"],
        *(endpoint_picker.deployment(m, m.name, made.settings.gateway.picker)["spec"]["template"]["metadata"]["labels"]
          for m in made.models.values() if made.settings.gateway),
    ]  # fmt: skip
    nims = plan(NIM)
    labels.append(nim_manifests.stateful_set(nims.nims["llama"])["spec"]["template"]["metadata"]["labels"])
    for policy in [*policies(made), *policies(nims)]:
        assert any(matches(policy["spec"]["podSelector"], pod) for pod in labels)


@pytest.mark.parametrize("stack", STACKS)
def test_every_policy_passes_strict_validation(stack: str) -> None:
    assert not [problem for policy in policies(STACKS[stack]) for problem in problems(policy)]


def test_policies_are_made_only_where_they_are_asked_for_and_before_the_servers() -> None:
    assert not rehearsed(ROOT / "Pulumi.dev.yaml").of_type(POLICY)
    made = rehearsed(ROOT / "examples" / f"{NIM}.yaml")
    walls = {state.urn for state in made.of_type(POLICY)}
    (workload,) = made.of_type("kubernetes:apps/v1:StatefulSet")
    assert walls
    assert walls <= set(workload.dependencies)
