from __future__ import annotations

from typing import Any

import pytest

from inference.rules.certificates import certificate_scope_fits
from inference.rules.views.resources import Resource
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import cluster, custom, findings, resource

REGIONAL, GLOBAL = "gke-l7-regional-external-managed", "gke-l7-global-external-managed"
OLD, NEW = "networking.gke.io/pre-shared-certs", "networking.gke.io/cert-manager-certs"


def gateway(class_name: str, option: str, names: Any = "api") -> Resource:
    tls = {"mode": "Terminate", "options": {option: names}}
    listeners = [{"name": "https", "protocol": "HTTPS", "port": 443, "tls": tls}]
    return custom(
        "gateway.networking.k8s.io/v1", "Gateway", "door", {"gatewayClassName": class_name, "listeners": listeners}
    )


def managed(**props: Any) -> Resource:
    return resource("gcp:compute/managedSslCertificate:ManagedSslCertificate", "api", {"name": "api", **props})


def regional(region: Any = "us-central1") -> Resource:
    return resource("gcp:compute/regionSslCertificate:RegionSslCertificate", "api-r", {"name": "api", "region": region})


def manager(**props: Any) -> Resource:
    return resource("gcp:certificatemanager/certificate:Certificate", "api", {"name": "api", **props})


@pytest.mark.parametrize(
    ("door", "certificate"),
    [
        (gateway(REGIONAL, OLD), managed()),
        (gateway("gke-l7-rilb", OLD, "other,api"), managed()),
        (gateway(REGIONAL, OLD), regional("us-east1")),
        (gateway(REGIONAL, NEW), manager()),
        (gateway(REGIONAL, NEW), manager(location="europe-west4")),
        (gateway(GLOBAL, OLD), regional()),
        (gateway(GLOBAL, NEW), manager(location="us-central1")),
    ],
)
def test_a_certificate_of_another_scope_is_found(door: Resource, certificate: Resource) -> None:
    assert len(findings(certificate_scope_fits, cluster(), door, certificate)) == 1


@pytest.mark.parametrize(
    ("door", "certificate"),
    [
        (gateway(REGIONAL, OLD), regional()),
        (gateway(REGIONAL, OLD), regional(UNKNOWN)),
        (gateway(REGIONAL, NEW), manager(location="us-central1")),
        (gateway(REGIONAL, NEW), manager(location=UNKNOWN)),
        (gateway(GLOBAL, OLD), managed()),
        (gateway(GLOBAL, NEW), manager(location="global")),
        (gateway(REGIONAL, OLD, "of-another-program"), managed()),
        (gateway(REGIONAL, OLD, UNKNOWN), managed()),
        (gateway(REGIONAL, OLD), managed(name=UNKNOWN)),
        (gateway("istio", OLD), managed()),
        (gateway("gke-l7-cross-regional-internal-managed-mc", NEW), manager()),
    ],
)
def test_certificates_of_the_scope_or_of_unknown_ones_are_silent(door: Resource, certificate: Resource) -> None:
    assert not findings(certificate_scope_fits, cluster(), door, certificate)


def test_a_name_that_both_scopes_have_is_silent() -> None:
    assert not findings(certificate_scope_fits, cluster(), gateway(REGIONAL, OLD), managed(), regional())
    assert not findings(certificate_scope_fits, gateway(REGIONAL, OLD), regional("us-east1"))
