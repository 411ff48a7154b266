"""What GKE computes for clusters and node pools."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from inference.facts.zones import is_zone
from rehearsal.cloud.gcp_names import location, number_of, project, region
from rehearsal.cloud.model import Asked
from rehearsal.values import Secret

__all__ = ["cluster", "node_pool"]


def _pem(label: str, asked: Asked) -> str:
    body = f"-----BEGIN {label}-----\n{asked.hexadecimal(64, label)}\n-----END {label}-----\n"
    return base64.b64encode(body.encode()).decode()


def _version(text: str) -> str:
    """Return a full GKE version of the asked minor one."""
    minor = re.match(r"\d+\.\d+", text)
    return text if "-gke." in text else f"{minor[0] if minor else '1.35'}.0-gke.1000000"


def cluster(asked: Asked, identity: str) -> Mapping[str, object]:
    """Return the outputs of a cluster."""
    name, place = identity.rpartition("/")[2], location(asked)
    kind = "zones" if re.search(r"-[a-z]$", place) else "locations"
    host = 1 + int(asked.hexadecimal(4), 16) % 254
    private = asked.get("privateClusterConfig", "enablePrivateEndpoint") is True
    version = _version(asked.text("minMasterVersion"))
    dns = f"gke-{asked.hexadecimal(36)}-{number_of(project(asked))}.{region(asked)}.gke.goog"
    return {
        "name": name,
        "location": place,
        "endpoint": f"10.255.254.{host}" if private else f"203.0.113.{host}",
        "masterVersion": version,
        "nodeVersion": asked.text("nodeVersion") or version,
        "selfLink": f"https://container.googleapis.com/v1/projects/{project(asked)}/{kind}/{place}/clusters/{name}",
        "masterAuth": {
            "clientCertificate": "",
            "clientKey": Secret(_pem("PRIVATE KEY", asked)),
            "clusterCaCertificate": _pem("CERTIFICATE", asked),
            "clientCertificateConfig": {"issueClientCertificate": False},
        },
        "controlPlaneEndpointsConfig": _endpoints(asked, dns, f"203.0.113.{host}", f"10.255.254.{host}"),
        "clusterIpv4Cidr": asked.text("clusterIpv4Cidr") or "10.4.0.0/14",
        "servicesIpv4Cidr": asked.text("ipAllocationPolicy", "servicesIpv4CidrBlock") or "10.0.32.0/20",
        "labelFingerprint": asked.hexadecimal(8),
        "operation": "",
    }


def _endpoints(asked: Asked, dns: str, public: str, private: str) -> Mapping[str, object]:
    given = asked.get("controlPlaneEndpointsConfig")
    given = given if isinstance(given, Mapping) else {}
    named = asked.get("controlPlaneEndpointsConfig", "dnsEndpointConfig")
    addressed = asked.get("controlPlaneEndpointsConfig", "ipEndpointsConfig")
    return {
        **given,
        "dnsEndpointConfig": {**(named if isinstance(named, Mapping) else {}), "endpoint": dns},
        "ipEndpointsConfig": {
            "enabled": True,
            **(addressed if isinstance(addressed, Mapping) else {}),
            "publicEndpoint": public,
            "privateEndpoint": private,
        },
    }


def node_pool(asked: Asked, identity: str) -> Mapping[str, object]:
    """Return the outputs of a node pool."""
    name, owner, place = identity.rpartition("/")[2], asked.text("cluster").rpartition("/")[2], location(asked)
    given = asked.get("nodeLocations")
    zones = [str(zone) for zone in given] if isinstance(given, list) else [place]
    groups = [
        f"https://www.googleapis.com/compute/v1/projects/{project(asked)}/zones/{zone}"
        f"/instanceGroupManagers/gke-{owner}-{name}-{asked.hexadecimal(8, zone)}-grp"
        for zone in zones
    ]
    return {
        "name": name,
        "location": place,
        # Which zones of a region GKE chooses is not known here.
        **({"nodeLocations": zones} if isinstance(given, list) or is_zone(place) else {}),
        "version": _version(asked.text("version")),
        "instanceGroupUrls": groups,
        "managedInstanceGroupUrls": [group.replace("instanceGroupManagers", "instanceGroups") for group in groups],
        "operation": "",
    }
