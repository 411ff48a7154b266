"""Where a machine or an accelerator is to be had."""

from __future__ import annotations

from inference.facts.offers import zones_with


def test_zones_are_suggested_for_gpus_and_tpus_and_attached_gpus() -> None:
    assert "us-central1-b" in zones_with("a3-ultragpu-8g")
    assert "us-central1-a" in zones_with("g2-standard-4")
    assert "us-east5-b" in zones_with("ct6e-standard-4t")
    assert "us-central1-f" in zones_with("nvidia-tesla-t4")
    assert zones_with("a4x-highgpu-4g") == zones_with("no-such-machine") == frozenset()
