"""Google Cloud, as the provider shows it.

A type's row says how its id is made and what it computes. To add one, add a row to ``_KINDS`` here or, for a look-up,
to ``LOOKUPS`` in ``gcp_lookups``.
"""

from __future__ import annotations

import importlib.util
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rehearsal.cloud.gcp_clusters import cluster, node_pool
from rehearsal.cloud.gcp_lookups import LOOKUPS
from rehearsal.cloud.gcp_names import location, number_of, project, region, zone
from rehearsal.cloud.model import Asked, CloudError, Created, number

__all__ = ["Gcp", "autonamed"]

_DIGITS = 7
"""Length of the suffix of a name that the provider makes."""
_COMPUTE = "https://www.googleapis.com/compute/v1/"

Compute = Callable[[Asked, str], Mapping[str, object]]
"""Outputs of a resource from the question and its id."""


@dataclass(frozen=True, slots=True)
class _Kind:
    id: str
    """Template of the id, over the inputs and project, region, zone, location."""
    compute: Compute | None = None
    prefix: str = ""
    """What precedes the id in the resource's ``selfLink``; empty where it has none."""


def _subnetwork(asked: Asked, _: str) -> Mapping[str, object]:
    block = asked.text("ipCidrRange")
    gateway = re.sub(r"\d+/\d+$", lambda tail: str(int(tail[0].partition("/")[0]) + 1), block)
    return {"gatewayAddress": gateway, "subnetworkId": number(asked.urn, 19), "fingerprint": ""}


def _network(asked: Asked, _: str) -> Mapping[str, object]:
    numeric = str(number(asked.urn, 19))
    return {"gatewayIpv4": "", "numericId": numeric, "networkId": numeric}


def _address(asked: Asked, _: str) -> Mapping[str, object]:
    given = asked.text("address")
    internal = asked.text("addressType") == "INTERNAL"
    host = 1 + int(asked.hexadecimal(4), 16) % 254
    return {"address": given or (f"10.255.255.{host}" if internal else f"203.0.113.{host}"), "users": []}


def _account(asked: Asked, _: str) -> Mapping[str, object]:
    email = f"{asked.text('accountId')}@{project(asked)}.iam.gserviceaccount.com"
    return {
        "email": email,
        "member": f"serviceAccount:{email}",
        "name": f"projects/{project(asked)}/serviceAccounts/{email}",
        "uniqueId": str(number(asked.urn, 21)),
    }


def _bucket(asked: Asked, identity: str) -> Mapping[str, object]:
    return {
        "url": f"gs://{identity}",
        "selfLink": f"https://www.googleapis.com/storage/v1/b/{identity}",
        "projectNumber": number_of(project(asked)),
    }


def _secret(asked: Asked, _: str) -> Mapping[str, object]:
    return {"name": f"projects/{number_of(project(asked))}/secrets/{asked.text('secretId')}"}


def _secret_version(_: Asked, identity: str) -> Mapping[str, object]:
    return {"name": identity, "version": "1", "enabled": True}


def _named(_: Asked, identity: str) -> Mapping[str, object]:
    return {"name": identity}


def _dns_zone(asked: Asked, _: str) -> Mapping[str, object]:
    servers = [f"ns-cloud-a{place}.googledomains.com." for place in range(1, 5)]
    return {"nameServers": servers, "managedZoneId": number(asked.urn, 19)}


def _authorization(asked: Asked, _: str) -> Mapping[str, object]:
    record = {
        "name": f"_acme-challenge.{asked.text('domain')}.",
        "type": "CNAME",
        "data": f"{asked.hexadecimal(8)}.authorize.certificatemanager.goog.",
    }
    return {"dnsResourceRecords": [record]}


def _filestore(asked: Asked, _: str) -> Mapping[str, object]:
    networks = asked.get("networks")
    filled = [{**entry, "ipAddresses": ["10.254.0.2"]} for entry in networks] if isinstance(networks, list) else []
    return {"networks": filled}


_GLOBAL = "projects/{project}/global/"
_REGIONAL = "projects/{project}/regions/{region}/"
_ZONAL = "projects/{project}/zones/{zone}/"
_LOCATED = "projects/{project}/locations/{location}/"

_KINDS: Mapping[str, _Kind] = {
    "artifactregistry/repository:Repository": _Kind(_LOCATED + "repositories/{repositoryId}"),
    "certificatemanager/certificate:Certificate": _Kind(_LOCATED + "certificates/{name}"),
    "certificatemanager/dnsAuthorization:DnsAuthorization": _Kind(
        _LOCATED + "dnsAuthorizations/{name}", _authorization
    ),
    "compute/address:Address": _Kind(_REGIONAL + "addresses/{name}", _address, _COMPUTE),
    "compute/disk:Disk": _Kind(_ZONAL + "disks/{name}", None, _COMPUTE),
    "compute/firewall:Firewall": _Kind(_GLOBAL + "firewalls/{name}", None, _COMPUTE),
    "compute/globalAddress:GlobalAddress": _Kind(_GLOBAL + "addresses/{name}", _address, _COMPUTE),
    "compute/network:Network": _Kind(_GLOBAL + "networks/{name}", _network, _COMPUTE),
    "compute/networkPeering:NetworkPeering": _Kind("{network}/{name}"),
    "compute/regionSecurityPolicy:RegionSecurityPolicy": _Kind(_REGIONAL + "securityPolicies/{name}", None, _COMPUTE),
    "compute/regionSslPolicy:RegionSslPolicy": _Kind(_REGIONAL + "sslPolicies/{name}", None, _COMPUTE),
    "compute/reservation:Reservation": _Kind(_ZONAL + "reservations/{name}", None, _COMPUTE),
    "compute/resourcePolicy:ResourcePolicy": _Kind(_REGIONAL + "resourcePolicies/{name}", None, _COMPUTE),
    "compute/route:Route": _Kind(_GLOBAL + "routes/{name}", None, _COMPUTE),
    "compute/router:Router": _Kind(_REGIONAL + "routers/{name}", None, _COMPUTE),
    "compute/routerNat:RouterNat": _Kind("{project}/{region}/{router}/{name}"),
    "compute/securityPolicy:SecurityPolicy": _Kind(_GLOBAL + "securityPolicies/{name}", None, _COMPUTE),
    "compute/sslPolicy:SSLPolicy": _Kind(_GLOBAL + "sslPolicies/{name}", None, _COMPUTE),
    "compute/subnetwork:Subnetwork": _Kind(_REGIONAL + "subnetworks/{name}", _subnetwork, _COMPUTE),
    "container/cluster:Cluster": _Kind(_LOCATED + "clusters/{name}", cluster),
    "container/nodePool:NodePool": _Kind(_LOCATED + "clusters/{cluster}/nodePools/{name}", node_pool),
    "dns/managedZone:ManagedZone": _Kind("projects/{project}/managedZones/{name}", _dns_zone),
    "dns/recordSet:RecordSet": _Kind("projects/{project}/managedZones/{managedZone}/rrsets/{name}/{type}"),
    "filestore/instance:Instance": _Kind(_LOCATED + "instances/{name}", _filestore),
    "kms/cryptoKey:CryptoKey": _Kind("{keyRing}/cryptoKeys/{name}"),
    "kms/keyRing:KeyRing": _Kind(_LOCATED + "keyRings/{name}"),
    "lustre/instance:Instance": _Kind(_LOCATED + "instances/{instanceId}", _named),
    "monitoring/alertPolicy:AlertPolicy": _Kind("projects/{project}/alertPolicies/{number}", _named),
    "monitoring/notificationChannel:NotificationChannel": _Kind(
        "projects/{project}/notificationChannels/{number}", _named
    ),
    "projects/iAMMember:IAMMember": _Kind("{project}/{role}/{member}"),
    "projects/service:Service": _Kind("{project}/{service}"),
    "secretmanager/secret:Secret": _Kind("projects/{project}/secrets/{secretId}", _secret),
    "secretmanager/secretIamMember:SecretIamMember": _Kind("projects/{project}/secrets/{secretId}/{role}/{member}"),
    "secretmanager/secretVersion:SecretVersion": _Kind("{secret}/versions/1", _secret_version),
    "serviceaccount/account:Account": _Kind(
        "projects/{project}/serviceAccounts/{accountId}@{project}.iam.gserviceaccount.com", _account
    ),
    "serviceaccount/iAMMember:IAMMember": _Kind("{serviceAccountId}/{role}/{member}"),
    "servicenetworking/connection:Connection": _Kind("{network}:{service}"),
    "storage/bucket:Bucket": _Kind("{name}", _bucket),
    "storage/bucketIAMMember:BucketIAMMember": _Kind("b/{bucket}/{role}/{member}"),
    "storage/bucketObject:BucketObject": _Kind("{bucket}-{name}"),
}

_LOWERCASE = frozenset({"gcp:storage/bucket:Bucket"})


class Gcp:
    """Resources echo what was asked and gain the names, links and addresses that the API computes."""

    def check(self, asked: Asked) -> Mapping[str, object]:
        if "name" in asked.inputs or not autonamed(asked.type):
            return {}
        name = f"{asked.logical_name}-{asked.hexadecimal(_DIGITS)}"
        return {"name": name.lower() if asked.type in _LOWERCASE else name, "__defaults": ["name"]}

    def create(self, asked: Asked) -> Created:
        kind = _KINDS.get(asked.type.removeprefix("gcp:"))
        if kind is None:
            return Created(asked.text("name") or asked.hexadecimal(16), _common(asked))
        identity = kind.id.format_map(_fields(asked))
        computed = dict(kind.compute(asked, identity)) if kind.compute else {}
        if kind.prefix:
            computed["selfLink"] = kind.prefix + identity
        return Created(identity, {**_common(asked), **computed})

    def invoke(
        self, token: str, arguments: Mapping[str, object], configuration: Mapping[str, object]
    ) -> Mapping[str, object]:
        answer = LOOKUPS.get(token)
        if answer is None:
            raise CloudError(
                f"the program calls {token}; the model of Google Cloud has no answer to it. "
                "Add one to LOOKUPS in rehearsal/cloud/gcp_lookups.py."
            )
        return answer(Asked(f"urn:pulumi:::::{token}::look-up", arguments, configuration))


def _fields(asked: Asked) -> Mapping[str, object]:
    fields: dict[str, object] = defaultdict(str)
    fields.update({key: asked.get(key) for key in asked.inputs})
    fields.update(project=project(asked), region=region(asked), zone=zone(asked), location=location(asked))
    fields["number"] = number(asked.urn, 19)
    for key in ("cluster", "router", "secretId", "repositoryId"):
        if isinstance(name := fields.get(key), str):
            fields[key] = name.rpartition("/")[2]
    return fields


def _common(asked: Asked) -> Mapping[str, object]:
    """Return what the provider adds to every type that has it: project, region, zone, effective labels."""
    arguments = _arguments(asked.type)
    places = {"project": project(asked), "region": region(asked), "zone": zone(asked)}
    common: dict[str, object] = {
        key: value for key, value in places.items() if key in arguments and key not in asked.inputs and value
    }
    labels = asked.get("labels")
    if "labels" in arguments and (labels is None or isinstance(labels, Mapping)):
        common["effectiveLabels"] = {**(labels or {}), "goog-pulumi-provisioned": "true"}
        common["pulumiLabels"] = common["effectiveLabels"]
    return common


def autonamed(token: str) -> bool:
    """Whether the provider makes a name where the program gives none.

    The SDK shows it: a name that the API demands and the SDK does not is made by the provider.
    """
    return _arguments(token).get("name", False)


@lru_cache(maxsize=256)
def _arguments(token: str) -> Mapping[str, bool]:
    """Return the arguments of a type, and whether each may be left out; in the SDK's spelling, single words only.

    They are read from the SDK's source: importing it takes more than a second, for which a plugin has no other use.
    """
    module, _, name = token.removeprefix("gcp:").rpartition(":")
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    file = _sdk() / module.partition("/")[0].lower() / f"{words}.py"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    declared = re.search(
        rf"^class {name}Args:\n    def __init__\(__self__, \*,\n(.*?)\):$", text, re.MULTILINE | re.DOTALL
    )
    lines = declared[1].splitlines() if declared else ()
    return {line.partition(":")[0].strip(): " = " in line for line in lines}


@lru_cache(maxsize=1)
def _sdk() -> Path:
    """Return the folder of the SDK, without importing it."""
    found = importlib.util.find_spec("pulumi_gcp")
    return Path(found.origin).parent if found and found.origin else Path()
