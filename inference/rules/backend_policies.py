"""Policies of a backend behind a GKE gateway: how long the load balancer waits, and in which protocol it asks.

Without a GCPBackendPolicy the load balancer cuts every answer that takes longer than 30 seconds, after the accelerator
has done its work; the timeouts of routes do not change that. A policy counts only if its ``targetRef`` names the very
object that the route names: the InferencePool, not the Service beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from inference.facts.endpoint_picker import POOL_GROUP
from inference.facts.gke import BACKEND_TIMEOUT_DEFAULT_S, GATEWAY_GROUP
from inference.rules.framework import About, Severity, rule
from inference.rules.views.gateway import TargetedPolicy
from inference.rules.views.kubernetes import KubernetesObject
from inference.rules.views.model_backends import chart_brings_policies, model_backends, subject
from inference.rules.views.routing import declared, policies_for, servers_in
from inference.rules.views.stack import Stack

_TIMEOUT_DOC = (
    "https://docs.cloud.google.com/kubernetes-engine/docs/how-to/configure-gateway-resources#configure_timeout"
)
_POLICY_CRDS = "https://github.com/GoogleCloudPlatform/gke-gateway-api/tree/main/config/crd"


@dataclass(frozen=True, slots=True)
class LongestAnswer:
    """What a team may set for the timeout rule."""

    seconds: int = 300
    """Longest time that one answer may take, streaming included."""


@rule(
    "backend-timeout-covers-answers",
    title="A model behind a GKE gateway has a backend timeout that covers its longest answer",
    breaks="HTTP 504 or a reset stream after 30 seconds, the default, for long prompts and long answers only: tests "
    "with short ones pass, and the accelerators' work on the others is thrown away.",
    fix="Declare a GCPBackendPolicy whose targetRef names the backend, with default.timeoutSec of at least 300 (900 "
    "to 3600 for long context).",
    source=_TIMEOUT_DOC,
    severity=Severity.HIGH,
    covers=("GW-001",),
    parameters=LongestAnswer,
)
def timeout_covers_answers(stack: Stack, longest: LongestAnswer) -> Iterator[About]:
    for backend, link in model_backends(stack):
        policies = policies_for(stack, "GCPBackendPolicy", backend)
        label = f'{backend.kind} "{backend.name}"'
        if not policies and not chart_brings_policies(stack, backend):
            yield About(
                subject(stack, backend, link),
                f"{label} is reached through {link.gateway} and has no GCPBackendPolicy; the load balancer cuts every "
                f"answer after {BACKEND_TIMEOUT_DEFAULT_S} s. Declare a GCPBackendPolicy that targets {label}, with "
                f"default.timeoutSec: {longest.seconds} or more.",
            )
        for policy in policies:
            seconds = (
                float(BACKEND_TIMEOUT_DEFAULT_S)
                if policy.default.absent("timeoutSec")
                else policy.default.number("timeoutSec")
            )
            if seconds is not None and seconds < longest.seconds and policy.spec.known("default"):
                how = "no timeoutSec" if policy.default.absent("timeoutSec") else "timeoutSec"
                yield About(
                    policy.resource,
                    f"{policy} of {label} sets {how}, so that answers are cut after {seconds:.0f} s; generation may "
                    f"take {longest.seconds} s. Set default.timeoutSec: {longest.seconds} or more.",
                )


@rule(
    "backend-policy-target-group",
    title="The targetRef of a policy names its target with the right API group",
    breaks="The policy attaches to nothing, and nothing says so where anybody looks: the defaults stay in force.",
    fix="Set targetRef.group: inference.networking.k8s.io for an InferencePool, '' for a Service.",
    source=_POLICY_CRDS,
    severity=Severity.HIGH,
    covers=("GW-006", "GW-007"),
    on=TargetedPolicy,
)
def policy_target_group(policy: TargetedPolicy) -> Iterator[str]:
    target = policy.spec.section("targetRef")
    group = "" if target.absent("group") else target.text("group")
    wanted = {"InferencePool": POOL_GROUP, "Service": "", "Gateway": GATEWAY_GROUP}.get(target.text("kind") or "")
    if wanted is not None and group is not None and group != wanted:
        yield (
            f'{policy} targets {target.text("kind")} "{target.text("name")}" in group "{group}"; no such kind is there '
            f'and the policy attaches to nothing. Set targetRef.group: "{wanted}".'
        )


@rule(
    "backend-protocol-spoken",
    title="A gateway speaks a protocol to the model server that the server speaks",
    breaks="502 for every request: the load balancer opens TLS or HTTP/2 to a server that speaks plain HTTP/1.1. "
    "KServe "
    "marks its Services https although vLLM was given no certificate.",
    fix="Leave appProtocol out, or give the server a certificate (--ssl-certfile, --ssl-keyfile).",
    source="https://docs.cloud.google.com/kubernetes-engine/docs/how-to/secure-gateway#load-balancer-tls",
    severity=Severity.HIGH,
)
def protocol_spoken(stack: Stack) -> Iterator[About]:
    for backend, link in model_backends(stack):
        thing = declared(stack, backend)
        servers = [
            server for server in servers_in(link.pods) if server.serves_http and server.engine in {"vllm", "nim"}
        ]
        plain = [s for s in servers if s.options.absent("ssl-certfile") and s.options.absent("ssl-keyfile")]
        if thing is None or not plain or any(len(server.pod.all_containers) > 1 for server in plain):
            continue
        for protocol in _protocols(thing):
            if protocol.lower().removeprefix("kubernetes.io/") in {"https", "http2", "h2c"}:
                yield About(
                    thing.resource,
                    f"{thing} is marked appProtocol: {protocol}, and {plain[0]} speaks HTTP/1.1 without TLS; every "
                    "request through the gateway fails. Remove appProtocol.",
                )


def _protocols(thing: KubernetesObject) -> Iterator[str]:
    for place in (thing.spec, *thing.spec.sections("ports")):
        if protocol := place.text("appProtocol"):
            yield protocol
