"""Certificates of gateways: global ones serve global load balancers, regional ones serve regional load balancers.

A listener names a certificate by name only. The name of one of the other scope is not found, and the Gateway stays
Programmed=False although the certificate is there, active and in the console.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from inference.rules.framework import About, Severity, rule
from inference.rules.views.gateway import Gateway
from inference.rules.views.hosting import cluster_of
from inference.rules.views.resources import Resource, short_name
from inference.rules.views.stack import Stack

_SECURING = "https://cloud.google.com/kubernetes-engine/docs/how-to/secure-gateway"

_COMPUTE, _MANAGER = "networking.gke.io/pre-shared-certs", "networking.gke.io/cert-manager-certs"
_GLOBAL = "global"
_SOURCES = {
    "gcp:compute/sSLCertificate:SSLCertificate": _COMPUTE,
    "gcp:compute/managedSslCertificate:ManagedSslCertificate": _COMPUTE,
    "gcp:compute/mangedSslCertificate:MangedSslCertificate": _COMPUTE,
    "gcp:compute/regionSslCertificate:RegionSslCertificate": _COMPUTE,
    "gcp:certificatemanager/certificate:Certificate": _MANAGER,
}
"""Type of a certificate to the option of a listener that names it."""
_REGIONAL_TYPE = "gcp:compute/regionSslCertificate:RegionSslCertificate"


def _scope(certificate: Resource) -> str | None:
    """Return the region of a certificate, or ``global``; ``None`` where it is not known."""
    if certificate.type == _REGIONAL_TYPE:
        region = certificate.props.text("region")
        return short_name(region) if region else None
    if _SOURCES[certificate.type] == _COMPUTE or certificate.props.absent("location"):
        return _GLOBAL
    return certificate.props.text("location")


@rule(
    "gateway-certificate-scope-fits",
    title="A gateway names certificates of its own scope: of its region, or global ones",
    breaks="The load balancer does not find the certificate: the Gateway stays Programmed=False, HTTPS never works.",
    fix="RegionSslCertificate, or a Certificate Manager certificate with a location, for a regional class; global ones "
    "for a global class.",
    source=_SECURING,
    severity=Severity.HIGH,
)
def certificate_scope_fits(stack: Stack) -> Iterator[About]:
    declared: dict[tuple[str, str], set[str | None]] = defaultdict(set)
    for certificate in stack.of_type(*_SOURCES):
        if name := certificate.physical_name:
            declared[_SOURCES[certificate.type], name].add(_scope(certificate))
    for gateway in stack.each(Gateway) if declared else ():
        if not gateway.gke or "cross-regional" in (gateway.class_name or ""):
            continue
        cluster = cluster_of(stack, gateway.resource) if gateway.regional else None
        region = cluster.region if cluster is not None else None
        for option, name in _named(gateway):
            scopes = declared.get((option, name), set())
            if scopes and None not in scopes and not _fits(scopes, region, regional=gateway.regional):
                yield About(
                    gateway.resource,
                    f"{gateway} of the class {gateway.class_name} names the certificate "
                    f'"{name}", which is {_said(scopes)}; its load balancer does not find it, and HTTPS never works. '
                    f"Make a certificate {'in ' + (region or 'its region') if gateway.regional else 'that is global'}.",
                )


def _named(gateway: Gateway) -> Iterator[tuple[str, str]]:
    for listener in gateway.listeners:
        options = listener.strings("tls", "options")
        for option in (_COMPUTE, _MANAGER):
            for name in options.get(option, "").split(","):
                if name.strip():
                    yield option, short_name(name.strip())


def _fits(scopes: set[str | None], region: str | None, *, regional: bool) -> bool:
    if not regional:
        return _GLOBAL in scopes
    return bool(scopes - {_GLOBAL}) if region is None else region in scopes


def _said(scopes: set[str | None]) -> str:
    return " and ".join(sorted(scope if scope == _GLOBAL else f"of {scope}" for scope in scopes if scope))
