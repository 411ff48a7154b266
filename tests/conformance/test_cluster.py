"""A real API server takes every object of every stack, refuses what the checks here refuse, and sets the same defaults."""

from __future__ import annotations

import base64
import json
import re
import ssl
from pathlib import Path

import pytest
import yaml

from tests.support.apiserver import ApiServer, RefusedError, opened
from tests.support.definitions import ABSENT, definition, definitions_folder
from tests.support.spoiled import SPOILED, Spoiled
from tests.support.stackobjects import SETTINGS, STACKS, custom, manifests, settled
from tests.support.structural import defaulted

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(definitions_folder() is None, reason=ABSENT),
]


def refusals(server: ApiServer, path: Path) -> list[str]:
    found = []
    for manifest in manifests(path):
        try:
            server.dry_run(manifest)
        except RefusedError as refused:
            found.append(f"{manifest['kind']} {manifest['metadata']['name']}: {refused}")
    return found


@pytest.mark.parametrize("stack", STACKS)
def test_an_api_server_takes_every_object_of_a_stack(server: ApiServer, stack: str) -> None:
    assert manifests(STACKS[stack])
    assert not refusals(server, STACKS[stack])


@pytest.mark.parametrize("name", SETTINGS)
def test_an_api_server_takes_every_object_of_other_settings(server: ApiServer, name: str, tmp_path: Path) -> None:
    path = settled(name, tmp_path)
    assert manifests(path)
    assert not refusals(server, path)


@pytest.mark.parametrize("case", SPOILED, ids=lambda case: case.name)
def test_an_api_server_refuses_a_spoiled_object_too(server: ApiServer, case: Spoiled) -> None:
    with pytest.raises(RefusedError) as caught:
        server.dry_run(case.manifest)
    assert re.search(case.says, str(caught.value))


def test_an_api_server_sets_the_defaults_that_the_checks_set(server: ApiServer) -> None:
    seen = set()
    for path in STACKS.values():
        for manifest in custom(path):
            found = definition(manifest)
            assert found is not None
            stored = server.dry_run(manifest)
            assert stored["spec"] == defaulted(manifest, found.schema)["spec"], manifest["metadata"]["name"]
            if stored["spec"] != manifest["spec"]:
                seen.add(found.kind)
    assert {"HTTPRoute", "InferencePool", "LeaderWorkerSet", "PodMonitoring"} <= seen


def test_nothing_stays_behind_a_dry_run(server: ApiServer) -> None:
    for manifest in manifests(STACKS["prod"]):
        server.dry_run(manifest)
    assert not [m for m in manifests(STACKS["prod"]) if m["kind"] != "Namespace" and server.finds(server.resource(m))]


@pytest.mark.parametrize("way", ["token", "plugin"])
def test_a_kubeconfig_lends_the_same_server(server: ApiServer, way: str, tmp_path: Path) -> None:
    authority = "".join(ssl.DER_cert_to_PEM_cert(der) for der in server.context.get_ca_certs(binary_form=True))
    answer = json.dumps({"status": {"token": server.token}})
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "printf", "args": ["%s", answer]}
    cluster = {"server": server.address, "certificate-authority-data": base64.b64encode(authority.encode()).decode()}
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "current-context": "here",
                "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [{"name": "u", "user": {"token": server.token} if way == "token" else {"exec": plugin}}],
            }
        ),
        encoding="utf-8",
    )
    assert opened(kubeconfig, tmp_path).finds("/api/v1/namespaces/inference")
