"""Answers to the program's questions to Google Cloud. No answer holds anything of a real project.

Secret values come back unmarked, as they do from the real provider (pulumi/pulumi-aws#1449 tells of the same bridge):
a program that forgets to mark them shows them in the rehearsal's plan too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rehearsal.cloud.gcp_names import location, number_of, project, region
from rehearsal.cloud.model import Asked

__all__ = ["LOOKUPS"]


def _secret_version(asked: Asked) -> Mapping[str, object]:
    name = asked.text("secret").rpartition("/")[2]
    version = asked.text("version") or "latest"
    identity = f"projects/{number_of(project(asked))}/secrets/{name}/versions/{version}"
    return {
        "id": identity,
        "name": identity,
        "project": project(asked),
        "secret": asked.text("secret"),
        "version": "1" if version == "latest" else version,
        "secretData": f"rehearsed-value-of-{name}",
        "isSecretDataBase64": False,
        "enabled": True,
        "createTime": "2026-01-01T00:00:00Z",
        "destroyTime": "",
    }


def _project(asked: Asked) -> Mapping[str, object]:
    identity = asked.text("projectId") or project(asked)
    return {
        "id": f"projects/{identity}",
        "projectId": identity,
        "name": identity,
        "number": number_of(identity),
        "labels": {},
        "effectiveLabels": {},
        "pulumiLabels": {},
        "tags": {},
        "autoCreateNetwork": False,
        "billingAccount": "",
        "deletionPolicy": "PREVENT",
        "folderId": "",
        "orgId": "",
    }


def _client(asked: Asked) -> Mapping[str, object]:
    return {
        "id": f"projects/{project(asked)}",
        "project": project(asked),
        "region": region(asked),
        "zone": "",
        "accessToken": "rehearsed-access-token",
        "defaultLabels": {},
    }


def _zones(asked: Asked) -> Mapping[str, object]:
    names = [f"{region(asked)}-{letter}" for letter in "abc"]
    return {"id": f"projects/{project(asked)}/regions/{region(asked)}", "names": names, "project": project(asked)}


def _versions(asked: Asked) -> Mapping[str, object]:
    version = f"{asked.text('versionPrefix').rstrip('.') or '1.35'}.0-gke.1000000"
    return {
        "id": "versions",
        "latestMasterVersion": version,
        "latestNodeVersion": version,
        "defaultClusterVersion": version,
        "validMasterVersions": [version],
        "validNodeVersions": [version],
        "releaseChannelDefaultVersion": {},
        "releaseChannelLatestVersion": {},
        "releaseChannelUpgradeTargetVersion": {},
    }


def _named(template: str) -> Callable[[Asked], Mapping[str, object]]:
    def answer(asked: Asked) -> Mapping[str, object]:
        places = {"project": project(asked), "region": region(asked), "location": location(asked)}
        identity = template.format(name=asked.text("name"), **places)
        link = f"https://www.googleapis.com/compute/v1/{identity}"
        return {**asked.inputs, "id": identity, "selfLink": link, "project": project(asked)}

    return answer


def _account(asked: Asked) -> Mapping[str, object]:
    name = asked.text("accountId")
    email = name if "@" in name else f"{name}@{project(asked)}.iam.gserviceaccount.com"
    identity = f"projects/{project(asked)}/serviceAccounts/{email}"
    return {"id": identity, "name": identity, "email": email, "member": f"serviceAccount:{email}", "accountId": name}


LOOKUPS: Mapping[str, Callable[[Asked], Mapping[str, object]]] = {
    "gcp:compute/getNetwork:getNetwork": _named("projects/{project}/global/networks/{name}"),
    "gcp:compute/getSubnetwork:getSubnetwork": _named("projects/{project}/regions/{region}/subnetworks/{name}"),
    "gcp:compute/getZones:getZones": _zones,
    "gcp:container/getEngineVersions:getEngineVersions": _versions,
    "gcp:organizations/getClientConfig:getClientConfig": _client,
    "gcp:organizations/getProject:getProject": _project,
    "gcp:secretmanager/getSecretVersion:getSecretVersion": _secret_version,
    "gcp:secretmanager/getSecretVersionAccess:getSecretVersionAccess": _secret_version,
    "gcp:serviceaccount/getAccount:getAccount": _account,
    "gcp:storage/getBucket:getBucket": lambda asked: {
        **asked.inputs,
        "id": asked.text("name"),
        "url": f"gs://{asked.text('name')}",
    },
}
