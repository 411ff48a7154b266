"""Ways in: those that a change opens to the world, and those that callers lose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from inference.rules.views.accounts import CloudGrant
from inference.rules.views.exposure import Ingress, guarded_gateways, kept_inside, open_servers
from inference.rules.views.gateway import Gateway, Service
from inference.rules.views.resources import Resource
from rehearsal.naming import called
from rehearsal.review.change import StackChange
from rehearsal.review.risks.danger import Danger, Moved, moves
from rehearsal.review.risks.serving import workloads

__all__ = ["dangers"]

View = TypeVar("View")

_CLUSTER = "gcp:container/cluster:Cluster"
_FIREWALL = "gcp:compute/firewall:Firewall"
_BUCKET = "gcp:storage/bucket:Bucket"
_EVERYBODY = frozenset({"allUsers", "allAuthenticatedUsers"})
_WORLD = frozenset({"0.0.0.0/0", "::/0"})

_KEEP_INSIDE = "See that callers are asked who they are, that TLS is on, and that it is meant; or keep it internal."


def dangers(change: StackChange) -> Iterator[Danger]:
    """Yield what nobody outside could reach before and somebody can after, and gateways that callers reach no more."""
    if change.after is None:
        return
    for moved in moves(change):
        yield from _lost(moved)
        if moved.after is None:
            continue
        yield from _gateway(change, moved)
        yield from _service(change, moved)
        yield from _ingress(moved)
        yield from _grant(moved)
        if moved.after.type == _CLUSTER:
            yield from _control_plane(moved)
        elif moved.after.type == _FIREWALL:
            yield from _firewall(moved)
        elif moved.after.type == _BUCKET:
            yield from _bucket(moved)
    yield from _unguarded(change)
    yield from _keys(change)


def _first(resource: Resource | None, make: Callable[[Resource], tuple[View, ...]]) -> View | None:
    found = resource.view(make) if resource is not None else ()
    return found[0] if found else None


def _danger(resource: Resource, name: str | None, consequence: str, remedy: str, *, grave: bool = True) -> Danger:
    return Danger(
        kind="exposure",
        urn=resource.urn,
        resource=name or called(resource),
        consequence=consequence,
        remedy=remedy,
        grave=grave,
    )


def _gateway(change: StackChange, moved: Moved) -> Iterator[Danger]:
    after, before = _first(moved.after, Gateway.of), _first(moved.before, Gateway.of)
    if after is None or not after.external or (before is not None and before.external):
        if after is not None and before is not None and after.class_name != before.class_name:
            told = (
                f"The class changes from {before.class_name} to {after.class_name}: another load balancer with another"
            )
            told += " address takes over, and callers lose the old one at once."
            remedy = "Move the host name and the callers; addresses of one kind do not serve the other."
            yield _danger(after.resource, after.name, told, remedy)
        return
    new = before is None
    told = f"A new gateway of class {after.class_name} has an address on the Internet."
    if not new:
        was = before.class_name if before else ""
        told = (
            f"The gateway leaves the VPC for the Internet: its class changes from {was} to {after.class_name}, and so"
        )
        told += " does its address."
    guarded = change.after is not None and after.resource.urn in guarded_gateways(change.after.stack)
    yield _danger(
        after.resource, after.name, told, _KEEP_INSIDE, grave=not (new and (guarded or change.before is None))
    )


def _lost(moved: Moved) -> Iterator[Danger]:
    """Yield a gateway that goes, or host names that it no longer answers to."""
    before, after = _first(moved.before, Gateway.of), _first(moved.after, Gateway.of)
    if before is None:
        return
    hosts = _hosts(before)
    if after is None:
        named = f", {' and '.join(hosts)}," if hosts else ""
        told = f"The gateway{named} is deleted, and its address with it: callers reach nothing there."
        yield _danger(before.resource, before.name, told, "Take the callers and the DNS records away first.")
        return
    kept = _hosts(after)
    gone = [host for host in hosts if not any(_covers(other, host) for other in kept)]
    if gone and kept and len(kept) == len(after.listeners):
        told = f"It no longer answers to {' and '.join(gone)}, but to {' and '.join(dict.fromkeys(kept))}."
        remedy = "Have DNS record and certificate for the new name, and keep the old one until the callers have moved."
        yield _danger(after.resource, after.name, told, remedy)


def _hosts(gateway: Gateway) -> tuple[str, ...]:
    """Return the host names of the listeners that have one."""
    return tuple(host for listener in gateway.listeners if (host := listener.text("hostname")))


def _covers(pattern: str, host: str) -> bool:
    return pattern == host or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def _service(change: StackChange, moved: Moved) -> Iterator[Danger]:
    after, before = _first(moved.after, Service.of), _first(moved.before, Service.of)
    if after is None or not _public(after) or (before is not None and _public(before)):
        return
    servers = open_servers(after.pods(change.after.stack)) if change.after else ()
    told = "The Service gets a public address, from which its pods are reached past gateway, TLS and picker."
    if servers:
        told += f" {servers[0].pod} asks nobody for a key."
    remedy = 'Use ClusterIP behind the gateway, or annotate networking.gke.io/load-balancer-type: "Internal".'
    yield _danger(after.resource, after.name, told, remedy)


def _public(service: Service) -> bool:
    return service.spec.text("type") == "LoadBalancer" and not kept_inside(service)


def _ingress(moved: Moved) -> Iterator[Danger]:
    after, before = _first(moved.after, Ingress.of), _first(moved.before, Ingress.of)
    if after is None or after.internal or after.class_name is None or (before is not None and not before.internal):
        return
    yield _danger(after.resource, after.name, "The Ingress has a public address.", _KEEP_INSIDE)


def _grant(moved: Moved) -> Iterator[Danger]:
    after, before = _first(moved.after, CloudGrant.of), _first(moved.before, CloudGrant.of)
    if after is None:
        return
    opened = (set(after.members) & _EVERYBODY) - (set(before.members) if before else set())
    if opened:
        told = f"{', '.join(sorted(opened))} get {after.role or 'a role'}: that is everybody on the Internet"
        told += "." if "allUsers" in opened else " with a Google account."
        yield _danger(after.resource, None, told, "Name the accounts that need it.")


def _control_plane(moved: Moved) -> Iterator[Danger]:
    after, before = moved.after, moved.before
    if after is None or before is None:
        return
    networks = "masterAuthorizedNetworksConfig"
    if not before.props.absent(networks) and after.props.absent(networks):
        told = "The list of networks that may reach the control plane is taken off: everybody may try."
        yield _danger(after, None, told, f"Keep {networks}.")
    old, new = (
        {block.text("cidrBlock") for block in side.props.sections(networks, "cidrBlocks")} for side in (before, after)
    )
    if opened := (new - old) & _WORLD:
        told = f"The control plane is opened to {', '.join(sorted(str(block) for block in opened))}: everybody may try."
        yield _danger(after, None, told, "Name the networks that need it.")
    endpoint = ("privateClusterConfig", "enablePrivateEndpoint")
    if before.props.flag(*endpoint) is True and after.props.flag(*endpoint) is not True:
        told = "The control plane gets a public address: enablePrivateEndpoint is no longer set."
        yield _danger(after, None, told, "Keep it, or name who may reach it.")
    outside = ("controlPlaneEndpointsConfig", "dnsEndpointConfig", "allowExternalTraffic")
    if before.props.flag(*outside) is not True and after.props.flag(*outside) is True:
        told = "The DNS endpoint of the control plane answers from outside the VPC; IAM alone keeps others out."
        yield _danger(after, None, told, "See that it is meant.")


def _firewall(moved: Moved) -> Iterator[Danger]:
    after, before = moved.after, moved.before
    if after is None or after.props.text("direction") == "EGRESS" or not after.props.sections("allows"):
        return
    known = set(before.props.texts("sourceRanges")) if before is not None else set()
    if opened := (set(after.props.texts("sourceRanges")) & _WORLD) - known:
        told = f"The firewall lets {', '.join(sorted(opened))} in: that is everybody."
        yield _danger(after, None, told, "Name the ranges that need it.")


def _bucket(moved: Moved) -> Iterator[Danger]:
    after, before = moved.after, moved.before
    if after is None or before is None:
        return
    key = "publicAccessPrevention"
    if before.props.text(key) == "enforced" and after.props.text(key) != "enforced":
        told = "publicAccessPrevention is no longer enforced: one wrong grant makes the bucket public."
        yield _danger(after, None, told, f"Keep {key}: enforced.")


def _unguarded(change: StackChange) -> Iterator[Danger]:
    """Yield external gateways on which something asked who calls, and nothing does any more."""
    if change.before is None or change.after is None:
        return
    before, after = guarded_gateways(change.before.stack), guarded_gateways(change.after.stack)
    for gateway in change.after.stack.each(Gateway):
        if gateway.resource.urn in before - after and gateway.external:
            told = "What asked callers of this gateway who they are is gone."
            yield _danger(gateway.resource, gateway.name, told, "Keep the policy, or put another in its place first.")


def _keys(change: StackChange) -> Iterator[Danger]:
    """Yield model servers that asked for a key and no longer do."""
    if change.before is None or change.after is None:
        return
    before = {workload.resource.urn: bool(open_servers((workload.pod,))) for workload in workloads(change.before.stack)}
    for workload in workloads(change.after.stack):
        if before.get(workload.resource.urn) is False and open_servers((workload.pod,)):
            told = "The model server asked callers for a key and no longer does."
            remedy = "Keep the key, or see that the gateway asks who calls."
            yield _danger(workload.resource, workload.name, told, remedy)
