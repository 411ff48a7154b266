from __future__ import annotations

from typing import Any

import pytest

from inference.rules import cloud_values
from inference.rules.views.values import UNKNOWN
from tests.inference.rules.cases import CLUSTER, cluster, findings, node_pool, resource

KNOWN = cloud_values.value_is_known
LABEL = cloud_values.label_is_accepted
SUBNET = "gcp:compute/subnetwork:Subnetwork"
POLICY = "gcp:compute/resourcePolicy:ResourcePolicy"


@pytest.mark.parametrize(
    ("props", "wanted"),
    [
        ({"nodeConfig": {"taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}]}}, "Write NO_SCHEDULE."),
        ({"upgradeSettings": {"strategy": "blue-green"}}, "Write BLUE_GREEN."),
        ({"autoscaling": {"locationPolicy": "any"}}, "Write ANY."),
        ({"placementPolicy": {"type": "Compact"}}, "Write COMPACT."),
        ({"nodeConfig": {"workloadMetadataConfig": {"mode": "GKE_METADATA_SERVER"}}}, "GKE_METADATA"),
        ({"nodeConfig": {"secondaryBootDisks": [{"mode": "container_image_cache"}]}}, "Write CONTAINER_IMAGE_CACHE."),
    ],
)
def test_a_word_of_a_pool_that_the_api_does_not_know_is_found(props: dict[str, Any], wanted: str) -> None:
    (message,) = findings(KNOWN, node_pool(props=props))
    assert wanted in message
    inline = resource(CLUSTER, "c", {"nodePools": [{"name": "gpus", **props}]})
    assert len(findings(KNOWN, inline)) == 1


@pytest.mark.parametrize(
    "props",
    [
        {"releaseChannel": {"channel": "regular"}},
        {"releaseChannel": {"channel": "LTS"}},
        {"datapathProvider": "DATAPLANE_V2"},
        {"networkingMode": "vpc-native"},
        {"gatewayApiConfig": {"channel": "STANDARD"}},
    ],
)
def test_a_word_of_a_cluster_that_the_api_does_not_know_is_found(props: dict[str, Any]) -> None:
    assert len(findings(KNOWN, cluster(props=props))) == 1


def test_words_of_subnets_firewalls_and_policies_are_read_too() -> None:
    purpose, role = findings(KNOWN, resource(SUBNET, "s", {"purpose": "regional-managed-proxy", "role": "active"}))
    assert purpose.startswith('The Subnetwork "s" has purpose "regional-managed-proxy", a word that the API')
    assert purpose.endswith("Write REGIONAL_MANAGED_PROXY.")
    assert role.endswith("Write ACTIVE.")
    assert findings(KNOWN, resource("gcp:compute/firewall:Firewall", "f", {"direction": "ingress"}))
    assert findings(KNOWN, resource(POLICY, "p", {"workloadPolicy": {"type": "high-throughput"}}))


def test_words_that_are_right_empty_or_not_known_are_silent() -> None:
    assert not findings(KNOWN, node_pool(), cluster())
    empty = {"placementPolicy": {"type": ""}, "upgradeSettings": {"strategy": UNKNOWN}, "autoscaling": UNKNOWN}
    assert not findings(KNOWN, node_pool(props=empty), node_pool("x", {"nodeConfig": UNKNOWN}))
    assert not findings(KNOWN, cluster(props={"releaseChannel": {"channel": "UNSPECIFIED"}, "datapathProvider": ""}))
    assert not findings(KNOWN, resource(SUBNET, "s", {"purpose": "PRIVATE", "role": "", "stackType": "IPV4_ONLY"}))
    assert not findings(KNOWN, resource("kubernetes:core/v1:Node", "n", {"taints": [{"effect": "NoSchedule"}]}))


@pytest.mark.parametrize(
    "labels", [{"Team": "ml"}, {"team": "ML platform"}, {"app.kubernetes.io/name": "vllm"}, {"1": "x"}]
)
def test_a_label_that_google_cloud_refuses_is_found(labels: dict[str, str]) -> None:
    assert len(findings(LABEL, cluster(props={"resourceLabels": labels}))) == 1
    assert len(findings(LABEL, node_pool(props={"nodeConfig": {"resourceLabels": labels}}))) == 1
    assert len(findings(LABEL, resource("gcp:compute/disk:Disk", "d", {"labels": labels}))) == 1


def test_labels_of_kubernetes_and_labels_that_are_accepted_are_silent() -> None:
    good = {"team": "ml-platform", "goog-pulumi-provisioned": "true", "cost_center": "", "jahr": "2026-01"}
    assert not findings(
        LABEL,
        cluster(props={"resourceLabels": good}),
        node_pool(props={"nodeConfig": {"labels": {"app.kubernetes.io/Name": "Vllm"}}}),
    )
    assert not findings(
        LABEL, cluster(props={"resourceLabels": {"team": UNKNOWN}}), cluster("x", {"resourceLabels": UNKNOWN})
    )
    assert not findings(
        LABEL, resource("gcp:memcache/instance:Instance", "m", {"nodeConfig": {"resourceLabels": {"A": "B"}}})
    )
