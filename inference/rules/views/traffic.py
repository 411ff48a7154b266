"""NetworkPolicies: whom they select, and what they let through. Policies add up: one that allows is enough."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from inference.rules.views.kubernetes import ObjectView
from inference.rules.views.pods import PodTemplate
from inference.rules.views.selecting import Selecting, matches
from inference.rules.views.stack import Stack
from inference.rules.views.values import UNKNOWN, Props

__all__ = ["NetworkPolicy", "Port", "allows_block", "allows_pods", "policies_on", "reaches_public"]

_PRIVATE = tuple(
    ipaddress.ip_network(block)
    for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8")
)

_SMALLEST_POD_RANGE = 21
"""Prefix of the smallest range that a cluster takes for its pods."""


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a pod."""

    number: int | None
    names: frozenset[str] = frozenset()
    protocol: str = "TCP"


@dataclass(frozen=True, eq=False)
class NetworkPolicy(ObjectView):
    """A NetworkPolicy."""

    kinds: ClassVar[frozenset[tuple[str, str]]] = frozenset({("networking.k8s.io", "NetworkPolicy")})

    @cached_property
    def directions(self) -> frozenset[str]:
        """``Ingress`` and ``Egress``, as far as it restricts them."""
        if not self.spec.absent("policyTypes"):
            return frozenset(self.spec.texts("policyTypes"))
        return frozenset({"Ingress"} if self.spec.absent("egress") else {"Ingress", "Egress"})

    def selects(self, pod: PodTemplate) -> bool:
        """Whether it certainly selects these pods."""
        selector = self.spec.section("podSelector")
        if not self.spec.known("podSelector") or not self.object.metadata.known("namespace"):
            return False
        return self.namespace == pod.namespace and matches(selector, pod.labels) is True

    def rules(self, direction: str) -> tuple[Props, ...]:
        """Return what it lets through in a direction."""
        return self.spec.sections(direction.lower())

    def settled(self, direction: str) -> bool:
        """Whether all that it lets through is known."""
        value = self.spec.raw(direction.lower())
        entries = value if isinstance(value, Sequence) else (value,)
        return not any(entry is UNKNOWN for entry in entries)


def policies_on(stack: Stack, pod: PodTemplate, direction: str) -> tuple[NetworkPolicy, ...]:
    """Return the policies that restrict pods in a direction."""
    candidates = stack.view(_policies).candidates(pod)
    return tuple(p for p in candidates if direction in p.directions and p.selects(pod))


def _policies(stack: Stack) -> Selecting[NetworkPolicy]:
    return Selecting((p, p.spec.section("podSelector"), p.namespace) for p in stack.each(NetworkPolicy))


def _admits_port(rule: Props, port: Port) -> bool:
    entries = rule.sections("ports")
    if not entries or not rule.known("ports"):
        return True
    for entry in entries:
        protocol = "TCP" if entry.absent("protocol") else entry.text("protocol")
        if protocol not in {None, port.protocol}:
            continue
        if entry.absent("port") or not entry.known("port") or port.number is None:
            return True
        number, last = entry.integer("port"), entry.integer("endPort")
        if number is None:
            if entry.text("port") in port.names:
                return True
        elif number <= port.number <= (last or number):
            return True
    return False


def _peers(rule: Props, side: str) -> tuple[Props, ...] | None:
    """Return the peers of a rule, ``None`` where it admits everybody."""
    if rule.absent(side) or not rule.known(side) or not rule.size(side):
        return None
    return rule.sections(side)


def allows_block(policies: Iterable[NetworkPolicy], block: str, port: Port) -> bool:
    """Whether a block of addresses reaches a port of the pods, or may."""
    wanted = ipaddress.ip_network(block)
    for policy in policies:
        if not policy.settled("Ingress"):
            return True
        for rule in policy.rules("Ingress"):
            peers = _peers(rule, "from")
            if _admits_port(rule, port) and (peers is None or any(_contains(peer, wanted) for peer in peers)):
                return True
    return False


def _contains(peer: Props, wanted: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    if not peer.known("ipBlock") or not peer.known("ipBlock", "cidr"):
        return True
    try:
        block = ipaddress.ip_network(peer.text("ipBlock", "cidr") or "", strict=False)
        holes = [ipaddress.ip_network(hole, strict=False) for hole in peer.texts("ipBlock", "except")]
    except ValueError:
        return False
    if block.version != wanted.version or any(
        hole.version == wanted.version and hole.overlaps(wanted) for hole in holes
    ):
        return False
    return wanted.subnet_of(block)  # type: ignore[arg-type]


def allows_pods(
    policies: Iterable[NetworkPolicy], source: PodTemplate, namespace_labels: Mapping[str, str], port: Port
) -> bool:
    """Whether pods of a template reach a port of the pods, or may."""
    for policy in policies:
        if not policy.settled("Ingress"):
            return True
        for rule in policy.rules("Ingress"):
            peers = _peers(rule, "from")
            if _admits_port(rule, port) and (
                peers is None or any(_is_peer(peer, policy.namespace, source, namespace_labels) for peer in peers)
            ):
                return True
    return False


def _is_peer(peer: Props, namespace: str, source: PodTemplate, namespace_labels: Mapping[str, str]) -> bool:
    if not peer.known("ipBlock") or not peer.known("podSelector") or not peer.known("namespaceSelector"):
        return True
    if peer.section("ipBlock"):
        return not peer.known("ipBlock", "cidr") or _holds_pods(peer.text("ipBlock", "cidr") or "")
    if peer.absent("namespaceSelector"):
        same = namespace == source.namespace
    else:
        same = matches(peer.section("namespaceSelector"), namespace_labels) is not False
    pods = peer.absent("podSelector") or matches(peer.section("podSelector"), source.labels) is not False
    return same and pods


def _holds_pods(cidr: str) -> bool:
    """Whether a block may be one of pod addresses: private and no smaller than GKE takes for pods."""
    try:
        block = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return False
    inside = block.version == 6 or any(block.overlaps(private) for private in _PRIVATE)
    return inside and block.prefixlen <= _SMALLEST_POD_RANGE


def reaches_public(policies: Iterable[NetworkPolicy], port: Port, *, internet: bool) -> bool:
    """Whether the pods reach a port somewhere (``internet``: at a public address), or may."""
    for policy in policies:
        if not policy.settled("Egress"):
            return True
        for rule in policy.rules("Egress"):
            peers = _peers(rule, "to")
            if _admits_port(rule, port) and (peers is None or not internet or any(_is_public(peer) for peer in peers)):
                return True
    return False


def _is_public(peer: Props) -> bool:
    if not peer.known("ipBlock") or not peer.known("ipBlock", "cidr"):
        return True
    try:
        block = ipaddress.ip_network(peer.text("ipBlock", "cidr") or "", strict=False)
    except ValueError:
        return False
    return not any(block.version == 4 and block.subnet_of(private) for private in _PRIVATE)  # type: ignore[arg-type]
