"""Upgrades: channels, lag, and what renews nodes, held against the pages they were read from."""

from __future__ import annotations

import pytest

from inference.facts.upgrades import CHANNELS, CHANNELS_FROM_SLOW_TO_FAST, NODE_LAG, RENEWING, retired
from rehearsal.replacement import replaces

NODE_POOL = "gcp:container/nodePool:NodePool"


def test_every_channel_stands_once_in_their_order() -> None:
    assert len(CHANNELS) == len(CHANNELS_FROM_SLOW_TO_FAST) == 4


@pytest.mark.parametrize("channel", sorted(CHANNELS))
def test_a_minor_version_that_retires_stays_retired(channel: str) -> None:
    flags = [retired(channel, 1, minor) for minor in range(20, 40)]
    assert flags == sorted(flags, reverse=True)
    assert flags[0]
    assert not flags[-1]


def test_the_extended_channel_keeps_a_version_longest() -> None:
    assert retired("REGULAR", 1, 31)
    assert not retired("EXTENDED", 1, 31)


def test_nodes_may_lag_as_far_as_kubernetes_says() -> None:
    # https://kubernetes.io/releases/version-skew-policy: "kubelet may be up to three minor versions older".
    assert NODE_LAG == 3


@pytest.mark.parametrize("path", RENEWING)
def test_what_renews_nodes_in_place_does_not_replace_the_pool(path: str) -> None:
    assert not replaces(NODE_POOL, path)


@pytest.mark.parametrize("feature", ["gcfsConfig", "gvnic", "imageType", "diskType", "storagePools", "machineType"])
def test_the_changes_that_gke_lists_as_recreating_nodes_are_known(feature: str) -> None:
    # https://cloud.google.com/kubernetes-engine/docs/concepts/node-pool-upgrade-strategies
    assert f"nodeConfig.{feature}" in RENEWING
    assert not {"nodeConfig.labels", "nodeConfig.taints"} & set(RENEWING)
