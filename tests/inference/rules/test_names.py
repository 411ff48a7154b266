from __future__ import annotations

import pytest

from inference.rules import names
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import CLUSTER, NODE_POOL, findings, resource

NETWORK = "gcp:compute/network:Network"
RULE = names.name_is_accepted


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (CLUSTER, "c" * 41),
        (NODE_POOL, "p" * 41),
        (NETWORK, "n" * 64),
        ("gcp:compute/resourcePolicy:ResourcePolicy", "r" * 64),
        (CLUSTER, "Platform"),
        (NODE_POOL, "h200_pool"),
        (NETWORK, "0-network"),
        (NETWORK, "network-"),
    ],
)
def test_a_name_that_the_api_refuses_is_found(kind: str, name: str) -> None:
    assert len(findings(RULE, resource(kind, "x", {"name": name}))) == 1


@pytest.mark.parametrize(("kind", "length", "found"), [(CLUSTER, 33, True), (CLUSTER, 32, False), (NODE_POOL, 33, True), (NETWORK, 55, False), (NETWORK, 56, True)])  # fmt: skip
def test_an_automatic_name_is_eight_characters_longer(kind: str, length: int, found: bool) -> None:
    assert bool(findings(RULE, resource(kind, "x" * length, {}))) is found


def test_names_that_are_accepted_or_not_known_are_silent() -> None:
    long = "x" * 60
    assert not findings(RULE, resource(CLUSTER, long, {"name": "c" * 40}))
    assert not findings(RULE, resource(NETWORK, "x", {"name": "n" * 63}))
    assert not findings(RULE, resource(CLUSTER, long, {"name": UNKNOWN}))
    assert not findings(RULE, resource(NODE_POOL, long, {"namePrefix": "pool-"}))
    assert not findings(RULE, resource("gcp:compute/networkPeering:NetworkPeering", "X" * 80, {"name": "Y" * 80}))


@pytest.mark.parametrize(
    ("kind", "key", "bad", "good"),
    [
        ("gcp:serviceaccount/account:Account", "accountId", "inference-platform-gpu-nodes-production", "gpu-nodes"),
        ("gcp:serviceaccount/account:Account", "accountId", "GPU_nodes", "a1"),
        ("gcp:storage/bucket:Bucket", "name", "Acme-Models", "acme.models_v1"),
        ("gcp:artifactregistry/repository:Repository", "repositoryId", "Models", "models-v1"),
        ("gcp:secretmanager/secret:Secret", "secretId", "hf.token", "HF_TOKEN"),
    ],
)
def test_an_identifier_of_another_form_is_found(kind: str, key: str, bad: str, good: str) -> None:
    rule = names.identifier_is_accepted
    (message,) = findings(rule, resource(kind, "x", {key: bad}))
    assert bad in message
    assert not findings(rule, resource(kind, "X Y", {key: good}), resource(kind, "Z", {key: UNKNOWN}))
    assert not findings(rule, resource(kind, "X" * 90, {}))
